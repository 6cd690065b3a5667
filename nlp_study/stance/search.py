"""`search_settings(...)`: look for settings under [stance] that classify held-out authors best (Akiba et al. 2019, optuna).

The search lives in `models/.search/NAME.db`, so that it goes on where it was killed; the best settings are written beside it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.encoders import load_encoder
from nlp_study.errors import ConfigError, DataError, ModelError
from nlp_study.metrics import macro_f1
from nlp_study.stance.pairs import Fold, Pair, read_pairs, split_folds
from nlp_study.stance.profiles import change_stance
from nlp_study.stance.standalone import digest_training, short_name
from nlp_study.stance.train import fit_classifier, predict_prepared, prepare_pairs
from nlp_study.stance.tuning import GpuMemoryError
from nlp_study.store import write_file

if TYPE_CHECKING:
    import pyarrow as pa
    from optuna import Study as Search
    from optuna import Trial
    from optuna.trial import FrozenTrial

    from nlp_study.config import StanceSettings, Study
    from nlp_study.store import Corpus

logger = logging.getLogger(__name__)

SPLIT_SEED = 9001
"""Added to the study's seed for the folds of the search: those of the evaluation are others, so that its figures are not
the ones that the settings were chosen by."""

_LEARNING_RATES = (3e-6, 1e-4)
_LAYER_DECAYS = (0.7, 1.0)
_MAX_EPOCHS = 12
_BATCH_SIZES = (8, 16, 32)
_WINDOW_TOKENS = (128, 256, 512)
_TRAIN_WINDOWS = (1, 2, 4, 8)
_TRIALS_BEFORE_PRUNING = 4
_EPOCHS_BEFORE_PRUNING = 1
_SHOWN_TRIALS = 10
_STEPS_A_FOLD = 1000
"""Epochs of the second fold are compared with those of the second fold only."""

_EPOCHS_AT_START = 3
"""Epochs of the first trial where the study's encoder stays as it is: a search is always for a fine-tuning."""


@dataclass(frozen=True)
class TrialOutcome:
    """One trial: `macro_f1` on held-out authors, None unless `state` is `complete`; `settings` are those that were tried."""

    number: int
    state: str
    macro_f1: float | None
    settings: dict[str, Any]
    seconds: float | None


@dataclass(frozen=True)
class SearchOutcome:
    """A search as it stands: all its trials, best first, and the file with the best settings."""

    name: str
    best: TrialOutcome
    trials: list[TrialOutcome]
    settings_file: Path


def search_settings(
    study: Study,
    corpus: Corpus,
    *,
    n_trials: int,
    timeout_s: float | None = None,
    n_folds: int = 1,
    name: str = "",
) -> SearchOutcome:
    """Try settings until there are `n_trials` trials, and write the best ones as a section to paste.

    The first trial takes the study's own settings, so that whatever wins has beaten them. A trial ends early when its loss
    on stopping authors is worse than the median of earlier ones at the same epoch. One run at a time: hold the corpus.

    Parameters
    ----------
    n_trials : trials in all; finished and pruned ones of earlier runs count.
    timeout_s : no trial starts after so many seconds.
    n_folds : author-disjoint folds, of `stance.folds`, that a trial is measured on; more are slower and less noisy.
    name : name of the search; by default the study's name, the encoder and a digest of labels and settings.

    Raises
    ------
    ModelError : optuna is not installed, or the encoder cannot be loaded.
    ConfigError : the search of that name was for other labels or settings, or `n_folds` is above `stance.folds`.
    DataError : no labels, fewer authors than folds, a damaged search, or no trial came to an end.
    """
    _require_optuna()
    if n_folds > study.stance.folds:
        raise ConfigError(f"{n_folds} folds of {study.stance.folds}", remedy="raise stance.folds, or lower --folds")
    pairs = read_pairs(study, corpus, labelled=True)
    encoder = load_encoder(study.stance_encoder, models_dir=study.models_dir)
    inputs = f"{digest_training(study, pairs)}-{n_folds}"
    name = name or f"{study.study.name}-{short_name(study.stance_encoder)}-{inputs}"
    file = study.models_dir / ".search" / f"{name}.db"
    search = _open_search(file, name, inputs=inputs, seed=study.study.seed)
    space = _Space(study.stance, int(encoder.model.config.num_hidden_layers), encoder.max_length_tokens)
    if not search.trials:
        search.enqueue_trial(space.start())
    folds = split_folds(pairs, n_folds=study.stance.folds, seed=study.study.seed + SPLIT_SEED)[:n_folds]

    def measure(trial: Trial) -> float:
        changes = space.suggest(trial)
        trial.set_user_attr("settings", changes)
        return _measure(trial, change_stance(study, changes), pairs, folds)

    _run_trials(search, measure, n_trials=n_trials, timeout_s=timeout_s)
    trials = sorted(map(_outcome, search.trials), key=lambda trial: (trial.macro_f1 is None, -(trial.macro_f1 or 0.0)))
    if not trials or trials[0].macro_f1 is None:
        raise DataError("no trial came to an end", remedy="allow more trials or time; -v shows what happened")
    best = change_stance(study, {**trials[0].settings, "encoder": study.stance_encoder}).stance
    settings_file = file.with_suffix(".toml")
    write_file(settings_file, write_section(best, comment=_comment(name, trials, n_folds)))
    return SearchOutcome(name, trials[0], trials, settings_file)


