"""Stance counts of each target: over the whole corpus, and month by month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from nlp_study.estimate import PLAIN_METHOD
from nlp_study.report.numbers import Share, make_share
from nlp_study.report.queries import fetch_rows, month_range
from nlp_study.schema import ALL_TOPICS, COUNTED_ONCE, Stance, TableName

if TYPE_CHECKING:
    from nlp_study.config import Study, Target
    from nlp_study.store import Corpus

YEAR_MONTHS = 12
"""Months at each end whose shares are set side by side."""


@dataclass(frozen=True, slots=True)
class StanceMonth:
    """Posts of one month: all with a decided prediction, those that the shares are of, and the undecided ones."""

    month: date
    n_posts: int
    n_abstained: int
    n_base: int
    shares: dict[Stance, Share]


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """Predictions and labels of one target.

    `stances` are those whose shares are shown. Shares are of the posts on the target (`on_target`): with `irrelevant`
    among the labels, a month in which people wrote about other things would otherwise look like a change of mind.
    `n_predicted` are decided; `n_abstained` further posts stand in no share (`stance.abstain_below`).
    """

    target: Target
    index: int
    on_target: bool
    stances: tuple[Stance, ...]
    main_stance: Stance
    counts: dict[Stance, int]
    n_predicted: int
    n_predicted_dated: int
    n_abstained: int
    n_labelled: int
    months: list[StanceMonth]
    methods: list[str]

    @property
    def n_base(self) -> int:
        """Posts that the shares are of."""
        return sum(self.counts[stance] for stance in self.stances)

    def share(self, stance: Stance) -> Share:
        """Return the share of a stance over the whole corpus."""
        return make_share(self.counts[stance], self.n_base)

    @property
    def main_share(self) -> Share:
        """The share that the report opens with."""
        return self.share(self.main_stance)

    @property
    def has_corrected_rows(self) -> bool:
        """Whether `trends` holds estimates that are no plain counts."""
        return any(method != PLAIN_METHOD for method in self.methods)

    @property
    def has_months(self) -> bool:
        """Whether there is a month to draw."""
        return any(month.n_posts or month.n_abstained for month in self.months)

    def share_between(self, first: int, last: int | None) -> Share:
        """Return the share of the main stance over a run of months, counted together."""
        months = self.months[first:last]
        return make_share(sum(m.shares[self.main_stance].n for m in months), sum(m.n_base for m in months))

    @property
    def ends(self) -> tuple[Share, Share] | None:
        """Shares of the first and the last twelve months; None while they would overlap or be empty."""
        if len(self.months) < 2 * YEAR_MONTHS:
            return None
        first, last = self.share_between(0, YEAR_MONTHS), self.share_between(-YEAR_MONTHS, None)
        return (first, last) if first.total and last.total else None


def choose_stances(stances: Sequence[Stance]) -> tuple[bool, tuple[Stance, ...]]:
    """Return whether shares are of the posts on the target, and the stances that are shown.

    With only one stance beside `irrelevant` its share on the target is always 1 and says nothing; then shares are of
    all posts.
    """
    others = tuple(stance for stance in stances if stance is not Stance.IRRELEVANT)
    on_target = Stance.IRRELEVANT in stances and len(others) > 1
    return on_target, others if on_target else tuple(stances)


def gather_targets(study: Study, corpus: Corpus) -> list[TargetFacts]:
    """Return counts and monthly shares of each target, in the order of the study file."""
    stances = study.study.stances
    on_target, shown = choose_stances(stances)
    main = Stance.FAVOR if Stance.FAVOR in shown else next(s for s in shown if s is not Stance.IRRELEVANT)
    predicted: dict[str, dict[Stance, int]] = defaultdict(lambda: dict.fromkeys(stances, 0))
    dated: dict[str, int] = defaultdict(int)
    abstained: dict[str, int] = defaultdict(int)
    rows = fetch_rows(
        corpus,
        f"""
        SELECT target, stance, count(*) FILTER (abstained IS NOT TRUE) AS n, count(*) FILTER (abstained) AS n_abstained,
            count(published_at) FILTER (abstained IS NOT TRUE) AS n_dated
        FROM predictions LEFT JOIN posts USING (post_id) WHERE {COUNTED_ONCE} GROUP BY target, stance
        """,
    )
    for row in rows:
        if row["stance"] in stances:
            predicted[row["target"]][Stance(row["stance"])] = row["n"]
            dated[row["target"]] += row["n_dated"]
            abstained[row["target"]] += row["n_abstained"]
    labelled = {
        row["target"]: row["n"]
        for row in fetch_rows(corpus, "SELECT target, count(DISTINCT post_id) AS n FROM labels GROUP BY target")
    }
    trends = _read_trends(corpus)
    facts = []
    for index, target in enumerate(study.targets):
        target_rows = trends.get(target.id, [])
        counts = dict(predicted[target.id])
        facts.append(
            TargetFacts(
                target=target,
                index=index,
                on_target=on_target,
                stances=shown,
                main_stance=main,
                counts=counts,
                n_predicted=sum(counts.values()),
                n_predicted_dated=dated[target.id],
                n_abstained=abstained[target.id],
                n_labelled=labelled.get(target.id, 0),
                months=_count_months(target_rows, shown),
                methods=sorted({row["method"] for row in target_rows if row["method"]}),
            )
        )
    return facts


def _read_trends(corpus: Corpus) -> dict[str, list[dict[str, Any]]]:
    if not corpus.has(TableName.TRENDS):
        return {}
    query = "SELECT month, target, stance, n_posts, n_abstained, n_stance, method FROM trends WHERE topic_id = ?"
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in fetch_rows(corpus, query, [ALL_TOPICS]):
        rows[row["target"]].append(row)
    return rows


def _count_months(rows: Sequence[dict[str, Any]], shown: Sequence[Stance]) -> list[StanceMonth]:
    """Put the rows of a target in months without a hole; shares are counted again on the posts they are of."""
    n_posts: dict[date, int] = defaultdict(int)
    n_abstained: dict[date, int] = defaultdict(int)
    n_stance: dict[tuple[date, str], int] = defaultdict(int)
    for row in rows:
        n_posts[row["month"]] = max(n_posts[row["month"]], row["n_posts"] or 0)
        n_abstained[row["month"]] = max(n_abstained[row["month"]], row["n_abstained"] or 0)
        n_stance[row["month"], row["stance"]] = row["n_stance"] or 0
    months = []
    for month in month_range(n_posts):
        n_base = sum(n_stance.get((month, stance), 0) for stance in shown)
        shares = {stance: make_share(n_stance.get((month, stance), 0), n_base) for stance in shown}
        months.append(StanceMonth(month, n_posts.get(month, 0), n_abstained.get(month, 0), n_base, shares))
    return months
