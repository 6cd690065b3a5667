"""Formulas of association, keyness, dispersion and lexical variety, on arrays of counts; each names its source.

Counts come as arrays of equal shape (n_words,) and scalars; nothing here reads a table.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

    Floats = np.ndarray[Any, np.dtype[np.float64]]

LOG_DICE_TOP = 14
"""Rychlý's constant: the score of two words that never stand without each other."""
ZERO_COUNT = 0.5
"""Hardie's stand-in for a count of 0 in a log ratio, where the ratio would be infinite."""
LL_CUTS = {0.05: 3.84, 0.01: 6.63, 0.001: 10.83, 0.0001: 15.13}
"""Log-likelihood that a single comparison must reach for p (chi-squared, 1 degree of freedom; Rayson & Garside 2000)."""


def expect_together(n_first: ArrayLike, n_second: ArrayLike, n_total: float) -> Floats:
    """Return how often two words would meet by chance: n_first · n_second / n_total.

    Parameters
    ----------
    n_first : tokens in reach of the node (not the node's own frequency: a window of ten words gives ten chances).
    n_second : occurrences of each collocate, shape (n_words,).
    n_total : words in the corpus.

    References
    ----------
    Evert (2008), Corpora and collocations, in Lüdeling & Kytö, Corpus Linguistics, ch. 58.
    """
    import numpy as np

    return np.asarray(n_first, np.float64) * np.asarray(n_second, np.float64) / n_total


def log_dice(n_together: ArrayLike, n_node: ArrayLike, n_collocate: ArrayLike) -> Floats:
    """Return logDice = 14 + log2(2 · n_together / (n_node + n_collocate)).

    It does not depend on the size of the corpus, so it can be compared between subcorpora; at most 14 where a pair is
    counted once, and one point more means twice as strong.

    References
    ----------
    Rychlý (2008), A lexicographer-friendly association score, RASLAN 2008, 6-9.
    """
    import numpy as np

    together = np.asarray(n_together, np.float64)
    both = np.asarray(n_node, np.float64) + np.asarray(n_collocate, np.float64)
    with np.errstate(divide="ignore"):
        return LOG_DICE_TOP + np.log2(2 * together / both)


def mutual_information(n_together: ArrayLike, expected: ArrayLike) -> Floats:
    """Return pointwise mutual information, log2(observed / expected), in bits; it favours rare words.

    References
    ----------
    Church & Hanks (1990), Word association norms, mutual information, and lexicography, Computational Linguistics 16(1).
    """
    import numpy as np

    with np.errstate(divide="ignore"):
        return np.log2(np.asarray(n_together, np.float64) / np.asarray(expected, np.float64))


