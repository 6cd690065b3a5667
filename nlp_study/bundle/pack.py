"""`write_bundle(...)`: one zip from which others can make a study again and see whether they got the same.

It holds the study file, versions, digests of inputs, code and outcomes, the run records, and the tables without texts. Equal
studies on equal machines give equal bytes: files stand in order, uncompressed, all dated 1 January 1980.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path, PurePath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from nlp_study import __version__
from nlp_study.bundle.dehydrate import make_dehydrated
from nlp_study.bundle.environment import describe_environment, write_requirements
from nlp_study.errors import DataError
from nlp_study.schema import TableName
from nlp_study.store import RunRecord, dump_parquet, write_file

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.store import Corpus

FORMAT = 1
"""Version of the bundle's layout; a reader refuses a later one."""
MANIFEST = "MANIFEST.json"
STUDY_FILE = "study.toml"
SETTINGS = "settings.json"
DIGESTS = "digests.json"
ENVIRONMENT = "environment.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_HIDDEN_SETTINGS = ("contact", "project_url")
"""Settings of [crawl] that name the people of a study."""
_NAMES = (*map(str, TableName), "model", "report")


def write_bundle(study: Study, corpus: Corpus, path: Path, *, study_file: Path) -> dict[str, int]:
    """Write a study's bundle and return its files with their bytes.

    Parameters
    ----------
    path : the zip to write.
    study_file : the study's own file; the crawl's contact and folders outside of the study are taken out of the copy.

    Raises
    ------
    DataError : there are no posts.
    StoreError : the zip cannot be written.
    """
    files = collect_files(study, corpus, study_file=study_file)
    write_file(path, pack_files(files))
    return {name: len(content) for name, content in files.items()}


def collect_files(study: Study, corpus: Corpus, *, study_file: Path) -> dict[str, bytes]:
    """Return the content of a bundle by name; see `write_bundle`."""
    tables = make_dehydrated(study, corpus)
    records = {name: record for name in _NAMES if (record := corpus.record(name)) is not None}
    environment = describe_environment()
    for record in sorted(records.values(), key=lambda record: record.started_at):
        # what the stages ran on counts, not what has been installed since
        environment["packages"] |= {name.lower(): version for name, version in record.versions.items()}
    files: dict[str, bytes] = {
        STUDY_FILE: clean_study_file(study_file.read_text(encoding="utf-8")).encode(),
        SETTINGS: _dump(clean_settings(study.model_dump(mode="json"))),
        ENVIRONMENT: _dump(environment),
        "requirements.txt": write_requirements(environment["packages"]).encode(),
        DIGESTS: _dump(collect_digests(records, tables)),
        "README.md": _explain(study, records).encode(),
    }
    if "labels" in tables:
        files["labels.csv"] = _dump_csv(tables["labels"]).encode()
    for name, record in records.items():
        files[f"records/{name}.json"] = _dump(clean_record(record))
    for name, table in tables.items():
        files[f"tables/{name}.parquet"] = dump_parquet(table)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    files[MANIFEST] = _dump({"format": FORMAT, "nlp-study": __version__, "study": study.study.name, "files": digests})
    return files


