"""Labels that count, posts as the study reads them, and shares of parts with few labels."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from nlp_study.config import EstimateSettings, load_study
from nlp_study.errors import DataError
from nlp_study.estimate.corpus import StudyPosts, drawn_labels, read_posts, sort_by_output
from nlp_study.estimate.observations import make_observations
from nlp_study.estimate.periods import Period, parse_period
from nlp_study.estimate.pooling import learn_adjustment, weigh_labels
from nlp_study.estimate.shares import Method, Population, tie_errors, tune
from nlp_study.estimate.tables import Estimator, describe_period, list_estimates
from nlp_study.schema import TIMEZONE, Stance, TableName, table_specs
from nlp_study.store import RunRecord, open_corpus
from nlp_study.trends.series import monthly_series
from nlp_study.trends.tables import list_changes, list_compositions, list_trend_lines, write_trends

from .conftest import STUDY

TARGET = "pasar daring"
FIRST = 2024 * 12
STANCES = (Stance.FAVOR, Stance.AGAINST, Stance.NEUTRAL)


def label(post: str, stance: str = "favor", annotator: str = "a1", proba: float | None = 0.5) -> dict:
    return {"post_id": post, "target": TARGET, "stance": stance, "annotator": annotator, "sampling_proba": proba}


def drawn(rows, **settings):
    found, note = drawn_labels(rows, EstimateSettings(**settings), target=TARGET, stances=STANCES)
    return {post: (one.stance, one.sampling_proba) for post, one in found.items()}, note


def test_labels_of_hand_picked_posts_are_no_sample():
    rows = [label("p1"), label("p2", annotator="author", proba=1.0), label("p3", annotator="author", proba=None)]
    assert drawn(rows) == ({"p1": ("favor", 0.5)}, "")
    assert drawn(rows[1:])[0] == {} and 'sample = "random"' in drawn(rows[1:])[1]
    assert "there are no labels" in drawn([])[1]


def test_a_post_drawn_for_certain_counts_beside_others_that_were_drawn():
    rows = [label("p1"), label("p2", proba=1.0)]
    assert drawn(rows)[0] == {"p1": ("favor", 0.5), "p2": ("favor", 1.0)}


def test_adjudication_outranks_and_ties_are_left_out():
    rows = [
        label("p1", "favor", "a1"),
        label("p1", "against", "a2"),
        label("p2", "favor"),
        label("p2", "against", "a2"),
    ]
    rows.append(label("p1", "neutral", "adjudicated"))
    found, note = drawn(rows)
    assert found == {"p1": ("neutral", 0.5)} and "1 drawn posts without a decision" in note


def test_settings_name_the_sample():
    rows = [label("p1"), label("p2", annotator="author", proba=1.0), label("p3", annotator="author", proba=None)]
    assert drawn(rows, annotators=["author"])[0] == {"p2": ("favor", 1.0)}
    assert set(drawn(rows, sample="random")[0]) == {"p1", "p2", "p3"}
    with pytest.raises(DataError, match="nobody"):
        drawn(rows, annotators=["nobody"])


def test_thirds_by_output():
    authors = np.repeat(np.arange(7), [1, 1, 1, 1, 2, 2, 4])
    assert sort_by_output(authors).tolist() == ["rare"] * 4 + ["regular"] * 4 + ["prolific"] * 4


def simulate(rng, shares, *, n=1200, n_labels=240, signal=1.6):
    """Posts of twelve months; `shares` of favor by month, the classifier's probabilities given the stance always alike."""
    months = rng.integers(0, 12, n)
    hits = rng.random(n) < np.asarray(shares)[months]
    score = np.log(np.mean(shares) / (1 - np.mean(shares))) + signal * (np.where(hits, 0.5, -0.5) * signal)
    score = score + signal * rng.standard_normal(n)
    favor = 1 / (1 + np.exp(-score))
    chosen = rng.permutation(n) < n_labels
    labels = np.where(chosen, np.where(hits, "favor", "against"), None)
    observations = make_observations(np.stack([favor, 1 - favor], 1), range(n), labels, stances=("favor", "against"))
    groups = {"category": {"a": np.flatnonzero(months < 6), "b": np.flatnonzero(months >= 6)}}
    main = {"category": np.where(months < 6, "a", "b"), "author": np.arange(n).astype(str)}
    return StudyPosts(TARGET, [str(i) for i in range(n)], observations, FIRST + months, groups, main, ""), hits


