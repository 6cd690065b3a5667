"""`train_standalone(...)`: train a model beside the study's own, leaving its tables as they are."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from nlp_study.encoders import load_encoder
from nlp_study.schema import TableName, table_specs
from nlp_study.stance.classify import train_model
from nlp_study.stance.evaluate import cross_validate, kept_windows
from nlp_study.stance.pairs import Pair, read_pairs
from nlp_study.stance.processes import is_main, share, wait_for_all
from nlp_study.stance.train import fit_classifier, prepare_pairs

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.store import Corpus


def train_standalone(study: Study, corpus: Corpus, *, evaluate: bool, name: str = "") -> tuple[Path, pa.Table]:
    """Measure and train a model on the study's labels; return its folder and its held-out predictions.

    The study goes on classifying with the model its file describes until `stance.model` names this one. An interrupted
    run goes on with the next fold or from the last checkpoint. Several processes (see `processes.py`) train every fold
    together; the main one writes.

    Parameters
    ----------
    study : with the settings to use, see `apply_profile`.
    evaluate : measure on author-disjoint folds first; otherwise the table is empty.
    name : folder name under `paths.models`; by default the study's name, the encoder and a digest of the inputs.

    Raises
    ------
    DataError : no labels, one class only, or fewer authors than folds.
    ModelError : the encoder cannot be loaded, or the model cannot be saved.
    """
    pairs = read_pairs(study, corpus, labelled=True)
    load_encoder(study.stance_encoder, models_dir=study.models_dir)  # an unreachable hub shows now, not after an hour
    model_id = name or f"{study.study.name}-{short_name(study.stance_encoder)}-{digest_training(study, pairs)}"
    evaluations = table_specs()[TableName.EVALUATIONS].schema.empty_table()
    partial = study.models_dir / ".checkpoints" / f"{model_id}.folds"
    if evaluate:
        with _own_folds(partial) as folds:
            evaluations = cross_validate(study, pairs, partial=folds, kept=kept_windows(study))
    if is_main():
        folder, _, _ = train_model(study, corpus, model_id=model_id, evaluations=evaluations)
        shutil.rmtree(partial, ignore_errors=True)
    else:
        folder = study.models_dir / model_id
        _train_along(study, pairs, checkpoints=study.models_dir / ".checkpoints" / model_id)
    return share(folder), evaluations


def digest_training(study: Study, pairs: Sequence[Pair]) -> str:
    """Return a short digest of the settings under [stance] and of the labels."""
    inputs = [study.digest("stance"), *(f"{p.post_id}{p.target}{p.stance}" for p in pairs)]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:8]


def short_name(encoder: str) -> str:
    """Return an encoder's name as a part of file names."""
    return re.sub(r"[^a-z0-9]+", "-", Path(encoder).name.lower()).strip("-")


def _train_along(study: Study, pairs: Sequence[Pair], *, checkpoints: Path) -> None:
    """Take part in the training that `train_model` does in the main process: the same calls, and nothing is saved."""
    encoder = load_encoder(study.stance_encoder, models_dir=study.models_dir, for_training=study.stance.epochs > 0)
    fit_classifier(
        pairs,
        settings=study.stance,
        stances=study.study.stances,
        encoder=encoder,
        seed=study.study.seed,
        prepared=prepare_pairs(encoder, pairs, study.stance, kept=kept_windows(study)),
        checkpoints=checkpoints,
    )


@contextmanager
def _own_folds(partial: Path) -> Iterator[Path]:
    """Yield the folder of finished folds; all but the main process get a copy, for each process writes there."""
    wait_for_all()
    if is_main():
        wait_for_all()
        yield partial
        return
    with TemporaryDirectory(prefix="nlp-study-") as scratch:
        folds = Path(scratch) / "folds"
        if partial.is_dir():
            shutil.copytree(partial, folds, ignore=shutil.ignore_patterns(".*"))
        wait_for_all()
        yield folds
