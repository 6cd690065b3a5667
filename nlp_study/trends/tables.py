"""`write_trends(...)`: the stage that counts months and writes estimates, smoothed lines, changes and compositions."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_study.errors import DataError
from nlp_study.estimate.corpus import read_posts
from nlp_study.estimate.periods import LENGTHS, Grain, Period, month_date
from nlp_study.estimate.shares import OFF_TARGET, Population
from nlp_study.estimate.tables import Estimator, list_estimates
from nlp_study.schema import TableName, table_specs
from nlp_study.trends.changes import MIN_MONTHS, find_changes
from nlp_study.trends.counts import check_predictions, count_trends
from nlp_study.trends.decompose import Component, decompose_periods
from nlp_study.trends.series import Series, monthly_series
from nlp_study.trends.smooth import TrendLine, smooth_trend

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus, RunRecord

logger = logging.getLogger(__name__)

TABLE_SAMPLES = 200
"""Resamples of authors behind each composition of the table; `nlp-study decompose` takes 1,000."""
COMPOSITION_BY = ("author", "prolific", "topic", "category")
_BANDS = ("share", "low", "high", "low_all", "high_all")


def write_trends(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any]:
    """Write the tables `trends`, `estimates`, `trend_lines`, `changes` and `compositions`.

    A target of which no dated post is classified has no rows in them.

    Raises
    ------
    DataError : there are no predictions.
    """
    from tqdm import tqdm

    check_predictions(corpus)
    rows: dict[TableName, list[dict[str, Any]]] = {
        TableName.ESTIMATES: [],
        TableName.TREND_LINES: [],
        TableName.CHANGES: [],
        TableName.COMPOSITIONS: [],
    }
    n_labels, notes = 0, {}
    with tqdm(total=len(study.targets) * len(rows), desc="estimate", unit=" tables", disable=None, leave=False) as bar:
        for target in study.targets:
            try:
                estimator = open_estimator(study, corpus, target.id)
            except DataError as error:
                logger.info("no estimates toward %s: %s", target.id, error.what)
                bar.update(len(rows))
                continue
            n_labels += estimator.posts.observations.n_labels
            if estimator.posts.note:
                notes[target.id] = estimator.posts.note
            for name, found in (
                (TableName.ESTIMATES, list_estimates(estimator)),
                (TableName.TREND_LINES, list_trend_lines(estimator, seed=study.study.seed)),
                (TableName.CHANGES, list_changes(estimator, seed=study.study.seed)),
                (TableName.COMPOSITIONS, list_compositions(estimator, seed=study.study.seed)),
            ):
                rows[name] += found
                bar.update()
    for name, found in rows.items():
        corpus.write(name, _table(name, found), replace(record, counts={}))
    # last: its record says whether the stage is fresh, and a killed run must not seem so
    counts = count_trends(study, corpus, record)
    counts |= {"drawn_labels": n_labels, "changes": len(rows[TableName.CHANGES])}
    if notes:
        counts["notes"] = notes
    done = corpus.record(TableName.TRENDS)
    if done is not None:
        corpus.write_record(TableName.TRENDS, replace(done, counts=counts))
    return counts


def _table(name: TableName, rows: list[dict[str, Any]]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist(rows, schema=table_specs()[name].schema)


def open_estimator(study: Study, corpus: Corpus, target: str) -> Estimator:
    """Return what estimates of a target's posts are made with.

    Raises
    ------
    DataError : no dated post of the target is classified.
    """
    posts = read_posts(study, corpus, target)
    return Estimator(posts, Population(study.estimate.population), 1 - study.estimate.confidence)


def list_trend_lines(estimator: Estimator, *, seed: int) -> Iterator[dict[str, Any]]:
    """Yield rows of the table `trend_lines`, by every method the labels allow."""
    for method in estimator.methods:
        plain = _smooth(monthly_series(estimator, method=method), estimator.alpha, seed)
        on = {}
        if OFF_TARGET in estimator.whole.stances:
            on = _smooth(monthly_series(estimator, method=method, on_target=True), estimator.alpha, seed)
        for stance, line in plain.items():
            other = on.get(stance) if stance != OFF_TARGET else None
            for i, month in enumerate(line.months.tolist()):
                row = {"target": estimator.posts.target, "stance": stance, "month": month_date(month)}
                row |= {"method": str(method), "step": line.step}
                row |= {name: float(getattr(line, name)[i]) for name in _BANDS}
                if other is not None:
                    row |= {f"{name}_on": float(getattr(other, name)[i]) for name in _BANDS}
                yield row


def _smooth(series: Series, alpha: float, seed: int) -> dict[str, TrendLine]:
    return {
        stance: smooth_trend(
            series.months,
            series.shares[:, k],
            series.variances[:, k],
            common_variance=float(series.common_variance[k]),
            df=series.df,
            alpha=alpha,
            seed=seed,
        )
        for k, stance in enumerate(series.stances)
    }


def list_changes(estimator: Estimator, *, seed: int) -> list[dict[str, Any]]:
    """Return rows of the table `changes`, the clearest first.

    Shares are of the posts on the target where the study has the label `irrelevant`, which itself is a share of all posts.
    Levels and their difference are estimated anew from the posts of the two stretches of months.
    """
    method = estimator.methods[0]
    series = monthly_series(estimator, method=method, on_target=True)
    if len(series.months) < 2 * MIN_MONTHS:
        return []
    found = find_changes(series.months, series.shares, series.variances, alpha=estimator.alpha, seed=seed)
    rows = []
    for rank, change in enumerate(found):
        stance = series.stances[change.column]
        on_target = OFF_TARGET in series.stances and stance != OFF_TARGET
        old, new = Period(change.first, change.month - 1), Period(change.month, change.last)
        size = estimator.compare(old, new, method=method, on_target=on_target)
        rows.append(
            {
                "target": estimator.posts.target,
                "stance": stance,
                "rank": rank,
                "month": month_date(change.month),
                "month_low": month_date(change.month_low),
                "month_high": month_date(change.month_high),
                "since": month_date(change.first),
                "until": month_date(change.last),
                "before": float(size.before.share[change.column]),
                "after": float(size.after.share[change.column]),
                "difference": float(size.difference[change.column]),
                "low": float(size.low[change.column]),
                "high": float(size.high[change.column]),
                "p_value": change.p_value,
                "method": f"circular binary segmentation of {method} monthly shares of "
                f"{'posts on the target' if on_target else 'all posts'}, months shuffled 999 times",
            }
        )
    return rows


def list_compositions(estimator: Estimator, *, seed: int) -> Iterator[dict[str, Any]]:
    """Yield rows of the table `compositions`: neighbouring years and half-years that have posts."""
    months = estimator.posts.months
    for grain in (Grain.YEAR, Grain.HALF):
        length = LENGTHS[grain]
        starts = np.unique(months // length * length).tolist()
        for first, second in pairwise(starts):
            before, after = Period(first, first + length - 1), Period(second, second + length - 1)
            where = [estimator.positions(period) for period in (before, after)]
            for by in COMPOSITION_BY:
                found = decompose_periods(estimator, where[0], where[1], by=by, seed=seed, n_samples=TABLE_SAMPLES)
                for k, stance in enumerate(found.stances):
                    for i, component in enumerate(Component):
                        yield {
                            "target": estimator.posts.target,
                            "stance": stance,
                            "period_a": str(before),
                            "period_b": str(after),
                            "by": by,
                            "component": str(component),
                            "value": float(found.value[i, k]),
                            "low": _known(found.low[i, k]),
                            "high": _known(found.high[i, k]),
                        }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
