"""`open_index(corpus) -> Index`: the tokens as arrays of numbers, for queries in milliseconds.

A **type** is what tokens have in common that agree in form, lower, root, lemma, word class and features. Every token is the
number of its type; every type has its postings, the places of its tokens in order. Conditions on those six attributes are
decided on the types, of which there are some hundred thousand, and never on the tokens. Relation, entity and space, which
change from token to token, are arrays of small codes.

The arrays are mapped into memory, not read: opening costs nothing, and processes share them. The folder is named after the
digest of the table, so a table that was made again gets a new index; it can be deleted at any time.
"""

from __future__ import annotations

import json
import logging
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_study.errors import DataError, StoreError
from nlp_study.schema import TableName
from nlp_study.store import RECORD_FILE, write_file

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from nlp_study.store import Corpus, RunRecord

logger = logging.getLogger(__name__)

INDEX_FOLDER = "concordance"
INDEX_VERSION = 2
TYPE_ATTRIBUTES = ("form", "lower", "root", "lemma", "upos", "feats")
TOKEN_ATTRIBUTES = ("deprel", "ent")
_BATCH_TOKENS = 1 << 19
SPACE_VALUES = ("no", "yes")


@dataclass(frozen=True)
class IndexMeta:
    """What an index holds; written last, so that a folder with it is whole."""

    version: int
    n_tokens: int
    n_types: int
    n_sentences: int
    n_posts: int
    digest: str


@dataclass
class Index:
    """Arrays of one corpus.

    Attributes
    ----------
    types : type of each token, shape (n_tokens,).
    postings : places of the tokens of each type, one type after the other, ascending, shape (n_tokens,).
    offsets : where in `postings` each type begins, shape (n_types + 1,).
    type_codes : by attribute, the place of each type's value among the attribute's sorted values, shape (n_types,).
    token_codes : by attribute, the same for each token, shape (n_tokens,).
    code_counts : by attribute, the tokens of each of its values.
    sentences, posts : place of the first token of each, shape (n_sentences,) and (n_posts,).
    post_ids : ids of the posts, shape (n_posts,).
    values : by attribute, its values in alphabetical order.
    """

    folder: Path
    meta: IndexMeta
    types: NDArray[Any]
    postings: NDArray[Any]
    offsets: NDArray[Any]
    type_codes: dict[str, NDArray[Any]]
    token_codes: dict[str, NDArray[Any]]
    code_counts: dict[str, NDArray[Any]]
    sentences: NDArray[Any]
    posts: NDArray[Any]
    post_ids: pa.StringArray
    values: dict[str, pa.StringArray]
    _by_value: dict[str, tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=dict)

    @property
    def n_tokens(self) -> int:
        """Tokens in the corpus, punctuation included."""
        return self.meta.n_tokens

    @cached_property
    def type_counts(self) -> NDArray[Any]:
        """Tokens of each type, shape (n_types,)."""
        counts: NDArray[Any] = np.diff(self.offsets)
        return counts

    @cached_property
    def forms(self) -> list[str]:
        """The forms in alphabetical order as Python strings: lines are put together from them."""
        forms: list[str] = self.values["form"].to_pylist()
        return forms

    @cached_property
    def tokens_per_post(self) -> NDArray[Any]:
        """Tokens of each post, shape (n_posts,)."""
        counts: NDArray[Any] = np.diff(self.posts, append=self.n_tokens)
        return counts

    def find_value(self, attribute: str, value: str) -> int:
        """Return the place of a value among the attribute's values, or -1."""
        values = self.values[attribute]
        low, high = 0, len(values)
        while low < high:
            middle = (low + high) // 2
            if values[middle].as_py() < value:
                low = middle + 1
            else:
                high = middle
        return low if low < len(values) and values[low].as_py() == value else -1

    def types_with(self, attribute: str, codes: NDArray[Any]) -> NDArray[Any]:
        """Return the types whose value is one of `codes`."""
        if attribute not in self._by_value:
            all_codes = self.type_codes[attribute]
            order = np.argsort(all_codes, kind="stable")
            starts = np.searchsorted(all_codes[order], np.arange(len(self.values[attribute]) + 1))
            self._by_value[attribute] = order, starts
        order, starts = self._by_value[attribute]
        return order[expand_ranges(starts[codes], starts[codes + 1])]

    def places_of(self, types: NDArray[Any]) -> NDArray[Any]:
        """Return the places of all tokens of some types, ascending."""
        if len(types) == 1:
            return self.postings[self.offsets[types[0]] : self.offsets[types[0] + 1]]
        places = self.postings[expand_ranges(self.offsets[types], self.offsets[types + 1])]
        places.sort(kind="stable")  # a merge of sorted runs: five times quicker where they are few and long
        return places


