"""`StanceReader`: an encoder, perhaps with upper layers that learnt stance on other targets, and the vectors it makes.

The vector of a post is the weighted mean over the inputs of its views (`views.py`) of the mean over their tokens. Everything
behind it is linear, so each token's part in a decision is known exactly (`explain.py`).
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from nlp_study.encoders import Encoder, has_fast_bfloat16, resolve_encoder
from nlp_study.errors import ModelError
from nlp_study.stance.engine import engine_name, make_engine
from nlp_study.stance.views import VIEW_WEIGHTS, Views, cut_views
from nlp_study.store import digest_path

if TYPE_CHECKING:
    from nlp_study.stance.pairs import Pair

TokenWatch = Callable[[int, np.ndarray, Sequence[tuple[int, int]], float], None]

READER_KEY = "nlp_study_reader"
"""Key of a reader's `config.json` that says which encoder it belongs to."""
AUTO = "auto"
EMBEDDED_READER = "e5-small-id-stance"
READER_FILE = "model.safetensors"
BATCH_TOKENS = {"cpu": 1024, "cuda": 32768}
"""Padded tokens read at a time. On a CPU, tokens a second at 512 / 1,024 / 2,048 / 4,096 were 2,980 / 2,928 / 2,842 / 2,657
(one thread, medians of three rounds); shorter batches leave a second thread too little."""


@dataclass(frozen=True)
class StanceReader:
    """A model that reads (target, passage) inputs.

    `name` is empty where the encoder reads as it is; otherwise its upper layers are replaced by those of the folder `name`,
    and `head` is their linear layer: favor, against, neutral for any target. `prefix` stands before every target.
    """

    name: str
    encoder: Encoder
    model: nn.Module
    head: nn.Linear | None
    window_tokens: int
    window_overlap: int
    prefix: str
    digest: str
    view_weights: Mapping[str, float] = field(default_factory=lambda: VIEW_WEIGHTS)

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next(self.model.parameters()).device


@dataclass(frozen=True)
class Reading:
    """What a reader makes of some pairs: `vectors` (n_pairs, hidden); the counts have shape (n_pairs,)."""

    vectors: np.ndarray
    n_inputs: np.ndarray
    n_tokens: np.ndarray
    n_tokens_total: np.ndarray

    def pick(self, rows: Sequence[int]) -> Reading:
        """Return some of the pairs, by position."""
        at = list(rows)
        return Reading(self.vectors[at], self.n_inputs[at], self.n_tokens[at], self.n_tokens_total[at])


