"""The stages in order, what each depends on, and whether what it made is still fresh."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from nlp_study import __version__
from nlp_study.config import Study
from nlp_study.errors import ConfigError, DataError
from nlp_study.schema import TableName
from nlp_study.store import Corpus, RunRecord, digest_path, now_iso

logger = logging.getLogger(__name__)

EMBEDDED_READER = "e5-small-id-stance"
"""Folder under models/ of the layers that learnt stance on other targets."""

Run = Callable[[Study, Corpus, RunRecord], dict[str, Any]]


@dataclass(frozen=True)
class Stage:
    """One step of the study.

    `makes` names its tables (or `model`, `report`); `reads` what other stages made; `settings` the sections of the study
    file, `files` the paths and `modules` the code that decide its outcome.
    """

    name: str
    about: str
    makes: tuple[str, ...]
    reads: tuple[str, ...]
    settings: tuple[str, ...]
    modules: tuple[str, ...]
    load: Callable[[], Run]
    files: Callable[[Study], Sequence[Path]] = field(default=lambda study: ())
    skip_reason: Callable[[Study, Corpus], str | None] = field(default=lambda study, corpus: None)
    digests: Callable[[Corpus], dict[str, str]] = field(default=lambda corpus: {})
    """Parts of tables that it reads, where a whole table would make it stale without need."""


class State(StrEnum):
    """Whether a stage's outcome can be used as it is."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class StageStatus:
    """State of a stage and, unless it is fresh, why."""

    stage: str
    state: State
    reason: str
    record: RunRecord | None


def _load(module: str, function: str) -> Callable[[], Run]:
    def load() -> Run:
        from importlib import import_module

        run: Run = getattr(import_module(module), function)
        return run

    return load


def _source_files(study: Study) -> list[Path]:
    paths = [source.path for source in study.sources] + [labels.path for labels in study.labels]
    return [study.resolve(path) for path in paths]


def _encoder_files(study: Study) -> list[Path]:
    from nlp_study.encoders import resolve_encoder

    found = resolve_encoder(study.encoder.name, models_dir=study.models_dir)
    return [found] if isinstance(found, Path) else []


def _stance_files(study: Study) -> list[Path]:
    from nlp_study.encoders import resolve_encoder

    if study.stance.model:
        return [study.resolve(study.stance.model)]
    names = [study.stance_encoder]
    if not study.stance.epochs and study.stance.reader:
        names.append(EMBEDDED_READER if study.stance.reader == "auto" else study.stance.reader)
    found = [resolve_encoder(name, models_dir=study.models_dir) for name in names]
    return [path for path in found if isinstance(path, Path)]


def _parser_files(study: Study) -> list[Path]:
    from nlp_study.parse import find_parser

    found = find_parser(study)
    return [found] if found else []


def _no_parser(study: Study, corpus: Corpus) -> str | None:
    if _parser_files(study):
        return None
    return f"there is no parser «{study.parse.model}»; build it with `make parser`, or set parse.model to its folder"


def _no_labels(study: Study, corpus: Corpus) -> str | None:
    if study.stance.model or corpus.read(TableName.LABELS, columns=["post_id"]).num_rows:
        return None
    return "there are no labels; add a [[labels]] file or set stance.model"


def _no_evaluation(study: Study, corpus: Corpus) -> str | None:
    from nlp_study.schema import MODEL_EVALUATIONS

    if study.stance.model:
        given = study.resolve(study.stance.model) / MODEL_EVALUATIONS
        return None if given.is_file() else f"the model under stance.model brings no {MODEL_EVALUATIONS}"
    return _no_labels(study, corpus)


def _labelled_posts(corpus: Corpus) -> dict[str, str]:
    """Digest of the posts that have labels: importing others must not train a model again."""
    query = """
        SELECT md5(string_agg(concat_ws(chr(0), post_id, title, coalesce(author_id, author, ''), text), chr(1)
            ORDER BY post_id)) AS digest
        FROM posts WHERE post_id IN (SELECT post_id FROM labels)
    """
    return {"labelled posts": str(corpus.fetch(query)["digest"][0].as_py())}


def _topic_files(study: Study) -> list[Path]:
    from nlp_study.topics.fit import edits_path
    from nlp_study.topics.words import REGISTER_WORDS, STOP_WORDS

    package = Path(__file__).parent
    return [edits_path(study), package / STOP_WORDS, package / REGISTER_WORDS]


