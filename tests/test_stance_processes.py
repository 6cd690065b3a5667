"""Two processes with gloo train through the command line, as torchrun starts them on a box with two GPUs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nlp_study.errors import ConfigError
from nlp_study.schema import MODEL_EVALUATIONS
from nlp_study.stance import processes
from nlp_study.stance.model import load_classifier
from tests.conftest import REPOSITORY

DRIVER = '''
"""The command line, with what each process trained written down."""
import os, sys
from dataclasses import asdict
import torch
from nlp_study import cli
from nlp_study.stance import classify, standalone

fit = standalone.fit_classifier

def fit_and_write(*arguments, **options):
    model, history = fit(*arguments, **options)
    found = {"state": model.classifier.state_dict(), "history": asdict(history)}
    torch.save(found, f"{os.environ['SEEN']}/{os.environ['RANK']}.pt")
    return model, history

classify.fit_classifier = standalone.fit_classifier = fit_and_write
cli.main()
'''


def write_plain_posts(folder: Path) -> None:
    """Replace the posts' texts by words that give their stance away, so that tuning lowers the loss."""
    words = ("untung maju lega", "rugi sepi mahal", "warung kopi beras")
    posts = [json.loads(line) for line in (folder / "posts.jsonl").read_text().splitlines()]
    for i, post in enumerate(posts):
        post["paragraphs"] = [f"pasar pagi {i} {words[i % 3]} hujan {words[i % 3]} " * 3]
    (folder / "posts.jsonl").write_text("".join(json.dumps(post) + "\n" for post in posts))


def torchrun(program: list[str], *options: object, **environment: str) -> subprocess.CompletedProcess[str]:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *program]
    return subprocess.run(
        [*launch, *map(str, options)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        timeout=280,
        check=False,
    )


def test_two_processes_train_one_model(make_study, tmp_path):
    path = make_study(n_posts=48, n_authors=12)
    text = path.read_text().replace("epochs = 1", "epochs = 5\nlearning_rate = 3e-3")
    path.write_text(text.replace("frozen_layers = 0", "frozen_layers = 1"))
    write_plain_posts(path.parent)
    driver, seen = tmp_path / "driver.py", tmp_path / "seen"
    driver.write_text(DRIVER)
    seen.mkdir()
    found = torchrun([str(driver)], "train", "-s", path, "--name", "dua", "--format", "csv", SEEN=str(seen))
    assert found.returncode == 0, found.stderr
    first, second = (torch.load(seen / f"{rank}.pt") for rank in (0, 1))
    assert all(torch.equal(first["state"][name], second["state"][name]) for name in first["state"])
    assert {**first["history"], "seconds": 0} == {**second["history"], "seconds": 0}
    assert first["history"]["n_processes"] == 2 and first["history"]["batch_size"] == 8
    assert first["history"]["n_labels"] == 48 and first["history"]["n_stopping"] == 8
    losses = first["history"]["loss_by_epoch"]
    assert len(losses) == first["history"]["epochs"] and first["history"]["kept"] == "tuned encoder"
    assert first["history"]["loss_at_best"] == pytest.approx(min(losses.values()), abs=1e-4)
    # printed once, written once
    assert found.stdout.count("macro-F1") == 1 and found.stderr.count("import      …") == 1
    models = path.parent / "models"
    assert sorted(p.name for p in models.iterdir() if p.name[0] != ".") == ["dua"]
    assert not list(models.glob(".frozen/*")) and not list(models.glob(".checkpoints/*"))
    folder = models / "dua"
    model = load_classifier(folder)
    state = model.classifier.state_dict()
    assert all(torch.equal(state[name], first["state"][name]) for name in state)
    assert json.loads((folder / "stance.json").read_text())["trained"]["n_processes"] == 2
    assert "2 processes" in (folder / "README.md").read_text() and (folder / MODEL_EVALUATIONS).is_file()
    from transformers import AutoModel, AutoTokenizer

    encoder = AutoModel.from_pretrained(folder)
    vectors = encoder(**AutoTokenizer.from_pretrained(folder)("pasar pagi", return_tensors="pt")).last_hidden_state
    assert vectors.shape[-1] == 32 and bool(vectors.isfinite().all())


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_starts_one_process_a_gpu():
    def dry_run(*settings: str) -> str:
        command = ["make", "--no-print-directory", "-n", "train", *settings]  # these tests themselves run under make
        found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        return found.stdout.splitlines()[-1].strip()

    many = dry_run("GPUS=4", "PROFILE=gpu-large")
    assert many.startswith(".venv/bin/torchrun --standalone --nproc-per-node 4 -m nlp_study.cli train ")
    assert many.endswith("--profile gpu-large")
    one = dry_run("ENCODER=e5-small-id", "PROFILE=cpu")
    assert one == ".venv/bin/nlp-study train --study study.toml --profile cpu --encoder e5-small-id"


def test_an_error_ends_all_processes(make_study):
    path = make_study()
    (path.parent / "labels.csv").write_text("post_id,target,stance,annotator\n")
    found = torchrun(["-m", "nlp_study.cli"], "train", "-s", path)
    assert found.returncode != 0 and "there are no labels" in found.stderr


def test_alone_there_is_nobody_to_wait_for(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with processes.joined_processes():
        processes.wait_for_all()
        assert processes.is_main() and processes.n_processes() == 1 and processes.share(3) == 3
    with processes.shared_scratch() as folder:
        (folder / "a").write_text("a")
    assert not folder.exists()
    processes.require_one_process("tune")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ConfigError, match="tune runs in one process"):
        processes.require_one_process("tune")


def test_others_draw_no_bars_and_print_nothing(capsys):
    with processes._silence():
        print("twice")
        print("wrong", file=sys.stderr)
        assert not sys.stderr.isatty() and not Path("twice").exists()
    assert capsys.readouterr() == ("", "wrong\n")
