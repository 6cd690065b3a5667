"""`train_standalone(...)`: train a model beside the study's own, leaving its tables as they are."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_study.encoders import load_encoder
from nlp_study.schema import TableName, table_specs
from nlp_study.stance.classify import train_model
from nlp_study.stance.evaluate import cross_validate, kept_windows
from nlp_study.stance.pairs import read_pairs

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.store import Corpus


def train_standalone(study: Study, corpus: Corpus, *, evaluate: bool, name: str = "") -> tuple[Path, pa.Table]:
    """Measure and train a model on the study's labels; return its folder and its held-out predictions.

    The study goes on classifying with the model its file describes until `stance.model` names this one. An interrupted
    run goes on with the next fold or from the last checkpoint.

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
    inputs = [study.digest("stance"), *(f"{p.post_id}{p.target}{p.stance}" for p in pairs)]
    digest = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:8]
    encoder = re.sub(r"[^a-z0-9]+", "-", Path(study.stance_encoder).name.lower()).strip("-")
    model_id = name or f"{study.study.name}-{encoder}-{digest}"
    evaluations = table_specs()[TableName.EVALUATIONS].schema.empty_table()
    partial = study.models_dir / ".checkpoints" / f"{model_id}.folds"
    if evaluate:
        evaluations = cross_validate(study, pairs, partial=partial, kept=kept_windows(study))
    folder, _, _ = train_model(study, corpus, model_id=model_id, evaluations=evaluations)
    shutil.rmtree(partial, ignore_errors=True)
    return folder, evaluations
