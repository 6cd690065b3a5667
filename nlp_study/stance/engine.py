"""`make_engine(model)`: the fastest way to a model's token vectors, behind one call.

On a CPU a BERT is run with weights that oneDNN has packed for its processor, in bf16 where the processor multiplies bf16,
with query, key and value as one product. Whatever else, GPUs and other architectures included, runs as transformers has it.
Tokens a CPU second at posts of 500 words (Zen 4, one thread, medians of three rounds, embedded encoder):

| engine | tokens/s | largest error of a score |
|---|---|---|
| transformers in float32, sorted batches | 1,242-1,553 | 0 |
| ONNX Runtime in float32, fused graph | 1,659 | 0.000 |
| transformers, bf16 autocast | 2,421-2,526 | 0.007 |
| transformers, weights converted to bf16 | 2,509 | 0.012 |
| ONNX Runtime int8, second half of the feed-forward layers left in float32 | 2,528 | 0.100 |
| packed bf16, all vectors in bf16 | 2,928 | 0.013 |
| packed bf16, sums in float32 (this module) | 2,740 | 0.007 |
| ONNX Runtime int8, all layers | 3,408 | 0.274 |
| torch int8 (`quantize_dynamic`) | 3,705 | 1.178 |
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from nlp_study.encoders import has_fast_bfloat16

Engine = Callable[[Mapping[str, torch.Tensor]], torch.Tensor]
"""Takes `input_ids`, `attention_mask` and perhaps `token_type_ids`, each (n_inputs, n_tokens); returns token vectors of shape
(n_inputs, n_tokens, hidden). What stands at padding is undefined."""

PACKED = "packed"
PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class _Linear:
    """A linear layer whose weight lies as oneDNN wants it."""

    weight: torch.Tensor
    bias: torch.Tensor

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(states, self.weight, self.bias, "none", [], "")
        return product


@dataclass(frozen=True, slots=True)
class _Norm:
    weight: torch.Tensor
    bias: torch.Tensor
    eps: float

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(states, self.weight.shape, self.weight, self.bias, self.eps)


@dataclass(frozen=True, slots=True)
class _Layer:
    projections: _Linear
    output: _Linear
    attention_norm: _Norm
    widen: _Linear
    narrow: _Linear
    norm: _Norm


class PackedBert:
    """A BERT's forward pass with packed weights; a copy of the weights, so later training of the model does not reach it.

    Parameters
    ----------
    model : a `transformers.BertModel` on the CPU for which `can_pack` holds.
    dtype : of the products, bf16 or float32. What goes from layer to layer stays in float32, as under autocast: in bf16 it
        doubles the error of a score for 4 % of the time.
    """

    def __init__(self, model: Any, *, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.embeddings = model.embeddings
        self.n_heads = int(model.config.num_attention_heads)
        self.layers = [self._pack_layer(layer) for layer in model.encoder.layer]

    def __call__(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return token vectors, see `Engine`."""
        mask = batch["attention_mask"].bool()
        n_inputs, n_tokens = mask.shape
        embedded = self.embeddings(input_ids=batch["input_ids"], token_type_ids=batch.get("token_type_ids"))
        states = embedded.float().flatten(0, 1)
        hidden = states.shape[-1]
        bias = None
        if not mask.all():
            bias = torch.zeros(n_inputs, 1, 1, n_tokens, dtype=self.dtype).masked_fill_(
                ~mask[:, None, None], -torch.inf
            )
            bias = bias.expand(n_inputs, 1, n_tokens, n_tokens)
        for layer in self.layers:
            heads = layer.projections(states.to(self.dtype)).view(n_inputs, n_tokens, 3, self.n_heads, -1)
            query, key, value = heads.permute(2, 0, 3, 1, 4)
            read = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
            read = read.transpose(1, 2).reshape(n_inputs * n_tokens, hidden)
            states = layer.attention_norm(states + layer.output(read))
            states = layer.norm(states + layer.narrow(functional.gelu(layer.widen(states.to(self.dtype)))))
        return states.view(n_inputs, n_tokens, hidden)

    def _pack_layer(self, layer: Any) -> _Layer:
        attention = layer.attention
        parts = (attention.self.query, attention.self.key, attention.self.value)
        return _Layer(
            self._pack(torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])),
            self._pack(attention.output.dense.weight, attention.output.dense.bias),
            self._norm(attention.output.LayerNorm),
            self._pack(layer.intermediate.dense.weight, layer.intermediate.dense.bias),
            self._pack(layer.output.dense.weight, layer.output.dense.bias),
            self._norm(layer.output.LayerNorm),
        )

    def _pack(self, weight: torch.Tensor, bias: torch.Tensor) -> _Linear:
        plain = weight.detach().to(self.dtype).contiguous()
        return _Linear(torch.ops.mkldnn._reorder_linear_weight(plain), bias.detach().to(self.dtype))

    def _norm(self, norm: Any) -> _Norm:
        return _Norm(norm.weight.detach().float(), norm.bias.detach().float(), norm.eps)


def make_engine(model: nn.Module) -> Engine:
    """Return the fastest engine for a model, where the model lies.

    Packing costs some 50 ms: make one for many inputs.

    Parameters
    ----------
    model : an encoder in evaluation mode; called as transformers has it unless `can_pack` holds.
    """
    device = next(model.parameters()).device.type
    fast = has_fast_bfloat16(device)
    if can_pack(model):
        return PackedBert(model, dtype=torch.bfloat16 if fast else torch.float32)

    def read(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=fast):
            hidden: torch.Tensor = model(**batch).last_hidden_state
        return hidden

    return read


def engine_name(model: nn.Module) -> str:
    """Return what stands for the engine in digests: vectors of two engines differ in the last digits."""
    return PACKED if can_pack(model) else PLAIN


def can_pack(model: nn.Module) -> bool:
    """Say whether `PackedBert` computes what the model does, on this processor and with this torch."""
    from transformers import BertModel

    if not isinstance(model, BertModel) or next(model.parameters()).device.type != "cpu":
        return False
    config = model.config
    plain = config.hidden_act == "gelu" and not getattr(config, "is_decoder", False)
    absolute = getattr(config, "position_embedding_type", "absolute") in (None, "absolute")
    x86 = platform.machine().lower() in ("x86_64", "amd64") and torch.backends.mkldnn.is_available()
    ops = all(hasattr(torch.ops.mkldnn, name) for name in ("_linear_pointwise", "_reorder_linear_weight"))
    return plain and absolute and x86 and ops and not model.training
