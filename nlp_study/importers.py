"""Posts and labels from files: text dumps, the id_stance data set, CSV and JSONL.

A file that cannot be used at all raises before the first row; a row that cannot be used becomes a `Failure`, and
reading goes on. Lines are counted from 1, the header included, so that an editor finds the row.

Fields of a CSV or JSONL row, under our own names (`FIELD_ALIASES` lists the column names known without a mapping):

- `text`, the body, paragraphs split at newlines; or `paragraphs`, a list of strings or of {kind, text}, which wins. One
  of the two is needed; all else may be absent or empty, the title too.
- `post_id`: kept where it is letters, digits, `.`, `_`, `-`; otherwise the id in the address; otherwise a digest. No
  alias is `id`: such a column mostly counts rows, and two files would then share keys.
- `published_at`, `updated_at`: see `parse_imported_date`; without a date, a Kompasiana id gives it where it is trusted.
- `tags`: a list, or one string split at `;` (at `,` where it holds none).
- `stance` with `target`, `annotator`, `guideline`, `labelled_at`, `sampling_proba`: a label. No stance, no label.

Bodies of Kompasiana addresses are cleaned of boilerplate; those given as one text are checked for missing pages.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from nlp_study.errors import DataError
from nlp_study.extract.boilerplate import clean_body, fold_space, is_first_page, split_lines, strip_title_suffix
from nlp_study.extract.dates import parse_imported_date
from nlp_study.extract.language import identify_language
from nlp_study.extract.text_dump import extract_text_dump
from nlp_study.extract.urls import make_post_id, parse_article_url, read_object_id_time
from nlp_study.schema import DateSource, Failure, ImportFormat, Label, Paragraph, ParagraphKind, Post, Repost, Stance


@dataclass(frozen=True, slots=True)
class ImportedPage:
    """A page as it was read; `path` is relative to the folder imported."""

    path: str
    url: str | None
    content: str


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """What one row gave: a post, the labels on it, and the raw page where the input was one."""

    post: Post
    labels: tuple[Label, ...] = ()
    page: ImportedPage | None = None


FIELD_ALIASES: dict[str, tuple[str, ...]] = {
    "post_id": ("article_id", "id_artikel"),
    "url": ("link", "tautan", "permalink", "source_url"),
    "title": ("judul", "headline"),
    "text": ("body", "content", "isi", "isi_artikel", "teks", "konten", "article_text", "full_text"),
    "paragraphs": ("paragraf",),
    "author": ("penulis", "author_name", "nama_penulis", "kreator", "creator"),
    "author_id": ("username", "user_name", "akun"),
    "author_job": ("pekerjaan",),
    "author_bio": ("bio", "biografi"),
    "category": ("kategori", "rubrik"),
    "badge": (),
    "tags": ("tag", "keywords", "kata_kunci"),
    "published_at": ("published", "date", "tanggal", "tanggal_terbit", "publish_date", "date_published", "waktu"),
    "updated_at": ("updated", "diperbarui", "date_modified"),
    "n_views": ("views", "view_count", "dilihat"),
    "n_ratings": ("rating_count",),
    "n_comments": ("comment_count", "jumlah_komentar"),
    "caption": ("keterangan_foto",),
    "target": ("sasaran",),
    "stance": ("sikap",),
    "annotator": ("anotator",),
    "guideline": ("pedoman",),
    "labelled_at": ("labeled_at",),
    "sampling_proba": (),
}
"""Own field -> column names recognised for it, best first, after the field's own name.

