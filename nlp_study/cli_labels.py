"""Commands around human labels: label plan, sample, export, import, agreement, status."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlp_study.cli_options import DEFAULT_STUDY, FormatOption, OutputOption, StudyOption, open_study
from nlp_study.errors import ConfigError
from nlp_study.labelling.designs import Design
from nlp_study.labelling.plan import Period
from nlp_study.labelling.tasks import Tool
from nlp_study.tables import TableFormat, print_table

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.labelling.plan import PlanRow
    from nlp_study.store import Corpus

SHOWN_FAILURES = 20

TargetOption = Annotated[str, typer.Option(help="Target of the labels; needed where the study has several.")]
MarginOption = Annotated[
    float | None,
    typer.Option(min=0.001, max=0.5, help="Wanted margin: half the width of the 95 % interval of a share."),
]
ByOption = Annotated[Period, typer.Option(help="The margin is wanted for each month, quarter, half, year, or for all.")]


LabelsOption = Annotated[
    Path | None, typer.Option(help="Label file that the labels were imported to, if not the usual drawn.csv.")
]


class AgreementFormat(StrEnum):
    """How agreement is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    label = typer.Typer(no_args_is_help=True, help="Human labels: plan, sample, export, import, agreement, status.")
    label.command(
        epilog="Examples:  nlp-study label plan --margin 0.05   ·   nlp-study label plan --margin 0.1 --by half   ·   "
        "nlp-study label plan --labels 200"
    )(plan)
    label.command(
        epilog="Examples:  nlp-study label sample round-1 --size 160   ·   nlp-study label sample round-1 --margin 0.05 "
        "--design stratified   ·   nlp-study label sample round-2 --size 100 --design uncertain --dry-run"
    )(sample)
    label.command(
        epilog="Examples:  nlp-study label export round-1   ·   nlp-study label export round-1 --tool doccano   ·   "
        "nlp-study label export round-1 --tool csv --output ~/round-1.csv"
    )(export)
    label.command(
        "import",
        epilog="Examples:  nlp-study label import project-3.json --rename ls-7=ani --rename ls-9=budi   ·   "
        "nlp-study label import ani.jsonl budi.jsonl   ·   nlp-study label import round-1.csv --annotator ani",
    )(import_)
    label.command(
        epilog="Examples:  nlp-study label agreement --annotators a1,a2   ·   "
        "nlp-study label agreement --format html --output agreement.html"
    )(agreement)
    label.command(epilog="Examples:  nlp-study label status   ·   nlp-study label status --by half")(status)
    app.add_typer(label, name="label")


