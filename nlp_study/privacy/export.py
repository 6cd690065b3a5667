"""`export_study(...)`: what a study may share, as CSV files: ids, labels and predictions, no texts, no names unless asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_study.errors import DataError
from nlp_study.privacy.keys import fold_name, keyed_hash, open_key
from nlp_study.schema import TableName
from nlp_study.store import write_file
from nlp_study.tables import TableFormat, print_table

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.store import Corpus

_PSEUDONYM_DIGITS = 16
"""Hex digits kept of a pseudonym: two of a million authors fall together with a probability of 3 in 100 million."""

_PLAIN = (
    "post_id", "author_id", "author", "category", "badge", "published_at", "updated_at", "date_source", "language",
    "n_words", "n_views", "n_ratings", "n_comments", "is_cut", "text_digest",
)  # fmt: skip
_WITH_NAMES = ("url",)
_WITH_TEXTS = ("title", "tags", "caption", "text")
_TABLES = (TableName.LABELS, TableName.PREDICTIONS, TableName.DUPLICATES)
_LEFT_OUT = {"source"}
"""Columns of the other tables that name files of whoever runs the study."""


@dataclass(frozen=True)
class ExportCounts:
    """Rows written, by file name, and whether they hold texts and names."""

    rows: dict[str, int]
    with_texts: bool
    with_names: bool


def pseudonymise(table: pa.Table, folder: Path, *, columns: Sequence[str] = ("author", "author_id")) -> pa.Table:
    """Return a table with names replaced by pseudonyms: equal names by equal ones, so authors can still be told apart.

    A pseudonym is the first 16 hex digits of the HMAC-SHA256 of the name with the study's key. Whoever has the key can tell
    whether a name belongs to a pseudonym, nobody else; another study's pseudonyms are others.

    Parameters
    ----------
    table : any columns.
    folder : the study's data folder, where the key lies or is made.
    columns : those to replace; null stays null.

    Raises
    ------
    PrivacyError : the key is damaged or cannot be made.
    DataError : the table lacks one of the columns.
    """
    import pyarrow as pa

    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise DataError(f"no column {', '.join(missing)} to pseudonymise", remedy=f"columns are {table.column_names}")
    key = open_key(folder)
    for name in columns:
        names = table[name].to_pylist()
        made = {n: keyed_hash(key, "pseudonym", fold_name(n))[:_PSEUDONYM_DIGITS] for n in set(names) if n is not None}
        at = table.column_names.index(name)
        table = table.set_column(at, name, pa.array([made.get(n) for n in names], pa.string()))
    return table


def export_study(
    study: Study, corpus: Corpus, folder: Path, *, with_texts: bool = False, with_names: bool = False
) -> ExportCounts:
    """Write `posts.csv`, `labels.csv`, `predictions.csv`, `duplicates.csv` and a page that explains them.

    Biographies, jobs and addresses of authors are never among them; an address holds the account's name and comes with
    `with_names` only.

    Parameters
    ----------
    folder : where to write; files of an earlier export are replaced.
    with_texts : add title, keywords, caption and body.
    with_names : names and accounts as they are, and addresses, instead of pseudonyms.

    Raises
    ------
    DataError : there are no posts.
    StoreError : the folder cannot be written.
    """
    if not corpus.has(TableName.POSTS):
        raise DataError("there are no posts to export", remedy="run `nlp-study run` first")
    columns = [*_PLAIN, *(_WITH_NAMES if with_names else ()), *(_WITH_TEXTS if with_texts else ())]
    posts = corpus.fetch(f"SELECT {', '.join(columns)} FROM posts ORDER BY post_id")
    if not with_names:
        posts = pseudonymise(posts, corpus.folder)
    tables = {TableName.POSTS: posts}
    for name in _TABLES:
        table = corpus.read(name)
        tables[name] = table.select([column for column in table.column_names if column not in _LEFT_OUT])
    for name, table in tables.items():
        print_table(table, TableFormat.CSV, output=folder / f"{name}.csv")
    write_file(folder / "README.md", _explain(study, with_texts=with_texts, with_names=with_names))
    return ExportCounts({f"{name}.csv": table.num_rows for name, table in tables.items()}, with_texts, with_names)


def _explain(study: Study, *, with_texts: bool, with_names: bool) -> str:
    names = (
        "Names and addresses of authors are in clear: do not pass this folder on without a reason that covers them."
        if with_names
        else "`author` and `author_id` are pseudonyms, made with a key that stays with the study. An id of the site still "
        "leads to the post, and so to its author: this is pseudonymous, not anonymous, data."
    )
    texts = (
        "The texts belong to their authors."
        if with_texts
        else "There are no texts; read them on the site by their id, where a post that its author took down is gone."
    )
    return (
        f"# Export of {study.study.name}\n\n{names}\n\n{texts}\n\nDelete a post from your copy when you are told to.\n"
    )