Case is ignored, and spaces and hyphens count as underscores. Where several match, the first in this list is read.
"""

_ID_STANCE_FIELDS = {name: name for name in ("post_id", "url", "title", "paragraphs", "target", "stance")}
_ID_STANCE_FIELDS |= {"author_id": "author"}
_SUFFIXES = {ImportFormat.TEXT_DUMP: (".txt",), ImportFormat.CSV: (".csv",)}
_JSONL_SUFFIXES = (".jsonl", ".jsonl.gz")
_POST_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")
_LARGEST_COUNT = 2**31 - 1  # counts are stored as 32-bit integers
_TEXT_FIELDS = ("author", "author_job", "author_bio", "category", "badge", "caption")
_COUNT_FIELDS = ("n_views", "n_ratings", "n_comments")


@dataclass(frozen=True, slots=True)
class _Source:
    """One checked file and how to read it; `fields` maps own fields to its columns."""

    path: Path
    format: ImportFormat
    columns: tuple[str, ...]
    delimiter: str
    fields: Mapping[str, str]
    where: Mapping[str, str]
    stances: tuple[Stance, ...]
    annotator: str
    guideline: str | None


def read_rows(
    path: Path,
    format: ImportFormat,
    *,
    columns: Mapping[str, str] | None = None,
    where: Mapping[str, str] | None = None,
    stances: Collection[Stance] = tuple(Stance),
    annotator: str | None = None,
    guideline: str | None = None,
) -> Iterator[ImportedRow | Failure]:
    """Read posts, and the labels on them, from a file or a folder.

    Files are checked when this is called; rows are then read one at a time. A post that stands in several rows (with
    different targets) is yielded as often: merging is the caller's.

    Parameters
    ----------
    path : a file of the format, or a folder whose files of the format are read in the order of their names.
    columns : own field -> column, for CSV and JSONL; fields not named in it are recognised by `FIELD_ALIASES`.
    where : raw column -> value; only rows in which all are equal are read.
    stances : the labels the study uses; a label outside of them is a failure.
    annotator : who decided, where the row does not say; `id_stance` for that format, otherwise `unknown`.
    guideline : version of the codebook, where the row does not say.

    Returns
    -------
    Per row an `ImportedRow`, or a `Failure` whose `where` is `file:line` (the file alone for a text dump).

    Raises
    ------
    DataError : the path or its files are missing; a file is empty, damaged or not UTF-8; a column that is mapped,
        required or named in `where` is not there; the mapping names an unknown field. In a folder of text dumps a file
        that is not UTF-8 is a `Failure` instead: there a file is a row.
    """
    format, columns, where = ImportFormat(format), columns or {}, where or {}
    files = _list_files(path, format)
    if format is ImportFormat.TEXT_DUMP:
        if columns or where:
            raise DataError("text dumps have no columns", remedy="leave out --map, columns and where for this source")
        if not path.is_dir():
            sum(1 for _ in _read_lines(path))  # refuses a file that is not UTF-8
        return (_read_text_dump(file) for file in files)
    annotator = annotator or ("id_stance" if format is ImportFormat.ID_STANCE else "unknown")
    sources = []
    for file in files:
        names, delimiter = _read_csv_header(file) if format is ImportFormat.CSV else (_collect_keys(file), "")
        fields = _map_fields(file, format, names, columns)
        for name in set(where) - set(names):
            raise DataError(f"{file} has no column {name!r} to choose rows by", remedy=_list_columns(names))
        sources.append(_Source(file, format, names, delimiter, fields, where, tuple(stances), annotator, guideline))
    return (row for source in sources for row in _read_source(source))


def _list_files(path: Path, format: ImportFormat) -> list[Path]:
    if not path.exists():
        raise DataError(f"{path} does not exist", remedy="check the path of the source; it is relative to study.toml")
    if not path.is_dir():
        return [path]
    suffixes = _SUFFIXES.get(format, _JSONL_SUFFIXES)
    files = sorted(file for file in path.iterdir() if file.is_file() and file.name.endswith(suffixes))
    if not files:
        remedy = f"name another folder, or another format than {format}"
        raise DataError(f"{path} holds no *{' or *'.join(suffixes)}", remedy=remedy)
    return files


def _open(path: Path) -> BinaryIO:
    try:
        return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise DataError(f"{path} cannot be opened: {error.strerror}", remedy="check its permissions") from error


def _read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Read decoded lines with their numbers, and refuse what is not UTF-8."""
    offset = 0
    with _open(path) as file:
        try:
            for number, line in enumerate(file, start=1):
                # A line feed never lies inside a character of UTF-8, so each line can be decoded alone.
                text = line.decode()
                yield number, text.removeprefix("\ufeff") if number == 1 else text
                offset += len(line)
        except UnicodeDecodeError as error:
            encoding = "UTF-16" if line.startswith((b"\xff\xfe", b"\xfe\xff")) else "WINDOWS-1252"
            byte = f"byte 0x{line[error.start]:02x} at offset {offset + error.start}, line {number}"
            remedy = f"convert it, e.g. `iconv -f {encoding} -t UTF-8 {path.name} > utf8-{path.name}`"
            raise DataError(f"{path} is not UTF-8: {byte}", remedy=remedy) from error
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path} is a damaged gzip file: {error}", remedy="fetch or make it again") from error