def plan(
    study: StudyOption = DEFAULT_STUDY,
    margin: MarginOption = None,
    labels: Annotated[int | None, typer.Option(min=1, help="Instead: the margins that so many labels give.")] = None,
    by: ByOption = Period.ALL,
    target: TargetOption = "",
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """Say how many labels a wanted margin takes, for each stance.

    From the predictions, and from how well held-out predictions follow the labels (rho); `alone` is the number that labels
    without the model would take. Run `nlp-study run` first: without it the worst case is taken.
    """
    import pyarrow as pa

    opened, corpus = open_study(study)
    if (margin is None) == (labels is None):
        raise ConfigError("give either --margin or --labels", remedy="for example --margin 0.05")
    rows = _plan(opened, corpus, target, margin=margin, n_labels=labels or 0, by=by)
    shown = [
        {
            "period": row.period,
            "stance": row.stance,
            "posts": row.n_posts,
            "expected share": row.share,
            "rho": row.rho,
            "labels": row.n_labels,
            "margin ±": row.margin,
            "alone": row.alone,
        }
        for row in rows
    ]
    print_table(pa.Table.from_pylist(shown), format, output=output)
    if margin is not None:
        typer.echo(_say_total(rows, margin), err=format is not TableFormat.TABLE)
        _warn_unreached(rows, margin)


def sample(
    name: Annotated[str, typer.Argument(help="Name of the draw, such as round-1.")],
    study: StudyOption = DEFAULT_STUDY,
    size: Annotated[int | None, typer.Option("--size", "-n", min=1, help="Posts to draw.")] = None,
    margin: MarginOption = None,
    by: ByOption = Period.ALL,
    design: Annotated[
        Design,
        typer.Option(
            help="random: all alike. stratified: by period and predicted stance. uncertain: more where the model is unsure."
        ),
    ] = Design.RANDOM,
    period: Annotated[
        Period | None, typer.Option(help="Length of the strata; by default the shortest that the size can fill.")
    ] = None,
    target: TargetOption = "",
    seed: Annotated[int | None, typer.Option(min=0, help="Seed; by default the study's.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the strata, write nothing.")] = False,
    format: FormatOption = TableFormat.TABLE,
) -> None:
    """Draw the posts to be labelled next, each with a known probability.

    Give --size, or --margin for as many as that takes. Posts of earlier draws and posts that repeat another are not drawn.
    The draw is written under paths.draws, ids without texts; keep it under git: without it the labels have no probability.
    """
    import pyarrow as pa

    from nlp_study.labelling.draws import count_strata
    from nlp_study.labelling.sample import draw_sample, draws_folder, missing_labels

    opened, corpus = open_study(study)
    if (size is None) == (margin is None):
        raise ConfigError("give either --size or --margin", remedy="for example --size 160, or --margin 0.05")
    if margin is not None:
        rows = _plan(opened, corpus, target, margin=margin, by=by)
        typer.echo(_say_total(rows, margin), err=True)
        _warn_unreached(rows, margin)
        sizes = missing_labels(opened, corpus, rows, target=target, by=by)
        if not sum(sizes.values()):
            raise ConfigError(
                "earlier draws hold enough posts for this margin", remedy="label them: nlp-study label status"
            )
    else:
        sizes = {"all": size or 0}
    draw = draw_sample(
        opened,
        corpus,
        name,
        sizes=sizes,
        by=by if margin is not None else Period.ALL,
        design=design,
        target=target,
        period=period,
        seed=seed,
        write=not dry_run,
    )
    strata = pa.Table.from_pylist(count_strata(draw))
    print_table(strata, format, title=f"{draw.name}: {len(draw.drawn)} of {len(draw.posts)} posts, {draw.design}")
    if dry_run:
        typer.echo("nothing was written", err=True)
    else:
        folder = _short(draws_folder(opened), opened)
        typer.echo(f"{folder}/{name}.csv and .json written; now: nlp-study label export {name}", err=True)


def export(
    name: Annotated[str, typer.Argument(help="Name of the draw.")],
    study: StudyOption = DEFAULT_STUDY,
    tool: Annotated[Tool, typer.Option(help="label-studio, doccano or csv.")] = Tool.LABEL_STUDIO,
    all_: Annotated[bool, typer.Option("--all", help="Also posts that have a label already.")] = False,
    prefill: Annotated[
        bool,
        typer.Option(
            "--prefill", help="Bring the model's label along. Readers then follow it: never for labels that measure."
        ),
    ] = False,
    labels: LabelsOption = None,
    output: OutputOption = None,
) -> None:
    """Write a draw as tasks for annotators: title and text, in random order, with a question in Indonesian.

    The files hold the authors' texts: they stay in the data folder, which is not tracked, and must not be published.
    """
    from nlp_study.labelling.draws import find_draw
    from nlp_study.labelling.intake import label_file
    from nlp_study.labelling.progress import read_drawn_labels
    from nlp_study.labelling.sample import draws_folder
    from nlp_study.labelling.tasks import FOLDER, export_tasks, read_tasks
    from nlp_study.labelling.texts import read_hints

    opened, corpus = open_study(study)
    draw = find_draw(draws_folder(opened), name)
    done = [] if all_ else [row.post_id for row in read_drawn_labels(opened, labels) if row.target == draw.target]
    tasks = read_tasks(opened, corpus, draw, skip=done, prefill=prefill)
    suffix = {Tool.LABEL_STUDIO: ".json", Tool.DOCCANO: ".jsonl", Tool.CSV: ".csv"}[tool]
    path = output or corpus.folder / FOLDER / f"{name}{suffix}"
    hints = read_hints(label_file(opened).parent)
    written = export_tasks(tasks, tool, path.expanduser(), stances=opened.study.stances, hints=hints)
    typer.echo(f"{len(tasks)} tasks: " + ", ".join(str(_short(file, opened)) for file in written))
    typer.echo("they hold texts of the authors: do not publish them, delete them when you are done", err=True)
    if prefill:
        typer.echo(
            "warning: prefilled labels pull readers toward the model; do not measure the model by them", err=True
        )


def import_(
    files: Annotated[list[Path], typer.Argument(help="Files that the annotation tool exported.")],
    study: StudyOption = DEFAULT_STUDY,
    to: Annotated[
        Path | None,
        typer.Option(
            help="Label file to append to, of drawn posts only; by default drawn.csv beside the study's first one."
        ),
    ] = None,
    annotator: Annotated[str, typer.Option(help="Who labelled, where the file does not say.")] = "",
    rename: Annotated[
        list[str] | None, typer.Option(metavar="FROM=TO", help="Another name for an annotator; may be repeated.")
    ] = None,
    guideline: Annotated[
        str | None, typer.Option(help="Version of the codebook; by default the one that codebook.md states.")
    ] = None,
    without_draw: Annotated[bool, typer.Option("--without-draw", help="Take posts that no draw holds, too.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a row failed.")] = False,
) -> None:
    """Read what annotators decided: Label Studio JSON, doccano JSONL or its zip, CSV.

    Each label gets the probability with which the draws take its post. Rows that cannot be used are listed with their place;
    importing a file again changes nothing.
    """
    import pyarrow as pa

    from nlp_study.labelling.intake import import_labels, label_file, read_names
    from nlp_study.labelling.tasks import FOLDER

    opened, corpus = open_study(study)
    path = to or label_file(opened)
    with corpus.lock():
        counts = import_labels(
            opened,
            corpus,
            files,
            to=path,
            annotator=annotator,
            names=read_names(rename or []),
            guideline=guideline,
            without_draw=without_draw,
        )
    typer.echo(
        f"{counts.added} labels added, {counts.changed} changed, {counts.known} there already, "
        f"{counts.empty} tasks without one, "
        f"{counts.restated} earlier rows with a new probability, {len(counts.failures)} failed: {_short(path, opened)}"
    )
    for failure in counts.failures[:SHOWN_FAILURES]:
        typer.echo(f"  {failure.where}: {failure.reason}", err=True)
    if counts.failures:
        listed = corpus.folder / FOLDER / "failures.csv"
        rows = [{"where": f.where, "post_id": f.post_id, "reason": f.reason} for f in counts.failures]
        print_table(pa.Table.from_pylist(rows), TableFormat.CSV, output=listed)
        typer.echo(f"all of them: {_short(listed, opened)}", err=True)
    if path.resolve() not in {opened.resolve(entry.path) for entry in opened.labels}:
        typer.echo(f'to use them, add to the study file:  [[labels]] path = "{_short(path, opened)}"', err=True)
    if strict and counts.failures:
        raise typer.Exit(1)


def agreement(
    study: StudyOption = DEFAULT_STUDY,
    annotators: Annotated[str, typer.Option(metavar="A,B", help="Annotators to compare; by default all.")] = "",
    target: TargetOption = "",
    format: Annotated[
        AgreementFormat, typer.Option("--format", "-f", help="csv: the disagreements. json, html: everything.")
    ] = AgreementFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """Show how far annotators agree: Krippendorff's alpha, per label, two by two; disagreements side by side.

    The interval comes from resampling posts. Adjudicated decisions are no readings and stand beside them.
    """
    import pyarrow as pa

    from nlp_study.labelling.readers import (
        compare_readers,
        dump_agreement,
        list_agreement,
        list_confusion,
        list_disagreements,
        render_agreement,
    )
    from nlp_study.schema import TableName
    from nlp_study.store import write_file

    opened, corpus = open_study(study)
    _import_labels(opened, corpus)
    rows = [row for row in corpus.read(TableName.LABELS).to_pylist() if not target or row["target"] == target]
    chosen = {name.strip() for name in annotators.split(",") if name.strip()} or None
    unknown = sorted((chosen or set()) - {row["annotator"] for row in rows})
    if unknown:
        known = ", ".join(sorted({row["annotator"] for row in rows}))
        raise ConfigError(f"no labels by {', '.join(unknown)}", remedy=f"annotators: {known or 'none'}")
    stances = [str(stance) for stance in opened.study.stances]
    whole, pairs = compare_readers(rows, annotators=chosen, labels=stances, seed=opened.study.seed)
    posts = {row["post_id"]: row for row in corpus.fetch("SELECT post_id, title, url FROM posts").to_pylist()}
    differing = list_disagreements(whole, posts)
    if format is AgreementFormat.TABLE and not output:
        print_table(pa.Table.from_pylist(list_agreement(whole, pairs)), title="agreement, 95 % over posts")
        by_label = [{"label": label, "alpha": alpha} for label, alpha in whole.by_label.items()]
        print_table(pa.Table.from_pylist(by_label), title="each label against the others")
        for pair in pairs:
            title = f"{pair.first} (rows) and {pair.second} (columns)"
            print_table(pa.Table.from_pylist(list_confusion(pair)), title=title)
        print_table(pa.Table.from_pylist(differing), title="read differently")
        return
    if format is AgreementFormat.JSON:
        text = dump_agreement(whole, pairs, differing)
    elif format is AgreementFormat.HTML:
        text = render_agreement(whole, pairs, differing, posts)
    else:
        print_table(pa.Table.from_pylist(differing), TableFormat.CSV, output=output)
        return
    if output:
        write_file(output, text)
    else:
        sys.stdout.write(text)


def status(
    study: StudyOption = DEFAULT_STUDY,
    labels: LabelsOption = None,
    by: ByOption = Period.ALL,
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """Show what is drawn, labelled and left, and how sure the shares would be with the labels there are."""
    import pyarrow as pa

    from nlp_study.labelling.progress import list_margins, list_progress, read_drawn_labels

    opened, corpus = open_study(study)
    given = read_drawn_labels(opened, labels)
    rows = list_progress(opened, given)
    if not rows:
        typer.echo("there is no draw yet: nlp-study label sample round-1 --size 160", err=True)
        return
    print_table(pa.Table.from_pylist(rows), format, output=output)
    if format is not TableFormat.TABLE or output:
        return
    for target in dict.fromkeys(row["target"] for row in rows):
        margins = list_margins(opened, corpus, given, target=target, by=by)
        if margins:
            print_table(pa.Table.from_pylist(margins), title=f"expected margins: {target}")


def _plan(
    study: Study,
    corpus: Corpus,
    target: str,
    *,
    margin: float | None = None,
    n_labels: int = 0,
    by: Period,
) -> list[PlanRow]:
    from nlp_study.labelling.plan import plan_labels
    from nlp_study.labelling.sample import choose_target

    return plan_labels(study, corpus, target=choose_target(study, target), margin=margin, n_labels=n_labels, by=by)


def _warn_unreached(rows: list[PlanRow], margin: float) -> None:
    wide = [row for row in rows if row.margin > margin]
    if wide:
        worst = max(wide, key=lambda row: row.margin)
        typer.echo(
            f"{len(wide)} of {len(rows)} shares stay wider, there are too few posts: ±{worst.margin:.3f} for {worst.stance} "
            f"in {worst.period} with all {worst.n_posts} labelled",
            err=True,
        )


def _say_total(rows: list[PlanRow], margin: float) -> str:
    from nlp_study.labelling.plan import sizes_of

    total, periods = sum(sizes_of(rows).values()), len({row.period for row in rows})
    known = "" if any(row.rho for row in rows) else "; nothing is known of the model yet, so it counts for nothing"
    return (
        f"{total} labels for ±{margin:g} of every stance"
        + (f" in each of {periods} periods" if periods > 1 else "")
        + known
    )


def _import_labels(study: Study, corpus: Corpus) -> None:
    """Read label files that have changed, so that what was just imported is seen."""
    from nlp_study.cli_options import announce
    from nlp_study.pipeline import run_stages

    with corpus.lock():
        run_stages(study, corpus, only=["import"], announce=announce)


def _short(path: Path, study: Study) -> Any:
    absolute = path.expanduser().resolve()
    return absolute.relative_to(study.root) if absolute.is_relative_to(study.root) else path
