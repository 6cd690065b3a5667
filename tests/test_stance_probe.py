"""Readers, probes, explanations and saved models, on a tiny encoder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nlp_study.encoders import load_encoder
from nlp_study.errors import ModelError
from nlp_study.schema import Stance
from nlp_study.stance.explain import check_faithfulness, explain_pairs, top_evidence
from nlp_study.stance.mixing import softmax
from nlp_study.stance.pairs import Pair
from nlp_study.stance.probe import fit_probe
from nlp_study.stance.reader import keep_reading, lean, load_reader, read_pairs_through, save_reader
from nlp_study.stance.saved import load_model, save_probe
from nlp_study.uncertainty import calibration_error

from .conftest import BAD, GOOD, make_sentence

STANCES = ("favor", "against", "neutral")
WINDOWS = {"window_tokens": 64, "window_overlap": 8}


def make_pairs(n=60, sentences=6):
    tones = {Stance.FAVOR: GOOD, Stance.AGAINST: BAD, Stance.NEUTRAL: GOOD + BAD}
    pairs = []
    for i in range(n):
        stance = list(tones)[i % 3]
        body = " ".join(make_sentence(50 * i + s, tones[stance]) for s in range(sentences))
        text = f"Catatan {i}\n\nLapak daring. {body}"
        pairs.append(Pair(f"p{i}", "pasar daring", "pasar daring", text, ("lapak daring",), f"a{i % 20}", stance))
    return pairs


@pytest.fixture(scope="module")
def reader(tiny_bert):
    return load_reader(load_encoder(str(tiny_bert)), name="", **WINDOWS)


@pytest.fixture(scope="module")
def fitted(reader):
    pairs = make_pairs()
    reading = read_pairs_through(reader, pairs)
    return pairs, reading, fit_probe(reading.vectors, pairs, STANCES, seed=1)


def test_a_probe_learns_and_its_probabilities_are_probabilities(fitted):
    pairs, reading, probe = fitted
    forecast = probe.predict(reading.vectors, pairs)
    probas = forecast.probas
    assert probas.sum(1) == pytest.approx(np.ones(len(pairs)), abs=1e-5)
    assert np.mean([STANCES[i] == pair.stance for i, pair in zip(forecast.decided, pairs, strict=True)]) > 0.6


def test_a_handful_of_labels_is_enough_to_fit(reader):
    pairs = [replace(pair, group=pair.post_id) for pair in make_pairs(12)]
    probe = fit_probe(read_pairs_through(reader, pairs).vectors, pairs, STANCES, seed=1)
    assert 0 < probe.known.probability.scales[0] <= 20


def test_temperature_keeps_the_order_and_lowers_the_error_of_an_overconfident_model():
    rng = np.random.default_rng(0)
    true = rng.dirichlet([2, 2, 2], 4000)
    gold = np.array([rng.choice(3, p=row) for row in true])
    sure = softmax(np.log(true) / 0.4)
    mended = softmax(np.log(sure) / 2.5)
    assert (mended.argmax(1) == sure.argmax(1)).all()
    assert calibration_error(mended, gold) < 0.03 < calibration_error(sure, gold)


def test_sentence_parts_add_up_to_the_lead(reader, fitted):
    """Sentences and the tokens outside the text (the target's, special ones) share the lead of a decision, exactly."""
    pairs, _, probe = fitted
    outside = np.zeros((5, 3))

    def watch(owner, hidden, offsets, weight):
        rows = [row for row, (_, high) in enumerate(offsets) if not high]
        outside[owner] += weight * ((hidden[rows] - probe.centre) @ probe.weights.T).sum(0)

    vectors = read_pairs_through(reader, pairs[:5], watch=watch).vectors
    explained = explain_pairs(reader, probe, pairs[:5])
    assert explained.reading.vectors == pytest.approx(vectors, abs=1e-5)
    scores = (vectors - probe.centre) @ probe.weights.T
    for i, sentences in enumerate(explained.sentences):
        first, second = np.argsort(explained.forecast.scores[i])[::-1][:2]
        lead = scores[i, first] - scores[i, second]
        scale = probe.unknown.decision.scales[0]
        parts = sum(found.weight for found in sentences) / scale + outside[i, first] - outside[i, second]
        assert len(sentences) == 8  # title, one on the target, six others
        assert parts == pytest.approx(lead, abs=1e-3)
    top = top_evidence(explained.sentences[0])
    assert len(top) == 3 and abs(top[0].weight) >= abs(top[1].weight) >= abs(top[2].weight)


def test_taking_out_the_top_sentences_hurts_more_than_random_ones(reader, fitted):
    _, _, probe = fitted
    long = make_pairs(30, sentences=14)
    found = check_faithfulness(reader, probe, long, n_sentences=2)
    assert found.n_pairs == 30 and found.top > found.random


def test_a_reading_is_kept_and_a_damaged_one_made_again(reader, tmp_path):
    pairs = make_pairs(6)
    first = keep_reading(reader, pairs, kept=tmp_path)
    [file] = tmp_path.glob("reading-*")
    assert keep_reading(reader, pairs, kept=tmp_path).vectors == pytest.approx(first.vectors)
    keep_reading(reader, [replace(pairs[0], aliases=("kopi",)), *pairs[1:]], kept=tmp_path)
    assert len(list(tmp_path.glob("reading-*"))) == 2
    file.write_bytes(b"broken")
    assert keep_reading(reader, pairs, kept=tmp_path).vectors == pytest.approx(first.vectors, abs=1e-5)


@pytest.fixture
def saved_reader(tiny_bert, tmp_path):
    import copy

    encoder = load_encoder(str(tiny_bert))
    torch.manual_seed(3)
    tuned = copy.deepcopy(encoder.model)
    with torch.no_grad():
        for parameter in tuned.encoder.layer[1].parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    head = torch.nn.Linear(32, 3)
    save_reader(tmp_path / "reader", encoder, tuned, head, first_layer=1, prefix="sikap ")
    return tmp_path / "reader", encoder


def test_a_saved_reader_changes_the_upper_layers_only(saved_reader):
    folder, encoder = saved_reader
    pairs = make_pairs(4)
    before = read_pairs_through(load_reader(encoder, name="", **WINDOWS), pairs).vectors
    reader = load_reader(encoder, name=str(folder), **WINDOWS)
    vectors = read_pairs_through(reader, pairs).vectors
    assert reader.prefix == "sikap " and not np.allclose(vectors, before)
    assert lean(reader, vectors).shape == (4, 3)
    again = read_pairs_through(load_reader(encoder, name="", **WINDOWS), pairs).vectors
    assert again == pytest.approx(before)  # the encoder itself is as it was


def test_a_reader_of_another_encoder_or_a_damaged_one_is_refused(saved_reader):
    folder, encoder = saved_reader
    with pytest.raises(ModelError, match="was made for") as caught:
        load_reader(replace(encoder, digest="other"), name=str(folder), **WINDOWS)
    assert "stance.reader" in caught.value.remedy
    (folder / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ModelError, match="no stance reader"):
        load_reader(encoder, name=str(folder), **WINDOWS)


def test_auto_takes_the_embedded_reader_only_for_its_encoder(tiny_bert):
    assert load_reader(load_encoder(str(tiny_bert)), name="auto", **WINDOWS).name == ""


def test_a_saved_probe_says_the_same(reader, fitted, tmp_path):
    pairs, reading, probe = fitted
    save_probe(tmp_path / "m", reader, probe, card="# m\n")
    model = load_model(tmp_path / "m")
    assert model.stances == tuple(map(Stance, STANCES)) and model.model_id == "m"
    forecast, before = model.probe.predict(reading.vectors, pairs), probe.predict(reading.vectors, pairs)
    assert forecast.probas == pytest.approx(before.probas, abs=1e-4)
    assert forecast.scores == pytest.approx(before.scores, abs=1e-4)
    with pytest.raises(ModelError, match="never overwritten"):
        save_probe(tmp_path / "m", reader, probe, card="")
    (tmp_path / "m" / "probe.json").write_text("{}")
    with pytest.raises(ModelError, match="damaged"):
        load_model(tmp_path / "m")
