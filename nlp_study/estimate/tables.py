"""`list_estimates(...)`: shares of every period, topic, category, badge and third of the writers, by every method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nlp_study.errors import DataError
from nlp_study.estimate.corpus import StudyPosts
from nlp_study.estimate.observations import Observations
from nlp_study.estimate.periods import LENGTHS, Grain, Period, month_date, name_period
from nlp_study.estimate.pooling import Adjustment, has_own_rectifier, learn_adjustment, measure_drift, pool_errors
from nlp_study.estimate.shares import (
    OFF_TARGET,
    Difference,
    Method,
    Population,
    Shares,
    Tuning,
    finish_shares,
    subtract_shares,
    sum_errors,
    tie_errors,
    tune,
)

PREDICTIONS_NOTE = "the classifier's errors are not in the interval"


@dataclass(frozen=True)
class Estimator:
    """Estimates of any part of a target's posts; what all parts have in common is measured once."""

    posts: StudyPosts
    population: Population = Population.WRITERS
    alpha: float = 0.05

    @cached_property
    def whole(self) -> Observations:
        """All posts."""
        return tie_errors(self.posts.observations, self.population)

    @cached_property
    def methods(self) -> tuple[Method, ...]:
        """Methods that the labels allow."""
        return tuple(Method) if self.posts.is_corrected else (Method.PREDICTIONS,)

    @cached_property
    def tunings(self) -> dict[Method, Tuning]:
        """What all posts say of λ and of the variance, by method."""
        return {method: tune(self.whole, method=method, population=self.population) for method in self.methods}

    @cached_property
    def adjustment(self) -> Adjustment:
        """How predictions of parts with few labels become shares."""
        return learn_adjustment(self.whole, self.tunings[Method.CORRECTED], self.population)

    @cached_property
    def drift(self) -> dict[str, float]:
        """What the adjustment is wrong by beyond chance: `all` between quarters, else between groups of a kind."""
        quarters = self.posts.months // LENGTHS[Grain.QUARTER]
        parts = {"all": [np.flatnonzero(quarters == quarter) for quarter in np.unique(quarters)]}
        parts |= {kind: list(named.values()) for kind, named in self.posts.groups.items()}
        tuning = self.tunings[Method.CORRECTED]
        return {
            kind: measure_drift([self.whole.take(part) for part in found], self.adjustment, tuning)
            for kind, found in parts.items()
        }

    def positions(self, period: Period | None, kind: str = "all", group: str = "") -> np.ndarray:
        """Return the positions of a period's posts in a group.

        Raises
        ------
        DataError : there is no such kind or group.
        """
        found = np.arange(len(self.whole))
        if kind != "all":
            named = self.posts.groups.get(kind)
            if named is None or group not in named:
                known = ", ".join(named or self.posts.groups)
                raise DataError(f"no posts of {kind} «{group}»", remedy=f"there are {known}")
            found = named[group]
        if period is not None:
            months = self.posts.months[found]
            found = found[(months >= period.first) & (months <= period.last)]
        return found

    def estimate(
        self,
        period: Period | None = None,
        *,
        kind: str = "all",
        group: str = "",
        method: Method = Method.CORRECTED,
        on_target: bool = False,
    ) -> Shares | None:
        """Return the shares of a period and group; None where there are no posts, or no labels for method `labels`.

        Parameters
        ----------
        period : None for all time.
        on_target : shares of the posts that are not `irrelevant`.
        """
        where = self.positions(period, kind, group)
        return next(iter(self.estimate_posts(where, period, kind=kind, method=method, bases=(on_target,))), None)

    def estimate_posts(
        self,
        where: np.ndarray,
        period: Period | None,
        *,
        kind: str,
        method: Method,
        bases: Sequence[bool] = (False,),
    ) -> list[Shares]:
        """Return the shares of these posts for each base (`on_target` or not); empty where there is nothing to estimate."""
        part = self.whole.take(where)
        if not len(part) or (method is Method.LABELS and not part.n_labels):
            return []
        tuning = self.tunings[method]
        own, drift, note = True, 0.0, ""
        if method is Method.CORRECTED:
            if len(part) == len(self.whole) or (_is_long(period) and has_own_rectifier(part)):
                errors = sum_errors(part, tuning, method=method, population=self.population)
                note = f"corrected by its own {part.n_labels} labels"
            else:
                errors, weight = pool_errors(part, self.adjustment, tuning, population=self.population)
                drift = max(self.drift["all"] if period else 0.0, self.drift[kind]) * (1 - weight) ** 2
                own = self.population is Population.WRITERS
                note = f"its {part.n_labels} labels weigh {weight:.0%}, its predictions, adjusted by all "
                note += f"{self.whole.n_labels} labels, {1 - weight:.0%}"
        else:
            errors = sum_errors(part, tuning, method=method, population=self.population)
            note = PREDICTIONS_NOTE if method is Method.PREDICTIONS else ""
        return [
            finish_shares(
                part,
                errors,
                tuning,
                method=method,
                on_target=on_target,
                alpha=self.alpha,
                own_variance=own,
                drift=drift,
                note=note,
            )
            for on_target in bases
        ]

    def compare(
        self,
        before: Period,
        after: Period,
        *,
        kind: str = "all",
        group: str = "",
        method: Method = Method.CORRECTED,
        on_target: bool = False,
    ) -> Difference:
        """Return the difference of a period's shares from an earlier one's.

        Raises
        ------
        DataError : one of them has no posts or no labels.
        """
        found = []
        for period in (before, after):
            shares = self.estimate(period, kind=kind, group=group, method=method, on_target=on_target)
            if shares is None:
                raise DataError(f"there is nothing to estimate in {period}", remedy="choose another period or method")
            found.append(shares)
        return subtract_shares(found[0], found[1], alpha=self.alpha)


