"""The stage `topics`: from segments to the tables `topics`, `topic_assignments`, `topic_tree` and `topic_quality`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.errors import DataError
from nlp_study.schema import OUTLIER_TOPIC, TableName, table_specs

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.config import Study, TopicSettings
    from nlp_study.store import Corpus, RunRecord
    from nlp_study.topics.edits import EditedTopics
    from nlp_study.topics.ensemble import Agreement
    from nlp_study.topics.words import WordCounts

MIN_SEGMENTS = 20
"""Below this no refit says anything about another."""
SETTLED = 0.5
"""A segment stands by its topic in most refits from here; below, it is reassigned to it, or an outlier."""

_SMALLEST_TOPIC = 8
_TOPIC_SHARE = 0.005
_LEAST_POSTS = 3
_N_REPRESENTATIVE = 3
_N_NAMING = 20
"""Strongest segments of a topic in which the phrase for its name is looked for."""
_SEEDED_SHARE = 1 / 3


@dataclass(frozen=True)
class Segments:
    """The segments of the corpus: columns of the table, each of length n_segments."""

    segment_ids: Sequence[str]
    post_ids: Sequence[str]
    texts: Sequence[str]


@dataclass(frozen=True)
class FittedTopics:
    """Topics after edits, numbered by size; `labels` is -1 for outliers, `reassigned` marks unsettled segments.

    `base` is the topic of each segment before edits, `names` those from edits and seed words.
    """

    labels: np.ndarray
    strengths: np.ndarray
    reassigned: np.ndarray
    base: np.ndarray
    names: dict[int, str]
    words: list[list[tuple[str, float]]]

    @property
    def n_topics(self) -> int:
        """Topics, outliers not counted."""
        return len(self.words)


def fit_topics(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any]:
    """Write the tables `topics`, `topic_assignments`, `topic_tree` and `topic_quality`.

    Raises
    ------
    DataError : there are too few segments.
    ConfigError : the file of edits cannot be read.
    """
    import pyarrow as pa
    from tqdm import tqdm

    from nlp_study.topics.edits import read_edits
    from nlp_study.topics.ensemble import RUNS_PER_REFIT, find_agreement
    from nlp_study.topics.features import describe_segments
    from nlp_study.topics.words import count_words

    rows = corpus.read(TableName.SEGMENTS, columns=["segment_id", "post_id", "text"]).to_pydict()
    segments = Segments(rows["segment_id"], rows["post_id"], rows["text"])
    if len(segments.texts) < MIN_SEGMENTS:
        raise DataError(
            f"{len(segments.texts)} segments are too few for topics; {MIN_SEGMENTS} are the least",
            remedy="import more posts",
        )
    settings = study.topics
    edits = read_edits(edits_path(study))
    counts = count_words(segments.texts, segments.post_ids)
    features = describe_segments(counts, corpus.read_vectors(), seed=study.study.seed, seed_words=settings.seed_words)
    with tqdm(total=settings.n_refits * RUNS_PER_REFIT, desc="fit topics", unit=" fits", disable=None) as bar:
        agreement = find_agreement(
            features,
            counts.post_of,
            seed=study.study.seed,
            n_refits=settings.n_refits,
            n_topics=settings.n_topics,
            progress=bar.update,
        )
    least = settings.min_topic_size or smallest_topic(len(segments.texts))
    base = drop_small(agreement.labels, features, counts.post_of, min_size=least)
    edited = edit_topics(edits, base, segments, counts, features, seed=study.study.seed)
    fitted = settle(edited, base, agreement, counts, settings)
    specs = table_specs()
    topics = list_topics(fitted, agreement, segments, counts, features)
    n_outliers = int((fitted.labels == OUTLIER_TOPIC).sum())
    totals: dict[str, Any] = {
        "topics": fitted.n_topics,
        "stable": sum(bool(row["is_stable"]) for row in topics),
        "segments": len(segments.texts),
        "outliers": n_outliers,
        "reassigned": int(fitted.reassigned.sum()),
    }
    if edits:
        totals["edits"] = edited.n_applied
    if edited.lost:
        totals["edits_not_found"] = edited.lost
    tables = {
        TableName.TOPIC_ASSIGNMENTS: list_assignments(fitted, segments),
        TableName.TOPICS: topics,
        TableName.TOPIC_TREE: list_tree(fitted, counts, features),
        TableName.TOPIC_QUALITY: list_quality(fitted, agreement, topics, counts),
    }
    for name, content in tables.items():
        corpus.write(name, pa.Table.from_pylist(content, schema=specs[name].schema), replace(record, counts=totals))
    return totals


def edits_path(study: Study) -> Path:
    """Return the file of edits; it need not exist."""
    return study.resolve(study.topics.edits)


def smallest_topic(n_segments: int) -> int:
    """Return the least number of segments of a topic: half a percent of all, at least 8."""
    return max(_SMALLEST_TOPIC, round(_TOPIC_SHARE * n_segments))


def drop_small(
    labels: np.ndarray, features: np.ndarray, post_of: np.ndarray, *, min_size: int, min_posts: int = _LEAST_POSTS
) -> np.ndarray:
    """Give the segments of topics that are too small to the topics with the nearest centres, smallest topic first.

    A topic of one or two posts is these posts' manner, however many segments they have.
    """
    import numpy as np

    from nlp_study.topics.ensemble import nearest

    while True:
        labels = np.unique(labels, return_inverse=True)[1]
        sizes = np.bincount(labels)
        n_posts = np.array([len(np.unique(post_of[labels == topic])) for topic in range(len(sizes))])
        small = np.flatnonzero((sizes < min_size) | (n_posts < min_posts))
        if len(sizes) < 2 or not len(small):
            return labels
        smallest = int(small[sizes[small].argmin()])
        others = [topic for topic in range(len(sizes)) if topic != smallest]
        centres = np.stack([features[labels == topic].mean(0) for topic in others])
        members = labels == smallest
        labels[members] = np.array(others)[nearest(features[members], centres)]


def edit_topics(
    edits: Sequence[Any], base: np.ndarray, segments: Segments, counts: WordCounts, features: np.ndarray, *, seed: int
) -> EditedTopics:
    """Apply edits by hand to a fit's topics."""
    import numpy as np
    from sklearn.cluster import KMeans

    from nlp_study.topics.edits import N_WORDS, apply_edits, digest_segment
    from nlp_study.topics.words import rank_words, score_words

    def find_words(labels: np.ndarray) -> dict[int, list[str]]:
        numbers, compact = np.unique(labels, return_inverse=True)
        scores = score_words(counts, compact, len(numbers))
        return {
            int(number): rank_words(counts, row, n_words=N_WORDS) for number, row in zip(numbers, scores, strict=True)
        }

    def split(members: np.ndarray, into: int) -> np.ndarray:
        kmeans = KMeans(min(into, len(members)), n_init=10, random_state=seed)
        parts: np.ndarray = kmeans.fit_predict(features[members])
        return parts

    digests = [digest_segment(text) for text in segments.texts] if edits else []
    return apply_edits(edits, base, digests, find_words=find_words, split=split)