def _too_few_segments(study: Study, corpus: Corpus) -> str | None:
    from nlp_study.topics import MIN_SEGMENTS

    n = corpus.read(TableName.SEGMENTS, columns=["post_id"]).num_rows
    return f"{n} segments are too few for topics; {MIN_SEGMENTS} are the least" if n < MIN_SEGMENTS else None


_PAIR_SETTINGS = ("targets.id", "targets.name", "targets.aliases", "study.stances", "study.seed")
_STANCE_CODE = (
    "nlp_study.deduplicate",
    "nlp_study.stance.pairs",
    "nlp_study.stance.windows",
    "nlp_study.stance.layers",
    "nlp_study.stance.model",
    "nlp_study.stance.predict",
    "nlp_study.stance.sentences",
    "nlp_study.stance.views",
    "nlp_study.stance.reader",
    "nlp_study.stance.engine",
    "nlp_study.stance.bag",
    "nlp_study.stance.mixing",
    "nlp_study.stance.baselines",
    "nlp_study.stance.probe",
)
_TRAINING_CODE = (*_STANCE_CODE, "nlp_study.stance.train", "nlp_study.stance.tuning", "nlp_study.stance.rates")

STAGES: tuple[Stage, ...] = (
    Stage(
        name="import",
        about="read posts and labels from their sources",
        makes=("posts", "labels", "pages"),
        reads=(),
        settings=("sources", "labels", "targets.id", "study.stances"),
        modules=("nlp_study.sources", "nlp_study.importers", "nlp_study.labels", "nlp_study.extract"),
        load=_load("nlp_study.sources", "import_study_sources"),
        files=_source_files,
    ),
    Stage(
        name="deduplicate",
        about="mark posts that repeat one another",
        makes=("duplicates",),
        reads=("posts",),
        settings=(),
        modules=("nlp_study.deduplicate",),
        load=_load("nlp_study.deduplicate", "mark_duplicates"),
    ),
    Stage(
        name="parse",
        about="cut posts into sentences and tokens, with word classes, relations and names",
        makes=("tokens", "parsed_posts"),
        reads=("posts",),
        settings=("parse.model",),
        modules=("nlp_study.parse", "nlp_study.roots"),
        load=_load("nlp_study.parse", "parse_posts"),
        files=_parser_files,
        skip_reason=_no_parser,
    ),
    Stage(
        name="segment",
        about="group paragraphs into segments and embed them",
        makes=("segments",),
        reads=("posts",),
        settings=("encoder", "segments"),
        modules=("nlp_study.segments", "nlp_study.encoders"),
        load=_load("nlp_study.segments", "embed_segments"),
        files=_encoder_files,
    ),
    Stage(
        name="evaluate",
        about="measure the classifier beside its baselines, authors disjoint",
        makes=("evaluations",),
        reads=("labels",),
        settings=("stance", "encoder", *_PAIR_SETTINGS),
        modules=(*_TRAINING_CODE, "nlp_study.stance.baselines", "nlp_study.stance.evaluate"),
        load=_load("nlp_study.stance.evaluate", "evaluate_stance"),
        files=_stance_files,
        skip_reason=_no_evaluation,
        digests=_labelled_posts,
    ),
    Stage(
        name="train",
        about="fine-tune the encoder on all labels",
        makes=("model",),
        reads=("labels",),
        settings=("stance", "encoder", *_PAIR_SETTINGS),
        modules=(*_TRAINING_CODE, "nlp_study.stance.drift"),
        load=_load("nlp_study.stance.classify", "train_stance"),
        files=_stance_files,
        skip_reason=_no_labels,
        digests=_labelled_posts,
    ),
    Stage(
        name="classify",
        about="decide the stance of every post toward every target",
        makes=("predictions", "evidence"),
        reads=("posts", "labels", "model", "evaluations"),
        settings=(*_PAIR_SETTINGS, "stance.abstain_below"),
        modules=(
            *_STANCE_CODE,
            "nlp_study.stance.decisions",
            "nlp_study.stance.explain",
            "nlp_study.stance.saved",
            "nlp_study.stance.drift",
            "nlp_study.stance.shifts",
            "nlp_study.stance.classify",
        ),
        load=_load("nlp_study.stance.classify", "classify_stance"),
        skip_reason=_no_labels,
    ),
    Stage(
        name="topics",
        about="find topics among the segments",
        makes=("topic_assignments", "topics", "topic_tree", "topic_quality"),
        reads=("segments",),
        settings=("topics", "study.seed"),
        modules=("nlp_study.topics", "nlp_study.roots"),
        load=_load("nlp_study.topics", "fit_topics"),
        files=_topic_files,
        skip_reason=_too_few_segments,
    ),
    Stage(
        name="trends",
        about="count posts per month, and estimate shares, trends and changes",
        makes=("trends", "estimates", "trend_lines", "changes", "compositions"),
        reads=("posts", "labels", "duplicates", "predictions", "topic_assignments"),
        settings=("study.stances", "study.seed", "targets.id", "estimate"),
        modules=("nlp_study.trends", "nlp_study.estimate", "nlp_study.labels"),
        load=_load("nlp_study.trends.tables", "write_trends"),
        skip_reason=_no_labels,
    ),
    Stage(
        name="report",
        about="write the report",
        makes=("report",),
        reads=(
            "posts",
            "tokens",
            "duplicates",
            "labels",
            "segments",
            "evaluations",
            "model",
            "predictions",
            "evidence",
            "topics",
            "topic_assignments",
            "trends",
            "estimates",
            "trend_lines",
            "changes",
            "compositions",
        ),
        settings=("study", "targets", "sources", "paths", "segments", "stance", "encoder"),
        modules=(
            "nlp_study.report",
            "nlp_study.collocation",
            "nlp_study.concordance",
            "nlp_study.metrics",
            "nlp_study.estimate",
            "nlp_study.uncertainty",
            "nlp_study.stance.drift",
            "nlp_study.stance.shifts",
        ),
        load=_load("nlp_study.pipeline", "write_study_report"),
    ),
)