def test_a_fall_is_not_halved_by_a_weak_classifier():
    """Were months corrected by the corpus's mean error, the fall of 0.4 would come out as large as in the predictions."""
    shares = [0.7] * 6 + [0.3] * 6
    falls, plain = [], []
    for seed in range(30):
        posts, _ = simulate(np.random.default_rng(seed), shares)
        for method, kept in ((Method.CORRECTED, falls), (Method.PREDICTIONS, plain)):
            series = monthly_series(Estimator(posts), method=method)
            kept.append(series.shares[6:, 0].mean() - series.shares[:6, 0].mean())
    assert np.mean(falls) == pytest.approx(-0.4, abs=0.03)
    assert np.mean(plain) > -0.28


def test_months_cover_and_say_what_they_rest_on():
    shares = np.linspace(0.2, 0.7, 12)
    inside = []
    for seed in range(25):
        posts, _ = simulate(np.random.default_rng(seed), shares)
        rows = [
            row for row in list_estimates(Estimator(posts)) if (row["grain"], row["group_kind"]) == ("month", "all")
        ]
        for row in rows:
            if (row["stance"], row["method"]) == ("favor", "corrected"):
                inside.append(row["low"] <= shares[row["period"].month - 1] <= row["high"])
    assert 0.93 <= np.mean(inside) <= 1
    assert "labels weigh" in rows[0]["note"] and "adjusted by all 240 labels" in rows[0]["note"]


def test_estimates_have_one_row_a_key_and_all_methods():
    posts, _ = simulate(np.random.default_rng(1), [0.5] * 12)
    rows = list(list_estimates(Estimator(posts)))
    keys = [(r["stance"], r["grain"], r["period"], r["group_kind"], r["group"], r["method"]) for r in rows]
    assert len(set(keys)) == len(keys)
    assert {r["method"] for r in rows} == {"corrected", "labels", "predictions"}
    halves = [r for r in rows if r["grain"] == "half" and r["group"] == "" and r["method"] == "corrected"]
    assert {describe_period(r["grain"], r["period"]) for r in halves} == {"2024-H1", "2024-H2"}
    assert all("its own" in r["note"] for r in halves)
    whole = next(r for r in rows if r["grain"] == "all" and r["method"] == "corrected" and r["group"] == "")
    assert (whole["n_posts"], whole["n_labels"], whole["n_authors"]) == (1200, 240, 1200)
    assert sum(r["share"] for r in rows if r["grain"] == "all" and r["method"] == "labels" and not r["group"]) == (
        pytest.approx(1)
    )


def test_without_a_sample_only_predictions_are_counted():
    posts, _ = simulate(np.random.default_rng(1), [0.5] * 12, n_labels=0)
    estimator = Estimator(posts)
    assert {row["method"] for row in list_estimates(estimator)} == {"predictions"}
    with pytest.raises(KeyError):
        estimator.estimate(parse_period("2024-01"))


def test_labels_weigh_more_the_weaker_the_classifier():
    weights = []
    for signal in (0.8, 1.6, 3.0):
        posts, _ = simulate(np.random.default_rng(2), [0.5] * 12, signal=signal)
        whole = tie_errors(posts.observations, Population.WRITERS)
        adjustment = learn_adjustment(whole, tune(whole, method=Method.CORRECTED))
        part = whole.take(posts.months == FIRST)
        weights.append(weigh_labels(part, adjustment))
    assert weights[0] > weights[1] > weights[2] > 0
    assert weigh_labels(whole.take(posts.observations.weights == 0), adjustment) == 0


def test_predictions_that_never_vary_weigh_nothing():
    posts, _ = simulate(np.random.default_rng(2), [0.5] * 12)
    flat = posts.observations.__class__(**{**vars(posts.observations), "probas": np.tile([0.5, 0.5], (1200, 1))})
    whole = tie_errors(flat, Population.WRITERS)
    adjustment = learn_adjustment(whole, tune(whole, method=Method.CORRECTED))
    assert weigh_labels(whole.take(posts.months == FIRST), adjustment) == pytest.approx(1, abs=0.01)


