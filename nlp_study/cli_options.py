"""What commands share: their options, how they open a study, run stages, say what happens and show scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlp_study.errors import DataError
from nlp_study.tables import TableFormat, print_table

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.pipeline import StageStatus
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


def announce(status: StageStatus, text: str) -> None:
    """Print on stderr that a stage starts, is skipped, or what it counted."""
    if text == "start":
        why = f" ({status.reason})" if status.reason else ""
        typer.echo(f"{status.stage:<11} …{why}", err=True)
    elif text == "skip":
        why = f"skipped: {status.reason}" if status.reason else "unchanged"
        typer.echo(f"{status.stage:<11} {why}", err=True)
    else:
        typer.echo(f"{status.stage:<11} {text}", err=True)


def run_up_to(stage: str, study: Study, corpus: Corpus, *, force: bool) -> None:
    """Run a stage and whatever it waits for; `force` runs the stage itself again."""
    from nlp_study.pipeline import needed_stages, run_stages

    with corpus.lock():
        run_stages(study, corpus, only=needed_stages(stage)[:-1], announce=announce)
        found = run_stages(study, corpus, only=[stage], force=force, announce=announce)
    if found[stage] == "skipped":
        from nlp_study.pipeline import find_stage, read_status

        reason = read_status(find_stage(stage), study, corpus).reason
        raise DataError(f"{stage} cannot run: {reason}")


def print_scores(
    evaluations: Any, study: Study, *, format: TableFormat = TableFormat.TABLE, output: Path | None = None
) -> None:
    """Print the scores of the table `evaluations` and, on a terminal, all that a reviewer asks next."""
    from nlp_study.metrics import list_scores
    from nlp_study.scorecard import list_abstention, list_differences, list_reliability

    stances = [str(stance) for stance in study.study.stances]
    scores, confusion = list_scores(evaluations, stances)
    print_table(scores, format, output=output, title="held-out figures, authors disjoint")
    if format is not TableFormat.TABLE or output:
        return
    print_table(confusion, title="confusion of the study's model: rows gold, columns predicted")
    print_table(list_differences(evaluations, stances), title="the study's model against the others, 95 % over authors")
    print_table(list_reliability(evaluations, stances), title="how often it is right, by how sure it is")
    print_table(list_abstention(evaluations, stances), title="if it abstained where it is not sure")
