"""Time and memory of the default study: first run, second run, and `--help`, each as a process of its own.

    python scripts/bench_study.py            # the study of study.toml in a scratch folder
    python scripts/bench_study.py --quick    # twenty posts and hardly any training

The bars are those of the README's promise on two cores; installation is not part of them.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Row:
    """One measurement and its bar; `value` and `bar` in the unit that the name states."""

    name: str
    value: float
    bar: float

    @property
    def ok(self) -> bool:
        """Whether the bar is met."""
        return self.value <= self.bar


def run_timed(command: list[str], folder: Path) -> tuple[float, float]:
    """Run a command; return seconds and the peak memory in GB of the largest process so far."""
    started = time.monotonic()
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed with exit code {done.returncode}")
    return time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6


def main() -> int:
    """Run and print; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="twenty posts and hardly any training, under a minute")
    arguments = parser.parse_args()
    program = [sys.executable, "-m", "nlp_study.cli"]
    with TemporaryDirectory(prefix="nlp-study-bench-") as scratch:
        folder = Path(scratch)
        shutil.copytree(REPOSITORY / "corpus", folder / "corpus")
        text = (REPOSITORY / "study.toml").read_text(encoding="utf-8")
        if arguments.quick:
            text = text.replace("seeds = [1, 2, 3] ", "seeds = [1] ").replace("folds = 5 ", "folds = 2 ")
            posts = folder / "corpus/demo/posts.jsonl"
            posts.write_text(
                "".join(posts.read_text(encoding="utf-8").splitlines(keepends=True)[::20]), encoding="utf-8"
            )
        (folder / "study.toml").write_text(text, encoding="utf-8")
        help_s = min(run_timed([*program, "--help"], folder)[0] for _ in range(3))
        first_s, peak_gb = run_timed([*program, "run"], folder)
        second_s, _ = run_timed([*program, "run"], folder)
    rows = [
        Row("nlp-study --help, seconds", help_s, 0.5),
        Row("first run, seconds", first_s, 300),
        Row("first run, peak memory in GB", peak_gb, 4),
        Row("second run, seconds", second_s, 20),
    ]
    print(f"{'measure':<32} {'value':>8} {'bar':>8}")
    for row in rows:
        print(f"{row.name:<32} {row.value:>8.2f} {row.bar:>8.2f}  {'ok' if row.ok else 'MISSED'}")
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
