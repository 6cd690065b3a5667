"""Measure estimates and trends on simulated corpora of known truth, beside labels only, predictions only and two peers.

    python scripts/bench_estimates.py            # about 12 minutes on one core
    python scripts/bench_estimates.py --quick    # under a minute: fewer corpora
    python scripts/bench_estimates.py --peers DIR    # peers installed apart; --help says how

Authors write several posts each and are alike in their stance and in what the classifier gets wrong; labelled posts are
drawn from two strata with unequal probabilities; the classifier is overconfident and takes rare stances for too frequent.

Bars: 95 % intervals cover 93-97 % (with --quick two standard errors of the simulation more) for shares of 0.05 to 0.6,
macro-F1 0.45, 0.6 and 0.8, and 50, 100 and 300 labels. With 100 labels intervals are at least 10 % narrower than those of
the labels alone at 0.6, and 30 % at 0.8, on the mean of the stances. None is more than 3 % wider, with a classifier that
knows nothing included. On shuffled months no more changes are found than the stated 5 %. Where the demonstration study has
been run, its planted movements lie inside their intervals.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nlp_study.config import load_study
from nlp_study.estimate.corpus import read_posts
from nlp_study.estimate.observations import NO_LABEL, Observations
from nlp_study.estimate.periods import parse_period
from nlp_study.estimate.shares import Method, estimate_difference, estimate_shares, subtract_shares
from nlp_study.estimate.tables import Estimator
from nlp_study.schema import TableName
from nlp_study.store import open_corpus
from nlp_study.trends.changes import find_changes
from nlp_study.trends.series import monthly_series
from nlp_study.trends.smooth import smooth_trend
from scripts.estimate_peers import PEERS, load_stancemining, run_stancemining
from scripts.simulated_corpora import (
    FIRST_MONTH,
    N_MONTHS,
    STANCES,
    count_confusion,
    draw_posts,
    planted_months,
    study_posts,
)

ROOT = Path(__file__).resolve().parents[1]
SHARES = np.array([0.6, 0.2, 0.15, 0.05])
SIGNALS = {0.45: 0.83, 0.6: 1.36, 0.8: 2.14}
"""Distance of the classifier's means in standard deviations that gives a macro-F1."""
COVERAGE = (0.93, 0.97)
NARROWER = {0.6: 0.10, 0.8: 0.30}
NEVER_WIDER = 1.03
FALSE_CHANGES = 0.05
PEER_CORPORA = 3
"""Of the Gaussian process; one of 200 posts takes it more than a minute on a core."""


@dataclass
class Bars:
    """What was asked and what came out."""

    missed: list[str] = field(default_factory=list)

    def check(self, text: str, ok: bool) -> str:
        """Note a bar and return how it is printed."""
        if not ok:
            self.missed.append(text)
        return f"  {'ok    ' if ok else 'MISSED'} {text}"


def macro_f1(truth: np.ndarray, decided: np.ndarray) -> float:
    """Return macro-F1 of decided stances."""
    confusion = count_confusion(truth, decided)
    return float((2 * np.diag(confusion) / (confusion.sum(0) + confusion.sum(1))).mean())


def bench_shares(n_corpora: int, tolerance: float, bars: Bars) -> None:
    """Coverage and width of shares, by classifier and number of labels."""
    print(
        f"shares {', '.join(f'{share:g}' for share in SHARES)}; {n_corpora} corpora a row; coverage and mean width in %"
    )
    head = f"{'F1':>5} {'labels':>6} {'method':<12}" + "".join(f"{stance:>14}" for stance in STANCES)
    print(head + f"{'sum to 1':>10}")
    for f1, signal in (*SIGNALS.items(), (0.0, 0.0)):
        big, truth, _ = draw_posts(np.random.default_rng(1), SHARES, signal=signal, n_labels=100, n_authors=20_000)
        decided = (big.probas / SHARES**0.5).argmax(1)
        hits = np.eye(4)[truth]
        spread = hits.std(0) * np.maximum(big.probas.std(0), 1e-9)
        correlation = ((hits - hits.mean(0)) * (big.probas - big.probas.mean(0))).mean(0) / spread
        reached = macro_f1(truth, decided)
        shown = " ".join(f"{value:.2f}" for value in correlation)
        print(f"   classifier of macro-F1 {reached:.2f}; correlation of probability and label {shown}")
        for n_labels in (50, 100, 300):
            cover, width, off = _cover_shares(signal, n_labels, n_corpora)
            _judge_shares(f1, n_labels, cover, width, correlation, off, tolerance, bars)


