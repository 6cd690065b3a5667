"""`write_report(study, corpus, path)`: one HTML file with everything in it, and beside it a page for each topic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nlp_study.metrics import BASELINES
from nlp_study.report import annotator_tables, corrected_charts, tables, word_charts
from nlp_study.report.content import ReportContent, gather_content
from nlp_study.report.figures import make_figures, make_rows, target_name, unstable_note
from nlp_study.report.numbers import LANGUAGES, Language
from nlp_study.report.paper import compose_methods
from nlp_study.report.shell import Edition, render_page
from nlp_study.report.texts import Texts
from nlp_study.report.themes import N_CHARTED
from nlp_study.report.topic_pages import write_topic_pages

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus

SECTIONS = (
    "data",
    "trends",
    "topics",
    "topic_stances",
    "quotations",
    "words",
    "evidence",
    "quality",
    "methods",
    "provenance",
)
"""Sections of the page in their order."""


def write_report(study: Study, corpus: Corpus, path: Path) -> dict[str, int]:
    """Write the report and return how large it is and how many charts it holds in each language.

    The file opens offline and asks no host for anything: people who review a study keep it, mail it and print it. The
    pages of the topics lie in a folder beside it, named after it.

    Parameters
    ----------
    path : the HTML file; replaced atomically.

    Raises
    ------
    DataError : a table is damaged.
    StoreError : the file cannot be written; the old one is untouched.
    """
    from nlp_study.store import write_file

    content = gather_content(study, corpus)
    topic_pages = write_topic_pages(content, corpus, path)
    editions = [_make_edition(content, language) for language in LANGUAGES]
    page = render_page(
        "edition.html.j2",
        editions,
        study,
        rows=make_rows(content, [edition.t for edition in editions]),
        content=content,
        tables=tables,
        estimates=corrected_charts,
        unstable_note=unstable_note,
        papers={edition.language: compose_methods(content, edition.t) for edition in editions},
        tables_of_words=word_charts,
        tables_of_annotators=annotator_tables,
        baselines=BASELINES,
        n_charted=N_CHARTED,
        topic_pages=topic_pages,
    )
    write_file(path, page)
    return {
        "n_bytes": len(page.encode("utf-8")),
        "n_charts": len(editions[0].figures),
        "n_topic_pages": len(topic_pages),
    }


def _make_edition(content: ReportContent, language: Language) -> Edition:
    t = Texts(language)
    settings = content.study.study
    return Edition(
        language=language,
        t=t,
        title=t.pick(settings.title_id, settings.title_en),
        figures=make_figures(content, t),
        target_names=[target_name(target, t) for target in content.targets],
        names_by_target={target.target.id: target_name(target, t) for target in content.targets},
        sections=SECTIONS,
    )
