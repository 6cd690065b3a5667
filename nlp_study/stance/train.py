"""Fine-tuning of an encoder for (post, target) pairs with `transformers.Trainer`.

The head starts as logistic regression on the frozen encoder and the encoder is tuned from there (linear probing, then
fine-tuning; Kumar et al. 2022, arXiv:2202.10054): with a few hundred labels a random head first destroys what the
encoder knows. If tuning does not lower the loss on held-out authors, the linear head is kept and the record says so;
with `epochs = 0` it is all there is.
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch

from nlp_study.encoders import Encoder, has_fast_bfloat16, load_encoder
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
from nlp_study.stance.model import StanceClassifier, StanceConfig, TrainedStance, build_classifier, collate_windows
from nlp_study.stance.pairs import Pair, split_folds
from nlp_study.stance.predict import classify_features, pool_windows, predict_windows, read_windows
from nlp_study.stance.windows import Windows

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.config import StanceSettings

logger = logging.getLogger(__name__)

MIN_LABELS_FOR_STOPPING = 40
"""Below this a held-out part for early stopping would be a handful of posts and cost more than it tells."""

LINEAR_HEAD = "linear head"
"""What `FitHistory.kept` says when the encoder stayed as it was."""

_STOPPING_FOLDS = 6
"""One sixth of the authors decides when to stop."""


@dataclass(frozen=True)
class FitHistory:
    """How a training went; `kept` says whether the tuned encoder or the linear head on the frozen one was kept."""

    n_labels: int
    n_stopping: int
    epochs: float
    loss_at_start: float | None
    loss_at_best: float | None
    kept: str
    n_tokens_read: int
    n_tokens_total: int
    seconds: float


@dataclass(frozen=True)
class _Example:
    windows: Windows
    label: int


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
) -> tuple[TrainedStance, FitHistory]:
    """Fine-tune an encoder on labelled pairs.

    Parameters
    ----------
    pairs : labelled pairs, shape (n_labels,).
    settings : section [stance] of the study.
    stances : the labels, in the order of the logits.
    encoder : name of the encoder, or one loaded with `for_training=True`, which is changed.
    seed : decides the stopping authors, the order of posts and dropout.
    prepared : what `prepare_pairs` made of the pairs with these settings and this encoder; None: it is made here.
    checkpoints : folder for checkpoints; an interrupted training goes on from the last one. None: nothing is kept.

    Raises
    ------
    DataError : a pair has no label, or all labels are one class.
    ModelError : the encoder cannot be loaded.
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
    weights, bias = fit_linear_head(prepared.features[tuning], [pairs[i] for i in tuning], names)
    with torch.no_grad():
        classifier.head.weight.copy_(torch.from_numpy(weights))
        classifier.head.bias.copy_(torch.from_numpy(bias))
    epochs, at_start, at_best, kept = 0.0, None, None, LINEAR_HEAD
    if settings.epochs:
        examples = [_Example(item, names.index(str(pair.stance))) for item, pair in zip(read, pairs, strict=True)]
        epochs, at_start, at_best, kept = _tune(
            upper_classifier(classifier, settings.frozen_layers) if _has_hidden(read) else classifier,
            [examples[i] for i in tuning],
            [examples[i] for i in stopping],
            settings=settings,
            seed=seed,
            pad_token_id=loaded.tokenizer.pad_token_id,
            checkpoints=checkpoints,
            show_progress=show_progress,
        )
    history = FitHistory(
        n_labels=len(pairs),
        n_stopping=len(stopping),
        epochs=epochs,
        loss_at_start=at_start,
        loss_at_best=at_best,
        kept=kept,
        n_tokens_read=sum(item.n_tokens for item in read),
        n_tokens_total=sum(item.n_tokens_total for item in read),
        seconds=round(time.monotonic() - started, 1),
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
    kept : folder where the result is kept for the next call with the same pairs; None: it is not.
    """
    from tqdm import tqdm

    windows = read_windows(_window_config(encoder, settings), pairs, encoder.tokenizer)
    n_frozen = settings.frozen_layers if settings.epochs else 0
    split = split_layers(encoder.model, n_frozen)
    if not is_kept(windows, encoder.hidden_size, next(encoder.model.parameters()).device):
        split = None
    n_frozen = n_frozen if split else 0
    file = kept / f"{digest_windows(encoder.digest, n_frozen, windows)}.safetensors" if kept else None
    if file and (found := load_prepared(file, windows)) is not None:
        return found
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
    prepared = Prepared(windows, features)
    if file:
        save_prepared(file, prepared)
    return prepared


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


def freeze_layers(encoder: torch.nn.Module, n_layers: int) -> None:
    """Freeze the word embeddings always, and the `n_layers` lowest layers with all embeddings if it is above 0.

    Word embeddings hold most parameters of a small encoder and some hundred posts touch few of them.
    """
    for name, parameter in encoder.named_parameters():
        depth = _depth(name)
        frozen = "word_embeddings" in name or (n_layers > 0 and depth <= n_layers)
        parameter.requires_grad_(not frozen)


def _depth(name: str) -> int:
    """Layer of a parameter: 0 for embeddings, 1 for the lowest layer; parameters behind the layers count as highest."""
    match = re.search(r"(?:^|\.)(?:layer|layers|h|block)\.(\d+)\.", name)
    if match:
        return int(match.group(1)) + 1
    return 0 if "embed" in name else 10**6


def parameter_groups(classifier: StanceClassifier, *, learning_rate: float, layer_decay: float) -> list[dict[str, Any]]:
    """Return optimizer groups in which each layer learns `layer_decay` times as fast as the one above.

    Biases and norms are not decayed (as in the BERT reference implementation).
    """
    named = [(name, p) for name, p in classifier.encoder.named_parameters() if p.requires_grad]
    top = max((d for d in (_depth(name) for name, _ in named) if d < 10**6), default=0)
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in named:
        rate = learning_rate * layer_decay ** max(0, top - _depth(name))
        decay = 0.0 if name.endswith("bias") or "norm" in name.lower() else 0.01
        groups.setdefault((rate, decay), []).append(parameter)
    listed = [{"params": found, "lr": rate, "weight_decay": decay} for (rate, decay), found in groups.items()]
    head = {"params": list(classifier.head.parameters()), "lr": learning_rate, "weight_decay": 0.0}
    return [*listed, head]


def _tune(
    classifier: StanceClassifier,
    tuning: list[_Example],
    stopping: list[_Example],
    *,
    settings: StanceSettings,
    seed: int,
    pad_token_id: int,
    checkpoints: Path | None,
    show_progress: bool,
) -> tuple[float, float | None, float | None, str]:
    """Run the Trainer; return epochs, the stopping loss at start and at best, and what was kept."""
    from transformers import EarlyStoppingCallback, Trainer

    def collate(items: list[_Example]) -> dict[str, torch.Tensor]:
        labels = [item.label for item in items]
        return collate_windows([item.windows for item in items], pad_token_id=pad_token_id, labels=labels)

    initial = {name: p.detach().clone() for name, p in classifier.named_parameters() if p.requires_grad}
    groups = parameter_groups(classifier, learning_rate=settings.learning_rate, layer_decay=settings.layer_decay)
    with TemporaryDirectory(prefix="nlp-study-") as scratch:
        folder = checkpoints or Path(scratch)
        arguments = _training_arguments(folder, settings, seed, n_steps=_n_steps(tuning, settings), stop=bool(stopping))
        trainer = Trainer(
            model=classifier,
            args=arguments,
            data_collator=collate,
            train_dataset=tuning,
            eval_dataset=stopping or None,
            optimizers=(torch.optim.AdamW(groups), None),
            callbacks=[EarlyStoppingCallback(settings.patience)] if stopping else None,
        )
        _set_progress(trainer, show_progress)
        at_start = trainer.evaluate()["eval_loss"] if stopping else None
        has_checkpoint = checkpoints is not None and any(folder.glob("checkpoint-*"))
        trainer.train(resume_from_checkpoint=True if has_checkpoint else None)
        epochs = float(trainer.state.epoch or 0)
        at_best = trainer.state.best_metric
    if at_start is not None and (at_best is None or not at_best < at_start):
        with torch.no_grad():
            for name, parameter in classifier.named_parameters():
                if name in initial:
                    parameter.copy_(initial[name])
        return epochs, at_start, at_best, LINEAR_HEAD
    return epochs, at_start, at_best, "tuned encoder"


def _training_arguments(folder: Path, settings: StanceSettings, seed: int, *, n_steps: int, stop: bool) -> Any:
    from transformers import TrainingArguments

    cuda = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=max(1, round(0.1 * n_steps)),
        bf16=has_fast_bfloat16("cuda" if cuda else "cpu"),
        use_cpu=not cuda,
        dataloader_pin_memory=cuda,
        eval_strategy="epoch" if stop else "no",
        save_strategy="epoch" if stop else "no",
        save_total_limit=2,
        load_best_model_at_end=stop,
        metric_for_best_model="eval_loss" if stop else None,
        greater_is_better=False if stop else None,
        remove_unused_columns=False,
        label_names=["labels"],
        logging_strategy="epoch",
        report_to=_report_to(),
        seed=seed,
        data_seed=seed,
    )


def _report_to() -> list[str]:
    from importlib.util import find_spec

    return ["tensorboard"] if torch.cuda.is_available() and find_spec("tensorboard") else []


def _n_steps(tuning: list[_Example], settings: StanceSettings) -> int:
    return math.ceil(math.ceil(len(tuning) / settings.batch_size) * settings.epochs)


def _set_progress(trainer: Any, show: bool) -> None:
    """The Trainer prints dictionaries on stdout and draws bars everywhere; keep one bar, on a terminal only."""
    import sys

    from transformers import PrinterCallback, ProgressCallback

    trainer.remove_callback(PrinterCallback)
    if not (show and sys.stderr.isatty()):
        trainer.remove_callback(ProgressCallback)


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
