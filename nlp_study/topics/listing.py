"""What `nlp-study topics` prints, and how an edit by hand is written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlp_study.errors import DataError
from nlp_study.schema import OUTLIER_TOPIC, TableName

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.store import Corpus
    from nlp_study.topics.edits import Action

_N_WORDS = 10


@dataclass(frozen=True)
class WrittenEdit:
    """An edit that was written down: what it does, and what its topics are known by."""

    description: str
    segments: tuple[str, ...]


def list_topics(corpus: Corpus) -> pa.Table:
    """Return one row a topic; `mark` says `unstable` where refits do not find it again."""
    return corpus.fetch(
        "SELECT topic_id, name, n_segments, n_posts, n_reassigned, stability, "
        "CASE WHEN is_stable THEN '' WHEN is_stable IS NULL THEN '' ELSE 'unstable' END AS mark, npmi, "
        "array_to_string(words, ' ') AS words FROM topics ORDER BY topic_id"
    )


def list_paragraphs(corpus: Corpus, topic_id: int, *, limit: int = 10) -> pa.Table:
    """Return a topic's representative segments, then its strongest.

    Raises
    ------
    DataError : there is no such topic.
    """
    _find_rows(corpus, [topic_id])
    return corpus.fetch(
        "WITH t AS (SELECT representative_segments AS chosen FROM topics WHERE topic_id = $topic) "
        "SELECT segment_id, list_contains(chosen, segment_id) AS representative, proba AS strength, reassigned, title, "
        "s.text AS text FROM topic_assignments a JOIN segments s USING (segment_id) "
        "LEFT JOIN (SELECT post_id, title FROM posts) p ON p.post_id = a.post_id, t WHERE a.topic_id = $topic "
        "ORDER BY coalesce(list_position(chosen, segment_id), 1000), proba DESC, segment_id LIMIT $limit",
        {"topic": topic_id, "limit": limit if limit else 1_000_000_000},
    )


def describe_topic(corpus: Corpus, topic_id: int) -> list[str]:
    """Return lines on one topic: its name, size, words with weights, stability, nearest topics.

    Raises
    ------
    DataError : there is no such topic.
    """
    (row,) = _find_rows(corpus, [topic_id])
    lines = [f"topic {topic_id}: {row['name']}"]
    lines.append(f"  {row['n_segments']} segments of {row['n_posts']} posts, {row['n_reassigned'] or 0} reassigned")
    if row["stability"] is not None:
        mark = "" if row["is_stable"] else ", unstable: refits do not find it again"
        lines.append(f"  stability {row['stability']:.2f}{mark}")
    if row["npmi"] is not None:
        lines.append(f"  coherence (NPMI) {row['npmi']:.2f}")
    if row["words"]:
        pairs = zip(row["words"], row["weights"], strict=True)
        lines.append("  words: " + ", ".join(f"{word} {weight:.2f}" for word, weight in pairs))
    near = _list_near(corpus, topic_id)
    if near:
        lines.append("  joined first with: " + ", ".join(near))
    return lines


def list_tree(corpus: Corpus) -> pa.Table:
    """Return the tree as a table, columns of `topic_tree` with lists as text."""
    return corpus.fetch(
        "SELECT node, parent, height, n_segments, array_to_string(topics, ' ') AS topics, "
        "array_to_string(words, ' ') AS words FROM topic_tree ORDER BY node"
    )


def draw_tree(corpus: Corpus) -> list[str]:
    """Return the tree as lines for a terminal: joined nodes with their words, topics with their names."""
    rows = {row["node"]: row for row in corpus.read(TableName.TOPIC_TREE).to_pylist()}
    names = {row["topic_id"]: row for row in corpus.read(TableName.TOPICS).to_pylist()}
    children: dict[int | None, list[int]] = {}
    for node, row in rows.items():
        children.setdefault(row["parent"], []).append(node)
    lines: list[str] = []
    # a stack: a tree of a hundred topics may be a hundred deep
    waiting = [(node, "", "") for node in children.get(None, [])]
    while waiting:
        node, lead, indent = waiting.pop()
        row = rows[node]
        if node in names:
            mark = " (unstable)" if names[node]["is_stable"] is False else ""
            lines.append(f"{lead}{node} {names[node]['name']}, {row['n_segments']} segments{mark}")
        else:
            lines.append(f"{lead}[{row['height']:.2f}] {' '.join(row['words'][:5])}")
        below = sorted(children.get(node, []), key=lambda child: (rows[child]["height"], child))
        waiting += [
            (child, indent + ("└─ " if place == 0 else "├─ "), indent + ("   " if place == 0 else "│  "))
            for place, child in enumerate(reversed(below))
        ]
    return lines


def list_quality(corpus: Corpus) -> pa.Table:
    """Return the figures of the fit, one a row."""
    return corpus.fetch("SELECT measure, value FROM topic_quality")


def list_stability(corpus: Corpus) -> pa.Table:
    """Return each topic's stability, least stable first."""
    return corpus.fetch(
        "SELECT topic_id, name, n_segments, n_reassigned, stability, "
        "CASE WHEN is_stable THEN 'stable' ELSE 'unstable' END AS mark, npmi "
        f"FROM topics WHERE topic_id <> {OUTLIER_TOPIC} AND stability IS NOT NULL ORDER BY stability, topic_id"
    )


