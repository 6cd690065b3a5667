"""Merges, splits and names given by hand, kept in `corpus/topics.toml` and found again in every refit by content."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

N_WORDS = 30
"""Words of a topic of the present fit among which those of an edited topic are looked for."""
N_SEGMENTS = 30
"""Segments that are remembered of an edited topic: its strongest."""
SAME = 0.4
"""Overlap from which a topic of the present fit is the edited one.

Between fits of the demonstration posts with three seeds the best match of a topic overlaps by 0.58 at least (0.95 in the
median), the second best by 0.1 in the median and 0.43 at most.
"""

_FEW_LEFT = 1 / 3
_HEAD = """\
# Changes to the topics, applied in this order after every fit. Written by `nlp-study topics merge`, `split`, `rename`;
# may be edited by hand. A topic is known by its words and by digests of its strongest segments, never by its number.
"""


class Action(StrEnum):
    """What an edit does."""

    MERGE = "merge"
    SPLIT = "split"
    RENAME = "rename"


@dataclass(frozen=True)
class TopicContent:
    """What a topic is known by: words, best first, and digests of segments, strongest first."""

    words: tuple[str, ...]
    segments: tuple[str, ...]


@dataclass(frozen=True)
class Edit:
    """One change by hand; `into` is the number of parts of a split, `name` the new name (empty: by rule)."""

    action: Action
    topics: tuple[TopicContent, ...]
    name: str = ""
    into: int = 2

    def describe(self) -> str:
        """Return what the edit does, in words."""
        known = " and ".join(f"«{' '.join(topic.words[:3])}»" for topic in self.topics)
        return f"{self.action} of {known}" + (f" as «{self.name}»" if self.name else "")


@dataclass
class EditedTopics:
    """Topics while edits are applied.

    `labels` is the topic of each segment, `groups` the topic by which a segment's strength is measured (parts of a topic that
    was split by hand share one), both shape (n_segments,); `names` are those given by hand.
    """

    labels: np.ndarray
    groups: np.ndarray
    names: dict[int, str] = field(default_factory=dict)
    n_applied: int = 0
    lost: list[str] = field(default_factory=list)


def digest_segment(text: str) -> str:
    """Return the digest by which a segment is remembered: 12 hex digits of the sha256 of its text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_edits(path: Path) -> list[Edit]:
    """Return the edits of a file, in order; none where there is no file.

    Raises
    ------
    ConfigError : the file is no TOML, or an entry lacks what it needs.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", remedy="mend that line, or delete the file") from None
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}", remedy="check topics.edits in the study file"
        ) from None
    entries = content.get("edit", [])
    if set(content) - {"edit"} or not isinstance(entries, list):
        raise ConfigError(
            f"{path}: expected [[edit]] entries only", remedy="see docs/topics.md for the form of an entry"
        )
    return [_read_edit(entry, f"{path}, entry {place}") for place, entry in enumerate(entries, 1)]


def write_edits(path: Path, edits: Sequence[Edit]) -> None:
    """Write edits to a file, atomically; what was there is replaced."""
    from nlp_study.store import write_file

    lines = [_HEAD]
    for edit in edits:
        lines += ["[[edit]]", f'action = "{edit.action}"']
        if edit.name:
            lines.append(f"name = {_quote(edit.name)}")
        if edit.action is Action.SPLIT:
            lines.append(f"into = {edit.into}")
        for topic in edit.topics:
            lines += ["[[edit.topics]]", f"words = [{', '.join(map(_quote, topic.words))}]"]
            lines.append(f"segments = [{', '.join(map(_quote, topic.segments))}]")
        lines.append("")
    write_file(path, "\n".join(lines))


def overlap(content: TopicContent, words: Sequence[str], segments: set[str], corpus_segments: set[str]) -> float:
    """Return how much of an edited topic is in a topic of the present fit, in [0, 1].

    The mean of two shares: of the remembered words that are among the topic's, and of the remembered segments that are in it.
    Segments that the corpus no longer holds do not count; where less than a third is left, words alone decide.
    """
    shared_words = len(set(content.words) & set(words)) / max(1, len(content.words))
    left = [segment for segment in content.segments if segment in corpus_segments]
    if not left or len(left) < _FEW_LEFT * len(content.segments):
        return shared_words
    return (shared_words + sum(segment in segments for segment in left) / len(left)) / 2


def apply_edits(
    edits: Sequence[Edit],
    labels: np.ndarray,
    digests: Sequence[str],
    *,
    find_words: Callable[[np.ndarray], Mapping[int, Sequence[str]]],
    split: Callable[[np.ndarray, int], np.ndarray],
) -> EditedTopics:
    """Apply edits in order to a fit's topics.

    Topics of an edit are matched with those at hand so that the sum of overlaps is greatest (Kuhn 1955). Where one of them
    has no match, nothing of the edit is applied and it is listed in `lost`; a merge of topics that are one already is done.

    Parameters
    ----------
    labels : topic of each segment, shape (n_segments,).
    digests : of the segments' texts, shape (n_segments,).
    find_words : gives each topic's words, best first, for some labels.
    split : gives the part, from 0, of each of a topic's segments, for its segments' places and the number of parts.
    """
    import numpy as np

    state = EditedTopics(labels.copy(), labels.copy())
    for edit in edits:
        numbers = _match(edit, state.labels, digests, find_words(state.labels))
        if numbers is None:
            state.lost.append(edit.describe())
            continue
        state.n_applied += 1
        first = numbers[0]
        if edit.action is Action.SPLIT:
            members = np.flatnonzero(state.labels == first)
            parts = split(members, edit.into)
            fresh = int(state.labels.max())
            state.labels[members] = np.where(parts == 0, first, fresh + parts)
            state.names.pop(first, None)
            continue
        for other in numbers[1:]:
            state.labels[state.labels == other] = first
            joined = np.unique(state.groups[state.labels == first])
            state.groups[np.isin(state.groups, joined)] = joined[0]
            state.names.pop(other, None)
        if edit.name:
            state.names[first] = edit.name
        elif len(numbers) > 1:
            state.names.pop(first, None)
    return state


def _match(
    edit: Edit, labels: np.ndarray, digests: Sequence[str], words: Mapping[int, Sequence[str]]
) -> list[int] | None:
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    present = set(digests)
    numbers = sorted(words)
    held = {number: {digests[place] for place in np.flatnonzero(labels == number).tolist()} for number in numbers}
    scores = np.array(
        [
            [overlap(topic, words[number][:N_WORDS], held[number], present) for number in numbers]
            for topic in edit.topics
        ]
    ).reshape(len(edit.topics), len(numbers))
    if not numbers or scores.max(1).min() < SAME:
        return None
    best = scores.argmax(1)
    if len(set(best.tolist())) == 1:  # one topic, or topics that the fit itself has joined
        return [numbers[best[0]]]
    rows, columns = linear_sum_assignment(-scores) if len(edit.topics) <= len(numbers) else ([], [])
    if (
        len(rows) < len(edit.topics)
        or min(scores[row, column] for row, column in zip(rows, columns, strict=True)) < SAME
    ):
        return None
    return [numbers[column] for column in columns]


def _read_edit(entry: dict[str, Any], where: str) -> Edit:
    try:
        action = Action(entry["action"])
        topics = tuple(
            TopicContent(tuple(map(str, topic["words"])), tuple(map(str, topic.get("segments", ()))))
            for topic in entry["topics"]
        )
        edit = Edit(action, topics, name=str(entry.get("name", "")), into=int(entry.get("into", 2)))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{where} cannot be understood: {type(error).__name__} {error}",
            remedy="an entry has action = merge, split or rename, and [[edit.topics]] with words; see docs/topics.md",
        ) from None
    least = 2 if action is Action.MERGE else 1
    if len(topics) < least or (action is not Action.MERGE and len(topics) > 1):
        raise ConfigError(f"{where}: {action} with {len(topics)} topics", remedy="merge needs two or more, others one")
    if action is Action.RENAME and not edit.name:
        raise ConfigError(f"{where}: rename without a name", remedy='add name = "..."')
    if edit.into < 2:
        raise ConfigError(f"{where}: a split into {edit.into}", remedy="into must be 2 or more")
    return edit


def _quote(text: str) -> str:
    """A TOML basic string; JSON's escapes are valid there."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
