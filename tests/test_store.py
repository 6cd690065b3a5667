from __future__ import annotations

import errno
import json
from pathlib import Path

import pyarrow as pa
import pytest

from nlp_study import store
from nlp_study.errors import DataError, StoreError
from nlp_study.schema import Failure, TableName, table_specs
from nlp_study.store import RunRecord, digest_path, open_corpus, write_file

LABELS = table_specs()[TableName.LABELS].schema


def labels(*stances: str) -> pa.Table:
    rows = [
        {"post_id": f"p{i}", "target": "t", "annotator": "a1", "stance": s, "source": "test"}
        for i, s in enumerate(stances)
    ]
    return pa.Table.from_pylist(rows, schema=LABELS)


def record() -> RunRecord:
    return RunRecord(stage="import", fingerprint={"code": "1"}, seed=7)


def test_write_then_read(tmp_path):
    corpus = open_corpus(tmp_path / "data")
    done = corpus.write(TableName.LABELS, labels("favor", "against"), record())
    assert (done.n_rows, done.seed, done.stage) == (2, 7, "import")
    assert corpus.read(TableName.LABELS)["stance"].to_pylist() == ["favor", "against"]
    assert corpus.read(TableName.LABELS, columns=["post_id"]).column_names == ["post_id"]
    on_disk = json.loads((tmp_path / "data/labels/run.json").read_text())
    assert on_disk["digest"] == done.digest and on_disk["files"] == done.files


def test_a_table_never_made_is_empty_with_its_columns(tmp_path):
    corpus = open_corpus(tmp_path)
    assert corpus.read(TableName.POSTS).num_rows == 0
    assert corpus.read(TableName.POSTS).schema == table_specs()[TableName.POSTS].schema
    assert corpus.record(TableName.POSTS) is None
    assert not list(tmp_path.iterdir())


def test_equal_rows_give_equal_digests(tmp_path):
    corpus = open_corpus(tmp_path)
    one = corpus.write(TableName.LABELS, labels("favor"), record()).digest
    assert corpus.write(TableName.LABELS, labels("favor"), record()).digest == one
    assert corpus.write(TableName.LABELS, labels("neutral"), record()).digest != one


def test_batches_are_accepted(tmp_path):
    corpus = open_corpus(tmp_path)
    batches = (batch for _ in range(3) for batch in labels("favor", "against").to_batches())
    assert corpus.write(TableName.LABELS, batches, record()).n_rows == 6


def test_only_one_part_is_left(tmp_path):
    corpus = open_corpus(tmp_path)
    corpus.write(TableName.LABELS, labels("favor"), record())
    corpus.write(TableName.LABELS, labels("against"), record())
    assert len(list((tmp_path / "labels").glob("*.parquet"))) == 1


@pytest.mark.parametrize("moment", ["rows", "record"])
def test_a_full_disk_leaves_the_old_table(tmp_path, monkeypatch, moment):
    corpus = open_corpus(tmp_path)
    corpus.write(TableName.LABELS, labels("favor"), record())

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if moment == "rows":
        monkeypatch.setattr(store.os, "fsync", fail)
    else:
        monkeypatch.setattr(store, "write_file", lambda path, content: fail())
    with pytest.raises(StoreError, match="No space left") as caught:
        corpus.write(TableName.LABELS, labels("against", "against"), record())
    assert "unchanged" in caught.value.remedy
    monkeypatch.undo()
    assert corpus.read(TableName.LABELS)["stance"].to_pylist() == ["favor"]
    assert not list((tmp_path / "labels").glob(".*tmp*"))


def test_an_interrupt_in_the_middle_leaves_the_old_table(tmp_path):
    corpus = open_corpus(tmp_path)
    corpus.write(TableName.LABELS, labels("favor"), record())

    def batches():
        yield from labels("against").to_batches()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        corpus.write(TableName.LABELS, batches(), record())
    assert corpus.read(TableName.LABELS)["stance"].to_pylist() == ["favor"]
    assert sorted(p.suffix for p in (tmp_path / "labels").iterdir()) == [".json", ".parquet"]


def test_rows_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(DataError, match="labels"):
        open_corpus(tmp_path).write(TableName.LABELS, pa.table({"stance": [1.5]}), record())


def test_a_truncated_file_is_named(tmp_path):
    corpus = open_corpus(tmp_path)
    corpus.write(TableName.LABELS, labels("favor"), record())
    part = corpus.files(TableName.LABELS)[0]
    part.write_bytes(part.read_bytes()[:40])
    for read in (lambda: corpus.read(TableName.LABELS), lambda: corpus.fetch("SELECT * FROM labels")):
        with pytest.raises(DataError) as caught:
            read()
        assert part.name in str(caught.value) and "nlp-study run" in caught.value.remedy


