"""`load_study(path) -> Study`: the study file, validated once and frozen.

Every error names the key, the value that was found and what would be right, because a study file is written by
people who do not read our code.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from nlp_study.errors import ConfigError
from nlp_study.schema import ImportFormat, Stance

STUDY_FILE = "study.toml"

_APART = {"stance": ("abstain_below",)}
"""Keys that change what is made of probabilities, not the model: another value must not train one again."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class StudySettings(_Section):
    """What the study is, and how its report opens."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$", description="short id: lower-case letters, digits, hyphens")
    title_id: str = Field(min_length=1, description="title in Indonesian")
    title_en: str = Field(min_length=1, description="title in English")
    question_id: str = Field("", description="research question in Indonesian")
    question_en: str = Field("", description="research question in English")
    language: Literal["id", "en"] = Field("id", description="language in which the report opens")
    stances: tuple[Stance, ...] = Field(tuple(Stance), description="the labels the study uses, in the order of tables")
    seed: int = Field(20240618, ge=0, le=2**31 - 1, description="seed of everything random that has no seed of its own")

    @field_validator("stances")
    @classmethod
    def _check_stances(cls, stances: tuple[Stance, ...]) -> tuple[Stance, ...]:
        if len(set(stances)) != len(stances):
            raise ValueError("a label stands twice; list each label once")
        if len(stances) < 2:
            raise ValueError("a study needs at least two labels, for example favor and against")
        return stances


class Target(_Section):
    """What the stance is about."""

    id: str = Field(min_length=1, description="the name that labels use for it")
    name: str = Field(min_length=1, description="the words shown to the model and in the report")
    name_en: str = Field("", description="the same in English; empty: as `name`")
    definition_id: str = Field("", description="what it means, in Indonesian")
    definition_en: str = Field("", description="what it means, in English")
    aliases: tuple[str, ...] = Field((), description="other words for it; passages that hold one are read first")
    keywords: tuple[str, ...] = Field((), description="words that show a passage is near it")


class Source(_Section):
    """Where posts come from."""

    name: str = Field(min_length=1, description="short name; posts remember it")
    path: str = Field(min_length=1, description="file or folder, relative to the study file")
    format: ImportFormat = Field(description="text-dump, id-stance, csv, jsonl or archive")
    columns: dict[str, str] = Field(default_factory=dict, description="our field = column of the file")
    where: dict[str, str] = Field(default_factory=dict, description="keep only rows whose column has this value")
    licence: str = Field("", description="licence of the posts, for the model card; empty: not stated")


class LabelFile(_Section):
    """Human labels kept as text under version control: CSV with the columns of the table `labels`."""

    path: str = Field(min_length=1, description="CSV file, relative to the study file")
    licence: str = Field("", description="licence of the labels, for the model card; empty: not stated")


class EncoderSettings(_Section):
    """The encoder behind embeddings and, unless `stance.encoder` says otherwise, behind the classifier."""

    name: str = Field("e5-small-id", description="embedded encoder, hub id or local folder")


class SegmentSettings(_Section):
    """Runs of whole paragraphs: the unit of embedding and topics."""

    min_words: int = Field(60, ge=1, le=10_000, description="shorter paragraphs are joined with the next")
    max_words: int = Field(180, ge=2, le=20_000, description="a segment is closed before it would pass this")

    @model_validator(mode="after")
    def _check_order(self) -> SegmentSettings:
        if self.min_words > self.max_words:
            raise ValueError(f"min_words ({self.min_words}) must not be above max_words ({self.max_words})")
        return self


class ParseSettings(_Section):
    """Sentences, tokens, word classes, relations and names."""

    model: str = Field("id_ud_sm", min_length=1, description="spaCy pipeline: the embedded one, or a folder")
    workers: int = Field(0, ge=0, le=256, description="processes that parse; 0: one a core")


class StanceSettings(_Section):
    """Fine-tuning and classification."""

    encoder: str = Field("", description="encoder to fine-tune; empty: the study's encoder")
    model: str = Field("", description="folder of a trained model to use as it is; empty: train one on the labels")
    reader: str = Field(
        "",
        description="upper layers that learnt stance on other targets; auto: those that fit the encoder; empty: none; "
        "not used where the encoder itself is tuned (epochs above 0)",
    )
    words: bool = Field(
        True,
        description="let words count beside the encoder's vectors; not where the encoder is tuned (epochs above 0)",
    )
    epochs: float = Field(
        0, ge=0, le=200, description="passes over the labelled posts at most; 0: the encoder stays as it is"
    )
    learning_rate: float = Field(1e-5, gt=0, lt=1, description="peak rate of the encoder's last layer")
    layer_decay: float = Field(0.9, gt=0, le=1, description="each layer below learns this much slower")
    frozen_layers: int = Field(
        8, ge=0, le=48, description="lowest layers that stay as they are, with the word embeddings"
    )
    batch_size: int = Field(8, ge=1, le=1024, description="posts a step, on all GPUs together")
    gradient_accumulation: int = Field(
        1, ge=1, le=1024, description="parts in which a step is computed; more take less memory"
    )
    gradient_checkpointing: bool = Field(
        False, description="compute layers again instead of keeping them: less memory, a third slower"
    )
    precision: Literal["auto", "bf16", "fp32"] = Field(
        "auto", description="arithmetic of training; auto: bf16 where the hardware has it"
    )
    window_tokens: int = Field(256, ge=32, le=8192, description="tokens a window, target included")
    window_overlap: int = Field(32, ge=0, le=4096, description="tokens that neighbouring windows share")
    train_windows: int = Field(
        2, ge=1, le=1000, description="windows of a post read in training; classification reads all"
    )
    folds: int = Field(5, ge=2, le=20, description="author-disjoint folds of the evaluation")
    seeds: tuple[int, ...] = Field(
        (1, 2, 3, 4, 5), min_length=1, description="seeds of the evaluation; each repeats all folds"
    )
    patience: int = Field(2, ge=1, le=100, description="epochs without improvement before training stops")
    abstain_below: float = Field(
        0.0, ge=0, lt=1, description="pairs whose label is less probable than this are left undecided; 0: none"
    )

    @model_validator(mode="after")
    def _check_windows(self) -> StanceSettings:
        if self.window_overlap >= self.window_tokens // 2:
            raise ValueError(f"window_overlap ({self.window_overlap}) must be below half of window_tokens")
        return self

    @model_validator(mode="after")
    def _check_parts(self) -> StanceSettings:
        if self.batch_size % self.gradient_accumulation:
            raise ValueError(
                f"batch_size ({self.batch_size}) must be a multiple of gradient_accumulation ({self.gradient_accumulation})"
            )
        return self


class TopicSettings(_Section):
    """Topics of segments, by the agreement of many refits."""

    n_topics: int = Field(
        0, ge=0, le=500, description="number of topics; 0: by the number of posts and the refits' agreement"
    )
    min_topic_size: int = Field(
        0, ge=0, description="smallest topic in segments; 0: half a percent of them, at least 8"
    )
    n_words: int = Field(10, ge=3, le=50, description="words shown for a topic")
    n_refits: int = Field(10, ge=2, le=200, description="refits, each on bootstrap samples of posts")
    outlier_threshold: float = Field(
        0.3, ge=0, le=0.5, description="segments whose strength in their topic is below this are outliers; 0: none"
    )
    edits: str = Field(
        "corpus/topics.toml", min_length=1, description="file of merges, splits and names given by hand; need not exist"
    )
    seed_words: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="words of themes that the study expects, by the theme's name"
    )

    @model_validator(mode="before")
    @classmethod
    def _check_gone(cls, content: Any) -> Any:
        if isinstance(content, dict) and "n_neighbors" in content:
            raise ValueError(
                "n_neighbors was UMAP's, which is no longer used; delete it (n_topics sets how fine topics are)"
            )
        return content


class EstimateSettings(_Section):
    """Which labels correct the shares, and of what the shares are."""

    annotators: tuple[str, ...] = Field(
        (), description="whose labels are a probability sample; empty: those with recorded probabilities below 1"
    )
    sample: Literal["recorded", "random"] = Field(
        "recorded", description="recorded: by sampling_proba of the labels; random: labelled posts are a random sample"
    )
    population: Literal["writers", "corpus"] = Field(
        "writers", description="writers: the authors are a sample of all; corpus: shares of these very posts"
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="probability with which an interval holds the true share")


class PathSettings(_Section):
    """Where things are written, relative to the study file."""

    data: str = Field("data", min_length=1, description="tables, one folder each")
    models: str = Field("models", min_length=1, description="trained models")
    report: str = Field("data/report.html", min_length=1, description="the report")
    draws: str = Field("samples", min_length=1, description="draws of posts to be labelled; keep them under git")


class Study(_Section):
    """A validated study file; `root` is the folder it stands in."""

    study: StudySettings
    targets: tuple[Target, ...] = Field(min_length=1)
    sources: tuple[Source, ...] = ()
    labels: tuple[LabelFile, ...] = ()
    encoder: EncoderSettings = EncoderSettings()
    segments: SegmentSettings = SegmentSettings()
    parse: ParseSettings = ParseSettings()
    stance: StanceSettings = StanceSettings()
    topics: TopicSettings = TopicSettings()
    estimate: EstimateSettings = EstimateSettings()
    paths: PathSettings = PathSettings()
    crawl: dict[str, Any] = Field(default_factory=dict, description="settings of `nlp-study crawl`")
    _root: Path = PrivateAttr(default_factory=Path)

    @model_validator(mode="after")
    def _check_names(self) -> Study:
        for section, names in (("targets", [t.id for t in self.targets]), ("sources", [s.name for s in self.sources])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{section}: «{twice[0]}» stands twice; each needs a name of its own")
        return self

    @property
    def root(self) -> Path:
        """Folder of the study file; relative paths start here."""
        return self._root

    def resolve(self, path: str) -> Path:
        """Return `path` as an absolute path, relative ones taken from the study file's folder."""
        return (self._root / Path(path).expanduser()).resolve()

    @property
    def data_dir(self) -> Path:
        """Folder of the tables."""
        return self.resolve(self.paths.data)

    @property
    def models_dir(self) -> Path:
        """Folder of trained models."""
        return self.resolve(self.paths.models)

    @property
    def report_path(self) -> Path:
        """The report's file."""
        return self.resolve(self.paths.report)

    @property
    def stance_encoder(self) -> str:
        """Name of the encoder that is fine-tuned."""
        return self.stance.encoder or self.encoder.name

    def digest(self, setting: str) -> str:
        """Return a digest of a section, or of one of its keys (`study.seed`, `targets.aliases`).

        A stage names the settings it depends on, so that a corrected title does not train a model again. Keys in `_APART` are
        no part of their section's digest: what depends on them names them.
        """
        section, _, key = setting.partition(".")
        content = self.model_dump(mode="json")[section]
        if key:
            content = [item[key] for item in content] if isinstance(content, list | tuple) else content[key]
        elif section in _APART:
            content = {name: value for name, value in content.items() if name not in _APART[section]}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def load_study(path: Path) -> Study:
    """Read and validate a study file.

    Raises
    ------
    ConfigError : the file is missing, is no TOML, or has unknown keys or wrong values; all are listed at once.
    """
    if path.is_dir():
        path = path / STUDY_FILE
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"no study file at {path}", remedy="run `nlp-study init` to write one, or name one with --study PATH"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start})", remedy="save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", remedy="mend that line; strings need quotes") from None
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}", remedy="check the path and its permissions"
        ) from None
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        lines = [_explain(dict(problem), content) for problem in error.errors()]
        raise ConfigError(
            f"{path} has {len(lines)} problem{'s' if len(lines) > 1 else ''}:\n  " + "\n  ".join(lines),
            remedy="mend these keys; `nlp-study init --stdout` prints a commented study file with every key",
        ) from None
    study._root = path.resolve().parent
    return study