def _cover_shares(
    signal: float, n_labels: int, n_corpora: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], float]:
    inside: dict[str, list[np.ndarray]] = {}
    widths: dict[str, list[np.ndarray]] = {}
    off = 0.0
    for number in range(n_corpora):
        rng = np.random.default_rng([n_labels, round(100 * signal), number])
        posts, _, _ = draw_posts(rng, SHARES, signal=signal, n_labels=n_labels)
        for method in Method:
            found = estimate_shares(posts, method=method)
            inside.setdefault(method, []).append((found.low <= SHARES) & (found.high >= SHARES))
            widths.setdefault(method, []).append(found.high - found.low)
            if method is Method.CORRECTED:
                off = max(off, abs(float(found.share.sum()) - 1))
                everything = (found.low_all <= SHARES) & (found.high_all >= SHARES)
                inside.setdefault("all at once", []).append(np.array([everything.all()]))
    return {k: np.mean(v, 0) for k, v in inside.items()}, {k: np.mean(v, 0) for k, v in widths.items()}, off


def _judge_shares(
    f1: float,
    n_labels: int,
    cover: dict[str, np.ndarray],
    width: dict[str, np.ndarray],
    correlation: np.ndarray,
    off: float,
    tolerance: float,
    bars: Bars,
) -> None:
    for method in Method:
        cells = "".join(f"{100 * c:>8.1f}{100 * w:>6.1f}" for c, w in zip(cover[method], width[method], strict=True))
        print(f"{f1:>5} {n_labels:>6} {method:<12}{cells}" + (f"{off:>10.0e}" if method is Method.CORRECTED else ""))
    ours = cover[Method.CORRECTED]
    inside = bool((ours >= COVERAGE[0] - tolerance).all() and (ours <= COVERAGE[1] + tolerance).all())
    print(
        bars.check(f"F1 {f1}, {n_labels} labels: coverage {100 * ours.min():.1f} to {100 * ours.max():.1f} %", inside)
    )
    print(f"         all four stances at once: {100 * float(cover['all at once'][0]):.1f} %")
    ratio = width[Method.CORRECTED] / width[Method.LABELS]
    print(
        bars.check(
            f"F1 {f1}, {n_labels} labels: at most {ratio.max():.3f} of the labels' width", ratio.max() <= NEVER_WIDER
        )
    )
    limit = np.sqrt(1 - correlation**2 * (1 - n_labels / 1600))
    shown = ", ".join(f"{100 * (1 - r):.0f} of {100 * (1 - best):.0f}" for r, best in zip(ratio, limit, strict=True))
    print(f"         narrower than labels only, % of what the correlation allows: {shown}")
    if n_labels == 100 and f1 in NARROWER:
        text = f"F1 {f1}, 100 labels: {100 * (1 - ratio.mean()):.1f} % narrower, bar {100 * NARROWER[f1]:.0f}"
        print(bars.check(text, 1 - ratio.mean() >= NARROWER[f1]))


