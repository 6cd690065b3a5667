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
from nlp_study.stance.decisions import settle_decisions
from nlp_study.stance.drift import TRAINING_FILE, Measured, check_drift, describe_training, load_facts, measure_pairs
from nlp_study.stance.evaluate import kept_windows, study_reader
from nlp_study.stance.explain import explain_pairs, top_evidence
from nlp_study.stance.model import save_classifier
from nlp_study.stance.pairs import read_pairs, stream_pairs
from nlp_study.stance.predict import pool_windows, read_windows
from nlp_study.stance.probe import fit_probe
from nlp_study.stance.reader import keep_reading
from nlp_study.stance.saved import load_model, save_probe
from nlp_study.stance.train import fit_classifier, prepare_pairs
from nlp_study.store import digest_path, dump_parquet, write_file

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.encoders import Encoder
    from nlp_study.stance.decisions import HeldOut
    from nlp_study.stance.drift import TrainingFacts
    from nlp_study.stance.pairs import Pair
    from nlp_study.stance.saved import StanceModel
    from nlp_study.stance.shifts import Drift
    from nlp_study.store import Corpus, RunRecord

logger = logging.getLogger(__name__)

PART_POSTS = 256
"""Posts classified and written at a time."""

MEASURED = "measured"
"""Part files with what `check_drift` compares; not kept."""

