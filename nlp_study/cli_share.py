"""Commands that compare runs and share a study: diff, export, verify."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nlp_study.cli_options import DEFAULT_STUDY, FormatOption, OutputOption, StudyOption, open_study
from nlp_study.compare.show import DiffFormat
from nlp_study.errors import ConfigError
from nlp_study.tables import TableFormat, print_table


class ExportKind(StrEnum):
    """What is exported."""

    DEHYDRATED = "dehydrated"
    BUNDLE = "bundle"
    TABLES = "tables"


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog="Examples:  nlp-study diff old-data data   ·   nlp-study diff a/study.toml b/study.toml   ·   "
        "nlp-study diff bundle.zip study.toml --format html --output diff.html"
    )(diff)
    app.command(
        epilog="Examples:  nlp-study export shared/   ·   nlp-study export shared/ --licence 'CC BY 4.0'   ·   "
        "nlp-study export study.zip --kind bundle   ·   nlp-study export inside/ --with-names --with-texts"
    )(export)
    app.command(
        epilog="Examples:  nlp-study verify study.zip   ·   nlp-study verify study.zip --study copy/study.toml"
    )(verify)


def diff(
    first: Annotated[Path, typer.Argument(metavar="RUN_A", help="Data folder, study file, or bundle.")],
    second: Annotated[Path, typer.Argument(metavar="RUN_B", help="Another; changes are told from A to B.")],
    format: Annotated[DiffFormat, typer.Option("--format", "-f", help="json has every changed id.")] = DiffFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """Show what changed between two runs: settings, posts, labels, model, predictions, topics, figures, versions.

    The difference of two models comes with an interval over authors, on pairs that both held out; a share moved clearly where
    it left both intervals. What a run does not have is said.
    """
    from nlp_study.compare.parts import compare_runs
    from nlp_study.compare.runs import open_run
    from nlp_study.compare.show import print_comparison

    parts = compare_runs(open_run(first), open_run(second))
    print_comparison(parts, format, first=str(first), second=str(second), output=output)


def export(
    path: Annotated[Path, typer.Argument(help="Folder to write into; for a bundle, the zip file.")],
    study: StudyOption = DEFAULT_STUDY,
    kind: Annotated[
        ExportKind | None,
        typer.Option(
            help="dehydrated: ids, labels, predictions, topics, with a datasheet. bundle: what it takes to make the study "
            "again. tables: CSV for inside use, with texts and names if asked. [default: dehydrated]"
        ),
    ] = None,
    licence: Annotated[str, typer.Option(help="Licence of the data set; by default that of the labels.")] = "",
    with_addresses: Annotated[
        bool, typer.Option("--with-addresses", help="dehydrated: add addresses, which hold the authors' accounts.")
    ] = False,
    with_texts: Annotated[bool, typer.Option("--with-texts", help="tables: add titles and bodies.")] = False,
    with_names: Annotated[bool, typer.Option("--with-names", help="tables: names and addresses.")] = False,
) -> None:
    """Write what a study may share: no texts, and pseudonyms for authors and annotators, unless asked.

    A bundle is one zip with study file, versions, digests, run records and the tables without texts; `nlp-study verify`
    compares a rerun with it. The same study gives the same bytes.
    """
    opened, corpus = open_study(study)
    inside = with_texts or with_names
    chosen = kind or (ExportKind.TABLES if inside else ExportKind.DEHYDRATED)
    if inside and chosen is not ExportKind.TABLES:
        raise ConfigError(
            f"--kind {chosen} holds no texts and no names", remedy="leave --with-texts and --with-names out"
        )
    if with_addresses and chosen is not ExportKind.DEHYDRATED:
        raise ConfigError("--with-addresses goes with --kind dehydrated", remedy="leave one of both out")
    if chosen is ExportKind.BUNDLE:
        from nlp_study.bundle.pack import write_bundle

        if path.suffix != ".zip":
            raise ConfigError(f"a bundle is a zip file, not {path}", remedy=f"for example {path}.zip")
        file = study / "study.toml" if study.is_dir() else study
        files = write_bundle(opened, corpus, path, study_file=file)
        typer.echo(f"{path}: {len(files)} files, {sum(files.values()) / 1e6:.1f} MB")
        return
    if chosen is ExportKind.TABLES:
        from nlp_study.privacy.export import export_study

        counts = export_study(opened, corpus, path, with_texts=with_texts, with_names=with_names)
        typer.echo(f"{path}: " + ", ".join(f"{name} ({rows:,} rows)" for name, rows in counts.rows.items()))
        return
    from nlp_study.bundle.dehydrate import export_dehydrated

    made = export_dehydrated(opened, corpus, path, licence=licence, with_addresses=with_addresses)
    typer.echo(f"{path}: " + ", ".join(f"{name} ({rows:,} rows)" for name, rows in made.rows.items()))
    typer.echo(f"read {path}/DATASHEET.md and answer what it leaves open before you share the folder", err=True)


def verify(
    bundle: Annotated[Path, typer.Argument(help="Bundle that `nlp-study export --kind bundle` wrote.")],
    study: StudyOption = DEFAULT_STUDY,
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """Compare a rerun with a bundle: what is equal, close, different or missing. Exits with 1 if figures differ.

    Inputs, settings, code and versions that differ are named, to explain a difference; `nlp-study diff` shows it.
    """
    import pyarrow as pa

    from nlp_study.bundle.verify import is_reproduced, verify_bundle

    opened, corpus = open_study(study)
    checks = verify_bundle(bundle, opened, corpus)
    rows = [{"what": c.kind, "name": c.name, "verdict": str(c.verdict), "note": c.note} for c in checks]
    print_table(pa.Table.from_pylist(rows), format, output=output)
    good = is_reproduced(checks)
    typer.echo("reproduced: every table of figures is equal or close" if good else "not reproduced", err=True)
    if not good:
        raise typer.Exit(1)