def _read_csv_header(path: Path) -> tuple[tuple[str, ...], str]:
    """Check that the file is UTF-8 to its end, and read its header and its delimiter."""
    first = ""
    for _, line in _read_lines(path):
        first = first or re.split(r"[\r\n]", line)[0][:10_000]
    if not first.strip():
        raise DataError(f"{path} is empty", remedy="the first line names the columns")
    delimiter = max(",;\t", key=lambda candidate: len(next(csv.reader([first], delimiter=candidate))))
    header = next(row for _, row in _parse_csv(path, delimiter) if row)
    if isinstance(header, str):
        raise DataError(f"the header of {path} cannot be read: {header}", remedy="the first line names the columns")
    names = tuple(name.strip() for name in header)
    doubled = sorted({name for name in names if name and names.count(name) > 1})
    if doubled:
        raise DataError(f"{path} has several columns named {', '.join(doubled)}", remedy="rename them in the file")
    return names, delimiter


def _collect_keys(path: Path) -> tuple[str, ...]:
    keys: dict[str, None] = {}
    for _, line in _read_lines(path):
        row = _parse_json(line)
        if isinstance(row, dict):
            keys.update(dict.fromkeys(row))
    if not keys:
        raise DataError(f"{path} holds no JSON object", remedy='JSONL has one object a line, such as {"text": ...}')
    return tuple(keys)


def _list_columns(names: Sequence[str]) -> str:
    return "it has the columns " + ", ".join(name for name in names if name)


