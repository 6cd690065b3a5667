"""`choose_posts(corpus, subcorpus)`: which posts a concordance reads, by fields of the post, stance, topic and month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nlp_study.errors import DataError
from nlp_study.schema import COUNTED_ONCE

if TYPE_CHECKING:
    from nlp_study.concordance.match import Deadline
    from nlp_study.store import Corpus

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Subcorpus:
    """Which posts are read. Everything given must hold.

    Attributes
    ----------
    where : SQL condition on the columns of `posts`, such as `category = 'Ekonomi' AND n_views > 1000`.
    stance, target : posts that the model found to have this stance; toward any target unless one is named. Pairs that it
        left undecided are in none.
    topic : posts with a segment in this topic.
    since, until : first and last month of publication, `2024-01`.
    with_copies : read also posts that repeat an earlier one; otherwise only the first of each group.
    """

    where: str = ""
    stance: str = ""
    target: str = ""
    topic: int | None = None
    since: str = ""
    until: str = ""
    with_copies: bool = False


def choose_posts(corpus: Corpus, subcorpus: Subcorpus, *, deadline: Deadline) -> set[str] | None:
    """Return the ids of the posts to read, or None for all.

    Raises
    ------
    DataError : a month is none, the condition is no SQL over `posts`, or time ran out.
    """
    conditions, parameters = _list_conditions(subcorpus)
    if not conditions:
        return None
    query = f"SELECT post_id FROM posts WHERE {' AND '.join(conditions)}"
    found = corpus.fetch(query, parameters, time_limit_s=deadline.left())
    return set(found["post_id"].to_pylist())


def _list_conditions(subcorpus: Subcorpus) -> tuple[list[str], dict[str, str | int]]:
    conditions: list[str] = []
    parameters: dict[str, str | int] = {}
    if not subcorpus.with_copies:
        conditions.append(COUNTED_ONCE)
    if subcorpus.where.strip():
        # on a line of its own, so that a comment at its end does not take the bracket along
        conditions.append(f"({subcorpus.where}\n)")
    if subcorpus.stance or subcorpus.target:
        part = ["NOT coalesce(abstained, false)"]
        for name in ("stance", "target"):
            value = getattr(subcorpus, name)
            if value:
                part.append(f"{name} = ${name}")
                parameters[name] = value
        conditions.append(f"post_id IN (SELECT post_id FROM predictions WHERE {' AND '.join(part)})")
    if subcorpus.topic is not None:
        conditions.append("post_id IN (SELECT post_id FROM topic_assignments WHERE topic_id = $topic)")
        parameters["topic"] = subcorpus.topic
    for name, sign in (("since", ">="), ("until", "<=")):
        month = getattr(subcorpus, name)
        if month:
            if not _MONTH.fullmatch(month):
                raise DataError(f"--{name} {month!r} is no month", remedy="for example 2024-06")
            conditions.append(f"month {sign} ${name}")
            parameters[name] = month
    return conditions, parameters
