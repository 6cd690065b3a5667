"""The datasheet of an exported set (Gebru et al. 2021, Communications of the ACM 64(12)), filled with the study's numbers.

What only people know (funding, review by an ethics board) is asked in the sheet and left open, never guessed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study import __version__
from nlp_study.agreement import measure_agreement
from nlp_study.labels import ADJUDICATED
from nlp_study.schema import TableName
from nlp_study.store import digest_file

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.store import Corpus

NOT_STATED = "not stated"
OPEN = "*To be answered by the study's authors.*"


@dataclass(frozen=True)
class SetFacts:
    """What the datasheet says of a set; counts are of the exported tables."""

    name: str
    title: str
    question: str
    targets: tuple[str, ...]
    stances: tuple[str, ...]
    licence: str
    source_licences: tuple[str, ...]
    n_posts: int
    n_authors: int
    first_day: str
    last_day: str
    n_repeats: int
    median_words: int
    languages: dict[str, int]
    labels: dict[str, int]
    """Labelled posts by stance, annotators pooled."""
    n_label_rows: int
    n_labelled: int
    n_annotators: int
    n_with_proba: int
    guidelines: tuple[str, ...]
    alpha: tuple[float, float, float] | None
    predictions: dict[str, int]
    model: str
    macro_f1: float | None
    n_topics: int
    sources: dict[str, int]
    with_addresses: bool


def describe_set(study: Study, corpus: Corpus, tables: dict[str, pa.Table], *, licence: str = "") -> SetFacts:
    """Collect the facts of a set.

    Parameters
    ----------
    tables : as `make_dehydrated` returns them.
    licence : of the set; empty: that of the labels where all files state the same one.
    """
    posts = tables["posts"].to_pylist()
    days = sorted(str(row["published_on"]) for row in posts if row["published_on"])
    words = sorted(row["n_words"] or 0 for row in posts)
    labels = tables["labels"].to_pylist() if "labels" in tables else []
    stated = {entry.licence or NOT_STATED for entry in study.labels}
    agreement = measure_agreement(labels, seed=study.study.seed) if labels else None
    record = corpus.record(TableName.POSTS)
    duplicates = tables["duplicates"].to_pylist() if "duplicates" in tables else []
    predictions = tables["predictions"].to_pylist() if "predictions" in tables else []
    return SetFacts(
        name=study.study.name,
        title=study.study.title_en,
        question=study.study.question_en,
        targets=tuple(target.name_en or target.name for target in study.targets),
        stances=tuple(str(stance) for stance in study.study.stances),
        licence=licence or (stated.pop() if len(stated) == 1 else NOT_STATED),
        source_licences=tuple(f"{source.name}: {source.licence or NOT_STATED}" for source in study.sources),
        n_posts=len(posts),
        n_authors=len({row["author_id"] for row in posts} - {None}),
        first_day=days[0] if days else "",
        last_day=days[-1] if days else "",
        n_repeats=sum(not row["is_first"] for row in duplicates),
        median_words=words[len(words) // 2] if words else 0,
        languages=dict(Counter(row["language"] or "unknown" for row in posts).most_common()),
        labels=dict(Counter(stance for _, stance in {(r["post_id"], r["stance"]) for r in labels}).most_common()),
        n_label_rows=len(labels),
        n_labelled=len({row["post_id"] for row in labels}),
        n_annotators=len({row["annotator"] for row in labels} - {ADJUDICATED}),
        n_with_proba=len({r["post_id"] for r in labels if r["sampling_proba"] is not None and r["sampling_proba"] < 1}),
        guidelines=tuple(sorted({row["guideline"] for row in labels if row["guideline"]})),
        alpha=(agreement.alpha, agreement.low, agreement.high) if agreement and agreement.n_pairs else None,
        predictions=dict(Counter(row["stance"] for row in predictions).most_common()),
        model=predictions[0]["model_id"] if predictions else "",
        macro_f1=_macro_f1(tables, study),
        n_topics=sum(row["topic_id"] >= 0 for row in tables["topics"].to_pylist()) if "topics" in tables else 0,
        sources={name: found["posts"] for name, found in (record.counts.get("sources", {}) if record else {}).items()},
        with_addresses="address" in tables["posts"].column_names,
    )


def _macro_f1(tables: dict[str, pa.Table], study: Study) -> float | None:
    from nlp_study.metrics import BASELINES, score_evaluations

    if "evaluations" not in tables or not tables["evaluations"].num_rows:
        return None
    scores = score_evaluations(tables["evaluations"], [str(stance) for stance in study.study.stances])
    return next((score.macro_f1 for score in scores if score.model not in BASELINES), None)


def write_datasheet(facts: SetFacts) -> str:
    """Return the datasheet as Markdown."""
    sections = [
        ("Motivation", _motivation(facts)),
        ("Composition", _composition(facts)),
        ("Collection process", _collection(facts)),
        ("Preprocessing, cleaning, labelling", _labelling(facts)),
        ("Uses", _uses(facts)),
        ("Distribution", _distribution(facts)),
        ("Maintenance", _maintenance()),
    ]
    body = "\n".join(
        f"## {title}\n\n" + "\n".join(f"**{question}** {answer}\n" for question, answer in answers)
        for title, answers in sections
    )
    return (
        f"# Datasheet: {facts.title}\n\nQuestions after Gebru et al. (2021), *Datasheets for datasets*; numbers by nlp-study "
        f"{__version__}.\n\n{body}"
    )


def _motivation(facts: SetFacts) -> list[tuple[str, str]]:
    return [
        ("For what purpose was the set made?", facts.question or f"To study stance toward {', '.join(facts.targets)}."),
        ("Who made it, and who paid for it?", OPEN),
    ]


def _composition(facts: SetFacts) -> list[tuple[str, str]]:
    undated = "" if facts.first_day else " None of them has a date."
    span = f", published {facts.first_day} to {facts.last_day}" if facts.first_day else ""
    private = (
        "Yes: an id leads to a post and so to its author, and the addresses hold accounts."
        if facts.with_addresses
        else "Yes, with effort: an id leads to a post on the site, and so to its author. Names and accounts are not in the "
        "set; authors are pseudonyms, made with a key that stays with the study."
    )
    return [
        ("What do the instances stand for?", "Opinion posts, one article by one author, without their texts."),
        (
            "How many are there?",
            f"{facts.n_posts:,} posts by {facts.n_authors:,} authors{span}.{undated} Median length {facts.median_words:,} "
            f"words. Languages: {_list(facts.languages)}. {facts.n_repeats:,} repeat an earlier post and are marked.",
        ),
        ("Is it a sample?", "Of what the sources held: " + (_list(facts.sources) or NOT_STATED) + f". {OPEN}"),
        (
            "Is there a label?",
            f"{facts.n_labelled:,} posts have a human label ({facts.n_label_rows:,} labels; posts with each: "
            f"{_list(facts.labels)}); {sum(facts.predictions.values()):,} pairs have a predicted one "
            f"({_list(facts.predictions)}), with probabilities.",
        ),
        ("Is anything missing?", "Texts, titles, tags, captions, names, accounts, biographies: left out on purpose."),
        (
            "Are there errors or redundancies?",
            "Predictions are wrong in part: "
            + (f"macro-F1 {facts.macro_f1:.3f} on held-out authors" if facts.macro_f1 is not None else "not measured")
            + ". Reposts are in the table duplicates.",
        ),
        ("Does it rely on external resources?", "Yes: the posts must be fetched from the site; some will be gone."),
        ("Can people be identified?", private),
        (
            "Is there sensitive data?",
            "A stance toward a public matter, predicted or labelled. It holds of a post, is wrong in part, and is nobody's "
            "opinion on file.",
        ),
    ]


def _collection(facts: SetFacts) -> list[tuple[str, str]]:
    return [
        ("How was it collected?", f"From these sources: {_list(facts.sources) or NOT_STATED}. {OPEN}"),
        ("Was there an ethical review? Were authors told, did they consent?", OPEN),
        (
            "Can an author be removed?",
            "Yes, by `nlp-study forget`; whoever holds a copy is asked to delete the post as well.",
        ),
    ]


def _labelling(facts: SetFacts) -> list[tuple[str, str]]:
    if not facts.n_label_rows:
        how = "There are no human labels."
    else:
        alpha = (
            f"Krippendorff's alpha over all who read a post with another: {facts.alpha[0]:.2f} (95 % {facts.alpha[1]:.2f} to "
            f"{facts.alpha[2]:.2f})."
            if facts.alpha and facts.alpha[0] == facts.alpha[0]
            else "No post was read by two."
        )
        how = (
            f"By {facts.n_annotators} annotators, codebook version {', '.join(facts.guidelines) or NOT_STATED}; labels are "
            f"{', '.join(facts.stances)}. {facts.n_with_proba:,} of {facts.n_labelled:,} labelled posts were drawn with a "
            f"recorded probability below 1 (`sampling_proba`). {alpha}"
        )
    return [
        ("How was it labelled?", how),
        (
            "How were predictions made?",
            f"By the model `{facts.model}`; labelled posts by models that never saw their author (`origin`)."
            if facts.model
            else "There are none.",
        ),
        ("Topics?", f"{facts.n_topics} topics found among the posts' segments." if facts.n_topics else "None."),
        ("Is the raw data kept?", "By the study, not in this set."),
    ]


def _uses(facts: SetFacts) -> list[tuple[str, str]]:
    return [
        (
            "What can it be used for?",
            "To check the study, to count again otherwise, to compare classifiers on the same posts.",
        ),
        (
            "What should it not be used for?",
            "To say what a named person thinks, to rank or contact authors, to count predictions without correcting for the "
            "classifier's errors.",
        ),
        (
            "Whom does it not represent?",
            "Whoever does not write on this site; a post is not a voter, and few authors write many posts.",
        ),
    ]


def _distribution(facts: SetFacts) -> list[tuple[str, str]]:
    licences = "; ".join(facts.source_licences) or NOT_STATED
    return [
        ("Under which licence?", f"This set: {facts.licence}. The posts, which are not in it: {licences}."),
        ("Who holds rights in the posts?", "Their authors."),
    ]


def _maintenance() -> list[tuple[str, str]]:
    return [
        ("Who keeps it, and how are they reached?", OPEN),
        ("Will it be updated?", OPEN + " Posts that are forgotten must go from every copy."),
    ]


def write_metadata(facts: SetFacts, folder: Path, tables: Sequence[str]) -> str:
    """Return schema.org metadata (a `Dataset` with its files and their sha256) as JSON-LD, for search engines of data."""
    files = [f"{name}.{suffix}" for name in tables for suffix in ("csv", "parquet")]
    types = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
    content: dict[str, Any] = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "name": facts.name,
        "alternateName": facts.title,
        "description": (
            f"Stance toward {', '.join(facts.targets)} in {facts.n_posts:,} Indonesian opinion posts: ids, labels, "
            "predictions and topics, without texts."
        ),
        "inLanguage": sorted(language for language in facts.languages if language != "unknown"),
        "license": facts.licence,
        "isAccessibleForFree": True,
        "measurementTechnique": "human labels by a codebook; text classification",
        "variableMeasured": [{"@type": "PropertyValue", "name": "stance", "value": list(facts.stances)}],
        "distribution": [
            {
                "@type": "DataDownload",
                "name": name,
                "contentUrl": name,
                "encodingFormat": types[name.rsplit(".", 1)[1]],
                "sha256": digest_file(folder / name),
            }
            for name in files
        ],
    }
    if facts.first_day:
        content["temporalCoverage"] = f"{facts.first_day}/{facts.last_day}"
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _list(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())
