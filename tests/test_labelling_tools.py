"""The way to annotators and back: tasks as the tools read them, their exports as they write them, label files append-only."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlp_study.errors import ConfigError, DataError, StoreError
from nlp_study.labelling.annotations import Annotation, read_annotations
from nlp_study.labelling.designs import Design
from nlp_study.labelling.draws import combine_probas, find_draw, read_draws
from nlp_study.labelling.intake import import_labels, label_file, read_names
from nlp_study.labelling.progress import list_margins, list_progress, read_drawn_labels
from nlp_study.labelling.readers import (
    compare_readers,
    dump_agreement,
    list_agreement,
    list_disagreements,
    render_agreement,
)
from nlp_study.labelling.sample import draw_sample, draws_folder
from nlp_study.labelling.tasks import Task, Tool, export_tasks, read_tasks
from nlp_study.labelling.texts import HINTS, read_hints, read_stance, read_version
from nlp_study.labels import read_label_file
from nlp_study.schema import Label, Stance, TableName

from .conftest import REPOSITORY
from .label_study import STANCES, TARGET, make_label_study

WORDS = st.sampled_from(
    "data annotations result value choices from_name stance completed_by id was_cancelled label labels meta post_id target "
    "updated_at annotator".split()
)


@pytest.fixture
def drawn(tmp_path):
    """A study with one random draw of 12 posts."""
    study, corpus = make_label_study(tmp_path)
    return study, corpus, draw_sample(study, corpus, "satu", sizes={"all": 12})


def write_json(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def annotate(task, *decisions, **more):
    """A task as Label Studio's JSON export has it; decisions are (user, label)."""
    return {
        "id": 1,
        "data": task["data"],
        "annotations": [
            {
                "completed_by": who,
                "was_cancelled": False,
                "created_at": "2026-03-01T02:03:04.567890Z",
                "result": [
                    {"from_name": "stance", "to_name": "text", "type": "choices", "value": {"choices": [label]}},
                    {"from_name": "catatan", "to_name": "text", "type": "textarea", "value": {"text": ["entah"]}},
                ],
                **more,
            }
            for who, label in decisions
        ],
    }


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ---- out ---------------------------------------------------------------------------------------------------------------


def test_tasks_are_in_random_order_and_hold_no_author_and_no_guess(drawn):
    study, corpus, draw = drawn
    tasks = read_tasks(study, corpus, draw)
    ids = [task.post_id for task in tasks]
    assert sorted(ids) == draw.drawn and ids != draw.drawn
    assert [task.post_id for task in read_tasks(study, corpus, draw)] == ids, "the same at every call"
    assert "«pasar daring»" in tasks[0].question and tasks[0].text.startswith("Di ") and tasks[0].guess is None
    assert not any("Penulis" in f"{task.title}{task.text}{task.question}" for task in tasks)
    left = read_tasks(study, corpus, draw, skip=ids[:4])
    assert [task.post_id for task in left] == ids[4:]


def test_label_studio_files(drawn, tmp_path):
    study, corpus, draw = drawn
    tasks = read_tasks(study, corpus, draw)
    files = export_tasks(tasks, Tool.LABEL_STUDIO, tmp_path / "t.json", stances=study.study.stances)
    content = json.loads(files[0].read_text(encoding="utf-8"))
    assert set(content[0]) == {"data"} and content[0]["data"]["post_id"] == tasks[0].post_id
    view = ET.fromstring(files[1].read_text(encoding="utf-8"))
    choices = view.find("Choices")
    assert [c.get("alias") for c in choices] == list(STANCES) and choices[0].get("value") == "Mendukung"
    assert all(c.get("hint") for c in choices)
    names = {tag.get("value", "")[1:] for tag in view if tag.get("value", "").startswith("$")}
    assert names <= set(content[0]["data"]), "every field of the interface is in the tasks"
    prefilled = read_tasks(study, corpus, draw, prefill=True)
    files = export_tasks(prefilled, Tool.LABEL_STUDIO, tmp_path / "p.json", stances=study.study.stances)
    guess = json.loads(files[0].read_text(encoding="utf-8"))[0]["predictions"][0]
    assert guess["model_version"] == "model-a" and guess["result"][0]["value"]["choices"][0] in STANCES
    assert "tebakan mesin" in files[1].read_text(encoding="utf-8"), "annotators are told"


