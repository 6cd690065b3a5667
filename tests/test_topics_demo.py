"""Quality gates of topics on the demonstration posts, whose themes are planted; by words alone, so that no encoder runs."""

from __future__ import annotations

import csv
import json
from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from nlp_study.segments import split_segments
from nlp_study.topics.ensemble import find_agreement, measure_strengths
from nlp_study.topics.features import describe_segments
from nlp_study.topics.words import choose_words, count_words, measure_coherence, measure_diversity, score_words

from .conftest import REPOSITORY

NOT_PLANTED = ("off_target", "near_miss")


@pytest.fixture(scope="module")
def demo():
    """Counts of the segments' words, the theme of each segment, and topics of two seeds."""
    texts, posts = [], []
    for line in (REPOSITORY / "corpus/demo/posts.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        segments = split_segments(row["paragraphs"])
        texts += [segment.text for segment in segments]
        posts += [row["post_id"]] * len(segments)
    with (REPOSITORY / "corpus/gold/design.csv").open(encoding="utf-8", newline="") as handle:
        theme_of = {row["post_id"]: row["theme"] for row in csv.DictReader(handle)}
    counts = count_words(texts, posts)
    features = describe_segments(counts, np.zeros((len(texts), 2), np.float32), seed=1)
    labels = []
    for seed in (1, 2):
        found = find_agreement(features, counts.post_of, seed=seed, n_refits=5)
        labels.append(np.where(measure_strengths(found.fits, found.labels) < 0.3, -1, found.labels))
    return counts, [theme_of[post] for post in posts], labels


def test_topics_hardly_move_with_the_seed(demo):
    _, _, (first, second) = demo
    assert adjusted_rand_score(first, second) >= 0.75
    assert 18 <= len(set(first.tolist())) <= 30 and (first < 0).mean() < 0.1


def test_planted_themes_are_found(demo):
    _, themes, (labels, _) = demo
    held: dict[int, Counter[str]] = {}
    for label, theme in zip(labels.tolist(), themes, strict=True):
        if label >= 0 and theme not in NOT_PLANTED:
            held.setdefault(label, Counter())[theme] += 1
    n_planted = sum(sum(found.values()) for found in held.values())
    assert n_planted > 1200 and sum(max(found.values()) for found in held.values()) / n_planted >= 0.8
    leading = {found.most_common(1)[0][0] for found in held.values()}
    assert len(leading) >= 12  # of fourteen; small ones may share a topic


def test_words_go_together_and_differ(demo):
    counts, _, (labels, _) = demo
    words = [
        [word for word, _ in topic] for topic in choose_words(counts, score_words(counts, labels, labels.max() + 1))
    ]
    assert np.mean([value for value in measure_coherence(words, counts) if value is not None]) >= 0.15
    assert measure_diversity(words) >= 0.92
    loan = next(topic for topic in words if "pinjol" in topic)
    assert {"ojk", "bank"} & set(loan)
