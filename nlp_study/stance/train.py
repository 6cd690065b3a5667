"""Fine-tuning of an encoder for (post, target) pairs with `transformers.Trainer`.

The head starts as logistic regression on the frozen encoder and the encoder is tuned from there (linear probing, then
fine-tuning; Kumar et al. 2022, arXiv:2202.10054): with a few hundred labels a random head first destroys what the
encoder knows. If tuning does not lower the loss on held-out authors, the linear head is kept and the record says so;
with `epochs = 0` it is all there is.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from nlp_study.encoders import Encoder, load_encoder
from nlp_study.errors import DataError
from nlp_study.schema import Stance
from nlp_study.stance.baselines import fit_linear_head
from nlp_study.stance.layers import (
    Prepared,
    digest_windows,
    is_kept,
    load_prepared,
    read_lower,
    save_prepared,
    split_layers,
)
from nlp_study.stance.model import StanceClassifier, StanceConfig, TrainedStance, build_classifier
from nlp_study.stance.pairs import Pair, split_folds
from nlp_study.stance.predict import classify_features, pool_windows, predict_windows, read_windows
from nlp_study.stance.processes import is_main, n_processes, share_tensors, wait_for_all
from nlp_study.stance.rates import freeze_layers
from nlp_study.stance.tuning import LINEAR_HEAD, Example, OnEpoch, Tuning, tune_classifier
from nlp_study.stance.windows import Windows

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.config import StanceSettings

logger = logging.getLogger(__name__)

MIN_LABELS_FOR_STOPPING = 40
"""Below this a held-out part for early stopping would be a handful of posts and cost more than it tells."""

_STOPPING_FOLDS = 6
"""One sixth of the authors decides when to stop."""

_UNLEARNED = frozenset({"model", "folds", "seeds", "gradient_accumulation", "gradient_checkpointing"})
"""Settings that change nothing a training learns: it may go on from a checkpoint although they were changed."""


@dataclass(frozen=True)
class FitHistory:
    """How a training went.

    `kept` says whether the tuned encoder or the linear head on the frozen one was kept. `batch_size` counts the posts of a
    step in all processes; `resumed_at` is the epoch of the checkpoint that the training went on from, 0 if it ran through.
    `loss_by_epoch` is the loss on the stopping pairs after each epoch (on the tuned pairs if there are none).
    """

    n_labels: int
    n_stopping: int
    epochs: float
    loss_at_start: float | None
    loss_at_best: float | None
    kept: str
    n_tokens_read: int
    n_tokens_total: int
    seconds: float
    precision: str = "fp32"
    device: str = "cpu"
    n_processes: int = 1
    batch_size: int = 0
    resumed_at: float = 0.0
    loss_by_epoch: dict[str, float] = field(default_factory=dict)


def fit_classifier(
    pairs: Sequence[Pair],
    *,
    settings: StanceSettings,
    stances: Sequence[Stance],
    encoder: str | Encoder,
    seed: int,
    models_dir: Path | None = None,
    model_id: str = "unsaved",
    prepared: Prepared | None = None,
    checkpoints: Path | None = None,
    show_progress: bool = True,
    on_epoch: OnEpoch | None = None,
) -> tuple[TrainedStance, FitHistory]:
    """Fine-tune an encoder on labelled pairs; every process that takes part returns the same model.

    Parameters
    ----------
    pairs : labelled pairs, shape (n_labels,).
    settings : section [stance] of the study.
    stances : the labels, in the order of the logits.
    encoder : name of the encoder, or one loaded with `for_training=True`, which is changed.
    seed : decides the stopping authors, the order of posts and dropout.
    prepared : what `prepare_pairs` made of the pairs with these settings and this encoder; None: it is made here.
    checkpoints : folder for checkpoints; an interrupted training goes on from the last one. None: nothing is kept.
    on_epoch : called after each epoch with its number and the loss on the stopping authors; what it raises ends the training.

    Raises
    ------
    DataError : a pair has no label, or all labels are one class.
    ModelError : the encoder cannot be loaded, or does not fit the settings or the hardware.
    """
    import time

    from transformers import set_seed

    started = time.monotonic()
    _check_labels(pairs)
    set_seed(seed)
    loaded = (
        load_encoder(encoder, models_dir=models_dir, for_training=settings.epochs > 0)
        if isinstance(encoder, str)
        else encoder
    )
    names = [str(stance) for stance in stances]
    classifier = build_classifier(loaded, n_stances=len(names), class_weights=_class_weights(pairs, names))
    freeze_layers(classifier.encoder, settings.frozen_layers)
    if prepared is None:
        prepared = prepare_pairs(loaded, pairs, settings, show_progress=show_progress)
    read = [item.limit(settings.train_windows) if settings.epochs else item for item in prepared.windows]
    tuning, stopping = _hold_out_authors(pairs, seed) if settings.epochs else (list(range(len(pairs))), [])
    _start_head(classifier, prepared.features[tuning], [pairs[i] for i in tuning], names)
    tuned = Tuning(0.0, None, None, LINEAR_HEAD, "fp32", 0, 0.0)
    if settings.epochs:
        examples = [Example(item, names.index(str(pair.stance))) for item, pair in zip(read, pairs, strict=True)]
        tuned = tune_classifier(
            upper_classifier(classifier, settings.frozen_layers) if _has_hidden(read) else classifier,
            [examples[i] for i in tuning],
            [examples[i] for i in stopping],
            settings=settings,
            seed=seed,
            pad_token_id=loaded.tokenizer.pad_token_id,
            checkpoints=checkpoints,
            inputs=_digest_inputs(settings, loaded, read, pairs, seed) if checkpoints else "",
            show_progress=show_progress,
            on_epoch=on_epoch,
        )
    history = FitHistory(
        n_labels=len(pairs),
        n_stopping=len(stopping),
        n_tokens_read=sum(item.n_tokens for item in read),
        n_tokens_total=sum(item.n_tokens_total for item in read),
        seconds=round(time.monotonic() - started, 1),
        device=_device_name(),
        n_processes=n_processes(),
        **asdict(tuned),
    )
    config = _window_config(loaded, settings)
    config = replace(config, stances=tuple(names), seed=seed, n_labels=len(pairs), trained=asdict(history))
    return TrainedStance(model_id, classifier.eval(), loaded.tokenizer, config), history


def prepare_pairs(
    encoder: Encoder,
    pairs: Sequence[Pair],
    settings: StanceSettings,
    *,
    kept: Path | None = None,
    show_progress: bool = True,
) -> Prepared:
    """Read pairs through the encoder before any fine-tuning; the frozen layers' output is kept if they will be tuned above.

    Parameters
    ----------
    encoder : as loaded; training changes it.
    kept : folder where the result is kept for the next call with the same pairs; None: it is not. Of several processes the
        main one reads, and the others take what it kept.
    """
    windows = read_windows(_window_config(encoder, settings), pairs, encoder.tokenizer)
    n_frozen = settings.frozen_layers if settings.epochs else 0
    split = split_layers(encoder.model, n_frozen)
    if not is_kept(windows, encoder.hidden_size, next(encoder.model.parameters()).device):
        split = None
    n_frozen = n_frozen if split else 0
    file = kept / f"{digest_windows(encoder.digest, n_frozen, windows)}.safetensors" if kept else None
    if file is None:
        return _read_pairs(encoder, windows, split, n_frozen, show_progress=show_progress)
    found = load_prepared(file, windows) if is_main() else None
    if found is None and is_main():
        found = _read_pairs(encoder, windows, split, n_frozen, show_progress=show_progress)
        save_prepared(file, found)
    wait_for_all()
    found = found or load_prepared(file, windows)
    return found or _read_pairs(encoder, windows, split, n_frozen, show_progress=False)


def _read_pairs(
    encoder: Encoder,
    windows: list[Windows],
    split: tuple[torch.nn.Module, torch.nn.Module] | None,
    n_frozen: int,
    *,
    show_progress: bool,
) -> Prepared:
    from tqdm import tqdm

    pad_token_id = encoder.tokenizer.pad_token_id
    classifier = build_classifier(encoder, n_stances=2)
    n_windows = sum(len(item.encoded) for item in windows)
    hide = None if show_progress else True
    with tqdm(total=n_windows if split else len(windows), desc="read labelled posts", disable=hide, leave=False) as bar:
        if split:
            windows = read_lower(split[0], windows, pad_token_id=pad_token_id, progress=bar.update)
            features = pool_windows(upper_classifier(classifier, n_frozen), windows, pad_token_id)
        else:
            features = pool_windows(classifier, windows, pad_token_id, progress=bar.update)
    return Prepared(windows, features)


def upper_classifier(classifier: StanceClassifier, n_frozen: int) -> StanceClassifier:
    """Return a classifier of the layers above the frozen ones, which shares all its parameters with the whole one.

    Raises
    ------
    ValueError : the encoder cannot be split there.
    """
    split = split_layers(classifier.encoder, n_frozen)
    if split is None:
        raise ValueError(f"the encoder cannot be split above layer {n_frozen}")
    upper = StanceClassifier(
        split[1],
        hidden_size=classifier.head.in_features,
        n_stances=classifier.head.out_features,
        class_weights=classifier.class_weights,
    )
    upper.head = classifier.head
    return upper


def predict_prepared(model: TrainedStance, prepared: Prepared, settings: StanceSettings) -> np.ndarray:
    """Return the probabilities of pairs that `prepare_pairs` read with the same settings, shape (n_pairs, n_stances)."""
    classifier = model.classifier
    if model.config.trained["kept"] == LINEAR_HEAD:
        return classify_features(classifier, prepared.features)
    if _has_hidden(prepared.windows):
        classifier = upper_classifier(classifier, settings.frozen_layers)
    return predict_windows(classifier, prepared.windows, model.tokenizer.pad_token_id).probas


def _has_hidden(windows: Sequence[Windows]) -> bool:
    return all(item.hidden is not None for item in windows)


def _window_config(encoder: Encoder, settings: StanceSettings) -> StanceConfig:
    window_tokens = min(settings.window_tokens, encoder.max_length_tokens)
    return StanceConfig(
        stances=(),
        encoder=encoder.name,
        window_tokens=window_tokens,
        window_overlap=min(settings.window_overlap, window_tokens // 4),
        prefix=encoder.prefix_query,
    )


def _start_head(
    classifier: StanceClassifier, features: np.ndarray, pairs: Sequence[Pair], stances: Sequence[str]
) -> None:
    """Set the head to logistic regression on features, shape (n_pairs, hidden); the same in every process."""
    weights, bias = fit_linear_head(features, pairs, stances)
    with torch.no_grad():
        classifier.head.weight.copy_(torch.from_numpy(weights))
        classifier.head.bias.copy_(torch.from_numpy(bias))
    share_tensors(classifier.head.parameters())


def _digest_inputs(
    settings: StanceSettings, encoder: Encoder, windows: Sequence[Windows], pairs: Sequence[Pair], seed: int
) -> str:
    """Digest of all that decides what a training learns, so that it never goes on from another one's checkpoint."""
    inputs = [
        settings.model_dump(mode="json", exclude=set(_UNLEARNED)),
        digest_windows(encoder.digest, settings.frozen_layers, windows),
        [(pair.post_id, pair.target, str(pair.stance)) for pair in pairs],
        seed,
    ]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def _device_name() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def _class_weights(pairs: Sequence[Pair], stances: Sequence[str]) -> torch.Tensor:
    """Weights n / (n_classes * n_class), so that a rare stance counts as much as a common one."""
    counts = Counter(str(pair.stance) for pair in pairs)
    present = len(counts)
    return torch.tensor([len(pairs) / (present * counts[s]) if counts[s] else 0.0 for s in stances])


def _hold_out_authors(pairs: Sequence[Pair], seed: int) -> tuple[list[int], list[int]]:
    """Return indices to train on and, with enough labels, indices of other authors that decide when to stop."""
    everything = list(range(len(pairs)))
    if len(pairs) < MIN_LABELS_FOR_STOPPING or len({pair.group for pair in pairs}) < _STOPPING_FOLDS:
        return everything, []
    for fold in split_folds(pairs, n_folds=_STOPPING_FOLDS, seed=seed):
        if len({pairs[i].stance for i in fold.train}) > 1 and fold.test:
            return fold.train, fold.test
    return everything, []


def _check_labels(pairs: Sequence[Pair]) -> None:
    missing = [pair.post_id for pair in pairs if pair.stance is None]
    if missing:
        raise DataError(
            f"{len(missing)} pairs have no label, the first is {missing[0]}", remedy="pass labelled pairs only"
        )
    if len({pair.stance for pair in pairs}) < 2:
        raise DataError(
            "all labels are one class", remedy="a classifier needs at least two; label posts of another class"
        )