def bench_cross_fitted(n_corpora: int, tolerance: float, bars: Bars) -> None:
    """Coverage where the classifier is trained on the labelled posts: they are predicted out of fold, the others by all."""
    inside = {method: [] for method in Method}  # type: dict[Method, list[np.ndarray]]
    for number in range(n_corpora):
        rng = np.random.default_rng([23, number])
        posts, _, _ = draw_posts(rng, SHARES, signal=1.8, n_labels=150)
        posts = replace(posts, probas=train_and_predict(rng, posts))
        for method in Method:
            found = estimate_shares(posts, method=method)
            inside[method].append((found.low <= SHARES) & (found.high >= SHARES))
    cover = {method: np.mean(found, 0) for method, found in inside.items()}
    print(
        f"\nclassifier trained on the 150 labelled posts, cross-fitted by authors, {n_corpora} corpora: coverage in %"
    )
    for method in Method:
        print(f"  {method:<12} {_percent(cover[method])}")
    ours = cover[Method.CORRECTED]
    fits = bool((ours >= COVERAGE[0] - tolerance).all() and (ours <= COVERAGE[1] + tolerance).all())
    print(bars.check("coverage with a classifier trained on the same labels", fits))


def train_and_predict(rng: np.random.Generator, posts: Observations) -> np.ndarray:
    """Return probabilities of logistic regression on noisy features, trained on the labelled posts, shape (n_posts, 4)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    features = np.concatenate([np.log(posts.probas + 1e-6), 3 * rng.standard_normal((len(posts), 6))], 1)
    drawn = np.flatnonzero(posts.weights > 0)
    probas = np.full((len(posts), 4), 1e-6)

    def fit(train: np.ndarray, test: np.ndarray) -> None:
        model = LogisticRegression(C=0.1, max_iter=300).fit(features[train], posts.labels[train])
        probas[np.ix_(test, model.classes_)] = model.predict_proba(features[test])

    fit(drawn, np.flatnonzero(posts.weights == 0))
    for train, test in GroupKFold(5).split(drawn, groups=posts.authors[drawn]):
        fit(drawn[train], drawn[test])
    return probas / probas.sum(1, keepdims=True)


def bench_differences(n_corpora: int, tolerance: float, bars: Bars) -> None:
    """Coverage of the difference between two years, authors in both; 300 labels, macro-F1 0.6."""
    after = np.array([0.45, 0.35, 0.15, 0.05])
    monthly = np.repeat([SHARES, SHARES, after], 12, 0)
    inside = []
    for number in range(n_corpora):
        rng = np.random.default_rng([5, number])
        posts, _, months = draw_posts(rng, monthly, signal=SIGNALS[0.6], n_labels=300)
        found = estimate_difference(posts, (months >= 12) & (months < 24), months >= 24)
        inside.append((found.low <= after - SHARES) & (found.high >= after - SHARES))
    cover = np.mean(inside, 0)
    print(f"\ndifference of two years, {n_corpora} corpora, 300 labels, F1 0.6: coverage in % {_percent(cover)}")
    fits = bool((cover >= COVERAGE[0] - tolerance).all() and (cover <= COVERAGE[1] + tolerance).all())
    print(bars.check("coverage of differences", fits))


def bench_months(n_corpora: int, tolerance: float, bars: Bars) -> None:
    """Months and trends: coverage, width and error by method."""
    truth = planted_months()
    kinds = ("month", "trend", "band")
    inside: dict[tuple[Method, str], list[float]] = {}
    wide: dict[tuple[Method, str], list[float]] = {}
    wrong: dict[tuple[Method, str], list[float]] = {}
    found_at = []
    for number in range(n_corpora):
        rng = np.random.default_rng([7, number])
        posts, _, months = draw_posts(rng, truth, signal=SIGNALS[0.6], n_labels=300)
        estimator = Estimator(study_posts(posts, months))
        for method in Method:
            series = monthly_series(estimator, method=method)
            place = series.months - FIRST_MONTH
            for column in range(3):
                line = smooth_trend(
                    series.months,
                    series.shares[:, column],
                    series.variances[:, column],
                    common_variance=float(series.common_variance[column]),
                    df=series.df,
                )
                right = truth[line.months - FIRST_MONTH, column]
                _note(inside, wide, wrong, (method, "trend"), line.low, line.high, line.share, right)
                inside.setdefault((method, "band"), []).append(
                    bool(((line.low_all <= right) & (line.high_all >= right)).all())
                )
                wide.setdefault((method, "band"), []).append(float((line.high_all - line.low_all).mean()))
            if method is Method.CORRECTED:
                changes = find_changes(series.months, series.shares, series.variances, n_permutations=199)
                fall = [c for c in changes if c.column == 0 and c.month_low <= FIRST_MONTH + 9 <= c.month_high]
                found_at.append(bool(fall))
            for month in place.tolist():
                shares = estimator.estimate_posts(np.flatnonzero(months == month), None, kind="all", method=method)
                if shares:
                    each = shares[0]
                    _note(inside, wide, wrong, (method, "month"), each.low, each.high, each.share, truth[month])
    print(
        f"\nmonths of three stances, {n_corpora} corpora of 1,600 posts, 300 labels, F1 0.6; favor falls and recovers"
    )
    print(f"{'':<14}{'months: coverage':>18}{'width':>7}{'error':>7}{'trend: coverage':>17}{'width':>7}{'error':>7}"
          f"{'band: coverage':>16}{'width':>7}")  # fmt: skip
    for method in Method:
        cells: list[float] = []
        for kind in kinds:
            cells += [100 * float(np.mean(inside[method, kind])), 100 * float(np.mean(wide[method, kind]))]
            if kind != "band":
                cells.append(100 * float(np.sqrt(np.mean(wrong[method, kind]))))
        print(f"{method:<14}{cells[0]:>18.1f}{cells[1]:>7.1f}{cells[2]:>7.1f}{cells[3]:>17.1f}{cells[4]:>7.1f}{cells[5]:>7.1f}"
              f"{cells[6]:>16.1f}{cells[7]:>7.1f}")  # fmt: skip
    for kind, low in (("month", COVERAGE[0]), ("trend", COVERAGE[0])):
        cover = float(np.mean(inside[Method.CORRECTED, kind]))
        print(bars.check(f"corrected {kind}s cover {100 * cover:.1f} %, bar {100 * low:.0f}", cover >= low - tolerance))
    print(
        f"         the fall of favor is found, its month in the interval, in {100 * np.mean(found_at):.0f} % of the corpora"
    )


def _note(
    inside: dict[tuple[Method, str], list[float]],
    wide: dict[tuple[Method, str], list[float]],
    wrong: dict[tuple[Method, str], list[float]],
    key: tuple[Method, str],
    low: np.ndarray,
    high: np.ndarray,
    share: np.ndarray,
    right: np.ndarray,
) -> None:
    inside.setdefault(key, []).extend(((low <= right) & (high >= right)).tolist())
    wide.setdefault(key, []).extend((high - low).tolist())
    wrong.setdefault(key, []).extend(((share - right) ** 2).tolist())


def bench_null(n_shuffles: int, bars: Bars) -> None:
    """Changes found when months are shuffled, and in corpora where nothing moves."""
    rng = np.random.default_rng(11)
    posts, _, months = draw_posts(rng, planted_months(), signal=SIGNALS[0.6], n_labels=300)
    series = monthly_series(Estimator(study_posts(posts, months)))
    n_found = 0
    for number in range(n_shuffles):
        order = rng.permutation(len(series.months))
        n_found += bool(
            find_changes(series.months, series.shares[order], series.variances[order], n_permutations=199, seed=number)
        )
    from scipy.stats import binom

    limit = float(binom.ppf(0.99, n_shuffles, FALSE_CHANGES)) / n_shuffles
    text = f"{n_found} of {n_shuffles} shuffles of the months show a change; stated {100 * FALSE_CHANGES:.0f} %"
    print("\n" + bars.check(f"{text}, chance allows {100 * limit:.1f} %", n_found / n_shuffles <= limit))
    still = np.tile(planted_months()[0], (N_MONTHS, 1))
    n_found = 0
    for number in range(n_shuffles):
        rng = np.random.default_rng([13, number])
        posts, _, months = draw_posts(rng, still, signal=SIGNALS[0.6], n_labels=100)
        series = monthly_series(Estimator(study_posts(posts, months)))
        n_found += bool(find_changes(series.months, series.shares, series.variances, n_permutations=199, seed=number))
    text = f"{n_found} of {n_shuffles} corpora where nothing moves show one"
    print(bars.check(text, n_found / n_shuffles <= limit))


def bench_ppi(bars: Bars) -> None:
    """Agreement with ppi-python: one author a post, equal probabilities, the same power."""
    try:
        ppi = importlib.import_module("ppi_py")
    except ImportError:
        print("\nppi-python is not installed; --help says how")
        return
    rng = np.random.default_rng(17)
    posts, _, _ = draw_posts(rng, SHARES, signal=SIGNALS[0.6], n_labels=400, n_authors=900)
    alone = np.arange(len(posts))
    drawn = posts.labels != NO_LABEL
    posts = Observations(STANCES, posts.probas, alone, posts.labels, drawn.astype(float) * 4, alone)
    ours = estimate_shares(posts)
    power = ours.power * float((~drawn).mean())  # theirs leaves labelled posts out of the mean of the predictions
    points, ends = [], []
    for k in range(4):
        arrays = (posts.labels[drawn] == k).astype(float), posts.probas[drawn, k], posts.probas[~drawn, k]
        points.append(float(ppi.ppi_mean_pointestimate(*arrays, lam=power)[0]))
        low, high = ppi.ppi_mean_ci(*arrays, alpha=0.05, lam=power)
        ends.append(float(high[0] - low[0]))
    gap = float(np.abs(ours.share - points).max())
    errors = np.sqrt((ours.influence**2).sum(0))
    wide = float(np.abs(2 * 1.959964 * errors / np.array(ends) - 1).max())
    text = f"ppi-python, same λ: shares within {gap:.1e}, standard errors within {100 * wide:.1f} %"
    print("\n" + bars.check(text, gap < 1e-9 and wide < 0.02))


def bench_gaussian_process(n_corpora: int) -> None:
    """The trend of stancemining, given the classifier's true confusion matrix, on the same posts as ours; small corpora.

    Its latent mean stance is turned into the share of favor that its own likelihood gives it.
    """
    peer = load_stancemining()
    if peer is None:
        print("\nstancemining is not installed; --help says how")
        return
    truth = planted_months()
    rows: dict[str, list[list[float]]] = {}
    for number in range(n_corpora):
        rng = np.random.default_rng([19, number])
        posts, stances, months = draw_posts(rng, truth, signal=SIGNALS[0.6], n_labels=100, n_authors=50)
        estimator = Estimator(study_posts(posts, months))
        for method in Method:
            started = time.monotonic()
            series = monthly_series(estimator, method=method)
            line = smooth_trend(
                series.months,
                series.shares[:, 0],
                series.variances[:, 0],
                common_variance=float(series.common_variance[0]),
                df=series.df,
            )
            right = truth[line.months - FIRST_MONTH, 0]
            spent = time.monotonic() - started
            rows.setdefault(f"{method}, local level", []).append(
                _score_line(line.low, line.high, line.share, right, spent)
            )
        started = time.monotonic()
        low, share, high = run_stancemining(peer, posts.probas.argmax(1), stances, months, number)
        spent = time.monotonic() - started
        rows.setdefault("stancemining, true confusion", []).append(_score_line(low, high, share, truth[:, 0], spent))
    print(f"\ntrend of favor, {n_corpora} corpora of some 200 posts, 100 labels (the peer needs none), in %")
    for name, found in rows.items():
        cover, width, error, spent = np.mean(found, 0)
        print(f"  {name:<30} coverage {cover:5.1f}  width {width:5.1f}  error {error:5.1f}  {spent:7.2f} s")


def _score_line(low: np.ndarray, high: np.ndarray, share: np.ndarray, right: np.ndarray, spent: float) -> list[float]:
    inside = 100 * float(((low <= right) & (high >= right)).mean())
    return [inside, 100 * float((high - low).mean()), 100 * float(np.sqrt(((share - right) ** 2).mean())), spent]


def bench_demo(bars: Bars) -> None:
    """The planted movements of the demonstration posts (corpus/demo/DESIGN.md), where the study has been run."""
    study = load_study(ROOT / "study.toml")
    corpus = open_corpus(study.data_dir)
    if not corpus.n_rows(TableName.PREDICTIONS):
        print("\nthe demonstration study has not been run: no planted movements")
        return
    posts = read_posts(study, corpus, study.targets[0].id)
    estimator = Estimator(posts)
    with (ROOT / "corpus/gold/design.csv").open(encoding="utf-8") as handle:
        design = {row["post_id"]: row for row in csv.DictReader(handle)}
    rows = [design[post_id] for post_id in posts.post_ids]
    intended = np.array([row["stance"] for row in rows])
    everyone = np.ones(len(rows), bool)
    ride = np.array([row["theme"] == "ride_hailing" for row in rows])
    mentors = np.array([row["author_group"] == "kelas_niaga_daring" for row in rows])

    def during(text: str, among: np.ndarray = everyone) -> np.ndarray:
        period = parse_period(text)
        return np.flatnonzero((posts.months >= period.first) & (posts.months <= period.last) & among)

    print(
        f"\ndemonstration posts: {len(rows)}, {posts.observations.n_labels} drawn labels; shares of posts on the target, in %"
    )
    for name, stance, before, after in (
        ("favor falls with the ban, Q3 to Q4 of 2023", "favor", during("2023-Q3"), during("2023-Q4")),
        ("favor recovers, Q4 of 2023 to H2 of 2024", "favor", during("2023-Q4"), during("2024-H2")),
        ("against in ride-hailing, 2023 to 2025", "against", during("2023", ride), during("2025", ride)),
        ("favor, others to the one-sided group", "favor", np.flatnonzero(~mentors), np.flatnonzero(mentors)),
    ):
        column = STANCES.index(stance)
        found = [
            estimator.estimate_posts(
                where, parse_period("2023-Q3"), kind="all", method=Method.CORRECTED, bases=(True,)
            )[0]
            for where in (before, after)
        ]
        change = subtract_shares(found[0], found[1])
        right = []
        for where in (before, after):
            on = intended[where][intended[where] != "irrelevant"]
            right.append(float((on == stance).mean()))
        planted = right[1] - right[0]
        inside = bool(change.low[column] <= planted <= change.high[column])
        shown = f"planted {100 * planted:+.0f}, estimated {100 * change.difference[column]:+.0f}"
        shown += f" ({100 * change.low[column]:+.0f} to {100 * change.high[column]:+.0f})"
        print(bars.check(f"{name}: {shown}", inside))
    series = monthly_series(estimator, on_target=True)
    n_found = len(find_changes(series.months, series.shares, series.variances))
    print(f"         changes found month by month: {n_found}")


def _allow(n_corpora: int) -> float:
    """Two standard errors of a coverage of 95 %."""
    return 2 * math.sqrt(0.95 * 0.05 / n_corpora)


def _percent(values: Sequence[float] | np.ndarray) -> str:
    return " ".join(f"{100 * float(value):.1f}" for value in values)


def main() -> int:
    """Print the tables; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer corpora, under a minute")
    parser.add_argument("--peers", metavar="DIR", help=f"folder of the peers: {PEERS}")
    arguments = parser.parse_args()
    quick = arguments.quick
    if arguments.peers:
        sys.path.append(arguments.peers)
    started = time.monotonic()
    bars = Bars()
    n_corpora = 40 if quick else 2000
    tolerance = _allow(n_corpora) if quick else 0.0
    bench_shares(n_corpora, tolerance, bars)
    bench_cross_fitted(20 if quick else 400, _allow(20) if quick else 0.0, bars)
    bench_differences(n_corpora, tolerance, bars)
    bench_months(3 if quick else 60, 0.04 if quick else 0.0, bars)
    bench_null(20 if quick else 200, bars)
    bench_demo(bars)
    bench_ppi(bars)
    if not quick:
        bench_gaussian_process(PEER_CORPORA)
    print(f"\n{time.monotonic() - started:.0f} s; {len(bars.missed)} bars missed")
    for text in bars.missed:
        print(f"  MISSED {text}")
    return 1 if bars.missed else 0


if __name__ == "__main__":
    sys.exit(main())
