"""The words of the study as types, and every table's columns as an Arrow schema.

Column names are spelled out here and nowhere else. pyarrow is imported only when a schema is asked for,
so that the command line starts quickly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import pyarrow as pa

TIMEZONE_NAME = "Asia/Jakarta"
TIMEZONE = ZoneInfo(TIMEZONE_NAME)
"""Printed times on the site are WIB without a zone; months are counted in this zone."""


class Stance(StrEnum):
    """A writer's position toward a target; always of a (post, target) pair, never of a post."""

    FAVOR = "favor"
    AGAINST = "against"
    NEUTRAL = "neutral"
    IRRELEVANT = "irrelevant"


class ParagraphKind(StrEnum):
    """What a paragraph of a post's body is."""

    TEXT = "text"
    HEADING = "heading"
    LIST = "list"
    QUOTE = "quote"
    CAPTION = "caption"


class DateSource(StrEnum):
    """Where `published_at` was read."""

    PRINTED = "printed"
    """Printed on the page, or given by the imported row."""
    META = "meta"
    """From JSON-LD or meta tags of the page."""
    OBJECT_ID = "object_id"
    """From the creation time in the 24-hex id (only trusted after May 2015)."""
    UNKNOWN = "unknown"


class Origin(StrEnum):
    """How a prediction came about."""

    FINAL = "final"
    """By the final model; the pair was not labelled."""
    OUT_OF_FOLD = "out_of_fold"
    """The pair was labelled; the model that predicted it never saw its author."""
    IN_SAMPLE = "in_sample"
    """The pair was labelled and used in training; only when no out-of-fold prediction exists."""


class ImportFormat(StrEnum):
    """What a source's files look like."""

    TEXT_DUMP = "text-dump"
    """One file a page, as a reader's browser shows it."""
    ID_STANCE = "id-stance"
    """JSONL rows of (post, target, stance)."""
    CSV = "csv"
    JSONL = "jsonl"
    ARCHIVE = "archive"
    """Folder of WARC files, as `nlp-study crawl` writes it."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph of a body, white space folded."""

    text: str
    kind: ParagraphKind = ParagraphKind.TEXT


@dataclass(frozen=True, slots=True)
class Repost:
    """What the footer that the site's clipboard adds says of a text copied from another post."""

    title: str | None
    url: str | None
    author: str | None


@dataclass(frozen=True, slots=True)
class Post:
    """One article by one author.

    `post_id` is the 24-hex id where the site gave one; otherwise `sha-` and 20 hex digits of the text's digest.
    Times are timezone-aware. Counts are `None` when the page does not print them.
    """

    post_id: str
    title: str
    paragraphs: tuple[Paragraph, ...]
    url: str | None = None
    author: str | None = None
    author_id: str | None = None
    author_job: str | None = None
    author_bio: str | None = None
    category: str | None = None
    badge: str | None = None
    tags: tuple[str, ...] = ()
    published_at: datetime | None = None
    updated_at: datetime | None = None
    date_source: DateSource = DateSource.UNKNOWN
    n_views: int | None = None
    n_ratings: int | None = None
    n_comments: int | None = None
    caption: str | None = None
    n_removed: int = 0
    """Paragraphs taken out of the body because the site put them there (promo, "Baca juga")."""
    is_cut: bool = False
    """The source held only the first page of the article."""
    language: str | None = None
    """ISO 639 code of the body, `id` for Indonesian; `None` where it was not identified."""
    reposted_from: Repost | None = None
    captured_at: datetime | None = None
    parser: str | None = None
    """Name and version of the rules that read the page, such as `kompasiana-2020`."""

    @property
    def text(self) -> str:
        """The body, paragraphs joined by an empty line."""
        return "\n\n".join(paragraph.text for paragraph in self.paragraphs)


@dataclass(frozen=True, slots=True)
class Label:
    """A human decision on a (post, target) pair.

    `sampling_proba` is the probability, in (0, 1], with which the post was drawn for labelling;
    `None` when nobody knows (a found data set).
    """

    post_id: str
    target: str
    stance: Stance
    annotator: str
    guideline: str | None = None
    labelled_at: datetime | None = None
    sampling_proba: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """One row, post or page that a stage could not handle, and why."""

    stage: str
    where: str
    """The place in the input: `file:row`, a URL, or a post id."""
    reason: str
    post_id: str | None = None