def write_edit(
    study: Study, corpus: Corpus, action: Action, topic_ids: Sequence[int], *, name: str = "", into: int = 2
) -> WrittenEdit:
    """Add an edit of present topics to the study's file of edits.

    Raises
    ------
    DataError : there is no such topic, or one is named twice.
    ConfigError : the file of edits cannot be read.
    """
    from nlp_study.topics.edits import N_SEGMENTS, Edit, TopicContent, digest_segment, read_edits, write_edits
    from nlp_study.topics.fit import edits_path

    if len(set(topic_ids)) < len(topic_ids):
        raise DataError("a topic is named twice", remedy="name each topic once; `nlp-study topics` lists them")
    if OUTLIER_TOPIC in topic_ids:
        raise DataError("outliers are no topic", remedy="lower topics.outlier_threshold to have fewer of them")
    contents = []
    for row in _find_rows(corpus, topic_ids):
        strongest = corpus.fetch(
            "SELECT s.text FROM topic_assignments a JOIN segments s USING (segment_id) WHERE a.topic_id = $topic "
            "ORDER BY a.proba DESC, segment_id LIMIT $limit",
            {"topic": row["topic_id"], "limit": N_SEGMENTS},
        )
        digests = tuple(dict.fromkeys(digest_segment(text) for text in strongest["text"].to_pylist()))
        contents.append(TopicContent(tuple(row["words"][:_N_WORDS]), digests))
    edit = Edit(action, tuple(contents), name=name.strip(), into=into)
    path = edits_path(study)
    write_edits(path, [*read_edits(path), edit])
    return WrittenEdit(edit.describe(), tuple(digest for content in contents for digest in content.segments))


def find_topics(corpus: Corpus, digests: Sequence[str]) -> list[int]:
    """Return the topics that hold segments of these digests, the one with most first; outliers left out."""
    from nlp_study.topics.edits import digest_segment

    wanted = set(digests)
    rows = corpus.fetch("SELECT text, topic_id FROM topic_assignments JOIN segments USING (segment_id)").to_pylist()
    held = Counter(row["topic_id"] for row in rows if digest_segment(row["text"]) in wanted)
    held.pop(OUTLIER_TOPIC, None)
    return [topic for topic, n in sorted(held.items(), key=lambda pair: (-pair[1], pair[0])) if n > len(wanted) / 10]


def lost_edits(corpus: Corpus) -> list[str]:
    """Return the edits whose topics the last fit did not find."""
    record = corpus.record(TableName.TOPICS)
    return list(record.counts.get("edits_not_found", [])) if record else []


def _find_rows(corpus: Corpus, topic_ids: Sequence[int]) -> list[dict[str, Any]]:
    rows = {row["topic_id"]: row for row in corpus.read(TableName.TOPICS).to_pylist()}
    for topic in topic_ids:
        if topic not in rows:
            raise DataError(f"no topic {topic}", remedy="`nlp-study topics` lists topics and their numbers")
    return [rows[topic] for topic in topic_ids]


def _list_near(corpus: Corpus, topic_id: int) -> list[str]:
    rows = corpus.read(TableName.TOPIC_TREE).to_pylist()
    parent = next((row["parent"] for row in rows if row["node"] == topic_id), None)
    names = {row["topic_id"]: row["name"] for row in corpus.read(TableName.TOPICS).to_pylist()}
    joined: list[int] = next((row["topics"] for row in rows if row["node"] == parent), []) if parent is not None else []
    return [f"{topic} {names[topic]}" for topic in joined if topic != topic_id][:5]
