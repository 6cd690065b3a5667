"""Checkpoints that can be trusted: a killed or damaged write is recognised, and so is a training of something else."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

from nlp_study.store import digest_file, write_file

logger = logging.getLogger(__name__)

MARKER = "complete.json"
"""Written last into a checkpoint: the digest of each of its files."""

INPUTS = "inputs.txt"
"""Beside the checkpoints: a digest of what is trained, on what, and how."""


def mark_complete(checkpoint: Path) -> None:
    """Record that a checkpoint is whole."""
    digests = {file.name: digest_file(file) for file in sorted(checkpoint.iterdir()) if file.is_file()}
    write_file(checkpoint / MARKER, json.dumps(digests, indent=2) + "\n")


def find_checkpoint(folder: Path) -> Path | None:
    """Return the last checkpoint to go on from, None if there is none; damaged ones are removed.

    A checkpoint remembers which one was the best so far, and the end of the training reads that: one whose best is gone
    cannot be used either.
    """
    found: dict[str, Path] = {}
    for checkpoint in sorted(folder.glob("checkpoint-*"), key=_step):
        reason = _damage(checkpoint) or _missing_best(checkpoint, found)
        if reason:
            logger.warning("%s cannot be used: %s; it is removed", checkpoint, reason)
            shutil.rmtree(checkpoint)
        else:
            found[checkpoint.name] = checkpoint
    return list(found.values())[-1] if found else None


def claim_folder(folder: Path, inputs: str) -> None:
    """Make the folder ready for a training described by the digest `inputs`; checkpoints of another one are removed."""
    claim = folder / INPUTS
    if folder.is_dir() and (not claim.is_file() or claim.read_text(encoding="utf-8") != inputs):
        logger.warning("%s holds checkpoints of another training; starting anew", folder)
        shutil.rmtree(folder)
    write_file(claim, inputs)


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def _damage(checkpoint: Path) -> str:
    try:
        digests = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))
        wrong = [name for name, digest in digests.items() if digest_file(checkpoint / name) != digest]
    except (OSError, ValueError):
        return "it was not finished"
    return f"{', '.join(wrong)} is damaged" if wrong else ""


def _missing_best(checkpoint: Path, found: dict[str, Path]) -> str:
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    best = Path(state.get("best_model_checkpoint") or checkpoint).name
    return "" if best == checkpoint.name or best in found else f"{best}, the best so far, is gone"
