"""The part of a training that `transformers.Trainer` does: in which steps and arithmetic, from which checkpoint.

It runs alone, on one GPU, or in several processes (see `processes.py`). A step always reads `batch_size` posts, shared out
among the processes and, to save memory, cut into `gradient_accumulation` parts: a study file means the same on one GPU
and on four.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from nlp_study.encoders import has_fast_bfloat16
from nlp_study.errors import ModelError
from nlp_study.stance.checkpoints import claim_folder, find_checkpoint, mark_complete
from nlp_study.stance.model import StanceClassifier, collate_windows
from nlp_study.stance.processes import is_main, n_processes, require_equal, share, shared_scratch, wait_for_all
from nlp_study.stance.rates import freeze_unread, parameter_groups
from nlp_study.stance.windows import Windows

if TYPE_CHECKING:
    from nlp_study.config import StanceSettings

logger = logging.getLogger(__name__)

LINEAR_HEAD = "linear head"
"""What `FitHistory.kept` says when the encoder stayed as it was."""

LOGS = ".runs"
"""Folder under `paths.models` with the curves that TensorBoard shows, one folder a model."""

_KEPT_CHECKPOINTS = 3
"""The best, the last, and the one before it in case the last is damaged."""


class GpuMemoryError(ModelError):
    """A step does not fit into the GPU's memory."""


OnEpoch = Callable[[int, float], None]
"""Called after each epoch with its number, from 1, and the loss on the stopping pairs."""


@dataclass(frozen=True)
class Example:
    """A labelled pair as the Trainer reads it; `label` is the position among the stances."""

    windows: Windows
    label: int


@dataclass(frozen=True)
class Tuning:
    """How the Trainer's part went; fields as in `FitHistory`."""

    epochs: float
    loss_at_start: float | None
    loss_at_best: float | None
    kept: str
    precision: str
    batch_size: int
    resumed_at: float
    loss_by_epoch: dict[str, float] = field(default_factory=dict)


def tune_classifier(
    classifier: StanceClassifier,
    tuning: Sequence[Example],
    stopping: Sequence[Example],
    *,
    settings: StanceSettings,
    seed: int,
    pad_token_id: int,
    checkpoints: Path | None = None,
    inputs: str = "",
    show_progress: bool = True,
    on_epoch: OnEpoch | None = None,
) -> Tuning:
    """Tune a classifier in place; its parameters are put back if that did not lower the loss on the stopping pairs.

    Parameters
    ----------
    tuning : pairs to learn from, shape (n_tuning,).
    stopping : pairs of other authors that say when to stop, shape (n_stopping,); empty: all epochs are run.
    checkpoints : folder for checkpoints, one an epoch; an interrupted training goes on from the last whole one.
    inputs : digest of what is trained on what; checkpoints of a training with another one are removed.

    Raises
    ------
    ModelError : the GPU's memory is too small, the hardware lacks the precision, the encoder cannot be checkpointed, or
        processes came to different models.
    """
    precision = _choose_precision(settings.precision)
    if n_processes() > 1:
        freeze_unread(
            classifier, collate_windows([tuning[0].windows], pad_token_id=pad_token_id, labels=[tuning[0].label])
        )
    initial = {name: p.detach().clone() for name, p in classifier.named_parameters() if p.requires_grad}
    folder_of_run = nullcontext(checkpoints) if checkpoints else shared_scratch()
    with folder_of_run as folder, _recomputed_layers(classifier, on=settings.gradient_checkpointing):
        start_from = _claim_checkpoint(folder, inputs) if checkpoints else None
        resumed_at = _epoch_of(start_from)
        trainer = _make_trainer(
            classifier,
            tuning,
            stopping,
            arguments=_training_arguments(
                folder,
                settings,
                seed,
                n_tuning=len(tuning),
                stop=bool(stopping),
                resumable=checkpoints is not None,
                precision=precision,
            ),
            settings=settings,
            pad_token_id=pad_token_id,
        )
        _add_callbacks(trainer, settings, stop=bool(stopping), checkpoints=checkpoints, on_epoch=on_epoch)
        _set_progress(trainer, show_progress)
        with _memory_errors(settings):
            at_start = trainer.evaluate()["eval_loss"] if stopping else None
            trainer.train(resume_from_checkpoint=str(start_from) if start_from else None)
        state = trainer.state
        wait_for_all()  # nobody removes checkpoints that another still reads
    kept = "tuned encoder"
    if at_start is not None and (state.best_metric is None or not state.best_metric < at_start):
        _put_back(classifier, initial)
        kept = LINEAR_HEAD
    require_equal(_digest_parameters(classifier))
    return Tuning(
        epochs=float(state.epoch or 0),
        loss_at_start=at_start,
        loss_at_best=state.best_metric,
        kept=kept,
        precision=precision,
        batch_size=_posts_a_step(settings),
        resumed_at=resumed_at,
        loss_by_epoch=_losses(state.log_history),
    )


