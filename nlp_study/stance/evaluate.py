"""`evaluate_stance(...)`: held-out predictions of the fine-tuned encoder and its baselines, authors never shared."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.encoders import Encoder, load_encoder
from nlp_study.schema import MODEL_EVALUATIONS, TableName, table_specs
from nlp_study.stance.baselines import (
    count_characters,
    predict_characters,
    predict_embedding,
    predict_majority,
    predict_tfidf,
)
from nlp_study.stance.pairs import Fold, Pair, read_pairs
from nlp_study.stance.probe import Forecast, fit_probe
from nlp_study.stance.protocols import Protocol
from nlp_study.stance.reader import StanceReader, keep_reading, load_reader
from nlp_study.stance.splits import split_pairs, thin_training
from nlp_study.stance.train import fit_classifier, predict_prepared, prepare_pairs
from nlp_study.store import dump_parquet, write_file

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.store import Corpus, RunRecord

logger = logging.getLogger(__name__)

Contest = Callable[[Fold, int], dict[str, Forecast]]
"""Fits every model on a fold's training pairs with a seed; returns what each says of its test pairs."""

PROBE_MODEL = "probe"
NO_TARGET = "no target"


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


def evaluate_protocol(
    study: Study, corpus: Corpus, protocol: Protocol, *, share: float = 1.0, force: bool = False
) -> pa.Table:
    """Return held-out predictions under another protocol or with fewer labels, kept beside the tables for the next call.

    Parameters
    ----------
    share : share of the training labels that is used, in (0, 1].

    Raises
    ------
    DataError : too few labels, targets or dated posts.
    ModelError : the encoder cannot be loaded.
    """
    pairs = read_pairs(study, corpus, labelled=True)
    inputs = [study.digest("stance"), *(f"{p.post_id}{p.target}{p.stance}{p.group}" for p in pairs)]
    digest = hashlib.sha256("".join(inputs).encode()).hexdigest()[:12]
    name = f"{protocol}-{digest}" if share == 1 else f"{protocol}-{share:g}-{digest}"
    file = corpus.folder / "protocols" / f"{name}.parquet"
    if file.is_file() and not force:
        return _read_fold(file)
    partial = corpus.folder / "protocols" / f".{name}"
    table = cross_validate(study, pairs, partial=partial, kept=kept_windows(study), protocol=protocol, share=share)
    _write_fold(file, table)
    shutil.rmtree(partial, ignore_errors=True)
    return table


def cross_validate(
    study: Study,
    pairs: Sequence[Pair],
    *,
    partial: Path,
    kept: Path,
    protocol: Protocol = Protocol.AUTHOR,
    share: float = 1.0,
) -> pa.Table:
    """Return held-out predictions of the study's model and of the baselines.

    Parameters
    ----------
    pairs : labelled pairs, shape (n_pairs,).
    partial : folder where each finished fold is kept at once; an evaluation that was killed goes on with the next fold.
    kept : folder where what the frozen encoder made of the pairs is kept; the training that follows reads it.
    protocol : how pairs are split; all but `author` are the same for every seed, so one seed is run.
    share : share of the training labels that is used, in (0, 1]; whole authors are left out.

    Returns
    -------
    rows as in the table `evaluations`, shape (n_models * n_seeds * n_predicted,).
    """
    import pyarrow as pa
    from tqdm import tqdm

    seeds = study.stance.seeds if protocol is Protocol.AUTHOR else study.stance.seeds[:1]
    splits = [
        (seed, number, fold)
        for seed in seeds
        for number, fold in enumerate(split_pairs(pairs, protocol, n_folds=study.stance.folds, seed=seed))
    ]
    contest: Contest | None = None
    tables = []
    for seed, number, fold in tqdm(splits, desc=f"evaluate {protocol}", unit=" folds", disable=None):
        done = partial / f"{protocol}-{seed}-{number}.parquet"
        if not done.exists():
            if contest is None:
                contest = (
                    _tuned_contest(study, pairs, kept) if study.stance.epochs else _probe_contest(study, pairs, kept)
                )
            thinned = thin_training(fold, pairs, share=share, seed=seed)
            found = contest(thinned, seed)
            _write_fold(done, _fold_rows(study, pairs, fold, found, seed=seed, number=number))
        tables.append(_read_fold(done))
    return pa.concat_tables(tables)


def kept_windows(study: Study) -> Path:
    """Folder where what the frozen encoder made of the labelled pairs is kept from evaluation to the end of training."""
    return study.models_dir / ".frozen"


