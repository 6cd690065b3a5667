"""How many labels a wanted margin takes, from the predictions and from how well held-out ones follow the labels.

The margin is half the width of the interval that `nlp-study estimate` gives a corrected share (`estimate.design`): it
holds for the writers that the posts stand for, so that even labels of all posts leave some. The correlation rho of label and
predicted probability is that of posts that the model had not seen. Several posts by one author tell less than one each by as
many: what labels leave open is `1 + icc * c` times as wide (as a variance), with c the further labelled posts by a post's
author, and likewise the mean prediction over all posts, with all of the author's posts (Kish 1965, section 5.4).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from nlp_study.errors import DataError
from nlp_study.metrics import BASELINES
from nlp_study.schema import COUNTED_ONCE, TIMEZONE, TableName

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.config import Study
    from nlp_study.store import Corpus


class Period(StrEnum):
    """Lengths of time by which posts are grouped."""

    MONTH = "month"
    QUARTER = "quarter"
    HALF = "half"
    YEAR = "year"
    ALL = "all"


_MONTHS = {Period.MONTH: 1, Period.QUARTER: 3, Period.HALF: 6, Period.YEAR: 12}
_LETTER = {Period.QUARTER: "Q", Period.HALF: "H"}


def name_period(moment: datetime | date | None, period: Period) -> str:
    """Return the name of the period of a moment in Asia/Jakarta: 2024-06, 2024-Q2, 2024-H1, 2024, or all.

    Posts without a date are `undated`.
    """
    if period is Period.ALL:
        return "all"
    if moment is None:
        return "undated"
    day = moment.astimezone(TIMEZONE).date() if isinstance(moment, datetime) else moment
    if period is Period.MONTH:
        return f"{day:%Y-%m}"
    if period is Period.YEAR:
        return f"{day:%Y}"
    return f"{day:%Y}-{_LETTER[period]}{(day.month - 1) // _MONTHS[period] + 1}"


@dataclass(frozen=True)
class Skill:
    """How well held-out probabilities follow the labels, for one stance.

    `rho` is their correlation, in [0, 1]. The others say how alike posts of one author are (intra-author correlations, in
    [0, 1]): in label - probability, in the probability, and in the label. `n_pairs` is 0 where nothing was evaluated; then a
    plan knows nothing of the model.
    """

    rho: float = 0.0
    error_icc: float = 0.0
    proba_icc: float = 0.0
    label_icc: float = 0.0
    n_pairs: int = 0

    @property
    def of_labels_alone(self) -> Skill:
        """The same without the model: what the labels leave open is all there is."""
        return replace(self, rho=0.0, error_icc=self.label_icc)


NO_SKILL = Skill()
"""Nothing is known of the model."""


@dataclass(frozen=True)
class PlanRow:
    """Labels for one stance in one period; `margin` is what `n_labels` gives, `alone` the number that gives it without the
    model (all posts where none does)."""

    period: str
    stance: str
    n_posts: int
    share: float
    rho: float
    n_labels: int
    margin: float
    alone: int


def expected_margin(
    n_labels: int,
    *,
    n_posts: int,
    share: float,
    skill: Skill = NO_SKILL,
    companions: float = 0.0,
    weight_effect: float = 1.0,
    alpha: float = 0.05,
) -> float:
    """Return the expected half-width of the interval of a share; 0.5, nothing known, for fewer than two labels.

    Parameters
    ----------
    n_labels, n_posts : labelled posts and all posts, n_labels <= n_posts.
    share : expected share, in [0, 1].
    companions : other posts by the author of a post, on average over posts.
    weight_effect : factor by which unequal probabilities raise the variance, at least 1.
    alpha : 1 - coverage.
    """
    from nlp_study.estimate.design import author_effect, expected_width

    if n_labels < 2:
        return 0.5
    left = (1 - skill.rho**2) * weight_effect / n_labels
    told = skill.rho**2 / n_posts
    among_labelled = 1 + companions * (n_labels - 1) / max(1, n_posts - 1)
    effects = (author_effect(among_labelled, skill.error_icc), author_effect(1 + companions, skill.proba_icc))
    return expected_width(
        share,
        n_labels,
        correlation=skill.rho,
        n_posts=n_posts,
        cluster_effect=(left * effects[0] + told * effects[1]) / (left + told),
        weight_effect=weight_effect,
        alpha=alpha,
    )


def labels_for_margin(margin: float, *, n_posts: int, **values: Any) -> int:
    """Return the smallest number of labels whose expected margin is at most `margin`; `n_posts` where none is enough.

    Parameters
    ----------
    margin : wanted half-width, above 0.
    values : share, skill, companions, alpha as in `expected_margin`.
    """
    low, high = 1, n_posts
    while low < high:
        middle = (low + high) // 2
        if expected_margin(middle, n_posts=n_posts, **values) <= margin:
            high = middle
        else:
            low = middle + 1
    return low


def measure_skill(evaluations: Iterable[Mapping[str, Any]], stance: str, *, target: str) -> Skill:
    """Return how well held-out probabilities of the study's model, averaged over seeds, follow the labels.

    Intra-author correlations are the mean product over pairs of posts of one group of `evaluations`, by the variance
    (Fisher's intraclass correlation), in [0, 1]. They weigh authors by their pairs, as the variance of a mean does: a few
    prolific authors of one mind count as much as they widen it.

    Parameters
    ----------
    evaluations : rows of the table `evaluations`.
    """
    import numpy as np

    probas: dict[str, list[float]] = defaultdict(list)
    gold: dict[str, bool] = {}
    group: dict[str, str] = {}
    for row in evaluations:
        proba = row[f"proba_{stance}"]
        if row["target"] == target and row["model"] not in BASELINES and proba is not None:
            probas[row["post_id"]].append(proba)
            gold[row["post_id"]] = row["gold"] == stance
            group[row["post_id"]] = row["group"] or row["post_id"]
    ids = sorted(probas)
    if len(ids) < 3:
        return NO_SKILL
    y = np.array([gold[i] for i in ids], float)
    f = np.array([np.mean(probas[i]) for i in ids])
    groups = [group[i] for i in ids]
    known = y.std() > 0 and f.std() > 0
    return Skill(
        rho=max(0.0, float(np.corrcoef(y, f)[0, 1])) if known else 0.0,
        error_icc=_intraclass(y - f, groups),
        proba_icc=_intraclass(f, groups),
        label_icc=_intraclass(y, groups),
        n_pairs=len(ids),
    )


def _intraclass(values: np.ndarray, groups: Sequence[str]) -> float:
    import numpy as np

    _, owner = np.unique(np.asarray(groups), return_inverse=True)
    values = values - values.mean()
    squares = values**2
    pairs = np.bincount(owner) * (np.bincount(owner) - 1)
    if not pairs.sum() or not squares.any():
        return 0.0
    alike = float((np.bincount(owner, values) ** 2 - np.bincount(owner, squares)).sum())
    return min(1.0, max(0.0, alike / float(pairs.sum()) / float(squares.mean())))


def read_frame(corpus: Corpus, target: str, stances: Sequence[str]) -> list[dict[str, Any]]:
    """Return the posts that count (of repeats the first) with author, date and prediction, by id.

    Each row has `post_id`, `author`, `published_at`, `stance` (None where nothing was predicted) and `probas`, a list in the
    order of `stances`.

    Raises
    ------
    DataError : there are no posts.
    """
    columns = ", ".join(f"p.proba_{stance}" for stance in stances)
    rows = corpus.fetch(
        f"SELECT post_id, coalesce(author_id, author, post_id) AS author, published_at, p.stance, {columns} FROM posts "
        f"LEFT JOIN (SELECT * FROM predictions WHERE target = $target) p USING (post_id) "
        f"WHERE {COUNTED_ONCE} ORDER BY post_id",
        {"target": target},
    ).to_pylist()
    if not rows:
        raise DataError("there are no posts to draw from", remedy="import some first: `nlp-study run --only import`")
    for row in rows:
        row["probas"] = [row.pop(f"proba_{stance}") or 0.0 for stance in stances]
    return rows


def mean_companions(authors: Iterable[str]) -> float:
    """Return how many other posts the author of a post has, on average over posts."""
    sizes = Counter(authors).values()
    return sum(n * (n - 1) for n in sizes) / max(1, sum(sizes))


def plan_labels(
    study: Study,
    corpus: Corpus,
    *,
    target: str,
    margin: float | None = None,
    n_labels: int | Mapping[str, int] = 0,
    by: Period = Period.ALL,
    weight_effect: float = 1.0,
) -> list[PlanRow]:
    """Return for each period and stance the labels that a margin takes, or the margin that labels give.

    Without predictions the share is taken to be a half, the worst case; without held-out predictions the model counts for
    nothing.

    Parameters
    ----------
    margin : wanted half-width; None: compute that of `n_labels`.
    n_labels : labels in all, spread over the periods as their posts are; or the labels of each period.
    by : the periods in which the margin is wanted.
    weight_effect : of the labels' probabilities, see `expected_margin`.

    Raises
    ------
    DataError : there are no posts.
    """
    stances = [str(stance) for stance in study.study.stances]
    alpha = 1 - study.estimate.confidence
    frame = read_frame(corpus, target, stances)
    evaluations = corpus.read(TableName.EVALUATIONS).to_pylist()
    skills = {stance: measure_skill(evaluations, stance, target=target) for stance in stances}
    periods: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in frame:
        periods[name_period(row["published_at"], by)].append(row)
    planned = []
    for period, posts in sorted(periods.items()):
        n_posts = len(posts)
        companions = mean_companions(row["author"] for row in posts)
        predicted = [row for row in posts if row["stance"] is not None]
        for i, stance in enumerate(stances):
            skill = skills[stance]
            share = sum(row["probas"][i] for row in predicted) / len(predicted) if predicted else 0.5
            common: dict[str, Any] = {"n_posts": n_posts, "share": share, "companions": companions, "alpha": alpha}
            if margin is not None:
                n = labels_for_margin(margin, skill=skill, **common)
            elif isinstance(n_labels, Mapping):
                n = min(n_posts, n_labels.get(period, 0))
            else:
                n = min(n_posts, round(n_labels * n_posts / len(frame)))
            reached = expected_margin(n, skill=skill, weight_effect=weight_effect, **common)
            alone = labels_for_margin(reached, skill=skill.of_labels_alone, **common)
            planned.append(PlanRow(period, stance, n_posts, share, skill.rho, n, reached, alone))
    return planned


def sizes_of(plan: Iterable[PlanRow]) -> dict[str, int]:
    """Return the labels that each period of a plan takes: as many as its most demanding stance."""
    most: dict[str, int] = defaultdict(int)
    for row in plan:
        most[row.period] = max(most[row.period], row.n_labels)
    return dict(most)
