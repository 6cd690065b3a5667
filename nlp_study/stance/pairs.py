"""(post, target) pairs as the classifier sees them, and their author-disjoint folds."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nlp_study.deduplicate import NearDuplicate, find_near_duplicates
from nlp_study.errors import DataError, LeakageError
from nlp_study.labels import resolve_labels
from nlp_study.schema import Stance, TableName

if TYPE_CHECKING:
    from nlp_study.config import Study, Target
    from nlp_study.store import Corpus


@dataclass(frozen=True, slots=True)
class Pair:
    """A post and a target; `stance` is the human label, None for a pair to classify.

    `text` is the title, an empty line, and the body; `aliases` name the target, `keywords` go with it. `group` is equal for
    pairs that must stay on one side of a split.
    """

    post_id: str
    target: str
    target_text: str
    text: str
    aliases: tuple[str, ...]
    group: str
    stance: Stance | None = None
    published_at: datetime | None = None
    keywords: tuple[str, ...] = ()


def post_text(title: str, paragraphs: Sequence[dict[str, str]]) -> str:
    """Return what a model reads of a post: the title, an empty line, the paragraphs."""
    return "\n\n".join([title, *(part["text"] for part in paragraphs)]).strip()


def read_pairs(study: Study, corpus: Corpus, *, labelled: bool) -> list[Pair]:
    """Return the labelled pairs, or every pair of a post and a target of the study.

    Raises
    ------
    DataError : there are no posts; or, with `labelled`, no usable label.
    """
    pairs = list(_every_pair(study, corpus, _gold(study, corpus), grouped=labelled))
    if not pairs:
        raise DataError("there are no posts", remedy="import some first: `nlp-study import PATH`")
    if not labelled:
        return pairs
    found = [pair for pair in pairs if pair.stance is not None]
    if not found:
        targets = ", ".join(target.id for target in study.targets)
        raise DataError(
            f"there are no labels toward {targets}",
            remedy="add a [[labels]] file with post_id,target,stance,annotator, or name a trained model under stance.model",
        )
    counts = Counter(pair.stance for pair in found)
    if len(counts) < 2:
        raise DataError(
            f"all {len(found)} labels are «{found[0].stance}»: a classifier needs at least two classes",
            remedy="label posts of the other classes, or check the column that holds the stance",
        )
    return found


def _gold(study: Study, corpus: Corpus) -> dict[tuple[str, str], Stance]:
    gold, _ = resolve_labels(
        corpus.read(TableName.LABELS).to_pylist(),
        targets={target.id for target in study.targets},
        stances=study.study.stances,
    )
    return {(label.post_id, label.target): label.stance for label in gold}


def _every_pair(study: Study, corpus: Corpus, gold: dict[tuple[str, str], Stance], *, grouped: bool) -> Iterator[Pair]:
    """Yield all pairs; near-duplicates are looked for only where pairs will be split (`grouped`)."""
    columns = ["post_id", "title", "paragraphs", "author_id", "author", "text_digest", "published_at"]
    rows = corpus.read(TableName.POSTS, columns=columns).to_pylist()
    texts = [post_text(row["title"], row["paragraphs"]) for row in rows]
    groups = group_posts(rows, find_near_duplicates(texts) if grouped else ())
    for row, text, group in zip(rows, texts, groups, strict=True):
        for target in study.targets:
            stance = gold.get((row["post_id"], target.id))
            yield make_pair(row["post_id"], target, text, group, stance, published_at=row["published_at"])


def stream_pairs(study: Study, corpus: Corpus, *, chunk: int) -> Iterator[list[Pair]]:
    """Yield the pairs of `chunk` posts at a time, in the order of the table; groups are not looked for.

    Raises
    ------
    DataError : there are no posts.
    """
    import pyarrow.parquet as pq

    gold = _gold(study, corpus)
    columns = ["post_id", "title", "paragraphs", "published_at"]
    empty = True
    for file in corpus.files(TableName.POSTS):
        for batch in pq.ParquetFile(file, pre_buffer=False).iter_batches(batch_size=chunk, columns=columns):
            empty = False
            yield [
                make_pair(
                    row["post_id"],
                    target,
                    post_text(row["title"], row["paragraphs"]),
                    "",
                    gold.get((row["post_id"], target.id)),
                    published_at=row["published_at"],
                )
                for row in batch.to_pylist()
                for target in study.targets
            ]
    if empty:
        raise DataError("there are no posts", remedy="import some first: `nlp-study import PATH`")


def make_pair(
    post_id: str,
    target: Target,
    text: str,
    group: str,
    stance: Stance | None = None,
    *,
    published_at: datetime | None = None,
) -> Pair:
    """Put a post and a target together."""
    aliases = tuple(dict.fromkeys((target.name, *target.aliases)))
    return Pair(post_id, target.id, target.name, text, aliases, group, stance, published_at, target.keywords)


def group_posts(rows: Sequence[dict[str, Any]], duplicates: Sequence[NearDuplicate] = ()) -> list[str]:
    """Return a group for each post: posts of one author, or with one text, share it, and so do chains of these.

    A text that two accounts posted, changed a little or not at all, ties their authors together; otherwise the same words
    could stand in the training and the test part. Posts without an author are tied by their text only.

    Parameters
    ----------
    rows : posts with `post_id`, `author_id`, `author` and `text_digest`, shape (n_posts,).
    duplicates : near-duplicates among them, by position.
    """
    parent: dict[str, str] = {}

    def find(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for row in rows:
        root = find(f"post {row['post_id']}")
        parent[find(f"text {row['text_digest']}")] = root
        author = row.get("author_id") or row.get("author")
        if author:
            parent[find(f"author {author.casefold()}")] = root
    for pair in duplicates:
        parent[find(f"post {rows[pair.first]['post_id']}")] = find(f"post {rows[pair.second]['post_id']}")
    return [find(f"post {row['post_id']}") for row in rows]


@dataclass(frozen=True)
class Fold:
    """Indices into the pairs; no group stands in both."""

    train: list[int]
    test: list[int]


def split_folds(pairs: Sequence[Pair], *, n_folds: int, seed: int) -> list[Fold]:
    """Split pairs into folds that keep groups (authors, shared texts) together and classes balanced.

    Raises
    ------
    DataError : there are fewer groups than folds.
    LeakageError : a group stands on both sides (a guard; it cannot happen by construction).
    """
    import numpy as np
    from sklearn.model_selection import StratifiedGroupKFold

    groups = [pair.group for pair in pairs]
    if len(set(groups)) < n_folds:
        raise DataError(
            f"{len(set(groups))} authors cannot fill {n_folds} author-disjoint folds",
            remedy="lower stance.folds, or label posts of more authors",
        )
    strata = np.array([f"{pair.target}/{pair.stance}" for pair in pairs])
    if max(Counter(strata.tolist()).values()) < n_folds:
        strata = np.zeros(len(pairs), int)  # too few labels to balance anything
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    folds = []
    with warnings.catch_warnings():
        # scikit-learn warns when a (target, stance) stratum has fewer members than folds; with few labels that is usual
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        for train, test in splitter.split(np.zeros(len(pairs)), strata, groups):
            folds.append(Fold(train.tolist(), test.tolist()))
    for fold in folds:
        shared = {groups[i] for i in fold.train} & {groups[i] for i in fold.test}
        if shared:
            raise LeakageError(f"{len(shared)} authors stand in training and test", remedy="report this as a bug")
    return folds


def names_target(text: str, aliases: Sequence[str]) -> list[tuple[int, int]]:
    """Return the character spans of a text that name the target, any case, at the start of a word."""
    if not aliases:
        return []
    pattern = "|".join(re.escape(alias) for alias in sorted(aliases, key=len, reverse=True))
    return [match.span() for match in re.finditer(rf"(?<!\w)(?:{pattern})", text, flags=re.IGNORECASE)]
