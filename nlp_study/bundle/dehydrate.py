"""`export_dehydrated(...)`: ids, labels, predictions and topics of a study, without a word of its posts.

Only the columns named here leave a study. None of them holds text of a post, a title, a name, an account or an address: a
searched title leads to its author, and an address on the site holds account and title. Authors and annotators are pseudonyms,
made with the study's key. A post is fetched again by its day and its id.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_study.errors import DataError
from nlp_study.labels import ADJUDICATED
from nlp_study.privacy.export import pseudonymise
from nlp_study.privacy.keys import fold_name, keyed_hash, open_key
from nlp_study.schema import TableName
from nlp_study.store import dump_parquet, write_file
from nlp_study.tables import TableFormat, print_table

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.store import Corpus

ADDRESS = "address"
"""Column of posts, only when asked for: the address without its last part, which repeats the title; it holds the account."""
_POSTS = (
    "post_id", "author_id", "category", "badge", "language", "n_words", "is_cut", "date_source", "text_digest",
)  # fmt: skip
SHARED_COLUMNS: dict[str, tuple[str, ...]] = {
    "posts": (*_POSTS, "month", "published_on"),
    "labels": ("post_id", "target", "annotator", "stance", "guideline", "labelled_at", "sampling_proba"),
    "predictions": (
        "post_id", "target", "stance", "proba_favor", "proba_against", "proba_neutral", "proba_irrelevant", "abstained",
        "model_id", "origin", "n_windows", "n_tokens", "n_tokens_total",
    ),
    "duplicates": ("post_id", "group", "position", "is_first", "kind", "share", "nearest"),
    "topics": ("topic_id", "words", "weights", "n_segments", "n_posts", "n_reassigned", "stability", "is_stable", "npmi"),
    "topic_assignments": ("segment_id", "post_id", "topic_id", "proba", "reassigned"),
    "evaluations": (
        "model", "seed", "fold", "post_id", "target", "group", "gold", "predicted", "proba_favor", "proba_against",
        "proba_neutral", "proba_irrelevant",
    ),
    "trends": (
        "month", "target", "stance", "topic_id", "n_posts", "n_abstained", "n_stance", "share", "share_low", "share_high",
        "method",
    ),
    "estimates": (
        "target", "stance", "grain", "period", "group_kind", "group", "method", "n_posts", "n_labels", "n_authors", "share",
        "se", "low", "high", "low_all", "high_all", "share_on", "low_on", "high_on", "low_all_on", "high_all_on", "power",
        "n_effective", "note",
    ),
    "trend_lines": (
        "target", "stance", "month", "method", "share", "low", "high", "low_all", "high_all", "share_on", "low_on", "high_on",
        "low_all_on", "high_all_on", "step",
    ),
    "changes": (
        "target", "stance", "rank", "month", "month_low", "month_high", "since", "until", "before", "after", "difference",
        "low", "high", "p_value", "method",
    ),
    "compositions": ("target", "stance", "period_a", "period_b", "by", "component", "value", "low", "high"),
    "topic_tree": ("node", "parent", "height", "topics", "n_segments"),
    "topic_quality": ("measure", "value"),
}  # fmt: skip
"""Columns that may leave a study, by table; those that a study does not have are passed over. Names of topics are not among
them: one that was made from the topic's segments can hold a phrase of a post."""
PSEUDONYMS = {"posts": ("author_id",), "labels": ("annotator",), "evaluations": ("group",)}
"""Columns that hold pseudonyms: those of another study folder differ, because its key does."""


@dataclass(frozen=True)
class DehydratedSet:
    """What was written: rows by table, and the files by name with their bytes."""

    rows: dict[str, int]
    files: dict[str, int]


def make_dehydrated(study: Study, corpus: Corpus, *, with_addresses: bool = False) -> dict[str, pa.Table]:
    """Return the tables of a study that may be shared, by name, without texts and names.

    Parameters
    ----------
    with_addresses : add the posts' addresses, cut before the title; they hold the authors' accounts.

    Raises
    ------
    DataError : there are no posts.
    PrivacyError : the study's key is damaged or cannot be made.
    """
    if not corpus.has(TableName.POSTS):
        raise DataError("there are no posts to export", remedy="run `nlp-study run` first")
    tables: dict[str, pa.Table] = {}
    for name, columns in SHARED_COLUMNS.items():
        if name not in set(TableName) or not corpus.has(TableName(name)):
            continue
        if name == "posts":
            tables[name] = _read_posts(corpus, with_addresses=with_addresses)
            continue
        table = corpus.read(TableName(name))
        if name == "labels":
            table = _shorten_times(table)
        table = table.select([column for column in columns if column in table.column_names])
        for column in PSEUDONYMS.get(name, ()):
            table = _hide(table, column, corpus.folder)
        tables[name] = _sort(table)
    return tables


