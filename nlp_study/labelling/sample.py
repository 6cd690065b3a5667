"""`draw_sample(...)`: draw the posts to be labelled next, each with a known probability."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.config import Study
from nlp_study.errors import ConfigError, DataError
from nlp_study.labelling.designs import (
    LEAST_PER_STRATUM,
    Design,
    allocate,
    draw_systematically,
    spread_by_uncertainty,
    spread_evenly,
    spread_of_labels,
)
from nlp_study.labelling.draws import Draw, FramePost, check_name, read_draws, write_draw
from nlp_study.labelling.plan import Period, PlanRow, name_period, read_frame, sizes_of
from nlp_study.schema import TableName

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.store import Corpus

PERIODS = (Period.MONTH, Period.QUARTER, Period.HALF, Period.YEAR, Period.ALL)
"""From the finest to the coarsest: a stratified draw takes the first whose strata the labels can fill."""


def draws_folder(study: Study) -> Path:
    """Return the folder of the study's draws, `paths.draws`."""
    return study.resolve(study.paths.draws)


def choose_target(study: Study, target: str) -> str:
    """Return a target's id; the study's only one where none is named.

    Raises
    ------
    ConfigError : the study has several and none is named, or no such target.
    """
    known = [entry.id for entry in study.targets]
    if not target and len(known) == 1:
        return known[0]
    if target not in known:
        what = f"no target «{target}»" if target else "the study has several targets"
        raise ConfigError(what, remedy=f"name one with --target: {', '.join(known)}")
    return target


def missing_labels(study: Study, corpus: Corpus, plan: Iterable[PlanRow], *, target: str, by: Period) -> dict[str, int]:
    """Return how many posts of each period are still to be drawn for a plan, those of earlier draws taken off.

    Raises
    ------
    ConfigError : the target is wrong.
    """
    target = choose_target(study, target)
    drawn = {post_id for draw in read_draws(draws_folder(study), target=target) for post_id in draw.drawn}
    frame = read_frame(corpus, target, [str(stance) for stance in study.study.stances])
    there = Counter(name_period(row["published_at"], by) for row in frame if row["post_id"] in drawn)
    return {period: max(0, n - there[period]) for period, n in sizes_of(plan).items()}


def draw_sample(
    study: Study,
    corpus: Corpus,
    name: str,
    *,
    sizes: Mapping[str, int],
    by: Period = Period.ALL,
    design: Design = Design.RANDOM,
    target: str = "",
    period: Period | None = None,
    seed: int | None = None,
    write: bool = True,
) -> Draw:
    """Draw posts to be labelled toward a target and write the draw under `paths.draws`.

    Posts that repeat an earlier one, and those that an earlier draw for the target took, cannot be drawn; each other post has
    a probability above 0 if its period gives any. The same corpus, name, seed and earlier draws give the same posts.

    Parameters
    ----------
    name : of the draw: lower-case letters, digits and hyphens.
    sizes : posts to draw in each period, by its name; {"all": n} with `by` all.
    by : the periods of `sizes`.
    design : within each period. `random`: all alike. `stratified`: by time and predicted stance, more where the model is
        unsure (Neyman). `uncertain`: in proportion to the uncertainty of each post's label, a fifth spread evenly.
    period : of the strata; None: the finest for which each stratum can give two posts.
    seed : by default the study's; the name is mixed in, so that two draws are not alike.
    write : whether to write it; False shows what would be drawn.

    Raises
    ------
    ConfigError : the name or target is wrong, or the design needs predictions and there are none.
    DataError : there are fewer posts left than wanted, or fewer labels than strata.
    """
    import numpy as np

    check_name(name)
    target = choose_target(study, target)
    seed = study.study.seed if seed is None else seed
    earlier = read_draws(draws_folder(study), target=target)
    taken = {post_id for draw in earlier for post_id in draw.drawn}
    frame = read_frame(corpus, target, [str(stance) for stance in study.study.stances])
    if design is not Design.RANDOM and not any(row["stance"] for row in frame):
        raise ConfigError(f"a draw by design {design} needs predictions", remedy="run `nlp-study classify` first")
    groups: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(frame):
        groups[name_period(row["published_at"], by)].append(i)
    unknown = sorted(set(sizes) - set(groups))
    if unknown:
        raise ConfigError(f"no posts in {', '.join(unknown)}", remedy=f"periods are {', '.join(sorted(groups))}")
    rng = np.random.default_rng([seed, *name.encode()])
    posts: list[FramePost] = []
    for group, members in sorted(groups.items()):
        size = sizes.get(group, 0)
        rows = [frame[i] for i in members]
        free = np.array([row["post_id"] not in taken for row in rows])
        if size > free.sum():
            raise DataError(
                f"{size} posts are wanted{'' if by is Period.ALL else f' in {group}'} and {free.sum()} are left; "
                f"{len(rows) - free.sum()} were drawn before",
                remedy="ask for fewer, or import more posts",
            )
        if size:
            posts += draw_from_frame(rows, free, size, design, "" if by is Period.ALL else group, period, rng)
    record = corpus.record(TableName.PREDICTIONS)
    draw = Draw(
        name=name,
        target=target,
        design=design,
        size=sum(sizes.values()),
        seed=seed,
        model_id=str(record.counts.get("model_id", "")) if record and design is not Design.RANDOM else "",
        after=tuple(draw.name for draw in earlier),
        posts=tuple(posts),
    )
    if write:
        write_draw(draws_folder(study), draw)
    return draw