def t_score(n_together: ArrayLike, expected: ArrayLike) -> Floats:
    """Return t = (observed - expected) / sqrt(observed); it favours frequent words. NaN where nothing was observed.

    References
    ----------
    Church, Gale, Hanks & Hindle (1991), Using statistics in lexical analysis, in Zernik, Lexical Acquisition, ch. 6.
    """
    import numpy as np

    together = np.asarray(n_together, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(together > 0, (together - np.asarray(expected, np.float64)) / np.sqrt(together), np.nan)


def log_likelihood_table(
    n_together: ArrayLike, n_first: ArrayLike, n_second: ArrayLike, n_total: float, *, signed: bool = False
) -> Floats:
    """Return Dunning's log-likelihood ratio G2 of a 2 x 2 table, all four cells.

    Parameters
    ----------
    n_together : upper left cell, shape (n_words,).
    n_first, n_second : row and column sums.
    n_total : sum of the table.
    signed : make it negative where a pair is rarer than chance.

    Raises
    ------
    ValueError : a cell would be negative, so that the counts are of no common table.

    References
    ----------
    Dunning (1993), Accurate methods for the statistics of surprise and coincidence, Computational Linguistics 19(1).
    """
    import numpy as np

    a, first, second = np.broadcast_arrays(
        *(np.asarray(counts, np.float64) for counts in (n_together, n_first, n_second))
    )
    cells = np.stack([a, first - a, second - a, n_total - first - second + a])
    if (cells < 0).any():
        raise ValueError("counts are of no common table: a pair occurs more often than one of its words")
    rows = np.stack([first, first, n_total - first, n_total - first])
    columns = np.stack([second, n_total - second, second, n_total - second])
    g2: Floats = 2 * _x_log_x_over(cells, rows * columns / n_total).sum(axis=0)
    return np.where(a * n_total < first * second, -g2, g2) if signed else g2


def log_likelihood_keyness(
    n_focus: ArrayLike, n_reference: ArrayLike, size_focus: float, size_reference: float
) -> Floats:
    """Return the log-likelihood of a word's frequency in two corpora, the form of two cells that keyword tools share.

    It leaves out the other two cells of the table (all words that are not this one), which for a rare word add next to
    nothing.

    Parameters
    ----------
    n_focus, n_reference : occurrences, shape (n_words,).
    size_focus, size_reference : words in each corpus.

    References
    ----------
    Rayson & Garside (2000), Comparing corpora using frequency profiling, Workshop on Comparing Corpora, ACL.
    """
    import numpy as np

    a, b = np.asarray(n_focus, np.float64), np.asarray(n_reference, np.float64)
    both = (a + b) / (size_focus + size_reference)
    return 2 * (_x_log_x_over(a, size_focus * both) + _x_log_x_over(b, size_reference * both))


def log_ratio(n_focus: ArrayLike, n_reference: ArrayLike, size_focus: float, size_reference: float) -> Floats:
    """Return the binary logarithm of the ratio of two relative frequencies: 1 is twice as frequent, -1 half.

    A count of 0 is taken as 0.5.

    References
    ----------
    Hardie (2014), Log Ratio - an informal introduction, ESRC Centre for Corpus Approaches to Social Science, Lancaster.
    """
    import numpy as np

    a, b = np.asarray(n_focus, np.float64), np.asarray(n_reference, np.float64)
    a, b = np.where(a == 0, ZERO_COUNT, a), np.where(b == 0, ZERO_COUNT, b)
    return np.log2(a / size_focus) - np.log2(b / size_reference)


def percent_difference(n_focus: ArrayLike, n_reference: ArrayLike, size_focus: float, size_reference: float) -> Floats:
    """Return %DIFF, the difference of two relative frequencies in percent of the second; NaN where that one is 0.

    The source puts 1e-18 for a frequency of 0, which gives numbers that say nothing; here they are missing.

    References
    ----------
    Gabrielatos & Marchi (2012), Keyness: appropriate metrics and practical issues, CADS International Conference, Bologna.
    """
    import numpy as np

    focus = np.asarray(n_focus, np.float64) / size_focus
    reference = np.asarray(n_reference, np.float64) / size_reference
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(reference > 0, 100 * (focus - reference) / reference, np.nan)


def token_variance(n: ArrayLike, size: float) -> Floats:
    """Return the variance of the natural logarithm of a relative frequency, if every token were drawn by itself.

    A count of 0 is taken as 0.5, as in `log_ratio`.

    References
    ----------
    Katz, Baptista, Azen & Pike (1978), Obtaining confidence intervals for the risk ratio, Biometrics 34(3).
    """
    import numpy as np

    counts = np.asarray(n, np.float64)
    return 1 / np.where(counts == 0, ZERO_COUNT, counts) - 1 / size


def cluster_variance(
    n: ArrayLike, squares: ArrayLike, products: ArrayLike, *, size: float, size_squares: float, n_parts: int
) -> Floats:
    """Return the variance of the natural logarithm of a relative frequency when whole posts are drawn, not tokens.

    A word that stands in a post once is likely to stand there again; intervals that forget this are too narrow. The
    variance of a ratio of two sums over posts, linearised: k/(k-1) · Σ (cᵢ - p·nᵢ)² / n², where c are the counts of the
    word and n the words of the posts. At least `token_variance`, which is what remains with one occurrence a post.

    Parameters
    ----------
    n : Σ cᵢ, occurrences of each word, shape (n_words,).
    squares : Σ cᵢ².
    products : Σ cᵢ·nᵢ.
    size, size_squares : Σ nᵢ and Σ nᵢ² over all posts.
    n_parts : number of posts, k.

    References
    ----------
    Cochran (1977), Sampling Techniques, 3rd ed., sections 6.4 and 9A.1.
    """
    import numpy as np

    counts = np.asarray(n, np.float64)
    share = counts / size
    spread = np.asarray(squares, np.float64) - 2 * share * np.asarray(products, np.float64) + share**2 * size_squares
    plain = token_variance(counts, size)
    if n_parts < 2:
        return plain
    with np.errstate(divide="ignore", invalid="ignore"):
        clustered = n_parts / (n_parts - 1) * np.maximum(spread, 0) / counts**2
    return np.where(counts > 0, np.fmax(clustered, plain), plain)


def log_ratio_interval(
    ratio: ArrayLike, variance_focus: ArrayLike, variance_reference: ArrayLike, *, alpha: float = 0.05
) -> tuple[Floats, Floats]:
    """Return the ends of the interval of a log ratio, from the variances of both log frequencies (natural logarithm)."""
    import numpy as np

    z = NormalDist().inv_cdf(1 - alpha / 2)
    variance = np.asarray(variance_focus, np.float64) + np.asarray(variance_reference, np.float64)
    half = z * np.sqrt(variance) / np.log(2)
    centre = np.asarray(ratio, np.float64)
    return centre - half, centre + half


def chi2_p(statistic: ArrayLike) -> Floats:
    """Return the probability of a log-likelihood at least this large if nothing differs (1 degree of freedom)."""
    import numpy as np
    from scipy.special import chdtrc

    p: Floats = chdtrc(1, np.abs(np.asarray(statistic, np.float64)))
    return p


def adjust_p(p: ArrayLike) -> Floats:
    """Return Benjamini-Hochberg's adjusted probabilities, in the order of `p`.

    Keeping those at most q leaves, in expectation, at most a share q of false ones among the kept.

    References
    ----------
    Benjamini & Hochberg (1995), Controlling the false discovery rate, JRSS B 57(1).
    """
    import numpy as np

    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")[::-1]
    ranks = np.arange(len(values), 0, -1)
    adjusted = np.minimum.accumulate(values[order] * len(values) / ranks) if len(values) else values
    found = np.empty_like(values)
    found[order] = np.minimum(adjusted, 1)
    return found


def deviation_of_proportions(shares_of_word: ArrayLike, shares_of_corpus: ArrayLike) -> float:
    """Return Gries' DP of one word: 0 spread as the text is, near 1 all in one small part.

    Parameters
    ----------
    shares_of_word : share of the word's occurrences in each part, shape (n_parts,), sum 1.
    shares_of_corpus : share of the corpus in each part, sum 1.

    References
    ----------
    Gries (2008), Dispersions and adjusted frequencies in corpora, IJCL 13(4).
    """
    import numpy as np

    return float(np.abs(np.asarray(shares_of_word, np.float64) - np.asarray(shares_of_corpus, np.float64)).sum() / 2)


def normalise_dp(dp: ArrayLike, smallest_share: float) -> Floats:
    """Return DPnorm = DP / (1 - share of the smallest part), so that 1 can be reached; NaN with a single part.

    References
    ----------
    Lijffijt & Gries (2012), Correction to Gries' Dispersions and adjusted frequencies in corpora, IJCL 17(1).
    """
    import numpy as np

    values = np.asarray(dp, np.float64)
    return values / (1 - smallest_share) if smallest_share < 1 else np.full_like(values, np.nan)


def count_first_in_windows(places: ArrayLike, previous: ArrayLike, lengths: ArrayLike, window: int) -> Floats:
    """Return in how many windows of its text each token is the first of its type; summed, the types of all windows.

    So MATTR = sum / (windows · window), without reading any window.

    Parameters
    ----------
    places : place of each token in its text from 0, shape (n_tokens,).
    previous : place of the same word before it in the text, -1 where there is none.
    lengths : words of the token's text.
    window : words of a window; texts shorter than that have no window.

    References
    ----------
    Covington & McFall (2010), Cutting the Gordian knot: the moving-average type-token ratio, J. Quant. Linguistics 17(2).
    """
    import numpy as np

    place, before, length = (np.asarray(values, np.int64) for values in (places, previous, lengths))
    first = np.maximum(np.maximum(place - window + 1, before + 1), 0)
    last = np.minimum(place, length - window)
    return np.maximum(last - first + 1, 0).astype(np.float64)


def lix(n_words: ArrayLike, n_sentences: ArrayLike, n_long: ArrayLike) -> Floats:
    """Return LIX = words per sentence + percentage of words longer than six letters; higher is harder.

    References
    ----------
    Björnsson (1968), Läsbarhet, Stockholm: Liber; Anderson (1983), Lix and Rix, Journal of Reading 26(6).
    """
    import numpy as np

    words = np.asarray(n_words, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return words / np.asarray(n_sentences, np.float64) + 100 * np.asarray(n_long, np.float64) / words


def _x_log_x_over(observed: Floats, expected: Floats) -> Floats:
    """Return observed · ln(observed / expected), 0 where nothing was observed."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(observed > 0, observed * np.log(observed / expected), 0.0)
