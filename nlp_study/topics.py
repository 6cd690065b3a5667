"""`fit_topics(...)`: BERTopic on the segments' vectors, with Indonesian stop words and fixed seeds."""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from nlp_study.errors import DataError
from nlp_study.schema import OUTLIER_TOPIC, TableName, table_specs

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.config import Study
    from nlp_study.store import Corpus, RunRecord

MIN_SEGMENTS = 20
"""Below this neither UMAP's neighbourhoods nor a density estimate mean anything."""

_SMALLEST_TOPIC = 8
_TOPIC_SHARE = 0.02
_WORD_POSTS = 3
"""Posts a word must stand in to describe a topic: names and dialect words of one post otherwise fill the lists."""
_N_REPRESENTATIVE = 3
_LEAST_WORDS = 100
_WORD = r"(?u)\b[^\W\d_][\w-]{2,}\b"


def read_stop_words() -> list[str]:
    """Return the Indonesian stop words, lower case."""
    lines = files("nlp_study").joinpath("lexicons/stop_words_id.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def fit_topics(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any]:
    """Write the tables `topics` and `topic_assignments`.

    Raises
    ------
    DataError : there are too few segments.

    References
    ----------
    Grootendorst (2022), arXiv:2203.05794.
    """
    import pyarrow as pa

    segments = corpus.read(TableName.SEGMENTS, columns=["segment_id", "post_id", "text"]).to_pydict()
    n_segments = len(segments["segment_id"])
    if n_segments < MIN_SEGMENTS:
        raise DataError(
            f"{n_segments} segments are too few for topics; {MIN_SEGMENTS} are the least", remedy="import more posts"
        )
    vectors = corpus.read_vectors()
    vocabulary = common_words(segments["text"], segments["post_id"], min_posts=_WORD_POSTS)
    topic_ids, probas, words = cluster_segments(
        segments["text"],
        vectors,
        vocabulary=vocabulary,
        seed=study.study.seed,
        min_topic_size=study.topics.min_topic_size or max(_SMALLEST_TOPIC, round(_TOPIC_SHARE * n_segments)),
        n_neighbors=study.topics.n_neighbors,
        n_words=study.topics.n_words,
    )
    assignments = [
        {"segment_id": segment, "post_id": post, "topic_id": topic, "proba": proba}
        for segment, post, topic, proba in zip(
            segments["segment_id"], segments["post_id"], topic_ids, probas, strict=True
        )
    ]
    rows = []
    for topic in sorted(set(topic_ids)):
        members = [i for i, found in enumerate(topic_ids) if found == topic]
        top = words.get(topic, [])
        outliers = topic == OUTLIER_TOPIC
        rows.append(
            {
                "topic_id": topic,
                "label": "outliers" if outliers else ", ".join(word for word, _ in top[:3]),
                "words": [] if outliers else [word for word, _ in top],
                "weights": [] if outliers else [weight for _, weight in top],
                "n_segments": len(members),
                "n_posts": len({segments["post_id"][i] for i in members}),
                "representative_segments": []
                if outliers
                else [segments["segment_id"][i] for i in _nearest(vectors, members, segments["post_id"])],
            }
        )
    n_outliers = sum(topic == OUTLIER_TOPIC for topic in topic_ids)
    counts = {"topics": len(rows) - (n_outliers > 0), "segments": n_segments, "outliers": n_outliers}
    specs = table_specs()
    for name, content in ((TableName.TOPIC_ASSIGNMENTS, assignments), (TableName.TOPICS, rows)):
        corpus.write(name, pa.Table.from_pylist(content, schema=specs[name].schema), replace(record, counts=counts))
    return counts


def common_words(texts: Sequence[str], post_ids: Sequence[str], *, min_posts: int) -> list[str]:
    """Return the words, stop words left out, that stand in at least `min_posts` posts; with few posts, all words.

    Parameters
    ----------
    texts, post_ids : segments and the posts they belong to, shape (n_segments,).
    """
    stop_words = set(read_stop_words())
    posts_of: dict[str, set[str]] = defaultdict(set)
    for text, post in zip(texts, post_ids, strict=True):
        for word in set(re.findall(_WORD, text.lower())) - stop_words:
            posts_of[word].add(post)
    common = sorted(word for word, posts in posts_of.items() if len(posts) >= min_posts)
    return common if len(common) >= _LEAST_WORDS else sorted(posts_of)


def cluster_segments(
    texts: Sequence[str],
    vectors: np.ndarray,
    *,
    vocabulary: Sequence[str],
    seed: int,
    min_topic_size: int,
    n_neighbors: int = 15,
    n_words: int = 10,
) -> tuple[list[int], list[float], dict[int, list[tuple[str, float]]]]:
    """Cluster segments into topics.

    Parameters
    ----------
    texts : shape (n_segments,).
    vectors : unit vectors, shape (n_segments, hidden).
    vocabulary : words that may describe a topic.
    min_topic_size : smallest topic, in segments.
    n_neighbors : UMAP's neighbourhood; cut to the number of segments.

    Returns
    -------
    topic of each segment (0 is the largest, -1 an outlier), strength of membership in [0, 1], and for each topic its
    words with class-based TF-IDF, best first.
    """
    from bertopic import BERTopic
    from bertopic.backend import BaseEmbedder
    from bertopic.vectorizers import ClassTfidfTransformer
    from hdbscan import HDBSCAN
    from sklearn.feature_extraction.text import CountVectorizer
    from umap import UMAP

    few = len(texts) < 4 * n_neighbors
    model = BERTopic(
        language="multilingual",
        embedding_model=BaseEmbedder(),  # vectors are given; without this BERTopic fetches a model from a hub
        umap_model=UMAP(
            n_neighbors=max(2, min(n_neighbors, len(texts) // 4)),
            n_components=5,
            min_dist=0.0,
            metric="cosine",
            init="random" if few else "spectral",  # the spectral start needs more points than dimensions by far
            random_state=seed,
            n_jobs=1,  # a seed allows one thread only; saying so keeps UMAP from warning
        ),
        hdbscan_model=HDBSCAN(
            min_cluster_size=min_topic_size,
            min_samples=max(1, min_topic_size // 3),  # fewer outliers than the default of min_cluster_size
            metric="euclidean",
            cluster_selection_method="eom",
        ),
        vectorizer_model=CountVectorizer(vocabulary=vocabulary, token_pattern=_WORD),
        ctfidf_model=ClassTfidfTransformer(reduce_frequent_words=True),
        top_n_words=n_words,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba and scikit-learn deprecations inside the third-party fit
        topic_ids, probas = model.fit_transform(list(texts), embeddings=vectors)
    words = {
        int(topic): [(word, float(weight)) for word, weight in found if word]
        for topic, found in model.get_topics().items()
    }
    return [int(topic) for topic in topic_ids], [float(proba) for proba in probas], words


def _nearest(vectors: np.ndarray, members: Sequence[int], post_ids: Sequence[str]) -> list[int]:
    """Members nearest to their centre, one a post."""
    import numpy as np

    centre = vectors[list(members)].mean(0)
    similarity = vectors[list(members)] @ centre
    chosen: list[int] = []
    for position in np.argsort(-similarity):
        index = members[int(position)]
        if post_ids[index] not in {post_ids[i] for i in chosen}:
            chosen.append(index)
        if len(chosen) == _N_REPRESENTATIVE:
            break
    return chosen