def test_doccano_and_csv_files(drawn, tmp_path):
    study, corpus, draw = drawn
    tasks = read_tasks(study, corpus, draw)
    files = export_tasks(tasks, Tool.DOCCANO, tmp_path / "t.jsonl", stances=study.study.stances)
    lines = [json.loads(line) for line in files[0].read_text(encoding="utf-8").splitlines()]
    assert lines[0]["label"] == [] and lines[0]["text"].startswith(tasks[0].title) and lines[0]["post_id"]
    assert [row["text"] for row in json.loads(files[1].read_text())] == list(STANCES)
    assert "| `favor` | Mendukung |" in files[2].read_text(encoding="utf-8")
    sheet = export_tasks(tasks, Tool.CSV, tmp_path / "t.csv", stances=study.study.stances)[0].read_bytes()
    assert sheet.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(sheet.decode("utf-8-sig"))))
    assert rows[0]["post_id"] == tasks[0].post_id and rows[0]["stance"] == "" and rows[0]["annotator"] == ""
    formula = Task("p", TARGET, "?", "", "=1+1", "@SUM(A1)", "")
    cells = export_tasks([formula], Tool.CSV, tmp_path / "f.csv", stances=study.study.stances)[0].read_text("utf-8-sig")
    assert "'=1+1" in cells and "'@SUM" in cells
    with pytest.raises(DataError, match="nothing to label"):
        export_tasks([], Tool.CSV, tmp_path / "n.csv", stances=study.study.stances)


# ---- back --------------------------------------------------------------------------------------------------------------


def test_reading_label_studio(tmp_path):
    task = {"data": {"post_id": "p1", "target": "t"}}
    both = annotate(task, (7, "favor"), ({"id": 9, "email": "x@y.id"}, "Menentang"))
    two = annotate(task, (7, "favor"))
    two["annotations"][0]["result"][0]["value"]["choices"] = ["favor", "neutral"]
    skipped = annotate(task, (7, "favor"), was_cancelled=True)
    empty = {"data": task["data"], "annotations": [{"completed_by": 7, "result": []}]}
    found = list(read_annotations(write_json(tmp_path / "a.json", [both, two, skipped, empty, 3])))
    assert [(a.where, a.annotator, a.label) for a in found[:2]] == [
        ("a.json:task 1", "ls-7", "favor"),
        ("a.json:task 1", "ls-9", "Menentang"),
    ]
    assert found[0].labelled_at.isoformat() == "2026-03-01T02:03:04+00:00"
    assert (
        found[2].problem == "has 2 labels: favor, neutral" and found[3].label == "" and found[4].problem == "is no task"
    )
    small = [
        {"post_id": "p1", "stance": "favor", "annotator": 3, "updated_at": "2026-03-01T00:00:00Z"},
        {"post_id": "p2"},
    ]
    found = list(read_annotations(write_json(tmp_path / "min.json", small)))
    assert (found[0].label, found[0].annotator) == ("favor", "ls-3") and found[1].label == ""


