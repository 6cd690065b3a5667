"""`parse_posts(study, corpus, record)`: posts -> sentences and tokens, by a spaCy pipeline.

Parsed is the title, an empty line, and the body. Every line of it goes through the pipeline by itself, so that a title
without a full stop or an item of a list never runs into the sentence after it. Forms and the white space after them, joined,
give the parsed text back character for character.

A post is parsed again only when its text or the parser has changed; the others are copied from the table as it is. Parts of
`PART_POSTS` posts are written as they are done, by several processes, and a run that was killed goes on with the next part.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.errors import DataError, ModelError, StudyError
from nlp_study.roots import find_root
from nlp_study.schema import TableName, table_specs
from nlp_study.store import digest_path, dump_parquet, write_file

if TYPE_CHECKING:
    import pyarrow as pa
    from spacy.language import Language
    from spacy.tokens import Doc

    from nlp_study.config import Study
    from nlp_study.store import Corpus, RunRecord

logger = logging.getLogger(__name__)

PART_POSTS = 64
"""Posts parsed and written at a time: what a kill can cost, and enough to keep a process busy for some seconds."""
LINE_CHARACTERS = 20_000
"""Longer lines are parsed in pieces, cut at white space: the parser's memory grows with the length of what it reads."""
_ROW_GROUP_TOKENS = 1 << 19
"""Tokens a row group of the table: dictionaries of forms stay small, and a reader holds one group at a time."""
_BATCH_LINES = 128
_PARTIAL = "tokens.partial"
_REPOSITORY_MODELS = Path(__file__).resolve().parents[1] / "models"
_PACKAGED_MODELS = Path(__file__).resolve().parent / "_models"
_LINE = re.compile(r"[^\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Text:
    """A post to parse."""

    post_id: str
    text: str
    digest: str


def make_parsed_text(title: str | None, body: str | None) -> str:
    """Return what is parsed of a post: title, an empty line, body, without white space at either end."""
    return "\n\n".join(part for part in ((title or "").strip(), (body or "").strip()) if part)


def digest_text(text: str) -> str:
    """Return the digest by which a changed text is known, 16 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def find_parser(study: Study) -> Path | None:
    """Return the folder of the study's parser, or None where there is none.

    Looked at in order: the path as given, the study's models, the repository's, those inside the package.
    """
    name = study.parse.model
    roots = (study.root, study.models_dir, _REPOSITORY_MODELS, _PACKAGED_MODELS)
    for folder in (Path(name).expanduser(), *(root / name for root in roots)):
        if (folder / "meta.json").is_file():
            return folder.resolve()
    return None


def digest_parser(folder: Path) -> str:
    """Return a digest of everything that decides how a text is parsed: the model, spaCy, the stemmer, this code."""
    sha = hashlib.sha256(digest_path(folder).encode())
    for package in ("spacy", "PySastrawi"):
        sha.update(f"{package} {version(package)}\0".encode())
    for path in (Path(__file__), Path(__file__).with_name("roots.py")):
        sha.update(path.read_bytes())
    return sha.hexdigest()[:16]


def parse_posts(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any]:
    """Write the tables `tokens` and `parsed_posts`, parsing only posts whose text or parser has changed.

    Returns
    -------
    counts: posts, of them parsed now, sentences and tokens.

    Raises
    ------
    DataError : there are no posts.
    ModelError : the parser's folder is missing or cannot be loaded.
    StudyError : a process that parses was ended from outside.
    """
    from tqdm import tqdm

    folder = find_parser(study)
    if folder is None:
        raise ModelError(
            f"no parser «{study.parse.model}»", remedy="build it with `make parser`, or set parse.model to its folder"
        )
    if not corpus.n_rows(TableName.POSTS):
        raise DataError("there are no posts", remedy="import some first: `nlp-study import PATH`")
    parser = digest_parser(folder)
    digests = {text.post_id: text.digest for text in _stream_texts(corpus)}
    kept = _find_kept(corpus, parser, digests)
    partial = corpus.folder / _PARTIAL / parser
    partial.mkdir(parents=True, exist_ok=True)
    todo = (text for text in _stream_texts(corpus) if text.post_id not in kept)
    with tqdm(total=len(digests) - len(kept), desc="parse", unit=" posts", disable=None) as bar:
        parts = _parse_parts(folder, todo, partial, workers=study.parse.workers, progress=bar.update)
    sizes: dict[str, tuple[int, int]] = {}
    done = corpus.write(TableName.TOKENS, _merge(corpus, kept, parts, sizes), record)
    parsed = _list_parsed(digests, parser, sizes)
    n_sentences = sum(n for n, _ in sizes.values())
    counts = {
        "posts": len(digests),
        "parsed": len(digests) - len(kept),
        "sentences": n_sentences,
        "tokens": done.n_rows,
        "parser": f"{folder.name} {parser}",
    }
    corpus.write(TableName.PARSED_POSTS, parsed, replace(record, counts=counts))
    corpus.write_record(TableName.TOKENS, replace(done, counts=counts))
    shutil.rmtree(partial.parent, ignore_errors=True)
    return counts


# ---- what there is to do ---------------------------------------------------------------------------------------------


def _stream_texts(corpus: Corpus) -> Iterator[Text]:
    """Yield posts in the order of their ids, a few at a time in memory."""
    reader = corpus.sql("SELECT post_id, title, text FROM posts ORDER BY post_id").to_arrow_reader(1024)
    for batch in reader:
        for post_id, title, body in zip(*(batch.column(i).to_pylist() for i in range(3)), strict=True):
            text = make_parsed_text(title, body)
            yield Text(post_id, text, digest_text(text))


def _find_kept(corpus: Corpus, parser: str, digests: dict[str, str]) -> set[str]:
    """Return the posts whose tokens are in the table already, parsed from the same text by the same parser."""
    import pyarrow.parquet as pq

    record = corpus.record(TableName.TOKENS)
    parsed = corpus.read(TableName.PARSED_POSTS)
    if record is None or int(sum(parsed["n_tokens"].to_pylist())) != record.n_rows:
        return set()
    schema = table_specs()[TableName.TOKENS].schema
    if any(not pq.read_schema(file).equals(schema) for file in corpus.files(TableName.TOKENS)):
        return set()
    rows = zip(*(parsed[name].to_pylist() for name in ("post_id", "text_digest", "parser")), strict=True)
    return {post_id for post_id, digest, by in rows if by == parser and digests.get(post_id) == digest}


def _parse_parts(
    folder: Path, texts: Iterable[Text], partial: Path, *, workers: int, progress: Callable[[int], Any]
) -> list[Path]:
    """Parse texts in parts that are not there yet; return the files of all parts, in the order of the texts."""
    files: list[Path] = []
    waiting: list[tuple[Path, list[Text]]] = []
    for part in _group(texts, PART_POSTS):
        name = hashlib.sha256("".join(text.post_id + text.digest for text in part).encode()).hexdigest()[:16]
        files.append(partial / f"{name}.parquet")
        if files[-1].is_file():
            progress(len(part))
        else:
            waiting.append((files[-1], part))
    n_workers = min(workers or os.cpu_count() or 1, len(waiting))
    if n_workers <= 1:
        for file, part in waiting:
            progress(_parse_part(folder, file, part))
        return files
    try:
        # processes are spawned, not forked: DuckDB and Arrow have threads, whose locks a fork would copy
        with ProcessPoolExecutor(n_workers, mp_context=get_context("spawn")) as pool:
            futures = [pool.submit(_parse_part, folder, file, part) for file, part in waiting]
            for future in as_completed(futures):
                progress(future.result())
    except BrokenProcessPool:
        raise StudyError(
            "a process that parses was ended, perhaps for its memory",
            remedy="run it again: finished parts are kept; fewer parse.workers need less memory",
        ) from None
    return files


def _group(texts: Iterable[Text], size: int) -> Iterator[list[Text]]:
    part: list[Text] = []
    for text in texts:
        part.append(text)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


# ---- parsing ---------------------------------------------------------------------------------------------------------


@cache
def load_parser(folder: Path) -> Language:
    """Load a spaCy pipeline.

    Raises
    ------
    ModelError : it cannot be loaded.
    """
    import spacy

    try:
        nlp = spacy.load(folder)
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise ModelError(
            f"the parser in {folder} cannot be loaded: {str(error).splitlines()[0]}",
            remedy="build it again with `make parser`, or set parse.model to another folder",
        ) from error
    nlp.max_length = max(nlp.max_length, 2 * LINE_CHARACTERS)
    return nlp


def _parse_part(folder: Path, file: Path, part: Sequence[Text]) -> int:
    """Parse some posts and write their tokens; return how many posts. Runs in a process of its own."""
    write_file(file, dump_parquet(parse_texts(load_parser(folder), part)))
    return len(part)


def parse_texts(nlp: Language, texts: Sequence[Text]) -> pa.Table:
    """Return the rows of `tokens` for some texts, shape (n_tokens, 15)."""
    import pyarrow as pa

    schema = table_specs()[TableName.TOKENS].schema
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    lines = ((line, (post, start)) for post, text in enumerate(texts) for start, line in split_lines(text.text))
    rows = _PostRows(columns)
    for doc, (post, start) in nlp.pipe(lines, as_tuples=True, batch_size=_BATCH_LINES):
        rows.add(doc, texts[post], start)
    return pa.table(columns, schema=schema)


def split_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text without white space at their ends, each with the place of its first character."""
    for match in _LINE.finditer(text):
        start, end = match.span()
        while end - start > LINE_CHARACTERS:
            cut = max(text.rfind(" ", start, start + LINE_CHARACTERS), text.rfind("\t", start, start + LINE_CHARACTERS))
            cut = cut if cut > start else start + LINE_CHARACTERS
            yield from _strip(text, start, cut)
            start = cut
        yield from _strip(text, start, end)


def _strip(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    line = text[start:end]
    stripped = line.strip()
    if stripped:
        yield start + line.index(stripped[0]), stripped


class _PostRows:
    """Appends tokens to columns and knows where in the post it is."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self.columns = columns
        self.post_id: str | None = None
        self.sentence = self.position = self.end = 0

    def add(self, doc: Doc, text: Text, start: int) -> None:
        """Add the tokens of a line; white space is no token but stands in `after` of the one before it."""
        if text.post_id != self.post_id:
            self.post_id, self.sentence, self.position, self.end = text.post_id, -1, 0, 0
        first, tokens = self.position, [token for token in doc if not token.is_space]
        places = {token.i: first + k for k, token in enumerate(tokens)}
        starts_sentence = _sentence_starts(doc)
        add = {name: column.append for name, column in self.columns.items()}
        for token in tokens:
            if token.i in starts_sentence:
                self.sentence += 1
            at = start + token.idx
            if self.position:
                self._close(text.text[self.end : at])
            form = token.text
            add["post_id"](text.post_id)
            add["sentence"](self.sentence)
            add["position"](self.position)
            add["form"](form)
            add["lower"](form.lower())
            add["root"](find_root(form))
            add["lemma"](token.lemma_ or form.lower())
            add["upos"](token.pos_)
            add["feats"](str(token.morph))
            head = _find_head(token, places)
            add["head"](head)
            add["deprel"]("root" if head == self.position and token.dep_ else token.dep_)
            add["ent"](f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "")
            add["start"](at)
            add["space_after"](False)
            add["after"]("")
            self.position += 1
            self.end = at + len(form)

    def _close(self, after: str) -> None:
        """Write the white space after the token before."""
        self.columns["after"][-1] = after
        self.columns["space_after"][-1] = bool(after)


def _sentence_starts(doc: Doc) -> set[int]:
    """Return the tokens that begin a sentence; of white space, the token after it. A line begins one in any case."""
    starts, pending = set(), True
    for token in doc:
        pending = pending or bool(token.is_sent_start)
        if pending and not token.is_space:
            starts.add(token.i)
            pending = False
    return starts


def _find_head(token: Any, places: dict[int, int]) -> int:
    """Return the place of the token's head in the post; of white space, that of its own head, and so on up."""
    head = token.head
    while head.i not in places and head.head.i != head.i:
        head = head.head
    return places.get(head.i, places[token.i])


# ---- the table -------------------------------------------------------------------------------------------------------


def _merge(
    corpus: Corpus, kept: set[str], parts: Sequence[Path], sizes: dict[str, tuple[int, int]]
) -> Iterator[pa.RecordBatch]:
    """Yield the tokens of kept and of newly parsed posts in the order of post ids, in large batches.

    `sizes` is filled with the number of sentences and tokens of each post.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    old = corpus.files(TableName.TOKENS) if kept else []
    streams = (
        (run for run in _stream_runs(old) if run[0] in kept),
        _stream_runs(parts),
    )
    held: list[pa.RecordBatch] = []
    n_held = 0
    for post_id, rows in heapq.merge(*streams, key=lambda run: run[0]):
        n_sentences, n_tokens = sizes.get(post_id, (0, 0))
        last = pc.max(rows.column("sentence")).as_py()
        sizes[post_id] = max(n_sentences, last + 1), n_tokens + rows.num_rows
        held.append(rows)
        n_held += rows.num_rows
        if n_held >= _ROW_GROUP_TOKENS:
            yield from pa.Table.from_batches(held).combine_chunks().to_batches()
            held, n_held = [], 0
    if held:
        yield from pa.Table.from_batches(held).combine_chunks().to_batches()


def _stream_runs(files: Sequence[Path]) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield the rows of each post; a post on two batches comes in two runs."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=1 << 16):
            start = 0
            runs = pc.run_end_encode(batch.column("post_id"))
            for post_id, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
                yield post_id, batch.slice(start, end - start)
                start = end


def _list_parsed(digests: dict[str, str], parser: str, sizes: dict[str, tuple[int, int]]) -> pa.Table:
    import pyarrow as pa

    ids = sorted(digests)
    return pa.table(
        {
            "post_id": ids,
            "text_digest": [digests[post_id] for post_id in ids],
            "parser": [parser] * len(ids),
            "n_sentences": [sizes.get(post_id, (0, 0))[0] for post_id in ids],
            "n_tokens": [sizes.get(post_id, (0, 0))[1] for post_id in ids],
        },
        schema=table_specs()[TableName.PARSED_POSTS].schema,
    )