def settle(
    edited: EditedTopics, base: np.ndarray, agreement: Agreement, counts: WordCounts, settings: TopicSettings
) -> FittedTopics:
    """Decide which segments are outliers, number topics by size and choose their words.

    A segment whose strength is 0.5 or more stands by its topic in most refits. One between `outlier_threshold` and that is
    reassigned: its topic is the one where it stood most, and it is marked. Below it is an outlier.
    """
    import numpy as np

    from nlp_study.topics.ensemble import measure_strengths
    from nlp_study.topics.words import choose_words, score_words

    strengths = measure_strengths(agreement.fits, edited.groups)
    kept = strengths >= settings.outlier_threshold
    numbers = np.unique(edited.labels)
    sizes = {int(number): int((kept & (edited.labels == number)).sum()) for number in numbers}
    order = sorted((number for number in sizes if sizes[number]), key=lambda number: (-sizes[number], number))
    labels = np.full(len(base), OUTLIER_TOPIC)
    for place, number in enumerate(order):
        labels[kept & (edited.labels == number)] = place
    names = name_seeded(labels, counts, settings.seed_words)
    names |= {place: edited.names[number] for place, number in enumerate(order) if number in edited.names}
    return FittedTopics(
        labels=labels,
        strengths=strengths,
        reassigned=kept & (strengths < SETTLED),
        base=base,
        names=names,
        words=choose_words(counts, score_words(counts, labels, len(order)), n_words=settings.n_words),
    )


def name_seeded(labels: np.ndarray, counts: WordCounts, seed_words: Mapping[str, Sequence[str]]) -> dict[int, str]:
    """Name the topic that holds most of the segments with a theme's seed words, if it holds a third of them and more."""
    import numpy as np

    from nlp_study.topics.features import find_seeded

    if not seed_words:
        return {}
    seeded = find_seeded(counts, seed_words)
    names: dict[int, str] = {}
    for place, theme in enumerate(seed_words):
        held = np.bincount(labels[(seeded == place) & (labels >= 0)], minlength=1)
        topic = int(held.argmax())
        if held[topic] and held[topic] >= _SEEDED_SHARE * (seeded == place).sum():
            names[topic] = f"{names[topic]} · {theme}" if topic in names else theme
    return names


