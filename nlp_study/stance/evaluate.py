"""`evaluate_stance(...)`: held-out predictions of the fine-tuned encoder and its baselines, authors never shared."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_study.encoders import Encoder, load_encoder
from nlp_study.schema import MODEL_EVALUATIONS, TableName, table_specs
from nlp_study.stance.baselines import predict_embedding, predict_majority, predict_tfidf
from nlp_study.stance.layers import Prepared
from nlp_study.stance.pairs import Fold, Pair, read_pairs, split_folds
from nlp_study.stance.train import fit_classifier, predict_prepared, prepare_pairs
from nlp_study.store import dump_parquet, write_file

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.store import Corpus, RunRecord

logger = logging.getLogger(__name__)


def evaluate_stance(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any]:
    """Write the table `evaluations`: each labelled pair predicted by models that never saw its author or its text.

    With `stance.model`, the held-out predictions that the model's folder brings are taken over.

    Raises
    ------
    DataError : no labels, one class only, or fewer authors than folds.
    ModelError : the encoder cannot be loaded.
    """
    if study.stance.model:
        table = _read_fold(study.resolve(study.stance.model) / MODEL_EVALUATIONS)
        counts: dict[str, Any] = {"pairs": len(set(table["post_id"].to_pylist())), "given": True}
        corpus.write(TableName.EVALUATIONS, table, replace(record, counts=counts))
        return counts
    pairs = read_pairs(study, corpus, labelled=True)
    partial = corpus.folder / "evaluations.partial"
    table = cross_validate(study, pairs, partial=partial / _digest(record), kept=kept_windows(study))
    counts = {"pairs": len(pairs), "authors": len({pair.group for pair in pairs}), "folds": study.stance.folds}
    counts["seeds"] = list(study.stance.seeds)
    corpus.write(TableName.EVALUATIONS, table, replace(record, counts=counts))
    shutil.rmtree(partial, ignore_errors=True)
    return counts


def cross_validate(study: Study, pairs: Sequence[Pair], *, partial: Path, kept: Path) -> pa.Table:
    """Return held-out predictions of the study's encoder, fine-tuned, and of the baselines.

    Parameters
    ----------
    pairs : labelled pairs, shape (n_pairs,).
    partial : folder where each finished fold is kept at once; an evaluation that was killed goes on with the next fold.
    kept : folder where what the frozen encoder made of the pairs is kept; the training that follows reads it.

    Returns
    -------
    rows as in the table `evaluations`, shape (n_models * n_seeds * n_pairs,).
    """
    import pyarrow as pa
    from tqdm import tqdm

    splits = [
        (seed, number, fold)
        for seed in study.stance.seeds
        for number, fold in enumerate(split_folds(pairs, n_folds=study.stance.folds, seed=seed))
    ]
    reading: tuple[Encoder, Prepared] | None = None
    tables = []
    for seed, number, fold in tqdm(splits, desc="evaluate", unit=" folds", disable=None):
        done = partial / f"{seed}-{number}.parquet"
        if not done.exists():
            if reading is None:
                encoder = _fresh_encoder(study)
                reading = encoder, prepare_pairs(encoder, pairs, study.stance, kept=kept)
            _write_fold(done, _evaluate_fold(study, pairs, fold, *reading, seed=seed, number=number))
        tables.append(_read_fold(done))
    return pa.concat_tables(tables)


def kept_windows(study: Study) -> Path:
    """Folder where what the frozen encoder made of the labelled pairs is kept from evaluation to the end of training."""
    return study.models_dir / ".frozen"


def _fresh_encoder(study: Study) -> Encoder:
    return load_encoder(study.stance_encoder, models_dir=study.models_dir, for_training=study.stance.epochs > 0)


def _evaluate_fold(
    study: Study,
    pairs: Sequence[Pair],
    fold: Fold,
    encoder: Encoder,
    prepared: Prepared,
    *,
    seed: int,
    number: int,
) -> pa.Table:
    stances = study.study.stances
    train, test = [pairs[i] for i in fold.train], [pairs[i] for i in fold.test]
    seen, unseen = prepared.pick(fold.train), prepared.pick(fold.test)
    model, history = fit_classifier(
        train,
        settings=study.stance,
        stances=stances,
        encoder=_fresh_encoder(study) if study.stance.epochs else encoder,  # tuning changes it
        seed=seed,
        prepared=seen,
        show_progress=False,
    )
    logger.info("seed %s fold %s: %s", seed, number, history)
    found = {
        "majority": predict_majority(train, test, stances),
        "tfidf": predict_tfidf(train, test, stances),
        "embedding": predict_embedding(seen.features, train, unseen.features, stances),
        study.stance_encoder: predict_prepared(model, unseen, study.stance),
    }
    if not study.stance.epochs:
        del found["embedding"]  # it is the study's own model then
    import pyarrow as pa

    rows = []
    for name, probas in found.items():
        for pair, row in zip(test, probas, strict=True):
            values = {f"proba_{stance}": float(p) for stance, p in zip(stances, row, strict=True)}
            rows.append(
                {
                    "model": name,
                    "seed": seed,
                    "fold": number,
                    "post_id": pair.post_id,
                    "target": pair.target,
                    "gold": str(pair.stance),
                    "predicted": str(stances[int(np.argmax(row))]),
                    **values,
                }
            )
    return pa.Table.from_pylist(rows, schema=table_specs()[TableName.EVALUATIONS].schema)


def _digest(record: RunRecord) -> str:
    return hashlib.sha256(json.dumps(record.fingerprint, sort_keys=True).encode()).hexdigest()[:12]


def _write_fold(path: Path, table: pa.Table) -> None:
    write_file(path, dump_parquet(table))


def _read_fold(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(path, schema=table_specs()[TableName.EVALUATIONS].schema)
