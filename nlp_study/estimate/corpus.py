"""`read_posts(...)`: the posts of a target with predictions, the labels that were drawn, and the groups they belong to."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_study.errors import DataError, LeakageError
from nlp_study.estimate.observations import Observations, make_observations
from nlp_study.labels import resolve_labels
from nlp_study.schema import COUNTED_ONCE, OUTLIER_TOPIC, Origin, Stance, TableName

if TYPE_CHECKING:
    from nlp_study.config import EstimateSettings, Study
    from nlp_study.store import Corpus

logger = logging.getLogger(__name__)

GROUP_KINDS = ("topic", "category", "badge", "prolific")
PROLIFIC = ("rare", "regular", "prolific")
"""Thirds of the posts, by how many posts their author wrote: a third of all posts is by authors who write least."""
NO_BADGE = "none"
_FEW_LABELS = 2


@dataclass(frozen=True)
class DrawnLabel:
    """A label of a post that was drawn with a known probability."""

    stance: str
    sampling_proba: float


@dataclass(frozen=True)
class StudyPosts:
    """The posts of one target that count, in the order of their ids.

    Attributes
    ----------
    observations : predictions, labels and weights.
    months : year·12 + month - 1, shape (n_posts,).
    groups : kind of group -> name of the group -> positions of its posts; a post may have several topics.
    main : kind of group -> name of each post's one group (its main topic), shape (n_posts,); and `author`.
    note : why there are no corrected estimates, or what to know of the labels; empty if nothing.
    """

    target: str
    post_ids: list[str]
    observations: Observations
    months: np.ndarray
    groups: dict[str, dict[str, np.ndarray]]
    main: dict[str, np.ndarray]
    note: str

    @property
    def is_corrected(self) -> bool:
        """Whether there are labels to correct with."""
        return len(np.unique(self.observations.authors[self.observations.weights > 0])) >= _FEW_LABELS


def drawn_labels(
    rows: Sequence[Mapping[str, Any]], settings: EstimateSettings, *, target: str, stances: Sequence[Stance]
) -> tuple[dict[str, DrawnLabel], str]:
    """Return the labels of a target that are a probability sample, by post, and a note on them.

    Labels count if their annotator is named in `estimate.annotators`; if none is named, those of every annotator who labelled
    posts that were drawn: at least one of their posts has a sampling probability below 1. A probability of 1 throughout says
    that posts were picked by hand, or that somebody labelled everything; neither is a draw. With `estimate.sample = "random"`
    all labels count, as a simple random sample, whatever probability they carry.

    Parameters
    ----------
    rows : rows of the table `labels`.
    """
    mine = [row for row in rows if row["target"] == target]
    if settings.annotators:
        unknown = sorted(set(settings.annotators) - {row["annotator"] for row in rows})
        if unknown:
            raise DataError(
                f"estimate.annotators names {', '.join(unknown)}, who labelled nothing",
                remedy=f"annotators are {', '.join(sorted({row['annotator'] for row in rows}))}",
            )
        wanted = set(settings.annotators)
    elif settings.sample == "random":
        wanted = {row["annotator"] for row in mine}
    else:
        wanted = {row["annotator"] for row in mine if row["sampling_proba"] is not None and row["sampling_proba"] < 1}
    kept = [row for row in mine if row["annotator"] in wanted]
    probas: dict[str, float] = {}
    for row in kept:
        if row["sampling_proba"] is not None:
            probas[row["post_id"]] = row["sampling_proba"]
    gold, n_tied = resolve_labels(kept, targets={target}, stances=stances)
    if settings.sample == "random":
        found = {label.post_id: DrawnLabel(str(label.stance), 1.0) for label in gold}
    else:
        found = {
            label.post_id: DrawnLabel(str(label.stance), probas[label.post_id])
            for label in gold
            if label.post_id in probas
        }
    if not found:
        note = (
            "no label was drawn with a recorded probability, so shares are not corrected; "
            'if the labelled posts are a random sample, set sample = "random" under [estimate]'
        )
        return {}, note if mine else "there are no labels, so shares are not corrected"
    return found, f"{n_tied} drawn posts without a decision are left out" if n_tied else ""


def read_posts(study: Study, corpus: Corpus, target: str) -> StudyPosts:
    """Read the posts of a target: dated, classified, each group of repeats once; undecided ones keep their probabilities.

    Raises
    ------
    DataError : no post counts.
    """
    stances = [str(stance) for stance in study.study.stances]
    columns = ", ".join(f"p.proba_{stance}" for stance in stances)
    rows = corpus.fetch(
        f"SELECT post_id, {columns}, p.origin, posts.month, posts.category, posts.badge, "
        "lower(coalesce(posts.author_id, posts.author, post_id)) AS author "
        "FROM predictions p JOIN posts USING (post_id) "
        f"WHERE p.target = $target AND posts.published_at IS NOT NULL AND {COUNTED_ONCE} ORDER BY post_id",
        {"target": target},
    )
    if not rows.num_rows:
        raise DataError(
            f"no dated post has a prediction for «{target}»",
            remedy="run `nlp-study classify`, or check the posts' dates",
        )
    ids = rows["post_id"].to_pylist()
    probas = np.stack([rows[f"proba_{stance}"].to_numpy(zero_copy_only=False) for stance in stances], 1).astype(float)
    if np.isnan(probas).any():
        raise DataError(
            f"predictions for «{target}» lack probabilities of some of the study's stances",
            remedy="run `nlp-study classify` again",
        )
    labels, note = drawn_labels(
        corpus.read(TableName.LABELS).to_pylist(), study.estimate, target=target, stances=study.study.stances
    )
    try:
        _refuse_in_sample(rows["origin"].to_pylist(), target)
    except LeakageError as error:
        if labels:
            logger.warning("%s", error.what)
            labels, note = {}, error.what
    drawn = [labels.get(post_id) for post_id in ids]
    recorded = study.estimate.sample == "recorded"
    authors = np.array(rows["author"].to_pylist(), dtype=str)
    observations = make_observations(
        probas,
        authors,
        [label.stance if label else None for label in drawn],
        [label.sampling_proba if label else np.nan for label in drawn] if recorded else None,
        stances=stances,
    )
    months = np.array([int(m[:4]) * 12 + int(m[5:7]) - 1 for m in rows["month"].to_pylist()])
    groups, main = _read_groups(corpus, ids, rows, observations.authors)
    return StudyPosts(target, ids, observations, months, groups, {**main, "author": authors}, note)


def _refuse_in_sample(origins: list[str], target: str) -> None:
    n = sum(origin == Origin.IN_SAMPLE for origin in origins)
    if n:
        raise LeakageError(
            f"{n} posts about «{target}» are predicted by a model that was trained on their labels, so shares are not "
            "corrected",
            remedy="run `nlp-study evaluate`, so that labelled posts are predicted out of fold",
        )


def _read_groups(
    corpus: Corpus, ids: list[str], rows: Any, authors: np.ndarray
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, np.ndarray]]:
    place = {post_id: i for i, post_id in enumerate(ids)}
    main = {
        "category": np.array([value or "none" for value in rows["category"].to_pylist()], dtype=str),
        "badge": np.array([value or NO_BADGE for value in rows["badge"].to_pylist()], dtype=str),
        "prolific": sort_by_output(authors),
    }
    groups = {kind: {name: np.flatnonzero(names == name) for name in np.unique(names)} for kind, names in main.items()}
    groups = {kind: {str(name): found for name, found in named.items()} for kind, named in groups.items()}
    counts: Counter[tuple[int, int]] = Counter()
    for row in corpus.read(TableName.TOPIC_ASSIGNMENTS, columns=["post_id", "topic_id"]).to_pylist():
        if row["topic_id"] != OUTLIER_TOPIC and row["post_id"] in place:
            counts[place[row["post_id"]], row["topic_id"]] += 1
    topics: dict[int, list[int]] = {}
    best: dict[int, tuple[int, int]] = {}
    for (post, topic), n in sorted(counts.items()):
        topics.setdefault(topic, []).append(post)
        if n > best.get(post, (0, 0))[0]:
            best[post] = (n, topic)
    groups["topic"] = {str(topic): np.array(posts) for topic, posts in sorted(topics.items())}
    main["topic"] = np.array([str(best[i][1]) if i in best else str(OUTLIER_TOPIC) for i in range(len(ids))], dtype=str)
    return groups, main


def sort_by_output(authors: np.ndarray) -> np.ndarray:
    """Return `rare`, `regular` or `prolific` for each post: thirds of the posts by their author's number of posts.

    Authors with equally many posts are never parted, so thirds are unequal where many authors have one post.

    Parameters
    ----------
    authors : number of the author from 0, shape (n_posts,).
    """
    written = np.bincount(authors)[authors]
    below = np.searchsorted(np.sort(written), written, side="left") / len(written)
    above = np.searchsorted(np.sort(written), written, side="right") / len(written)
    third = np.clip(((below + above) / 2 * 3).astype(int), 0, 2)
    return np.array(PROLIFIC)[third]
