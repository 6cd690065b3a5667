"""`load_encoder(name) -> Encoder`: the embedded small encoder, a hub name or a local folder, through one function.

The embedded encoder keeps its weights in blocks of 4 bits (Q4_0, as GGML defines it) and becomes an ordinary `BertModel`
in float32 when it is loaded; everything else goes to `from_pretrained`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

CONFIG_KEY = "nlp_study"
"""Key of `config.json` under which the embedded format says how it is stored and used."""
FORMAT = "q4_0-blocks-1"
WEIGHTS_FILE = "model.safetensors"

_REPOSITORY_MODELS = Path(__file__).resolve().parent.parent / "models"
_PACKAGED_MODELS = Path(__file__).resolve().parent / "_models"
_HUB_NAME = re.compile(r"^[\w.-]+(/[\w.-]+)?$")
_BATCH_TOKENS = {"cpu": 1024, "cuda": 8192}
"""Padded tokens read at a time by `Encoder.embed`. On a CPU more than the caches hold costs speed: bf16 tokens a CPU second
at 256 / 512 / 1,024 / 2,048 / 4,096 / 8,192 were 2,580 / 2,690 / 2,580 / 2,430 / 2,130 / 1,810 (one thread, two rounds)."""
_DOCUMENTS = ("README.md", "LICENSE", "provenance.json")
"""Files of a model that change nothing it computes: a corrected card must not embed a corpus again."""


@dataclass(frozen=True)
class Encoder:
    """An encoder with its tokenizer.

    `max_length_tokens` counts special tokens. `prefix_query` and `prefix_passage` stand in front of a text because the
    model was trained with them (empty for others). `digest` identifies the weights and the tokenizer.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    hidden_size: int
    max_length_tokens: int
    prefix_query: str
    prefix_passage: str
    digest: str

    def embed(
        self,
        texts: Sequence[str],
        *,
        prefix: str | None = None,
        max_length: int | None = None,
        progress: Callable[[int], Any] | None = None,
    ) -> np.ndarray:
        """Return unit vectors: the mean over tokens, then normalised.

        A text longer than `max_length` is read in windows and its vector is their mean weighted by tokens: nothing is
        cut.

        Parameters
        ----------
        texts : shape (n_texts,).
        prefix : put before each text; by default the encoder's passage prefix.
        max_length : tokens a window, special ones included; by default all that the encoder can read.
        progress : called with the number of texts done since the last call.

        Returns
        -------
        float32 of shape (n_texts, hidden).
        """
        import numpy as np
        import torch

        if not texts:
            return np.zeros((0, self.hidden_size), np.float32)
        prefix = self.prefix_passage if prefix is None else prefix
        limit = self.max_length_tokens if max_length is None else min(max_length, self.max_length_tokens)
        if limit <= self.tokenizer.num_special_tokens_to_add():
            raise ModelError(f"max_length={max_length} leaves no room for a text", remedy="give more tokens a window")
        encoding = self.tokenizer(
            [prefix + text for text in texts], truncation=True, max_length=limit, return_overflowing_tokens=True
        )
        owners = encoding["overflow_to_sample_mapping"]
        ids = encoding["input_ids"]
        sums = np.zeros((len(texts), self.hidden_size), np.float32)
        left = np.bincount(owners, minlength=len(texts))
        device = next(self.model.parameters()).device
        autocast = torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bfloat16(device.type))
        for batch in _length_batches(ids, _BATCH_TOKENS.get(device.type, 8192)):
            padded, mask = _pad([ids[i] for i in batch], self.tokenizer.pad_token_id)
            with torch.inference_mode(), autocast:
                hidden = self.model(input_ids=padded.to(device), attention_mask=mask.to(device)).last_hidden_state
            weights = mask.to(device).unsqueeze(-1).float()
            pooled = (hidden.float() * weights).sum(1).cpu().numpy()  # a sum over tokens weighs windows by their length
            for row, i in enumerate(batch):
                sums[owners[i]] += pooled[row]
                left[owners[i]] -= 1
                if progress and left[owners[i]] == 0:
                    progress(1)
        return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