def list_estimates(estimator: Estimator) -> Iterator[dict[str, Any]]:
    """Yield rows of the table `estimates`: every group and period that has posts, by every method the labels allow."""
    posts = estimator.posts
    kinds = [("all", "", np.arange(len(posts.months)))]
    kinds += [(kind, name, where) for kind, named in posts.groups.items() for name, where in named.items()]
    for kind, group, where in kinds:
        months = posts.months[where]
        for grain in Grain:
            length = LENGTHS.get(grain)
            starts = months // length * length if length else np.zeros_like(months)
            for start in np.unique(starts).tolist():
                period = Period(start, start + length - 1) if length else None
                inside = where[starts == start]
                first = month_date(start if length else int(posts.months.min()))
                key = {"target": posts.target, "grain": str(grain), "period": first, "group_kind": kind, "group": group}
                for method in estimator.methods:
                    yield from _rows(estimator, key, period, method, inside)


def _rows(
    estimator: Estimator, key: dict[str, Any], period: Period | None, method: Method, where: np.ndarray
) -> Iterator[dict[str, Any]]:
    stances = estimator.whole.stances
    bases = (False, True) if OFF_TARGET in stances else (False,)
    found = estimator.estimate_posts(where, period, kind=key["group_kind"], method=method, bases=bases)
    part = estimator.whole.take(where)
    counts = {"n_posts": len(where), "n_labels": part.n_labels, "n_authors": part.n_authors}
    for index, stance in enumerate(stances):
        row = {**key, "stance": stance, "method": str(method), **counts}
        if not found:
            yield {**row, "note": "no label in this part"}
            continue
        shares = found[0]
        row |= _values(shares, index)
        row |= {"se": float(shares.se[index]), "n_effective": float(shares.n_effective[index])}
        row |= {"power": None if method is Method.PREDICTIONS else shares.power, "note": shares.note}
        if len(found) > 1 and stance != OFF_TARGET:
            row |= {f"{name}_on": value for name, value in _values(found[1], index).items()}
        yield row


def _values(shares: Shares, index: int) -> dict[str, float]:
    return {name: float(getattr(shares, name)[index]) for name in ("share", "low", "high", "low_all", "high_all")}


def _is_long(period: Period | None) -> bool:
    return period is None or period.last - period.first + 1 >= LENGTHS[Grain.HALF]


def describe_period(grain: str, first: Any) -> str:
    """Return what a reader calls the period of a row: `all`, 2023, 2023-H2, 2023-Q3 or 2023-07."""
    kind = Grain(grain)
    return "all" if kind is Grain.ALL else name_period(first.year * 12 + first.month - 1, kind)
