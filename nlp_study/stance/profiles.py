"""Named settings for the machine at hand, laid over the study file by `nlp-study train --profile`."""

from __future__ import annotations

from typing import Any

from nlp_study.config import Study
from nlp_study.errors import ConfigError, ModelError

GPU_SETTINGS: dict[str, Any] = {
    "epochs": 8,
    "learning_rate": 2e-5,
    "frozen_layers": 0,
    "batch_size": 16,
    "window_tokens": 512,
    "window_overlap": 64,
    "train_windows": 8,
    "folds": 5,
    "seeds": (1, 2, 3),
}
"""Everything is tuned, windows fill the encoder, and the evaluation repeats over seeds: minutes on one GPU."""


CPU_SETTINGS: dict[str, Any] = {"epochs": 3, "folds": 3, "seeds": (1,)}
"""For a study whose encoder stays as it is (`epochs = 0`): whoever asks for a training gets one, of bearable length."""


def apply_profile(study: Study, profile: str, *, encoder: str = "") -> Study:
    """Return the study with the profile's settings, and the encoder if one is named.

    Raises
    ------
    ConfigError : there is no such profile.
    ModelError : the profile is `gpu` and there is no GPU that torch can use.
    """
    if profile not in ("cpu", "gpu"):
        raise ConfigError(f"no profile «{profile}»", remedy="profiles are cpu and gpu")
    changes: dict[str, Any] = {"encoder": encoder} if encoder else {}
    if profile == "gpu":
        _require_gpu()
        changes |= GPU_SETTINGS
    elif not study.stance.epochs:
        changes |= CPU_SETTINGS
    stance = study.stance.model_copy(update={**changes, "model": ""})
    chosen = study.model_copy(update={"stance": stance})
    chosen._root = study.root
    return chosen


def _require_gpu() -> None:
    import torch

    if torch.cuda.is_available():
        return
    build = f"torch {torch.__version__}" + ("" if torch.version.cuda else ", a build without CUDA")
    raise ModelError(
        f"the gpu profile needs a CUDA GPU, and none is visible ({build})",
        remedy="run it on a GPU box with a CUDA build of torch, or fine-tune here, slower: make train PROFILE=cpu",
    )
