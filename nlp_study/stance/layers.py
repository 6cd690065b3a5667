"""Frozen layers are read once: what they make of every window is kept, and only the layers above are run in training.

With the lowest 8 of 12 layers frozen this saves two thirds of every forward pass, in each epoch, fold and seed.
"""

from __future__ import annotations

import copy
import hashlib
import uuid
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from nlp_study.encoders import has_fast_bfloat16
from nlp_study.stance.windows import Windows

MAX_KEPT_BYTES = 2 << 30
"""Windows that would take more are not kept: they are read from their tokens in every step. 2 GiB hold some 3,000 posts
of 400 words for a small encoder."""


@dataclass(frozen=True)
class Prepared:
    """Labelled pairs as the frozen encoder sees them: read once, used by every fold, seed and the final training.

    `windows` has shape (n_pairs,); they carry `hidden` where only the layers above the frozen ones need to be run.
    `features` are the vectors before any fine-tuning, mean over all windows, shape (n_pairs, hidden).
    """

    windows: list[Windows]
    features: np.ndarray

    def pick(self, indices: Sequence[int]) -> Prepared:
        """Return some of the pairs, by position."""
        return Prepared([self.windows[i] for i in indices], self.features[list(indices)])


class _Passed(nn.Module):
    """Stands where an encoder's embeddings stand and hands on what the lower layers made."""

    def forward(self, inputs_embeds: torch.Tensor, **_: Any) -> torch.Tensor:
        return inputs_embeds


def split_layers(encoder: nn.Module, n_frozen: int) -> tuple[nn.Module, nn.Module] | None:
    """Return the encoder's `n_frozen` lowest layers with its embeddings, and the layers above, sharing its parameters.

    None when there is nothing to split: no frozen layer, all frozen, or an architecture without `embeddings` and
    `encoder.layer` (BERT, RoBERTa and their kin have them).
    """
    layers = getattr(getattr(encoder, "encoder", None), "layer", None)
    if not isinstance(layers, nn.ModuleList) or not hasattr(encoder, "embeddings") or not 0 < n_frozen < len(layers):
        return None
    lower, upper = _shallow(encoder), _shallow(encoder)
    lower.encoder.layer = nn.ModuleList(layers[:n_frozen])
    upper.encoder.layer = nn.ModuleList(layers[n_frozen:])
    upper.embeddings = _Passed()
    return lower, upper


def _shallow(encoder: nn.Module) -> Any:
    """Copy of the model and of its stack of layers as objects; every parameter stays shared."""
    model: Any = copy.copy(encoder)
    model._modules = dict(encoder._modules)
    stack: Any = copy.copy(model._modules["encoder"])
    stack._modules = dict(stack._modules)
    model._modules["encoder"] = stack
    return model


def is_kept(windows: Sequence[Windows], hidden_size: int, device: torch.device) -> bool:
    """Say whether the frozen layers' output of these windows fits into `MAX_KEPT_BYTES`, on a CPU."""
    n_tokens = sum(len(window["input_ids"]) for item in windows for window in item.encoded)
    return device.type == "cpu" and n_tokens * hidden_size * _kept_type(device).itemsize <= MAX_KEPT_BYTES


def read_lower(
    lower: nn.Module,
    windows: Sequence[Windows],
    *,
    pad_token_id: int,
    progress: Callable[[int], Any] | None = None,
    batch_tokens: int = 2048,
) -> list[Windows]:
    """Return the windows with `hidden` filled: bf16 where the processor computes in it, else float32.

    Parameters
    ----------
    windows : shape (n_pairs,).
    progress : called with the number of windows read since the last call.
    """
    device = next(lower.parameters()).device
    lower.eval()
    places = [(i, j) for i, item in enumerate(windows) for j in range(len(item.encoded))]
    places.sort(key=lambda place: len(windows[place[0]].encoded[place[1]]["input_ids"]))
    kept: list[list[torch.Tensor]] = [[torch.empty(0)] * len(item.encoded) for item in windows]
    start = 0
    while start < len(places):
        end = start + 1
        while end < len(places) and (end + 1 - start) * _length(windows, places[end]) <= batch_tokens:
            end += 1
        members = places[start:end]
        width = _length(windows, members[-1])
        batch = {
            name: torch.full((len(members), width), pad_token_id if name == "input_ids" else 0)
            for name in windows[members[0][0]].encoded[0]
        }
        for row, (i, j) in enumerate(members):
            for name, values in windows[i].encoded[j].items():
                batch[name][row, : len(values)] = torch.tensor(values)
        with (
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bfloat16(device.type)),
        ):
            hidden = lower(**{name: tensor.to(device) for name, tensor in batch.items()}).last_hidden_state
        for row, (i, j) in enumerate(members):
            kept[i][j] = hidden[row, : len(windows[i].encoded[j]["input_ids"])].to(_kept_type(device)).clone()
        if progress:
            progress(len(members))
        start = end
    return [replace(item, hidden=rows) for item, rows in zip(windows, kept, strict=True)]


def save_prepared(path: Path, prepared: Prepared) -> None:
    """Keep what the frozen encoder made of some pairs in one file, whole or not at all."""
    from safetensors.torch import save_file

    tensors = {"features": torch.from_numpy(prepared.features)}
    rows = [hidden for item in prepared.windows for hidden in item.hidden or []]
    if rows:
        tensors["hidden"] = torch.cat(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.tmp-{uuid.uuid4().hex[:8]}")
    try:
        save_file(tensors, staged)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def load_prepared(path: Path, windows: Sequence[Windows]) -> Prepared | None:
    """Return what `save_prepared` kept for these windows; None if it is missing, damaged or belongs to others."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
        features = tensors["features"].numpy()
    except (OSError, SafetensorError, KeyError):
        return None
    lengths = [[len(window["input_ids"]) for window in item.encoded] for item in windows]
    if len(features) != len(windows):
        return None
    if "hidden" not in tensors:
        return Prepared(list(windows), features)
    if len(tensors["hidden"]) != sum(map(sum, lengths)):
        return None
    pieces = iter(tensors["hidden"].split([n for item in lengths for n in item]))
    read = [replace(item, hidden=[next(pieces) for _ in item.encoded]) for item in windows]
    return Prepared(read, features)


def digest_windows(encoder_digest: str, n_frozen: int, windows: Sequence[Windows]) -> str:
    """Return a name for what the frozen layers make of some windows: same encoder, layers and tokens, same name."""
    digest = hashlib.sha256(f"{encoder_digest} {n_frozen} {has_fast_bfloat16('cpu')}".encode())
    for item in windows:
        for window in item.encoded:
            digest.update(array("i", window["input_ids"]).tobytes() + b"|")
    return digest.hexdigest()[:16]


def _length(windows: Sequence[Windows], place: tuple[int, int]) -> int:
    return len(windows[place[0]].encoded[place[1]]["input_ids"])


def _kept_type(device: torch.device) -> torch.dtype:
    return torch.bfloat16 if has_fast_bfloat16(device.type) else torch.float32
