"""What a comparison of a corpus with the training posts found: kept in the record of `predictions`, printed, warned of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

ALPHA = 0.01
MIN_UNKNOWN, MIN_DISTANCE, MIN_CLASS_SHIFT = 0.05, 1.5, 0.1
"""Least effects that are worth a warning. Swept with the embedded encoder (unknown words / distance / predicted labels):

- half of the demonstration posts by writer against the other half, 55 and 55 writers, 100 splits: at most 0.03 / 0.5 / 0.19,
  2 splits with a warning; 22 writers on the new side: at most 0.04 / 1.0 / 0.22, 2 warnings;
- halves of real blogs, of articles on ride hailing, of posts of 2015-2018 (100 splits each): at most 0.04 / 0.5, no warning;
- one personal blog against another on like subjects: -0.01 to 0.21 / 1.7 to 2.5; general news against articles on ride
  hailing: 0.07 / 1.8; a warning each time;
- the demonstration posts against articles on the same platforms, against real blogs, news and posts of 2015-2018:
  0.12 to 0.25 / 5.3 to 8.2 / 0.29 to 0.57, three warnings each time.
"""


class Question(StrEnum):
    """What is compared."""

    WORDS = "unknown words"
    """Share of running words that the training posts do not know, mean over writers; in training: of words that all other
    writers do not know. The effect is the difference."""
    VECTORS = "vectors"
    """Mahalanobis distance of the mean vectors of writers, in standard deviations between writers."""
    CLASSES = "predicted labels"
    """Total variation distance between predicted shares: the part of posts that would have to change their label."""


@dataclass(frozen=True, slots=True)
class Shift:
    """One comparison. `here` and `training` are the two sides where they are numbers of their own.

    `expected` is the effect that chance alone gives on average between samples of these sizes; `target` is empty where the
    comparison is not of one target.
    """

    question: Question
    effect: float
    threshold: float
    p_value: float
    expected: float
    here: float | None = None
    training: float | None = None
    target: str = ""

    @property
    def is_clear(self) -> bool:
        """Whether it is worth a warning: large enough to matter, and no chance."""
        return self.effect >= self.threshold and self.p_value < ALPHA


@dataclass(frozen=True, slots=True)
class Drift:
    """What `check_drift` found; `reason` says why nothing could be compared, and is empty otherwise."""

    n_posts: int
    n_writers: int
    n_training_posts: int
    n_training_writers: int
    shifts: tuple[Shift, ...] = ()
    reason: str = ""

    @property
    def clear(self) -> tuple[Shift, ...]:
        """The comparisons that are worth a warning."""
        return tuple(shift for shift in self.shifts if shift.is_clear)

    def as_counts(self) -> dict[str, Any]:
        """Return it as plain values for the record of a run; `from_counts` reads them."""
        shifts = [{**asdict(shift), "question": str(shift.question)} for shift in self.shifts]
        return {**asdict(self), "shifts": shifts, "warnings": [str(shift.question) for shift in self.clear]}

    @classmethod
    def from_counts(cls, counts: Mapping[str, Any]) -> Drift:
        """Make it of what a record keeps."""
        shifts = tuple(Shift(**{**row, "question": Question(row["question"])}) for row in counts["shifts"])
        kept = {key: value for key, value in counts.items() if key not in ("shifts", "warnings")}
        return cls(**kept, shifts=shifts)


def list_shifts(drift: Drift) -> pa.Table:
    """Return a row a comparison: its effect, what chance gives, its threshold, and whether it is worth a warning."""
    import pyarrow as pa

    return pa.Table.from_pylist(
        [
            {
                "compared": f"{shift.question}{f': {shift.target}' if shift.target else ''}",
                "here": shift.here,
                "training": shift.training,
                "effect": shift.effect,
                "by chance": shift.expected,
                "p": shift.p_value,
                "warn from": shift.threshold,
                "warning": "yes" if shift.is_clear else "no",
            }
            for shift in drift.shifts
        ]
    )


def describe_drift(drift: Drift) -> str:
    """Return one sentence on what is worth a warning, and what to do; empty if nothing is."""
    if not drift.clear:
        return ""
    parts = []
    for shift in drift.clear:
        if shift.question is Question.WORDS:
            parts.append(
                f"{shift.here:.1%} of their words are unknown to the training posts ({shift.training:.1%} is usual)"
            )
        elif shift.question is Question.VECTORS:
            parts.append(f"their mean vector lies {shift.effect:.1f} standard deviations away")
        else:
            parts.append(f"{shift.effect:.0%} of the predicted labels toward {shift.target} have shifted")
    return (
        f"{drift.n_posts} posts differ from those that the model learnt from: {'; '.join(parts)}. The figures of the "
        "evaluation need not hold for them: label some of them, import the labels, and run again (details: nlp-study drift)"
    )
