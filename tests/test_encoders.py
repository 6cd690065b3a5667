from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nlp_study import encoders
from nlp_study.encoders import dequantize, has_fast_bfloat16, load_encoder, resolve_encoder
from nlp_study.errors import ModelError

REFERENCE = Path(__file__).parent / "fixtures/e5_reference.npz"


@pytest.fixture(scope="module")
def embedded():
    return load_encoder("e5-small-id")


def test_agrees_with_the_source_engine(embedded, monkeypatch):
    """Vectors of the source's own engine, whole vocabulary, stored when the encoder was built."""
    stored = np.load(REFERENCE)
    monkeypatch.setattr(encoders, "has_fast_bfloat16", lambda device: False)
    found = embedded.embed(list(stored["texts"]))
    assert found.shape == (10, 384) and found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert ((found * stored["vectors"]).sum(1) >= 0.999).all()


@pytest.mark.skipif(not has_fast_bfloat16("cpu"), reason="this processor has no bf16")
def test_bf16_stays_close_to_float32(embedded, monkeypatch):
    texts = list(np.load(REFERENCE)["texts"])
    fast = embedded.embed(texts)
    monkeypatch.setattr(encoders, "has_fast_bfloat16", lambda device: False)
    assert ((fast * embedded.embed(texts)).sum(1) >= 0.99).all()


def test_padding_and_order_change_nothing(embedded):
    texts = ["Pendek.", "Kalimat yang lebih panjang tentang warung kopi di tepi jalan raya Pantura.", "Ya."]
    together = embedded.embed(texts)
    alone = np.concatenate([embedded.embed([text]) for text in texts])
    assert (together * alone).sum(1) == pytest.approx(1, abs=5e-3)


def test_nothing_is_cut(embedded):
    long = "harga beras naik lagi minggu ini dan pedagang mengeluh " * 120
    changed = long + "lalu tim sepak bola kami menang besar di kandang lawan " * 20
    assert float(embedded.embed([long])[0] @ embedded.embed([changed])[0]) < 0.999


def test_progress_counts_texts_once(embedded):
    seen: list[int] = []
    embedded.embed(["kata " * 700, "satu", "dua"], progress=seen.append)
    assert sum(seen) == 3


def test_no_texts(embedded):
    assert embedded.embed([]).shape == (0, 384)


def test_prefixes_and_special_tokens(embedded):
    tokenizer = embedded.tokenizer
    assert (embedded.prefix_query, embedded.prefix_passage) == ("query: ", "passage: ")
    assert tokenizer.convert_ids_to_tokens([0, 1, 2, 3]) == ["<s>", "<pad>", "</s>", "<unk>"]
    ids = tokenizer("passage: Harga cabai naik 😭 di Pasar Minggu, katanya.")["input_ids"]
    assert 3 not in ids and ids[0] == 0 and ids[-1] == 2
    assert tokenizer.decode(ids, skip_special_tokens=True) == "passage: Harga cabai naik 😭 di Pasar Minggu, katanya."
    assert max(tokenizer.get_vocab().values()) + 1 == embedded.model.config.vocab_size


