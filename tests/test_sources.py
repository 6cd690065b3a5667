from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlp_study.config import Source, load_study
from nlp_study.errors import DataError
from nlp_study.schema import TableName
from nlp_study.sources import import_source, import_study_sources
from nlp_study.store import RunRecord, open_corpus

from .conftest import REPOSITORY, SHARED_DATA, needs_shared_data, write_posts


def record():
    return RunRecord(stage="import", fingerprint={})


def opened(path: Path):
    study = load_study(path)
    return study, open_corpus(study.data_dir)


def table_digests(corpus):
    return {name: corpus.record(name).digest for name in (TableName.POSTS, TableName.LABELS, TableName.PAGES)}


def test_study_sources_and_labels(make_study):
    study, corpus = opened(make_study())
    counts = import_study_sources(study, corpus, record())
    assert counts["sources"]["posts"]["posts"] == 24
    assert corpus.read(TableName.LABELS).num_rows == 24
    post = corpus.read(TableName.POSTS).to_pylist()[0]
    assert post["author_id"] == "penulis0"
    assert post["n_words"] == sum(len(p["text"].split()) for p in post["paragraphs"])
    assert post["published_at"].utcoffset().total_seconds() == 7 * 3600


def test_reimport_changes_nothing(make_study):
    study, corpus = opened(make_study())
    import_study_sources(study, corpus, record())
    before = table_digests(corpus)
    import_study_sources(study, corpus, record())
    assert table_digests(corpus) == before


def test_bad_rows_go_to_failures_and_the_rest_goes_on(make_study):
    path = make_study()
    with (path.parent / "posts.jsonl").open("a") as handle:
        handle.write('{"post_id": "broken"\n' + json.dumps({"post_id": "empty", "title": "x", "paragraphs": []}) + "\n")
    with (path.parent / "labels.csv").open("a") as handle:
        handle.write("nobody,pasar daring,favor,a1\n640000000000000000000000,pasar daring,pro,a9\n")
    study, corpus = opened(path)
    counts = import_study_sources(study, corpus, record())
    assert counts["sources"]["posts"]["posts"] == 24
    failures = corpus.read(TableName.FAILURES).to_pylist()
    assert len(failures) == counts["failures"] == 4
    assert {"posts.jsonl:25", "posts.jsonl:26", "labels.csv:27"} <= {row["where"] for row in failures}
    assert any("no source holds this post" in row["reason"] for row in failures)


def test_a_source_by_hand_is_kept_when_the_study_is_imported_again(make_study, tmp_path):
    study, corpus = opened(make_study())
    import_study_sources(study, corpus, record())
    extra = tmp_path / "extra.csv"
    extra.write_text("id,isi,judul\nx1,Satu paragraf saja tentang kios.,Kios\n", encoding="utf-8")
    entry = Source(name="extra", path=str(extra), format="csv", columns={"post_id": "id"})
    assert import_source(study, corpus, entry, record())["sources"]["extra"]["posts"] == 1
    assert corpus.read(TableName.POSTS).num_rows == 25
    assert corpus.read(TableName.LABELS).num_rows == 24
    import_study_sources(study, corpus, record())
    assert corpus.read(TableName.POSTS).num_rows == 25
    extra.write_text("id,isi,judul\nx2,Isi lain sama sekali.,Kios\n", encoding="utf-8")
    import_source(study, corpus, entry, record())
    ids = corpus.read(TableName.POSTS)["post_id"].to_pylist()
    assert "x2" in ids and "x1" not in ids


def test_a_post_in_two_sources_stays_with_the_first(make_study, tmp_path):
    study, corpus = opened(make_study())
    import_study_sources(study, corpus, record())
    write_posts(tmp_path / "again", n_posts=2)
    entry = Source(name="again", path=str(tmp_path / "again/posts.jsonl"), format="jsonl")
    counts = import_source(study, corpus, entry, record())
    assert counts["sources"]["again"]["repeated_posts"] == 2
    assert set(corpus.read(TableName.POSTS)["source"].to_pylist()) == {"posts"}


def test_conflicting_labels_keep_the_first_and_say_so(make_study):
    path = make_study()
    study, corpus = opened(path)
    rows = [
        {"post_id": "q1", "title": "a", "text": "Isi pos.", "target": "pasar daring", "stance": s, "annotator": "z"}
        for s in ("favor", "against", "favor")
    ]
    (path.parent / "posts.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    import_study_sources(study, corpus, record())
    labels = [r for r in corpus.read(TableName.LABELS).to_pylist() if r["annotator"] == "z"]
    assert [r["stance"] for r in labels] == ["favor"]
    assert any("favor and against" in r["reason"] for r in corpus.read(TableName.FAILURES).to_pylist())


def test_an_empty_corpus_is_an_error_and_writes_nothing(make_study):
    path = make_study()
    (path.parent / "posts.jsonl").write_text("")
    study, corpus = opened(path)
    with pytest.raises(DataError, match="no JSON object"):
        import_study_sources(study, corpus, record())
    assert not corpus.has(TableName.POSTS)


@needs_shared_data
def test_seed_page():
    """Figures of the page that the study started from; its text is not part of the repository."""
    import tempfile

    study = load_study(REPOSITORY)
    with tempfile.TemporaryDirectory() as folder:
        corpus = open_corpus(folder)
        import_source(study, corpus, Source(name="seed", path=str(SHARED_DATA / "seed"), format="text-dump"), record())
        row = corpus.read(TableName.POSTS).to_pylist()[0]
        assert row["author"] and row["category"] == "Sosbud" and row["badge"] == "Pilihan"
        assert row["published_at"].isoformat() == "2024-06-18T09:34:00+07:00"
        assert row["updated_at"].isoformat() == "2024-06-18T13:32:00+07:00"
        assert row["n_views"] == 110 and len(row["paragraphs"]) == 10 and row["n_removed"] == 1
        assert corpus.read(TableName.PAGES).num_rows == 1


@needs_shared_data
def test_id_stance_2016():
    import tempfile

    study = load_study(REPOSITORY / "corpus/id_stance.toml")
    with tempfile.TemporaryDirectory() as folder:
        corpus = open_corpus(folder)
        import_study_sources(study, corpus, record())
        labels = corpus.read(TableName.LABELS)  # 247 rows, of which two repeat a (post, target) pair
        assert {t: labels["target"].to_pylist().count(t) for t in ("ahok", "jokowi")} == {"ahok": 174, "jokowi": 71}
