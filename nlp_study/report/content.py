"""Everything the report says, gathered from the tables as plain numbers; nothing here knows HTML or a language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from nlp_study.report.annotators import AgreementFacts, gather_agreement
from nlp_study.report.corrected import CorrectedFacts, correct_topics, gather_corrected
from nlp_study.report.evidence import EvidenceExample, gather_examples
from nlp_study.report.quality import QualityFacts, gather_quality
from nlp_study.report.queries import fetch_row, fetch_rows, month_range
from nlp_study.report.reliability import ReliabilityFacts, gather_reliability
from nlp_study.report.stances import TargetFacts, gather_targets
from nlp_study.report.themes import TopicFacts, gather_topics
from nlp_study.report.words import WordFacts, gather_words
from nlp_study.schema import TIMEZONE, TableName
from nlp_study.stance.shifts import Drift

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus, RunRecord

N_FAILURES = 10
"""Reasons of failures that are listed."""
N_TOP_AUTHORS = 10
"""Most productive authors whose part of the corpus is stated."""

_DEMO_FOLDER = "corpus/demo"


@dataclass(frozen=True, slots=True)
class MonthCount:
    """Posts published in one calendar month."""

    month: date
    n_posts: int


@dataclass(frozen=True, slots=True)
class SourceCount:
    """Posts that came from one source; `format` is empty for a source that the study file does not name."""

    name: str
    format: str
    n_posts: int


@dataclass(frozen=True, slots=True)
class FailureCount:
    """Failures of one stage for one reason."""

    stage: str
    reason: str
    n: int


@dataclass(frozen=True, slots=True)
class DataFacts:
    """Counts of what was read. `n_pages` is None where no pages were kept."""

    n_pages: int | None
    n_posts: int
    n_dated: int
    n_authors: int
    n_without_author: int
    n_words: int
    n_repeated: int
    n_cut: int
    n_top_authors: int
    n_posts_of_top_authors: int
    first_day: date | None
    last_day: date | None
    months: list[MonthCount]
    sources: list[SourceCount]
    n_failures: int
    failures: list[FailureCount]
    is_demo: bool

    @property
    def n_undated(self) -> int:
        """Posts that no chart over time can hold."""
        return self.n_posts - self.n_dated


@dataclass(frozen=True, slots=True)
class MethodFacts:
    """What was read by the encoder, and where predictions come from. Token counts are None where unknown.

    `drift` compares the posts with those that the model learnt from; None where the model does not remember them. Of the
    predictions `n_abstained` are left undecided, for the model is less sure than `abstain_below`.
    """

    n_segments: int
    n_predictions: int
    n_tokens: int | None
    n_tokens_total: int | None
    n_windows: int | None
    origins: dict[str, int]
    model_ids: list[str]
    model_counts: dict[str, Any]
    abstain_below: float
    n_abstained: int
    drift: Drift | None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run record: what it made, and when."""

    name: str
    stage: str
    started_at: datetime | None
    n_rows: int
    digest: str
    versions: dict[str, str]
    wall_s: float


@dataclass(frozen=True, slots=True)
class ReportContent:
    """All numbers of the report, section by section."""

    study: Study
    data: DataFacts
    targets: list[TargetFacts]
    topics: TopicFacts
    corrected: dict[int, CorrectedFacts]
    quality: QualityFacts
    agreement: AgreementFacts | None
    reliability: ReliabilityFacts | None
    examples: dict[int, list[EvidenceExample]]
    words: WordFacts | None
    methods: MethodFacts
    runs: list[RunFacts]

    @property
    def written_at(self) -> datetime | None:
        """The last run behind the report; not the clock, so that the same tables give the same file."""
        return max((run.started_at for run in self.runs if run.started_at), default=None)


def gather_content(study: Study, corpus: Corpus) -> ReportContent:
    """Read the tables once and return all numbers of the report.

    Raises
    ------
    DataError : a table is damaged.
    """
    from nlp_study.store import open_corpus

    # a corpus that ran queries before the last write still looks at the old files; a fresh one sees the new
    fresh = open_corpus(corpus.folder)
    try:
        targets = gather_targets(study, fresh)
        quality = gather_quality(study, fresh)
        topics, corrected = gather_topics(study, fresh), gather_corrected(study, fresh)
        return ReportContent(
            study=study,
            data=_gather_data(study, fresh),
            targets=targets,
            corrected=corrected,
            topics=correct_topics(topics, corrected),
            words=gather_words(study, fresh, topics.charted),
            quality=quality,
            agreement=gather_agreement(study, fresh),
            reliability=gather_reliability(study, fresh, quality.tuned.model) if quality.tuned else None,
            examples=gather_examples(study, fresh),
            methods=_gather_methods(study, fresh),
            runs=_gather_runs(fresh),
        )
    finally:
        fresh.close()


