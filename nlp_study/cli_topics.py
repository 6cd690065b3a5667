"""Commands on topics: list, show, tree, stability; merge, split, rename."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nlp_study.cli_options import (
    DEFAULT_STUDY,
    ForceOption,
    FormatOption,
    OutputOption,
    StudyOption,
    open_study,
    run_up_to,
)
from nlp_study.errors import DataError
from nlp_study.tables import TableFormat, print_table

if TYPE_CHECKING:
    from pathlib import Path

    from nlp_study.store import Corpus
    from nlp_study.topics.edits import Action

TopicArgument = Annotated[
    int, typer.Argument(metavar="TOPIC", help="Number of a topic, as `nlp-study topics` lists it.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    topics = typer.Typer(
        invoke_without_command=True,
        no_args_is_help=False,
        epilog="Examples:  nlp-study topics   ·   nlp-study topics show 3   ·   "
        'nlp-study topics merge 3 7 --name "Ojek daring"   ·   nlp-study topics --format json',
    )
    topics.callback()(list_all)
    topics.command("show", epilog="Examples:  nlp-study topics show 3   ·   nlp-study topics show 3 --limit 0 -f csv")(
        show
    )
    topics.command("tree", epilog="Example:  nlp-study topics tree")(tree)
    topics.command("stability", epilog="Example:  nlp-study topics stability --format json")(stability)
    topics.command("merge", epilog='Example:  nlp-study topics merge 3 7 --name "Ojek daring"')(merge)
    topics.command("split", epilog="Example:  nlp-study topics split 4 --into 3")(split)
    topics.command("rename", epilog='Example:  nlp-study topics rename 4 "Pinjaman daring"')(rename)
    app.add_typer(topics, name="topics")


def list_all(
    context: typer.Context,
    study: StudyOption = DEFAULT_STUDY,
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Find topics among the segments and show their words.

    Topics are what many refits agree on; one that the refits do not find again is marked unstable. Merges, splits and names
    given by hand are kept in corpus/topics.toml and applied after every fit.
    """
    if context.invoked_subcommand:
        return
    from nlp_study.topics.listing import list_topics

    print_table(list_topics(_fresh(study, force=force)), format, output=output)


def show(
    topic: TopicArgument,
    study: StudyOption = DEFAULT_STUDY,
    limit: Annotated[int, typer.Option(min=0, help="Paragraphs at most; 0 for all.")] = 5,
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """Show one topic: words, stability, nearest topics, and its representative paragraphs."""
    from nlp_study.topics.listing import describe_topic, list_paragraphs

    corpus = _fresh(study)
    paragraphs = list_paragraphs(corpus, topic, limit=limit)
    if output or format is not TableFormat.TABLE:
        print_table(paragraphs, format, output=output)
        return
    typer.echo("\n".join(describe_topic(corpus, topic)))
    for row in paragraphs.to_pylist():
        mark = ", reassigned" if row["reassigned"] else ""
        typer.echo(
            f"\n[{row['segment_id']}] {row['title'] or ''} (strength {row['strength']:.2f}{mark})\n{row['text']}"
        )


def tree(
    study: StudyOption = DEFAULT_STUDY, format: FormatOption = TableFormat.TABLE, output: OutputOption = None
) -> None:
    """Show which topics are near one another, as a tree."""
    from nlp_study.topics.listing import draw_tree, list_tree

    corpus = _fresh(study)
    if output or format is not TableFormat.TABLE:
        print_table(list_tree(corpus), format, output=output)
    else:
        typer.echo("\n".join(draw_tree(corpus)))


def stability(
    study: StudyOption = DEFAULT_STUDY, format: FormatOption = TableFormat.TABLE, output: OutputOption = None
) -> None:
    """Show how far refits find each topic again, and the figures of the fit."""
    from nlp_study.topics.listing import list_quality, list_stability

    corpus = _fresh(study)
    print_table(list_stability(corpus), format, output=output, title="least stable first")
    if format is TableFormat.TABLE and not output:
        print_table(list_quality(corpus), title="the fit")


def merge(
    topics: Annotated[list[int], typer.Argument(metavar="TOPIC TOPIC...", help="Two topics or more.")],
    study: StudyOption = DEFAULT_STUDY,
    name: Annotated[str, typer.Option(help="Name of the merged topic; by default from its words.")] = "",
) -> None:
    """Make one topic of several, now and after every refit."""
    from nlp_study.topics.edits import Action

    if len(topics) < 2:
        raise DataError("merge needs two topics or more", remedy="for example: nlp-study topics merge 3 7")
    _edit(study, Action.MERGE, topics, name=name)


def split(
    topic: TopicArgument,
    study: StudyOption = DEFAULT_STUDY,
    into: Annotated[int, typer.Option(min=2, max=20, help="Number of parts.")] = 2,
) -> None:
    """Cut a topic into parts, now and after every refit."""
    from nlp_study.topics.edits import Action

    _edit(study, Action.SPLIT, [topic], into=into)


def rename(
    topic: TopicArgument,
    name: Annotated[str, typer.Argument(help="The new name.")],
    study: StudyOption = DEFAULT_STUDY,
) -> None:
    """Name a topic, now and after every refit."""
    from nlp_study.topics.edits import Action

    if not name.strip():
        raise DataError("the name is empty", remedy='for example: nlp-study topics rename 4 "Pinjaman daring"')
    _edit(study, Action.RENAME, [topic], name=name)


def _edit(study: Path, action: Action, topics: list[int], *, name: str = "", into: int = 2) -> None:
    from nlp_study.topics.listing import find_topics, write_edit

    opened, _ = open_study(study)
    written = write_edit(opened, _fresh(study), action, topics, name=name, into=into)
    corpus = _fresh(study)
    now = find_topics(corpus, written.segments)
    numbers = f"topic{'s' if len(now) > 1 else ''} {', '.join(map(str, now))} now" if now else "no topic now"
    typer.echo(f"{written.description}: {numbers}; kept in {opened.topics.edits}")


def _fresh(study: Path, *, force: bool = False) -> Corpus:
    """Run what is stale up to the topics, and say which edits were not found."""
    from nlp_study.topics.listing import lost_edits

    opened, corpus = open_study(study)
    run_up_to("topics", opened, corpus, force=force)
    for lost in lost_edits(corpus):
        typer.echo(f"warning: {opened.topics.edits}: {lost} was not applied, its topic was not found", err=True)
    return corpus
