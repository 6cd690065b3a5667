"""`train_stance` and `classify_stance`: the final model on all labels, and its stance for every pair."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_study.encoders import load_encoder
from nlp_study.errors import ModelError
from nlp_study.schema import MODEL_EVALUATIONS, Origin, TableName, table_specs
from nlp_study.stance.card import write_card, write_probe_card
from nlp_study.stance.evaluate import kept_windows, study_reader
from nlp_study.stance.explain import explain_pairs, top_evidence
from nlp_study.stance.model import save_classifier
from nlp_study.stance.pairs import read_pairs, stream_pairs
from nlp_study.stance.probe import fit_probe
from nlp_study.stance.reader import keep_reading
from nlp_study.stance.saved import load_model, save_probe
from nlp_study.stance.train import fit_classifier, prepare_pairs
from nlp_study.store import digest_path, dump_parquet, write_file

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.encoders import Encoder
    from nlp_study.stance.pairs import Pair
    from nlp_study.stance.saved import StanceModel
    from nlp_study.store import Corpus, RunRecord

logger = logging.getLogger(__name__)

PART_POSTS = 256
"""Posts classified and written at a time."""

MODEL_RECORD = "model"
"""Folder in the corpus whose `run.json` says which model classifies."""


def train_stance(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any]:
    """Train on all labels, save the model under `paths.models`, and record it as the one that classifies.

    A training that was killed goes on from its last checkpoint; a finished model is never overwritten.

    Raises
    ------
    DataError : no labels, or one class only.
    ModelError : the encoder cannot be loaded, or the model cannot be saved.
    """
    if study.stance.model:
        folder = study.resolve(study.stance.model)
        model = load_model(folder, models_dir=study.models_dir)
        counts: dict[str, Any] = {"model_id": model.model_id, "encoder": model.encoder, "given": True}
    else:
        folder, encoder, figures = train_model(
            study, corpus, model_id=_model_id(study, record), evaluations=corpus.read(TableName.EVALUATIONS)
        )
        counts = {"model_id": folder.name, "encoder": encoder, **figures}
    counts["path"] = str(folder.relative_to(study.root)) if folder.is_relative_to(study.root) else str(folder)
    corpus.write_record(MODEL_RECORD, replace(record, counts=counts, digest=digest_path(folder)))
    return counts


def train_model(
    study: Study, corpus: Corpus, *, model_id: str, evaluations: pa.Table
) -> tuple[Path, str, dict[str, Any]]:
    """Train on all labels and save the model with its card and its held-out predictions; older models stay.

    With `stance.epochs` above 0 the encoder is fine-tuned, otherwise linear layers are fitted on its vectors.

    Parameters
    ----------
    evaluations : rows of the table `evaluations`; kept with the model, so that whoever uses it can also count labelled
        posts by predictions of models that had not seen them.

    Returns
    -------
    the model's folder, the name of its encoder, and figures of the training.
    """
    pairs = read_pairs(study, corpus, labelled=True)
    folder = _free_folder(study.models_dir, model_id)
    encoder = load_encoder(study.stance_encoder, models_dir=study.models_dir, for_training=study.stance.epochs > 0)
    extra = {MODEL_EVALUATIONS: dump_parquet(evaluations)} if evaluations.num_rows else {}
    if study.stance.epochs:
        counts = _fine_tune(study, pairs, encoder, folder, model_id, evaluations, extra)
    else:
        counts = _fit_and_save(study, pairs, encoder, folder, evaluations, extra)
    shutil.rmtree(kept_windows(study), ignore_errors=True)
    return folder, encoder.name, counts


def _fit_and_save(
    study: Study, pairs: list[Pair], encoder: Encoder, folder: Path, evaluations: pa.Table, extra: dict[str, bytes]
) -> dict[str, Any]:
    from tqdm import tqdm

    started = time.monotonic()
    reader = study_reader(study, encoder)
    with tqdm(total=len(pairs), desc="read labelled posts", unit=" posts", disable=None, leave=False) as bar:
        reading = keep_reading(reader, pairs, kept=kept_windows(study), progress=bar.update)
    probe = fit_probe(reading.vectors, pairs, study.study.stances, seed=study.study.seed)
    seconds = round(time.monotonic() - started, 1)
    share = float(reading.n_tokens.sum() / max(1, reading.n_tokens_total.sum()))
    card = write_probe_card(study, pairs, evaluations, folder.name, reader, probe, share_read=share, seconds=seconds)
    save_probe(folder, reader, probe, card=card, extra_files=extra)
    return {
        "n_labels": len(pairs),
        "reader": reader.name or "none",
        "temperature": round(probe.temperature, 3),
        "seconds": seconds,
    }


def _fine_tune(
    study: Study,
    pairs: list[Pair],
    encoder: Encoder,
    folder: Path,
    model_id: str,
    evaluations: pa.Table,
    extra: dict[str, bytes],
) -> dict[str, Any]:
    checkpoints = study.models_dir / ".checkpoints" / model_id
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
    save_classifier(folder, model, card=write_card(study, pairs, evaluations, model, history), extra_files=extra)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return asdict(history)


def classify_stance(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any]:
    """Write the tables `predictions` and `evidence`: a stance for every pair of a post and a target, and why.

    A labelled pair gets the mean of its out-of-fold probabilities: the final model has seen its label, and counting what
    it remembers would flatter every share. Posts are read from disk and written back in parts, so memory does not grow with
    the corpus, and a run that was killed goes on with the next part.

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
    model = load_model(study.resolve(model_record.counts["path"]), models_dir=study.models_dir)
    unknown = set(model.stances) - set(study.study.stances)
    if unknown:
        raise ModelError(
            f"model {model.model_id} knows the labels {', '.join(model.stances)}, "
            f"the study uses {', '.join(study.study.stances)}",
            remedy="train a model for this study, or give study.stances the model's labels",
        )
    held_out = _held_out(corpus, model.encoder)
    given = bool(model_record.counts.get("given"))
    partial = corpus.folder / "predictions.partial" / hashlib.sha256(repr(record.fingerprint).encode()).hexdigest()[:12]
    n_posts = corpus.n_rows(TableName.POSTS)
    parts: dict[TableName, list[Path]] = {TableName.PREDICTIONS: [], TableName.EVIDENCE: []}
    with tqdm(total=n_posts * len(study.targets), desc="classify", unit=" posts", disable=None) as bar:
        for number, pairs in enumerate(stream_pairs(study, corpus, chunk=PART_POSTS)):
            files = {name: partial / f"{name}-{number:06d}.parquet" for name in parts}
            if not all(file.is_file() for file in files.values()):
                predictions, evidence = _classify_part(model, pairs, held_out, given=given, progress=bar.update)
                for name, rows in ((TableName.EVIDENCE, evidence), (TableName.PREDICTIONS, predictions)):
                    table = pa.Table.from_pylist(rows, schema=table_specs()[name].schema)
                    write_file(files[name], dump_parquet(table))
            else:
                bar.update(len(pairs))
            for name, file in files.items():
                parts[name].append(file)
    origins = _count_origins(parts[TableName.PREDICTIONS])
    counts = {"model_id": model.model_id, "pairs": sum(origins.values()), **origins}
    corpus.write(TableName.EVIDENCE, _stream_parts(parts[TableName.EVIDENCE]), replace(record, counts={}))
    corpus.write(TableName.PREDICTIONS, _stream_parts(parts[TableName.PREDICTIONS]), replace(record, counts=counts))
    shutil.rmtree(partial.parent, ignore_errors=True)
    return counts


