"""Why a post got its label: for each stance one clear and one close decision, with the sentences that moved it most."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nlp_study.report.queries import fetch_rows
from nlp_study.schema import COUNTED_ONCE, Stance

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus

MAX_SENTENCE_WORDS = 60
"""Longer ones are list items without a full stop, or whole paragraphs; the page shows their beginning."""


@dataclass(frozen=True, slots=True)
class EvidenceSentence:
    """A sentence and its part of the lead of the decided label, in log-odds; `bar` is its size in [0, 1]."""

    text: str
    weight: float
    bar: float


@dataclass(frozen=True, slots=True)
class EvidenceExample:
    """A post, what was decided, what came second, and the sentences that moved it most."""

    stance: Stance
    is_close: bool
    is_abstained: bool
    proba: float
    second: Stance
    second_proba: float
    title: str
    author: str | None
    published_at: datetime | None
    url: str | None
    sentences: list[EvidenceSentence]


def gather_examples(study: Study, corpus: Corpus) -> dict[int, list[EvidenceExample]]:
    """Return the examples of each target, by its index, in the order of the study's stances.

    The clear one has the largest lead over the next label, the close one the smallest: choosing by hand, or the clear ones
    only, would show the model better than it is.
    """
    stances = [str(stance) for stance in study.study.stances]
    probas = ", ".join(f"proba_{stance}" for stance in stances)
    query = f"""
        WITH ranked AS (
            SELECT *, list_reverse_sort(list_filter([{probas}], lambda p: p IS NOT NULL)) AS sorted FROM predictions
            WHERE {COUNTED_ONCE} AND EXISTS (FROM evidence e WHERE e.post_id = predictions.post_id
                AND e.target = predictions.target)
        ), led AS (SELECT *, sorted[1] - sorted[2] AS lead FROM ranked WHERE len(sorted) > 1)
        SELECT led.*, posts.title, posts.author, posts.published_at, posts.url FROM led JOIN posts USING (post_id)
        QUALIFY row_number() OVER (PARTITION BY target, stance ORDER BY lead DESC, post_id) = 1
            OR row_number() OVER (PARTITION BY target, stance ORDER BY lead, post_id) = 1
        ORDER BY lead DESC, post_id
    """
    order = {target.id: index for index, target in enumerate(study.targets)}
    chosen = [row for row in fetch_rows(corpus, query) if row["target"] in order and row["stance"] in stances]
    sentences = _read_sentences(corpus, [row["post_id"] for row in chosen])
    found: dict[int, list[EvidenceExample]] = {}
    for target, index in order.items():
        mine = [row for row in chosen if row["target"] == target]
        weights = [abs(row["weight"]) for one in mine for row in sentences[one["post_id"], target]]
        largest = max(weights, default=0.0)
        clear: set[str] = set()
        examples = []
        for row in mine:
            kept = sentences[row["post_id"], target]
            examples.append(_make_example(row, kept, stances, largest, is_close=row["stance"] in clear))
            clear.add(row["stance"])
        if examples:
            found[index] = sorted(examples, key=lambda example: stances.index(example.stance))
    return found


def _make_example(
    row: dict[str, Any], sentences: list[dict[str, Any]], stances: list[str], largest: float, *, is_close: bool
) -> EvidenceExample:
    ranked = sorted(stances, key=lambda stance: -(row[f"proba_{stance}"] or 0.0))
    second = next(stance for stance in ranked if stance != row["stance"])
    return EvidenceExample(
        stance=Stance(row["stance"]),
        is_close=is_close,
        is_abstained=bool(row["abstained"]),
        proba=row[f"proba_{row['stance']}"],
        second=Stance(second),
        second_proba=row[f"proba_{second}"] or 0.0,
        title=row["title"],
        author=row["author"],
        published_at=row["published_at"],
        url=row["url"] if (row["url"] or "").startswith(("https://", "http://")) else None,
        sentences=[
            EvidenceSentence(
                _shorten(found["sentence"]), found["weight"], abs(found["weight"]) / largest if largest else 0.0
            )
            for found in sentences
        ],
    )


def _read_sentences(corpus: Corpus, post_ids: list[str]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    query = "SELECT * FROM evidence WHERE list_contains(?, post_id) ORDER BY post_id, target, rank"
    for row in fetch_rows(corpus, query, [post_ids]):
        found[row["post_id"], row["target"]].append(row)
    return found


def _shorten(sentence: str) -> str:
    words = sentence.split()
    return " ".join(words[:MAX_SENTENCE_WORDS]) + (" …" if len(words) > MAX_SENTENCE_WORDS else "")