def find_stage(name: str) -> Stage:
    """Return the stage of this name.

    Raises
    ------
    ConfigError : there is none.
    """
    for stage in STAGES:
        if stage.name == name:
            return stage
    raise ConfigError(f"no stage «{name}»", remedy=f"stages are {', '.join(stage.name for stage in STAGES)}")


def make_fingerprint(stage: Stage, study: Study, corpus: Corpus) -> dict[str, str]:
    """Return everything the stage's outcome depends on, as digests."""
    fingerprint = {f"settings [{section}]": study.digest(section) for section in stage.settings}
    fingerprint["code"] = _digest_code(stage.modules)
    for path in stage.files(study):
        fingerprint[f"file {_relative(path, study)}"] = digest_path(path)
    for name in stage.reads:
        record = corpus.record(name)
        fingerprint[f"input {name}"] = record.digest if record else "missing"
    return {**fingerprint, **stage.digests(corpus)}


def read_status(stage: Stage, study: Study, corpus: Corpus) -> StageStatus:
    """Say whether a stage's outcome is fresh, stale and why, missing, or would be skipped."""
    records = [corpus.record(name) for name in stage.makes]
    first = records[0]
    skip = stage.skip_reason(study, corpus)
    if skip:
        return StageStatus(stage.name, State.SKIPPED, skip, first)
    if first is None or any(record is None for record in records):
        return StageStatus(stage.name, State.MISSING, "never run", first)
    gone = _missing_outcome(stage, study, corpus, first)
    if gone:
        return StageStatus(stage.name, State.STALE, gone, first)
    now = make_fingerprint(stage, study, corpus)
    changed = sorted(key for key in now.keys() | first.fingerprint.keys() if now.get(key) != first.fingerprint.get(key))
    if changed:
        return StageStatus(stage.name, State.STALE, f"changed: {', '.join(changed)}", first)
    return StageStatus(stage.name, State.FRESH, "", first)


def read_all_status(study: Study, corpus: Corpus) -> Iterator[StageStatus]:
    """Yield the status of each stage in order; one that waits for a stale one is stale as well."""
    waiting: dict[str, str] = {}
    for stage in STAGES:
        status = read_status(stage, study, corpus)
        upstream = next((waiting[name] for name in stage.reads if name in waiting), None)
        if status.state is State.FRESH and upstream:
            status = replace(status, state=State.STALE, reason=f"waits for {upstream}")
        if status.state in (State.STALE, State.MISSING):
            waiting.update(dict.fromkeys(stage.makes, stage.name))
        yield status