def expand_ranges(starts: NDArray[Any], ends: NDArray[Any]) -> NDArray[Any]:
    """Return all numbers of the ranges [start, end), one range after the other."""
    lengths = ends - starts
    total = int(lengths.sum())
    if not total:
        return np.zeros(0, np.int64)
    shift = np.repeat(starts - np.concatenate(([0], np.cumsum(lengths)[:-1])), lengths)
    expanded: NDArray[Any] = shift + np.arange(total)
    return expanded


# ---- opening ---------------------------------------------------------------------------------------------------------


def open_index(corpus: Corpus, *, announce: Callable[[str], None] = logger.info) -> Index:
    """Open the index of the table `tokens`, and build it first where there is none, or one of another table.

    Parameters
    ----------
    announce : told when an index is built.

    Raises
    ------
    DataError : there are no tokens, or the table is not in the order of its posts.
    """
    record = corpus.record(TableName.TOKENS)
    if record is None or not record.n_rows:
        raise DataError("there are no tokens yet", remedy="run `nlp-study parse`")
    home = corpus.folder / INDEX_FOLDER
    folder = home / record.digest
    if _read_meta(folder) is None:
        _build_alone(corpus, record, folder, announce)
    return load_index(folder)


def _build_alone(corpus: Corpus, record: RunRecord, folder: Path, announce: Callable[[str], None]) -> None:
    """Build the index while no other process does, and delete those of earlier tables."""
    from filelock import FileLock

    home = folder.parent
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / ".lock"):
            if _read_meta(folder) is not None:  # another process built it meanwhile
                return
            announce(f"indexing {record.n_rows:,} tokens, once")
            build_index(corpus.files(TableName.TOKENS), folder, digest=record.digest)
            for old in home.iterdir():
                if old.is_dir() and old != folder:
                    shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise StoreError(f"cannot write {home}: {error.strerror or error}", remedy="free some space") from error


