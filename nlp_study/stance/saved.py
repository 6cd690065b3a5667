"""Models on disk: a probe with the names of what it reads through, or a fine-tuned encoder; one way to load either."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nlp_study.encoders import load_encoder
from nlp_study.errors import ModelError
from nlp_study.schema import Stance
from nlp_study.stance.bag import BagOfWords
from nlp_study.stance.mixing import Mix
from nlp_study.stance.model import load_classifier, new_model_folder
from nlp_study.stance.probe import Mixes, StanceProbe
from nlp_study.stance.reader import StanceReader, load_reader
from nlp_study.stance.views import WHOLE_TEXT
from nlp_study.store import write_file

PROBE_FILE = "probe.json"
PROBE_TENSORS = "probe.safetensors"
_REMEDY = "train one with `nlp-study train`, or name the folder of a trained model under stance.model"


@dataclass(frozen=True)
class StanceModel:
    """A classifier ready to use, however it was trained.

    `model_id` names it in predictions, `encoder` is the name of the encoder that it was trained from.
    """

    model_id: str
    encoder: str
    reader: StanceReader
    probe: StanceProbe

    @property
    def stances(self) -> tuple[Stance, ...]:
        """The labels, in the order of the columns."""
        return tuple(Stance(stance) for stance in self.probe.stances)


def save_probe(
    folder: Path, reader: StanceReader, probe: StanceProbe, *, card: str, extra_files: Mapping[str, bytes] | None = None
) -> None:
    """Save a probe, whole or not at all; the encoder and the reader are named by their digests, not copied.

    Raises
    ------
    ModelError : see `new_model_folder`.
    """
    from safetensors.numpy import save_file

    settings = {
        "encoder": reader.encoder.name,
        "reader": reader.name,
        "digest": reader.digest,
        "window_tokens": reader.window_tokens,
        "window_overlap": reader.window_overlap,
        "stances": probe.stances,
        "targets": sorted(probe.targets),
        "mixes": {"known": asdict(probe.known), "unknown": asdict(probe.unknown)},
        "trained": probe.trained,
    }
    tensors = {"weights": probe.weights, "bias": probe.bias, "centre": probe.centre}
    if probe.bag is not None:
        settings["terms"] = probe.bag.terms
        tensors |= {"bag.idf": probe.bag.idf, "bag.weights": probe.bag.weights, "bag.bias": probe.bag.bias}
    with new_model_folder(folder, card=card, extra_files=extra_files) as staged:
        save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, staged / PROBE_TENSORS)
        write_file(staged / PROBE_FILE, json.dumps(settings, indent=1, ensure_ascii=False) + "\n")


def load_model(folder: Path, *, models_dir: Path | None = None) -> StanceModel:
    """Load a model that `save_probe` or `save_classifier` wrote.

    Raises
    ------
    ModelError : the folder holds no model, a file is damaged, or what it reads through has changed or is missing.
    """
    if (folder / PROBE_FILE).is_file():
        return _load_probe(folder, models_dir)
    trained = load_classifier(folder)
    encoder = load_encoder(str(folder))
    reader = StanceReader(
        "",
        encoder,
        trained.classifier.encoder,
        None,
        trained.config.window_tokens,
        trained.config.window_overlap,
        trained.config.prefix,
        encoder.digest,
        WHOLE_TEXT,
    )
    head = trained.classifier.head
    weights, bias = (tensor.detach().cpu().float().numpy() for tensor in (head.weight, head.bias))
    return StanceModel(
        folder.name, trained.config.encoder, reader, StanceProbe.of_head(trained.config.stances, weights, bias)
    )


def _load_probe(folder: Path, models_dir: Path | None) -> StanceModel:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        settings: dict[str, Any] = json.loads((folder / PROBE_FILE).read_text(encoding="utf-8"))
        tensors = load_file(folder / PROBE_TENSORS)
        bag = None
        if "terms" in settings:
            bag = BagOfWords(tuple(settings["terms"]), *(tensors[f"bag.{name}"] for name in ("idf", "weights", "bias")))
        probe = StanceProbe(
            tuple(settings["stances"]),
            tensors["weights"],
            tensors["bias"],
            tensors["centre"],
            bag,
            frozenset(settings["targets"]),
            _mixes(settings["mixes"]["known"]),
            _mixes(settings["mixes"]["unknown"]),
            trained=settings["trained"],
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(f"{folder} holds a damaged stance model: {error}", remedy=_REMEDY) from None
    encoder = load_encoder(settings["encoder"], models_dir=models_dir)
    reader = load_reader(
        encoder,
        name=settings["reader"],
        models_dir=models_dir,
        window_tokens=settings["window_tokens"],
        window_overlap=settings["window_overlap"],
    )
    if reader.digest != settings["digest"]:
        raise ModelError(
            f"{folder.name} was trained on another {settings['reader'] or settings['encoder']} than the one that is here",
            remedy="train it again, or put the files back that it was trained on",
        )
    return StanceModel(folder.name, settings["encoder"], reader, probe)


def _mixes(saved: dict[str, Any]) -> Mixes:
    decision, probability = (
        Mix(tuple(saved[name]["scales"]), tuple(saved[name]["shift"])) for name in ("decision", "probability")
    )
    return Mixes(decision, probability)