def load_encoder(
    name: str,
    *,
    models_dir: Path | None = None,
    device: str = "auto",
    for_training: bool = False,
) -> Encoder:
    """Load an encoder by the name of the embedded one, a hub name or a folder.

    Parameters
    ----------
    name : for example `e5-small-id`, `indobenchmark/indobert-base-p1`, or a path.
    models_dir : folder looked in first for `name`.
    device : `auto` takes a GPU if torch sees one.
    for_training : on a CPU, eager attention and no dropout: making dropout masks costs more there than the matrix
        products (3,180 against 910 training tokens a second on two cores with bf16).

    Raises
    ------
    ModelError : the model or its tokenizer is missing, damaged, or cannot be fetched.
    """
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    found = resolve_encoder(name, models_dir=models_dir)
    tune_for_cpu = for_training and device == "cpu"
    options: dict[str, Any] = {"attn_implementation": "eager" if tune_for_cpu else "sdpa"}
    settings = _read_settings(found) if isinstance(found, Path) else None
    with quiet_bars():
        if settings and isinstance(found, Path):
            model = _load_blocks(found, options)
        else:
            model = _load_pretrained(name, found, options)
        tokenizer = _load_tokenizer(name, found)
    if max(tokenizer.get_vocab().values()) >= model.get_input_embeddings().num_embeddings:
        raise ModelError(f"{name}: the tokenizer belongs to another model", remedy="fetch both again")
    if tune_for_cpu:
        _remove_dropout(model)
    settings = settings or {}
    return Encoder(
        name=name,
        model=model.to(device).eval(),
        tokenizer=tokenizer,
        hidden_size=int(model.config.hidden_size),
        max_length_tokens=_max_length(model, tokenizer),
        prefix_query=settings.get("prefix_query", ""),
        prefix_passage=settings.get("prefix_passage", ""),
        digest=_digest_encoder(name, found),
    )


def resolve_encoder(name: str, *, models_dir: Path | None = None) -> Path | str:
    """Return the folder of a local encoder, or the name itself when it can only be a hub name.

    Looked at in order: the path itself, `models_dir/name`, the repository's `models/`, the copy inside the package.

    Raises
    ------
    ModelError : it is neither a folder nor a possible hub name.
    """
    given = Path(name).expanduser()
    for folder in (given, *(root / name for root in (models_dir, _REPOSITORY_MODELS, _PACKAGED_MODELS) if root)):
        if folder.is_dir():
            return folder.resolve()
    if given.is_absolute() or name.startswith((".", "~")) or not _HUB_NAME.match(name):
        raise ModelError(
            f"no encoder at {name}: the folder does not exist",
            remedy="name a folder with a model, a hub name such as indobenchmark/indobert-base-p1, or e5-small-id",
        )
    return name


@contextmanager
def quiet_bars() -> Iterator[None]:
    """Keep transformers from drawing bars and printing reports on weights, and put its settings back.

    What it would report and matters, missing weights, is an error of ours.
    """
    from transformers.utils import logging as transformers_logging

    shown, verbosity = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if shown:
            transformers_logging.enable_progress_bar()


def has_fast_bfloat16(device: str) -> bool:
    """Say whether bf16 is computed in hardware: CUDA from Ampere on, or a CPU with AVX-512 BF16 or AMX.

    On other processors it is emulated and several times slower than float32.
    """
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_available() and torch.cuda.get_device_capability()[0] >= 8)
    if device != "cpu":
        return False
    capabilities = torch.backends.cpu.get_cpu_capability()
    probes = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return "AVX512" in capabilities and any(probe() for probe in probes if callable(probe))


def dequantize(blocks: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return the values of Q4_0 blocks as float32.

    Parameters
    ----------
    blocks : uint8, shape (..., n_blocks, 16); byte j holds value j in its low and value j + 16 in its high four bits.
    scales : float16, shape (..., n_blocks).

    Returns
    -------
    shape (..., n_blocks * 32); each value is (nibble - 8) * scale.
    """
    import numpy as np

    nibbles = np.concatenate([blocks & 0x0F, blocks >> 4], axis=-1).astype(np.float32) - 8
    values = nibbles * scales[..., None].astype(np.float32)
    return values.reshape(*blocks.shape[:-2], -1)


def _read_settings(folder: Path) -> dict[str, Any] | None:
    """Settings of the embedded format, or None for an ordinary transformers folder."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{folder} holds no model: config.json is missing", remedy="name a folder that `save_pretrained` wrote"
        ) from None
    except ValueError as error:
        raise ModelError(
            f"{folder / 'config.json'} is damaged: {error}", remedy="fetch or build the model again"
        ) from None
    settings = config.get(CONFIG_KEY)
    if settings is not None and settings.get("format") != FORMAT:
        raise ModelError(
            f"{folder} is stored as {settings.get('format')}, this version reads {FORMAT}",
            remedy="update nlp-study, or build the model again with `make encoder`",
        )
    return settings


