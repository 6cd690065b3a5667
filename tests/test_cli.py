"""Commands as a user types them: output, exit codes, messages for bad input, nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nlp_study import cli
from nlp_study.schema import TableName

from .conftest import REPOSITORY, SHARED_DATA, needs_shared_data


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


def test_help_is_quick_and_complete(call):
    started = time.monotonic()
    found = subprocess.run(
        [sys.executable, "-m", "nlp_study.cli", "--help"], capture_output=True, text=True, check=True
    )
    assert time.monotonic() - started < 2, "the bar is 0.5 s; a busy machine gets four times that"
    for command in (
        "init",
        "run",
        "status",
        "import",
        "train",
        "evaluate",
        "parse",
        "kwic",
        "collocates",
        "sketch",
        "keywords",
        "ngrams",
        "dispersion",
        "readability",
        "drift",
        "classify",
        "topics",
        "trends",
        "estimate",
        "changes",
        "decompose",
        "report",
        "query",
        "show",
    ):
        assert command in found.stdout
        code, out, _ = call(command, "--help")
        assert code == 0 and "Example" in out, command


def test_no_heavy_import_for_help():
    heavy = ("torch", "transformers", "pandas", "pyarrow", "duckdb", "pydantic")
    code = f"import sys; import nlp_study.cli; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_init_run_status_query_show(call, tmp_path, make_study):
    code, out, _ = call("init", tmp_path / "new", "--name", "kopi")
    assert code == 0 and (tmp_path / "new/study.toml").read_text().count('name = "kopi"') == 1
    assert call("init", tmp_path / "new")[0] == 1
    path = make_study()
    code, out, err = call("run", "--study", path)
    assert code == 0 and "report: " in out and "import" in err
    code, out, _ = call("status", "--study", path, "--format", "json")
    states = {row["stage"]: row["state"] for row in json.loads(out)}
    parsed = states.pop("parse") == "fresh"  # skipped without models/id_ud_sm
    assert set(states.values()) == {"fresh"}
    code, out, err = call("run", "-s", path)
    assert code == 0 and err.count("unchanged") == 9 + parsed
    code, out, _ = call(
        "query", "SELECT stance, count(*) AS n FROM labels GROUP BY ALL ORDER BY ALL", "-s", path, "-f", "csv"
    )
    assert out == "stance,n\nagainst,8\nfavor,8\nneutral,8\n"
    code, out, _ = call("show", "64000000", "-s", path)
    assert code == 0 and "Catatan ke-0" in out and "pasar daring: favor by a1" in out and "topic" in out and "%" in out
    assert call("show", "6", "-s", path)[0] == 1
    code, _, err = call("show", "zzz", "-s", path)
    assert code == 1 and "no post zzz" in err
    code, out, _ = call("evaluate", "-s", path)
    assert code == 0 and "majority" in out and "tfidf" in out and "gold" in out
    code, out, _ = call("trends", "-s", path, "-f", "csv")
    assert out.splitlines()[0] == (
        "month,target,stance,n_stance,n_posts,share,share_low,share_high,n_labels,corrected,corrected_low,corrected_high,"
        "trend,trend_low,trend_high"
    )
    target = tmp_path / "p.parquet"
    assert call("classify", "-s", path, "-f", "parquet", "-o", target)[0] == 0
    assert pq.read_table(target).num_rows == 24
    code, out, _ = call("topics", "-s", path)
    assert code == 0 and "words" in out
    code, out, _ = call("report", "-s", path)
    assert code == 0 and "report.html" in out
    code, out, _ = call("train", "-s", path, "--no-evaluate", "--name", "satu")
    assert code == 0 and '[stance] model = "models/satu"' in out and (path.parent / "models/satu/README.md").is_file()


def test_import_by_hand(call, make_study, tmp_path):
    path = make_study()
    extra = tmp_path / "extra.csv"
    extra.write_text("isi;judul\nSatu paragraf tentang kios.;Kios\n;kosong\n", encoding="utf-8")
    code, out, _ = call("import", extra, "--format", "csv", "--map", "text=isi", "-s", path)
    assert code == 0 and out.startswith("1 posts, 0 labels") and "1 failed" in out
    code, out, _ = call("query", "failures", "-s", path, "-f", "json")
    assert json.loads(out)[0]["where"] == "extra.csv:3"
    assert call("import", extra, "--format", "csv", "-s", path, "--strict")[0] == 1
    code, _, err = call("import", extra, "--format", "csv", "--map", "isi", "-s", path)
    assert code == 1 and "KEY=VALUE" in err


def tables(path: Path) -> list[str]:
    return sorted(p.relative_to(path.parent).as_posix() for p in path.parent.glob("data/*/*"))


BAD_CSV = {
    "missing column": ("judul,tanggal\na,b\n", "text"),
    "broken encoding": (b"isi,judul\n\xe9\xff,a\n", "UTF-8"),
    "empty": ("", ""),
}


@pytest.mark.parametrize("case", BAD_CSV)
def test_bad_files(call, make_study, tmp_path, case):
    content, expected = BAD_CSV[case]
    path = make_study()
    bad = tmp_path / "bad.csv"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    code, out, err = call("import", bad, "--format", "csv", "-s", path)
    assert code == 1 and expected in err and "→" in err and not out
    assert tables(path) == []


def test_bad_studies(call, make_study):
    path = make_study()
    for change, expected in (
        (("min_words = 10", "minwords = 10"), "did you mean «min_words»"),
        (('format = "jsonl"', 'format = "json"'), "sources[0].format"),
        (('path = "posts.jsonl"', 'path = "nowhere.jsonl"'), "nowhere.jsonl"),
    ):
        good = path.read_text()
        path.write_text(good.replace(*change))
        code, out, err = call("run", "-s", path)
        path.write_text(good)
        assert code == 1 and expected in err and "→" in err and not out
    code, _, err = call("run", "-s", path.parent / "none.toml")
    assert code == 1 and "nlp-study init" in err
    assert tables(path) == []


def test_one_class(call, make_study):
    path = make_study()
    labels = path.parent / "labels.csv"
    lines = labels.read_text().splitlines()
    labels.write_text("\n".join(line for line in lines if "favor" in line or "post_id" in line) + "\n")
    code, _, err = call("evaluate", "-s", path)
    assert code == 1 and "at least two classes" in err and "→" in err
    assert not (path.parent / "data/evaluations").exists()


def test_a_label_outside_the_set(call, make_study):
    path = make_study()
    with (path.parent / "labels.csv").open("a") as handle:
        handle.write("640000000000000000000000,pasar daring,irrelevant,a7\n")
    code, _, err = call("run", "-s", path, "--only", "import")
    assert code == 0 and "1 rows could not be used: nlp-study query failures" in err
    _, out, _ = call("query", "failures", "-s", path, "-f", "json")
    assert "outside the set favor, against, neutral" in json.loads(out)[0]["reason"]


def test_a_truncated_table(call, make_study):
    path = make_study()
    assert call("run", "-s", path, "--only", "import")[0] == 0
    part = next(path.parent.glob("data/posts/*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    code, _, err = call("run", "-s", path, "--only", "segment")
    assert code == 1 and part.name in err and "delete the folder" in err


def test_a_model_without_weights(call, make_study, tmp_path):
    path = make_study()
    empty = tmp_path / "empty-model"
    empty.mkdir()
    path.write_text(path.read_text().replace("[stance]\n", f'[stance]\nmodel = "{empty}"\n'))
    code, _, err = call("classify", "-s", path)
    assert code == 1 and "is no stance model" in err and "→" in err


def test_usage_errors(call, make_study):
    assert call("nothing")[0] == 2
    assert call("run", "--nothing")[0] == 2
    path = make_study()
    assert call("run", "-s", path, "--only", "nothing")[0] == 1
    code, _, err = call("query", "DROP TABLE posts", "-s", path)
    assert code == 1 and "read-only" in err
    assert call("query", "-s", path)[0] == 1
    code, out, _ = call("query", "--schema", "-f", "csv")
    assert code == 0 and "predictions,proba_favor" in out


def test_train_without_gpu_or_hub_says_what_to_do(call, make_study):
    path = make_study()
    code, _, err = call("train", "-s", path, "--profile", "gpu", "--encoder", "indobenchmark/indobert-base-p1")
    assert code == 1 and "needs a CUDA GPU" in err and "PROFILE=cpu" in err
    code, _, err = call("train", "-s", path, "--encoder", "indobenchmark/indobert-base-p1")
    assert code == 1 and "cannot fetch indobenchmark/indobert-base-p1" in err and "hf download" in err


def test_every_table_is_described():
    from nlp_study.schema import describe_tables, table_specs

    described = {(row["table"], row["column"]) for row in describe_tables().to_pylist()}
    for name, spec in table_specs().items():
        assert all((str(name), column) in described or column == "vector" for column in spec.schema.names)
    assert all(row["meaning"] for row in describe_tables().to_pylist())
    assert set(table_specs()) == set(TableName)


def test_ctrl_c_in_the_middle_of_a_stage(make_study):
    """The real signal to the real process: exit code 130, a plain message, finished stages kept, nothing half-written."""
    path = make_study(n_posts=28)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "nlp_study.cli", "run", "--study", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    deadline = time.monotonic() + 120
    while not (path.parent / "data/posts/run.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "finished stages are kept" in err and "Traceback" not in err and not out
    assert not list(path.parent.rglob("*.tmp-*"))
    assert subprocess.run(command, capture_output=True, env=environment, check=False).returncode == 0


@needs_shared_data
def test_the_seed_page_is_shown(call, make_study):
    path = make_study()
    assert call("import", SHARED_DATA / "seed", "--format", "text-dump", "-s", path)[0] == 0
    code, out, _ = call("show", "sha-", "-s", path)
    assert code == 0
    for part in (
        "author_job",
        "Sosbud",
        "Pilihan",
        "2024-06-18 09:34:00+07:00",
        "n_views       110",
        "sha256",
        "not classified yet",
    ):
        assert part in out


def test_readme_commands_run(tmp_path, monkeypatch):
    """What the README tells a newcomer to type, on a copy of the default study; set-up targets are left to CI."""
    import re

    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.S)
    commands = [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]
    typed = [command for command in commands if command.startswith(".venv/bin/nlp-study")]
    assert len(typed) >= 6 and {"make study", "make test", "make train"} <= set(commands)
    makefile = (REPOSITORY / "Makefile").read_text()
    for command in commands:
        if command.startswith("make "):
            assert re.search(rf"^{command.split()[1]}:", makefile, flags=re.M), command
    for name in ("corpus", "study.toml"):
        source = REPOSITORY / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    posts = tmp_path / "corpus/demo/posts.jsonl"
    posts.write_text("".join(posts.read_text().splitlines(keepends=True)[::16]))
    quick = (
        (tmp_path / "study.toml")
        .read_text()
        .replace("seeds = [1, 2, 3, 4, 5] ", "seeds = [1] ")
        .replace("folds = 5 ", "folds = 2 ")
    )
    (tmp_path / "study.toml").write_text(quick)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in typed:
        line = command.replace(".venv/bin/nlp-study", f"{sys.executable} -m nlp_study.cli")
        found = subprocess.run(
            line, shell=True, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False
        )
        assert found.returncode == 0, f"{command}\n{found.stderr}"
    python = re.search(r"<!-- python, run by a test -->\n```python\n(.*?)```", text, flags=re.S)
    assert python
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(python.group(1), names)
    assert len(names["predictions"]) > 0 and len(names["monthly"]) > 0
