"""Named settings for the machine at hand, laid over the study file by `nlp-study train --profile`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nlp_study.config import StanceSettings, Study
from nlp_study.errors import ConfigError, ModelError


@dataclass(frozen=True)
class Profile:
    """Settings of [stance] that suit a machine.

    `encoder` is fine-tuned where neither the command nor the study file names one.
    """

    about: str
    settings: dict[str, Any] = field(default_factory=dict)
    encoder: str = ""
    needs_gpu: bool = True


PROFILES: dict[str, Profile] = {
    "cpu": Profile(
        about="the study's settings, or three epochs where its encoder stays as it is",
        settings={"epochs": 3, "folds": 3, "seeds": (1,)},
        needs_gpu=False,
    ),
    "gpu": Profile(
        about="IndoBERT base and its like; everything is tuned, windows fill the encoder",
        settings={
            "epochs": 8,
            "learning_rate": 2e-5,
            "layer_decay": 0.9,
            "frozen_layers": 0,
            "batch_size": 16,
            "gradient_accumulation": 4,
            "window_tokens": 512,
            "window_overlap": 64,
            "train_windows": 8,
            "folds": 5,
            "seeds": (1, 2, 3),
        },
        encoder="indobenchmark/indobert-base-p1",
    ),
    "gpu-large": Profile(
        about="IndoBERT large and its like; smaller steps, layers computed again to save memory",
        settings={
            "epochs": 10,
            "learning_rate": 1e-5,
            "layer_decay": 0.95,
            "frozen_layers": 0,
            "batch_size": 16,
            "gradient_accumulation": 4,
            "gradient_checkpointing": True,
            "window_tokens": 512,
            "window_overlap": 64,
            "train_windows": 8,
            "patience": 3,
            "folds": 5,
            "seeds": (1, 2, 3),
        },
        encoder="indobenchmark/indobert-large-p1",
    ),
}
"""Rates and epochs lie in the ranges usual for BERT (Devlin et al. 2019, section A.3); they were not tuned on a corpus of
ours, `nlp-study tune` finds a study's own. Memory is reckoned from tokens a pass (4 posts of 8 windows), not measured."""

ENCODER_SETTINGS: dict[str, dict[str, Any]] = {
    "indolem/indobertweet-base-uncased": {"window_tokens": 128, "window_overlap": 16, "train_windows": 32},
}
"""What an encoder needs whatever the GPU: IndoBERTweet was trained further on tweets (Koto et al. 2021, arXiv:2109.04607),
so a post is read in windows nearer to a tweet's length, and in four times as many."""


def apply_profile(study: Study, profile: str, *, encoder: str = "") -> Study:
    """Return the study with the profile's settings, and the encoder if one is named.

    Raises
    ------
    ConfigError : there is no such profile.
    ModelError : the profile needs a GPU and there is none that torch can use.
    """
    chosen = PROFILES.get(profile)
    if chosen is None:
        known = "; ".join(f"{name}: {found.about}" for name, found in PROFILES.items())
        raise ConfigError(f"no profile «{profile}»", remedy=f"choose one of  {known}")
    if chosen.needs_gpu:
        _require_gpu(profile)
    changes: dict[str, Any] = dict(chosen.settings) if chosen.needs_gpu or not study.stance.epochs else {}
    name = encoder or study.stance.encoder or chosen.encoder
    if chosen.needs_gpu:
        changes |= ENCODER_SETTINGS.get(name, {})
    return change_stance(study, {**changes, "encoder": name, "model": ""})


def change_stance(study: Study, changes: dict[str, Any]) -> Study:
    """Return the study with other settings under [stance], checked as those of the file are."""
    stance = StanceSettings.model_validate(study.stance.model_dump() | changes)
    changed = study.model_copy(update={"stance": stance})
    changed._root = study.root
    return changed


def _require_gpu(profile: str) -> None:
    import torch

    if torch.cuda.is_available():
        return
    build = f"torch {torch.__version__}" + ("" if torch.version.cuda else ", a build without CUDA")
    raise ModelError(
        f"the {profile} profile needs a CUDA GPU, and none is visible ({build})",
        remedy="run it on a GPU box with a CUDA build of torch, or fine-tune here, slower: make train PROFILE=cpu",
    )