def test_reading_doccano(tmp_path):
    rows = [
        {"id": 1, "text": "x", "label": ["favor"], "post_id": "p1", "target": "t", "Comments": []},
        {"id": 2, "text": "x", "label": [], "post_id": "p2"},
        {"id": 3, "text": "x", "labels": ["favor", "against"], "post_id": "p3"},
        {"id": 4, "text": "x", "annotations": [{"label": 7, "user": 1}], "meta": {"post_id": "p4"}},
        {"id": 5, "text": "x\u2028y", "label": "neutral", "meta": {"post_id": "p5"}},
    ]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n{oops\n"
    (tmp_path / "ani.jsonl").write_text(text, encoding="utf-8")
    found = list(read_annotations(tmp_path / "ani.jsonl"))
    assert found[0] == Annotation("ani.jsonl:1", "p1", "t", "favor", "ani")
    assert found[1].label == "" and not found[1].problem
    assert "one is wanted" in found[2].problem and "holds numbers instead of labels" in found[3].problem
    assert found[4].post_id == "p5" and found[4].label == "neutral"
    assert found[5].where == "ani.jsonl:6" and "is no JSON" in found[5].problem
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("budi.jsonl", json.dumps(rows[0]))
        archive.writestr("all.jsonl", json.dumps(rows[0]))
    assert [a.annotator for a in read_annotations(tmp_path / "export.zip")] == ["", "budi"]
    found = list(read_annotations(write_json(tmp_path / "citra.json", rows[:1])))
    assert found == [Annotation("citra.json:task 1", "p1", "t", "favor", "citra")], "doccano's JSON"
    (tmp_path / "dina.csv").write_text("id,text,label,post_id\n1,x,favor,p1\n")
    assert next(iter(read_annotations(tmp_path / "dina.csv"))).label == "favor", "and its CSV"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_odd_files_are_listed_not_fatal(tmp_path, content):
    """Whatever JSON comes, each row is a decision, an empty one or a problem."""
    lines = "\n".join(json.dumps(row) for row in content)
    (tmp_path / "x.jsonl").write_text(lines if not lines.startswith("[") else "{}\n" + lines, encoding="utf-8")
    for path in (write_json(tmp_path / "x.json", content), tmp_path / "x.jsonl"):
        for found in read_annotations(path):
            assert all(
                isinstance(v, str) for v in (found.where, found.post_id, found.label, found.annotator, found.problem)
            )


def test_reading_csv(tmp_path):
    (tmp_path / "s.csv").write_text("post_id;stance;annotator\np1;Tidak relevan;ani\np2;;ani\n", encoding="utf-8-sig")
    found = list(read_annotations(tmp_path / "s.csv"))
    assert [(a.where, a.post_id, a.label) for a in found] == [("s.csv:2", "p1", "Tidak relevan"), ("s.csv:3", "p2", "")]
    (tmp_path / "bad.csv").write_text("id,sikap\n1,favor\n")
    with pytest.raises(DataError, match="lacks the column post_id, stance"):
        list(read_annotations(tmp_path / "bad.csv"))
    (tmp_path / "latin.csv").write_bytes(b"post_id,stance\n\xe9,favor\n")
    with pytest.raises(DataError, match="is not UTF-8"):
        list(read_annotations(tmp_path / "latin.csv"))
    with pytest.raises(DataError, match="no file at"):
        list(read_annotations(tmp_path / "none.csv"))
    assert read_stance(" tidak  relevan ") is Stance.IRRELEVANT and read_stance("setuju") is None


def test_import_keeps_probabilities_lists_failures_and_is_idempotent(drawn, tmp_path):
    study, corpus, draw = drawn
    (tmp_path / "codebook.md").write_text("# Buku kode\n\nVersi 2.1. Bahasa Indonesia dahulu.\n", encoding="utf-8")
    files = export_tasks(
        read_tasks(study, corpus, draw), Tool.LABEL_STUDIO, tmp_path / "t.json", stances=study.study.stances
    )
    tasks = json.loads(files[0].read_text(encoding="utf-8"))
    undrawn = next(p.post_id for p in draw.posts if not p.drawn)
    bad = [
        annotate({"data": {"post_id": "hilang", "target": TARGET}}, (7, "favor")),
        annotate({"data": {"post_id": tasks[0]["data"]["post_id"], "target": "kopi"}}, (7, "favor")),
        annotate({"data": {"post_id": undrawn, "target": TARGET}}, (7, "favor")),
        annotate(tasks[0], (8, "irrelevant"), (8, "mungkin")),
    ]
    good = [annotate(task, (7, "favor"), (9, "Menentang")) for task in tasks]
    path = write_json(tmp_path / "back.json", [*good, *bad])
    counts = import_labels(study, corpus, [path], names={"ls-7": "ani"})
    assert (counts.added, counts.changed, counts.known, counts.empty, counts.restated) == (24, 0, 0, 0, 0)
    assert [failure.where for failure in counts.failures] == [f"back.json:task {n}" for n in (13, 14, 15, 16, 16)]
    reasons = [failure.reason for failure in counts.failures]
    assert "no post hilang" in reasons[0] and "target «kopi»" in reasons[1] and "no draw holds this post" in reasons[2]
    assert "outside the set favor, against, neutral" in reasons[3] and "«mungkin»" in reasons[4]
    to = label_file(study)
    assert to == tmp_path / "drawn.csv" and len(rows_of(to)) == 24
    row = rows_of(to)[0]
    assert row["annotator"] == "ani" and float(row["sampling_proba"]) == pytest.approx(0.25)
    assert row["guideline"] == "2.1" and row["labelled_at"] == "2026-03-01T02:03:04+00:00"
    before = to.read_bytes()
    again = import_labels(study, corpus, [path], names={"ls-7": "ani"})
    assert (again.added, again.changed, again.known) == (0, 0, 24) and to.read_bytes() == before
    changed = write_json(tmp_path / "change.json", [annotate(tasks[0], (7, "neutral"))])
    assert import_labels(study, corpus, [changed], names={"ls-7": "ani"}).changed == 1
    assert to.read_bytes().startswith(before) and len(rows_of(to)) == 25, "append-only"
    labels = [row for row in read_label_file(to) if isinstance(row, Label)]
    assert len(labels) == 25 and labels[-1].stance is Stance.NEUTRAL
    taken = import_labels(study, corpus, [write_json(tmp_path / "u.json", [bad[2]])], without_draw=True)
    assert taken.added == 1 and rows_of(to)[-1]["sampling_proba"] == "", "nobody knows its probability"


def test_a_second_draw_restates_the_first(drawn, tmp_path):
    study, corpus, first = drawn

    def send(name, ids):
        lines = [json.dumps({"post_id": i, "target": TARGET, "label": ["favor"], "text": "x"}) for i in ids]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
        return import_labels(study, corpus, [tmp_path / f"{name}.jsonl"], annotator="ani", names={name: "ani"})

    half = send("a", first.drawn[:6])
    assert (half.added, half.restated) == (6, 0)
    assert {float(row["sampling_proba"]) for row in rows_of(label_file(study))} == {0.125}, "half of 12 of 48"
    rest = send("b", first.drawn[6:])
    assert (rest.added, rest.restated) == (6, 6)
    second = draw_sample(study, corpus, "dua", sizes={"all": 12}, design=Design.UNCERTAIN)
    assert second.after == ("satu",)
    done = send("c", second.drawn)
    assert (done.added, done.restated) == (12, 12)
    last = {row["post_id"]: float(row["sampling_proba"]) for row in rows_of(label_file(study))}
    expected = combine_probas(read_draws(draws_folder(study)))
    assert last == pytest.approx({i: expected[i] for i in [*first.drawn, *second.drawn]})
    progress = list_progress(study, read_drawn_labels(study))
    assert [(row["draw"], row["drawn"], row["labelled"], row["left"]) for row in progress] == [
        ("dua", 12, 12, 0),
        ("satu", 12, 12, 0),
    ]
    margins = list_margins(study, corpus, read_drawn_labels(study), target=TARGET)
    assert margins[0]["labels"] == 24 and 12 < margins[0]["effective"] <= 24 and 0 < margins[0]["margin ±"] < 0.3


def test_a_label_file_keeps_its_own_columns_and_a_failed_write_leaves_it(drawn, tmp_path, monkeypatch):
    study, corpus, draw = drawn
    to = tmp_path / "mine.csv"
    to.write_text("stance,post_id,note,annotator,target\nfavor,x,dulu,z,pasar daring", encoding="utf-8")
    (tmp_path / "s.csv").write_text(f"post_id,stance\n{draw.drawn[0]},favor\n")
    assert import_labels(study, corpus, [tmp_path / "s.csv"], to=to).failures[0].reason.startswith("nobody is named")
    counts = import_labels(study, corpus, [tmp_path / "s.csv"], to=to, annotator="ani")
    assert counts.added == 1
    lines = to.read_text().splitlines()
    assert lines[1:] == ["favor,x,dulu,z,pasar daring", f"favor,{draw.drawn[0]},,ani,pasar daring"]

    def fail(*_):
        raise StoreError("disk full")

    monkeypatch.setattr("nlp_study.labelling.intake.write_file", fail)
    (tmp_path / "s.csv").write_text(f"post_id,stance\n{draw.drawn[1]},favor\n")
    with pytest.raises(StoreError):
        import_labels(study, corpus, [tmp_path / "s.csv"], to=to, annotator="ani")
    assert to.read_text().splitlines() == lines


def test_small_things(tmp_path):
    assert read_names(["ls-7=ani", " b = budi "]) == {"ls-7": "ani", "b": "budi"}
    with pytest.raises(ConfigError, match="is no FROM=TO"):
        read_names(["ani"])
    assert read_version(tmp_path) is None and read_hints(tmp_path) == HINTS
    gold = REPOSITORY / "corpus/gold"
    hints = read_hints(gold)
    assert read_version(gold) == "1.0" and all(hints[stance] != HINTS[stance] for stance in Stance)
    assert hints[Stance.IRRELEVANT] == "tidak membahas target, walaupun kata-katanya dipakai", "the Indonesian table"
    with pytest.raises(DataError, match="there is no draw «dua»"):
        find_draw(tmp_path, "dua")


# ---- agreement ---------------------------------------------------------------------------------------------------------


def test_readers_two_by_two():
    def label(post, who, stance):
        return {"post_id": post, "target": TARGET, "annotator": who, "stance": stance}

    rows = [
        *(label(f"p{i}", "a", "favor") for i in range(4)),
        *(label(f"p{i}", "b", "favor" if i < 3 else "against") for i in range(4)),
        label("p0", "c", "neutral"),
        label("p3", "adjudicated", "against"),
    ]
    whole, pairs = compare_readers(rows, labels=STANCES)
    assert whole.annotators == ("a", "b", "c") and [(p.first, p.second, p.n_pairs) for p in pairs] == [
        ("a", "b", 4),
        ("a", "c", 1),
        ("b", "c", 1),
    ]
    assert pairs[0].share_agreed == 0.75
    assert pairs[0].confusion["favor"] == {"favor": 3, "against": 1, "neutral": 0}
    # 8 readings, 7 favor and 1 against: expected 1 - (7*6 + 0) / (8*7) = 0.25, observed 2/8: alpha 0
    assert pairs[0].alpha == pytest.approx(0)
    assert len(list_agreement(whole, pairs)) == 4
    posts = {
        "p3": {"title": "<b>Judul</b>", "url": "javascript:alert(1)"},
        "p0": {"title": "Nol", "url": "https://x.id/1"},
    }
    differing = list_disagreements(whole, posts)
    assert [(r["post_id"], r["a"], r["b"], r["c"], r["adjudicated"]) for r in differing] == [
        ("p0", "favor", "favor", "neutral", None),
        ("p3", "favor", "against", None, "against"),
    ]
    page = render_agreement(whole, pairs, differing, posts)
    assert "&lt;b&gt;Judul" in page and "javascript" not in page and 'href="https://x.id/1"' in page
    content = json.loads(dump_agreement(whole, pairs, differing))
    assert content["two_by_two"][1]["low"] is None and content["pairs"] == 4 and len(content["disagreements"]) == 2


def test_forgetting_reaches_draws_labels_and_exports(drawn, tmp_path):
    from nlp_study.privacy.forget import forget

    study, corpus, draw = drawn
    files = export_tasks(
        read_tasks(study, corpus, draw),
        Tool.DOCCANO,
        corpus.folder / "labelling/satu.jsonl",
        stances=study.study.stances,
    )
    (tmp_path / "s.csv").write_text(f"post_id,stance\n{draw.drawn[0]},favor\n{draw.drawn[1]},favor\n")
    import_labels(study, corpus, [tmp_path / "s.csv"], annotator="ani")
    forget(study, corpus, None, post=draw.drawn[0])
    assert draw.drawn[0] not in (draws_folder(study) / "satu.csv").read_text()
    assert len(find_draw(draws_folder(study), "satu").posts) == 47
    assert [row["post_id"] for row in rows_of(label_file(study))] == [draw.drawn[1]]
    assert not files[0].exists() and corpus.n_rows(TableName.POSTS) == 47
