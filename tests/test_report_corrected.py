"""The corrected shares in the report: finding, main figure, three methods side by side, changes and what is behind them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from nlp_study.report.corrected import gather_corrected
from nlp_study.schema import Stance, TableName
from nlp_study.store import Corpus

from .report_tables import POSTS, make_study, report, write_everything, write_table

MONTHS = [date(2021, month, 1) for month in range(1, 13)]
ON = ("favor", "against", "neutral")


def estimate_row(stance: str, grain: str, period: date, method: str, share: float, **values: Any) -> dict[str, Any]:
    """An estimate ± 0.1; of the posts on the target half as much again."""
    row = {
        "target": "pasar",
        "stance": stance,
        "grain": grain,
        "period": period,
        "group_kind": "all",
        "group": "",
        "method": method,
        "n_posts": 200,
        "n_labels": 0 if method == "predictions" else 40,
        "n_authors": 90,
        "power": 0.6 if method == "corrected" else None,
        "note": "",
    }
    ends = {"share": 0.0, "low": -0.1, "high": 0.1, "low_all": -0.15, "high_all": 0.15}
    row |= {name: share + end for name, end in ends.items()}
    row |= {f"{name}_on": 1.5 * share + end for name, end in ends.items()}
    return row | values


def write_estimates(corpus: Corpus, *, corrected: bool = True, changes: bool = True) -> None:
    """Favor 0.4, against 0.2, neutral 1/15 of all posts; predictions say 0.1 more and less."""
    shares = {"favor": 0.4, "against": 0.2, "neutral": 1 / 15, "irrelevant": 1 / 3}
    methods = ("corrected", "labels", "predictions") if corrected else ("predictions",)
    lean = {"favor": 0.1, "against": -0.1, "neutral": 0.0, "irrelevant": 0.0}
    rows = [
        estimate_row(stance, grain, period, method, share + (lean[stance] if method == "predictions" else 0.0))
        for stance, share in shares.items()
        for method in methods
        for grain, periods in (("all", MONTHS[:1]), ("half", [MONTHS[0], MONTHS[6]]), ("month", MONTHS))
        for period in periods
    ]
    write_table(corpus, TableName.ESTIMATES, rows, stage="trends")
    lines = []
    for month in MONTHS:
        for stance in ON:
            share = (0.6 if month < MONTHS[6] else 0.3) if stance == "favor" else 0.2
            row = {"target": "pasar", "stance": stance, "month": month, "method": methods[0]}
            row |= {"share": share / 1.5, "low": 0.1, "high": 0.5, "low_all": 0.05, "high_all": 0.6}
            row |= {"share_on": share, "low_on": share - 0.1, "high_on": share + 0.1}
            row |= {"low_all_on": share - 0.2, "high_all_on": share + 0.2}
            lines.append(row)
    write_table(corpus, TableName.TREND_LINES, lines, stage="trends")
    change = {
        "target": "pasar",
        "stance": "favor",
        "rank": 0,
        "month": MONTHS[0],
        "month_low": MONTHS[0],
        "month_high": MONTHS[2],
        "since": date(2020, 6, 1),
        "until": MONTHS[11],
        "before": 0.62,
        "after": 0.31,
        "difference": -0.31,
        "low": -0.45,
        "high": -0.12,
        "p_value": 0.004,
        "method": "uji",
    }
    write_table(corpus, TableName.CHANGES, [change] if changes else [], stage="trends")
    part = {"target": "pasar", "stance": "favor", "period_a": "2021-H1", "period_b": "2021-H2", "by": "author"}
    parts = {"within": -0.2, "volume": 0.05, "turnover": -0.15, "total": -0.3}
    rows = [{**part, "component": name, "value": v, "low": v - 0.1, "high": v + 0.1} for name, v in parts.items()]
    write_table(corpus, TableName.COMPOSITIONS, rows, stage="trends")


@pytest.fixture
def estimated(corpus: Corpus) -> Corpus:
    write_everything(corpus)
    write_estimates(corpus)
    evidence = [
        {"post_id": post_id, "target": "pasar", "rank": 0, "sentence": f"Kalimat {post_id}.", "weight": 1.0}
        for post_id in POSTS
    ]
    write_table(corpus, TableName.EVIDENCE, evidence)
    return corpus


def test_the_finding_is_the_corrected_share(estimated: Corpus) -> None:
    page = report(make_study(), estimated)
    text = page.text("en")
    # 0.4 of all posts are 0.6 of those on the target
    assert "60% of the posts on digital markets support it (95% confidence interval 50–70%)" in text
    assert "by predictions for 200 posts, corrected with 40 labels." in text
    assert "not yet corrected" not in text
    assert "The clearest change: in favour from 62% to 31% from Jan 2021 on." in text
    assert "60% tulisan tentang pasar digital mendukungnya (selang kepercayaan 95%: 50–70%)" in page.text("id")


def test_three_methods_stand_side_by_side(estimated: Corpus) -> None:
    page = report(make_study(), estimated)
    rows = page.table("en", "Whole period, three ways")
    assert rows[0] == ["Period", "Method", "Labels", "In favour", "Against", "Neutral"]
    assert rows[1] == ["Whole period", "corrected", "40", "60% (50–70%)", "30% (20–40%)", "10% (0–20%)"]
    assert [row[1] for row in rows[1:]] == ["corrected", "labels only", "predictions only"]
    assert rows[3][3] == "75% (65–85%)", "predictions only are off, and that is shown"
    halves = page.table("id", "Tiga cara menaksir, per semester: pasar digital")
    assert [row[0] for row in halves[1:]] == ["S1 2021"] * 3 + ["S2 2021"] * 3


def test_the_main_figure_draws_bands_and_changes(estimated: Corpus) -> None:
    page = report(make_study(), estimated)
    rows = page.charts["rows"]["line-0"]
    assert len(rows) == 3 * len(MONTHS)
    first = next(row for row in rows if row["stance"] == "favor")
    assert (first["share"], first["low_all"], first["own"]) == (0.6, 0.4, 0.6)
    assert page.charts["rows"]["changes-0"] == [
        {"stance": "favor", "month": "2021-01-01", "first": "2021-01-01", "last": "2021-03-01"}
    ]
    table = page.table("en", "Stance toward digital markets, corrected and smoothed")
    assert table[7][:4] == ["Jul 2021", "30%", "20–40%", "60% (50–70%)"]
    # what was counted as it is stays within reach
    assert page.table("en", "Stance toward digital markets by month")


def test_a_change_comes_with_posts_behind_it(estimated: Corpus) -> None:
    found = gather_corrected(make_study(), estimated)[0]
    (change,) = found.changes
    assert change.grown is Stance.AGAINST, "favor fell, so posts against are quoted"
    assert [post.sentence for post in change.behind] == ["Kalimat p2."]
    page = report(make_study(), estimated)
    assert page.table("en", "When stances changed")[1] == [
        "In favour", "Jan 2021", "Jan 2021 – Mar 2021", "62%", "31%", "−31", "−45 … −12", "0.004"
    ]  # fmt: skip
    assert "Behind the change of Jan 2021: posts against in the months that followed" in page.text("en")
    components = page.table("en", "Who changed: the writers, or who writes")
    assert components[0][2:] == ["Minds change", "Some write more", "Others write", "Total"]
    assert components[1][:3] == ["In favour", "2021-H1 → 2021-H2", "−20 (−30 … −10)"]
    assert components[1][5] == "−30 (−40 … −20)"


def test_no_change_is_said_and_not_hidden(corpus: Corpus) -> None:
    write_everything(corpus)
    write_estimates(corpus, changes=False)
    text = report(make_study(), corpus).text("en")
    assert "No change is clearer than chance." in text
    assert "That is no proof that stances stayed" in text


def test_without_drawn_labels_shares_are_called_uncorrected(corpus: Corpus) -> None:
    write_everything(corpus)
    write_estimates(corpus, corrected=False, changes=False)
    page = report(make_study(), corpus)
    text = page.text("en")
    assert "By the classifier’s count, not yet corrected for its errors" in text
    assert "nlp-study label sample draws the posts to label" in text
    assert "halves-0" not in page.charts["editions"]["en"]
    assert page.charts["editions"]["en"]["line-0"]["title"].endswith("predictions smoothed")


# ---- methods text ------------------------------------------------------------------------------------------------------


def test_methods_text_names_the_numbers_and_cites_what_it_uses(estimated: Corpus) -> None:
    text = report(make_study(), estimated).text("en")
    assert "Stances were labelled by hand in 3 posts as in favour, against, neutral and irrelevant." in text
    assert (
        "In 3-fold cross-validation with disjoint authors, repeated with 2 random seeds, its macro-F1 is 0.78" in text
    )
    assert "label minus prediction over 40 labels drawn with known probability" in text
    assert "(λ = 0.60)" in text
    assert "found: 1." in text
    works = text[text.index("References") :]
    assert works.index("Angelopoulos, A. N.") < works.index("Durbin, J.") < works.index("Särndal, C.-E.")
    assert "Rayson, P." not in works, "no words were counted"


def test_methods_text_leaves_out_what_was_not_done(corpus: Corpus) -> None:
    write_everything(corpus)
    text = report(make_study(), corpus).text("en")
    assert "prediction-powered" not in text
    assert "Durbin" not in text
    assert "All computations were made with nlp-study" in text