def _gather_data(study: Study, corpus: Corpus) -> DataFacts:
    counts = fetch_row(
        corpus,
        """
        SELECT count(*) AS n_posts, count(published_at) AS n_dated,
            count(DISTINCT coalesce(author_id, author)) AS n_authors,
            count(*) FILTER (coalesce(author_id, author) IS NULL) AS n_without_author,
            coalesce(sum(n_words), 0)::BIGINT AS n_words,
            (SELECT count(*) FROM duplicates WHERE NOT is_first) AS n_repeated,
            count(*) FILTER (is_cut) AS n_cut,
            min(published_at)::DATE AS first_day, max(published_at)::DATE AS last_day
        FROM posts
        """,
    )
    top = fetch_row(
        corpus,
        f"""
        SELECT count(*) AS n_top_authors, coalesce(sum(n), 0)::BIGINT AS n_posts_of_top_authors FROM (
            SELECT count(*) AS n FROM posts WHERE coalesce(author_id, author) IS NOT NULL
            GROUP BY coalesce(author_id, author) ORDER BY n DESC LIMIT {N_TOP_AUTHORS})
        """,
    )
    by_month = {
        date.fromisoformat(f"{row['month']}-01"): row["n"]
        for row in fetch_rows(corpus, "SELECT month, count(*) AS n FROM posts WHERE month IS NOT NULL GROUP BY month")
    }
    failures = fetch_rows(
        corpus, "SELECT stage, reason, count(*) AS n FROM failures GROUP BY ALL ORDER BY n DESC, stage, reason"
    )
    pages = corpus.record(TableName.PAGES)
    return DataFacts(
        n_pages=pages.n_rows if pages and pages.n_rows else None,
        **counts,
        **top,
        months=[MonthCount(month, by_month.get(month, 0)) for month in month_range(by_month)],
        sources=_gather_sources(study, corpus),
        n_failures=sum(row["n"] for row in failures),
        failures=[FailureCount(row["stage"], row["reason"] or "", row["n"]) for row in failures[:N_FAILURES]],
        is_demo=any(_DEMO_FOLDER in PurePath(source.path).as_posix() for source in study.sources),
    )


def _gather_sources(study: Study, corpus: Corpus) -> list[SourceCount]:
    found = {
        row["source"]: row["n"]
        for row in fetch_rows(corpus, "SELECT source, count(*) AS n FROM posts GROUP BY source ORDER BY n DESC, source")
    }
    named = {source.name: str(source.format) for source in study.sources}
    listed = [SourceCount(name, form, found.pop(name, 0)) for name, form in named.items()]
    # an imported path says where a file lay on somebody's machine; its last part is enough to recognize it
    return listed + [SourceCount(PurePath(name).name if name else "–", "", n) for name, n in found.items()]


def _gather_methods(study: Study, corpus: Corpus) -> MethodFacts:
    counts = fetch_row(
        corpus,
        """
        SELECT count(*) AS n_predictions, sum(n_tokens)::BIGINT AS n_tokens,
            sum(n_tokens_total)::BIGINT AS n_tokens_total, sum(n_windows)::BIGINT AS n_windows,
            count(*) FILTER (abstained) AS n_abstained
        FROM predictions WHERE list_contains(?, target)
        """,
        [[target.id for target in study.targets]],
    )
    origins = fetch_rows(
        corpus, "SELECT origin, count(*) AS n FROM predictions GROUP BY origin ORDER BY n DESC, origin"
    )
    models = fetch_rows(
        corpus, "SELECT DISTINCT model_id FROM predictions WHERE model_id IS NOT NULL ORDER BY model_id"
    )
    segments, model = corpus.record(TableName.SEGMENTS), corpus.record("model")
    classified = corpus.record(TableName.PREDICTIONS)
    counted = classified.counts if classified else {}
    return MethodFacts(
        n_segments=segments.n_rows if segments else 0,
        **counts,
        origins={row["origin"] or "–": row["n"] for row in origins},
        model_ids=[PurePath(row["model_id"]).name for row in models],
        model_counts={key: value for key, value in (model.counts if model else {}).items() if _is_shown(value)},
        abstain_below=counted.get("abstain_below") or 0.0,
        drift=Drift.from_counts(counted["drift"]) if counted.get("drift") else None,
    )


def _gather_runs(corpus: Corpus) -> list[RunFacts]:
    names = [*TableName, "model", "report"]
    records = [(str(name), record) for name in names if (record := corpus.record(name))]
    # the report's own record describes the report before this one
    return [_run_facts(name, record) for name, record in records if name != "report"]


def _run_facts(name: str, record: RunRecord) -> RunFacts:
    try:
        started = datetime.fromisoformat(record.started_at)
    except ValueError:
        started = None
    if started is not None and started.tzinfo is None:
        started = started.replace(tzinfo=TIMEZONE)
    stage = "" if record.stage == "*" else record.stage
    return RunFacts(name, stage, started, record.n_rows, record.digest, record.versions, record.wall_s)


def _is_shown(value: object) -> bool:
    """Leave out what is no plain fact, and paths that lead out of the study's folder."""
    if isinstance(value, str):
        return not PurePath(value).is_absolute()
    return isinstance(value, int | float | list | tuple)