def needed_stages(name: str) -> list[str]:
    """Return the stages that a stage waits for, in order, and itself last."""
    wanted, missing = {name}, set(find_stage(name).reads)
    for stage in reversed(STAGES):
        if missing & set(stage.makes):
            wanted.add(stage.name)
            missing |= set(stage.reads)
    return [stage.name for stage in STAGES if stage.name in wanted]


def make_record(stage: Stage, study: Study, corpus: Corpus, *, fingerprint: dict[str, str] | None = None) -> RunRecord:
    """Return the record of a run that starts now."""
    return RunRecord(
        stage=stage.name,
        fingerprint=make_fingerprint(stage, study, corpus) if fingerprint is None else fingerprint,
        seed=study.study.seed,
        versions=_versions(),
        started_at=now_iso(),
    )


def run_stage(stage: Stage, study: Study, corpus: Corpus) -> dict[str, Any]:
    """Run one stage now and return its counts; the record is written with the outcome."""
    record = make_record(stage, study, corpus)
    started = time.monotonic()
    counts = stage.load()(study, corpus, record)
    seconds = round(time.monotonic() - started, 2)
    for name in stage.makes:
        done = corpus.record(name)
        if done is not None:
            corpus.write_record(name, replace(done, wall_s=seconds))
    return counts


def run_stages(
    study: Study,
    corpus: Corpus,
    *,
    only: Sequence[str] = (),
    force: bool = False,
    announce: Callable[[StageStatus, str], None] = lambda status, text: None,
) -> dict[str, State]:
    """Run every stage that is not fresh, in order, and return what was found before each.

    Parameters
    ----------
    only : names of stages to run; all by default.
    force : run them even when they are fresh.
    announce : called with the status and `skip`, `start` or a line of counts.
    """
    found = {}
    for stage in STAGES:
        if only and stage.name not in only:
            continue
        status = read_status(stage, study, corpus)
        found[stage.name] = status.state
        if status.state is State.SKIPPED or (status.state is State.FRESH and not force):
            announce(status, "skip")
            continue
        announce(status, "start")
        counts = run_stage(stage, study, corpus)
        announce(status, ", ".join(f"{key} {_brief(value)}" for key, value in counts.items() if _is_brief(value)))
    return found


def write_study_report(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any]:
    """Write the report and record it."""
    from nlp_study.report import write_report

    if not corpus.has(TableName.POSTS):
        raise DataError("there is nothing to report yet", remedy="run `nlp-study run`")
    counts = write_report(study, corpus, study.report_path)
    corpus.write_record("report", replace(record, counts=counts, digest=digest_path(study.report_path)))
    return counts


def _missing_outcome(stage: Stage, study: Study, corpus: Corpus, record: RunRecord) -> str | None:
    for name in stage.makes:
        if name in set(TableName):
            for file in corpus.files(TableName(name)):
                if not file.is_file():
                    return f"{name}: {file.name} is gone"
    if stage.name == "train" and not study.resolve(record.counts.get("path", "")).is_dir():
        return f"the model {record.counts.get('model_id')} is gone"
    if stage.name == "report" and not study.report_path.is_file():
        return f"{study.report_path.name} is gone"
    return None


def _digest_code(modules: Sequence[str]) -> str:
    """Digest of the modules' source, so that changed code makes its outcome stale without anybody bumping a number."""
    sha = hashlib.sha256(__version__.encode())
    for module in modules:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        folder = sorted(p for p in origin.parent.rglob("*") if p.is_file() and p.suffix != ".pyc")
        for path in folder if origin.name == "__init__.py" else [origin]:
            sha.update(path.read_bytes())
    return sha.hexdigest()[:16]


def _relative(path: Path, study: Study) -> str:
    try:
        return path.relative_to(study.root).as_posix()
    except ValueError:
        return path.name


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"nlp-study": __version__}
    for package in ("torch", "transformers", "pyarrow", "duckdb", "scikit-learn", "numpy", "spacy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _is_brief(value: Any) -> bool:
    return value is not None and not isinstance(value, dict)


def _brief(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