def _load_blocks(folder: Path, options: dict[str, Any]) -> PreTrainedModel:
    """Make a BertModel of the embedded format."""
    import numpy as np
    import torch
    from safetensors import SafetensorError
    from safetensors.numpy import load_file
    from transformers import BertConfig, BertModel

    try:
        stored = load_file(folder / WEIGHTS_FILE)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{folder / WEIGHTS_FILE} is missing or damaged: {error}",
            remedy="check out the repository again, or `make encoder`",
        ) from None
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    content.pop(CONFIG_KEY)
    config = BertConfig(**content, **options)
    model = BertModel(config, add_pooling_layer=False)
    state = {}
    try:
        for name, tensor in stored.items():
            if name.endswith(".q4"):
                base = name.removesuffix(".q4")
                state[base] = torch.from_numpy(dequantize(tensor, stored[f"{base}.scale"]))
            elif not name.endswith(".scale"):
                state[name] = torch.from_numpy(tensor.astype(np.float32))
        model.load_state_dict(state)
    except (KeyError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{folder}: the weights do not fit: {error}", remedy="build the model again: `make encoder`"
        ) from None
    return model


def _load_pretrained(name: str, found: Path | str, options: dict[str, Any]) -> PreTrainedModel:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel

    fixed: dict[str, Any] = {"output_loading_info": True, "dtype": torch.float32}  # half precision would stay half
    try:
        try:
            model, loading = AutoModel.from_pretrained(str(found), **fixed, **options)
        except ValueError as error:
            if "attention" not in str(error):
                raise
            # a model type without this attention
            model, loading = AutoModel.from_pretrained(str(found), **fixed)
    except (OSError, SafetensorError, RuntimeError, KeyError, ValueError) as error:
        raise _load_error(name, found, error) from None
    # the pooling layer is not read here and fine-tuned encoders are saved without one
    missing = sorted(key for key in loading["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise ModelError(
            f"{name} lacks {len(missing)} weights of its architecture, the first is {missing[0]}",
            remedy="fetch the model again; random weights would look like a model and be none",
        )
    return model


def _load_tokenizer(name: str, found: Path | str) -> PreTrainedTokenizerFast:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(found), use_fast=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise _load_error(name, found, error) from None
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise _load_error(
            name, found, OSError("the tokenizer has no vocabulary: tokenizer.json or vocab.txt is missing")
        )
    if not tokenizer.is_fast:
        raise ModelError(f"{name} has no fast tokenizer, which windows need", remedy="choose another encoder")
    return tokenizer


def _load_error(name: str, found: Path | str, error: Exception) -> ModelError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if isinstance(found, Path):
        return ModelError(
            f"cannot load the model in {found}: {reason}",
            remedy="the folder needs config.json, weights and a tokenizer",
        )
    return ModelError(
        f"cannot fetch {name} from the model hub: {reason}",
        remedy=f"connect to the network; or run `hf download {name} --local-dir {name.rpartition('/')[2]}` where there is "
        "one and name that folder; or use the embedded e5-small-id",
    )


def _max_length(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> int:
    """Tokens the model has positions for; RoBERTa keeps two of them for padding."""
    positions = getattr(model.config, "max_position_embeddings", 512)
    if model.config.model_type in ("roberta", "xlm-roberta", "camembert"):
        positions -= 2
    return int(min(positions, tokenizer.model_max_length))


def _remove_dropout(model: torch.nn.Module) -> None:
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def _digest_encoder(name: str, found: Path | str) -> str:
    from nlp_study.store import digest_file

    if not isinstance(found, Path):
        return name
    files = sorted(file for file in found.iterdir() if file.is_file() and file.name not in _DOCUMENTS)
    lines = [f"{file.name}\0{digest_file(file)}\n" for file in files if not file.name.startswith(".")]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def _length_batches(ids: Sequence[Sequence[int]], max_tokens: int) -> list[list[int]]:
    """Indices in batches of similar length, so that little is padding."""
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    batches: list[list[int]] = [[]]
    for i in order:
        if batches[-1] and (len(batches[-1]) + 1) * len(ids[i]) > max_tokens:
            batches.append([])
        batches[-1].append(i)
    return [batch for batch in batches if batch]


def _pad(rows: Sequence[Sequence[int]], pad_token_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `input_ids` and `attention_mask`, both of shape (n_rows, n_tokens)."""
    import torch

    width = max(len(row) for row in rows)
    padded = torch.full((len(rows), width), pad_token_id)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = torch.tensor(row)
    mask = (torch.arange(width) < torch.tensor([len(row) for row in rows])[:, None]).long()
    return padded, mask