def list_topics(
    fitted: FittedTopics, agreement: Agreement, segments: Segments, counts: WordCounts, features: np.ndarray
) -> list[dict[str, Any]]:
    """Return the rows of the table `topics`, outliers first."""
    import numpy as np

    from nlp_study.topics.stability import STABLE, measure_stability
    from nlp_study.topics.words import measure_coherence, name_topic

    coherence = measure_coherence([[word for word, _ in words] for words in fitted.words], counts)
    base = fitted.base[agreement.landmarks]
    rows = []
    outliers = np.flatnonzero(fitted.labels == OUTLIER_TOPIC).tolist()
    if len(outliers):
        posts = {segments.post_ids[i] for i in outliers}
        empty: dict[str, Any] = {
            "words": [],
            "weights": [],
            "representative_segments": [],
            "is_stable": None,
            "npmi": None,
        }
        names = {"topic_id": OUTLIER_TOPIC, "label": "outliers", "name": "pencilan"}
        rows.append({**names, **empty, "n_segments": len(outliers), "n_posts": len(posts), "n_reassigned": 0})
    for topic, chosen in enumerate(fitted.words):
        members = np.flatnonzero(fitted.labels == topic)
        of_landmarks = fitted.labels[agreement.landmarks] == topic
        parts = [of_landmarks & (base == number) for number in np.unique(base[of_landmarks])]
        stability, _ = measure_stability(of_landmarks, parts, agreement.refit_labels)
        words = [word for word, _ in chosen]
        strongest = members[np.argsort(-fitted.strengths[members], kind="stable")][:_N_NAMING].tolist()
        rows.append(
            {
                "topic_id": topic,
                "label": ", ".join(words[:3]),
                "name": fitted.names.get(topic) or name_topic(words, [segments.texts[i] for i in strongest]),
                "words": words,
                "weights": [weight for _, weight in chosen],
                "n_segments": len(members),
                "n_posts": len({segments.post_ids[i] for i in members.tolist()}),
                "n_reassigned": int(fitted.reassigned[members].sum()),
                "stability": stability,
                "is_stable": None if stability is None else stability >= STABLE,
                "npmi": coherence[topic],
                "representative_segments": [
                    segments.segment_ids[i] for i in choose_representatives(features, members, fitted, segments)
                ],
            }
        )
    return rows


def choose_representatives(
    features: np.ndarray, members: np.ndarray, fitted: FittedTopics, segments: Segments
) -> list[int]:
    """Return the settled members nearest to their centre, one a post; unsettled ones where there are no others."""
    import numpy as np

    settled = members[~fitted.reassigned[members]]
    members = settled if len(settled) else members
    similarity = features[members] @ features[members].mean(0)
    chosen: list[int] = []
    posts: set[str] = set()
    for place in np.argsort(-similarity, kind="stable"):
        index = int(members[place])
        if segments.post_ids[index] not in posts:
            posts.add(segments.post_ids[index])
            chosen.append(index)
        if len(chosen) == _N_REPRESENTATIVE:
            break
    return chosen


def list_assignments(fitted: FittedTopics, segments: Segments) -> list[dict[str, Any]]:
    """Return the rows of the table `topic_assignments`."""
    return [
        {"segment_id": segment, "post_id": post, "topic_id": topic, "proba": strength, "reassigned": reassigned}
        for segment, post, topic, strength, reassigned in zip(
            segments.segment_ids,
            segments.post_ids,
            fitted.labels.tolist(),
            fitted.strengths.tolist(),
            fitted.reassigned.tolist(),
            strict=True,
        )
    ]


def list_tree(fitted: FittedTopics, counts: WordCounts, features: np.ndarray) -> list[dict[str, Any]]:
    """Return the rows of the table `topic_tree`: topics, then what they are joined to, the root last."""
    import numpy as np

    from nlp_study.topics.stability import build_tree
    from nlp_study.topics.words import choose_words, score_words

    tree = build_tree({topic: features[fitted.labels == topic].mean(0) for topic in range(fitted.n_topics)})
    rows = []
    for node in tree:
        labels = np.where(np.isin(fitted.labels, node.topics), 0, -1)
        words = choose_words(counts, score_words(counts, labels, 1))[0]
        rows.append(
            {
                "node": node.node,
                "parent": node.parent,
                "height": node.height,
                "topics": list(node.topics),
                "words": [word for word, _ in words],
                "n_segments": int((labels == 0).sum()),
            }
        )
    return rows


def list_quality(
    fitted: FittedTopics, agreement: Agreement, topics: Sequence[Mapping[str, Any]], counts: WordCounts
) -> list[dict[str, Any]]:
    """Return the rows of the table `topic_quality`: one figure a row."""
    from sklearn.metrics import adjusted_rand_score

    from nlp_study.topics.stability import STABLE, compare_refits
    from nlp_study.topics.words import measure_diversity

    real = [row for row in topics if row["topic_id"] != OUTLIER_TOPIC]
    pairs = compare_refits(agreement.refit_labels) or [1.0]
    own = agreement.labels[agreement.landmarks]
    final = [float(adjusted_rand_score(own, labels)) for labels in agreement.refit_labels]
    npmi = [row["npmi"] for row in real if row["npmi"] is not None]
    n_segments = len(fitted.labels)
    figures = {
        "n_topics": len(real),
        "n_refits": len(agreement.refit_labels),
        "n_stable": sum(bool(row["is_stable"]) for row in real),
        "stable_threshold": STABLE,
        "ari_refits_mean": sum(pairs) / len(pairs),
        "ari_refits_min": min(pairs),
        "ari_final_mean": sum(final) / len(final),
        "npmi_mean": sum(npmi) / len(npmi) if npmi else None,
        "diversity": measure_diversity([row["words"] for row in real]),
        "share_outliers": float((fitted.labels == OUTLIER_TOPIC).sum()) / n_segments,
        "share_reassigned": float(fitted.reassigned.sum()) / n_segments,
    }
    return [{"measure": measure, "value": value} for measure, value in figures.items()]
