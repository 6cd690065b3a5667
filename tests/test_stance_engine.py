"""The packed engine computes what transformers computes; whatever it does not know is left to transformers."""

from __future__ import annotations

import copy
import platform

import pytest
import torch

from nlp_study.encoders import load_encoder
from nlp_study.stance.engine import PACKED, PLAIN, PackedBert, can_pack, engine_name, make_engine

x86_only = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="weights are packed on x86 only"
)


@pytest.fixture(scope="module")
def model(tiny_bert):
    return load_encoder(str(tiny_bert)).model


def make_batch(model, lengths):
    """Return inputs of the given lengths, padded to the longest, and the same inputs one by one."""
    generator = torch.Generator().manual_seed(5)
    singles = [torch.randint(5, model.config.vocab_size, (1, n), generator=generator) for n in lengths]
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    for row, single in enumerate(singles):
        ids[row, : single.shape[1]] = single[0]
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    kinds = torch.zeros_like(ids)
    kinds[:, 3:] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds * mask}


@x86_only
@pytest.mark.parametrize("lengths", [(9, 9, 9), (4, 9, 17), (1,)])
@torch.inference_mode()
def test_packed_in_float32_is_the_model(model, lengths):
    batch = make_batch(model, lengths)
    wanted = model(**batch).last_hidden_state
    found = PackedBert(model, dtype=torch.float32)(batch)
    real = batch["attention_mask"].bool()
    assert found.shape == wanted.shape and found.dtype == torch.float32
    assert (found[real] - wanted[real]).abs().max() < 2e-6


@x86_only
@torch.inference_mode()
def test_packed_in_bfloat16_stays_near_the_model(model):
    batch = make_batch(model, (12, 30, 31))
    real = batch["attention_mask"].bool()
    wanted = model(**batch).last_hidden_state[real]
    found = PackedBert(model, dtype=torch.bfloat16)(batch)[real].float()
    assert torch.cosine_similarity(found, wanted, dim=1).min() > 0.9995


@x86_only
@torch.inference_mode()
def test_padding_and_neighbours_change_nothing(model):
    batch = make_batch(model, (6, 40))
    engine = PackedBert(model, dtype=torch.float32)
    alone = engine({name: tensor[:1, :6] for name, tensor in batch.items()})
    assert (engine(batch)[0, :6] - alone[0]).abs().max() < 2e-6


@x86_only
def test_a_bert_on_the_cpu_is_packed(model):
    assert can_pack(model) and engine_name(model) == PACKED and isinstance(make_engine(model), PackedBert)


@pytest.mark.parametrize("change", [{"hidden_act": "relu"}, {"is_decoder": True}])
def test_another_architecture_is_left_to_transformers(model, change):
    other = copy.deepcopy(model)
    for name, value in change.items():
        setattr(other.config, name, value)
    assert engine_name(other) == PLAIN


def test_a_model_in_training_is_not_packed(model):
    assert not can_pack(copy.deepcopy(model).train())


@torch.inference_mode()
def test_the_engine_of_another_model_is_its_own_forward_pass():
    from transformers import RobertaConfig, RobertaModel

    torch.manual_seed(1)
    config = RobertaConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=40, type_vocab_size=2,
    )  # fmt: skip
    roberta = RobertaModel(config, add_pooling_layer=False).eval()
    batch = make_batch(roberta, (5, 8))
    del batch["token_type_ids"]
    found = make_engine(roberta)(batch)[batch["attention_mask"].bool()].float()
    wanted = roberta(**batch).last_hidden_state[batch["attention_mask"].bool()]
    assert torch.cosine_similarity(found, wanted, dim=1).min() > 0.999


@x86_only
@torch.inference_mode()
def test_an_engine_keeps_the_weights_it_was_made_of(model):
    tuned = copy.deepcopy(model)
    batch = make_batch(model, (7,))
    engine = PackedBert(tuned, dtype=torch.float32)
    before = engine(batch)
    tuned.encoder.layer[0].output.dense.weight.add_(1.0)
    assert torch.equal(engine(batch), before)
    assert not torch.equal(PackedBert(tuned, dtype=torch.float32)(batch), before)