def test_adjustment_solves_the_confusion_by_hand():
    """Probabilities 0.8 and 0.2 given favor and against: a mean of 0.35 is a share of (0.35 - 0.2) / 0.6 = 0.25."""
    probas = np.array([[0.8, 0.2]] * 40 + [[0.2, 0.8]] * 40)
    labels = ["favor"] * 32 + ["against"] * 8 + ["favor"] * 8 + ["against"] * 32
    whole = tie_errors(make_observations(probas, range(80), labels, stances=("favor", "against")), Population.WRITERS)
    adjustment = learn_adjustment(whole, tune(whole, method=Method.CORRECTED))
    # E[probability | favor] = 0.8·0.8 + 0.2·0.2 = 0.68, given against 0.32; from the predictions alone the same
    assert adjustment.apply(np.array([0.41, 0.59])) == pytest.approx([0.25, 0.75], abs=1e-6)


def test_comparisons_and_their_refusals():
    posts, _ = simulate(np.random.default_rng(3), [0.7] * 6 + [0.3] * 6)
    estimator = Estimator(posts)
    found = estimator.compare(parse_period("2024-H1"), parse_period("2024-H2"))
    assert found.low[0] < -0.4 < found.high[0] < 0
    assert found.low_all[0] < found.low[0] and found.high_all[0] > found.high[0]
    with pytest.raises(DataError, match="nothing to estimate"):
        estimator.compare(parse_period("2023"), parse_period("2024-H2"))
    with pytest.raises(DataError, match="there are a, b"):
        estimator.positions(None, "category", "z")


@pytest.fixture
def filled(tmp_path):
    """A small study with predictions of 60 posts, 30 of them drawn and labelled."""
    path = tmp_path / "study.toml"
    path.write_text(STUDY.format(encoder="e5-small-id"), encoding="utf-8")
    study = load_study(path)
    corpus = open_corpus(study.data_dir)
    rng = np.random.default_rng(0)
    base = {
        "source": "t",
        "title": "",
        "paragraphs": [],
        "n_words": 0,
        "n_removed": 0,
        "is_cut": False,
        "text_digest": "",
    }
    posts, predictions, labels = [], [], []
    for i in range(60):
        stance = STANCES[i % 3]
        when = datetime(2024, 1 + i % 6, 1 + i % 27, 9, tzinfo=TIMEZONE) if i else None
        posts.append({**base, "post_id": f"p{i:02d}", "author_id": f"W{i % 20}", "published_at": when, "badge": None})
        probas = rng.dirichlet(np.where(np.arange(3) == i % 3, 4, 1))
        predictions.append(
            {
                "post_id": f"p{i:02d}",
                "target": TARGET,
                "stance": str(stance),
                "model_id": "m",
                "origin": "out_of_fold" if i % 2 else "final",
                "abstained": i == 5,
                **{f"proba_{name}": float(p) for name, p in zip(STANCES, probas, strict=True)},
            }
        )
        if i % 2:
            labels.append({**label(f"p{i:02d}", str(stance)), "source": "labels.csv"})
    copy = {"group": "p01", "position": 0, "is_first": True, "kind": None, "share": 1.0, "nearest": None}
    again = {**copy, "position": 1, "is_first": False, "kind": "near", "share": 0.9, "nearest": "p01"}
    rows = {
        TableName.POSTS: posts,
        TableName.PREDICTIONS: predictions,
        TableName.LABELS: labels,
        TableName.DUPLICATES: [{**copy, "post_id": "p01"}, {**again, "post_id": "p07"}],
        TableName.TOPIC_ASSIGNMENTS: [
            {"segment_id": f"p0{i}:{j}", "post_id": f"p0{i}", "topic_id": topic, "proba": 1.0}
            for i, j, topic in ((1, 0, 0), (1, 1, 1), (1, 2, 1), (3, 0, 0), (4, 0, -1))
        ],
    }
    for name, found in rows.items():
        table = pa.Table.from_pylist(found, schema=table_specs()[name].schema)
        corpus.write(name, table, RunRecord(stage="test", fingerprint={}))
    return SimpleNamespace(study=study, corpus=corpus, predictions=predictions)


def test_read_posts_counts_each_dated_post_once(filled):
    posts = read_posts(filled.study, filled.corpus, TARGET)
    assert len(posts.post_ids) == 58 and "p00" not in posts.post_ids and "p07" not in posts.post_ids
    assert "p05" in posts.post_ids, "an undecided post keeps its probabilities"
    assert posts.observations.n_labels == 29 and set(posts.observations.weights) == {0.0, 2.0}
    assert posts.observations.n_authors == 20
    assert {name: len(found) for name, found in posts.groups["topic"].items()} == {"0": 2, "1": 1}
    assert posts.main["topic"][posts.post_ids.index("p01")] == "1", "two of its three segments"
    assert set(posts.groups["badge"]) == {"none"}
    assert posts.is_corrected and posts.note == ""


