"""The search for settings: it goes on after a kill, its first trial is the study's own, its outcome can be pasted."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
import tomllib

import pytest

from nlp_study.config import StanceSettings, load_study
from nlp_study.errors import ConfigError, DataError, ModelError
from nlp_study.sources import import_study_sources
from nlp_study.stance.pairs import read_pairs, split_folds
from nlp_study.stance.search import SPLIT_SEED, TrialOutcome, list_trials, search_settings, write_section
from nlp_study.store import RunRecord, open_corpus


def open_small(make_study, **options):
    study = load_study(make_study(n_posts=48, n_authors=12, **options))
    corpus = open_corpus(study.data_dir)
    import_study_sources(study, corpus, RunRecord(stage="import", fingerprint={}))
    return study, corpus


def test_without_optuna_it_says_what_to_install(make_study, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "optuna" else find_spec(name, *a))
    study, corpus = open_small(make_study)
    with pytest.raises(ModelError) as caught:
        search_settings(study, corpus, n_trials=1)
    assert "pip install 'nlp-study[train]'" in str(caught.value)


def test_a_section_can_be_pasted(tmp_path):
    settings = StanceSettings(encoder="a/b", epochs=4, learning_rate=3.3e-6, gradient_checkpointing=True, seeds=(1, 2))
    text = write_section(settings, comment="one\ntwo")
    assert text.startswith("# one\n# two\n[stance]\n")
    assert StanceSettings.model_validate(tomllib.loads(text)["stance"]) == settings


def test_trials_are_listed_best_first():
    trials = [
        TrialOutcome(3, "complete", 0.7, {"epochs": 2}, 1.5),
        TrialOutcome(1, "complete", 0.6, {"epochs": 4}, 3.0),
        TrialOutcome(2, "pruned", None, {"epochs": 9}, 0.5),
    ]
    assert list_trials(trials).to_pylist() == [
        {"trial": 3, "macro-F1": 0.7, "epochs": 2, "seconds": 1.5},
        {"trial": 1, "macro-F1": 0.6, "epochs": 4, "seconds": 3.0},
    ]


def test_a_search_finds_settings_and_goes_on(make_study):
    optuna = pytest.importorskip("optuna")
    study, corpus = open_small(make_study)
    first = search_settings(study, corpus, n_trials=2, name="cari")
    assert len(first.trials) == 2 and first.best.macro_f1 == max(trial.macro_f1 or 0 for trial in first.trials)
    own = next(trial for trial in first.trials if trial.number == 0)
    expected = {"learning_rate": 1e-5, "layer_decay": 0.9, "frozen_layers": 0, "epochs": 1, "window_tokens": 64}
    assert expected.items() <= own.settings.items() and own.settings["window_overlap"] == 8
    section = tomllib.loads(first.settings_file.read_text())["stance"]
    assert StanceSettings.model_validate(section).learning_rate == first.best.settings["learning_rate"]
    assert section["encoder"] == study.stance_encoder and section["folds"] == 2
    assert f"trial {first.best.number} of 2 finished" in first.settings_file.read_text()
    again = search_settings(study, corpus, n_trials=2, name="cari")
    assert again == first
    # as a killed run leaves it
    search = optuna.load_study(study_name="cari", storage=f"sqlite:///{study.models_dir}/.search/cari.db")
    search.enqueue_trial({**own.settings, "learning_rate": 2e-5})
    assert search.ask().suggest_float("learning_rate", 3e-6, 1e-4, log=True) == 2e-5
    longer = search_settings(study, corpus, n_trials=3, name="cari")
    states = {trial.number: trial.state for trial in longer.trials}
    assert states[2] == "fail" and len(longer.trials) == 4
    assert next(trial for trial in longer.trials if trial.number == 3).settings["learning_rate"] == 2e-5
    with pytest.raises(ConfigError, match="other labels, settings or folds"):
        search_settings(study, corpus, n_trials=2, n_folds=2, name="cari")
    with pytest.raises(ConfigError, match="3 folds of 2"):
        search_settings(study, corpus, n_trials=2, n_folds=3)


def test_a_trial_that_lags_behind_is_ended(make_study, monkeypatch):
    """The fifth trial's loss is worse than the median of four: it has no figure, and the search goes on."""
    pytest.importorskip("optuna")
    study, corpus = open_small(make_study)
    n_trials = 0

    def fit(pairs, *, on_epoch, encoder, **_):
        nonlocal n_trials
        n_trials += 1
        for epoch in (1, 2, 3):
            on_epoch(epoch, 1.0 if n_trials != 5 else 9.0)
        return None, None

    import numpy as np

    monkeypatch.setattr("nlp_study.stance.search.fit_classifier", fit)
    right = np.eye(3)
    monkeypatch.setattr(
        "nlp_study.stance.search.predict_prepared", lambda model, prepared, settings: right[[0] * len(prepared.windows)]
    )
    found = search_settings(study, corpus, n_trials=6, name="pangkas")
    assert [trial.state for trial in sorted(found.trials, key=lambda trial: trial.number)] == [
        *["complete"] * 4,
        "pruned",
        "complete",
    ]
    assert "of 5 finished and 1 ended early" in found.settings_file.read_text()


def test_folds_of_the_search_are_not_those_of_the_evaluation(make_study):
    study, corpus = open_small(make_study)
    pairs = read_pairs(study, corpus, labelled=True)
    mine = split_folds(pairs, n_folds=4, seed=study.study.seed + SPLIT_SEED)[0]
    assert not {pairs[i].group for i in mine.train} & {pairs[i].group for i in mine.test}
    assert all(mine.test != fold.test for seed in (1, 2, 3) for fold in split_folds(pairs, n_folds=4, seed=seed))


def test_a_damaged_search_is_named(make_study):
    pytest.importorskip("optuna")
    study, corpus = open_small(make_study)
    file = study.models_dir / ".search" / "rusak.db"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(DataError, match=r"rusak\.db is damaged"):
        search_settings(study, corpus, n_trials=1, name="rusak")


def test_a_killed_search_goes_on(make_study):
    pytest.importorskip("optuna")
    path = make_study(n_posts=48, n_authors=12)
    file = path.parent / "models/.search/cari.db"
    line = [sys.executable, "-m", "nlp_study.cli", "-v", "tune", "-s", str(path), "--name", "cari", "--trials"]
    log = path.parent / "log"
    with log.open("w") as handle:
        process = subprocess.Popen([*line, "50"], stdout=handle, stderr=handle, env={**os.environ})
    end = time.monotonic() + 150
    while "trial 1:" not in log.read_text():
        assert process.poll() is None and time.monotonic() < end, log.read_text()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    found = subprocess.run([*line, "3"], capture_output=True, text=True, env={**os.environ}, timeout=200, check=False)
    assert found.returncode == 0, found.stderr
    assert "trial 0:" not in found.stderr and "trial 1:" not in found.stderr
    assert "macro-F1" in found.stdout and "models/.search/cari.toml" in found.stdout and file.is_file()
