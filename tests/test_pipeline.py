from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlp_study import pipeline
from nlp_study.config import load_study
from nlp_study.errors import ConfigError
from nlp_study.pipeline import STAGES, State, find_stage, needed_stages, read_all_status, read_status, run_stages
from nlp_study.schema import TableName
from nlp_study.store import open_corpus

from .conftest import REPOSITORY

WITHOUT_MODEL = [] if (REPOSITORY / "models/id_ud_sm").is_dir() else ["parse"]
"""Stages that are skipped here: the parser's model is built by `make parser`."""


@pytest.fixture(scope="module")
def done(tmp_path_factory, tiny_bert):
    """A small study, run once from import to report."""
    from .conftest import STUDY, write_posts

    folder = tmp_path_factory.mktemp("done")
    write_posts(folder)
    path = folder / "study.toml"
    path.write_text(STUDY.format(encoder=tiny_bert), encoding="utf-8")
    study = load_study(path)
    corpus = open_corpus(study.data_dir)
    run_stages(study, corpus)
    return path, study, corpus


def test_every_stage_makes_its_tables(done):
    _, study, corpus = done
    for stage in STAGES:
        for name in () if stage.name in WITHOUT_MODEL else stage.makes:
            record = corpus.record(name)
            assert record is not None and record.stage == stage.name, name
            assert record.started_at and record.versions["torch"] and record.wall_s >= 0
    predictions = corpus.read(TableName.PREDICTIONS).to_pylist()
    assert len(predictions) == 24
    assert {row["origin"] for row in predictions} == {"out_of_fold"}
    assert {row["model_id"] for row in predictions} == {corpus.record("model").counts["model_id"]}
    html = study.report_path.read_text(encoding="utf-8")
    assert "Studi kecil" in html and "Small study" in html


def test_a_second_run_does_nothing(done):
    _, study, corpus = done
    found = run_stages(study, corpus)
    assert [stage for stage, state in found.items() if state is State.SKIPPED] == WITHOUT_MODEL
    assert set(found.values()) - {State.SKIPPED} == {State.FRESH}


def status_of(study, corpus):
    return {found.stage: (found.state, found.reason) for found in read_all_status(study, corpus)}


def test_status_says_what_changed_and_what_waits(done, tmp_path):
    path, _, corpus = done
    text = path.read_text(encoding="utf-8")
    try:
        path.write_text(text.replace("[segments]\nmin_words = 10", "[segments]\nmin_words = 12"), encoding="utf-8")
        found = status_of(load_study(path), corpus)
        assert found["import"][0] is State.FRESH and found["evaluate"][0] is State.FRESH
        assert found["segment"] == (State.STALE, "changed: settings [segments]")
        assert found["topics"][0] is State.STALE and "waits for segment" in found["topics"][1]
        path.write_text(text.replace("Studi kecil", "Judul baru"), encoding="utf-8")
        found = status_of(load_study(path), corpus)
        assert [stage for stage, (state, _) in found.items() if state is not State.FRESH] == [
            *WITHOUT_MODEL,
            "report",
        ]
        path.write_text(text.replace('aliases = ["lapak daring"]', "aliases = []"), encoding="utf-8")
        assert status_of(load_study(path), corpus)["train"][1] == "changed: settings [targets.aliases]"
    finally:
        path.write_text(text, encoding="utf-8")


def test_a_changed_source_file_is_noticed(done):
    path, study, corpus = done
    posts = path.parent / "posts.jsonl"
    content = posts.read_text()
    try:
        posts.write_text(content + content.splitlines()[0].replace("Catatan ke-0", "Lain") + "\n")
        assert status_of(study, corpus)["import"] == (State.STALE, "changed: file posts.jsonl")
    finally:
        posts.write_text(content)


def test_new_posts_without_labels_do_not_train_again(done, tmp_path):
    path, study, corpus = done
    posts = path.parent / "posts.jsonl"
    content = posts.read_text()
    try:
        posts.write_text(content + '{"post_id": "baru", "title": "Baru", "text": "Pos baru tentang lapak daring."}\n')
        run_stages(study, corpus, only=["import"])
        found = status_of(study, corpus)
        assert found["evaluate"][0] is State.FRESH and found["train"][0] is State.FRESH
        assert found["classify"] == (State.STALE, "changed: input posts")
        posts.write_text(content.replace("Catatan ke-0 ", "Catatan pertama "))
        run_stages(study, corpus, only=["import"])
        assert status_of(study, corpus)["train"] == (State.STALE, "changed: labelled posts")
    finally:
        posts.write_text(content)
        run_stages(study, corpus, only=["import"])


