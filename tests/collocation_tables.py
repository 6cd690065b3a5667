"""A small parsed corpus, written by hand: DuckDB views as a study has them, and what the tests count on them by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

TOKENS = pa.schema(
    [
        ("post_id", pa.string()), ("sentence", pa.int32()), ("position", pa.int32()), ("form", pa.string()),
        ("lower", pa.string()), ("root", pa.string()), ("lemma", pa.string()), ("upos", pa.string()),
        ("feats", pa.string()), ("head", pa.int32()), ("deprel", pa.string()), ("ent", pa.string()),
        ("start", pa.int32()), ("space_after", pa.bool_()),
    ]
)  # fmt: skip
POSTS = pa.schema(
    [
        ("post_id", pa.string()), ("title", pa.string()), ("month", pa.string()), ("author", pa.string()),
        ("author_id", pa.string()), ("category", pa.string()), ("source", pa.string()),
        ("tags", pa.list_(pa.string())), ("n_words", pa.int32()),
    ]
)  # fmt: skip
ROOTS = {"memonopoli": "monopoli", "mendukung": "dukung", "didukung": "dukung", "pedagang": "dagang"}

# form/UPOS/head/relation; the head is a place in the sentence from 1, 0 for the root; `~` in front: no space before it
PARSED = {
    "p1": ["Platform/NOUN/2/nsubj memonopoli/VERB/0/root pasar/NOUN/2/obj kecil/ADJ/3/amod ~./PUNCT/2/punct",
           "Pedagang/NOUN/2/nsubj mendukung/VERB/0/root platform/NOUN/2/obj kecil/ADJ/3/amod ~./PUNCT/2/punct"],
    "p2": ["Platform/NOUN/3/nsubj besar/ADJ/1/amod memonopoli/VERB/0/root pasar/NOUN/3/obj ~,/PUNCT/3/punct "
           "kata/VERB/3/parataxis pedagang/NOUN/6/nsubj ~./PUNCT/3/punct"],
    "p3": ["Pasar/NOUN/2/nsubj:pass didukung/VERB/0/root pedagang/NOUN/2/obl:agent kecil/ADJ/3/amod ~./PUNCT/2/punct",
           "Harga/NOUN/3/nsubj ~nya/PRON/1/nmod naik/VERB/0/root ~./PUNCT/3/punct"],
    "p4": ["Platform/NOUN/2/nsubj memonopoli/VERB/0/root pasar/NOUN/2/obj kecil/ADJ/3/amod ~./PUNCT/2/punct"],
    "p5": ["Negara/NOUN/2/nsubj memonopoli/VERB/0/root garam/NOUN/2/obj ~;/PUNCT/2/punct harga/NOUN/6/nsubj "
           "turun/VERB/2/conj ~./PUNCT/2/punct"],
}  # fmt: skip
FIELDS: dict[str, dict[str, Any]] = {
    "p1": {"month": "2023-04", "author_id": "ani", "category": "Ekonomi", "tags": ["pasar"], "n_words": 8},
    "p2": {"month": "2023-11", "author_id": "budi", "category": "Ekonomi", "n_words": 6},
    "p3": {"month": "2024-02", "author_id": "ani", "category": "Digital", "n_words": 7},
    "p4": {"month": "2024-03", "author_id": "cici", "n_words": 4},
    "p5": {"month": None, "author_id": None, "n_words": 5},
}
STANCES = {"p1": "against", "p2": "against", "p3": "favor", "p4": "against", "p5": "neutral"}
REPEATED = ("p4",)


def parse_rows(post_id: str, sentences: Sequence[str], *, title: str = "") -> list[dict[str, Any]]:
    """Return the token rows of a post; a title is its first sentence."""
    rows: list[dict[str, Any]] = []
    # the text that is parsed: title, empty line, body
    at = -1 if title else len("\n\n") - 1
    for number, line in enumerate([*([title] if title else []), *sentences]):
        offset = len(rows)
        if title and number == 1:
            at = len(" ".join(piece.split("/")[0] for piece in title.split())) + len("\n\n") - 1
        for piece in line.split(" "):
            form, upos, head, relation = piece.split("/")
            glued = form.startswith("~")
            form = form.removeprefix("~")
            if glued and rows:
                rows[-1]["space_after"] = False
            at += 0 if glued else 1
            position = len(rows)
            rows.append(
                {
                    "post_id": post_id, "sentence": number, "position": position, "form": form, "lower": form.lower(),
                    "root": ROOTS.get(form.lower(), form.lower()), "lemma": ROOTS.get(form.lower(), form.lower()),
                    "upos": upos, "feats": "", "head": offset + int(head) - 1 if int(head) else position,
                    "deprel": relation, "ent": "", "start": at, "space_after": True,
                }
            )  # fmt: skip
            at += len(form)
    return rows


def plain_rows(post_id: str, text: str) -> list[dict[str, Any]]:
    """Return the token rows of words split at spaces and sentences at full stops; no word depends on another."""
    lines = [line.split() for line in text.split(".") if line.split()]
    marked = [[f"{word}/{'PUNCT' if word in ',;' else 'X'}/0/root" for word in line] for line in lines]
    return parse_rows(post_id, [" ".join(line) for line in marked])


def connect(
    tokens: Sequence[Mapping[str, Any]],
    fields: Mapping[str, Mapping[str, Any]],
    *,
    stances: Mapping[str, str] | None = None,
    topics: Mapping[str, Sequence[int]] | None = None,
    repeated: Sequence[str] = (),
    targets: Sequence[str] = ("ekonomi digital",),
) -> duckdb.DuckDBPyConnection:
    """Return a connection with the tables that the words are counted from."""
    connection = duckdb.connect(":memory:")
    posts = [{"source": "tulisan", "title": "", "post_id": post_id, **rest} for post_id, rest in fields.items()]
    predictions = [
        {"post_id": post_id, "target": target, "stance": stance}
        for target in targets
        for post_id, stance in (stances or {}).items()
    ]
    assignments = [
        {"segment_id": f"{post_id}:{place}", "post_id": post_id, "topic_id": topic}
        for post_id, found in (topics or {}).items()
        for place, topic in enumerate(found)
    ]
    string = pa.string()
    tables = {
        "tokens": pa.Table.from_pylist(list(tokens), schema=TOKENS),
        "posts": pa.Table.from_pylist(posts, schema=POSTS),
        "predictions": pa.Table.from_pylist(
            predictions, schema=pa.schema([("post_id", string), ("target", string), ("stance", string)])
        ),
        "topic_assignments": pa.Table.from_pylist(
            assignments, schema=pa.schema([("segment_id", string), ("post_id", string), ("topic_id", pa.int32())])
        ),
        "duplicates": pa.Table.from_pylist(
            [{"post_id": post_id, "is_first": False} for post_id in repeated],
            schema=pa.schema([("post_id", string), ("is_first", pa.bool_())]),
        ),
    }
    for name, table in tables.items():
        connection.register(name, table)
    return connection


def small_corpus(**changes: Any) -> duckdb.DuckDBPyConnection:
    """Return the hand-parsed corpus: 30 words, 26 of them in posts that count (p4 repeats p1's first sentence)."""
    tokens = [row for post_id, sentences in PARSED.items() for row in parse_rows(post_id, sentences)]
    options: dict[str, Any] = {
        "stances": STANCES,
        "repeated": REPEATED,
        "topics": {"p1": [0, 0, 1], "p2": [1], "p3": [-1]},
    }
    return connect(tokens, FIELDS, **{**options, **changes})