def test_a_saved_copy_is_an_ordinary_model(embedded, tmp_path):
    from transformers import AutoModel, AutoTokenizer

    embedded.model.save_pretrained(tmp_path)
    embedded.tokenizer.save_pretrained(tmp_path)
    assert encoders.CONFIG_KEY not in json.loads((tmp_path / "config.json").read_text())
    plain = AutoModel.from_pretrained(tmp_path)
    ids = AutoTokenizer.from_pretrained(tmp_path)("passage: sama", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        assert torch.allclose(plain(ids).last_hidden_state, embedded.model(ids).last_hidden_state, atol=1e-4)


def test_the_card_names_files_as_they_are():
    folder = Path(resolve_encoder("e5-small-id"))
    provenance = json.loads((folder / "provenance.json").read_text())
    from nlp_study.store import digest_file

    assert provenance["sha256"] == {name: digest_file(folder / name) for name in provenance["sha256"]}
    card = (folder / "README.md").read_text()
    assert f"{provenance['n_pieces']:,}" in card and "MIT" in card
    assert (folder / "LICENSE").read_text().count("MIT License") >= 1
    assert sum(path.stat().st_size for path in folder.iterdir()) < 22e6


@given(st.lists(st.integers(0, 255), min_size=32, max_size=32))
def test_dequantize_by_hand(values):
    blocks = np.array(values, np.uint8).reshape(2, 16)
    scales = np.array([0.5, -2.0], np.float16)
    found = dequantize(blocks, scales)
    expected = [((b & 15) - 8) * s for row, s in zip(values_of(blocks), (0.5, -2.0), strict=True) for b in row]
    low_then_high = []
    for row, s in zip(values_of(blocks), (0.5, -2.0), strict=True):
        low_then_high += [((b & 15) - 8) * s for b in row] + [((b >> 4) - 8) * s for b in row]
    assert found.tolist() == low_then_high
    assert found[:16].tolist() == expected[:16]


def values_of(blocks):
    return [[int(b) for b in row] for row in blocks]


def test_indobert_like_encoder_loads_through_the_same_function(tiny_bert):
    encoder = load_encoder(str(tiny_bert))
    assert (encoder.hidden_size, encoder.max_length_tokens, encoder.prefix_query) == (32, 128, "")
    assert encoder.embed(["Warung kopi di pasar", "x"]).shape == (2, 32)


def test_training_on_a_cpu_has_no_dropout_and_eager_attention(tiny_bert):
    encoder = load_encoder(str(tiny_bert), for_training=True, device="cpu")
    assert encoder.model.config._attn_implementation == "eager"
    assert {m.p for m in encoder.model.modules() if isinstance(m, torch.nn.Dropout)} == {0.0}
    assert encoder.model.config.hidden_dropout_prob == 0.1, "the saved model keeps its own setting"


def test_names_are_looked_up_in_order(tmp_path, tiny_bert):
    shutil.copytree(tiny_bert, tmp_path / "e5-small-id")
    assert resolve_encoder("e5-small-id", models_dir=tmp_path) == (tmp_path / "e5-small-id").resolve()
    assert Path(resolve_encoder("e5-small-id")).parent.name == "models"
    assert resolve_encoder("indobenchmark/indobert-base-p1") == "indobenchmark/indobert-base-p1"
    for name in ("./nowhere", "/no/such/folder", "two words"):
        with pytest.raises(ModelError, match="does not exist"):
            resolve_encoder(name)


def test_an_unreachable_hub_says_what_to_do():
    with pytest.raises(ModelError) as caught:
        load_encoder("indobenchmark/indobert-base-p1")
    assert "indobenchmark/indobert-base-p1" in str(caught.value)
    assert "hf download" in caught.value.remedy and "e5-small-id" in caught.value.remedy


@pytest.mark.parametrize("broken", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_without_a_file_is_named(tiny_bert, tmp_path, broken):
    folder = tmp_path / "model"
    shutil.copytree(tiny_bert, folder)
    (folder / broken).unlink()
    (folder / "vocab.txt").unlink(missing_ok=True)
    with pytest.raises(ModelError, match="model"):
        load_encoder(str(folder))


def test_missing_weights_are_never_made_up(tiny_bert, tmp_path):
    """transformers would fill them with random numbers and warn."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(tiny_bert, folder)
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 weights.*encoder\.layer\.1\.output"):
        load_encoder(str(folder))


def test_truncated_weights_are_named(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(resolve_encoder("e5-small-id"), folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="missing or damaged"):
        load_encoder(str(folder))


def test_an_unknown_format_is_refused(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(resolve_encoder("e5-small-id"), folder)
    config = json.loads((folder / "config.json").read_text())
    config["nlp_study"]["format"] = "q2"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="stored as q2"):
        load_encoder(str(folder))


def test_bf16_is_never_claimed_for_unknown_devices():
    assert has_fast_bfloat16("mps") is False
