"""Read pairs with a classifier: pooled vectors or probabilities, sorted by length, in bf16 where that is fast."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nlp_study.encoders import has_fast_bfloat16
from nlp_study.stance.model import StanceClassifier, TrainedStance, collate_windows
from nlp_study.stance.windows import Windows, cut_windows

if TYPE_CHECKING:
    from nlp_study.stance.pairs import Pair

_BATCH_TOKENS = 8192
"""Padded tokens read at a time: enough to keep two cores busy, some 100 MB of activations for a small encoder."""


@dataclass(frozen=True)
class StanceReading:
    """What a classifier says of some pairs.

    `probas` has shape (n_pairs, n_stances); `n_windows`, `n_tokens` and `n_tokens_total` have shape (n_pairs,).
    """

    probas: np.ndarray
    n_windows: np.ndarray
    n_tokens: np.ndarray
    n_tokens_total: np.ndarray


def predict_pairs(
    model: TrainedStance, pairs: Sequence[Pair], *, progress: Callable[[int], Any] | None = None
) -> StanceReading:
    """Classify pairs over all windows of their posts.

    Parameters
    ----------
    pairs : shape (n_pairs,).
    progress : called with the number of pairs done since the last call.
    """
    config = model.config
    windows = list(
        cut_windows(
            pairs,
            model.tokenizer,
            window_tokens=config.window_tokens,
            overlap=config.window_overlap,
            prefix=config.prefix,
        )
    )
    probas = np.zeros((len(pairs), len(config.stances)), np.float32)
    for indices, batch in _batches(windows, model.tokenizer.pad_token_id):
        with _reading(model.classifier):
            logits = model.classifier(**_to_device(batch, model.classifier))["logits"]
        probas[indices] = torch.softmax(logits.float(), -1).cpu().numpy()
        if progress:
            progress(len(indices))
    return StanceReading(
        probas,
        np.array([len(item.encoded) for item in windows], np.int32),
        np.array([item.n_tokens for item in windows], np.int32),
        np.array([item.n_tokens_total for item in windows], np.int32),
    )


def pool_windows(classifier: StanceClassifier, windows: Sequence[Windows], pad_token_id: int) -> np.ndarray:
    """Return one pooled vector a pair, before the head, as float32 of shape (n_pairs, hidden)."""
    vectors = np.zeros((len(windows), classifier.head.in_features), np.float32)
    for indices, batch in _batches(windows, pad_token_id):
        with _reading(classifier):
            vectors[indices] = classifier.pool(**_to_device(batch, classifier)).float().cpu().numpy()
    return vectors


def _batches(windows: Sequence[Windows], pad_token_id: int) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
    """Yield batches of pairs alike in length, so that little is padding; a long post is a batch of its own."""
    longest = [max(len(window["input_ids"]) for window in item.encoded) for item in windows]
    counts = [len(item.encoded) for item in windows]
    order = sorted(range(len(windows)), key=lambda i: (counts[i], longest[i]))
    batch: list[int] = []
    for i in order:
        grown = [*batch, i]
        if batch and sum(counts[j] for j in grown) * max(longest[j] for j in grown) > _BATCH_TOKENS:
            yield batch, collate_windows([windows[j] for j in batch], pad_token_id=pad_token_id)
            batch = []
        batch.append(i)
    if batch:
        yield batch, collate_windows([windows[j] for j in batch], pad_token_id=pad_token_id)


def _to_device(batch: dict[str, torch.Tensor], classifier: StanceClassifier) -> dict[str, torch.Tensor]:
    device = classifier.head.weight.device
    return {name: tensor.to(device) for name, tensor in batch.items()}


@contextmanager
def _reading(classifier: StanceClassifier) -> Iterator[None]:
    """Evaluation mode, no gradients, bf16 where the processor has it; the mode is put back afterwards."""
    was_training = classifier.training
    device = classifier.head.weight.device.type
    classifier.eval()
    try:
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=has_fast_bfloat16(device)):
            yield
    finally:
        classifier.train(was_training)
