"""The stance classifier: an encoder read over windows, one linear layer on the mean; save and load."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from nlp_study.encoders import load_encoder, quiet_bars
from nlp_study.errors import ModelError
from nlp_study.schema import Stance
from nlp_study.store import write_file

if TYPE_CHECKING:
    from nlp_study.encoders import Encoder
    from nlp_study.stance.windows import Windows

CONFIG_FILE = "stance.json"
HEAD_FILE = "head.safetensors"
LABEL_SMOOTHING = 0.1
"""In training only: annotators of stance disagree on about one post in ten."""


@dataclass(frozen=True)
class StanceConfig:
    """What is needed to use a trained classifier again."""

    stances: tuple[str, ...]
    encoder: str
    window_tokens: int
    window_overlap: int
    prefix: str = ""
    seed: int = 0
    n_labels: int = 0
    trained: dict[str, Any] = field(default_factory=dict)


class StanceClassifier(nn.Module):
    """Mean of token vectors in each window, mean over windows, one linear layer.

    The mean over windows lets a post of any length be read whole, and a sentence count the same wherever it stands.
    """

    def __init__(
        self, encoder: nn.Module, *, hidden_size: int, n_stances: int, class_weights: torch.Tensor | None = None
    ):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(hidden_size, n_stances)
        self.class_weights: torch.Tensor | None
        self.register_buffer("class_weights", class_weights, persistent=False)

    def pool(self, attention_mask: torch.Tensor, window_mask: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Return one vector a post.

        *Shape*: `attention_mask` (n_posts, n_windows, n_tokens); `window_mask` (n_posts, n_windows), 1 where there is a
        window; `inputs` what the encoder reads: `input_ids` and perhaps `token_type_ids`, shaped as `attention_mask`, or
        `inputs_embeds` with a last axis `hidden`. Returns (n_posts, hidden). Empty windows are not computed.
        """
        flat = window_mask.bool().flatten()
        mask = attention_mask.flatten(0, 1)[flat]
        read = {name: tensor.flatten(0, 1)[flat] for name, tensor in inputs.items()}
        hidden = self.encoder(attention_mask=mask, **read).last_hidden_state.float()
        weights = mask.unsqueeze(-1).float()
        windows = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
        owner = torch.arange(len(window_mask), device=flat.device).repeat_interleave(window_mask.bool().sum(1))
        summed = torch.zeros(len(window_mask), windows.shape[-1], device=windows.device).index_add(0, owner, windows)
        return summed / window_mask.sum(1, keepdim=True).clamp(min=1)

    def forward(
        self,
        attention_mask: torch.Tensor,
        window_mask: torch.Tensor,
        input_ids: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Return `logits` (n_posts, n_stances) and, with `labels` (n_posts,), the class-weighted `loss`."""
        inputs = {"input_ids": input_ids, "token_type_ids": token_type_ids, "inputs_embeds": inputs_embeds}
        given = {name: tensor for name, tensor in inputs.items() if tensor is not None}
        logits = self.head(self.pool(attention_mask, window_mask, **given))
        if labels is None:
            return {"logits": logits}
        loss = nn.functional.cross_entropy(
            logits, labels, weight=self.class_weights, label_smoothing=LABEL_SMOOTHING if self.training else 0.0
        )
        return {"loss": loss, "logits": logits}


def collate_windows(
    items: Sequence[Windows], *, pad_token_id: int, labels: Sequence[int] | None = None
) -> dict[str, torch.Tensor]:
    """Pad the windows of several posts into one batch for `StanceClassifier`.

    Windows that carry `hidden` are read from there (by the upper layers, see `layers.py`), others from their tokens.

    Returns
    -------
    tensors as `StanceClassifier.forward` takes them, padded to the longest window and the most windows in the batch.
    """
    n_windows = max(len(item.encoded) for item in items)
    n_tokens = max(len(window["input_ids"]) for item in items for window in item.encoded)
    fills = {"input_ids": pad_token_id, "attention_mask": 0, "token_type_ids": 0}
    batch = {}
    hidden = all(item.hidden is not None for item in items)
    for name in ("attention_mask",) if hidden else items[0].encoded[0]:
        tensor = torch.full((len(items), n_windows, n_tokens), fills[name], dtype=torch.long)
        for i, item in enumerate(items):
            for j, window in enumerate(item.encoded):
                tensor[i, j, : len(window[name])] = torch.tensor(window[name])
        batch[name] = tensor
    if hidden:
        batch["inputs_embeds"] = _pad_hidden([item.hidden or [] for item in items], n_windows, n_tokens)
    counts = torch.tensor([len(item.encoded) for item in items])
    batch["window_mask"] = (torch.arange(n_windows) < counts[:, None]).long()
    if labels is not None:
        batch["labels"] = torch.tensor(labels)
    return batch


def _pad_hidden(items: Sequence[Sequence[torch.Tensor]], n_windows: int, n_tokens: int) -> torch.Tensor:
    first = items[0][0]
    padded = torch.zeros(len(items), n_windows, n_tokens, first.shape[-1], dtype=first.dtype)
    for i, windows in enumerate(items):
        for j, window in enumerate(windows):
            padded[i, j, : len(window)] = window
    return padded


@dataclass(frozen=True)
class TrainedStance:
    """A classifier with its tokenizer and settings, ready to use; `model_id` names it in predictions."""

    model_id: str
    classifier: StanceClassifier
    tokenizer: Any
    config: StanceConfig

    @property
    def stances(self) -> tuple[Stance, ...]:
        """The labels, in the order of the logits."""
        return tuple(Stance(stance) for stance in self.config.stances)


def save_classifier(
    folder: Path, model: TrainedStance, *, card: str, extra_files: Mapping[str, bytes] | None = None
) -> None:
    """Save a classifier: the encoder as any transformers model, the head, the settings and a model card.

    Raises
    ------
    ModelError : see `new_model_folder`.
    """
    from safetensors.torch import save_file

    with new_model_folder(folder, card=card, extra_files=extra_files) as staged:
        encoder: Any = model.classifier.encoder
        with quiet_bars():
            encoder.save_pretrained(staged)
        model.tokenizer.save_pretrained(staged)
        head = {name: tensor.contiguous() for name, tensor in model.classifier.head.state_dict().items()}
        save_file(head, staged / HEAD_FILE)
        write_file(staged / CONFIG_FILE, json.dumps(asdict(model.config), indent=2, ensure_ascii=False) + "\n")


@contextmanager
def new_model_folder(folder: Path, *, card: str, extra_files: Mapping[str, bytes] | None = None) -> Iterator[Path]:
    """Yield a folder to write a model into; it gets its card and extra files, and its name when all is written.

    Raises
    ------
    ModelError : the folder exists already (a trained model is never overwritten), or it cannot be written.
    """
    if folder.exists():
        raise ModelError(f"{folder} exists already; a model is never overwritten", remedy="name another folder")
    staged = folder.with_name(f".{folder.name}.tmp-{uuid.uuid4().hex[:8]}")
    try:
        staged.mkdir(parents=True)
        yield staged
        write_file(staged / "README.md", card)
        for name, content in (extra_files or {}).items():
            write_file(staged / name, content)
        staged.rename(folder)
    except OSError as error:
        raise ModelError(
            f"cannot save the model to {folder}: {error}", remedy="free some space, then train again"
        ) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def load_classifier(folder: Path, *, device: str = "auto") -> TrainedStance:
    """Load a classifier that `save_classifier` wrote.

    Raises
    ------
    ModelError : the folder holds no classifier, a file of it is missing or damaged, or the head does not fit the encoder.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    remedy = "train one with `nlp-study train`, or name the folder of a trained model under stance.model"
    try:
        config = StanceConfig(**json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")))
        head = load_file(folder / HEAD_FILE)
    except FileNotFoundError as error:
        raise ModelError(
            f"{folder} is no stance model: {Path(error.filename or '').name} is missing", remedy=remedy
        ) from None
    except NotADirectoryError:
        raise ModelError(f"{folder} is no folder", remedy=remedy) from None
    except (ValueError, TypeError, SafetensorError) as error:
        raise ModelError(f"{folder} holds a damaged stance model: {error}", remedy=remedy) from None
    encoder = load_encoder(str(folder), device=device)
    model = build_classifier(encoder, n_stances=len(config.stances))
    try:
        model.head.load_state_dict(head)
    except RuntimeError as error:
        raise ModelError(f"{folder}: the head does not fit the encoder: {error}", remedy=remedy) from None
    return TrainedStance(folder.name, model.eval(), encoder.tokenizer, config)


def build_classifier(
    encoder: Encoder, *, n_stances: int, class_weights: torch.Tensor | None = None
) -> StanceClassifier:
    """Put a fresh head on an encoder, on the encoder's device."""
    model: nn.Module = encoder.model
    classifier = StanceClassifier(
        model, hidden_size=encoder.hidden_size, n_stances=n_stances, class_weights=class_weights
    )
    return classifier.to(next(model.parameters()).device)
