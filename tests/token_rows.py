"""A corpus of three posts whose tokens are written by hand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa

from nlp_study.roots import find_root
from nlp_study.schema import TIMEZONE, TableName, table_specs
from nlp_study.store import Corpus, RunRecord, open_corpus

RECORD = RunRecord(stage="test", fingerprint={})

# form|lemma|upos|deprel|ent of each token; "_" glues a token to the one before it, "." ends a sentence
POSTS = {
    "p1": (
        "2024-01-05T08:00:00+07:00",
        "Ekonomi|ekonomi|NOUN|nsubj| digital|digital|ADJ|amod| tumbuh|tumbuh|VERB|root| _.|.|PUNCT|punct| "
        "Saya|saya|PRON|nsubj| mendukung|dukung|VERB|root| ekonomi|ekonomi|NOUN|obj| rakyat|rakyat|NOUN|nmod| "
        "_.|.|PUNCT|punct|",
    ),
    "p2": (
        "2024-01-20T08:00:00+07:00",
        "Dukungan|dukungan|NOUN|nsubj| _nya|nya|PRON|det| kuat|kuat|ADJ|root| _,|,|PUNCT|punct| kata|kata|VERB|parataxis| "
        "Budi|Budi|PROPN|nsubj|B-PER Santoso|Santoso|PROPN|flat|I-PER _.|.|PUNCT|punct|",
    ),
    "p3": (
        "2024-03-01T08:00:00+07:00",
        "Pendukung|pendukung|NOUN|nsubj| ekonomi|ekonomi|NOUN|nmod| syariah|syariah|ADJ|amod| didukung|dukung|VERB|root| "
        "ekonomi|ekonomi|NOUN|obl| kuat|kuat|ADJ|amod| sekali|sekali|ADV|advmod| _!|!|PUNCT|punct| "
        "Ekonomi|ekonomi|NOUN|root|",
    ),
}


def token_rows(post_id: str, text: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    sentence, start = 0, 0
    for position, word in enumerate(text.split()):
        glued, cells = word.startswith("_"), word.removeprefix("_").split("|")
        form, lemma, upos, deprel, ent = cells
        if rows:
            rows[-1]["space_after"], rows[-1]["after"] = not glued, "" if glued else " "
            start += len(str(rows[-1]["form"])) + (not glued)
            sentence += rows[-1]["form"] in (".", "!")
        rows.append(
            {
                "post_id": post_id, "sentence": sentence, "position": position, "form": form, "lower": form.lower(),
                "root": find_root(form), "lemma": lemma, "upos": upos, "feats": "Polarity=Neg" if form == "!" else "",
                "head": position, "deprel": deprel, "ent": ent, "start": start, "space_after": False, "after": "",
            }
        )  # fmt: skip
    return rows


def write_corpus(folder: Path, posts: dict[str, tuple[str | None, str]], *, extra: bool = False) -> Corpus:
    corpus = open_corpus(folder)
    tokens = [row for post_id in sorted(posts) for row in token_rows(post_id, posts[post_id][1])]
    write(corpus, TableName.TOKENS, tokens)
    write(
        corpus,
        TableName.POSTS,
        [
            {
                "post_id": post_id,
                "title": f"Judul <{post_id}>",
                "author": f"Penulis {post_id}",
                "url": f"https://contoh.example/{post_id}",
                "category": "Ekonomi" if post_id == "p1" else "Gaya",
                "published_at": datetime.fromisoformat(when).astimezone(TIMEZONE) if when else None,
            }
            for post_id, (when, _) in posts.items()
        ],
    )
    return corpus


def write(corpus: Corpus, name: TableName, rows: list[dict[str, object]]) -> None:
    corpus.write(name, pa.Table.from_pylist(rows, schema=table_specs()[name].schema), RECORD)
