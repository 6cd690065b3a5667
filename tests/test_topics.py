from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from nlp_study.config import load_study
from nlp_study.errors import DataError
from nlp_study.schema import OUTLIER_TOPIC, TableName, table_specs
from nlp_study.store import RunRecord
from nlp_study.topics import common_words, fit_topics, read_stop_words

THEMES = ("ojek helm bensin tarif penumpang", "beras cabai dapur tumis santan", "gawang wasit pelatih klub penalti")


def fill(corpus, *, n=90, hidden=16):
    """Three clouds of vectors around three directions, each with words of its own."""
    rng = np.random.default_rng(4)
    rows = []
    for i in range(n):
        theme = i % 3
        vector = np.eye(hidden)[theme] + rng.normal(0, 0.08, hidden)
        words = " ".join(rng.permutation(THEMES[theme].split()))
        place = {"segment_id": f"p{i // 2}:{i % 2}", "post_id": f"p{i // 2}", "index": i % 2}
        text = {"text": f"Yang {words} dan satu{i} itu", "n_words": 9, "first_paragraph": 0, "last_paragraph": 0}
        rows.append({**place, **text, "vector": (vector / np.linalg.norm(vector)).tolist()})
    table = pa.Table.from_pylist(rows, schema=table_specs()[TableName.SEGMENTS].schema)
    corpus.write(TableName.SEGMENTS, table, RunRecord(stage="segment", fingerprint={}))


@pytest.fixture
def study(make_study):
    return load_study(make_study())


def test_finds_what_is_there_and_the_same_every_time(study, corpus):
    fill(corpus)
    counts = fit_topics(study, corpus, RunRecord(stage="topics", fingerprint={}))
    assert counts["topics"] == 3 and counts["segments"] == 90
    topics = [row for row in corpus.read(TableName.TOPICS).to_pylist() if row["topic_id"] != OUTLIER_TOPIC]
    assert {frozenset(row["words"][:5]) for row in topics} == {frozenset(theme.split()) for theme in THEMES}
    for row in topics:
        assert (
            len(row["representative_segments"]) == 3 == len({s.split(":")[0] for s in row["representative_segments"]})
        )
        assert row["weights"] == sorted(row["weights"], reverse=True)
    assignments = corpus.read(TableName.TOPIC_ASSIGNMENTS).to_pylist()
    assert len(assignments) == 90 and all(0 <= row["proba"] <= 1 for row in assignments)
    sizes = {row["topic_id"]: row["n_segments"] for row in corpus.read(TableName.TOPICS).to_pylist()}
    assert sum(sizes.values()) == 90
    digests = [corpus.record(name).digest for name in (TableName.TOPICS, TableName.TOPIC_ASSIGNMENTS)]
    fit_topics(study, corpus, RunRecord(stage="topics", fingerprint={}))
    assert digests == [corpus.record(name).digest for name in (TableName.TOPICS, TableName.TOPIC_ASSIGNMENTS)]


def test_too_few_segments(study, corpus):
    fill(corpus, n=10)
    with pytest.raises(DataError, match="10 segments are too few"):
        fit_topics(study, corpus, RunRecord(stage="topics", fingerprint={}))


def test_words_of_one_post_do_not_describe_topics():
    texts = [f"yang ojek tarif beta{i} " + " ".join(f"kata{chr(97 + k)}" for k in range(26)) for i in range(6)]
    found = common_words(texts, [f"p{i}" for i in range(6)], min_posts=3)
    assert {"ojek", "tarif"} <= set(found) and "yang" not in found


def test_stop_words_are_lower_case_and_unique():
    words = read_stop_words()
    assert len(words) > 600 and len(set(words)) == len(words)
    assert {"yang", "nggak", "banget", "dan"} <= set(words) and "bekerja" not in words
    assert all(word == word.lower() for word in words)