def study_reader(study: Study, encoder: Encoder, *, name: str | None = None) -> StanceReader:
    """Return the reader of the study's settings; `name` overrides which upper layers it has."""
    return load_reader(
        encoder,
        name=study.stance.reader if name is None else name,
        models_dir=study.models_dir,
        window_tokens=study.stance.window_tokens,
        window_overlap=study.stance.window_overlap,
    )


def _fresh_encoder(study: Study) -> Encoder:
    return load_encoder(study.stance_encoder, models_dir=study.models_dir, for_training=study.stance.epochs > 0)


def _probe_contest(study: Study, pairs: Sequence[Pair], kept: Path) -> Contest:
    """The encoder stays as it is: it reads all pairs once, and every fold fits linear layers only."""
    from tqdm import tqdm

    encoder = _fresh_encoder(study)
    stances = study.study.stances
    readers = {PROBE_MODEL: study_reader(study, encoder)}
    if readers[PROBE_MODEL].name:
        readers["embedding"] = study_reader(study, encoder, name="")
    asked = {name: list(pairs) for name in readers}
    if len({pair.target for pair in pairs}) > 1:
        readers[NO_TARGET], asked[NO_TARGET] = (
            readers[PROBE_MODEL],
            [replace(pair, target_text="") for pair in pairs],
        )
    characters = count_characters(pairs)
    vectors = {}
    for name, reader in readers.items():
        with tqdm(
            total=len(pairs), desc=f"read labelled posts: {name}", unit=" posts", disable=None, leave=False
        ) as bar:
            vectors[name] = keep_reading(reader, asked[name], kept=kept, progress=bar.update).vectors

    def contest(fold: Fold, seed: int) -> dict[str, Forecast]:
        train, test = [pairs[i] for i in fold.train], [pairs[i] for i in fold.test]
        found = _predict_baselines(train, test, stances)
        found["characters"] = Forecast.of_probas(predict_characters(characters, fold, train, stances))
        for name, vector in vectors.items():
            with_words = study.stance.words and name in (PROBE_MODEL, NO_TARGET)
            probe = fit_probe(vector[fold.train], train, stances, seed=seed, with_words=with_words)
            found[name] = probe.predict(vector[fold.test], test)
            by_words = probe.predict_by_words(test) if name == PROBE_MODEL else None
            if by_words:
                found["words"] = by_words
        found[study.stance_encoder] = found.pop(PROBE_MODEL)
        return found

    return contest


def _predict_baselines(train: Sequence[Pair], test: Sequence[Pair], stances: Sequence[str]) -> dict[str, Forecast]:
    majority, tfidf = predict_majority(train, test, stances), predict_tfidf(train, test, stances)
    return {"majority": Forecast.of_probas(majority), "tfidf": Forecast.of_probas(tfidf)}


def _tuned_contest(study: Study, pairs: Sequence[Pair], kept: Path) -> Contest:
    """The encoder is tuned in every fold, beside the baselines and its own vectors before tuning."""
    encoder = _fresh_encoder(study)
    prepared = prepare_pairs(encoder, pairs, study.stance, kept=kept)
    stances = study.study.stances

    def contest(fold: Fold, seed: int) -> dict[str, Forecast]:
        train, test = [pairs[i] for i in fold.train], [pairs[i] for i in fold.test]
        seen, unseen = prepared.pick(fold.train), prepared.pick(fold.test)
        model, history = fit_classifier(
            train,
            settings=study.stance,
            stances=stances,
            encoder=_fresh_encoder(study),  # tuning changes it
            seed=seed,
            prepared=seen,
            show_progress=False,
        )
        logger.info("seed %s, %s labels: %s", seed, len(train), history)
        return {
            **_predict_baselines(train, test, stances),
            "embedding": Forecast.of_probas(predict_embedding(seen.features, train, unseen.features, stances)),
            study.stance_encoder: Forecast.of_probas(predict_prepared(model, unseen, study.stance)),
        }

    return contest


def _fold_rows(
    study: Study, pairs: Sequence[Pair], fold: Fold, found: dict[str, Forecast], *, seed: int, number: int
) -> pa.Table:
    import pyarrow as pa

    stances = study.study.stances
    rows = []
    for name, forecast in found.items():
        for i, row, column in zip(fold.test, forecast.probas, forecast.decided, strict=True):
            values = {f"proba_{stance}": float(p) for stance, p in zip(stances, row, strict=True)}
            rows.append(
                {
                    "model": name,
                    "seed": seed,
                    "fold": number,
                    "post_id": pairs[i].post_id,
                    "target": pairs[i].target,
                    "group": pairs[i].group,
                    "gold": str(pairs[i].stance),
                    "predicted": str(stances[column]),
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
