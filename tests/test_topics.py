from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from nlp_study.config import load_study
from nlp_study.errors import ConfigError, DataError
from nlp_study.schema import OUTLIER_TOPIC, TableName, table_specs
from nlp_study.store import RunRecord
from nlp_study.topics import fit_topics, read_stop_words
from nlp_study.topics.ensemble import find_agreement, guess_n_topics, measure_strengths
from nlp_study.topics.features import describe_segments, find_seeded
from nlp_study.topics.fit import drop_small
from nlp_study.topics.stability import build_tree, compare_refits, measure_stability
from nlp_study.topics.words import count_words

from .topic_segments import RECORD, THEMES, fill, real_topics


@pytest.fixture
def study(make_study):
    return load_study(make_study())


def test_finds_what_is_there_and_the_same_every_time(study, corpus):
    fill(corpus)
    counts = fit_topics(study, corpus, RECORD)
    assert counts["topics"] == 3 == counts["stable"] and counts["segments"] == 90 and counts["outliers"] == 0
    topics = real_topics(corpus)
    assert {frozenset(row["words"][:5]) for row in topics} == {frozenset(theme.split()) for theme in THEMES}
    for row in topics:
        assert (
            len(row["representative_segments"]) == 3 == len({s.split(":")[0] for s in row["representative_segments"]})
        )
        assert row["weights"] == sorted(row["weights"], reverse=True)
        assert row["stability"] == pytest.approx(1) and row["is_stable"] and row["n_reassigned"] == 0
        assert row["npmi"] == pytest.approx(
            1, abs=1e-6
        )  # the words of a theme stand in all of its segments and nowhere else
        assert row["weights"][0] == pytest.approx(np.log(3), abs=1e-6)  # p(w|t) = 1, p(w) = 1/3
        assert row["name"] and row["label"] == ", ".join(row["words"][:3])
    assignments = corpus.read(TableName.TOPIC_ASSIGNMENTS).to_pylist()
    assert len(assignments) == 90 and all(row["proba"] == pytest.approx(1) for row in assignments)
    assert not any(row["reassigned"] for row in assignments)
    sizes = {row["topic_id"]: row["n_segments"] for row in corpus.read(TableName.TOPICS).to_pylist()}
    assert sum(sizes.values()) == 90
    tables = (TableName.TOPICS, TableName.TOPIC_ASSIGNMENTS, TableName.TOPIC_TREE, TableName.TOPIC_QUALITY)
    digests = [corpus.record(name).digest for name in tables]
    fit_topics(study, corpus, RECORD)
    assert digests == [corpus.record(name).digest for name in tables]


def test_quality_and_tree(study, corpus):
    fill(corpus)
    fit_topics(study, corpus, RECORD)
    quality = {row["measure"]: row["value"] for row in corpus.read(TableName.TOPIC_QUALITY).to_pylist()}
    assert quality["n_refits"] == 10 and quality["ari_refits_mean"] == quality["ari_refits_min"] == 1
    assert quality["diversity"] == 1 and quality["npmi_mean"] == pytest.approx(1) and quality["share_outliers"] == 0
    tree = corpus.read(TableName.TOPIC_TREE).to_pylist()
    assert [row["node"] for row in tree] == [0, 1, 2, 3, 4]
    assert tree[4]["parent"] is None and tree[4]["topics"] == [0, 1, 2] and tree[4]["n_segments"] == 90
    assert {row["parent"] for row in tree[:3]} == {3, 4} and tree[0]["height"] == 0 < tree[3]["height"]


def test_segments_between_topics_are_outliers_or_marked(study, corpus):
    fill(corpus, lone=12)
    fit_topics(study, corpus, RECORD)
    rows = corpus.read(TableName.TOPIC_ASSIGNMENTS).to_pylist()
    for row in rows:
        assert (row["topic_id"] == OUTLIER_TOPIC) == (row["proba"] < study.topics.outlier_threshold)
        assert row["reassigned"] == (row["topic_id"] != OUTLIER_TOPIC and row["proba"] < 0.5)
    none_out = study.model_copy(update={"topics": study.topics.model_copy(update={"outlier_threshold": 0.0})})
    assert fit_topics(none_out, corpus, RECORD)["outliers"] == 0
    strict = study.model_copy(update={"topics": study.topics.model_copy(update={"outlier_threshold": 0.5})})
    counts = fit_topics(strict, corpus, RECORD)
    assert counts["reassigned"] == 0 and counts["outliers"] == sum(row["proba"] < 0.5 for row in rows)
    (outliers,) = [row for row in corpus.read(TableName.TOPICS).to_pylist() if row["topic_id"] == OUTLIER_TOPIC] or [{}]
    assert not outliers or (outliers["stability"] is None and outliers["words"] == [])


def test_number_of_topics_can_be_set(study, corpus):
    fill(corpus)
    two = study.model_copy(update={"topics": study.topics.model_copy(update={"n_topics": 2, "n_refits": 2})})
    assert fit_topics(two, corpus, RECORD)["topics"] == 2
    assert corpus.read(TableName.TOPIC_TREE).num_rows == 3


def test_too_few_segments(study, corpus):
    fill(corpus, n=18)
    with pytest.raises(DataError, match="18 segments are too few"):
        fit_topics(study, corpus, RECORD)


def test_segments_without_words_or_alike_are_no_error(study, corpus):
    row = {"first_paragraph": 0, "last_paragraph": 0, "n_words": 1, "index": 0, "text": "yang", "vector": [1.0, 0.0]}
    rows = [{**row, "segment_id": f"p{i}:0", "post_id": f"p{i}"} for i in range(24)]
    table = pa.Table.from_pylist(rows, schema=table_specs()[TableName.SEGMENTS].schema)
    corpus.write(TableName.SEGMENTS, table, RunRecord(stage="segment", fingerprint={}))
    counts = fit_topics(study, corpus, RECORD)
    assert counts["topics"] == 1 and real_topics(corpus)[0]["words"] == []


