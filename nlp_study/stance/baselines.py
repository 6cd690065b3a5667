"""What every classifier must beat: the majority, TF-IDF, and the frozen encoder with logistic regression."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nlp_study.stance.mixing import softmax
from nlp_study.stance.pairs import Pair

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

    from nlp_study.stance.pairs import Fold


def predict_majority(train: Sequence[Pair], test: Sequence[Pair], stances: Sequence[str]) -> np.ndarray:
    """Return the class shares of the training labels for every test pair, shape (n_test, n_stances)."""
    import numpy as np

    counts = Counter(pair.stance for pair in train)
    shares = np.array([counts[stance] / len(train) for stance in stances])  # type: ignore[index]
    return np.tile(shares, (len(test), 1))


def predict_tfidf(train: Sequence[Pair], test: Sequence[Pair], stances: Sequence[str]) -> np.ndarray:
    """Return probabilities of TF-IDF (words and word pairs, the target's name among them) with logistic regression.

    The usual strong simple baseline for stance (Mohammad et al. 2016, SemEval Task 6), classes weighted.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=1, max_features=50_000)
    matrix = vectorizer.fit_transform([_text(pair) for pair in train])
    return _fit_predict(matrix, train, vectorizer.transform([_text(pair) for pair in test]), stances, c=10.0)


def count_characters(pairs: Sequence[Pair]) -> csr_matrix:
    """Return how often each run of 3 to 5 characters within words stands in each pair's text, shape (n_pairs, n_runs).

    Runs of fewer than three pairs are left out. Counted once for all folds, as no label has a part in it.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=min(3, len(pairs)), max_features=100_000)
    return counter.fit_transform([_text(pair) for pair in pairs]).tocsr()


def predict_characters(counts: csr_matrix, fold: Fold, train: Sequence[Pair], stances: Sequence[str]) -> np.ndarray:
    """Return probabilities of TF-IDF of character runs with logistic regression for a fold's test pairs.

    In a language with affixes and clitics this is the stronger bag of the two.

    Parameters
    ----------
    counts : of all pairs, as `count_characters` returns them.
    """
    from sklearn.feature_extraction.text import TfidfTransformer

    weigher = TfidfTransformer(sublinear_tf=True).fit(counts[fold.train])
    matrix, test = (weigher.transform(counts[list(rows)]) for rows in (fold.train, fold.test))
    return _fit_predict(matrix, train, test, stances, c=10.0)


def predict_embedding(
    train_features: np.ndarray, train: Sequence[Pair], test_features: np.ndarray, stances: Sequence[str]
) -> np.ndarray:
    """Return probabilities of logistic regression on frozen, standardised features.

    Parameters
    ----------
    train_features, test_features : shape (n_pairs, hidden), from the encoder before any fine-tuning.
    """
    weights, bias = fit_linear_head(train_features, train, stances)
    return softmax(test_features @ weights.T + bias)


def fit_linear_head(
    features: np.ndarray, pairs: Sequence[Pair], stances: Sequence[str], *, c: float = 0.003
) -> tuple[np.ndarray, np.ndarray]:
    """Fit logistic regression on standardised features and fold the scaling in.

    `c` = 0.003: on 384 standardised features and some hundred labels macro-F1 is flat from 0.003 to 0.03 (measured on
    id_stance), and the smallest of these gives the least overconfident probabilities.

    Returns
    -------
    weights (n_stances, hidden) and bias (n_stances,) for raw features; a class without examples gets a low bias.
    """
    from sklearn.linear_model import LogisticRegression

    mean, scale = features.mean(0), features.std(0) + 1e-6
    model = LogisticRegression(C=c, class_weight="balanced", max_iter=2000)
    model.fit((features - mean) / scale, [str(pair.stance) for pair in pairs])
    weights, bias = label_coefficients(model, stances)
    weights = weights / scale
    return weights, bias - weights @ mean


def label_coefficients(model: Any, stances: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return a fitted logistic regression's coefficients, one row a label of the study.

    scikit-learn keeps one row for two classes, and none for a class without examples; the latter gets a low bias here.

    Returns
    -------
    weights (n_stances, n_features) and bias (n_stances,).
    """
    import numpy as np

    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coefficients, intercepts = np.vstack([-coefficients / 2, coefficients / 2]), np.array([-1, 1]) * intercepts / 2
    names = list(map(str, stances))
    weights, bias = np.zeros((len(names), coefficients.shape[1])), np.full(len(names), -4.0)
    for row, name in enumerate(model.classes_):
        weights[names.index(name)], bias[names.index(name)] = coefficients[row], intercepts[row]
    return weights, bias


def _text(pair: Pair) -> str:
    return f"target_{pair.target.replace(' ', '_')} {pair.text}"


def _fit_predict(
    matrix: Any, train: Sequence[Pair], test_matrix: Any, stances: Sequence[str], *, c: float
) -> np.ndarray:
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=c, class_weight="balanced", max_iter=2000)
    model.fit(matrix, [str(pair.stance) for pair in train])
    found = model.predict_proba(test_matrix)
    probas = np.zeros((test_matrix.shape[0], len(stances)))
    for column, name in enumerate(model.classes_):
        probas[:, list(map(str, stances)).index(name)] = found[:, column]
    return probas
