"""Commands that collect posts and care for the people in them: crawl, extract, forget."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlp_study.cli_options import DEFAULT_STUDY, StudyOption, open_study
from nlp_study.errors import ConfigError, DataError
from nlp_study.schema import ImportFormat
from nlp_study.tables import TableFormat, print_table

if TYPE_CHECKING:
    from nlp_study.config import Study

_DAY = ["%Y-%m-%d"]
CRAWL_SOURCE = "crawl"
"""Name of the source under which posts of the archive stand in the tables."""


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    examples = "Examples:  nlp-study crawl --since 2024-01-01 --until 2024-01-31 --contact nama@kampus.ac.id   ·   "
    app.command(epilog=examples + "nlp-study crawl --tag umkm --limit 200   ·   nlp-study crawl --refresh")(crawl)
    app.command(
        epilog="Examples:  nlp-study extract   ·   nlp-study extract --diff   ·   nlp-study extract --workers 4"
    )(extract)
    app.command(
        epilog="Examples:  nlp-study forget --author greg.nafanu   ·   nlp-study forget --post 5aafc4b5dd0fa87b5f4d5e13"
    )(forget)


def crawl(
    study: StudyOption = DEFAULT_STUDY,
    since: Annotated[datetime | None, typer.Option(formats=_DAY, help="First day of the daily index.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=_DAY, help="Last day, included; by default today.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Posts with this tag; may be repeated.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Posts a category page lists; may be repeated.")] = None,
    search: Annotated[list[str] | None, typer.Option(help="Posts the site's search finds; may be repeated.")] = None,
    author: Annotated[list[str] | None, typer.Option(help="Posts of an account; may be repeated.")] = None,
    url: Annotated[list[str] | None, typer.Option(help="Address of a post; may be repeated.")] = None,
    urls: Annotated[Path | None, typer.Option(help="File with one address a line.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after this many posts.")] = None,
    max_mb: Annotated[float | None, typer.Option(min=0.1, help="Stop after this many megabytes.")] = None,
    contact: Annotated[str, typer.Option(help="Mail or web address at which the site reaches you.")] = "",
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask for stored posts again, conditionally.")] = False,
) -> None:
    """Fetch posts into the archive, politely; continue where the last run ended.

    Settings that stay, the contact above all, belong under [crawl] in the study file: contact, project_url, base_url,
    delay_s, daily_requests, daily_mb and the rest of `nlp_study.crawl.settings.CrawlSettings`.
    """
    from nlp_study.crawl.crawl import crawl_posts, describe_counts

    opened, _ = open_study(study)
    listed = _read_addresses(urls) if urls else []
    given: dict[str, Any] = {
        "since": since.date() if since else None,
        "until": until.date() if until else None,
        "tags": tuple(tag or ()),
        "categories": tuple(category or ()),
        "searches": tuple(search or ()),
        "authors": tuple(author or ()),
        "urls": (*(url or ()), *listed),
        "limit": limit,
        "max_mb": max_mb,
        "contact": contact,
        "refresh": refresh,
    }
    counts = crawl_posts(_crawl_settings(opened, {name: value for name, value in given.items() if value}))
    typer.echo(describe_counts(counts))
    if counts.n_stored or counts.n_changed:
        typer.echo("now: nlp-study extract")


def extract(
    study: StudyOption = DEFAULT_STUDY,
    diff: Annotated[
        bool, typer.Option("--diff", help="Only show what the present parsers would change, and accept nothing.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default one a core.")] = None,
) -> None:
    """Read the posts of the archive into the tables; only pages that are new, or new to the parsers, are read."""
    import pyarrow as pa
    from tqdm import tqdm

    from nlp_study.config import Source
    from nlp_study.extract.archive_posts import compare_parsers, extract_archive, kept_folder
    from nlp_study.sources import STAGE, import_source
    from nlp_study.store import RunRecord

    opened, corpus = open_study(study)
    settings = _crawl_settings(opened, {})
    kept = kept_folder(settings.archive_folder)
    with corpus.lock(), tqdm(desc="extract", unit=" pages", disable=None) as bar:
        if diff:
            changes = compare_parsers(settings.archive_folder, kept, workers=workers, progress=bar.update)
            bar.close()
            rows = [
                {"field": c.field, "posts": c.n_posts, "first": c.post_id, "before": c.before, "after": c.after}
                for c in changes
            ]
            if rows:
                print_table(pa.Table.from_pylist(rows), TableFormat.TABLE, title="what the present parsers change")
            typer.echo("accept it: nlp-study extract" if rows else "the present parsers change nothing")
            return
        extract_archive(settings.archive_folder, kept, workers=workers, progress=bar.update)
        bar.close()
        path = str(settings.archive_folder)
        named = [s for s in opened.sources if s.format is ImportFormat.ARCHIVE and opened.resolve(s.path) == Path(path)]
        source = named[0] if named else Source(name=CRAWL_SOURCE, path=path, format=ImportFormat.ARCHIVE)
        counts = import_source(opened, corpus, source, RunRecord(stage=STAGE, fingerprint={}))
    found = counts["sources"][source.name]
    typer.echo(f"{found['posts']:,} posts from the archive, {found['failures']:,} pages without one")
    if found["failures"]:
        typer.echo("why: nlp-study query failures", err=True)


def forget(
    study: StudyOption = DEFAULT_STUDY,
    author: Annotated[str | None, typer.Option(help="Account, profile address, or printed name.")] = None,
    post: Annotated[str | None, typer.Option(help="Id or address of a post.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a person or a post from archive, tables, labels and models' predictions, and keep them out.

    What remains is a keyed hash. It cannot be undone; copies of the folder elsewhere are not reached.
    """
    from dataclasses import asdict

    from nlp_study.privacy.forget import forget as forget_subject

    opened, corpus = open_study(study)
    if not (author or post):
        raise ConfigError("nobody is named", remedy="give --author ACCOUNT, or --post ID")
    if not yes:
        typer.confirm(f"Remove {author or post} for good?", abort=True, err=True)
    settings = _crawl_settings(opened, {})
    with corpus.lock():
        folder = settings.archive_folder if settings.archive_folder.is_dir() else None
        counts = asdict(forget_subject(opened, corpus, folder, author=author, post=post))
    typer.echo(
        ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in counts.items() if value) or "nothing found"
    )
    typer.echo("remembered as a keyed hash; run `nlp-study run` to count again without it")


def _read_addresses(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"the addresses in {path} cannot be read: {error}", remedy="--urls names a text file, one address a line"
        ) from None


def _crawl_settings(study: Study, given: dict[str, Any]) -> Any:
    """Lay options over the section [crawl] of the study file."""
    from pydantic import ValidationError

    from nlp_study.crawl.settings import CrawlSettings

    values = {"folder": "data/crawl", "forgotten_folder": study.data_dir, **study.crawl, **given}
    values["folder"] = study.resolve(str(values["folder"]))
    try:
        return CrawlSettings(**values)
    except ValidationError as error:
        lines = [f"crawl.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigError("\n  ".join(lines), remedy="correct [crawl] in the study file, or the option") from None
