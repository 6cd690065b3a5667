"""Read pairs with a classifier: pooled vectors or probabilities, sorted by length, in bf16 where that is fast."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nlp_study.encoders import has_fast_bfloat16
from nlp_study.stance.model import StanceClassifier, StanceConfig, TrainedStance, collate_windows
from nlp_study.stance.windows import Windows, cut_windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from nlp_study.stance.pairs import Pair

_BATCH_TOKENS = {"cpu": 2048, "cuda": 16384}
"""Padded tokens read at a time. On a CPU more than the caches hold costs speed: float32 tokens a second at 512 / 1,024 /
2,048 / 4,096 / 8,192 were 2,410 / 2,240 / 2,280 / 2,000 / 1,880 (two cores with AVX2)."""


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
    windows = read_windows(model.config, pairs, model.tokenizer)
    return predict_windows(model.classifier, windows, model.tokenizer.pad_token_id, progress=progress)


def read_windows(config: StanceConfig, pairs: Sequence[Pair], tokenizer: PreTrainedTokenizerFast) -> list[Windows]:
    """Return all windows of each pair, cut as the classifier was trained to read them."""
    return list(
        cut_windows(
            pairs,
            tokenizer,
            window_tokens=config.window_tokens,
            overlap=config.window_overlap,
            prefix=config.prefix,
        )
    )


def predict_windows(
    classifier: StanceClassifier,
    windows: Sequence[Windows],
    pad_token_id: int,
    *,
    progress: Callable[[int], Any] | None = None,
) -> StanceReading:
    """Classify pairs whose windows are cut already; windows with `hidden` need a classifier of the upper layers."""
    features = pool_windows(classifier, windows, pad_token_id, progress=progress)
    probas = classify_features(classifier, features)
    return StanceReading(
        probas,
        np.array([len(item.encoded) for item in windows], np.int32),
        np.array([item.n_tokens for item in windows], np.int32),
        np.array([item.n_tokens_total for item in windows], np.int32),
    )


def pool_windows(
    classifier: StanceClassifier,
    windows: Sequence[Windows],
    pad_token_id: int,
    *,
    progress: Callable[[int], Any] | None = None,
) -> np.ndarray:
    """Return one pooled vector a pair, before the head: the mean over its windows of the mean over tokens.

    Windows of all pairs are read in order of length, so that little is padding.

    Returns
    -------
    float32 of shape (n_pairs, hidden).
    """
    vectors = np.zeros((len(windows), classifier.head.in_features), np.float32)
    left = [len(item.encoded) for item in windows]
    for owners, batch in _batches(windows, pad_token_id, _BATCH_TOKENS[_device(classifier).type]):
        with _reading(classifier):
            pooled = classifier.pool(**_to_device(batch, classifier)).float().cpu().numpy()
        for owner, vector in zip(owners, pooled, strict=True):
            vectors[owner] += vector
            left[owner] -= 1
        if progress:
            progress(sum(left[owner] == 0 for owner in set(owners)))
    n_windows = np.array([len(item.encoded) for item in windows], np.float32)
    return vectors / np.maximum(n_windows, 1)[:, None]


def classify_features(classifier: StanceClassifier, features: np.ndarray) -> np.ndarray:
    """Return the probabilities of pooled vectors, shape (n_pairs, n_stances)."""
    with torch.inference_mode():
        logits = classifier.head(torch.from_numpy(features).to(_device(classifier)))
    return torch.softmax(logits.float(), -1).cpu().numpy()


def _batches(
    windows: Sequence[Windows], pad_token_id: int, max_tokens: int
) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
    """Yield batches of single windows alike in length, with the pairs they belong to."""
    singles = [(owner, item.only(i)) for owner, item in enumerate(windows) for i in range(len(item.encoded))]
    singles.sort(key=lambda single: len(single[1].encoded[0]["input_ids"]))
    start = 0
    while start < len(singles):
        end = start + 1
        while end < len(singles) and (end + 1 - start) * len(singles[end][1].encoded[0]["input_ids"]) <= max_tokens:
            end += 1
        members = singles[start:end]
        yield (
            [owner for owner, _ in members],
            collate_windows([single for _, single in members], pad_token_id=pad_token_id),
        )
        start = end


def _device(classifier: StanceClassifier) -> torch.device:
    return classifier.head.weight.device


def _to_device(batch: dict[str, torch.Tensor], classifier: StanceClassifier) -> dict[str, torch.Tensor]:
    device = _device(classifier)
    return {name: tensor.to(device) for name, tensor in batch.items()}


@contextmanager
def _reading(classifier: StanceClassifier) -> Iterator[None]:
    """Evaluation mode, no gradients, bf16 where the processor has it; the mode is put back afterwards."""
    was_training = classifier.training
    device = _device(classifier).type
    classifier.eval()
    try:
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=has_fast_bfloat16(device)):
            yield
    finally:
        classifier.train(was_training)
