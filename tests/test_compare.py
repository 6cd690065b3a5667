"""Two runs side by side: planted changes come out part by part, and what is missing is said."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from nlp_study.bundle.pack import write_bundle
from nlp_study.compare.parts import compare_runs, flatten
from nlp_study.compare.rows import compare_rows
from nlp_study.compare.runs import open_run
from nlp_study.compare.show import DiffFormat, dump_comparison, print_comparison, render_comparison, write_markdown
from nlp_study.errors import DataError
from nlp_study.schema import TableName

from .label_study import STANCES, make_label_study, write


def parts_of(first, second):
    return {part.name: part for part in compare_runs(open_run(first), open_run(second))}


@pytest.fixture
def two(tmp_path):
    """Two equal runs in two folders."""
    return make_label_study(tmp_path / "a"), make_label_study(tmp_path / "b")


def test_equal_runs(two):
    (a, _), (b, _) = two
    for first, second in ((a.root / "study.toml", b.root), (a.data_dir, b.data_dir)):
        parts = parts_of(first, second)
        assert list(parts) == ["settings", "data", "labels", "model", "predictions", "topics", "figures", "versions"]
        assert not any(part.is_changed or part.missing for part in parts.values())
    assert parts["model"].summary == "the same held-out predictions"
    assert parts["topics"].summary.startswith("3 and 3 topics, 3 matched; 1.00 of")


def test_planted_changes(two):
    (a, _), (b, after) = two
    file = b.root / "study.toml"
    file.write_text(file.read_text().replace("epochs = 1", "epochs = 2"))
    posts = after.read(TableName.POSTS).to_pylist()
    posts[0]["text_digest"] = "other"
    new = {**posts[1], "post_id": "f" * 24}
    write(after, TableName.POSTS, [*posts[:-1], new])
    labels = after.read(TableName.LABELS).to_pylist()
    labels[0]["stance"] = "neutral"  # was favor
    write(after, TableName.LABELS, labels[:-1])
    predictions = after.read(TableName.PREDICTIONS).to_pylist()
    before = [row["stance"] for row in predictions[:3]]
    for row in predictions[:3]:
        row["stance"] = STANCES[(STANCES.index(row["stance"]) + 1) % 3]
    write(after, TableName.PREDICTIONS, predictions)
    evaluations = after.read(TableName.EVALUATIONS).to_pylist()
    for row in evaluations:
        row["predicted"] = row["gold"]
    write(after, TableName.EVALUATIONS, evaluations)
    assignments = after.read(TableName.TOPIC_ASSIGNMENTS).to_pylist()
    for row in assignments:  # names turned round, and one topic halved
        row["topic_id"] = (row["topic_id"] + 1) % 3
    for row in [row for row in assignments if row["topic_id"] == 0][:8]:
        row["topic_id"] = -1
    write(after, TableName.TOPIC_ASSIGNMENTS, assignments)
    trends = after.read(TableName.TRENDS).to_pylist()
    trends[0] |= {"share": 0.9, "share_low": 0.8, "share_high": 1.0}  # was 0.5 (0.4 to 0.6)
    trends[1]["share"] += 0.05  # inside
    write(after, TableName.TRENDS, trends)
    record = after.record(TableName.PREDICTIONS)
    after.write_record("predictions", replace(record, versions={"torch": "3"}, fingerprint={"code": "z"}))

    parts = parts_of(a.root, b.root)
    assert [(row["setting"], row["first"], row["second"]) for row in parts["settings"].rows] == [
        ("stance.epochs", "1.0", "2.0")
    ]
    assert parts["data"].summary == "48 and 48 posts: 1 added, 1 removed, 1 with another text"
    assert parts["data"].details["added"] == ["f" * 24] and parts["data"].details["changed"] == [posts[0]["post_id"]]
    assert "0 added, 1 removed, 1 changed" in parts["labels"].summary
    moves = {row["first"]: row for row in parts["labels"].rows}
    assert moves["favor"]["second: neutral"] == 1 and moves["favor"]["second: favor"] == 15
    assert sum(row["second: –"] for row in parts["labels"].rows) == 1
    assert "3 with another label (6.2%)" in parts["predictions"].summary
    assert [move[2] for move in parts["predictions"].details["changed"]] == before
    model = parts["model"]
    assert model.details["second"] == 1.0 and model.details["low"] > 0 and "clear" in model.summary
    assert model.details["difference"] == pytest.approx(1 - model.details["first"])
    topics = {row["first"]: (row["second"], row["shared"]) for row in parts["topics"].rows}
    assert topics == {0: (1, 1.0), 1: (2, 1.0), 2: (0, 0.5)}
    figures = parts["figures"]
    assert "3 shares in both, 2 moved (at most 0.400), 1 beyond both intervals" in figures.summary
    assert [row["clear"] for row in figures.rows] == ["yes"] and "favor" in figures.rows[0]["figure"]
    assert parts["versions"].summary.startswith("0 of 0 packages differ")
    assert all(part.is_changed for name, part in parts.items() if name != "versions")


def test_a_bundle_against_its_study_and_missing_parts(two, tmp_path):
    (a, corpus), (b, after) = two
    write_bundle(a, corpus, tmp_path / "a.zip", study_file=a.root / "study.toml")
    parts = parts_of(tmp_path / "a.zip", b.root / "study.toml")
    assert not any(part.is_changed for name, part in parts.items() if name != "versions")
    for name in ("topic_assignments", "evaluations", "trends", "predictions"):
        (after.folder / name / "run.json").unlink()
    parts = parts_of(tmp_path / "a.zip", b.data_dir)
    assert parts["topics"].missing == f"no topics in {b.data_dir}"
    assert "no held-out predictions" in parts["model"].summary and "no trends in" in parts["figures"].summary
    assert parts["predictions"].missing and parts["settings"].summary.startswith("0 settings differ, by their digests")
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match="is no run of a study"):
            open_run(path)


def test_outputs(two, capsys, tmp_path):
    (a, _), (b, after) = two
    predictions = after.read(TableName.PREDICTIONS).to_pylist()
    predictions[0]["stance"] = "neutral"
    write(after, TableName.PREDICTIONS, predictions)
    parts = compare_runs(open_run(a.root), open_run(b.root))
    names = {"first": "<a>", "second": "b|c"}
    content = json.loads(dump_comparison(parts, **names))
    assert content["parts"]["predictions"]["changed"] and content["parts"]["data"]["rows"]
    text = write_markdown(parts, **names)
    assert "## predictions" in text and "| first | second: favor |" in text
    page = render_comparison(parts, **names)
    assert "<h1>&lt;a&gt; and b|c</h1>" in page and page.count("<h2>") == 8 and "<script" not in page
    print_comparison(parts, DiffFormat.TABLE, **names)
    assert "predictions: 48 pairs in both" in capsys.readouterr().out
    print_comparison(parts, DiffFormat.TABLE, **names, output=tmp_path / "d.md")
    assert (tmp_path / "d.md").read_text(encoding="utf-8") == text


def test_rows_by_hand():
    a = [{"k": 1, "x": 0.5, "s": "a"}, {"k": 2, "x": 0.1, "s": "b"}, {"k": 3, "x": None, "s": "c"}]
    b = [{"k": 1, "x": 0.75, "s": "a"}, {"k": 2, "x": 0.1, "s": "z"}, {"k": 4, "x": 1.0, "s": "d", "new": 1}]
    found = compare_rows(a, b, ["k"])
    assert (found.added, found.removed, found.changed, found.n_same) == ([(4,)], [(3,)], [(1,), (2,)], 0)
    assert found.columns == {"x": 1, "s": 1} and found.largest == {"x": 0.25} and not found.is_close
    assert compare_rows(a, a, ["k"]).is_equal
    near = compare_rows([{"k": 1, "v": [0.1, 0.2]}], [{"k": 1, "v": [0.1, 0.3]}], ["k"])
    assert near.is_close and near.largest["v"] == pytest.approx(0.1)
    twice = compare_rows([{"k": 1, "s": "a"}, {"k": 1, "s": "b"}], [{"k": 1, "s": "b"}, {"k": 1, "s": "a"}], ["k"])
    assert twice.is_equal, "the order of rows does not count"
    assert compare_rows(a[:1], [{"k": 1, "x": 0.5, "s": "q"}], ["k"], ignore=["s"]).is_equal


def test_flatten():
    settings = {"a": {"b": 1}, "c": [{"d": 2}, {"d": 3}], "e": [1, 2], "f": []}
    assert flatten(settings) == {"a.b": 1, "c[0].d": 2, "c[1].d": 3, "e": [1, 2], "f": []}