def test_in_sample_predictions_are_refused(filled, caplog):
    filled.predictions[9]["origin"] = "in_sample"
    table = pa.Table.from_pylist(filled.predictions, schema=table_specs()[TableName.PREDICTIONS].schema)
    filled.corpus.write(TableName.PREDICTIONS, table, RunRecord(stage="test", fingerprint={}))
    posts = read_posts(filled.study, filled.corpus, TARGET)
    assert not posts.is_corrected and "trained on their labels" in posts.note
    assert Estimator(posts).methods == (Method.PREDICTIONS,)


def test_the_stage_writes_all_tables_alike_twice(filled):
    names = (TableName.ESTIMATES, TableName.TREND_LINES, TableName.CHANGES, TableName.COMPOSITIONS, TableName.TRENDS)
    counts = write_trends(filled.study, filled.corpus, RunRecord(stage="trends", fingerprint={}))
    assert counts["drawn_labels"] == 29 and counts["duplicate_posts"] == 1
    digests = [filled.corpus.record(name).digest for name in names]
    write_trends(filled.study, filled.corpus, RunRecord(stage="trends", fingerprint={}))
    assert digests == [filled.corpus.record(name).digest for name in names]
    assert filled.corpus.record(TableName.TRENDS).counts["drawn_labels"] == 29
    lines = filled.corpus.read(TableName.TREND_LINES).to_pylist()
    months = {name: {r["month"] for r in lines if r["method"] == name} for name in ("corrected", "predictions")}
    assert len(months["corrected"]) == len(months["predictions"]) == 6
    assert all(0 <= r["low_all"] <= r["low"] <= r["share"] <= r["high"] <= 1 for r in lines)
    assert {r["share_on"] for r in lines} == {None}, "the study has no label irrelevant"
    estimates = filled.corpus.fetch("SELECT DISTINCT grain FROM estimates ORDER BY ALL")["grain"].to_pylist()
    assert estimates == ["all", "half", "month", "quarter", "year"]


def test_no_posts_of_a_target(filled):
    with pytest.raises(DataError, match="no dated post"):
        read_posts(filled.study, filled.corpus, "lain")
    assert Period(FIRST, FIRST).start.isoformat() == "2024-01-01"


@pytest.mark.parametrize("population", list(Population))
@pytest.mark.parametrize(
    ("probas", "authors", "labels", "months"),
    [
        ([[0.5, 0.3, 0.2]], ["a"], None, [FIRST]),
        (
            [[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]],
            "abc",
            ["favor", "favor", None],
            [FIRST, FIRST, FIRST + 9],
        ),
        ([[1.0, 0, 0]] * 30, range(30), ["favor"] * 15 + [None] * 15, range(FIRST, FIRST + 30)),
        ([[1.0, 0, 0], [0, 0, 1.0]] * 15, range(30), ["irrelevant"] * 15 + [None] * 15, range(FIRST, FIRST + 30)),
    ],
    ids=["one post", "two alike labels", "one stance", "all irrelevant"],
)
def test_hardly_any_posts_or_labels(probas, authors, labels, months, population):
    """Every table is made, without a warning, and every interval holds its share and has a width where labels made it."""
    observations = make_observations(
        probas, list(authors), labels, np.full(len(probas), 0.5), stances=("favor", "against", "irrelevant")
    )
    n = len(observations)
    main = {name: np.full(n, "x") for name in ("prolific", "topic", "category")}
    main["author"] = observations.authors.astype(str)
    posts = StudyPosts(TARGET, [str(i) for i in range(n)], observations, np.array([*months]), {}, main, "")
    estimator = Estimator(posts, population)
    rows = list(list_estimates(estimator))
    for row in rows:
        if row.get("share") is not None:
            assert 0 <= row["low"] <= row["share"] + 1e-9 and row["share"] - 1e-9 <= row["high"] <= 1
            known = population is Population.CORPUS and row["n_labels"] == row["n_posts"]
            assert known or row["method"] == "predictions" or row["high"] - row["low"] > 0.01
    assert len(list(list_trend_lines(estimator, seed=1))) >= 3 and list_changes(estimator, seed=1) == []
    assert all(row["component"] for row in list_compositions(estimator, seed=1))
