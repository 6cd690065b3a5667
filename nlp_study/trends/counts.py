"""`count_trends(...)`: posts and predicted stances per calendar month in Asia/Jakarta, for all posts and by topic."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from nlp_study.errors import DataError
from nlp_study.estimate import PLAIN_METHOD, wilson_interval
from nlp_study.schema import ALL_TOPICS, OUTLIER_TOPIC, TIMEZONE, TableName, table_specs

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus, RunRecord


def month_of(moment: datetime) -> date:
    """Return the first day of the calendar month in Asia/Jakarta.

    A post at 23:30 UTC on 31 January belongs to February there; months counted in UTC would move it.
    """
    local = moment.astimezone(TIMEZONE)
    return date(local.year, local.month, 1)


def month_range(months: Iterable[date]) -> list[date]:
    """Return every month from the first to the last, empty ones included; empty for no months."""
    found = sorted(set(months))
    if not found:
        return []
    first, last = found[0], found[-1]
    n_months = (last.year - first.year) * 12 + last.month - first.month + 1
    return [date(first.year + (first.month - 1 + i) // 12, (first.month - 1 + i) % 12 + 1, 1) for i in range(n_months)]


def check_predictions(corpus: Corpus) -> None:
    """Raise a DataError where there are no predictions."""
    if not corpus.n_rows(TableName.PREDICTIONS):
        raise DataError("there are no predictions to count", remedy="run `nlp-study classify`")


def count_trends(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any]:
    """Write the table `trends`; of posts that repeat one another only the first is counted.

    Raises
    ------
    DataError : there are no predictions.
    """
    import pyarrow as pa

    check_predictions(corpus)
    columns = ["post_id", "target", "stance", "abstained"]
    predictions = corpus.read(TableName.PREDICTIONS, columns=columns).to_pylist()
    marks = corpus.read(TableName.DUPLICATES, columns=["post_id", "is_first"]).to_pylist()
    repeated = {row["post_id"] for row in marks if not row["is_first"]}
    n_repeated = len({row["post_id"] for row in predictions} & repeated)
    predictions = [row for row in predictions if row["post_id"] not in repeated]
    dates = corpus.read(TableName.POSTS, columns=["post_id", "published_at"]).to_pylist()
    months = {row["post_id"]: month_of(row["published_at"]) for row in dates if row["published_at"] is not None}
    topics: dict[str, set[int]] = defaultdict(set)
    for row in corpus.read(TableName.TOPIC_ASSIGNMENTS, columns=["post_id", "topic_id"]).to_pylist():
        if row["topic_id"] != OUTLIER_TOPIC:
            topics[row["post_id"]].add(row["topic_id"])
    stances = [str(stance) for stance in study.study.stances]
    counted: Counter[tuple[str, int, date, str]] = Counter()
    undecided: Counter[tuple[str, int, date]] = Counter()
    for row in predictions:
        month = months.get(row["post_id"])
        if month is None:
            continue
        for topic in (ALL_TOPICS, *topics[row["post_id"]]):
            if row["abstained"]:
                undecided[row["target"], topic, month] += 1
            else:
                counted[row["target"], topic, month, row["stance"]] += 1
    rows = list(_rows(counted, undecided, month_range(months.values()), stances))
    table = pa.Table.from_pylist(rows, schema=table_specs()[TableName.TRENDS].schema)
    n_undated = len({row["post_id"] for row in predictions} - months.keys())
    counts = {"months": len(set(table["month"].to_pylist())), "undated_posts": n_undated, "duplicate_posts": n_repeated}
    n_abstained = sum(bool(row["abstained"]) for row in predictions)
    if n_abstained:
        counts["abstained"] = n_abstained
    corpus.write(TableName.TRENDS, table, replace(record, counts=counts))
    return counts


def _rows(
    counted: Counter[tuple[str, int, date, str]],
    undecided: Counter[tuple[str, int, date]],
    months: list[date],
    stances: list[str],
) -> Iterator[dict[str, Any]]:
    keys = {key[:2] for key in counted} | {key[:2] for key in undecided}
    for target, topic in sorted(keys):
        for month in months:
            by_stance = {stance: counted[target, topic, month, stance] for stance in stances}
            n_posts = sum(by_stance.values())
            for stance, n_stance in by_stance.items():
                low, high = wilson_interval(n_stance, n_posts) if n_posts else (None, None)
                yield {
                    "month": month,
                    "target": target,
                    "stance": stance,
                    "topic_id": topic,
                    "n_posts": n_posts,
                    "n_abstained": undecided[target, topic, month],
                    "n_stance": n_stance,
                    "share": n_stance / n_posts if n_posts else None,
                    "share_low": low,
                    "share_high": high,
                    "method": PLAIN_METHOD,
                }