def draw_from_frame(
    rows: list[dict[str, Any]],
    free: np.ndarray,
    size: int,
    design: Design,
    group: str,
    period: Period | None,
    rng: np.random.Generator,
) -> list[FramePost]:
    """Draw `size` of the free posts by a design, and say with which probability each could be drawn.

    Posts that were drawn before have the probability that they would have had otherwise; it is needed to combine draws.

    Parameters
    ----------
    rows : the frame, as `read_frame` returns it, shape (n_posts,).
    free : whether a post can be drawn, shape (n_posts,).
    group : put before the names of strata.
    period : of the strata; None: the finest that `size` can fill.

    Raises
    ------
    DataError : the strata of `period` are too many for `size`.
    """
    import numpy as np

    strata = [group] * len(rows)
    if design is Design.STRATIFIED:
        strata = [f"{group} {name}".strip() for name in _name_strata(rows, free, size, period)]
    probas = _find_probas(rows, free, size, design, strata)
    drawn = np.zeros(len(rows), bool)
    for stratum in sorted(set(strata)):
        members = np.array([name == stratum for name in strata]) & free
        if members.any():
            drawn[members] = draw_systematically(probas[members], rng)
    return [
        FramePost(row["post_id"], stratum, float(proba), bool(taken))
        for row, stratum, proba, taken in zip(rows, strata, probas, drawn, strict=True)
    ]


def _name_strata(rows: list[dict[str, Any]], free: np.ndarray, size: int, period: Period | None) -> list[str]:
    strata: list[str] = []
    for tried in PERIODS if period is None else (period,):
        strata = [f"{name_period(row['published_at'], tried)} {row['stance'] or 'unpredicted'}" for row in rows]
        filled = {stratum for stratum, is_free in zip(strata, free, strict=True) if is_free}
        if LEAST_PER_STRATUM * len(filled) <= size:
            break
    return strata


def _find_probas(
    rows: list[dict[str, Any]], free: np.ndarray, size: int, design: Design, strata: list[str]
) -> np.ndarray:
    """Return the probability of every post, shape (n_posts,)."""
    import numpy as np

    if design is Design.RANDOM:
        return spread_evenly(len(rows), size) * len(rows) / free.sum()
    spread = spread_of_labels(np.array([row["probas"] for row in rows]))
    spread[[row["stance"] is None for row in rows]] = spread.max()  # nothing is known of them
    if design is Design.UNCERTAIN:
        return _extend(spread, spread_by_uncertainty(spread[free], size), free)
    members: dict[str, list[int]] = defaultdict(list)
    for i, stratum in enumerate(strata):
        members[stratum].append(i)
    filled = {stratum: found for stratum, found in sorted(members.items()) if free[found].any()}
    counts = [int(free[found].sum()) for found in filled.values()]
    # the label's standard deviation within a stratum: that of the stratum's mean probabilities
    spreads = [
        float(spread_of_labels(np.array([rows[i]["probas"] for i in found if free[i]]).mean(0)[None])[0])
        for found in filled.values()
    ]
    probas = np.ones(len(rows))  # a stratum that earlier draws took whole
    for found, n, n_free in zip(filled.values(), allocate(counts, spreads, size), counts, strict=True):
        probas[found] = n / n_free
    return probas


def _extend(spread: np.ndarray, probas_of_free: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Give posts that were drawn before the probability that a free post of the same uncertainty has: below 1 the
    probabilities lie on a line."""
    import numpy as np

    probas = np.ones(len(spread))
    probas[free] = probas_of_free
    below = free & (probas < 1)
    if not free.all() and below.any():
        same = np.ptp(spread[below]) < 1e-12
        slope, start = (0.0, probas[below].mean()) if same else np.polyfit(spread[below], probas[below], 1)
        probas[~free] = np.clip(start + slope * spread[~free], 1e-9, 1)
    return probas