def log_folder(checkpoints: Path) -> Path:
    """Return the folder of TensorBoard's curves for a training with these checkpoints (`models/.checkpoints/ID`)."""
    return checkpoints.parent.parent / LOGS / checkpoints.name


def _make_trainer(
    classifier: StanceClassifier,
    tuning: Sequence[Example],
    stopping: Sequence[Example],
    *,
    arguments: Any,
    settings: StanceSettings,
    pad_token_id: int,
) -> Any:
    from transformers import Trainer

    def collate(items: list[Example]) -> dict[str, torch.Tensor]:
        labels = [item.label for item in items]
        batch = collate_windows([item.windows for item in items], pad_token_id=pad_token_id, labels=labels)
        if "inputs_embeds" in batch and not arguments.bf16:  # frozen layers may have been kept in bf16
            batch["inputs_embeds"] = batch["inputs_embeds"].float()
        return batch

    groups = parameter_groups(classifier, learning_rate=settings.learning_rate, layer_decay=settings.layer_decay)
    return Trainer(
        model=classifier,
        args=arguments,
        data_collator=collate,
        train_dataset=list(tuning),
        eval_dataset=list(stopping) or None,
        optimizers=(torch.optim.AdamW(groups), None),
    )


def _training_arguments(
    folder: Path,
    settings: StanceSettings,
    seed: int,
    *,
    n_tuning: int,
    stop: bool,
    resumable: bool,
    precision: str,
) -> Any:
    from transformers import TrainingArguments

    cuda = torch.cuda.is_available()
    n_steps = math.ceil(math.ceil(n_tuning / _posts_a_step(settings)) * settings.epochs)
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=_posts_a_pass(settings),
        per_device_eval_batch_size=_posts_a_pass(settings),
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=max(1, round(0.1 * n_steps)),
        bf16=precision == "bf16",
        use_cpu=not cuda,
        dataloader_pin_memory=cuda,
        eval_strategy="epoch" if stop else "no",
        save_strategy="epoch" if stop or resumable else "no",
        ddp_find_unused_parameters=False,  # `freeze_unread` has found them
        save_total_limit=_KEPT_CHECKPOINTS,
        save_only_model=not resumable,
        restore_callback_states_from_checkpoint=True,
        load_best_model_at_end=stop,
        metric_for_best_model="eval_loss" if stop else None,
        greater_is_better=False if stop else None,
        remove_unused_columns=False,
        label_names=["labels"],
        logging_strategy="epoch",
        report_to=[],
        seed=seed,
        data_seed=seed,
    )
    if (
        arguments.n_gpu > 1
    ):  # without torchrun the Trainer would split each batch over all GPUs in threads of one process
        arguments._n_gpu = 1
    return arguments


def _posts_a_pass(settings: StanceSettings) -> int:
    return math.ceil(settings.batch_size / (settings.gradient_accumulation * n_processes()))


def _posts_a_step(settings: StanceSettings) -> int:
    """Posts a step: `batch_size`, rounded up where the processes cannot share it evenly."""
    return _posts_a_pass(settings) * settings.gradient_accumulation * n_processes()


def _choose_precision(wanted: str) -> str:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    fast = has_fast_bfloat16(device)
    if wanted == "bf16" and device == "cuda" and not fast:
        raise ModelError(
            f"{torch.cuda.get_device_name()} cannot compute in bf16",
            remedy='set stance.precision = "fp32", or "auto"',
        )
    return wanted if wanted != "auto" else "bf16" if fast else "fp32"