def list_trials(trials: Sequence[TrialOutcome]) -> pa.Table:
    """Return the best trials as a table to print."""
    import pyarrow as pa

    done = [trial for trial in trials if trial.macro_f1 is not None][:_SHOWN_TRIALS]
    return pa.Table.from_pylist(
        [
            {"trial": trial.number, "macro-F1": trial.macro_f1, **trial.settings, "seconds": trial.seconds}
            for trial in done
        ]
    )


def write_section(settings: StanceSettings, *, comment: str) -> str:
    """Return [stance] as TOML, ready to paste into a study file.

    Parameters
    ----------
    comment : what stands above it.
    """
    lines = [*(f"# {line}" for line in comment.splitlines()), "[stance]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in settings.model_dump(mode="json").items()]
    return "\n".join(lines) + "\n"


def _require_optuna() -> None:
    from importlib.util import find_spec

    if find_spec("optuna") is None:
        raise ModelError("a search needs optuna, which is not installed", remedy="pip install 'nlp-study[train]'")


def _open_search(file: Path, name: str, *, inputs: str, seed: int) -> Search:
    """Open or make the search; trials that a killed run left unfinished are closed and tried again first."""
    import optuna
    from sqlalchemy.exc import DatabaseError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        search = optuna.create_study(
            storage=f"sqlite:///{file}",
            study_name=name,
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(_TRIALS_BEFORE_PRUNING, _EPOCHS_BEFORE_PRUNING),
            load_if_exists=True,
        )
        known = search.user_attrs.get("inputs", inputs)
        trials = search.trials
    except (DatabaseError, optuna.exceptions.StorageInternalError) as error:
        raise DataError(f"{file} is damaged: {str(error).splitlines()[0]}", remedy="delete it to start anew") from None
    if known != inputs:
        raise ConfigError(
            f"the search {name} was for other labels, settings or folds", remedy="give this one another --name"
        )
    search.set_user_attr("inputs", inputs)
    search.sampler = optuna.samplers.TPESampler(
        seed=seed + len(trials)
    )  # or a run that goes on would draw the same again
    for trial in trials:
        if trial.state is optuna.trial.TrialState.RUNNING:
            search.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            search.enqueue_trial(trial.params or trial.system_attrs.get("fixed_params", {}))
    return search


@dataclass(frozen=True)
class _Space:
    """What is tried. The study's own values are always among it, so that the first trial can take them."""

    own: StanceSettings
    n_layers: int
    max_tokens: int

    def start(self) -> dict[str, Any]:
        """Return the study's own settings as the values of a trial."""
        return {
            "learning_rate": self.own.learning_rate,
            "layer_decay": self.own.layer_decay,
            "frozen_layers": min(self.own.frozen_layers, self.n_layers - 1),
            "epochs": self._own_epochs(),
            "batch_size": self.own.batch_size,
            "window_tokens": min(self.own.window_tokens, self.max_tokens),
            "train_windows": self.own.train_windows,
        }

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Draw the settings of a trial."""
        start = self.start()
        rates, decays = (*_LEARNING_RATES, self.own.learning_rate), (*_LAYER_DECAYS, self.own.layer_decay)
        batches = [size for size in _BATCH_SIZES if size % self.own.gradient_accumulation == 0]
        windows = [tokens for tokens in _WINDOW_TOKENS if tokens <= self.max_tokens]
        changes: dict[str, Any] = {
            "learning_rate": trial.suggest_float("learning_rate", min(rates), max(rates), log=True),
            "layer_decay": trial.suggest_float("layer_decay", min(decays), max(decays)),
            "frozen_layers": trial.suggest_int("frozen_layers", 0, self.n_layers - 1),
            "epochs": trial.suggest_int("epochs", 1, max(_MAX_EPOCHS, self._own_epochs())),
        }
        for key, choices in (("batch_size", batches), ("window_tokens", windows), ("train_windows", _TRAIN_WINDOWS)):
            changes[key] = trial.suggest_categorical(key, sorted({*choices, start[key]}))
        changes["window_overlap"] = changes["window_tokens"] // 8
        return changes

    def _own_epochs(self) -> int:
        return max(1, round(self.own.epochs)) if self.own.epochs else _EPOCHS_AT_START


def _run_trials(search: Search, measure: Callable[[Trial], float], *, n_trials: int, timeout_s: float | None) -> None:
    from optuna.trial import TrialState
    from tqdm import tqdm

    done = len(search.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))
    if done >= n_trials:
        return
    with tqdm(total=n_trials, initial=done, desc="tune", unit=" trials", disable=None) as bar:

        def show(search: Search, trial: FrozenTrial) -> None:
            bar.update()
            logger.info("trial %d: %s %s %s", trial.number, trial.state.name.lower(), trial.value, trial.params)

        search.optimize(
            measure,
            n_trials=n_trials - done,
            timeout=timeout_s,
            catch=(GpuMemoryError,),  # such settings are too large for this GPU, the next may fit
            callbacks=[show],
            gc_after_trial=True,
        )


def _measure(trial: Trial, study: Study, pairs: Sequence[Pair], folds: Sequence[Fold]) -> float:
    """Return the macro-F1 over the held-out pairs of all folds.

    Raises
    ------
    optuna.TrialPruned : the trial lags behind.
    """
    import optuna

    stances = [str(stance) for stance in study.study.stances]
    gold: list[str] = []
    predicted: list[str] = []
    prepared = None
    for number, fold in enumerate(folds):

        def report(epoch: int, loss: float, first: int = number * _STEPS_A_FOLD) -> None:
            trial.report(-loss, first + epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        encoder = load_encoder(study.stance_encoder, models_dir=study.models_dir, for_training=True)
        prepared = prepared or prepare_pairs(encoder, pairs, study.stance, show_progress=False)
        model, _ = fit_classifier(
            [pairs[i] for i in fold.train],
            settings=study.stance,
            stances=study.study.stances,
            encoder=encoder,
            seed=study.study.seed,
            prepared=prepared.pick(fold.train),
            show_progress=False,
            on_epoch=report,
        )
        probas = predict_prepared(model, prepared.pick(fold.test), study.stance)
        gold += [str(pairs[i].stance) for i in fold.test]
        predicted += [stances[i] for i in probas.argmax(1)]
    return macro_f1(gold, predicted, stances)


def _outcome(trial: FrozenTrial) -> TrialOutcome:
    from optuna.trial import TrialState

    return TrialOutcome(
        number=trial.number,
        state=trial.state.name.lower(),
        macro_f1=trial.value if trial.state is TrialState.COMPLETE else None,
        settings=trial.user_attrs.get("settings", {}),
        seconds=round(trial.duration.total_seconds(), 1) if trial.duration else None,
    )


def _comment(name: str, trials: Sequence[TrialOutcome], n_folds: int) -> str:
    """Say where the settings come from, and how many others they were chosen from."""
    best, pruned = trials[0], sum(trial.state == "pruned" for trial in trials)
    done = sum(trial.macro_f1 is not None for trial in trials)
    return (
        f"Search {name}: trial {best.number} of {done} finished and {pruned} ended early,\n"
        f"macro-F1 {best.macro_f1:.3f} on {n_folds} fold{'s' if n_folds > 1 else ''} of held-out authors. "
        "It was chosen by that figure, which flatters it:\nmeasure it again with `nlp-study train`."
    )
