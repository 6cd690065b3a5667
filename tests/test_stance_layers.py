"""Reading the frozen layers once changes nothing that the classifier says."""

from __future__ import annotations

import pytest
import torch
from transformers import RobertaConfig, RobertaModel

from nlp_study.config import StanceSettings
from nlp_study.encoders import load_encoder
from nlp_study.schema import Stance
from nlp_study.stance import layers
from nlp_study.stance.layers import split_layers
from nlp_study.stance.model import build_classifier
from nlp_study.stance.pairs import Pair
from nlp_study.stance.predict import pool_windows, predict_pairs
from nlp_study.stance.train import fit_classifier, predict_prepared, prepare_pairs, upper_classifier

STANCES = (Stance.FAVOR, Stance.AGAINST)
SETTINGS = StanceSettings(
    epochs=2, learning_rate=1e-3, frozen_layers=1, batch_size=8, window_tokens=64, window_overlap=8, train_windows=2
)


def pairs(n=24):
    words = ("untung maju", "rugi sepi")
    texts = [f"pasar pagi {i % 7} {words[i % 2]} hujan " * (3 + i) for i in range(n)]
    return [
        Pair(f"p{i}", "pasar daring", "pasar daring", text, (), f"a{i % 12}", STANCES[i % 2])
        for i, text in enumerate(texts)
    ]


def test_upper_layers_over_kept_windows_equal_the_whole_encoder(tiny_bert):
    encoder = load_encoder(str(tiny_bert), for_training=True)
    classifier = build_classifier(encoder, n_stances=2).eval()
    prepared = prepare_pairs(encoder, pairs(), SETTINGS, show_progress=False)
    windows = prepared.windows
    assert max(len(item.encoded) for item in windows) > 2
    assert all(
        item.hidden is not None and [len(h) for h in item.hidden] == [len(w["input_ids"]) for w in item.encoded]
        for item in windows
    )
    plain = prepare_pairs(encoder, pairs(), SETTINGS.model_copy(update={"frozen_layers": 0}))
    assert plain.windows[0].hidden is None
    whole = pool_windows(classifier, plain.windows, encoder.tokenizer.pad_token_id)
    assert prepared.features == pytest.approx(whole, abs=5e-2) and plain.features == pytest.approx(whole, abs=1e-5)
    upper = pool_windows(upper_classifier(classifier, 1), windows, encoder.tokenizer.pad_token_id)
    assert upper == pytest.approx(whole, abs=5e-2)
    assert torch.equal(upper_classifier(classifier, 1).head.weight, classifier.head.weight)


def test_training_the_upper_layers_trains_the_whole_encoder(tiny_bert):
    encoder = load_encoder(str(tiny_bert), for_training=True)
    before = {name: p.detach().clone() for name, p in encoder.model.named_parameters()}
    windows = prepare_pairs(encoder, pairs(), SETTINGS, show_progress=False)
    model, _ = fit_classifier(
        pairs(), settings=SETTINGS, stances=STANCES, encoder=encoder, seed=1, prepared=windows, show_progress=False
    )
    changed = {name for name, p in model.classifier.encoder.named_parameters() if not torch.equal(p, before[name])}
    assert changed and all("layer.1." in name for name in changed)
    assert predict_prepared(model, windows, SETTINGS) == pytest.approx(predict_pairs(model, pairs()).probas, abs=2e-2)


def test_windows_beyond_the_limit_are_not_kept(tiny_bert, monkeypatch):
    monkeypatch.setattr(layers, "MAX_KEPT_BYTES", 100)
    encoder = load_encoder(str(tiny_bert), for_training=True)
    windows = prepare_pairs(encoder, pairs(), SETTINGS, show_progress=False)
    assert all(item.hidden is None for item in windows.windows)
    model, _ = fit_classifier(pairs(), settings=SETTINGS, stances=STANCES, encoder=encoder, seed=1, prepared=windows)
    assert predict_prepared(model, windows, SETTINGS).shape == (24, 2)


@pytest.mark.parametrize("n_frozen", [0, 2, 9])
def test_nothing_to_split(tiny_bert, n_frozen):
    model = load_encoder(str(tiny_bert)).model
    assert split_layers(model, n_frozen) is None
    assert split_layers(torch.nn.Linear(2, 2), 1) is None
    with pytest.raises(ValueError, match="cannot be split"):
        upper_classifier(build_classifier(load_encoder(str(tiny_bert)), n_stances=2), n_frozen)


def test_other_bert_kin_split_too():
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=40, pad_token_id=1,
    )  # fmt: skip
    model = RobertaModel(config, add_pooling_layer=False).eval()
    lower, upper = split_layers(model, 2)
    ids = torch.tensor([[0, 5, 6, 7, 2], [0, 8, 2, 1, 1]])
    mask = (ids != 1).long()
    with torch.no_grad():
        whole = model(input_ids=ids, attention_mask=mask).last_hidden_state
        middle = lower(input_ids=ids, attention_mask=mask).last_hidden_state
        again = upper(inputs_embeds=middle, attention_mask=mask).last_hidden_state
    assert torch.allclose(whole[mask.bool()], again[mask.bool()], atol=1e-5)
    assert len(model.encoder.layer) == 3


def test_what_was_read_is_kept_for_the_next_training(tiny_bert, tmp_path, monkeypatch):
    encoder = load_encoder(str(tiny_bert), for_training=True)
    first = prepare_pairs(encoder, pairs(), SETTINGS, kept=tmp_path, show_progress=False)
    (file,) = tmp_path.iterdir()
    monkeypatch.setattr("nlp_study.stance.train.read_lower", lambda *_, **__: pytest.fail("read again"))
    again = prepare_pairs(encoder, pairs(), SETTINGS, kept=tmp_path, show_progress=False)
    assert (first.features == again.features).all()
    for a, b in zip(first.windows, again.windows, strict=True):
        assert a.encoded == b.encoded and all(torch.equal(x, y) for x, y in zip(a.hidden, b.hidden, strict=True))
    monkeypatch.undo()
    prepare_pairs(encoder, pairs(12), SETTINGS, kept=tmp_path, show_progress=False)
    assert len(list(tmp_path.iterdir())) == 2  # other posts are another file
    file.write_bytes(file.read_bytes()[:100])
    mended = prepare_pairs(encoder, pairs(), SETTINGS, kept=tmp_path, show_progress=False)
    assert torch.equal(mended.windows[3].hidden[0], first.windows[3].hidden[0])


def test_without_epochs_the_head_alone_is_fitted(tiny_bert):
    encoder = load_encoder(str(tiny_bert), for_training=True)
    settings = SETTINGS.model_copy(update={"epochs": 0})
    prepared = prepare_pairs(encoder, pairs(), settings, show_progress=False)
    assert all(item.hidden is None for item in prepared.windows)
    model, history = fit_classifier(
        pairs(), settings=settings, stances=STANCES, encoder=encoder, seed=1, prepared=prepared, show_progress=False
    )
    assert (history.kept, history.epochs, history.n_stopping) == ("linear head", 0, 0)
    assert history.n_tokens_read == history.n_tokens_total  # all windows are read
    assert predict_prepared(model, prepared, settings) == pytest.approx(predict_pairs(model, pairs()).probas, abs=1e-2)
    again = prepare_pairs(encoder, pairs(), settings, show_progress=False)
    assert (again.features == prepared.features).all()