def test_neighbours_setting_is_gone_with_a_word_on_why(make_study):
    path = make_study()
    path.write_text(path.read_text() + "\n[topics]\nn_neighbors = 15\n")
    with pytest.raises(ConfigError, match="n_topics sets how fine topics are"):
        load_study(path)


def test_guess_grows_with_the_root_of_posts():
    assert [guess_n_topics(n) for n in (1, 45, 400, 2500, 10**6)] == [3, 8, 24, 60, 100]


def test_agreement_is_the_planted_partition_whatever_the_seed():
    rng = np.random.default_rng(0)
    planted = np.repeat(np.arange(5), 40)
    features = np.eye(8)[planted] + rng.normal(0, 0.12, (200, 8))
    features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    calls = []
    for seed in (1, 2):
        found = find_agreement(features, np.arange(200), seed=seed, n_refits=3, progress=calls.append)
        groups = {frozenset(np.flatnonzero(found.labels == topic)) for topic in range(found.labels.max() + 1)}
        assert groups == {frozenset(np.flatnonzero(planted == topic)) for topic in range(5)}
        assert found.agreement[5] == 1 and found.refit_labels.shape == (3, 200)
    assert len(calls) == 60


def test_strength_is_the_share_of_company_from_the_own_topic():
    labels = np.array([0, 0, 0, 1, 1])
    fits = np.array([[0, 0, 0, 1, 1], [0, 0, 1, 1, 1]])
    # third segment: with its topic alone in the first fit, one of three in the second
    expected = [1, 1, (1 + 1 / 3) / 2, (1 + 2 / 3) / 2, (1 + 2 / 3) / 2]
    assert measure_strengths(fits, labels) == pytest.approx(expected)


def test_stability_by_hand():
    members = np.array([True, True, True, False, False, False])
    refits = np.array([[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]])
    mean, each = measure_stability(members, [members], refits)
    assert each == pytest.approx([1, 2 / 3]) and mean == pytest.approx(5 / 6)
    # merged by hand: the union of the parts' partners counts
    parts = [np.array([True, True, True, False, False, False]), np.array([False, False, False, True, True, True])]
    assert measure_stability(parts[0] | parts[1], parts, refits)[0] == 1
    assert measure_stability(np.zeros(6, bool), [], refits) == (None, [])
    assert compare_refits(np.array([[0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1]])) == pytest.approx([1, -0.5, -0.5])


def test_tree_joins_the_nearest_first():
    centres = {0: np.array([1.0, 0, 0]), 1: np.array([0, 1.0, 0]), 2: np.array([0.9, 0.1, 0])}
    tree = build_tree(centres)
    assert [(n.node, n.parent, n.topics) for n in tree] == [
        (0, 3, (0,)), (1, 4, (1,)), (2, 3, (2,)), (3, 4, (0, 2)), (4, None, (0, 1, 2))
    ]  # fmt: skip
    assert tree[3].height == pytest.approx(1 - 0.9 / np.hypot(0.9, 0.1), abs=1e-6)
    assert build_tree({0: np.array([1.0])})[0].parent is None and build_tree({}) == []


def test_small_topics_join_their_neighbours():
    features = np.eye(3)[[0, 0, 0, 0, 1, 1, 1, 1, 2, 2]].astype(np.float32)
    features[8:, 1] = 0.5
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
    posts = np.arange(10)
    assert drop_small(labels, features, posts, min_size=3).tolist() == [0] * 4 + [1] * 6
    # four segments of one post are its manner, not a topic
    posts = np.array([0, 1, 2, 3, 4, 4, 4, 4, 5, 6])
    assert drop_small(labels, features, posts, min_size=1, min_posts=2).tolist() == [0] * 4 + [1] * 6
    assert drop_small(labels, features, np.arange(10), min_size=11).tolist() == [0] * 10


def test_seed_words_draw_segments_together_and_name_the_topic(study, corpus):
    fill(corpus)
    seeds = {"ojek daring": ("ojek", "penumpang"), "masakan": ("tumis",)}
    seeded = study.model_copy(update={"topics": study.topics.model_copy(update={"seed_words": seeds})})
    fit_topics(seeded, corpus, RECORD)
    names = {row["name"]: set(row["words"]) for row in real_topics(corpus)}
    assert "ojek" in names["ojek daring"] and "tumis" in names["masakan"] and len(names) == 3
    texts = ["ojek dan penumpang", "tumis cabai", "ojek tumis", "gawang"]
    counts = count_words(texts, ["a", "b", "c", "d"])
    assert find_seeded(counts, seeds).tolist() == [0, 1, -1, -1]  # one word of each theme: neither
    plain = describe_segments(counts, np.eye(4, dtype=np.float32), seed=1)
    drawn = describe_segments(counts, np.eye(4, dtype=np.float32), seed=1, seed_words={"x": ("ojek", "gawang")})
    assert drawn[0] @ drawn[3] > plain[0] @ plain[3] and np.allclose(np.linalg.norm(drawn, axis=1), 1, atol=1e-5)


def test_stop_words_are_lower_case_and_unique():
    words = read_stop_words()
    assert len(words) > 600 and len(set(words)) == len(words)
    assert {"yang", "nggak", "banget", "dan"} <= set(words) and "bekerja" not in words
    assert all(word == word.lower() for word in words)
