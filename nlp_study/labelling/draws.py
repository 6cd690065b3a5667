"""Draws of posts to be labelled, kept as small text under version control, and the probability that several draws give.

A draw is two files: `NAME.csv` holds every post that could be drawn with its stratum, its probability and whether it was
drawn; `NAME.json` says how, and is written last: a draw without it does not count. They hold ids, never texts.

The probability of a post after several draws is `1 - product(1 - p_d)`, where p_d is its probability in draw d. A draw takes
no post that an earlier one took, so p_d is the probability given that the earlier ones passed it over, and the product is the
probability of being passed over by all. This is exact for random draws; where the probabilities of a later draw rest on what
an earlier one brought (strata that it thinned out, a model that learnt from it) it is an approximation.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nlp_study.errors import ConfigError, DataError
from nlp_study.labelling.designs import Design
from nlp_study.store import write_file

COLUMNS = ("post_id", "stratum", "proba", "drawn")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")


@dataclass(frozen=True, slots=True)
class FramePost:
    """A post that a draw could take; `proba` is its inclusion probability in that draw."""

    post_id: str
    stratum: str
    proba: float
    drawn: bool


@dataclass(frozen=True)
class Draw:
    """One draw; `after` names the draws whose posts it passed over, `model_id` whose predictions it used."""

    name: str
    target: str
    design: Design
    size: int
    seed: int
    model_id: str = ""
    after: tuple[str, ...] = ()
    posts: tuple[FramePost, ...] = field(default=(), repr=False)

    @property
    def drawn(self) -> list[str]:
        """Ids of the posts that were drawn, sorted."""
        return sorted(post.post_id for post in self.posts if post.drawn)


def check_name(name: str) -> str:
    """Return the name of a draw.

    Raises
    ------
    ConfigError : it is no file name of lower-case letters, digits and hyphens.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"«{name}» is no name for a draw", remedy="use lower-case letters, digits and hyphens")
    return name


def write_draw(folder: Path, draw: Draw) -> Path:
    """Write a draw's two files, the description last; return the CSV file.

    Raises
    ------
    DataError : there is a draw of this name; draws are never replaced, because labels rest on them.
    StoreError : the folder cannot be written.
    """
    path = folder / f"{check_name(draw.name)}.csv"
    if path.with_suffix(".json").exists():
        raise DataError(
            f"there is a draw «{draw.name}» already", remedy="choose another name; draws are never replaced"
        )
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for post in sorted(draw.posts, key=lambda post: post.post_id):
        writer.writerow([post.post_id, post.stratum, repr(float(post.proba)), int(post.drawn)])
    write_file(path, buffer.getvalue())
    about = {name: value for name, value in asdict(draw).items() if name != "posts"}
    about |= {"n_frame": len(draw.posts), "n_drawn": len(draw.drawn)}
    write_file(path.with_suffix(".json"), json.dumps(about, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    return path


def read_draws(folder: Path, *, target: str | None = None) -> list[Draw]:
    """Return the draws in a folder by name; none where there is no folder.

    Parameters
    ----------
    target : only draws for labels toward it.

    Raises
    ------
    DataError : a draw's file is damaged.
    """
    if not folder.is_dir():
        return []
    draws = [_read_draw(path) for path in sorted(folder.glob("*.json"))]
    return [draw for draw in draws if target is None or draw.target == target]


def find_draw(folder: Path, name: str) -> Draw:
    """Return the draw of this name.

    Raises
    ------
    DataError : there is none.
    """
    draws = {draw.name: draw for draw in read_draws(folder)}
    if name not in draws:
        known = ", ".join(draws) or "none yet; make one with `nlp-study label sample`"
        raise DataError(f"there is no draw «{name}»", remedy=f"draws: {known}")
    return draws[name]


def _read_draw(path: Path) -> Draw:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        with path.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
            posts = tuple(
                FramePost(row["post_id"], row["stratum"], float(row["proba"]), row["drawn"] == "1")
                for row in csv.DictReader(file)
            )
        known = {name: about[name] for name in ("name", "target", "size", "seed", "model_id")}
        return Draw(**known, design=Design(about["design"]), after=tuple(about["after"]), posts=posts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"the draw {path.stem} is damaged: {error}", remedy=f"restore {path.name} and {path.stem}.csv from git"
        ) from None


def combine_probas(draws: Iterable[Draw], *, labelled: Collection[str] | None = None) -> dict[str, float]:
    """Return the probability of each post of the frames to be in any of the draws (and labelled), in [0, 1].

    Of a draw that is not labelled to the end, the labelled posts count as a random part of its strata: their probability is
    multiplied by the labelled part of the stratum's drawn posts. Tasks are exported in random order, so that this holds for
    annotators who work from the top.

    Parameters
    ----------
    draws : draws for one target.
    labelled : ids of posts that have a label; None: all drawn posts are taken to be labelled.
    """
    passed_over: dict[str, float] = {}
    known = None if labelled is None else set(labelled)
    for draw in draws:
        drawn = Counter(post.stratum for post in draw.posts if post.drawn)
        done = Counter(post.stratum for post in draw.posts if post.drawn and (known is None or post.post_id in known))
        for post in draw.posts:
            part = done[post.stratum] / drawn[post.stratum] if drawn[post.stratum] else 1.0
            passed_over[post.post_id] = passed_over.get(post.post_id, 1.0) * (1 - post.proba * part)
    return {post_id: 1 - p for post_id, p in passed_over.items()}


def count_strata(draw: Draw) -> list[dict[str, Any]]:
    """Return posts, drawn posts and mean probability of each stratum, as rows to print."""
    n, drawn, total = Counter[str](), Counter[str](), Counter[str]()
    for post in draw.posts:
        n[post.stratum] += 1
        drawn[post.stratum] += post.drawn
        total[post.stratum] += post.proba  # type: ignore[assignment]
    return [
        {"stratum": name or "all", "posts": n[name], "drawn": drawn[name], "mean proba": total[name] / n[name]}
        for name in sorted(n)
    ]