def test_a_damaged_table_does_not_hide_the_others(tmp_path):
    corpus = open_corpus(tmp_path)
    corpus.write(TableName.LABELS, labels("favor"), record())
    corpus.files(TableName.LABELS)[0].unlink()
    assert corpus.fetch("SELECT count(*) AS n FROM posts").to_pylist() == [{"n": 0}]
    with pytest.raises(DataError, match="table labels"):
        corpus.fetch("SELECT * FROM labels")


def test_a_damaged_record_is_named(tmp_path):
    corpus = open_corpus(tmp_path)
    corpus.write(TableName.LABELS, labels("favor"), record())
    (tmp_path / "labels/run.json").write_text("{")
    with pytest.raises(DataError, match=r"run\.json is damaged"):
        corpus.read(TableName.LABELS)


def test_failures_are_kept_by_stage(tmp_path):
    corpus = open_corpus(tmp_path)
    corpus.write_failures("import", [Failure("import", "a.csv:2", "no text")])
    corpus.write_failures("crawl", [Failure("crawl", "u", "404")])
    corpus.write_failures("import", [])
    assert corpus.read(TableName.FAILURES)["stage"].to_pylist() == ["crawl"]


def test_a_second_writer_is_told(tmp_path):
    corpus = open_corpus(tmp_path)
    with corpus.lock(), pytest.raises(StoreError, match="another nlp-study"), open_corpus(tmp_path).lock():
        pass


def test_sql_sees_views_and_changes_nothing(tmp_path):
    corpus = open_corpus(tmp_path)
    corpus.write(TableName.LABELS, labels("favor", "favor", "against"), record())
    counted = corpus.fetch("SELECT stance, count(*) AS n FROM labels GROUP BY ALL ORDER BY n DESC").to_pylist()
    assert counted == [{"stance": "favor", "n": 2}, {"stance": "against", "n": 1}]
    assert corpus.sql("SELECT * FROM labels WHERE stance = $s", {"s": "against"}).df().shape == (1, 8)
    assert corpus.fetch("SELECT count(*) AS n FROM posts").to_pylist() == [{"n": 0}]
    outside = tmp_path / "secret.csv"
    outside.write_text("a\n1\n")
    for query in (
        "DROP VIEW labels",
        "CREATE TABLE x (a INT)",
        f"COPY labels TO '{tmp_path}/out.csv'",
        "SELECT 1; SELECT 2",
        f"SELECT * FROM read_csv('{outside}')",
        "SELECT * FROM nowhere",
        "SELEC 1",
        "",
    ):
        with pytest.raises(DataError) as caught:
            corpus.fetch(query)
        assert caught.value.remedy, query
    assert not (tmp_path / "out.csv").exists()
    corpus.close()


def test_the_posts_view_has_text_and_month(tmp_path):
    from datetime import datetime

    from nlp_study.schema import TIMEZONE, Paragraph, Post
    from nlp_study.sources import post_row

    post = Post(
        "p1",
        "Judul",
        (Paragraph("Satu."), Paragraph("Dua.")),
        published_at=datetime(2024, 2, 1, 0, 30, tzinfo=TIMEZONE),
    )
    table = pa.Table.from_pylist([post_row(post, "test")], schema=table_specs()[TableName.POSTS].schema)
    corpus = open_corpus(tmp_path)
    corpus.write(TableName.POSTS, table, record())
    assert corpus.fetch("SELECT text, month, n_words FROM posts").to_pylist() == [
        {"text": "Satu.\n\nDua.", "month": "2024-02", "n_words": 2}
    ]


def test_to_datasets(tmp_path):
    corpus = open_corpus(tmp_path)
    corpus.write(TableName.LABELS, labels("favor", "against"), record())
    found = corpus.to_datasets()
    assert list(found) == ["labels"]
    assert found["labels"]["stance"][:] == ["favor", "against"]
    assert corpus.to_datasets("posts")["posts"].num_rows == 0


def test_write_file_replaces_whole_files(tmp_path):
    path = tmp_path / "deep/er/file.txt"
    write_file(path, "satu")
    write_file(path, "dua")
    assert path.read_text() == "dua"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_digest_path_sees_names_and_contents(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "a").write_text("1")
    one = digest_path(folder)
    (folder / "a").rename(folder / "b")
    two = digest_path(folder)
    (folder / "b").write_text("2")
    assert len({one, two, digest_path(folder), digest_path(Path("nowhere"))}) == 4
