"""`train_stance` and `classify_stance`: the final model on all labels, and its stance for every pair."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections import defaultdict
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_study.encoders import load_encoder
from nlp_study.errors import ModelError
from nlp_study.schema import MODEL_EVALUATIONS, Origin, TableName, table_specs
from nlp_study.stance.card import write_card
from nlp_study.stance.evaluate import kept_windows
from nlp_study.stance.model import load_classifier, save_classifier
from nlp_study.stance.pairs import read_pairs
from nlp_study.stance.predict import predict_windows, read_windows
from nlp_study.stance.train import fit_classifier, prepare_pairs
from nlp_study.store import digest_path, dump_parquet

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.stance.model import TrainedStance
    from nlp_study.stance.train import FitHistory
    from nlp_study.store import Corpus, RunRecord

logger = logging.getLogger(__name__)

MODEL_RECORD = "model"
"""Folder in the corpus whose `run.json` says which model classifies."""


def train_stance(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any]:
    """Fine-tune on all labels, save the model under `paths.models`, and record it as the one that classifies.

    A training that was killed goes on from its last checkpoint; a finished model is never overwritten.

    Raises
    ------
    DataError : no labels, or one class only.
    ModelError : the encoder cannot be loaded, or the model cannot be saved.
    """
    if study.stance.model:
        folder = study.resolve(study.stance.model)
        model = load_classifier(folder)
        counts: dict[str, Any] = {"model_id": model.model_id, "encoder": model.config.encoder, "given": True}
    else:
        folder, model, history = train_model(
            study, corpus, model_id=_model_id(study, record), evaluations=corpus.read(TableName.EVALUATIONS)
        )
        counts = {"model_id": folder.name, "encoder": model.config.encoder, **asdict(history)}
    counts["path"] = str(folder.relative_to(study.root)) if folder.is_relative_to(study.root) else str(folder)
    corpus.write_record(MODEL_RECORD, replace(record, counts=counts, digest=digest_path(folder)))
    return counts


def train_model(
    study: Study, corpus: Corpus, *, model_id: str, evaluations: pa.Table
) -> tuple[Path, TrainedStance, FitHistory]:
    """Fine-tune on all labels and save the model with its card and its held-out predictions.

    Parameters
    ----------
    evaluations : rows of the table `evaluations`; kept with the model, so that whoever uses it can also count labelled
        posts by predictions of models that had not seen them.
    """
    pairs = read_pairs(study, corpus, labelled=True)
    folder = _free_folder(study.models_dir, model_id)
    checkpoints = study.models_dir / ".checkpoints" / model_id
    encoder = load_encoder(study.stance_encoder, models_dir=study.models_dir, for_training=study.stance.epochs > 0)
    model, history = fit_classifier(
        pairs,
        settings=study.stance,
        stances=study.study.stances,
        encoder=encoder,
        seed=study.study.seed,
        prepared=prepare_pairs(encoder, pairs, study.stance, kept=kept_windows(study)),
        checkpoints=checkpoints,
    )
    model = replace(model, model_id=folder.name)
    extra = {MODEL_EVALUATIONS: dump_parquet(evaluations)} if evaluations.num_rows else {}
    save_classifier(folder, model, card=write_card(study, pairs, evaluations, model, history), extra_files=extra)
    for scratch in (checkpoints, kept_windows(study)):
        shutil.rmtree(scratch, ignore_errors=True)
    return folder, model, history


def classify_stance(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any]:
    """Write the table `predictions`: a stance for every pair of a post and a target.

    A labelled pair gets the mean of its out-of-fold probabilities: the final model has seen its label, and counting what
    it remembers would flatter every share.

    Raises
    ------
    DataError : there are no posts.
    ModelError : there is no trained model, or it does not fit the study.
    """
    import pyarrow as pa
    from tqdm import tqdm

    model_record = corpus.record(MODEL_RECORD)
    if model_record is None:
        raise ModelError("there is no trained model", remedy="run `nlp-study train`, or set stance.model")
    model = load_classifier(study.resolve(model_record.counts["path"]))
    unknown = set(model.stances) - set(study.study.stances)
    if unknown:
        raise ModelError(
            f"model {model.model_id} knows the labels {', '.join(model.stances)}, "
            f"the study uses {', '.join(study.study.stances)}",
            remedy="train a model for this study, or give study.stances the model's labels",
        )
    pairs = read_pairs(study, corpus, labelled=False)
    held_out = _held_out(corpus, model.config.encoder)
    windows = read_windows(model.config, pairs, model.tokenizer)
    unseen = [i for i, pair in enumerate(pairs) if (pair.post_id, pair.target) not in held_out]
    with tqdm(total=len(unseen), desc="classify", unit=" posts", disable=None) as bar:
        reading = predict_windows(
            model.classifier, [windows[i] for i in unseen], model.tokenizer.pad_token_id, progress=bar.update
        )
    read = {i: reading.probas[row] for row, i in enumerate(unseen)}
    rows = []
    for i, pair in enumerate(pairs):
        if i not in read:
            origin, probas = Origin.OUT_OF_FOLD, held_out[pair.post_id, pair.target]
        else:
            seen = pair.stance is not None and not model_record.counts.get("given")
            origin = Origin.IN_SAMPLE if seen else Origin.FINAL
            probas = dict(zip(map(str, model.stances), map(float, read[i]), strict=True))
        rows.append(
            {
                "post_id": pair.post_id,
                "target": pair.target,
                "stance": max(probas, key=lambda name: probas[name]),
                **{f"proba_{name}": proba for name, proba in probas.items()},
                "model_id": model.model_id,
                "origin": str(origin),
                "n_windows": len(windows[i].encoded),
                "n_tokens": windows[i].n_tokens,
                "n_tokens_total": windows[i].n_tokens_total,
            }
        )
    origins = {str(origin): sum(row["origin"] == origin for row in rows) for origin in Origin}
    counts = {"model_id": model.model_id, "pairs": len(rows), **origins}
    table = pa.Table.from_pylist(rows, schema=table_specs()[TableName.PREDICTIONS].schema)
    corpus.write(TableName.PREDICTIONS, table, replace(record, counts=counts))
    return counts


def _held_out(corpus: Corpus, model: str) -> dict[tuple[str, str], dict[str, float]]:
    """Mean out-of-fold probabilities of each labelled pair over the evaluation's seeds."""
    sums: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    for row in corpus.read(TableName.EVALUATIONS).to_pylist():
        if row["model"] == model:
            values = {k.removeprefix("proba_"): v for k, v in row.items() if k.startswith("proba_") and v is not None}
            sums[row["post_id"], row["target"]].append(values)
    return {
        key: {stance: float(np.mean([row[stance] for row in found])) for stance in found[0]}
        for key, found in sums.items()
    }


def _model_id(study: Study, record: RunRecord) -> str:
    encoder = re.sub(r"[^a-z0-9]+", "-", Path(study.stance_encoder).name.lower()).strip("-")
    digest = hashlib.sha256(json.dumps(record.fingerprint, sort_keys=True).encode()).hexdigest()[:8]
    return f"{study.study.name}-{encoder}-{digest}"


def _free_folder(models_dir: Path, model_id: str) -> Path:
    """A folder that does not exist yet; the same inputs trained again get a number."""
    folder, number = models_dir / model_id, 2
    while folder.exists():
        folder, number = models_dir / f"{model_id}-{number}", number + 1
    return folder
