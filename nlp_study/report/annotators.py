"""How far the people who labelled agree: alpha over all, between each two, for each label, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from nlp_study.agreement import Agreement, measure_agreement
from nlp_study.report.queries import fetch_rows
from nlp_study.schema import Stance

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus

MAX_PAIRS = 15
"""Pairs of annotators that are listed, those with the most shared readings first."""
N_DISAGREEMENTS = 8


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two annotators on the pairs that both read."""

    annotators: tuple[str, str]
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class Difference:
    """A post that annotators read differently, and what was decided in the end."""

    title: str
    url: str | None
    target: str
    readings: tuple[tuple[str, Stance], ...]
    adjudicated: Stance | None


@dataclass(frozen=True, slots=True)
class AgreementFacts:
    """Agreement of all and of each two; `differences` are the first of `overall.disagreements`."""

    overall: Agreement
    pairs: list[PairAgreement]
    differences: list[Difference]


def gather_agreement(study: Study, corpus: Corpus) -> AgreementFacts | None:
    """Return the agreement on the study's targets; None where no pair was read by two people."""
    stances = [str(stance) for stance in study.study.stances]
    targets = {target.id for target in study.targets}
    rows = [
        row
        for row in fetch_rows(corpus, "SELECT * FROM labels ORDER BY post_id, target, annotator")
        if row["target"] in targets and row["stance"] in stances
    ]
    overall = measure_agreement(rows, labels=stances)
    if not overall.n_pairs:
        return None
    pairs = [
        PairAgreement(both, measure_agreement(rows, annotators=both, labels=stances))
        for both in combinations(overall.annotators, 2)
    ]
    pairs = sorted((pair for pair in pairs if pair.agreement.n_pairs), key=lambda pair: -pair.agreement.n_pairs)
    shown = overall.disagreements[:N_DISAGREEMENTS]
    posts = {
        row["post_id"]: row
        for row in fetch_rows(
            corpus,
            "SELECT post_id, title, url FROM posts WHERE list_contains(?, post_id)",
            [[one.post_id for one in shown]],
        )
    }
    differences = [
        Difference(
            title=posts.get(one.post_id, {}).get("title") or "",
            url=url
            if (url := posts.get(one.post_id, {}).get("url") or "").startswith(("https://", "http://"))
            else None,
            target=one.target,
            readings=tuple((name, Stance(label)) for name, label in one.readings),
            adjudicated=Stance(one.adjudicated) if one.adjudicated else None,
        )
        for one in shown
    ]
    return AgreementFacts(overall, pairs[:MAX_PAIRS], differences)
