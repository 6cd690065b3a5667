"""Bags of words, and how scores are mixed to decide and to say how probable a label is."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from nlp_study.schema import Stance
from nlp_study.stance.bag import fit_bag
from nlp_study.stance.explain import explain_pairs
from nlp_study.stance.mixing import Mix, fit_mix, plain_mix, softmax
from nlp_study.stance.pairs import Pair
from nlp_study.stance.probe import fit_probe
from nlp_study.stance.reader import load_reader, read_pairs_through
from nlp_study.stance.saved import load_model, save_probe
from nlp_study.uncertainty import calibration_error

from .conftest import BAD, GOOD, make_sentence

NAMES = ("favor", "against", "neutral")


def draw_scores(n, shares, *, scale, seed=0):
    """Scores that are too sure by `scale` and know nothing of how unequal the classes are, and the right columns."""
    rng = np.random.default_rng(seed)
    gold = rng.choice(len(shares), n, p=shares)
    return scale * (1.2 * np.eye(len(shares))[gold] + rng.normal(0, 0.8, (n, len(shares)))), gold


def test_a_mix_weighs_by_hand():
    mixed = Mix((2.0, 0.5), (1.0, -1.0)).apply([np.array([[1.0, 0.0]]), np.array([[2.0, 4.0]])])
    assert mixed.tolist() == [[4.0, 1.0]]
    assert plain_mix(2, 3).apply([np.ones((1, 3)), np.full((1, 3), 9.0)]).tolist() == [[1.0, 1.0, 1.0]]


def test_probabilities_follow_the_shares_and_decisions_treat_all_classes_alike():
    shares = [0.7, 0.2, 0.1]
    scores, gold = draw_scores(4000, shares, scale=4)
    fresh, fresh_gold = draw_scores(4000, shares, scale=4, seed=1)
    probability, decision = fit_mix([scores], gold, balanced=False), fit_mix([scores], gold, balanced=True)
    probas = softmax(probability.apply([fresh]))
    assert calibration_error(softmax(fresh), fresh_gold) > 0.1 > 0.03 > calibration_error(probas, fresh_gold)
    assert probas.mean(0) == pytest.approx(shares, abs=0.03)

    def recalls(columns):
        return np.array([(columns[fresh_gold == k] == k).mean() for k in range(3)])

    by_decision, by_probability = recalls(decision.apply([fresh]).argmax(1)), recalls(probas.argmax(1))
    assert np.ptp(by_decision) < 0.1 < np.ptp(by_probability) and by_decision.mean() > by_probability.mean() + 0.05


def test_a_table_of_noise_gets_no_weight():
    scores, gold = draw_scores(2000, [0.4, 0.3, 0.3], scale=1)
    noise = np.random.default_rng(5).normal(size=scores.shape)
    mix = fit_mix([scores, noise], gold, balanced=False)
    assert mix.scales[1] < 0.1 * mix.scales[0]


def make_pairs(n=40):
    tones = {Stance.FAVOR: GOOD, Stance.AGAINST: BAD}
    pairs = []
    for i in range(n):
        stance = list(tones)[i % 2]
        body = " ".join(make_sentence(30 * i + s, tones[stance]) for s in range(5))
        pairs.append(Pair(f"p{i}", "kopi", "kopi", f"Catatan {i}\n\nPasal kopi. {body}", ("kopi",), f"a{i}", stance))
    return pairs


def test_words_of_one_author_do_not_count():
    pairs = make_pairs(8)
    own = [replace(pair, text=f"{pair.text} rahasiasaya rahasiasaya", group="a0") for pair in pairs[:2]]
    bag = fit_bag([*own, *pairs[2:]], NAMES)
    assert bag is not None and "kopi" in bag.columns and "rahasiasaya" not in bag.columns
    alone = [replace(pair, group="a") for pair in pairs]
    assert fit_bag(alone, NAMES) is None


def test_a_bag_is_tfidf_as_scikit_learn_has_it():
    from sklearn.feature_extraction.text import TfidfVectorizer

    pairs = make_pairs(12)
    bag = fit_bag(pairs, NAMES)
    reference = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, vocabulary=list(bag.terms))
    texts = [f"{pair.text} target_kopi" for pair in pairs]
    expected = reference.fit_transform(texts) @ bag.weights.T + bag.bias
    assert bag.score(pairs) == pytest.approx(expected, abs=1e-4)


def test_terms_add_up_to_the_scores():
    """What is left is the target's own term, whose share shrinks with the length of the text as that of any other."""
    pairs = make_pairs(12)
    bag = fit_bag(pairs, NAMES)
    own = bag.columns["target_kopi"]
    for pair in pairs[:4]:
        places, added = bag.locate(pair)
        left = bag.score([pair])[0] - bag.bias - added.sum(0)
        counts = Counter(term for term in re.findall(r"\w\w+", pair.text.lower()))
        assert len(places) > 20 and all(0 <= place < len(pair.text) for place in places)
        assert all(pair.text[place].isalnum() for place in places) and counts["kopi"] >= 2
        ratio = left[bag.weights[:, own] != 0] / bag.weights[:, own][bag.weights[:, own] != 0]
        assert ratio == pytest.approx(ratio[0], rel=1e-3) and 0 < ratio[0] < bag.idf[own]