@contextmanager
def _recomputed_layers(classifier: StanceClassifier, *, on: bool) -> Iterator[None]:
    """Gradient checkpointing while it lasts (Chen et al. 2016, arXiv:1604.06174)."""
    if not on:
        yield
        return
    encoder: Any = classifier.encoder
    # transformers 5 gave it a new name on the way
    method = (
        "activation_checkpointing" if hasattr(encoder, "activation_checkpointing_enable") else "gradient_checkpointing"
    )
    try:
        getattr(encoder, f"{method}_enable")(**{f"{method}_kwargs": {"use_reentrant": False}})
    except (ValueError, AttributeError) as error:
        raise ModelError(
            f"{type(encoder).__name__} cannot compute layers again: {error}",
            remedy="set stance.gradient_checkpointing = false",
        ) from None
    try:
        yield
    finally:
        getattr(encoder, f"{method}_disable")()


@contextmanager
def _memory_errors(settings: StanceSettings) -> Iterator[None]:
    """Say what helps when a step does not fit into the GPU."""
    try:
        yield
    except torch.OutOfMemoryError:
        parts, posts = settings.gradient_accumulation, settings.batch_size
        remedies = [
            f"stance.gradient_accumulation = {min(2 * parts, posts)}" if parts < posts else "",
            "" if settings.gradient_checkpointing else "stance.gradient_checkpointing = true",
            "a lower stance.train_windows",
        ]
        raise GpuMemoryError(
            f"a part of {_posts_a_pass(settings)} posts with {settings.train_windows} windows does not fit into the GPU",
            remedy="set " + ", or ".join(filter(None, remedies)),
        ) from None


def _claim_checkpoint(folder: Path, inputs: str) -> Path | None:
    """Return the checkpoint to go on from, the same in every process."""
    found = None
    if is_main():
        claim_folder(folder, inputs)
        found = find_checkpoint(folder)
        if found is None:
            shutil.rmtree(log_folder(folder), ignore_errors=True)
    return share(found)


def _add_callbacks(
    trainer: Any, settings: StanceSettings, *, stop: bool, checkpoints: Path | None, on_epoch: OnEpoch | None
) -> None:
    from importlib.util import find_spec

    from transformers import EarlyStoppingCallback, TrainerCallback

    class Watch(TrainerCallback):
        def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            logger.info("epoch %d begins", round(state.epoch or 0) + 1)

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **_: Any) -> None:
            if on_epoch and state.epoch:
                on_epoch(round(state.epoch), metrics["eval_loss"])

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            wait_for_all()  # each process writes the state of its own random numbers
            if checkpoints and is_main():
                mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    if stop:
        trainer.add_callback(EarlyStoppingCallback(settings.patience))
    trainer.add_callback(Watch())
    if checkpoints and is_main() and find_spec("tensorboard"):
        from torch.utils.tensorboard import SummaryWriter
        from transformers.integrations import TensorBoardCallback

        trainer.add_callback(TensorBoardCallback(SummaryWriter(str(log_folder(checkpoints)))))


def _set_progress(trainer: Any, show: bool) -> None:
    """The Trainer prints dictionaries on stdout and draws bars everywhere; keep one bar, on a terminal only."""
    import sys

    from transformers import PrinterCallback, ProgressCallback

    trainer.remove_callback(PrinterCallback)
    if not (show and sys.stderr.isatty()):
        trainer.remove_callback(ProgressCallback)


def _put_back(classifier: StanceClassifier, initial: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in classifier.named_parameters():
            if name in initial:
                parameter.copy_(initial[name])


def _digest_parameters(classifier: StanceClassifier) -> str:
    """Digest of what was trained; equal parameters give an equal digest."""
    sha = hashlib.sha256()
    if n_processes() > 1:
        for parameter in classifier.parameters():
            if parameter.requires_grad:
                sha.update(parameter.detach().float().cpu().numpy().tobytes())
    return sha.hexdigest()


def _epoch_of(checkpoint: Path | None) -> float:
    if checkpoint is None:
        return 0.0
    return float(json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["epoch"])


def _losses(log_history: Sequence[dict[str, float]]) -> dict[str, float]:
    """Loss on the stopping pairs by epoch, or on the tuned ones where nobody was held out for stopping."""
    for name in ("eval_loss", "loss"):
        found = {f"{row['epoch']:g}": round(row[name], 4) for row in log_history if name in row and row.get("epoch")}
        if found:
            return found
    return {}
