from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from nlp_study.encoders import load_encoder, resolve_encoder
from nlp_study.errors import ModelError


@pytest.fixture
def copy(tiny_bert, tmp_path):
    return shutil.copytree(tiny_bert, tmp_path / "model")


def test_a_folder_without_a_tokenizer_is_refused(copy):
    """transformers makes a tokenizer of five special tokens there, to which every word is unknown."""
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (copy / name).unlink(missing_ok=True)
    with pytest.raises(ModelError, match="no vocabulary"):
        load_encoder(str(copy))


def test_a_tokenizer_of_another_model_is_refused(copy):
    shutil.copy(resolve_encoder("e5-small-id") / "tokenizer.json", copy)
    shutil.copy(resolve_encoder("e5-small-id") / "tokenizer_config.json", copy)
    with pytest.raises(ModelError, match="another model"):
        load_encoder(str(copy))


def test_a_checkpoint_without_a_layer_is_refused(copy):
    """transformers fills it with random numbers and only logs that."""
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "layer.1." not in name}
    save_file(kept, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks \d+ weights"):
        load_encoder(str(copy))


def test_a_half_precision_checkpoint_is_read_in_float32(copy):
    from transformers import AutoModel

    AutoModel.from_pretrained(copy).half().save_pretrained(copy)
    encoder = load_encoder(str(copy))
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.float32}
    assert np.linalg.norm(encoder.embed(["warung kopi"])) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("lost", ["weight.scale", "bias"])
def test_embedded_weights_without_a_tensor_are_refused(tmp_path, lost):
    from safetensors.numpy import load_file, save_file

    folder = shutil.copytree(resolve_encoder("e5-small-id"), tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    del weights[f"encoder.layer.3.output.dense.{lost}"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ModelError, match="do not fit"):
        load_encoder(str(folder))


def test_a_window_without_room_is_refused(tiny_bert):
    with pytest.raises(ModelError, match="max_length=2 leaves no room"):
        load_encoder(str(tiny_bert)).embed(["warung kopi"], max_length=2)


def test_windows_are_weighted_by_their_tokens(tiny_bert):
    """Two windows by hand: their sums over tokens added, then normalised."""
    encoder = load_encoder(str(tiny_bert), device="cpu")
    words = "warung pasar kios motor sambal".split()
    found = encoder.embed([" ".join(words)], max_length=5, prefix="")[0]
    total = torch.zeros(32)
    for part in (words[:3], words[3:]):
        ids = encoder.tokenizer(" ".join(part), return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            total += encoder.model(ids).last_hidden_state[0].sum(0)
    assert float(found @ (total / total.norm()).numpy()) == pytest.approx(1, abs=2e-3)


def test_the_digest_follows_weights_and_tokenizer_not_the_card(copy):
    before = load_encoder(str(copy)).digest
    (copy / "README.md").write_text("a card", encoding="utf-8")
    assert load_encoder(str(copy)).digest == before
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    (copy / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-6}), encoding="utf-8")
    assert load_encoder(str(copy)).digest != before
