"""The report on probabilities, evidence, undecided posts and drift: hand-computed figures in both languages."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from nlp_study.report.content import gather_content
from nlp_study.report.evidence import MAX_SENTENCE_WORDS, gather_examples
from nlp_study.report.reliability import gather_reliability
from nlp_study.schema import Stance, TableName, table_specs
from nlp_study.stance.shifts import Drift, Question, Shift
from nlp_study.store import Corpus, RunRecord

from .report_tables import (
    HOSTILE,
    POSTS,
    make_study,
    post_row,
    prediction_row,
    report,
    trend_rows,
    write_everything,
    write_posts,
    write_table,
)

RELIABILITY = "How honest the probabilities are: right against confident"


def write_probabilities(corpus: Corpus, *, n_seeds: int = 1) -> None:
    """20 pairs called favor with 0.85, 16 of them rightly; 10 called against with 0.55, 5 of them rightly."""
    rows = []
    for seed in range(n_seeds):
        for i in range(30):
            called, other, sure = ("favor", "against", 0.85) if i < 20 else ("against", "favor", 0.55)
            right = i < 16 or i >= 25
            probas = {called: sure, other: 1 - sure, "neutral": 0.0, "irrelevant": 0.0}
            rows.append(
                {
                    "model": "enkoder-kecil",
                    "seed": seed,
                    "fold": i % 3,
                    "post_id": f"e{i}",
                    "target": "pasar",
                    "group": f"g{i}",
                    "gold": called if right else other,
                    "predicted": called,
                    **{f"proba_{stance}": proba for stance, proba in probas.items()},
                }
            )
    write_table(corpus, TableName.EVALUATIONS, rows, stage="evaluate")


def write_evidence(corpus: Corpus, sentences: dict[str, list[tuple[str, float]]]) -> None:
    rows = [
        {"post_id": post_id, "target": "pasar", "rank": rank, "sentence": sentence, "weight": weight}
        for post_id, found in sentences.items()
        for rank, (sentence, weight) in enumerate(found)
    ]
    write_table(corpus, TableName.EVIDENCE, rows, stage="classify")


def write_predictions(corpus: Corpus, rows: list[dict[str, Any]], **counts: Any) -> None:
    write_table(corpus, TableName.PREDICTIONS, rows, stage="classify", counts=counts)


# ---- reliability -----------------------------------------------------------------------------------------------------


def test_reliability_by_hand(corpus: Corpus) -> None:
    write_probabilities(corpus)
    facts = gather_reliability(make_study(), corpus, "enkoder-kecil")
    assert facts is not None and (facts.n_predictions, facts.n_pairs) == (30, 30)
    low, high = facts.parts
    assert (low.start, low.n, low.confidence, low.share) == pytest.approx((0.5, 10, 0.55, 0.5))
    assert (high.start, high.n, high.confidence, high.share) == pytest.approx((0.8, 20, 0.85, 0.8))
    assert facts.error == pytest.approx((10 * 0.05 + 20 * 0.05) / 30)
    # in the high part: simple variance .16 / 20 a category; clustered 20 / 19 times that, so 19 posts are left
    # Wilson by hand, n = 19, p = .8, z = 1.96: centre .74955, half width .17162
    assert (high.low, high.high) == pytest.approx((0.57793, 0.92117), abs=1e-4)
    assert facts.expected_error == pytest.approx(
        (10 * (2 / 3.14159265 * 0.55 * 0.45 / 9) ** 0.5 + 20 * (2 / 3.14159265 * 0.85 * 0.15 / 19) ** 0.5) / 30
    )
    # favor was called with 0.85 (16 of 20 are), 0.45 (5 of 10); the other labels never, with probability 0
    favor = facts.by_stance[Stance.FAVOR]
    assert [(part.start, part.n, part.share) for part in favor] == [(0.4, 10, 0.5), (0.8, 20, 0.8)]
    assert [(part.n, part.share) for part in facts.by_stance[Stance.NEUTRAL]] == [(30, 0.0)]


def test_seeds_do_not_narrow_the_intervals(corpus: Corpus) -> None:
    write_probabilities(corpus)
    once = gather_reliability(make_study(), corpus, "enkoder-kecil")
    write_probabilities(corpus, n_seeds=5)
    often = gather_reliability(make_study(), corpus, "enkoder-kecil")
    assert once is not None and often is not None
    assert [part.n for part in often.parts] == [5 * part.n for part in once.parts]
    for first, again in zip(once.parts, often.parts, strict=True):
        assert (again.low, again.high) == pytest.approx((first.low, first.high))
    assert (often.error, often.expected_error) == pytest.approx((once.error, once.expected_error))


def test_the_report_draws_reliability_and_tells_its_numbers(corpus: Corpus) -> None:
    write_everything(corpus)
    write_probabilities(corpus)
    page = report(make_study(), corpus)
    assert list(page.charts["editions"]["id"])[-2:] == ["reliability", "reliability-classes"]
    assert page.table("en", RELIABILITY)[1:] == [
        ["0.5–0.6", "10", "55.0%", "50.0%", "22.7–77.3%"],
        ["0.8–0.9", "20", "85.0%", "80.0%", "57.8–92.1%"],
    ]
    assert page.table("id", "Seberapa jujur probabilitas tiap label")[1][:5] == [
        "Mendukung",
        "0,4–0,5",
        "10",
        "45,0%",
        "50,0%",
    ]
    assert "Calibration error (ECE) 0.050; an honest model, too, shows about" in page.text("en")
    rows = page.charts["rows"]["reliability"]
    assert [row["n"] for row in rows if row["stance"] == ""] == [10, 20]
    assert {row["stance"] for row in rows} == {"", "favor", "against", "neutral", "irrelevant"}


def test_without_probabilities_there_is_no_reliability(corpus: Corpus) -> None:
    write_everything(corpus)
    assert gather_content(make_study(), corpus).reliability is None
    assert "reliability" not in report(make_study(), corpus).charts["editions"]["id"]


# ---- evidence --------------------------------------------------------------------------------------------------------


def with_lead(post_id: str, stance: str, proba: float, second: str) -> dict[str, Any]:
    row = prediction_row(post_id, stance)
    row |= {f"proba_{name}": 0.0 for name in ("favor", "against", "neutral", "irrelevant")}
    return row | {f"proba_{stance}": proba, f"proba_{second}": 1 - proba}


def test_a_clear_and_a_close_example_of_each_stance(corpus: Corpus) -> None:
    write_everything(corpus)
    rows = [
        with_lead("p0", "favor", 0.9, "neutral"),
        with_lead("p1", "favor", 0.7, "against"),
        with_lead("p5", "favor", 0.52, "against"),
        with_lead("p2", "against", 0.8, "favor"),
    ]
    write_predictions(corpus, rows)
    write_evidence(
        corpus,
        {
            "p0": [("Warung kami ramai.", 2.0), ("Tetapi mahal.", -0.5)],
            "p1": [("Lancar.", 1.5)],
            "p5": [("Untung sedikit.", 0.4)],
            "p2": [("Kami rugi.", 1.0)],
        },
    )
    examples = gather_examples(make_study(), corpus)[0]
    assert [(e.stance, e.is_close, e.title) for e in examples] == [
        (Stance.FAVOR, False, "Judul p0"),
        (Stance.FAVOR, True, "Judul p5"),
        (Stance.AGAINST, False, "Judul p2"),
    ]
    assert (examples[0].second, examples[0].second_proba) == (Stance.NEUTRAL, pytest.approx(0.1))
    assert [(s.text, s.weight, s.bar) for s in examples[0].sentences] == [
        ("Warung kami ramai.", 2.0, 1.0),
        ("Tetapi mahal.", -0.5, 0.25),
    ]
    page = report(make_study(), corpus)
    assert page.table("id", "Kalimat yang paling menggeser keputusan: Judul p0") == [
        ["Kalimat", "Bobot", ""],
        ["Warung kami ramai.", "+2,00", ""],
        ["Tetapi mahal.", "−0,50", ""],
    ]
    assert "In favour close 52%; next against, 48%" in page.text("en")
    cells = [attrs for tag, attrs in page.tags if tag == "td" and attrs.get("class") == "lean"]
    assert len(cells) == 2 * 4 and all(attrs["aria-hidden"] == "true" for attrs in cells)
    bars = [
        attrs["class"] for tag, attrs in page.tags if tag == "span" and str(attrs.get("class")).startswith("contra")
    ]
    assert bars == ["contra part-neutral"] * 2


def test_copies_are_no_examples_and_hostile_sentences_stay_text(corpus: Corpus) -> None:
    write_everything(corpus, title=HOSTILE)
    write_predictions(corpus, [prediction_row(p, stance) for p, (_, stance) in POSTS.items()])
    long = " ".join(["kata"] * (MAX_SENTENCE_WORDS + 5))
    write_evidence(corpus, {p: [(HOSTILE, 1.0), (long, 0.5)] for p in POSTS})
    first = {"post_id": "p2", "group": "p2", "position": 0, "is_first": True, "share": 1.0}
    copy = {"post_id": "p4", "group": "p2", "position": 1, "is_first": False, "share": 1.0}
    write_table(corpus, TableName.DUPLICATES, [first, copy])
    examples = gather_examples(make_study(), corpus)[0]
    assert Stance.NEUTRAL not in {example.stance for example in examples}  # p4 is the only neutral post
    assert all(len(example.sentences[1].text.split()) == MAX_SENTENCE_WORDS + 1 for example in examples)
    page = report(make_study(), corpus)
    assert "<script>alert" not in page.html and "<b>tebal" not in page.html
    assert len(page.scripts) == 4


def test_without_evidence_the_section_says_so(corpus: Corpus) -> None:
    write_everything(corpus)
    page = report(make_study(), corpus)
    assert "There are no sentences to show: posts have not been classified yet." in page.text("en")
    headings = [attrs["data-anchor"] for tag, attrs in page.tags if tag == "h2" and "data-anchor" in attrs]
    assert headings[6:8] == ["evidence", "quality"]


# ---- undecided posts -------------------------------------------------------------------------------------------------


def test_undecided_posts_stand_apart(corpus: Corpus) -> None:
    write_everything(corpus)
    rows = [{**prediction_row(p, stance), "abstained": p in ("p1", "p3")} for p, (_, stance) in POSTS.items()]
    write_predictions(corpus, rows, abstain_below=0.45)
    months = {
        date(2021, 1, 1): {"favor": 1, "against": 1, "neutral": 0, "irrelevant": 0},
        date(2021, 3, 1): {"favor": 1, "against": 0, "neutral": 1, "irrelevant": 0},
    }
    trends = [{**row, "n_abstained": 2 if row["month"].month == 1 else 0} for row in trend_rows(months)]
    write_table(corpus, TableName.TRENDS, trends)
    content = gather_content(make_study(), corpus)
    (target,) = content.targets
    assert (target.n_predicted, target.n_abstained, target.counts[Stance.FAVOR]) == (6, 2, 3)
    assert (content.methods.n_abstained, content.methods.abstain_below) == (2, 0.45)
    page = report(make_study(), corpus)
    assert "60% of the 5 posts on digital markets support it" in page.text("en")
    assert "Another 1 post were judged not to be about the target" in page.text("en")
    assert "Another 2 posts are left undecided, for their best label is less probable than 45%" in page.text("en")
    assert "2 prediksi dibiarkan tanpa keputusan karena label terbaiknya kurang pasti daripada 45%" in page.text("id")
    funnel = {row[0]: row[1] for row in page.table("id", "Dari halaman ke label") if len(row) > 1 and row[1]}
    assert (funnel["Diklasifikasi"], funnel["Tanpa keputusan"], funnel["Dinilai membahas sasaran"]) == ("8", "2", "5")
    header, january, *_ = page.table("en", "Stance toward digital markets by month")
    assert header[:5] == ["Month", "Classified", "Undecided", "On the target", "In favour"]
    assert january[:5] == ["Jan 2021", "4", "2", "2", "50% (1)"]
    topics = {row[0]: row[1:] for row in page.table("en", "Stance toward digital markets by topic")[1:]}
    assert topics["1. warung, pasar, lapak"][0] == "3"  # p1 is left out
    assert "Mendukung probabilitas 0,81 tanpa keputusan" in page.text("id")


def test_nothing_is_said_of_undecided_posts_where_there_are_none(corpus: Corpus) -> None:
    write_everything(corpus)
    page = report(make_study(), corpus)
    assert "ndecided" not in page.text("en").replace("balanced, undecided", "")
    assert "anpa keputusan" not in page.text("id")


# ---- drift -----------------------------------------------------------------------------------------------------------


def drift(*, here: float, p_value: float) -> dict[str, Any]:
    words = Shift(Question.WORDS, here - 0.12, 0.05, p_value, 0.01, here, 0.12)
    vectors = Shift(Question.VECTORS, 0.4, 1.5, 0.2, 0.0)
    classes = Shift(Question.CLASSES, 0.06, 0.1, 0.3, 0.05, target="pasar")
    return Drift(300, 120, 400, 110, (words, vectors, classes)).as_counts()


def test_drift_is_warned_of_in_head_and_methods(corpus: Corpus) -> None:
    write_everything(corpus)
    rows = [prediction_row(p, stance) for p, (_, stance) in POSTS.items()]
    write_predictions(corpus, rows, drift=drift(here=0.31, p_value=1e-6))
    page = report(make_study(), corpus)
    assert "so its figures of quality need not hold here" in page.text("en")
    assert (
        "Warning. 300 posts that the model had not seen (120 authors) differ from the 400 posts (110 authors) it was "
        "trained on." in page.text("en")
    )
    assert page.table("id", "Apakah tulisan ini seperti yang dipelajari model?")[1:] == [
        ["Kata yang tidak dikenal", "31,0%", "12,0%", "19,0%", "1,0%", "5,0%", "ya"],
        ["Rata-rata vektor (simpangan baku)", "–", "–", "0,40", "0,00", "1,50", "tidak"],
        ["Porsi label prediksi: pasar digital", "–", "–", "6,0%", "5,0%", "10,0%", "tidak"],
    ]


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({"drift": drift(here=0.13, p_value=0.4)}, "No difference is large enough for a warning."),
        ({"drift": Drift(0, 0, 400, 110, reason="x").as_counts()}, "Every post was labelled for this model"),
        (
            {"drift": Drift(9, 4, 400, 110, reason="x").as_counts()},
            "too few writers to compare: 4 authors here, 110 authors in training",
        ),
        ({"drift": None}, "this model was made before models remembered"),
        ({}, "this model was made before models remembered"),
    ],
)
def test_what_is_said_where_nothing_warns(corpus: Corpus, counts: dict[str, Any], sentence: str) -> None:
    write_everything(corpus)
    write_predictions(corpus, [prediction_row(p, stance) for p, (_, stance) in POSTS.items()], **counts)
    page = report(make_study(), corpus)
    assert sentence in page.text("en")
    assert "need not hold here" not in page.text("en")


def test_old_records_and_posts_without_dates_do_no_harm(corpus: Corpus) -> None:
    write_posts(corpus, dated=False)
    table = pa.Table.from_pylist([prediction_row("p0", "favor")], schema=table_specs()[TableName.PREDICTIONS].schema)
    corpus.write(TableName.PREDICTIONS, table, RunRecord(stage="classify", fingerprint={}))
    write_evidence(corpus, {"p0": [("Ramai.", 0.0)]})
    write_table(corpus, TableName.POSTS, [post_row("p0", None, author=None, url="https://contoh.id/a")])
    page = report(make_study(), corpus)
    assert "by unknown author, no date" in page.text("en")
    assert ["Ramai.", "+0.00", ""] in page.table("en", "Sentences that moved the decision most: Judul p0")


# ---- agreement ---------------------------------------------------------------------------------------------------------


def write_readings(corpus: Corpus) -> None:
    """Eight posts read by two people, who differ on p2; a third read one post; p2 was adjudicated."""
    readings = {
        "ani": dict.fromkeys(("p0", "p1", "p5", "p6"), "favor") | dict.fromkeys(("p2", "p4", "p3", "p7"), "against"),
        "budi": dict.fromkeys(("p0", "p1", "p5", "p6", "p2"), "favor") | dict.fromkeys(("p4", "p3", "p7"), "against"),
        "cici": {"p0": "favor"},
        "adjudicated": {"p2": "neutral"},
    }
    rows = [
        {"post_id": post_id, "target": "pasar", "annotator": annotator, "stance": stance}
        for annotator, read in readings.items()
        for post_id, stance in read.items()
    ]
    write_table(corpus, TableName.LABELS, rows)


def test_agreement_of_two_annotators(corpus: Corpus) -> None:
    write_everything(corpus)
    write_readings(corpus)
    page = report(make_study(language="en"), corpus)
    rows = {row[0]: row[1:] for row in page.table("en", "Agreement of annotators")[1:]}
    assert rows["ani and budi"][:2] == ["8", "88%"]
    # observed disagreement 1/8; of 16 readings 9 favor and 7 against: expected 2·9·7/(16·15)
    assert rows["ani and budi"][2] == f"{1 - (1 / 8) / (2 * 9 * 7 / (16 * 15)):.2f}"
    assert rows["All"][0] == "8"
    assert rows["ani and cici"] == ["1", "100%", "–", "–"], "one reading in common says nothing"
    differing = page.table("en", "Readings that differ")
    assert len(differing) == 2
    assert differing[1][0] == "Judul p2"
    assert "ani: Against" in differing[1][1]
    assert "budi: In favour" in differing[1][1]
    assert differing[1][2] == "Neutral"


def test_no_agreement_where_each_post_has_one_reader(corpus: Corpus) -> None:
    write_everything(corpus)
    text = report(make_study(), corpus).text("en")
    assert "Not known: no post was labelled by two people." in text