def _classify_part(
    model: StanceModel,
    pairs: list[Pair],
    held_out: dict[tuple[str, str], dict[str, float]],
    *,
    given: bool,
    progress: Callable[[int], Any],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return rows of `predictions` and of `evidence` for some pairs."""
    explained = explain_pairs(model.reader, model.probe, pairs, progress=progress)
    reading = explained.reading
    predictions, evidence = [], []
    for i, pair in enumerate(pairs):
        probas = held_out.get((pair.post_id, pair.target))
        origin = Origin.OUT_OF_FOLD
        if probas is None:
            origin = Origin.IN_SAMPLE if pair.stance is not None and not given else Origin.FINAL
            probas = dict(zip(map(str, model.stances), map(float, explained.probas[i]), strict=True))
        key = {"post_id": pair.post_id, "target": pair.target}
        predictions.append(
            {
                **key,
                "stance": max(probas, key=lambda name: probas[name]),
                **{f"proba_{name}": proba for name, proba in probas.items()},
                "model_id": model.model_id,
                "origin": str(origin),
                "n_windows": int(reading.n_inputs[i]),
                "n_tokens": int(reading.n_tokens[i]),
                "n_tokens_total": int(reading.n_tokens_total[i]),
            }
        )
        for rank, found in enumerate(top_evidence(explained.sentences[i])):
            sentence = pair.text[found.start : found.end]
            evidence.append({**key, "rank": rank, "sentence": sentence, "weight": found.weight})
    return predictions, evidence


def _stream_parts(files: list[Path]) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    for file in files:
        yield from pq.ParquetFile(file).iter_batches()


def _count_origins(files: list[Path]) -> dict[str, int]:
    import pyarrow.parquet as pq

    found: Counter[str] = Counter()
    for file in files:
        found.update(pq.read_table(file, columns=["origin"])["origin"].to_pylist())
    return {str(origin): found[origin] for origin in Origin}


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