def load_reader(
    encoder: Encoder, *, name: str = "", models_dir: Path | None = None, window_tokens: int, window_overlap: int
) -> StanceReader:
    """Make a reader of an encoder and, with `name`, of upper layers that learnt stance elsewhere.

    Parameters
    ----------
    encoder : as `load_encoder` returns it; its parameters are shared, not changed.
    name : folder of the upper layers, looked for as encoders are; `auto`: the embedded ones if they fit the encoder; empty:
        the encoder reads as it is.
    window_tokens, window_overlap : of a window of the whole text, target included.

    Raises
    ------
    ModelError : the folder holds no such layers, they are damaged, or they belong to another encoder.
    """
    tokens = min(window_tokens, encoder.max_length_tokens)
    overlap = min(window_overlap, tokens // 4)
    if name == AUTO:
        name = _fitting_reader(encoder, models_dir)
    if not name:
        prefix = encoder.prefix_query
        return StanceReader("", encoder, encoder.model, None, tokens, overlap, prefix, encoder.digest)
    folder = resolve_encoder(name, models_dir=models_dir)
    if not isinstance(folder, Path):
        raise ModelError(
            f"no stance reader at {name}", remedy="name a folder under models/, or leave stance.reader empty"
        )
    settings, tensors = _read_files(folder)
    if settings["encoder_digest"] != encoder.digest:
        raise ModelError(
            f"{name} was made for {settings['encoder']}, not for {encoder.name}",
            remedy='set stance.reader = "" to use this encoder alone',
        )
    model, head = _put_layers(encoder.model, tensors, folder)
    digest = f"{encoder.digest} {digest_path(folder / READER_FILE)}"
    return StanceReader(name, encoder, model, head, tokens, overlap, settings["prefix"], digest)


def save_reader(
    folder: Path, encoder: Encoder, tuned: nn.Module, head: nn.Linear, *, first_layer: int, prefix: str
) -> None:
    """Save the upper layers of a tuned encoder, in bf16, so that `load_reader` can put them on the encoder again.

    Parameters
    ----------
    tuned : the encoder's architecture with tuned layers from `first_layer` up.
    head : its linear layer, three outputs.
    """
    from safetensors.torch import save_file

    from nlp_study.store import write_file

    tensors = {
        name: tensor.to(torch.bfloat16).contiguous()
        for name, tensor in tuned.state_dict().items()
        if (layer := _layer(name)) is not None and layer >= first_layer
    }
    tensors |= {f"head.{name}": tensor.contiguous() for name, tensor in head.state_dict().items()}
    settings = {
        "encoder": encoder.name,
        "encoder_digest": encoder.digest,
        "first_layer": first_layer,
        "prefix": prefix,
        "stances": ["favor", "against", "neutral"],
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / READER_FILE)
    write_file(folder / "config.json", json.dumps({READER_KEY: settings}, indent=2) + "\n")


def read_pairs_through(
    reader: StanceReader,
    pairs: Sequence[Pair],
    *,
    progress: Callable[[int], Any] | None = None,
    watch: TokenWatch | None = None,
) -> Reading:
    """Return the vectors of pairs.

    Parameters
    ----------
    pairs : shape (n_pairs,).
    progress : called with the number of pairs done since the last call.
    watch : called for every input with its pair, its token vectors (n_tokens, hidden), the character spans of these tokens
        and the weight of one token in the pair's vector.
    """
    views = list(cut_pair_views(reader, pairs))
    vectors = np.zeros((len(pairs), reader.encoder.hidden_size), np.float32)
    left = [len(item.encoded) for item in views]
    for places, mask, hidden in read_tokens(reader, views):
        weights = mask.unsqueeze(-1).float()
        means = ((hidden.float() * weights).sum(1) / weights.sum(1)).cpu().numpy()
        for row, (owner, i) in enumerate(places):
            vectors[owner] += views[owner].weights[i] * means[row]
            left[owner] -= 1
            if watch:
                item = views[owner]
                n = len(item.offsets[i])
                watch(owner, hidden[row, :n].float().cpu().numpy(), item.offsets[i], item.weights[i] / n)
        if progress:
            progress(sum(left[owner] == 0 for owner in {owner for owner, _ in places}))
    return Reading(
        vectors,
        np.array([len(item.encoded) for item in views], np.int32),
        np.array([item.n_tokens for item in views], np.int32),
        np.array([item.n_tokens_total for item in views], np.int32),
    )


def keep_reading(
    reader: StanceReader, pairs: Sequence[Pair], *, kept: Path | None, progress: Callable[[int], Any] | None = None
) -> Reading:
    """Read pairs, or return what was kept of the same reading before.

    Parameters
    ----------
    kept : folder where readings are kept; None: nothing is.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file, save

    from nlp_study.store import write_file

    sha = hashlib.sha256(f"{reader.digest} {reader.window_tokens} {reader.window_overlap} {reader.prefix}".encode())
    sha.update(f"{sorted(reader.view_weights.items())} {has_fast_bfloat16('cpu')} {engine_name(reader.model)}".encode())
    for pair in pairs:
        sha.update("\0".join((pair.target_text, *pair.aliases, *pair.keywords, pair.text, "")).encode())
    file = kept / f"reading-{sha.hexdigest()[:16]}.safetensors" if kept else None
    if file and file.is_file():
        try:
            return Reading(**load_file(file))
        except (SafetensorError, TypeError, OSError):
            file.unlink()
    reading = read_pairs_through(reader, pairs, progress=progress)
    if file:
        write_file(file, save({name: np.ascontiguousarray(value) for name, value in vars(reading).items()}))
    return reading


def cut_pair_views(reader: StanceReader, pairs: Sequence[Pair]) -> Iterator[Views]:
    """Yield the inputs of each pair as the reader takes them."""
    return cut_views(
        pairs,
        reader.encoder.tokenizer,
        window_tokens=reader.window_tokens,
        overlap=reader.window_overlap,
        prefix=reader.prefix,
        view_weights=reader.view_weights,
    )


def lean(reader: StanceReader, vectors: np.ndarray) -> np.ndarray | None:
    """Return what the reader's own layer says of favor, against and neutral before it saw a label of the study.

    Returns
    -------
    scores (logits) of shape (n_pairs, 3), or None where the reader has no such layer.
    """
    if reader.head is None:
        return None
    with torch.inference_mode():
        scores: np.ndarray = reader.head(torch.from_numpy(vectors).to(reader.device)).cpu().numpy()
    return scores


@torch.inference_mode()
def read_tokens(
    reader: StanceReader, views: Sequence[Views]
) -> Iterator[tuple[list[tuple[int, int]], torch.Tensor, torch.Tensor]]:
    """Yield batches of inputs alike in length: their places (pair, input), attention mask and token vectors.

    *Shape*: mask (n_inputs, n_tokens), vectors (n_inputs, n_tokens, hidden).
    """
    device, engine = reader.device, make_engine(reader.model)
    singles = [(owner, i) for owner, item in enumerate(views) for i in range(len(item.encoded))]
    singles.sort(key=lambda place: _length(views, place))
    limit, pad = BATCH_TOKENS.get(device.type, 8192), reader.encoder.tokenizer.pad_token_id
    start = 0
    while start < len(singles):
        end = start + 1
        while end < len(singles) and (end + 1 - start) * _length(views, singles[end]) <= limit:
            end += 1
        places = singles[start:end]
        batch = {name: tensor.to(device) for name, tensor in _pad(views, places, pad).items()}
        yield places, batch["attention_mask"], engine(batch)
        start = end


def _length(views: Sequence[Views], place: tuple[int, int]) -> int:
    return len(views[place[0]].encoded[place[1]]["input_ids"])


def _pad(views: Sequence[Views], places: Sequence[tuple[int, int]], pad_token_id: int) -> dict[str, torch.Tensor]:
    width = _length(views, places[-1])
    batch = {}
    for name in views[places[0][0]].encoded[places[0][1]]:
        batch[name] = torch.full((len(places), width), pad_token_id if name == "input_ids" else 0)
        for row, (owner, i) in enumerate(places):
            values = views[owner].encoded[i][name]
            batch[name][row, : len(values)] = torch.tensor(values)
    return batch


def _fitting_reader(encoder: Encoder, models_dir: Path | None) -> str:
    """Name of the embedded reader if it is there and belongs to the encoder, else nothing."""
    folder = resolve_encoder(EMBEDDED_READER, models_dir=models_dir)
    if not isinstance(folder, Path) or not (folder / READER_FILE).is_file():
        return ""
    settings, _ = _read_files(folder)
    return EMBEDDED_READER if settings["encoder_digest"] == encoder.digest else ""


def _read_files(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))[READER_KEY]
        return settings, load_file(folder / READER_FILE)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"{folder} holds no stance reader: {error}", remedy="fetch it again, or leave stance.reader empty"
        ) from None


def _put_layers(encoder: nn.Module, tensors: dict[str, torch.Tensor], folder: Path) -> tuple[nn.Module, nn.Linear]:
    """Return a copy of the encoder with the tuned layers; embeddings and lower layers stay shared with the encoder."""
    weights = {name: tensor for name, tensor in tensors.items() if not name.startswith("head.")}
    first = min(layer for name in weights if (layer := _layer(name)) is not None) if weights else 0
    model: Any = copy.copy(encoder)
    model._modules = dict(encoder._modules)
    stack = copy.copy(model._modules["encoder"])
    stack._modules = dict(stack._modules)
    stack.layer = nn.ModuleList([layer if i < first else copy.deepcopy(layer) for i, layer in enumerate(stack.layer)])
    model._modules["encoder"] = stack
    device = next(encoder.parameters()).device
    try:
        wanted = {name for name in model.state_dict() if (layer := _layer(name)) is not None and layer >= first}
        if wanted != set(weights):
            raise RuntimeError(f"{len(wanted ^ set(weights))} tensors are missing or too many")
        model.load_state_dict({name: tensor.float() for name, tensor in weights.items()}, strict=False)
        head = nn.Linear(tensors["head.weight"].shape[1], tensors["head.weight"].shape[0])
        head.load_state_dict({name: tensors[f"head.{name}"].float() for name in ("weight", "bias")})
    except (RuntimeError, KeyError) as error:
        raise ModelError(f"{folder} is damaged: {error}", remedy="fetch it again") from None
    return model.to(device).eval(), head.to(device).eval()


def _layer(name: str) -> int | None:
    """Layer of a parameter, from 0; None for those outside the layers."""
    parts = name.split(".")
    return int(parts[parts.index("layer") + 1]) if "layer" in parts else None
