"""`nlp-study label`, `diff`, `export`, `verify` as a user types them."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest

from nlp_study import cli
from nlp_study.labelling.draws import read_draws

from .label_study import make_label_study


@pytest.fixture
def call(capsys, monkeypatch):
    """Run a command in this process; return exit code, stdout, stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["nlp-study", *map(str, words)])
        monkeypatch.setenv("COLUMNS", "160")
        with pytest.raises(SystemExit) as stop:
            cli.main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def study(tmp_path):
    """A study file with tables."""
    make_label_study(tmp_path / "study", n_authors=48)
    return tmp_path / "study/study.toml"


def test_every_command_has_examples(call):
    for words in (
        *(("label", name) for name in ("plan", "sample", "export", "import", "agreement", "status")),
        ("diff",),
        ("export",),
        ("verify",),
    ):
        code, out, _ = call(*words, "--help")
        assert code == 0 and "Example" in out, words


def test_from_a_wanted_margin_to_labels(call, study, tmp_path):
    code, out, _ = call("label", "plan", "-s", study, "--margin", "0.2", "-f", "json")
    plan = json.loads(out)
    total = max(row["labels"] for row in plan)
    assert code == 0 and [row["stance"] for row in plan] == ["favor", "against", "neutral"] and total < 48
    code, _, err = call(
        "label", "sample", "satu", "-s", study, "--margin", "0.2", "--design", "stratified", "--dry-run"
    )
    assert code == 0 and f"{total} labels for ±0.2" in err and "nothing was written" in err
    assert not (study.parent / "samples").exists()
    code, out, err = call("label", "sample", "satu", "-s", study, "--margin", "0.2", "--design", "stratified")
    assert code == 0 and f"satu: {total} of 48 posts, stratified" in out and "samples/satu.csv and .json written" in err
    code, _, err = call("label", "sample", "dua", "-s", study, "--margin", "0.2")
    assert code == 1 and "earlier draws hold enough posts" in err and "→" in err
    code, out, err = call("label", "export", "satu", "-s", study, "--tool", "csv")
    assert code == 0 and out.startswith(f"{total} tasks: data/labelling/satu.csv") and "do not publish them" in err
    sheet = (study.parent / "data/labelling/satu.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(sheet)))
    for i, row in enumerate(rows):
        row["stance"] = ("Mendukung", "against", "", "salah")[i % 4]
    done = tmp_path / "done.csv"
    with done.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    code, out, err = call("label", "import", done, "-s", study, "--annotator", "ani")
    n_bad = sum(i % 4 == 3 for i in range(total))
    assert code == 0 and f"{n_bad} failed: drawn.csv" in out and "0 changed" in out
    assert "done.csv:" in err and "«salah» is outside the set" in err and '[[labels]] path = "drawn.csv"' in err
    assert len((study.parent / "data/labelling/failures.csv").read_text().splitlines()) == n_bad + 1
    assert call("label", "import", done, "-s", study, "--annotator", "ani", "--strict")[0] == 1
    code, out, _ = call("label", "status", "-s", study)
    assert code == 0 and "satu" in out and "margin ±" in out
    code, out, _ = call("label", "export", "satu", "-s", study)
    n_left = total - len((study.parent / "drawn.csv").read_text().splitlines()) + 1
    assert out.startswith(f"{n_left} tasks"), "labelled posts are not asked for again"
    code, _, err = call("label", "export", "satu", "-s", study, "--prefill")
    assert code == 0 and "warning: prefilled labels pull readers toward the model" in err
    assert [draw.name for draw in read_draws(study.parent / "samples")] == ["satu"]


def test_a_margin_in_each_half_is_drawn_in_each_half(call, study):
    code, out, err = call("label", "sample", "satu", "-s", study, "--margin", "0.2", "--by", "quarter", "-f", "json")
    assert code == 0 and "in each of 2 periods" in err
    assert [row["stratum"] for row in json.loads(out)] == ["2024-Q1", "2024-Q2"]


def test_usage(call, study):
    for words, expected in (
        (("sample", "satu"), "give either --size or --margin"),
        (("sample", "satu", "--size", "5", "--margin", "0.1"), "give either --size or --margin"),
        (("plan",), "give either --margin or --labels"),
        (("export", "satu"), "there is no draw «satu»"),
        (("import", "hilang.json"), "no file at hilang.json"),
        (("agreement", "--annotators", "zul"), "no labels by zul"),
    ):
        code, _, err = call("label", *words, "-s", study)
        assert code == 1 and expected in err and "→" in err, words
    code, _, err = call("label", "status", "-s", study)
    assert code == 0 and "there is no draw yet" in err


def test_agreement(call, study, tmp_path):
    with (study.parent / "labels.csv").open("a") as file:
        lines = (study.parent / "labels.csv").read_text().splitlines()[1:7]
        for i, line in enumerate(lines):
            post_id, target, stance, _ = line.split(",")
            file.write(f"{post_id},{target},{stance if i else 'neutral'},a2\n")
    code, out, _ = call("label", "agreement", "-s", study)
    assert (
        code == 0
        and "a1 a2" in out
        and "0.833" in out
        and "Catatan ke-0" in out
        and "a1 (rows) and a2 (columns)" in out
    )
    code, out, _ = call("label", "agreement", "-s", study, "-f", "csv", "--annotators", "a1,a2")
    assert out.splitlines()[0] == "post_id,title,target,a1,a2,adjudicated" and len(out.splitlines()) == 2
    code, out, _ = call("label", "agreement", "-s", study, "-f", "json")
    assert json.loads(out)["agreed"] == 5
    code, out, _ = call("label", "agreement", "-s", study, "-f", "html", "-o", tmp_path / "a.html")
    assert code == 0 and "Kesepakatan anotator" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_export_verify_diff(call, study, tmp_path):
    code, out, err = call("export", tmp_path / "shared", "-s", study)
    assert code == 0 and "posts (48 rows)" in out and "answer what it leaves open" in err
    assert (tmp_path / "shared/DATASHEET.md").is_file()
    code, out, _ = call("export", tmp_path / "b.zip", "-s", study, "--kind", "bundle")
    assert code == 0 and "files" in out
    code, out, err = call("verify", tmp_path / "b.zip", "-s", study)
    assert code == 0 and "reproduced" in err and "different" not in out
    code, out, _ = call("diff", tmp_path / "b.zip", study, "-f", "json")
    assert code == 0 and not any(part["changed"] for part in json.loads(out)["parts"].values())
    (study.parent / "data/predictions/run.json").unlink()
    code, out, err = call("verify", tmp_path / "b.zip", "-s", study.parent, "-f", "csv")
    assert code == 1 and "outcome,predictions,missing" in out and "not reproduced" in err
    code, out, _ = call("export", tmp_path / "inside", "-s", study, "--with-names")
    assert code == 0 and "Penulis 0" in (tmp_path / "inside/posts.csv").read_text()
    for words, expected in (
        (("x", "--kind", "bundle"), "a bundle is a zip file"),
        (("x", "--kind", "dehydrated", "--with-texts"), "holds no texts and no names"),
        (("x.zip", "--kind", "bundle", "--with-addresses"), "goes with --kind dehydrated"),
    ):
        code, _, err = call("export", *words, "-s", study)
        assert code == 1 and expected in err
    assert call("diff", tmp_path, study)[0] == 1
