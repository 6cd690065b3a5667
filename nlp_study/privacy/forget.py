"""`forget(...)`: remove a person or a post from everything the study keeps, and remember a keyed hash only."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nlp_study.errors import DataError
from nlp_study.extract.urls import parse_article_url
from nlp_study.privacy.forgotten import fold_url, remember
from nlp_study.privacy.keys import PrivacyError, fold_name
from nlp_study.privacy.subject import Subject
from nlp_study.schema import MODEL_EVALUATIONS, TableName, table_specs
from nlp_study.store import RECORD_FILE, dump_parquet, write_file

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.store import Corpus


@dataclass
class ForgetCounts:
    """What was removed, and what remains for a human to decide.

    `rows` counts rows by table, `label_rows` those of label files. `mentions` are posts of others in the archive that link to
    the person or post; `copies` ids of posts by others that repeat a removed text; `sources` the files that it was imported
    from, which are the user's and stay as they are (a later import passes over it).
    """

    posts: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    label_rows: int = 0
    archive_records: int = 0
    archive_files: int = 0
    frontier_rows: int = 0
    mentions: int = 0
    remembered: int = 0
    copies: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    report_removed: bool = False


def forget(
    study: Study,
    corpus: Corpus,
    archive_folder: Path | None,
    *,
    author: str | None = None,
    post: str | None = None,
    label_paths: Sequence[Path] | None = None,
) -> ForgetCounts:
    """Remove a person, or a post, from archive, frontier, tables, label files, models' held-out predictions and report.

    Only keyed hashes are remembered, and these first, so that no import or crawl brings back what is being removed. The
    archive goes second to last and the table `posts` last: they know which posts are the person's, so a run that was killed
    anywhere finishes when it is repeated.
    Statistics (`trends`, a trained model's weights) hold no post; `nlp-study run` makes them again without it. Hold
    `corpus.lock()` meanwhile; a running crawl is an error.

    Parameters
    ----------
    archive_folder : the folder of the WARC files; None where nothing was crawled.
    author : account, address of the profile, or, where the posts have no account, the printed name.
    post : id or address of a post. Give one of both.
    label_paths : label files, CSV with a column `post_id`; by default those of the study file, and the draws.

    Returns
    -------
    ForgetCounts; all zero where nothing was found, and then it is remembered all the same.

    Raises
    ------
    PrivacyError : a name belongs to several accounts, a crawl is running, or the key is missing.
    StoreError : a table or file cannot be written; run it again.
    """
    if (author is None) == (post is None) or not (author or post or "").strip():
        raise PrivacyError("forget needs either an author or a post", remedy="name one of both, not empty")
    from nlp_study.privacy.warc import hold_archive

    with hold_archive(archive_folder):
        return _forget(study, corpus, archive_folder, author=author, post=post, label_paths=label_paths)


def _forget(
    study: Study,
    corpus: Corpus,
    archive_folder: Path | None,
    *,
    author: str | None,
    post: str | None,
    label_paths: Sequence[Path] | None,
) -> ForgetCounts:
    from nlp_study.privacy.warc import (
        ArchiveFindings,
        clean_frontier,
        collect_posts,
        drop_extracted,
        rewrite_archive,
        search_archive,
    )

    subject = _find_subject(corpus, author=author, post=post)
    remembered = remember(corpus.folder, subject.marks())
    counts = ForgetCounts()
    if archive_folder is not None:
        collect_posts(archive_folder, subject)
    counts.remembered = remembered + remember(corpus.folder, subject.marks())
    counts.copies, counts.sources = _find_rest(study, corpus, subject)
    paths = _label_paths(study) if label_paths is None else list(label_paths)
    _sweep(corpus, [archive_folder, study.models_dir, *(path.parent for path in paths)])
    findings = ArchiveFindings() if archive_folder is None else search_archive(archive_folder, subject)
    counts.mentions, counts.archive_records = findings.n_mentions, findings.n_records
    counts.label_rows = sum(_clean_label_file(path, subject) for path in paths)
    _clean_models(study.models_dir, subject)
    if (findings.n_records or _find_posts(corpus, subject)) and study.report_path.is_file():
        study.report_path.unlink()
        counts.report_removed = True
    rows = {str(name): _clean_table(corpus, name, subject) for name in TableName if name is not TableName.POSTS}
    if archive_folder is not None:  # after the labels: some ids may be known from here only
        drop_extracted(archive_folder, findings)
        counts.archive_files = rewrite_archive(findings)
        counts.frontier_rows = clean_frontier(archive_folder, subject)
    counts.posts = rows[str(TableName.POSTS)] = _clean_table(corpus, TableName.POSTS, subject)
    counts.rows = {name: n_rows for name, n_rows in rows.items() if n_rows}
    _sweep(corpus, [])
    return counts


# ---- who or what -----------------------------------------------------------------------------------------------------


def _find_subject(corpus: Corpus, *, author: str | None, post: str | None) -> Subject:
    """Collect everything that leads to the person or post."""
    columns = ["post_id", "author_id", "author", "url"]
    rows = corpus.read(TableName.POSTS, columns=columns).to_pylist()
    if post is not None:
        article = parse_article_url(post)
        post_id = article.id24 if article else post.strip().lower()
        mine = [row for row in rows if row["post_id"].lower() == post_id or (row["url"] and row["url"] == post.strip())]
        subject = Subject(post_ids={post_id} if article or "/" not in post_id else set())
        subject.urls |= {fold_url(post)} if "/" in post and not article else set()
    else:
        account = fold_name(_read_account(author or ""))
        mine = [row for row in rows if row["author_id"] and fold_name(row["author_id"]) == account]
        if not mine:
            mine = [row for row in rows if row["author"] and fold_name(row["author"]) == account]
        accounts = {fold_name(row["author_id"]) for row in mine if row["author_id"]}
        if len(accounts) > 1:
            raise PrivacyError(
                f"«{author}» is the name of {len(accounts)} accounts: {', '.join(sorted(accounts))}",
                remedy="name the account",
            )
        subject = Subject(accounts=accounts or {account})
        subject.names |= {account} | {fold_name(row["author"]) for row in mine if row["author"]}
    for row in mine:
        subject.post_ids.add(row["post_id"].lower())
        if row["url"] and parse_article_url(row["url"]) is None:
            subject.urls.add(fold_url(row["url"]))
    return subject


def _read_account(author: str) -> str:
    """The account in the address of a profile or post; anything else is taken as it is."""
    article = parse_article_url(author)
    if article:
        return article.user
    if "kompasiana.com/" in author:
        return urlsplit(author if "//" in author else f"//{author}").path.strip("/").split("/")[0]
    return author


def _label_paths(study: Study) -> list[Path]:
    """The study's label files, that of drawn posts, and the draws, which name posts as well."""
    from nlp_study.labelling.intake import label_file
    from nlp_study.labelling.sample import draws_folder

    draws = sorted(path for path in draws_folder(study).glob("*.csv") if path.with_suffix(".json").is_file())
    return list(dict.fromkeys([*(study.resolve(entry.path) for entry in study.labels), label_file(study), *draws]))


def _find_posts(corpus: Corpus, subject: Subject) -> list[dict[str, Any]]:
    rows = corpus.read(TableName.POSTS, columns=["post_id", "source"]).to_pylist()
    return [row for row in rows if row["post_id"].lower() in subject.post_ids]


def _find_rest(study: Study, corpus: Corpus, subject: Subject) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Posts of others that repeat the subject's, and the files that its posts came from."""
    rows = corpus.read(TableName.DUPLICATES, columns=["post_id", "group"]).to_pylist()
    groups = {row["group"] for row in rows if row["post_id"].lower() in subject.post_ids}
    copies = {r["post_id"] for r in rows if r["group"] in groups and r["post_id"].lower() not in subject.post_ids}
    record = corpus.record(TableName.POSTS)
    manual = dict(record.counts.get("manual_sources", {})) if record else {}
    paths = {name: entry["path"] for name, entry in manual.items()} | {s.name: s.path for s in study.sources}
    sources = {row["source"] for row in _find_posts(corpus, subject) if row["source"]}
    return tuple(sorted(copies)), tuple(sorted(paths.get(source, source) for source in sources))


# ---- what is cleaned -------------------------------------------------------------------------------------------------


def _clean_table(corpus: Corpus, name: TableName, subject: Subject) -> int:
    """Rewrite a table without the subject's rows; return how many went. The record stays, so that stages see a change."""
    import pyarrow as pa

    record = corpus.record(name)
    if record is None:
        return 0
    table = corpus.read(name)
    if name is TableName.TOPICS:
        changed = _drop_representatives(table, subject)
    elif name is TableName.POSTS:
        changed = _drop_footers(table.filter(pa.array(_keep(table, subject))), subject)
    elif name is TableName.FAILURES:
        changed = table.filter(pa.array(_keep_failures(table, subject), pa.bool_()))
    elif name is TableName.DUPLICATES:
        # a group that lost a post is found anew by the next run; its key could be the post's id
        gone = {g for g, keep in zip(table["group"].to_pylist(), _keep(table, subject), strict=True) if not keep}
        changed = table.filter(pa.array([group not in gone for group in table["group"].to_pylist()], pa.bool_()))
    elif "post_id" in table.column_names:
        changed = table.filter(pa.array(_keep(table, subject), pa.bool_()))
    else:
        return 0
    if changed is not table and not changed.equals(table):
        corpus.write(name, changed, record)
    return int(table.num_rows - changed.num_rows)


def _keep(table: pa.Table, subject: Subject) -> list[bool]:
    return [post_id is None or post_id.lower() not in subject.post_ids for post_id in table["post_id"].to_pylist()]


def _keep_failures(table: pa.Table, subject: Subject) -> list[bool]:
    places, reasons = table["where"].to_pylist(), table["reason"].to_pylist()
    return [
        keep and not subject.owns(where) and not subject.is_mentioned(f"{where}\n{reason}")
        for keep, where, reason in zip(_keep(table, subject), places, reasons, strict=True)
    ]


def _drop_representatives(table: pa.Table, subject: Subject) -> pa.Table:
    import pyarrow as pa

    name = "representative_segments"
    kept = [
        [segment for segment in segments or [] if segment.rsplit(":", 1)[0].lower() not in subject.post_ids]
        for segments in table[name].to_pylist()
    ]
    field_ = table.schema.field(name)
    return table.set_column(table.column_names.index(name), field_, pa.array(kept, field_.type))


def _drop_footers(table: pa.Table, subject: Subject) -> pa.Table:
    """Blank what posts of others say of the post they were copied from, where that is the subject's."""
    import pyarrow as pa

    hits = [
        bool(url and subject.owns(url)) or bool(author and fold_name(author) in subject.names)
        for url, author in zip(table["reposted_url"].to_pylist(), table["reposted_author"].to_pylist(), strict=True)
    ]
    for name in ("reposted_title", "reposted_url", "reposted_author"):
        values = [None if hit else value for hit, value in zip(hits, table[name].to_pylist(), strict=True)]
        table = table.set_column(
            table.column_names.index(name), table.schema.field(name), pa.array(values, pa.string())
        )
    return table


def _clean_label_file(path: Path, subject: Subject) -> int:
    """Rewrite a label file without the subject's rows, the others byte for byte; return how many went."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return 0
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 (byte {error.start})", remedy="save it as UTF-8, and run it again"
        ) from None
    kept, n_gone = [], 0
    at: int | None = None
    for cells, raw in _raw_rows(text):
        if at is None:
            cells = [cell.removeprefix("\ufeff") for cell in cells]
            if "post_id" not in cells:
                raise DataError(f"{path} has no column post_id", remedy="name label files only")
            at = cells.index("post_id")
        elif len(cells) > at and cells[at].strip().lower() in subject.post_ids:
            n_gone += 1
            continue
        kept.append(raw)
    if n_gone:
        write_file(path, "".join(kept))
    return n_gone


def _raw_rows(text: str) -> Iterator[tuple[list[str], str]]:
    """Yield the cells of each CSV row and the text it was written as; a quoted cell may hold line ends."""
    lines = io.StringIO(text, newline="").readlines()
    reader, start = csv.reader(lines), 0
    for cells in reader:
        yield cells, "".join(lines[start : reader.line_num])
        start = reader.line_num


def _clean_models(folder: Path, subject: Subject) -> None:
    """Take the subject's rows out of the held-out predictions that models bring along, and drop kept readings."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    shutil.rmtree(folder / ".frozen", ignore_errors=True)

    for path in sorted(folder.glob(f"*/{MODEL_EVALUATIONS}")) if folder.is_dir() else []:
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"cannot read {path}: {error}", remedy=f"delete {path.parent}, and run it again") from None
        kept = table.filter(pa.array(_keep(table, subject), pa.bool_()))
        if kept.num_rows < table.num_rows:
            write_file(path, dump_parquet(kept))


def _sweep(corpus: Corpus, folders: Sequence[Path | None]) -> None:
    """Delete what an interrupted write left (unfinished files, Parquet files that no record names) and half-done stages."""
    for scratch in (
        "protocols",
        "predictions.partial",
        "evaluations.partial",
        "tokens.partial",
        "concordance",
        "labelling",
    ):
        shutil.rmtree(corpus.folder / scratch, ignore_errors=True)
    for folder in folders:
        if folder is not None and folder.is_dir():
            for path in [*folder.glob(".*.tmp-*"), *folder.glob("*/.*.tmp-*")]:
                path.unlink(missing_ok=True)
    for name in table_specs():
        folder = corpus.folder / name
        if folder.is_dir():
            record = corpus.record(name)
            named = {RECORD_FILE, *(record.files if record else ())}
            for path in folder.iterdir():
                if path.is_file() and path.name not in named:
                    path.unlink(missing_ok=True)
