"""A training that is killed goes on where it was, with the command that started it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nlp_study.stance.checkpoints import MARKER, claim_folder, find_checkpoint, mark_complete

MANY_EPOCHS = "epochs = 10\npatience = 100"


def make_checkpoint(folder: Path, step: int, *, best: int | None = None) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "model.safetensors").write_bytes(bytes(range(step)))
    state = {"best_model_checkpoint": str(folder / f"checkpoint-{best}") if best else None, "epoch": step / 6}
    (checkpoint / "trainer_state.json").write_text(json.dumps(state))
    mark_complete(checkpoint)
    return checkpoint


def test_the_last_whole_checkpoint_is_found(tmp_path):
    assert find_checkpoint(tmp_path) is None
    first, second, third = (make_checkpoint(tmp_path, step) for step in (6, 12, 100))
    assert find_checkpoint(tmp_path) == third  # by number, not by name
    (third / "model.safetensors").write_bytes(bytes(100))
    assert find_checkpoint(tmp_path) == second and not third.exists()
    (second / MARKER).unlink()
    assert find_checkpoint(tmp_path) == first


def test_a_checkpoint_needs_the_best_one(tmp_path):
    make_checkpoint(tmp_path, 6)
    best = make_checkpoint(tmp_path, 12, best=12)
    last = make_checkpoint(tmp_path, 18, best=12)
    assert find_checkpoint(tmp_path) == last
    (best / "trainer_state.json").unlink()
    assert find_checkpoint(tmp_path) == tmp_path / "checkpoint-6"


def test_checkpoints_of_another_training_are_removed(tmp_path):
    folder = tmp_path / "coba"
    claim_folder(folder, "one")
    make_checkpoint(folder, 6)
    claim_folder(folder, "one")
    assert find_checkpoint(folder) is not None
    claim_folder(folder, "two")
    assert find_checkpoint(folder) is None


def train(path: Path) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "nlp_study.cli", "-v", "train", "-s", str(path), "--no-evaluate", "--name", "coba"]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ})


def kill_after_epoch(process: subprocess.Popen[str], folder: Path, epoch: int, deadline_s: float = 120) -> int:
    """Kill -9 as soon as the checkpoint of that epoch or a later one is whole; return the last whole epoch."""
    end = time.monotonic() + deadline_s
    while process.poll() is None and time.monotonic() < end:
        whole = [state for state in folder.glob(f"checkpoint-*/{MARKER}") if read_epoch(state.parent) >= epoch]
        if whole:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return max(read_epoch(state.parent) for state in folder.glob(f"checkpoint-*/{MARKER}"))
        time.sleep(0.005)
    pytest.fail(f"no checkpoint of epoch {epoch}: {process.communicate()[1]}")


def read_epoch(checkpoint: Path) -> int:
    try:
        return round(json.loads((checkpoint / "trainer_state.json").read_text())["epoch"])
    except FileNotFoundError:  # removed in the meantime, a newer one took its place
        return 0


def test_killed_training_goes_on(make_study):
    path = make_study(n_posts=48, n_authors=12)
    path.write_text(path.read_text().replace("epochs = 1", MANY_EPOCHS))
    folder = path.parent / "models/.checkpoints/coba"
    process = train(path)
    reached = kill_after_epoch(process, folder, 3)
    last = max(folder.glob("checkpoint-*"), key=lambda c: (read_epoch(c), c.name))
    weights = last / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 0xFF
    weights.write_bytes(content)  # the disk lost a bit of the last one
    whole = [read_epoch(c) for c in folder.glob("checkpoint-*") if c != last and (c / MARKER).is_file()]
    process = train(path)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert f"{last} cannot be used: model.safetensors is damaged" in err
    begun = [int(number) for number in re.findall(r"epoch (\d+) begins", err)]
    assert begun == list(range(begun[0], 11)) and begun[0] in {epoch + 1 for epoch in whole}
    assert 1 < begun[0] <= reached
    trained = json.loads((path.parent / "models/coba/stance.json").read_text())["trained"]
    assert trained["resumed_at"] == begun[0] - 1
    assert list(trained["loss_by_epoch"]) == [str(epoch) for epoch in range(1, 11)]
    assert not folder.exists() and 'model = "models/coba"' in out
    assert f"went on after epoch {begun[0] - 1};" in (path.parent / "models/coba/README.md").read_text()


def test_going_on_gives_the_model_of_a_training_that_ran_through(tiny_bert, tmp_path):
    """Order of posts, learning rates, optimizer and patience are those of the uninterrupted training."""
    import torch

    from nlp_study.config import StanceSettings
    from nlp_study.schema import Stance
    from nlp_study.stance.train import fit_classifier
    from tests.test_stance_train import pairs

    settings = StanceSettings(epochs=4, learning_rate=1e-3, frozen_layers=0, window_tokens=64, window_overlap=8)

    def fit(folder: str, stop_after: int | None = None):
        def stop(epoch: int, loss: float) -> None:
            if epoch == stop_after:
                raise KeyboardInterrupt

        return fit_classifier(
            pairs(),
            settings=settings,
            stances=tuple(Stance)[:3],
            encoder=str(tiny_bert),
            seed=1,
            checkpoints=tmp_path / folder,
            on_epoch=stop,
        )

    model, history = fit("whole")
    with pytest.raises(KeyboardInterrupt):
        fit("cut", stop_after=3)
    again, later = fit("cut")
    assert later.resumed_at == 2 and history.resumed_at == 0
    assert later.loss_by_epoch == history.loss_by_epoch and later.loss_at_best == history.loss_at_best
    state = again.classifier.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in model.classifier.state_dict().items())