def test_changed_code_makes_a_stage_stale(done, monkeypatch):
    _, study, corpus = done
    monkeypatch.setattr(pipeline, "__version__", "9.9.9")
    assert read_status(find_stage("topics"), study, corpus).reason == "changed: code"


def test_a_lost_file_is_noticed_and_rebuilt(done):
    _, study, corpus = done
    for file in corpus.files(TableName.TRENDS):
        file.unlink()
    assert "is gone" in status_of(study, corpus)["trends"][1]
    assert run_stages(study, corpus)["trends"] is State.STALE
    assert corpus.read(TableName.TRENDS).num_rows > 0


def test_without_labels_there_are_topics_and_a_report(make_study):
    path = make_study()
    text = path.read_text().replace('[[labels]]\npath = "labels.csv"\n', "")
    path.write_text(text)
    study = load_study(path)
    corpus = open_corpus(study.data_dir)
    found = run_stages(study, corpus)
    assert found["train"] is State.SKIPPED and found["topics"] is State.MISSING
    assert corpus.has(TableName.TOPICS) and not corpus.has(TableName.PREDICTIONS)
    assert study.report_path.is_file()


def test_a_given_model_classifies_and_brings_its_figures(done, make_study):
    _, old_study, old_corpus = done
    model = old_study.resolve(old_corpus.record("model").counts["path"])
    path = make_study()
    path.write_text(path.read_text().replace("[stance]\n", f'[stance]\nmodel = "{model}"\n'))
    study = load_study(path)
    corpus = open_corpus(study.data_dir)
    run_stages(study, corpus, only=["import", "evaluate", "train", "classify"])
    assert corpus.record("model").counts["model_id"] == model.name
    assert corpus.read(TableName.EVALUATIONS).num_rows == 4 * 24
    assert {row["origin"] for row in corpus.read(TableName.PREDICTIONS).to_pylist()} == {"out_of_fold"}


def test_an_interrupted_stage_leaves_the_others(make_study, monkeypatch):
    study = load_study(make_study())
    corpus = open_corpus(study.data_dir)

    def stop(*args: object) -> dict[str, object]:
        raise KeyboardInterrupt

    monkeypatch.setattr("nlp_study.segments.embed_segments", stop)
    with pytest.raises(KeyboardInterrupt):
        run_stages(study, corpus, only=["import", "segment"])
    assert corpus.read(TableName.POSTS).num_rows == 24
    assert read_status(find_stage("segment"), study, corpus).state is State.MISSING


def test_an_interrupted_evaluation_goes_on_with_the_next_fold(make_study, monkeypatch):
    from nlp_study.stance import evaluate

    study = load_study(make_study())
    corpus = open_corpus(study.data_dir)
    run_stages(study, corpus, only=["import"])
    whole, calls = evaluate._fold_rows, []

    def counted(*args: object, **kwargs: object) -> object:
        calls.append(kwargs["number"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(*args, **kwargs)

    monkeypatch.setattr(evaluate, "_fold_rows", counted)
    with pytest.raises(KeyboardInterrupt):
        run_stages(study, corpus, only=["evaluate"])
    run_stages(study, corpus, only=["evaluate"])
    assert calls == [0, 1, 1]
    assert corpus.read(TableName.EVALUATIONS).num_rows == 4 * 24
    assert not (corpus.folder / "evaluations.partial").exists()


def test_stage_names():
    before_trends = ["import", "deduplicate", "segment", "evaluate", "train", "classify", "topics"]
    assert needed_stages("trends") == [*before_trends, "trends"]
    assert needed_stages("topics") == ["import", "segment", "topics"]
    with pytest.raises(ConfigError, match="no stage «nothing»"):
        find_stage("nothing")


def test_every_stage_reads_what_an_earlier_one_makes():
    made: set[str] = set()
    for stage in STAGES:
        assert set(stage.reads) <= made, stage.name
        made |= set(stage.makes)


def test_records_are_plain_json(done):
    _, _, corpus = done
    record = json.loads((Path(corpus.folder) / "predictions/run.json").read_text())
    assert {
        "stage",
        "fingerprint",
        "digest",
        "n_rows",
        "files",
        "seed",
        "counts",
        "versions",
        "started_at",
        "wall_s",
    } == set(record)