def export_dehydrated(
    study: Study, corpus: Corpus, folder: Path, *, licence: str = "", with_addresses: bool = False
) -> DehydratedSet:
    """Write the shared tables as Parquet and CSV, with a README, a datasheet and machine-readable metadata.

    The same study and licence give the same bytes.

    Parameters
    ----------
    folder : where to write; files of an earlier export are replaced.
    licence : of the exported set; empty: that of the labels where all have one, else not stated.
    with_addresses : as in `make_dehydrated`.

    Raises
    ------
    DataError : there are no posts.
    StoreError : the folder cannot be written.
    """
    from nlp_study.bundle.datasheet import describe_set, write_datasheet, write_metadata

    tables = make_dehydrated(study, corpus, with_addresses=with_addresses)
    for name, table in tables.items():
        write_file(folder / f"{name}.parquet", dump_parquet(table))
        print_table(table, TableFormat.CSV, output=folder / f"{name}.csv")
    facts = describe_set(study, corpus, tables, licence=licence)
    write_file(folder / "DATASHEET.md", write_datasheet(facts))
    write_file(folder / "README.md", _explain(study, tables, facts.licence))
    write_file(folder / "metadata.json", write_metadata(facts, folder, sorted(tables)))
    names = [f"{name}.{suffix}" for name in tables for suffix in ("parquet", "csv")]
    names += ["DATASHEET.md", "README.md", "metadata.json"]
    return DehydratedSet(
        {name: table.num_rows for name, table in tables.items()},
        {n: (folder / n).stat().st_size for n in sorted(names)},
    )


def _read_posts(corpus: Corpus, *, with_addresses: bool) -> pa.Table:
    import pyarrow as pa

    table = corpus.fetch(
        f"SELECT {', '.join(_POSTS)}, month, CAST(published_at AS DATE) AS published_on, url, author FROM posts "
        "ORDER BY post_id"
    )
    # an account where there is one, else the printed name: one author, one pseudonym
    owners = [i or name for i, name in zip(table["author_id"].to_pylist(), table["author"].to_pylist(), strict=True)]
    at = table.column_names.index("author_id")
    hidden = pseudonymise(
        table.set_column(at, "author_id", pa.array(owners, pa.string())), corpus.folder, columns=("author_id",)
    )
    if with_addresses:
        addresses = [cut_address(url) for url in table["url"].to_pylist()]
        hidden = hidden.append_column(ADDRESS, pa.array(addresses, pa.string()))
    return hidden.drop_columns(["url", "author"])


def cut_address(url: str | None) -> str | None:
    """Return an article's address of the site without the part that repeats its title; None for any other address."""
    from nlp_study.extract.urls import parse_article_url

    article = parse_article_url(url or "")
    return f"https://www.kompasiana.com/{article.user}/{article.id24}" if article else None


def _shorten_times(labels: pa.Table) -> pa.Table:
    """The day of a label instead of its second: nobody needs to know how long an annotator was at work."""
    import pyarrow as pa

    days = [None if when is None else when.date() for when in labels["labelled_at"].to_pylist()]
    return labels.set_column(labels.column_names.index("labelled_at"), "labelled_at", pa.array(days, pa.date32()))


def _hide(table: pa.Table, column: str, folder: Path) -> pa.Table:
    import pyarrow as pa

    key = open_key(folder)
    short = {
        value: value if value == ADJUDICATED else f"{column}-{keyed_hash(key, column, fold_name(value))[:10]}"
        for value in set(table[column].to_pylist())
        if value is not None
    }
    values = pa.array([short.get(value) for value in table[column].to_pylist()], pa.string())
    return table.set_column(table.column_names.index(column), column, values)


def _sort(table: pa.Table) -> pa.Table:
    """Rows in the order of their columns, so that equal tables give equal files however they were put together."""
    import pyarrow as pa

    plain = [name for name in table.column_names if not pa.types.is_list(table.schema.field(name).type)]
    return table.sort_by([(name, "ascending") for name in plain]) if table.num_rows else table


def _explain(study: Study, tables: dict[str, pa.Table], licence: str) -> str:
    from nlp_study.schema import table_specs

    specs = table_specs()
    own = {
        "month": "month of publication, Asia/Jakarta",
        "published_on": "day of publication, Asia/Jakarta",
        "labelled_at": "day of the label",
        "author_id": "pseudonym of the author",
        "annotator": f"pseudonym of who decided; `{ADJUDICATED}` for decisions after discussion",
        ADDRESS: "address of the post, cut before the title; it holds the author's account",
    }
    parts = []
    for name, table in tables.items():
        lines = "\n".join(
            f"| `{column}` | {own.get(column) or specs[TableName(name)].columns.get(column, '')} |"
            for column in table.column_names
        )
        about = specs[TableName(name)].about
        parts.append(f"## `{name}`: {about} ({table.num_rows:,} rows)\n\n| column | meaning |\n|---|---|\n{lines}\n")
    return (
        f"# {study.study.title_en}: data set without texts\n\n"
        f"Ids, labels, predictions and topics of the study `{study.study.name}`; each table as Parquet and as CSV. There are "
        "no texts, titles or names. [DATASHEET.md](DATASHEET.md) says how it came about and what it is for; licence: "
        f"{licence}.\n\n"
        "**Pseudonymous is not anonymous.** An id of the site still leads to the post, and so to its author. Delete a post "
        "from your copy when you are told to.\n\n"
        "To get the texts, fetch the posts again: the site's daily index lists the posts of a day, and `post_id` is the id "
        "in a post's address. `nlp-study crawl --since DAY --until DAY` does so for the days in `published_on`; "
        "`text_digest` then says whether a text is still the one that was read. A post that its author took down is gone.\n\n"
        + "\n".join(parts)
    )
