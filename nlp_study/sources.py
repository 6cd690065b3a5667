"""`import_source`, `import_study_sources`: rows from files become posts, labels and pages.

Each post remembers its source; importing a source again replaces exactly its own posts and labels, so a repeated import
changes nothing and a corrected file takes effect. A post that two sources hold stays with the one that came first.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.config import Source, Study
from nlp_study.errors import DataError
from nlp_study.importers import ImportedRow, read_rows
from nlp_study.labels import read_label_file
from nlp_study.privacy.forgotten import Forgotten, open_forgotten
from nlp_study.schema import Failure, ImportFormat, Label, Post, TableName, table_specs
from nlp_study.store import Corpus, RunRecord

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

STAGE = "import"
_TABLES = (TableName.PAGES, TableName.POSTS, TableName.LABELS)


@dataclass
class ImportCounts:
    """What an import did, per source."""

    posts: int = 0
    labels: int = 0
    failures: int = 0
    repeated_posts: int = 0
    """Rows whose post another row or source already gave."""
    other_targets: int = 0
    """Labels toward targets that the study does not have."""
    forgotten_posts: int = 0
    """Rows passed over because their author or post was forgotten (`nlp-study forget`)."""


@dataclass
class _Batch:
    """Rows of one source, keyed as the tables are."""

    name: str
    posts: dict[str, dict[str, Any]] = field(default_factory=dict)
    pages: dict[str, dict[str, Any]] = field(default_factory=dict)
    labels: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    counts: ImportCounts = field(default_factory=ImportCounts)


def import_study_sources(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any]:
    """Import every source and label file of the study file; sources imported by hand stay.

    Raises
    ------
    DataError : the study has no source, a file cannot be read, or not one post came out.
    """
    if not study.sources and not _manual_sources(corpus):
        raise DataError("the study has no sources", remedy="add a [[sources]] entry, or run `nlp-study import PATH`")
    batches = [_read_source(source, study, corpus) for source in study.sources]
    kept = _manual_sources(corpus)
    return _merge(study, corpus, batches, record, manual=kept, read_label_files=True)


def import_source(study: Study, corpus: Corpus, source: Source, record: RunRecord) -> dict[str, Any]:
    """Import one source by hand, beside those of the study file.

    Raises
    ------
    DataError : the file cannot be read, or not one post came out.
    """
    batch = _read_source(source, study, corpus)
    if not batch.posts:
        reason = f"; first reason: {batch.failures[0].where}: {batch.failures[0].reason}" if batch.failures else ""
        raise DataError(
            f"no post could be read from {source.path}{reason}", remedy="check --format and the column mapping"
        )
    manual = {**_manual_sources(corpus)}
    if source.name not in {known.name for known in study.sources}:
        manual[source.name] = source.model_dump(mode="json")
    return _merge(study, corpus, [batch], record, manual=manual, read_label_files=False)


def _manual_sources(corpus: Corpus) -> dict[str, Any]:
    record = corpus.record(TableName.POSTS)
    return dict(record.counts.get("manual_sources", {})) if record else {}


def _read_source(source: Source, study: Study, corpus: Corpus) -> _Batch:
    from tqdm import tqdm

    batch, forgotten = _Batch(source.name), open_forgotten(corpus.folder)
    path = study.resolve(source.path)
    targets = {target.id for target in study.targets}
    rows: Iterator[ImportedRow | Failure]
    if source.format is ImportFormat.ARCHIVE:
        from nlp_study.extract.archive_posts import kept_folder, read_archive_rows

        rows = read_archive_rows(path, kept_folder(path))
    else:
        rows = read_rows(path, source.format, columns=source.columns, where=source.where, stances=study.study.stances)
    for row in tqdm(rows, desc=f"import {source.name}", unit=" rows", disable=None):
        if isinstance(row, Failure):
            if not forgotten.holds(post_id=row.post_id, url=row.where if "//" in row.where else None):
                batch.failures.append(row)
            continue
        post = row.post
        if forgotten.holds(post_id=post.post_id, author_id=post.author_id, author=post.author, url=post.url):
            batch.counts.forgotten_posts += 1
            continue
        _add_row(batch, row, targets)
        forgotten.redact(batch.posts[post.post_id])
    return batch


def _add_row(batch: _Batch, row: ImportedRow, targets: set[str]) -> None:
    post_id = row.post.post_id
    if post_id in batch.posts:
        batch.counts.repeated_posts += 1
    else:
        batch.posts[post_id] = post_row(row.post, batch.name)
        if row.page is not None:
            batch.pages[post_id] = {
                "post_id": post_id,
                "source": batch.name,
                "path": row.page.path,
                "url": row.page.url or row.post.url,
                "content": row.page.content,
                "digest": hashlib.sha256(row.page.content.encode()).hexdigest(),
            }
    for label in row.labels:
        _add_label(batch, label, targets)


def _add_label(batch: _Batch, label: Label, targets: set[str]) -> None:
    if label.target not in targets:
        batch.counts.other_targets += 1
        return
    key = (label.post_id, label.target, label.annotator)
    known = batch.labels.setdefault(key, {**asdict(label), "source": batch.name})
    if known["stance"] != label.stance:
        batch.failures.append(
            Failure(
                stage=STAGE,
                where=f"{batch.name}: {label.post_id} / {label.target} / {label.annotator}",
                reason=f"labelled twice, {known['stance']} and {label.stance}; the first is kept",
                post_id=label.post_id,
            )
        )


def post_row(post: Post, source: str) -> dict[str, Any]:
    """Return a post as a row of the table `posts`."""
    row = asdict(post)
    repost = row.pop("reposted_from") or {}
    row |= {f"reposted_{name}": repost.get(name) for name in ("title", "url", "author")}
    row["paragraphs"] = [{"kind": str(part.kind), "text": part.text} for part in post.paragraphs]
    row["tags"] = list(post.tags)
    row["date_source"] = str(post.date_source)
    row["source"] = source
    row["n_words"] = len(post.text.split())
    row["text_digest"] = hashlib.sha256(re.sub(r"\W+", " ", post.text.casefold()).strip().encode()).hexdigest()
    return row


def _merge(
    study: Study,
    corpus: Corpus,
    batches: Sequence[_Batch],
    record: RunRecord,
    *,
    manual: Mapping[str, Any],
    read_label_files: bool,
) -> dict[str, Any]:
    """Put the batches in place of what the same sources gave before, and write the three tables."""
    import pyarrow as pa

    fresh = {batch.name for batch in batches}
    wanted = fresh | set(manual) | {source.name for source in study.sources}
    held: set[str] = set()
    rows: dict[TableName, list[pa.Table]] = {}
    for name in _TABLES:
        old = corpus.read(name)
        keep = [s in wanted and s not in fresh for s in old["source"].to_pylist()]
        if name is TableName.LABELS and not read_label_files:
            keep = [k or _is_label_file(s) for k, s in zip(keep, old["source"].to_pylist(), strict=True)]
        rows[name] = [old.filter(pa.array(keep, pa.bool_()))]
    held.update(rows[TableName.POSTS][0]["post_id"].to_pylist())
    for batch in batches:
        repeated = held & batch.posts.keys()
        batch.counts.repeated_posts += len(repeated)
        new_posts = [row for post_id, row in batch.posts.items() if post_id not in repeated]
        new_pages = [row for post_id, row in batch.pages.items() if post_id not in repeated]
        held.update(batch.posts)
        batch.counts.posts, batch.counts.labels = len(new_posts), len(batch.labels)
        batch.counts.failures = len(batch.failures)
        rows[TableName.POSTS].append(_table(TableName.POSTS, new_posts))
        rows[TableName.PAGES].append(_table(TableName.PAGES, new_pages))
        rows[TableName.LABELS].append(_table(TableName.LABELS, list(batch.labels.values())))
    if not held:
        raise DataError("the sources hold no post", remedy="check `path`, `format` and `where` under [[sources]]")
    failures = [failure for batch in batches for failure in batch.failures]
    if read_label_files:
        label_rows, label_failures = _read_label_files(study, held, open_forgotten(corpus.folder))
        rows[TableName.LABELS].append(_table(TableName.LABELS, label_rows))
        failures += label_failures
    known = {batch.name: asdict(batch.counts) for batch in batches}
    previous = corpus.record(TableName.POSTS)
    per_source = {**(previous.counts.get("sources", {}) if previous else {}), **known}
    counts = {
        "posts": len(held),
        "labels": sum(part.num_rows for part in rows[TableName.LABELS]),
        "sources": {name: found for name, found in per_source.items() if name in wanted},
        "manual_sources": dict(manual),
        "failures": len(failures),
    }
    failures = _unique_failures(failures)
    if not read_label_files:
        failures = _keep_other_failures(corpus, failures)
    corpus.write_failures(STAGE, failures)
    for name in _TABLES:
        corpus.write(name, pa.concat_tables(rows[name]), RunRecord(**{**asdict(record), "counts": counts}))
    return counts


def _table(name: TableName, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pylist(list(rows), schema=table_specs()[name].schema)


def _is_label_file(source: str) -> bool:
    return source.startswith("labels:")


def _read_label_files(
    study: Study, post_ids: set[str], forgotten: Forgotten
) -> tuple[list[dict[str, Any]], list[Failure]]:
    targets = {target.id for target in study.targets}
    failures: list[Failure] = []
    labels: dict[tuple[str, str, str], dict[str, Any]] = {}
    for label_file in study.labels:
        for label in read_label_file(study.resolve(label_file.path), stances=study.study.stances):
            if forgotten.holds(post_id=label.post_id):
                continue
            if isinstance(label, Failure):
                failures.append(label)
            elif label.post_id not in post_ids:
                reason = "no source holds this post"
                where = f"{Path(label_file.path).name}: {label.post_id} / {label.annotator}"
                failures.append(Failure(STAGE, where, reason, label.post_id))
            elif label.target in targets:
                key = (label.post_id, label.target, label.annotator)
                labels[key] = {**asdict(label), "source": f"labels:{label_file.path}"}
    return list(labels.values()), failures


def _unique_failures(failures: Iterable[Failure]) -> list[Failure]:
    """Keep one failure per place; the table's key is (stage, where)."""
    return list({(failure.stage, failure.where): failure for failure in failures}.values())


def _keep_other_failures(corpus: Corpus, failures: list[Failure]) -> list[Failure]:
    """A single import must not wipe the failures that other sources left."""
    old = [row for row in corpus.read(TableName.FAILURES).to_pylist() if row["stage"] == STAGE]
    places = {failure.where for failure in failures}
    kept = [Failure(STAGE, r["where"], r["reason"], r["post_id"]) for r in old if r["where"] not in places]
    return kept + failures