ABSTAIN_SETTING = "settings [stance.abstain_below]"
"""Entry of the fingerprint of `predictions` that can change without a post being read again."""

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
    probe = fit_probe(reading.vectors, pairs, study.study.stances, seed=study.study.seed, with_words=study.stance.words)
    seconds = round(time.monotonic() - started, 1)
    share = float(reading.n_tokens.sum() / max(1, reading.n_tokens_total.sum()))
    card = write_probe_card(study, pairs, evaluations, folder.name, reader, probe, share_read=share, seconds=seconds)
    extra |= {TRAINING_FILE: describe_training(pairs, reading.vectors, evaluations, model=study.stance_encoder)}
    save_probe(folder, reader, probe, card=card, extra_files=extra)
    return {
        "n_labels": len(pairs),
        "reader": reader.name or "none",
        "n_terms": len(probe.bag.terms) if probe.bag else 0,
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
    windows = read_windows(model.config, pairs, model.tokenizer)
    vectors = pool_windows(model.classifier, windows, model.tokenizer.pad_token_id)
    extra |= {TRAINING_FILE: describe_training(pairs, vectors, evaluations, model=study.stance_encoder)}
    save_classifier(folder, model, card=write_card(study, pairs, evaluations, model, history), extra_files=extra)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return asdict(history)


def classify_stance(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any]:
    """Write the tables `predictions` and `evidence`: a stance for every pair of a post and a target, and why.

    A labelled pair gets the mean of its out-of-fold probabilities: the final model has seen its label, and counting what
    it remembers would flatter every share. Posts are read from disk and written back in parts, so memory does not grow with
    the corpus, and a run that was killed goes on with the next part. Where only `stance.abstain_below` has changed, nothing
    is read again. Posts that the model has not seen are compared with those it learnt from (`drift.py`).

    Raises
    ------
    DataError : there are no posts.
    ModelError : there is no trained model, or it does not fit the study.
    """
    from tqdm import tqdm

    marked = _mark_again(study, corpus, record)
    if marked is not None:
        return marked
    model_record = corpus.record(MODEL_RECORD)
    if model_record is None:
        raise ModelError("there is no trained model", remedy="run `nlp-study train`, or set stance.model")
    folder = study.resolve(model_record.counts["path"])
    model = load_model(folder, models_dir=study.models_dir)
    unknown = set(model.stances) - set(study.study.stances)
    if unknown:
        raise ModelError(
            f"model {model.model_id} knows the labels {', '.join(model.stances)}, "
            f"the study uses {', '.join(study.study.stances)}",
            remedy="train a model for this study, or give study.stances the model's labels",
        )
    facts = load_facts(folder)
    held_out = settle_decisions(corpus.read(TableName.EVALUATIONS), model.encoder)
    given = bool(model_record.counts.get("given"))
    partial = corpus.folder / "predictions.partial" / hashlib.sha256(repr(record.fingerprint).encode()).hexdigest()[:12]
    n_posts = corpus.n_rows(TableName.POSTS)
    parts: dict[str, list[Path]] = {TableName.PREDICTIONS: [], TableName.EVIDENCE: [], MEASURED: []}
    with tqdm(total=n_posts * len(study.targets), desc="classify", unit=" posts", disable=None) as bar:
        for number, pairs in enumerate(stream_pairs(study, corpus, chunk=PART_POSTS)):
            files = {name: partial / f"{name}-{number:06d}.parquet" for name in parts}
            if not all(file.is_file() for file in files.values()):
                part = _classify_part(model, pairs, held_out, facts, given=given, progress=bar.update)
                for name, table in part.items():
                    write_file(files[name], dump_parquet(table))
            else:
                bar.update(len(pairs))
            for name, file in files.items():
                parts[name].append(file)
    origins = _count_origins(parts[TableName.PREDICTIONS])
    counts = {"model_id": model.model_id, "pairs": sum(origins.values()), **origins}
    counts |= _drift_counts(corpus, facts, parts)
    corpus.write(TableName.EVIDENCE, _stream_parts(parts[TableName.EVIDENCE]), replace(record, counts={}))
    threshold = study.stance.abstain_below
    counts |= {
        "abstain_below": threshold,
        "abstained": _count_below(_stream_parts(parts[TableName.PREDICTIONS]), threshold),
    }
    rows = _mark_abstained(_stream_parts(parts[TableName.PREDICTIONS]), threshold)
    corpus.write(TableName.PREDICTIONS, rows, replace(record, counts=counts))
    shutil.rmtree(partial.parent, ignore_errors=True)
    return counts


def _classify_part(
    model: StanceModel,
    pairs: list[Pair],
    held_out: dict[tuple[str, str], HeldOut],
    facts: TrainingFacts | None,
    *,
    given: bool,
    progress: Callable[[int], Any],
) -> dict[str, pa.Table]:
    """Return rows of `predictions` and of `evidence` for some pairs, and what `check_drift` compares of them."""
    import pyarrow as pa

    names = [str(stance) for stance in model.stances]
    held = [held_out.get((pair.post_id, pair.target)) for pair in pairs]
    labels = [names.index(found.stance) if found and found.stance in names else None for found in held]
    explained = explain_pairs(model.reader, model.probe, pairs, decided=labels, progress=progress)
    reading = explained.reading
    predictions, evidence = [], []
    for i, pair in enumerate(pairs):
        found = held[i]
        if found is None:
            origin = Origin.IN_SAMPLE if pair.stance is not None and not given else Origin.FINAL
            stance = names[explained.forecast.decided[i]]
            probas = dict(zip(names, map(float, explained.forecast.probas[i]), strict=True))
        else:
            origin, stance, probas = Origin.OUT_OF_FOLD, found.stance, found.probas
        key = {"post_id": pair.post_id, "target": pair.target}
        predictions.append(
            {
                **key,
                "stance": stance,
                **{f"proba_{name}": proba for name, proba in probas.items()},
                "model_id": model.model_id,
                "origin": str(origin),
                "n_windows": int(reading.n_inputs[i]),
                "n_tokens": int(reading.n_tokens[i]),
                "n_tokens_total": int(reading.n_tokens_total[i]),
            }
        )
        for rank, moved in enumerate(top_evidence(explained.sentences[i])):
            sentence = pair.text[moved.start : moved.end]
            evidence.append({**key, "rank": rank, "sentence": sentence, "weight": moved.weight})
    specs = table_specs()
    return {
        TableName.PREDICTIONS: pa.Table.from_pylist(predictions, schema=specs[TableName.PREDICTIONS].schema),
        TableName.EVIDENCE: pa.Table.from_pylist(evidence, schema=specs[TableName.EVIDENCE].schema),
        MEASURED: _measured_rows(facts, pairs, reading.vectors),
    }


def _measured_rows(facts: TrainingFacts | None, pairs: list[Pair], vectors: np.ndarray) -> pa.Table:
    import pyarrow as pa

    if facts is None:
        return pa.table({"n_words": pa.array([], pa.int64())})
    found = measure_pairs(facts, pairs, vectors)
    return pa.table({"n_words": found.n_words, "n_unknown": found.n_unknown, "places": list(found.places)})


def _drift_counts(corpus: Corpus, facts: TrainingFacts | None, parts: dict[str, list[Path]]) -> dict[str, Any]:
    """Compare the pairs that the model has not seen with those it learnt from, for the record of the run."""
    if facts is None:
        return {"drift": None}
    return {"drift": _compare_unseen(corpus, facts, parts).as_counts()}


def _compare_unseen(corpus: Corpus, facts: TrainingFacts, parts: dict[str, list[Path]]) -> Drift:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = ["post_id", "target", "stance", "origin"]
    rows = pa.concat_tables(pq.read_table(file, columns=columns) for file in parts[TableName.PREDICTIONS])
    measured = pa.concat_tables(pq.read_table(file) for file in parts[MEASURED])
    unseen = np.array([origin == Origin.FINAL for origin in rows["origin"].to_pylist()], bool)
    posts = corpus.read(TableName.POSTS, columns=["post_id", "author_id", "author"]).to_pylist()
    named = {row["post_id"]: (row["author_id"] or row["author"] or row["post_id"]).casefold() for row in posts}
    kept = rows.filter(pa.array(unseen)).to_pylist()
    predicted: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in kept:
        predicted[row["target"]].append((named[row["post_id"]], row["stance"]))
    places = measured["places"].combine_chunks().flatten().to_numpy().reshape(len(rows), -1)
    n_words, n_unknown = (measured[name].to_numpy()[unseen] for name in ("n_words", "n_unknown"))
    return check_drift(
        facts,
        Measured(n_words, n_unknown, places[unseen]),
        [named[row["post_id"]] for row in kept],
        predicted,
        n_posts=len({row["post_id"] for row in kept}),
    )


def _mark_again(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any] | None:
    """Mark predictions by another `stance.abstain_below`, where nothing else has changed; None where it has."""
    before, evidence = corpus.record(TableName.PREDICTIONS), corpus.record(TableName.EVIDENCE)
    if before is None or evidence is None or before.fingerprint == record.fingerprint:
        return None
    former, now = ({**found.fingerprint, ABSTAIN_SETTING: ""} for found in (before, record))
    files = corpus.files(TableName.PREDICTIONS)
    if former != now or not all(file.is_file() for file in files + corpus.files(TableName.EVIDENCE)):
        return None
    threshold = study.stance.abstain_below
    counts = {**before.counts, "abstain_below": threshold, "abstained": _count_below(_stream_parts(files), threshold)}
    corpus.write(
        TableName.PREDICTIONS, _mark_abstained(_stream_parts(files), threshold), replace(record, counts=counts)
    )
    corpus.write_record(TableName.EVIDENCE, replace(evidence, fingerprint=record.fingerprint))
    return counts


def _mark_abstained(batches: Iterator[pa.RecordBatch], threshold: float) -> Iterator[pa.RecordBatch]:
    """Set the column `abstained`: the decided label is less probable than `threshold`."""
    import pyarrow as pa

    schema = table_specs()[TableName.PREDICTIONS].schema
    at = schema.get_field_index("abstained")
    for batch in batches:
        columns = batch.cast(schema).columns
        columns[at] = pa.array(_confidence(batch) < threshold)
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _count_below(batches: Iterator[pa.RecordBatch], threshold: float) -> int:
    return sum(int((_confidence(batch) < threshold).sum()) for batch in batches)


def _confidence(batch: pa.RecordBatch) -> np.ndarray:
    """The probability of the decided label, shape (n_rows,)."""
    decided = np.array(batch["stance"].to_pylist())
    confidence = np.zeros(batch.num_rows)
    for stance in set(decided):
        probas = batch[f"proba_{stance}"].to_numpy(zero_copy_only=False)
        confidence[decided == stance] = probas[decided == stance]
    return confidence


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