def _read_meta(folder: Path) -> IndexMeta | None:
    try:
        meta = IndexMeta(**json.loads((folder / RECORD_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return meta if meta.version == INDEX_VERSION else None


def load_index(folder: Path) -> Index:
    """Map an index into memory.

    Raises
    ------
    DataError : there is none, or a file of it is missing or damaged.
    """
    meta = _read_meta(folder)
    try:
        if meta is None:
            raise FileNotFoundError(folder / RECORD_FILE)
        attributes = (*TYPE_ATTRIBUTES, *TOKEN_ATTRIBUTES)
        values = {name: _read_strings(folder / f"{name}.arrow") for name in attributes}

        def array(name: str) -> NDArray[Any]:
            path = folder / f"{name}.npy"
            # a plain view of the mapped file: indexing the subclass memmap costs several times as much
            return np.asarray(np.load(path, mmap_mode="r" if path.stat().st_size > 1 << 16 else None))

        import pyarrow as pa

        return Index(
            folder=folder,
            meta=meta,
            types=array("types"),
            postings=array("postings"),
            offsets=array("offsets"),
            type_codes={name: array(f"types-{name}") for name in TYPE_ATTRIBUTES},
            token_codes={name: array(f"tokens-{name}") for name in (*TOKEN_ATTRIBUTES, "space")},
            code_counts={name: array(f"counts-{name}") for name in (*TOKEN_ATTRIBUTES, "space")},
            sentences=array("sentences"),
            posts=array("posts"),
            post_ids=_read_strings(folder / "post_ids.arrow"),
            values={**values, "space": pa.array(SPACE_VALUES)},
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"the index in {folder} is missing or damaged: {error}",
            remedy=f"delete the folder {folder.parent}; the next `nlp-study kwic` builds it again",
        ) from error


def _read_strings(path: Path) -> pa.StringArray:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()["value"].combine_chunks()


# ---- building --------------------------------------------------------------------------------------------------------


class _Codes:
    """Numbers the values of an attribute in the order in which they come."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def encode(self, column: pa.Array) -> NDArray[Any]:
        """Return the numbers of a column's values, shape (n_rows,)."""
        encoded = column.dictionary_encode()
        numbers = self.numbers
        local = [numbers.setdefault(value or "", len(numbers)) for value in encoded.dictionary.to_pylist()]
        codes: NDArray[Any] = np.asarray(local, np.int64)[encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)]
        return codes

    def sorted(self) -> tuple[list[str], NDArray[Any]]:
        """Return the values in alphabetical order, and the new number of each old one."""
        values = sorted(self.numbers)
        renumbered = np.empty(len(values), np.int32)
        renumbered[[self.numbers[value] for value in values]] = np.arange(len(values), dtype=np.int32)
        return values, renumbered


def build_index(files: Sequence[Path], folder: Path, *, digest: str) -> IndexMeta:
    """Build the index of Parquet files with the columns of `tokens`; a folder that exists is replaced.

    Memory holds one batch, the types, and one array over all tokens at a time: about 25 bytes a token at the end.

    Raises
    ------
    DataError : a post's tokens do not stand together.
    StoreError : the folder cannot be written.
    """
    staged = folder.with_name(f".{folder.name}.tmp-{uuid.uuid4().hex[:8]}")
    try:
        staged.mkdir(parents=True)
        meta = _build(files, staged, digest)
        write_file(staged / RECORD_FILE, json.dumps(asdict(meta), indent=2) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        staged.rename(folder)
    except OSError as error:
        raise StoreError(
            f"cannot write the index {folder}: {error.strerror or error}", remedy="free some space"
        ) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return meta


def _build(files: Sequence[Path], staged: Path, digest: str) -> IndexMeta:
    codes = {name: _Codes() for name in (*TYPE_ATTRIBUTES, *TOKEN_ATTRIBUTES)}
    types: dict[tuple[int, ...], int] = {}
    type_chunks, sentence_chunks = [], []
    token_chunks: dict[str, list[NDArray[Any]]] = {name: [] for name in (*TOKEN_ATTRIBUTES, "space")}
    post_starts: list[int] = []
    post_ids: dict[str, None] = {}
    n_tokens, last = 0, ("", -1)
    for batch in _stream_tokens(files):
        columns = [codes[name].encode(batch.column(name)) for name in TYPE_ATTRIBUTES]
        type_chunks.append(_number_types(columns, [len(codes[name].numbers) for name in TYPE_ATTRIBUTES], types))
        for name in TOKEN_ATTRIBUTES:
            token_chunks[name].append(codes[name].encode(batch.column(name)).astype(np.uint16))
        token_chunks["space"].append(batch.column("space_after").to_numpy(zero_copy_only=False).astype(np.uint8))
        last, begins = _find_starts(batch, n_tokens, last, post_ids, post_starts)
        sentence_chunks.append(begins)
        n_tokens += batch.num_rows
    for name, chunks in token_chunks.items():
        _save_codes(staged, name, np.concatenate(chunks), codes.get(name))
    _save_types(staged, types, codes)
    _save_postings(staged, np.concatenate(type_chunks), len(types))
    np.save(staged / "sentences.npy", np.concatenate(sentence_chunks).astype(np.int32))
    np.save(staged / "posts.npy", np.asarray(post_starts, np.int32))
    _write_strings(staged / "post_ids.arrow", list(post_ids))
    n_sentences = sum(map(len, sentence_chunks))
    return IndexMeta(INDEX_VERSION, n_tokens, len(types), n_sentences, len(post_ids), digest)


def _stream_tokens(files: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    columns = ["post_id", "sentence", *TYPE_ATTRIBUTES, *TOKEN_ATTRIBUTES, "space_after"]
    for file in files:
        yield from pq.ParquetFile(file).iter_batches(batch_size=_BATCH_TOKENS, columns=columns)


def _number_types(columns: list[NDArray[Any]], sizes: list[int], types: dict[tuple[int, ...], int]) -> NDArray[Any]:
    """Return the type of each row; new ones are numbered on. Rows that agree are found by sorting, not one by one."""
    key = columns[0]
    for column, size in zip(columns[1:], sizes[1:], strict=True):
        _, key = np.unique(key, return_inverse=True)
        key = key * size + column
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    rows = zip(*(column[first].tolist() for column in columns), strict=True)
    numbers = np.fromiter((types.setdefault(row, len(types)) for row in rows), np.int32, len(first))
    numbered: NDArray[Any] = numbers[inverse]
    return numbered


def _find_starts(
    batch: pa.RecordBatch, n_before: int, last: tuple[str, int], post_ids: dict[str, None], post_starts: list[int]
) -> tuple[tuple[str, int], NDArray[Any]]:
    """Add the posts that begin in a batch; return its last post and sentence, and where sentences begin in it."""
    import pyarrow.compute as pc

    runs = pc.run_end_encode(batch.column("post_id"))
    ids, ends = runs.values.to_pylist(), runs.run_ends.to_numpy()
    starts = np.concatenate(([0], ends[:-1]))
    sentences = batch.column("sentence").to_numpy(zero_copy_only=False)
    begins = np.empty(batch.num_rows, bool)
    begins[0] = (ids[0], int(sentences[0])) != last
    begins[1:] = sentences[1:] != sentences[:-1]
    for post_id, start in zip(ids, starts.tolist(), strict=True):
        if start == 0 and post_id == last[0]:
            continue
        if post_id in post_ids:
            raise DataError(
                f"the tokens of post {post_id} do not stand together", remedy="run `nlp-study parse --force`"
            )
        begins[start] = True
        post_ids[post_id] = None
        post_starts.append(n_before + start)
    return (ids[-1], int(sentences[-1])), n_before + np.flatnonzero(begins)


def _save_codes(staged: Path, name: str, numbers: NDArray[Any], codes: _Codes | None) -> None:
    n_values = len(SPACE_VALUES)
    if codes is not None:
        values, renumbered = codes.sorted()
        n_values = len(values)
        _write_strings(staged / f"{name}.arrow", values)
        numbers = renumbered[numbers].astype(np.uint8 if len(values) <= 256 else np.uint16)
    np.save(staged / f"tokens-{name}.npy", numbers)
    # in parts: bincount makes eight bytes of each code
    parts = (numbers[start : start + _BATCH_TOKENS] for start in range(0, len(numbers), _BATCH_TOKENS))
    counts = sum((np.bincount(part, minlength=n_values) for part in parts), np.zeros(n_values, np.int64))
    np.save(staged / f"counts-{name}.npy", counts)


def _save_types(staged: Path, types: dict[tuple[int, ...], int], codes: dict[str, _Codes]) -> None:
    rows = np.fromiter((number for row in types for number in row), np.int32, len(types) * len(TYPE_ATTRIBUTES))
    rows = rows.reshape(len(types), len(TYPE_ATTRIBUTES))
    for column, name in enumerate(TYPE_ATTRIBUTES):
        values, renumbered = codes[name].sorted()
        _write_strings(staged / f"{name}.arrow", values)
        np.save(staged / f"types-{name}.npy", renumbered[rows[:, column]])


def _save_postings(staged: Path, types: NDArray[Any], n_types: int) -> None:
    np.save(staged / "types.npy", types)
    np.save(staged / "postings.npy", np.argsort(types, kind="stable").astype(np.int32))
    counts = np.bincount(types, minlength=n_types)
    np.save(staged / "offsets.npy", np.concatenate(([0], np.cumsum(counts))))


def _write_strings(path: Path, values: list[str]) -> None:
    import pyarrow as pa

    table = pa.table({"value": pa.array(values, pa.string())})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