def valid_keys(location: tuple[Any, ...]) -> list[str]:
    """Return the keys that a section knows, for suggestions and for the test of the documentation."""
    model: type[BaseModel] = Study
    for part in location:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(str(part))
        if field is None:
            return []
        inner = field.annotation
        for candidate in (inner, *getattr(inner, "__args__", ())):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                model = candidate
                break
        else:
            return []
    return list(model.model_fields)


def _explain(problem: dict[str, Any], content: dict[str, Any]) -> str:
    location = tuple(problem["loc"])
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".") or "the file"
    kind, context, found = problem["type"], problem.get("ctx", {}), problem.get("input")
    if kind == "missing":
        return f"{key}: missing; add it"
    if kind == "extra_forbidden":
        known = valid_keys(location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean «{near[0]}»?" if near else f"known keys: {', '.join(known)}"
        return f"{key} = {_show(found)}: unknown key; {hint}"
    message = str(context["error"]) if kind == "value_error" and "error" in context else problem["msg"]
    if kind == "string_pattern_mismatch":
        message = "use lower-case letters, digits and hyphens, starting with a letter or digit"
    message = re.sub(r"^Input should be", "should be", message)
    shown = "" if kind == "value_error" and isinstance(found, dict) else f" = {_show(found)}"
    return f"{key}{shown}: {message}"


def _show(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
