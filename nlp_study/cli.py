"""The command line: a command parses, calls one entry function, prints.

Heavy imports live inside the commands, so that `nlp-study --help` answers at once.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlp_study import (
    __version__,
    cli_collect,
    cli_estimates,
    cli_labels,
    cli_language,
    cli_models,
    cli_share,
    cli_topics,
    cli_words,
)
from nlp_study.cli_options import (
    DEFAULT_STUDY,
    ForceOption,
    FormatOption,
    OutputOption,
    StudyOption,
    announce,
    open_study,
    run_up_to,
)
from nlp_study.errors import ConfigError, DataError, StudyError
from nlp_study.schema import ImportFormat, TableName
from nlp_study.tables import TableFormat, print_table

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.stance.shifts import Drift
    from nlp_study.store import Corpus

INTERRUPTED = 130

AbstainOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=0.99,
        metavar="P",
        help="Leave pairs undecided whose label is less probable than this; by default stance.abstain_below.",
    ),
]

app = typer.Typer(
    name="nlp-study",
    help="A corpus study of Indonesian opinion articles: stance, topics and trends, from posts to a report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


@app.callback(invoke_without_command=True)
def configure(
    context: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens inside.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Set up logging; results go to stdout, everything else to stderr."""
    if version:
        typer.echo(f"nlp-study {__version__}")
        raise typer.Exit
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
    )


@app.command(epilog="Examples:  nlp-study init   ·   nlp-study init my-study --name kopi   ·   nlp-study init --stdout")
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new study.")] = Path(),
    name: Annotated[str, typer.Option(help="Short name of the study.")] = "my-study",
    stdout: Annotated[bool, typer.Option("--stdout", help="Print the study file instead of writing it.")] = False,
) -> None:
    """Write a commented study file for a new study."""
    from nlp_study.template import write_template

    if stdout:
        typer.echo(write_template(name), nl=False)
        return
    from nlp_study.config import STUDY_FILE, load_study
    from nlp_study.store import write_file

    path = folder / STUDY_FILE
    if path.exists():
        raise ConfigError(f"{path} exists already", remedy="name another folder, or edit that file")
    write_file(path, write_template(name))
    load_study(path)
    typer.echo(f"{path} written. Name your target and sources there, then: nlp-study run --study {path}")


@app.command(
    epilog="Examples:  nlp-study run   ·   nlp-study run --study corpus/id_stance.toml   ·   nlp-study run --only trends"
    "   ·   nlp-study run --abstain-below 0.5"
)
def run(
    study: StudyOption = DEFAULT_STUDY,
    only: Annotated[
        list[str] | None, typer.Option(metavar="STAGE", help="Run only this stage; may be repeated.")
    ] = None,
    abstain_below: AbstainOption = None,
    force: ForceOption = False,
) -> None:
    """Run every stage that has changed, and write the report.

    A stage whose inputs, settings and code are unchanged is skipped.
    """
    from nlp_study.pipeline import find_stage, run_stages

    opened, corpus = open_study(study)
    opened = _abstaining(opened, abstain_below)
    names = [find_stage(name).name for name in only or []]
    with corpus.lock():
        run_stages(opened, corpus, only=names, force=force, announce=announce)
    _warn_failures(corpus)
    if not names or "classify" in names:
        _warn_drift(_read_drift(corpus))
    if opened.report_path.is_file() and (not names or "report" in names):
        typer.echo(f"report: {_short(opened.report_path)}")


@app.command(epilog="Examples:  nlp-study status   ·   nlp-study status --format json")
def status(
    study: StudyOption = DEFAULT_STUDY, format: FormatOption = TableFormat.TABLE, output: OutputOption = None
) -> None:
    """Show what is fresh, stale and why, or missing."""
    import pyarrow as pa

    from nlp_study.pipeline import read_all_status

    opened, corpus = open_study(study)
    rows = [
        {
            "stage": found.stage,
            "state": str(found.state),
            "reason": found.reason,
            "rows": found.record.n_rows if found.record else None,
            "made": found.record.started_at if found.record else None,
            "seconds": found.record.wall_s if found.record else None,
        }
        for found in read_all_status(opened, corpus)
    ]
    print_table(pa.Table.from_pylist(rows), format, output=output)