@pytest.fixture(scope="module")
def fitted(tiny_bert):
    from nlp_study.encoders import load_encoder

    reader = load_reader(load_encoder(str(tiny_bert)), name="", window_tokens=64, window_overlap=8)
    pairs = make_pairs()
    vectors = read_pairs_through(reader, pairs).vectors
    return reader, pairs, vectors, fit_probe(vectors, pairs, NAMES, seed=1, with_words=True)


def test_words_count_for_known_targets_only(fitted):
    _, pairs, vectors, probe = fitted
    assert probe.bag is not None and probe.targets == {"kopi"}
    other = [replace(pair, target="teh") for pair in pairs]
    by_vectors = fit_probe(vectors, pairs, NAMES, seed=1).predict(vectors, other)
    assert probe.predict(vectors, other).probas == pytest.approx(by_vectors.probas, abs=1e-5)
    assert not np.allclose(probe.predict(vectors, pairs).scores, by_vectors.scores)


def test_the_parts_of_sentences_hold_vectors_and_words(fitted):
    reader, pairs, _, probe = fitted
    outside = np.zeros((4, 3))

    def watch(owner, hidden, offsets, weight):
        rows = [row for row, (_, high) in enumerate(offsets) if not high]
        outside[owner] += weight * ((hidden[rows] - probe.centre) @ probe.weights.T).sum(0)

    read_pairs_through(reader, pairs[:4], watch=watch)
    explained = explain_pairs(reader, probe, pairs[:4])
    of_vectors, of_words = probe.known.decision.scales
    for i, pair in enumerate(pairs[:4]):
        left = of_words * (probe.bag.score([pair])[0] - probe.bag.locate(pair)[1].sum(0))
        left += of_vectors * (outside[i] + probe.bias + probe.weights @ probe.centre) + np.array(
            probe.known.decision.shift
        )
        first, second = np.argsort(explained.forecast.scores[i])[::-1][:2]
        lead = explained.forecast.scores[i, first] - explained.forecast.scores[i, second]
        parts = sum(found.weight for found in explained.sentences[i])
        assert parts + left[first] - left[second] == pytest.approx(lead, abs=0.02)


def test_a_saved_probe_keeps_its_words(fitted, tmp_path):
    reader, pairs, vectors, probe = fitted
    save_probe(tmp_path / "m", reader, probe, card="# m\n")
    again = load_model(tmp_path / "m").probe
    assert again.bag.terms == probe.bag.terms and again.targets == probe.targets
    before, after = probe.predict(vectors, pairs), again.predict(vectors, pairs)
    assert after.probas == pytest.approx(before.probas, abs=1e-5)
    assert after.scores == pytest.approx(before.scores, abs=1e-5)