class TableName(StrEnum):
    """Tables under the study's data directory."""

    PAGES = "pages"
    POSTS = "posts"
    LABELS = "labels"
    DUPLICATES = "duplicates"
    SEGMENTS = "segments"
    TOKENS = "tokens"
    PARSED_POSTS = "parsed_posts"
    TOPICS = "topics"
    TOPIC_ASSIGNMENTS = "topic_assignments"
    TOPIC_TREE = "topic_tree"
    TOPIC_QUALITY = "topic_quality"
    EVALUATIONS = "evaluations"
    PREDICTIONS = "predictions"
    EVIDENCE = "evidence"
    TRENDS = "trends"
    ESTIMATES = "estimates"
    TREND_LINES = "trend_lines"
    CHANGES = "changes"
    COMPOSITIONS = "compositions"
    FAILURES = "failures"


@dataclass(frozen=True)
class TableSpec:
    """A table's Arrow schema and one line on each column, shown by `nlp-study query --schema`."""

    schema: pa.Schema
    key: tuple[str, ...]
    about: str
    columns: dict[str, str] = field(default_factory=dict)


@cache
def table_specs() -> dict[TableName, TableSpec]:
    """Return every table's schema, key and documentation."""
    import pyarrow as pa

    string, when, day = pa.string(), pa.timestamp("us", tz=TIMEZONE_NAME), pa.date32()
    int32, float32, float64, flag = pa.int32(), pa.float32(), pa.float64(), pa.bool_()
    paragraph = pa.struct([("kind", string), ("text", string)])
    probas = [
        (f"proba_{stance}", float32, f"probability of `{stance}`; null if the study has no such label")
        for stance in Stance
    ]

    def spec(about: str, key: tuple[str, ...], rows: list[tuple[str, pa.DataType, str]]) -> TableSpec:
        schema = pa.schema([pa.field(name, dtype, nullable=name not in key) for name, dtype, _ in rows])
        return TableSpec(schema, key, about, {name: line for name, _, line in rows})

    post_id = ("post_id", string, "the post's key; on Kompasiana the 24-hex id")
    target = ("target", string, "what the stance is about, an id from study.toml")
    return {
        TableName.PAGES: spec(
            "what was read, before extraction",
            ("post_id",),
            [
                post_id,
                ("source", string, "name of the source in study.toml, or the imported path"),
                ("path", string, "file the page came from, relative to the source"),
                ("url", string, "address, if known"),
                ("content", string, "the page as it was read"),
                ("digest", string, "sha256 of the content"),
            ],
        ),
        TableName.POSTS: spec(
            "one row an article",
            ("post_id",),
            [
                post_id,
                ("source", string, "name of the source in study.toml, or the imported path"),
                ("url", string, "canonical address"),
                ("title", string, "title, site suffixes removed"),
                ("author", string, "the name shown to readers"),
                ("author_id", string, "the account in the address; the name where there is none"),
                ("author_job", string, "job and tagline from the profile"),
                ("author_bio", string, "biography from the profile"),
                ("category", string, "subcategory printed on the page"),
                ("badge", string, "Pilihan (editor's pick) or Artikel Utama (headline)"),
                ("tags", pa.list_(string), "the author's keywords"),
                ("published_at", when, "first publication, Asia/Jakarta"),
                ("updated_at", when, "last edit; may be earlier than published_at for scheduled posts"),
                ("date_source", string, "where published_at was read"),
                ("n_views", int32, "views at capture"),
                ("n_ratings", int32, "ratings at capture"),
                ("n_comments", int32, "comments at capture"),
                ("caption", string, "caption of the header photo"),
                ("paragraphs", pa.list_(paragraph), "the body: kind and text of each paragraph"),
                ("n_words", int32, "words in the body"),
                ("n_removed", int32, "paragraphs removed that the site had inserted"),
                ("is_cut", flag, "only the first page of the article was there"),
                ("language", string, "ISO 639 code of the body, if it was identified"),
                ("reposted_title", string, "title of the post that this one was copied from, by its pasted footer"),
                ("reposted_url", string, "address of that post"),
                ("reposted_author", string, "author of that post"),
                ("captured_at", when, "when the page was fetched"),
                ("parser", string, "rules that read the page, with their version"),
                ("text_digest", string, "sha256 of the case-folded body; equal for verbatim reposts"),
            ],
        ),
        TableName.LABELS: spec(
            "human decisions",
            ("post_id", "target", "annotator"),
            [
                post_id,
                target,
                ("annotator", string, "who decided"),
                ("stance", string, "favor, against, neutral or irrelevant"),
                ("guideline", string, "version of the codebook"),
                ("labelled_at", when, "when"),
                ("sampling_proba", float64, "probability with which the post was drawn, in (0, 1]"),
                ("source", string, "where the label was imported from"),
            ],
        ),
        TableName.DUPLICATES: spec(
            "posts that repeat one another; one row a post of such a group",
            ("post_id",),
            [
                post_id,
                ("group", string, "post_id of the group's first post"),
                ("position", int32, "place in the group by time of publication, 0 for the first"),
                ("is_first", flag, "the post that came first; the study counts only this one"),
                ("kind", string, "exact, near or repost (a pasted footer names the source); null for the first"),
                ("share", float32, "share of the post's five-word runs that stand in `nearest`; 1 for the first"),
                ("nearest", string, "the earlier post of the group that it repeats most; null for the first"),
            ],
        ),
        TableName.SEGMENTS: spec(
            "runs of whole paragraphs, the unit of embedding and topics",
            ("segment_id",),
            [
                ("segment_id", string, "post_id, a colon and the segment's index"),
                post_id,
                ("index", int32, "position in the post, from 0"),
                ("first_paragraph", int32, "index of the first paragraph"),
                ("last_paragraph", int32, "index of the last paragraph, included"),
                ("text", string, "the paragraphs, joined by an empty line"),
                ("n_words", int32, "words in the segment"),
                ("vector", pa.list_(float32), "embedding, unit length (left out of the SQL view)"),
            ],
        ),
        TableName.TOKENS: spec(
            "one row a token, in the order of the text; parsed is the title, an empty line, and the body",
            ("post_id", "position"),
            [
                post_id,
                ("sentence", int32, "sentence of the token in the post, from 0; the title has sentences of its own"),
                ("position", int32, "place of the token in the post, from 0"),
                ("form", string, "the token as written; clitics such as -nya are tokens of their own"),
                ("lower", string, "the form in lower case"),
                ("root", string, "the root word of the form: `dukung` of `mendukung`, `dukungan`, `pendukung`"),
                ("lemma", string, "the parser's lemma"),
                ("upos", string, "word class, Universal Dependencies: NOUN, VERB, ADJ, ..."),
                ("feats", string, "morphological features, Universal Dependencies; empty if none"),
                ("head", int32, "position of the token's head in the post; its own for a root"),
                ("deprel", string, "relation to the head, Universal Dependencies; root for a root"),
                ("ent", string, "named entity: B-PER where one begins, I-PER inside; empty outside"),
                ("start", int32, "place of the first character in the parsed text, from 0"),
                ("space_after", flag, "white space follows the token"),
                ("after", string, "the white space that follows it; forms and these, joined, are the parsed text"),
            ],
        ),
        TableName.PARSED_POSTS: spec(
            "one row a post whose tokens stand in `tokens`",
            ("post_id",),
            [
                post_id,
                ("text_digest", string, "sha256 of the parsed text, 16 hex digits"),
                ("parser", string, "digest of the model and code that parsed it"),
                ("n_sentences", int32, "its sentences"),
                ("n_tokens", int32, "its tokens, punctuation included"),
            ],
        ),
        TableName.TOPICS: spec(
            "one row a topic; -1 holds the outliers",
            ("topic_id",),
            [
                ("topic_id", int32, "0 is the largest; -1 are outliers"),
                ("label", string, "the first words, joined"),
                (
                    "name",
                    string,
                    "the name given by hand or seed words; else a phrase and words of its strongest segments",
                ),
                ("words", pa.list_(string), "words that tell the topic from the rest and go together, best first"),
                (
                    "weights",
                    pa.list_(float32),
                    "their part of the divergence from all segments, p(w|t) log(p(w|t) / p(w))",
                ),
                ("n_segments", int32, "segments assigned"),
                ("n_posts", int32, "posts with at least one of them"),
                ("n_reassigned", int32, "segments among them that stand by the topic in less than half of the refits"),
                ("stability", float32, "mean Jaccard index with the best match in each refit, in [0, 1]"),
                ("is_stable", flag, "stability is 0.6 or more (Hennig 2007)"),
                ("npmi", float32, "mean NPMI over pairs of its first ten words; a segment is the document"),
                ("representative_segments", pa.list_(string), "segment ids nearest to the topic's centre"),
            ],
        ),
        TableName.TOPIC_ASSIGNMENTS: spec(
            "the topic of each segment",
            ("segment_id",),
            [
                ("segment_id", string, "the segment"),
                post_id,
                ("topic_id", int32, "its topic; -1 for outliers"),
                ("proba", float32, "strength: share, over all refits, of the segments beside it that are of its topic"),
                ("reassigned", flag, "the strength is below 0.5; the topic is the most likely one of several"),
            ],
        ),
        TableName.TOPIC_TREE: spec(
            "how topics hang together: one row a topic and one a pair of nodes that were joined",
            ("node",),
            [
                ("node", int32, "the topic's id; joined nodes have the numbers that follow"),
                ("parent", int32, "the node it is joined into; null for the root"),
                ("height", float32, "1 - cosine of the two that were joined, mean over pairs of topics; 0 for a topic"),
                ("topics", pa.list_(int32), "topics below it"),
                ("words", pa.list_(string), "words of all of them together"),
                ("n_segments", int32, "their segments"),
            ],
        ),
        TableName.TOPIC_QUALITY: spec(
            "figures of the fit, one a row; docs/topics.md explains them",
            ("measure",),
            [
                ("measure", string, "what was measured"),
                ("value", float64, "the figure"),
            ],
        ),
        TableName.EVALUATIONS: spec(
            "held-out predictions of every compared model",
            ("model", "seed", "post_id", "target"),
            [
                (
                    "model",
                    string,
                    "majority, tfidf, characters, words (calibrated), embedding (frozen), no target (target left unnamed), "
                    "or the study's encoder",
                ),
                ("seed", int32, "seed of the folds and the training"),
                ("fold", int32, "the fold in which the pair was held out"),
                post_id,
                target,
                (
                    "group",
                    string,
                    "what ties posts that never stand on both sides of a split: author, text, near-duplicate",
                ),
                ("gold", string, "the human label"),
                ("predicted", string, "the decided label; not always the most probable one, see docs/stance.md"),
                *probas,
            ],
        ),
        TableName.PREDICTIONS: spec(
            "the model's stance for each (post, target) pair",
            ("post_id", "target"),
            [
                post_id,
                target,
                ("stance", string, "the decided label; not always the most probable one, see docs/stance.md"),
                *probas,
                ("abstained", flag, "the model is less sure than stance.abstain_below asks; stance is its best guess"),
                ("model_id", string, "the model that decided"),
                ("origin", string, "final, out_of_fold or in_sample"),
                ("n_windows", int32, "inputs read by the encoder"),
                ("n_tokens", int32, "tokens of the post that were read, each counted once"),
                ("n_tokens_total", int32, "tokens in the post"),
            ],
        ),
        TableName.EVIDENCE: spec(
            "the sentences that moved each decision most",
            ("post_id", "target", "rank"),
            [
                post_id,
                target,
                ("rank", int32, "0 for the sentence that moved it most"),
                ("sentence", string, "the sentence"),
                (
                    "weight",
                    float32,
                    "its part of the lead (log-odds) of the decided label over the next; below 0: against it",
                ),
            ],
        ),
        TableName.TRENDS: spec(
            "posts and stance shares per calendar month",
            ("month", "target", "stance", "topic_id"),
            [
                ("month", day, "first day of the month, Asia/Jakarta"),
                target,
                ("stance", string, "the stance counted"),
                ("topic_id", int32, "posts with a segment in this topic; -2 for all posts"),
                ("n_posts", int32, "posts of the month with a decided prediction for the target"),
                ("n_abstained", int32, "further posts, left undecided (stance.abstain_below); in no share"),
                ("n_stance", int32, "of them, with this stance"),
                ("share", float64, "n_stance / n_posts; null in an empty month"),
                ("share_low", float64, "lower end of the interval"),
                ("share_high", float64, "upper end of the interval"),
                ("method", string, "how the share and its interval were made"),
            ],
        ),
        TableName.ESTIMATES: spec(
            "shares of every period and group, corrected with labelled posts, beside labels only and predictions only",
            ("target", "stance", "grain", "period", "group_kind", "group", "method"),
            [
                target,
                ("stance", string, "the stance"),
                ("grain", string, "length of the period: all, year, half, quarter or month"),
                ("period", day, "first day of the period; of the first month for `all`"),
                (
                    "group_kind",
                    string,
                    "all, topic, category, badge or prolific (thirds of the posts by author's output)",
                ),
                ("group", string, "the topic's number, the category, ...; empty for all"),
                ("method", string, "corrected, labels or predictions; docs/estimates.md says how each is made"),
                ("n_posts", int32, "posts that count"),
                ("n_labels", int32, "of them, drawn with a known probability and labelled"),
                ("n_authors", int32, "their authors"),
                ("share", float64, "share of the posts with this stance; null where nothing is known"),
                ("se", float64, "its standard error"),
                ("low", float64, "lower end of the interval"),
                ("high", float64, "upper end of the interval"),
                ("low_all", float64, "lower end of an interval that holds for all stances of the row's period at once"),
                ("high_all", float64, "upper end of it"),
                (
                    "share_on",
                    float64,
                    "share of the posts on the target, `irrelevant` ones left out; null for irrelevant",
                ),
                ("low_on", float64, "lower end of its interval"),
                ("high_on", float64, "upper end of its interval"),
                ("low_all_on", float64, "lower end of its interval for all stances at once"),
                ("high_all_on", float64, "upper end of it"),
                ("power", float64, "weight of the predictions, 0 (labels only) to 1; null for predictions"),
                ("n_effective", float64, "independent labelled posts that would give the same standard error"),
                ("note", string, "what to know of the row"),
            ],
        ),
        TableName.TREND_LINES: spec(
            "smoothed shares per month, with bands",
            ("target", "stance", "month", "method"),
            [
                target,
                ("stance", string, "the stance"),
                ("month", day, "first day of the month, Asia/Jakarta"),
                ("method", string, "corrected, labels or predictions: what was smoothed"),
                ("share", float64, "smoothed share of the posts"),
                ("low", float64, "lower end of the band of this month"),
                ("high", float64, "upper end of the band of this month"),
                ("low_all", float64, "lower end of the band that holds for all months at once"),
                ("high_all", float64, "upper end of it"),
                ("share_on", float64, "smoothed share of the posts on the target; null for irrelevant"),
                ("low_on", float64, "lower end of its band of this month"),
                ("high_on", float64, "upper end of its band of this month"),
                ("low_all_on", float64, "lower end of its band for all months"),
                ("high_all_on", float64, "upper end of it"),
                ("step", float64, "standard deviation of the share's monthly step; the larger, the less is smoothed"),
            ],
        ),
        TableName.CHANGES: spec(
            "months from which a share is another one; empty where there is none beyond chance",
            ("target", "stance", "rank"),
            [
                target,
                ("stance", string, "the stance"),
                ("rank", int32, "0 for the clearest change of the target"),
                ("month", day, "first month of the new level, the most probable one"),
                ("month_low", day, "first of the months that hold it with 95 % probability"),
                ("month_high", day, "last of them"),
                ("since", day, "first month of the old level"),
                ("until", day, "last month of the new level"),
                ("before", float64, "share of the old level"),
                ("after", float64, "share of the new level"),
                ("difference", float64, "after - before"),
                ("low", float64, "lower end of its interval"),
                ("high", float64, "upper end of its interval"),
                ("p_value", float64, "chance of as clear a change in any stance and month if months came in any order"),
                ("method", string, "how it was found, and whether the share is of all posts or of those on the target"),
            ],
        ),
        TableName.COMPOSITIONS: spec(
            "what a change of a share between two periods is made of",
            ("target", "stance", "period_a", "period_b", "by", "component"),
            [
                target,
                ("stance", string, "the stance"),
                ("period_a", string, "the earlier period, such as 2023-H1"),
                ("period_b", string, "the later period"),
                ("by", string, "groups that are held apart: author, prolific, topic (main one) or category"),
                (
                    "component",
                    string,
                    "within (groups change), volume (some write more), turnover (others write), total",
                ),
                ("value", float64, "its part of the change; those of a `by` add up to the total"),
                ("low", float64, "lower end of its interval, over resampled authors"),
                ("high", float64, "upper end of its interval"),
            ],
        ),
        TableName.FAILURES: spec(
            "what could not be handled, and why",
            ("stage", "where"),
            [
                ("stage", string, "the stage that failed"),
                ("where", string, "file and row, address or post id"),
                ("post_id", string, "the post, if it is known"),
                ("reason", string, "what was wrong"),
                ("failed_at", when, "when"),
            ],
        ),
    }


ALL_TOPICS = -2
"""`topic_id` of a trend row that counts all posts."""
OUTLIER_TOPIC = -1
"""`topic_id` of segments that belong to no topic."""
COUNTED_ONCE = "post_id NOT IN (SELECT post_id FROM duplicates WHERE NOT is_first)"
"""SQL condition: of posts that repeat one another only the first counts."""

MODEL_EVALUATIONS = "evaluations.parquet"
"""File in a model's folder with its held-out predictions, columns as the table `evaluations`."""


def describe_tables() -> pa.Table:
    """Return every column of every table with its type and meaning, shape (n_columns, 4)."""
    import pyarrow as pa

    rows = [
        {"table": str(name), "column": column, "type": str(spec.schema.field(column).type), "meaning": meaning}
        for name, spec in table_specs().items()
        for column, meaning in spec.columns.items()
        if column != "vector"
    ]
    rows += [
        {
            "table": "posts",
            "column": "month",
            "type": "string",
            "meaning": "month of published_at, like 2024-06 (view only)",
        },
        {"table": "posts", "column": "text", "type": "string", "meaning": "the body as one text (view only)"},
    ]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: list(TableName).index(TableName(row["table"]))))