@app.command(
    "import",
    epilog="Examples:  nlp-study import pages/ --format text-dump   ·   "
    "nlp-study import posts.csv --format csv --map text=isi --map title=judul",
)
def import_(
    path: Annotated[Path, typer.Argument(help="File or folder to read.")],
    format: Annotated[ImportFormat, typer.Option("--format", "-f", help="What the files look like.")],
    study: StudyOption = DEFAULT_STUDY,
    source: Annotated[str, typer.Option(help="Name of the source; by default the path.")] = "",
    map_: Annotated[
        list[str] | None, typer.Option("--map", metavar="FIELD=COLUMN", help="Our field = your column.")
    ] = None,
    where: Annotated[list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Keep only such rows.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a row failed.")] = False,
) -> None:
    """Read posts and labels from files.

    Importing the same path again replaces its posts; a row that fails is listed with its reason.
    """
    from nlp_study.config import Source
    from nlp_study.pipeline import find_stage, make_record
    from nlp_study.sources import import_source

    opened, corpus = open_study(study)
    absolute = path.expanduser().resolve()
    entry = Source(
        name=source or path.as_posix(),
        path=str(absolute),
        format=format,
        columns=_pairs(map_ or [], "--map"),
        where=_pairs(where or [], "--where"),
    )
    with corpus.lock():
        previous = corpus.record(TableName.POSTS)
        record = make_record(find_stage("import"), opened, corpus, fingerprint=previous.fingerprint if previous else {})
        counts = import_source(opened, corpus, entry, record)
    mine = counts["sources"][entry.name]
    typer.echo(
        f"{mine['posts']} posts, {mine['labels']} labels from {path}; {mine['repeated_posts']} rows of posts already there, "
        f"{mine['failures']} failed{': nlp-study query failures' if mine['failures'] else ''}"
    )
    if strict and mine["failures"]:
        raise typer.Exit(1)


cli_models.register(app)  # here, so that --help lists commands in the order of the study


@app.command(
    epilog="Examples:  nlp-study classify   ·   nlp-study classify --format csv --output stance.csv   ·   "
    "nlp-study classify --abstain-below 0.5"
)
def classify(
    study: StudyOption = DEFAULT_STUDY,
    abstain_below: AbstainOption = None,
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Decide the stance of every post toward every target.

    A warning says so where the posts differ from those that the model learnt from (`nlp-study drift` has the figures).
    Another --abstain-below reads no post again; to keep it, set stance.abstain_below in the study file.
    """
    opened, corpus = open_study(study)
    opened = _abstaining(opened, abstain_below)
    run_up_to("classify", opened, corpus, force=force)
    _warn_drift(_read_drift(corpus))
    query = "SELECT target, CASE WHEN abstained THEN 'undecided' ELSE stance END AS stance, count(*) AS posts "
    query += "FROM predictions GROUP BY ALL ORDER BY ALL"
    if output or format is not TableFormat.TABLE:
        query = "SELECT p.*, posts.title FROM predictions p JOIN posts USING (post_id) ORDER BY post_id, target"
    print_table(corpus.fetch(query), format, output=output)


@app.command(epilog="Examples:  nlp-study drift   ·   nlp-study drift --format json")
def drift(
    study: StudyOption = DEFAULT_STUDY, format: FormatOption = TableFormat.TABLE, output: OutputOption = None
) -> None:
    """Compare the posts that were classified with those that the model learnt from.

    Share of unknown words, distance of the vectors' means, shift of the predicted labels. Posts that were labelled for the
    model are left out.
    """
    opened, corpus = open_study(study)
    run_up_to("classify", opened, corpus, force=False)
    found = _read_drift(corpus)
    if found is None:
        raise DataError(
            "the model does not remember the posts it learnt from: it was made by an earlier version",
            remedy="train it again with `nlp-study train`",
        )
    if found.reason:
        typer.echo(found.reason, err=True)
        return
    from nlp_study.stance.shifts import list_shifts

    title = f"{found.n_posts} posts by {found.n_writers} writers against {found.n_training_posts} by "
    title += f"{found.n_training_writers} in training"
    print_table(list_shifts(found), format, output=output, title=title)
    _warn_drift(found)


cli_topics.register(app)
cli_estimates.register(app)


@app.command(epilog="Example:  nlp-study report   (then open the file it names)")
def report(study: StudyOption = DEFAULT_STUDY, force: ForceOption = False) -> None:
    """Write the report from what the stages have made."""
    opened, corpus = open_study(study)
    run_up_to("report", opened, corpus, force=force)
    typer.echo(f"report: {_short(opened.report_path)}")


@app.command(
    epilog='Examples:  nlp-study query "SELECT stance, count(*) FROM predictions GROUP BY ALL"   ·   '
    "nlp-study query failures   ·   nlp-study query --schema"
)
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT, or the name of a table.")] = "",
    study: StudyOption = DEFAULT_STUDY,
    schema: Annotated[bool, typer.Option("--schema", help="List tables and columns with their meaning.")] = False,
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """Query the tables in SQL (DuckDB), read-only."""
    from nlp_study.schema import describe_tables

    if schema:
        print_table(describe_tables(), format, output=output)
        return
    if not sql.strip():
        raise DataError(
            "no query", remedy='for example: nlp-study query "SELECT title FROM posts LIMIT 5"; see --schema'
        )
    _, corpus = open_study(study)
    statement = f"SELECT * FROM {sql}" if sql in set(TableName) else sql
    print_table(corpus.fetch(statement), format, output=output)


@app.command(epilog="Examples:  nlp-study show 667125a0b1c2d3e4f5a6b7c8   ·   nlp-study show sha-0123 --page")
def show(
    post_id: Annotated[str, typer.Argument(help="Id of the post, or its first characters.")],
    study: StudyOption = DEFAULT_STUDY,
    page: Annotated[bool, typer.Option("--page", help="Show the page as it was read, whole.")] = False,
) -> None:
    """Show all that is known of one post.

    The page, the extraction, labels, stance with probabilities, segments with topics.
    """
    from nlp_study.show import print_post

    _, corpus = open_study(study)
    print_post(corpus, post_id, whole_page=page)


def _warn_failures(corpus: Corpus) -> None:
    record = corpus.record(TableName.FAILURES)
    if record and record.n_rows:
        typer.echo(f"{record.n_rows} rows could not be used: nlp-study query failures", err=True)


def _abstaining(study: Study, below: float | None) -> Study:
    """Return the study with another `stance.abstain_below`; None leaves it as it is."""
    if below is None:
        return study
    return study.model_copy(update={"stance": study.stance.model_copy(update={"abstain_below": below})})


def _read_drift(corpus: Corpus) -> Drift | None:
    """Return what the last classification found; None where its model does not remember its posts."""
    record = corpus.record(TableName.PREDICTIONS)
    found = record.counts.get("drift") if record else None
    if not found:
        return None
    from nlp_study.stance.shifts import Drift

    return Drift.from_counts(found)


def _warn_drift(found: Drift | None) -> None:
    if found is not None and found.clear:
        from nlp_study.stance.shifts import describe_drift

        typer.echo(f"warning: {describe_drift(found)}", err=True)


def _pairs(items: list[str], option: str) -> dict[str, str]:
    pairs = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise DataError(f"{option} {item!r} is no KEY=VALUE", remedy=f"for example {option} text=isi")
        pairs[key.strip()] = value.strip()
    return pairs


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


cli_collect.register(app)
cli_labels.register(app)
cli_language.register(app)
cli_words.register(app)
cli_share.register(app)


def main() -> None:
    """Run the command line; errors print what went wrong and what to do, and exit with 1."""
    try:
        code = app(standalone_mode=False)
    except typer.Exit as done:
        code = done.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except StudyError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except MemoryError:
        typer.echo("error: out of memory\n  → lower stance.batch_size or stance.train_windows", err=True)
        sys.exit(1)
    except Exception as error:
        show_usage = getattr(error, "show", None)
        if not callable(show_usage):
            raise
        show_usage()
        sys.exit(getattr(error, "exit_code", 2))
    if code == INTERRUPTED:  # typer turns Ctrl-C into this exit code
        typer.echo("interrupted; finished stages are kept, run the same command again to go on", err=True)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
