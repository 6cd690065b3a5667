"""What every command shares: its options, and how it opens a study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlp_study.tables import TableFormat

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus

StudyOption = Annotated[
    Path, typer.Option("--study", "-s", metavar="PATH", help="Study file, or the folder that holds it.")
]
FormatOption = Annotated[TableFormat, typer.Option("--format", "-f", help="How tables are printed.")]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Write the table to this file instead.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Run even if nothing has changed.")]
DEFAULT_STUDY = Path("study.toml")


def open_study(path: Path) -> tuple[Study, Corpus]:
    """Load a study file and open its corpus."""
    from nlp_study.config import load_study
    from nlp_study.store import open_corpus

    study = load_study(path)
    return study, open_corpus(study.data_dir)