def pack_files(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of files whose bytes depend on nothing but them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # else it would tell the writer's system
            archive.writestr(entry, content)
    return buffer.getvalue()


def read_bundle(path: Path) -> dict[str, bytes]:
    """Return the files of a bundle by name, after checking each against the manifest.

    Raises
    ------
    DataError : it is no bundle, is damaged, or was written by a later version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        manifest = json.loads(files[MANIFEST])
        listed: dict[str, str] = manifest["files"]
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is no bundle of a study: {error}", remedy="make one with `nlp-study export`") from None
    if manifest.get("format", 0) > FORMAT:
        raise DataError(f"{path} has the layout {manifest['format']}", remedy="read it with a newer nlp-study")
    wrong = [name for name, digest in listed.items() if hashlib.sha256(files.get(name, b"")).hexdigest() != digest]
    extra = sorted(set(files) - set(listed) - {MANIFEST})
    if wrong or extra:
        raise DataError(f"{path} is damaged or was changed: {', '.join(wrong + extra)}", remedy="get it again")
    return files


def collect_digests(records: Mapping[str, RunRecord], tables: Mapping[str, pa.Table]) -> dict[str, Any]:
    """Return digests of input files, settings, code and outcomes, and of the posts' texts as a whole."""
    inputs: dict[str, str] = {}
    settings: dict[str, str] = {}
    code: dict[str, str] = {}
    for record in records.values():
        for key, digest in record.fingerprint.items():
            if key.startswith("file "):
                inputs[key.removeprefix("file ")] = digest
            elif key.startswith("settings "):
                settings[key.removeprefix("settings ").strip("[]")] = digest
            elif key == "code":
                code[record.stage] = digest
    outcomes = {
        name: {"stage": record.stage, "digest": record.digest, "n_rows": record.n_rows}
        for name, record in records.items()
        if record.digest and name != str(TableName.FAILURES)  # holds the time of a failure
    }
    posts = tables["posts"]
    pairs = sorted(zip(posts["post_id"].to_pylist(), posts["text_digest"].to_pylist(), strict=True))
    texts = hashlib.sha256("\n".join(f"{post_id} {digest}" for post_id, digest in pairs).encode()).hexdigest()
    return {"inputs": inputs, "settings": settings, "code": code, "outcomes": outcomes, "texts": texts}


def clean_record(record: RunRecord) -> dict[str, Any]:
    """Return a run record without folders of the machine and without sources, whose names may be paths."""
    content = asdict(record)
    content["counts"] = {
        key: _clean(value)
        for key, value in record.counts.items()
        if key not in ("manual_sources", "sources") and not _is_outside(value)
    }
    return content


def clean_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return a study's settings, defaults included, as `clean_study_file` leaves its file."""
    crawl = {key: "" if key in _HIDDEN_SETTINGS else value for key, value in settings.get("crawl", {}).items()}
    shortened: dict[str, Any] = _shorten({**settings, "crawl": crawl})
    return shortened


def _shorten(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shorten(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shorten(inner) for inner in value]
    return _base_name(value) if _is_outside(value) else value


def clean_study_file(text: str) -> str:
    """Return a study file without the crawl's contact, and with folders outside of the study reduced to their name."""
    lines = []
    for line in text.splitlines(keepends=True):
        key = line.split("=", 1)[0].strip()
        if key in _HIDDEN_SETTINGS:
            line = f'{key} = ""\n'
        lines.append(re.sub(r"""(["'])((?:/|~|\.\./|[A-Za-z]:[\\/]).*?)\1""", _keep_name, line))
    return "".join(lines)


def _keep_name(match: re.Match[str]) -> str:
    return f"{match[1]}{_base_name(match[2])}{match[1]}"


def _base_name(path: str) -> str:
    return PureWindowsPath(path).name if "\\" in path or path[1:2] == ":" else PurePath(path).name


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items() if not _is_outside(inner)}
    return value


def _is_outside(value: Any) -> bool:
    return isinstance(value, str) and (value.startswith(("/", "~", "../")) or PureWindowsPath(value).drive != "")


def _dump_csv(table: pa.Table) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(["" if value is None else value for value in row.values()] for row in table.to_pylist())
    return buffer.getvalue()


def _dump(content: Any) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _explain(study: Study, records: Mapping[str, RunRecord]) -> str:
    model = records["model"].counts.get("model_id", "") if "model" in records else ""
    seconds = {record.stage: record.wall_s for record in records.values() if record.wall_s}
    rows = "\n".join(f"| {stage} | {wall_s:,.0f} |" for stage, wall_s in seconds.items())
    sources = "\n".join(f"- `{source.name}`, format `{source.format}`" for source in study.sources) or "- none"
    return f"""# {study.study.title_en}: replication bundle

Written by nlp-study {__version__}. There are no texts in it.

| file | what |
|---|---|
| `study.toml`, `settings.json` | the study file, and all settings with defaults; contact and outside folders are taken out |
| `requirements.txt`, `environment.json` | versions of packages and Python, and the kind of machine |
| `digests.json` | digests of input files, settings, code and outcomes |
| `records/` | the record of each stage's run: settings, inputs, counts, seconds |
| `tables/` | ids, labels, predictions, topics, held-out predictions and trends; authors and annotators are pseudonyms |
| `MANIFEST.json` | sha256 of every file |

## Make it again

1. Install the same version: `pip install --constraint requirements.txt nlp-study=={__version__}`, with torch first.
2. Get the inputs. The posts came from:
{sources}
   Their ids and days are in `tables/posts.parquet`; `nlp-study crawl` fetches them again. `labels.csv` can stand in for the
   label files.
3. Put them where `study.toml` says, and run `nlp-study run --study study.toml`.
4. Compare: `nlp-study verify BUNDLE.zip --study study.toml` says what is equal, close, different or missing;
   `nlp-study diff BUNDLE.zip study.toml` shows how.

Seed {study.study.seed}. Model `{model or "none"}`.

Equal digests can be expected on the same kind of machine with the same versions; on another one vectors differ in the last
digits, and with them probabilities.

| stage | seconds |
|---|---|
{rows}
"""