def _map_fields(path: Path, format: ImportFormat, names: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
    if format is ImportFormat.ID_STANCE:
        if columns:
            raise DataError("the columns of id-stance are fixed", remedy="import other files as jsonl, with a mapping")
        missing = [name for name in ("paragraphs", "target", "stance") if name not in names]
        if missing:
            raise DataError(f"{path} is not id_stance: it has no {', '.join(missing)}", remedy=_list_columns(names))
        return _ID_STANCE_FIELDS
    remedy = f"{_list_columns(names)}; name one with --map field=column or under [sources.columns] in study.toml"
    unknown = sorted(set(columns) - set(FIELD_ALIASES))
    if unknown:
        raise DataError(f"no field is called {', '.join(unknown)}", remedy=f"fields are {', '.join(FIELD_ALIASES)}")
    for field, name in columns.items():
        if name not in names:
            raise DataError(f"{path} has no column {name!r}, to which {field} is mapped", remedy=remedy)
    taken = set(columns.values())
    by_form = {re.sub(r"[ -]", "_", name.casefold()): name for name in reversed(names) if name and name not in taken}
    fields = dict(columns)
    for field, aliases in FIELD_ALIASES.items():
        known = [by_form[name] for name in (field, *aliases) if name in by_form]
        if known:
            fields.setdefault(field, known[0])
    if not {"text", "paragraphs"} & set(fields):
        raise DataError(f"no column of {path} is known to hold the body (text or paragraphs)", remedy=remedy)
    if "stance" in fields and "target" not in fields:
        raise DataError(f"{path} has a stance in {fields['stance']!r}, but no column for its target", remedy=remedy)
    return fields


def _parse_json(line: str) -> dict[str, object] | str:
    """Parse a line; what is wrong with it where it holds no object. NaN, which pandas writes, means absent."""
    try:
        row = json.loads(line, parse_constant=lambda _: None)
        if "\\u" in line:  # escapes can spell half of a surrogate pair, which no table can store
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        return f"broken JSON: {error}"
    return row if isinstance(row, dict) else f"not a JSON object but {type(row).__name__}"


def _parse_csv(path: Path, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Parse records with the line on which each begins; what is wrong where one cannot be read.

    A field longer than csv allows mostly is a quote that was never closed. Reading on inside of it would take lines of
    prose for rows, so lines are skipped until the quotes pair up again.
    """
    n_lines = n_quotes = 0
    with io.TextIOWrapper(_open(path), encoding="utf-8-sig", newline="") as file:

        def count_lines() -> Iterator[str]:
            nonlocal n_lines, n_quotes
            for line in file:
                n_lines += 1
                n_quotes += line.count('"')
                yield line

        lines = count_lines()
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            begin, n_quotes = n_lines + 1, 0
            try:
                yield begin, next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                while n_quotes % 2 and next(lines, None) is not None:
                    pass
                skipped = f"; lines {begin} to {n_lines} are skipped" if n_lines > begin else ""
                yield begin, f"cannot be read as CSV: {error} (is a quote open?){skipped}"


def _read_raw(source: _Source) -> Iterator[tuple[int, Mapping[str, object] | str]]:
    if source.format is not ImportFormat.CSV:
        yield from ((number, _parse_json(line)) for number, line in _read_lines(source.path) if line.strip())
        return
    records = ((number, record) for number, record in _parse_csv(source.path, source.delimiter) if record)
    next(records)  # the header
    for number, record in records:
        if isinstance(record, list) and len(record) != len(source.columns):
            record = f"has {len(record)} columns where the header has {len(source.columns)}"
        yield number, record if isinstance(record, str) else dict(zip(source.columns, record, strict=True))


def _read_text_dump(file: Path) -> ImportedRow | Failure:
    try:
        content = "".join(line for _, line in _read_lines(file))
        post = extract_text_dump(content)
    except DataError as error:
        return Failure("import", file.name, f"{error.what}; {error.remedy}")
    return ImportedRow(post, page=ImportedPage(file.name, post.url, content))


def _read_source(source: _Source) -> Iterator[ImportedRow | Failure]:
    for number, raw in _read_raw(source):
        place = f"{source.path.name}:{number}"
        if isinstance(raw, str):
            yield Failure("import", place, raw)
        elif all(_as_text(raw.get(name)) == value for name, value in source.where.items()):
            row = _Row(raw, source.fields)
            try:
                yield _build_row(row, source)
            except ValueError as error:
                yield Failure("import", place, str(error), row.find_post_id())


def _as_text(value: object) -> str:
    return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class _Row:
    """A raw row under our own field names; every reader raises ValueError with the field and the value."""

    raw: Mapping[str, object]
    fields: Mapping[str, str]

    def value(self, field: str) -> object:
        return self.raw.get(self.fields[field]) if field in self.fields else None

    def text(self, field: str) -> str | None:
        """White space folded; `None` where absent or empty."""
        value = self.value(field)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"{field} is {type(value).__name__}, not a text")
        return fold_space(str(value)) or None

    def date(self, field: str) -> datetime | None:
        text = self.text(field)
        try:
            return None if text is None else parse_imported_date(text)
        except ValueError as error:
            raise ValueError(f"{field}: {error}") from error

    def count(self, field: str) -> int | None:
        if (text := self.text(field)) is None:
            return None
        # 1.234 and 1,234 are thousands; 110.0 is how pandas writes a whole number beside empty ones.
        digits = re.sub(r"[.,]", "", text) if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", text) else text.removesuffix(".0")
        if not re.fullmatch(r"\d{1,10}", digits) or int(digits) > _LARGEST_COUNT:
            raise ValueError(f"{field}: {text!r} is not a count from 0 to {_LARGEST_COUNT}")
        return int(digits)

    def proba(self, field: str) -> float | None:
        text = self.text(field)
        if text is not None and not (re.fullmatch(r"(?:\d+\.?\d*|\.\d+)(?:[eE]-?\d+)?", text) and 0 < float(text) <= 1):
            raise ValueError(f"{field}: {text!r} is not a probability in (0, 1]")
        return None if text is None else float(text)

    def tags(self) -> tuple[str, ...]:
        value = self.value("tags")
        text = "" if isinstance(value, list) else self.text("tags") or ""
        items = map(_as_text, value) if isinstance(value, list) else text.split(";" if ";" in text else ",")
        return tuple(tag for item in items if (tag := fold_space(item)))

    def find_post_id(self) -> str | None:
        """The id given, or that in the address; `None` where neither can be used."""
        given = fold_space(_as_text(self.value("post_id")))
        article = parse_article_url(_as_text(self.value("url")))
        return given if _POST_ID.fullmatch(given) else article.id24 if article else None

    def body(self) -> tuple[list[Paragraph], list[str] | None]:
        """The paragraphs, empty ones kept; and for a body given as one text its lines, as captured."""
        value = self.value("paragraphs")
        if isinstance(value, list) and value:
            return [_read_paragraph(item) for item in value], None
        if value is not None and not isinstance(value, str | list):
            raise ValueError(f"paragraphs is {type(value).__name__}, not a list")
        text = value or self.value("text") or ""
        if not isinstance(text, str):
            raise ValueError(f"text is {type(text).__name__}, not a text")
        lines = split_lines(text)
        return [Paragraph(line) for line in lines], lines


def _read_paragraph(item: object) -> Paragraph:
    if isinstance(item, str):
        return Paragraph(fold_space(item))
    if not isinstance(item, dict) or not isinstance(item.get("text"), str):
        raise ValueError(f"paragraphs holds {type(item).__name__}, neither a text nor {{kind, text}}")
    kind = item.get("kind") or ParagraphKind.TEXT
    if kind not in tuple(ParagraphKind):
        raise ValueError(f"paragraphs: kind {kind!r} is not one of {', '.join(ParagraphKind)}")
    return Paragraph(fold_space(item["text"]), ParagraphKind(kind))


def _build_row(row: _Row, source: _Source) -> ImportedRow:
    url = row.text("url")
    article = parse_article_url(url) if url else None
    created_at = read_object_id_time(article.id24) if article else None
    given_at, updated_at = row.date("published_at"), row.date("updated_at")
    published_at = given_at or created_at
    paragraphs, lines = row.body()
    is_cut, n_removed = False, 0
    repost: Repost | None = None
    # The 2016 and 2018 bodies of id_stance are older than all that the site inserts.
    if article and source.format is not ImportFormat.ID_STANCE:
        body = clean_body([paragraph.text for paragraph in paragraphs])
        if lines is not None:
            years = [moment.year for moment in (created_at, given_at, updated_at) if moment]
            is_cut = is_first_page(lines, captured_year=max(years, default=0))
        kinds = [
            ParagraphKind.CAPTION if i in body.captions else paragraphs[position].kind
            for i, position in enumerate(body.positions)
        ]
        paragraphs = [Paragraph(text, kind) for text, kind in zip(body.paragraphs, kinds, strict=True)]
        n_removed, repost = body.n_removed, body.repost
    paragraphs = [paragraph for paragraph in paragraphs if paragraph.text]
    if not paragraphs:
        raise ValueError("the body is empty")
    texts = {field: row.text(field) for field in _TEXT_FIELDS}
    author, title = texts["author"], strip_title_suffix(row.text("title") or "")
    post_id = row.find_post_id() or make_post_id(
        author=author, title=title, published_at=published_at, first_paragraph=paragraphs[0].text
    )
    optional: dict[str, Any] = texts | {field: row.count(field) for field in _COUNT_FIELDS}
    optional["author_id"] = row.text("author_id") or (article.user if article else author)
    post = Post(
        post_id=post_id,
        title=title,
        paragraphs=tuple(paragraphs),
        url=article.canonical_url if article else url,
        tags=row.tags(),
        published_at=published_at,
        updated_at=updated_at,
        date_source=DateSource.PRINTED if given_at else DateSource.OBJECT_ID if created_at else DateSource.UNKNOWN,
        n_removed=n_removed,
        is_cut=is_cut,
        language=identify_language("\n".join(paragraph.text for paragraph in paragraphs)),
        reposted_from=repost,
        **optional,
    )
    return ImportedRow(post, _read_labels(row, post_id, source))


def _read_labels(row: _Row, post_id: str, source: _Source) -> tuple[Label, ...]:
    stance, target = row.text("stance"), row.text("target")
    if stance is None:
        if source.format is not ImportFormat.ID_STANCE:
            return ()
        raise ValueError("the row has no stance")
    if target is None:
        raise ValueError(f"the row has the stance {stance!r} but no target")
    if stance.casefold() not in source.stances:
        raise ValueError(f"the label {stance!r} is not one of {', '.join(source.stances)}")
    label = Label(
        post_id,
        target,
        Stance(stance.casefold()),
        annotator=row.text("annotator") or source.annotator,
        guideline=row.text("guideline") or source.guideline,
        labelled_at=row.date("labelled_at"),
        sampling_proba=row.proba("sampling_proba"),
    )
    return (label,)
