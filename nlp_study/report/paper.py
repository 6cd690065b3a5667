"""Methods text for a paper: sentences with this study's numbers filled in, and the works that they rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nlp_study.report.content import ReportContent
from nlp_study.report.corrected import CorrectedFacts
from nlp_study.report.texts import Texts

if TYPE_CHECKING:
    from markupsafe import Markup

Part = tuple["Markup", tuple[str, ...]]
"""A paragraph and the keys of the works that it cites."""

REFERENCES = {
    "franco": "Franco, C., Little, R. J. A., Louis, T. A., & Slud, E. V. (2019). Comparative study of confidence intervals "
    "for proportions in complex sample surveys. Journal of Survey Statistics and Methodology, 7(3), 334–364.",
    "angelopoulos": "Angelopoulos, A. N., Duchi, J. C., & Zrnic, T. (2023). PPI++: Efficient prediction-powered inference. "
    "arXiv:2311.01453.",
    "sarndal": "Särndal, C.-E., Swensson, B., & Wretman, J. (1992). Model assisted survey sampling. Springer.",
    "rao": "Rao, J. N. K., & Molina, I. (2015). Small area estimation (2nd ed.). Wiley.",
    "durbin": "Durbin, J., & Koopman, S. J. (2012). Time series analysis by state space methods (2nd ed.). Oxford UP.",
    "krippendorff": "Krippendorff, K. (2011). Computing Krippendorff’s alpha-reliability. University of Pennsylvania.",
    "wang": "Wang, L., Yang, N., Huang, X., Yang, L., Majumder, R., & Wei, F. (2024). Multilingual E5 text embeddings. "
    "arXiv:2402.05672.",
    "hennig": "Hennig, C. (2007). Cluster-wise assessment of cluster stability. Computational Statistics & Data Analysis, "
    "52(1), 258–271.",
    "rayson": "Rayson, P., & Garside, R. (2000). Comparing corpora using frequency profiling. Proceedings of the Workshop on "
    "Comparing Corpora, 1–6.",
    "hardie": "Hardie, A. (2014). Log ratio: an informal introduction. CASS, Lancaster University.",
    "rychly": "Rychlý, P. (2008). A lexicographer-friendly association score. Proceedings of RASLAN, 6–9.",
}
"""Works by key, in APA style; they are not translated."""


@dataclass(frozen=True, slots=True)
class PaperText:
    """Paragraphs, and the references that they cite, in alphabetical order."""

    paragraphs: list[Markup]
    references: list[str]


def compose_methods(content: ReportContent, t: Texts) -> PaperText:
    """Return the methods text; a step that the study did not take is left out."""
    corrected = next((facts for facts in content.corrected.values() if facts.is_corrected), None)
    parts = [
        _data(content, t),
        _labels(content, t),
        _classifier(content, t),
        _evaluation(content, t),
        _estimates(corrected, t),
        _trend(corrected, t),
        _topics(content, t),
        _words(content, t),
        _software(content, t),
    ]
    paragraphs = [part[0] for part in parts if part]
    cited = {key for part in parts if part for key in part[1]}
    return PaperText(paragraphs, sorted(REFERENCES[key] for key in cited))


def _data(content: ReportContent, t: Texts) -> Part | None:
    data, f = content.data, t.format
    if not data.n_posts or data.first_day is None:
        return None
    text = t(
        "paper_data",
        posts=t.count("post", data.n_posts),
        authors=t.count("author", data.n_authors),
        words=t.count("word", data.n_words),
        first=f.day(data.first_day),
        last=f.day(data.last_day),
    )
    if data.n_repeated:
        text += " " + t("paper_repeated", posts=t.count("post", data.n_repeated))
    return text, ()


def _labels(content: ReportContent, t: Texts) -> Part | None:
    quality, agreement = content.quality, content.agreement
    if not quality.n_labels:
        return None
    stances = t.join([t.stance(stance).lower() for stance in content.study.study.stances])
    labelled = max((target.n_labelled for target in content.targets), default=0)
    text = t("paper_labels", posts=t.count("post", labelled), stances=stances)
    if agreement and agreement.overall.alpha == agreement.overall.alpha:
        found = agreement.overall
        text += " " + t(
            "paper_alpha",
            pairs=t.count("pair", found.n_pairs),
            alpha=t.format.decimal(found.alpha),
            low=t.format.decimal(found.low),
            high=t.format.decimal(found.high),
        )
    return text, ("krippendorff",) if agreement else ()


def _classifier(content: ReportContent, t: Texts) -> Part | None:
    methods, study = content.methods, content.study
    if not methods.n_predictions:
        return None
    if study.stance.epochs:
        return t("paper_tuned", encoder=study.stance_encoder), ()
    text = t("paper_probe", encoder=study.stance_encoder)
    if study.stance.words:
        text += " " + t("paper_probe_words")
    return text, ("wang",) if "e5" in study.stance_encoder else ()


def _evaluation(content: ReportContent, t: Texts) -> Part | None:
    quality, f = content.quality, t.format
    if not quality.tuned:
        return None
    first = quality.scores[0]
    text = t(
        "paper_evaluation",
        folds=f.integer(quality.n_folds),
        seeds=f.integer(first.n_seeds),
        f1=f.decimal(quality.tuned.macro_f1),
        spread=f.decimal(quality.tuned.macro_f1_spread),
    )
    if quality.best_baseline:
        baseline = quality.best_baseline
        text += " " + t("paper_baseline", name=t.model(baseline.model), f1=f.decimal(baseline.macro_f1))
    if content.reliability:
        text += " " + t("paper_calibration", error=f.decimal(content.reliability.error, 3))
    return text, ()


def _estimates(facts: CorrectedFacts | None, t: Texts) -> Part | None:
    if facts is None:
        return None
    text = t(
        "paper_estimates",
        labels=t.count("label", facts.n_labels),
        power=t.format.decimal(facts.power) if facts.power is not None else t.format.missing,
    )
    return text, ("angelopoulos", "sarndal", "franco", "rao")


def _trend(facts: CorrectedFacts | None, t: Texts) -> Part | None:
    if facts is None or not facts.lines:
        return None
    return t("paper_trend", changes=t.format.integer(len(facts.changes))), ("durbin",)


def _topics(content: ReportContent, t: Texts) -> Part | None:
    topics = content.topics
    if not topics.topics:
        return None
    text = t(
        "paper_topics",
        segments=t.count("segment", topics.n_segments),
        topics=t.count("topic", len(topics.topics)),
        encoder=content.study.encoder.name,
    )
    if topics.n_stable is not None:
        text += " " + t("paper_stability", stable=t.format.integer(topics.n_stable))
    return text, ("hennig",) if topics.n_stable is not None else ()


def _words(content: ReportContent, t: Texts) -> Part | None:
    if content.words is None:
        return None
    text = t("paper_words", tokens=t.format.integer(content.words.n_tokens))
    return text, ("rayson", "hardie", "rychly")


def _software(content: ReportContent, t: Texts) -> Part | None:
    from nlp_study import __version__

    digest = next((run.digest for run in content.runs if run.name == "posts"), "")
    return t(
        "paper_software", version=__version__, seed=content.study.study.seed, digest=digest or t.format.missing
    ), ()
