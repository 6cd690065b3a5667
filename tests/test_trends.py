from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from nlp_study.config import load_study
from nlp_study.errors import DataError
from nlp_study.estimate import wilson_interval
from nlp_study.schema import ALL_TOPICS, TIMEZONE, TableName, table_specs
from nlp_study.store import RunRecord, open_corpus
from nlp_study.trends import count_trends, month_of, month_range


def test_months_are_counted_in_jakarta():
    assert month_of(datetime(2024, 1, 31, 23, 30, tzinfo=UTC)) == date(2024, 2, 1)
    assert month_of(datetime(2024, 1, 31, 16, 59, tzinfo=UTC)) == date(2024, 1, 1)
    assert month_of(datetime(2023, 12, 31, 17, 0, tzinfo=UTC)) == date(2024, 1, 1)


def test_month_range_has_no_gaps():
    assert month_range([date(2023, 11, 1), date(2024, 2, 1)]) == [
        date(2023, 11, 1),
        date(2023, 12, 1),
        date(2024, 1, 1),
        date(2024, 2, 1),
    ]
    assert month_range([]) == []


def fill(corpus, name, rows):
    schema = table_specs()[name].schema
    corpus.write(name, pa.Table.from_pylist(rows, schema=schema), RunRecord(stage="test", fingerprint={}))


@pytest.fixture
def counted(make_study):
    study = load_study(make_study())
    corpus = open_corpus(study.data_dir)
    dates = {"p1": (2024, 1, 1), "p2": (2024, 1, 20), "p3": (2024, 3, 2), "p4": (2024, 3, 5), "p5": None}
    base = {
        "source": "t",
        "title": "",
        "paragraphs": [],
        "n_words": 0,
        "n_removed": 0,
        "is_cut": False,
        "text_digest": "",
    }
    fill(
        corpus,
        TableName.POSTS,
        [
            {**base, "post_id": p, "published_at": datetime(*d, 8, tzinfo=TIMEZONE) if d else None}
            for p, d in dates.items()
        ],
    )
    stances = {"p1": "favor", "p2": "against", "p3": "favor", "p4": "favor", "p5": "neutral"}
    fill(
        corpus,
        TableName.PREDICTIONS,
        [
            {"post_id": p, "target": "pasar daring", "stance": s, "model_id": "m", "origin": "final"}
            for p, s in stances.items()
        ],
    )
    fill(
        corpus,
        TableName.TOPIC_ASSIGNMENTS,
        [
            {"segment_id": f"{p}:{i}", "post_id": p, "topic_id": t, "proba": 1.0}
            for p, i, t in (("p1", 0, 0), ("p1", 1, 0), ("p3", 0, 0), ("p3", 1, 1), ("p4", 0, -1))
        ],
    )
    counts = count_trends(study, corpus, RunRecord(stage="trends", fingerprint={}))
    return corpus, counts


def one(corpus, month, stance, topic=ALL_TOPICS):
    rows = corpus.read(TableName.TRENDS).to_pylist()
    found = [r for r in rows if (r["month"], r["stance"], r["topic_id"]) == (month, stance, topic)]
    assert len(found) == 1
    return found[0]


def test_shares_by_hand(counted):
    corpus, counts = counted
    row = one(corpus, date(2024, 1, 1), "favor")
    assert (row["n_posts"], row["n_stance"], row["share"]) == (2, 1, 0.5)
    assert (row["share_low"], row["share_high"]) == wilson_interval(1, 2)
    assert one(corpus, date(2024, 3, 1), "favor")["share"] == 1.0
    assert one(corpus, date(2024, 3, 1), "against")["share"] == 0.0
    assert counts == {"months": 3, "undated_posts": 1, "duplicate_posts": 0}


def test_empty_months_are_there_without_a_share(counted):
    row = one(counted[0], date(2024, 2, 1), "favor")
    assert (row["n_posts"], row["share"], row["share_low"]) == (0, None, None)


def test_a_topic_counts_a_post_once(counted):
    corpus, _ = counted
    assert one(corpus, date(2024, 1, 1), "favor", topic=0)["n_posts"] == 1
    assert one(corpus, date(2024, 3, 1), "favor", topic=1)["n_posts"] == 1
    assert -1 not in corpus.read(TableName.TRENDS)["topic_id"].to_pylist()


def test_a_group_of_posts_that_repeat_one_another_counts_once(counted):
    corpus, _ = counted
    row = {"group": "p3", "position": 0, "is_first": True, "kind": None, "share": 1.0, "nearest": None}
    copy = {**row, "position": 1, "is_first": False, "kind": "near", "share": 0.9, "nearest": "p3"}
    fill(corpus, TableName.DUPLICATES, [{**row, "post_id": "p3"}, {**copy, "post_id": "p4"}])
    study = load_study(corpus.folder.parent / "study.toml")
    counts = count_trends(study, corpus, RunRecord(stage="trends", fingerprint={}))
    assert counts == {"months": 3, "undated_posts": 1, "duplicate_posts": 1}
    assert one(corpus, date(2024, 3, 1), "favor")["n_posts"] == 1
    assert one(corpus, date(2024, 3, 1), "favor", topic=1)["n_posts"] == 1
    assert one(corpus, date(2024, 1, 1), "favor")["n_posts"] == 2
    assert corpus.read(TableName.PREDICTIONS).num_rows == 5


def test_no_predictions(make_study):
    study = load_study(make_study())
    with pytest.raises(DataError, match="nlp-study classify"):
        count_trends(study, open_corpus(study.data_dir), RunRecord(stage="trends", fingerprint={}))
