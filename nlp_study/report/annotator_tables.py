"""The tables of the agreement between annotators."""

from __future__ import annotations

from nlp_study.report.annotators import AgreementFacts, PairAgreement
from nlp_study.report.tables import Column, Table
from nlp_study.report.texts import Texts


def agreement_table(facts: AgreementFacts, t: Texts) -> Table:
    """Alpha with its interval, for all and for each two annotators."""
    f = t.format
    columns = [
        Column(t.plain("annotators"), False),
        Column(t.plain("read_by_both")),
        Column(t.plain("same_label")),
        Column("α"),
        Column(t.plain("interval")),
    ]
    everyone = PairAgreement(("", ""), facts.overall)
    rows = []
    for pair in [everyone, *(facts.pairs if len(facts.pairs) > 1 else [])]:
        found = pair.agreement
        rows.append(
            [
                t.join(list(pair.annotators)) if pair is not everyone else t.plain("all_annotators"),
                f.integer(found.n_pairs),
                f.percent(found.n_agreed / found.n_pairs, 0),
                f.missing if found.alpha != found.alpha else f.decimal(found.alpha),
                f.missing if found.low != found.low else f"{f.decimal(found.low)}–{f.decimal(found.high)}",
            ]
        )
    return Table(t.plain("agreement_title"), columns, rows)


def label_agreement_table(facts: AgreementFacts, t: Texts) -> Table:
    """Alpha of each label against all others."""
    f = t.format
    rows = [
        [t.stance(label), f.missing if alpha != alpha else f.decimal(alpha)]
        for label, alpha in facts.overall.by_label.items()
    ]
    return Table(t.plain("agreement_labels_title"), [Column(t.plain("stance_word"), False), Column("α")], rows)
