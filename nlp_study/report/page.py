"""`write_report(study, corpus, path)`: one HTML file with everything in it."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.metrics import BASELINES
from nlp_study.report import tables
from nlp_study.report.content import ReportContent, gather_content
from nlp_study.report.figures import Figure, make_figures, make_rows, target_name
from nlp_study.report.numbers import LANGUAGES, Language, vega_locale
from nlp_study.report.palette import DARK, LIGHT, STANCE_MARKS
from nlp_study.report.texts import Texts
from nlp_study.report.themes import N_CHARTED

if TYPE_CHECKING:
    from jinja2 import Environment

    from nlp_study.config import Study
    from nlp_study.store import Corpus

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Edition:
    """The page in one language."""

    language: Language
    t: Texts
    figures: dict[str, Figure]
    title: str
    target_names: list[str]
    names_by_target: dict[str, str]


def write_report(study: Study, corpus: Corpus, path: Path) -> dict[str, int]:
    """Write the report and return how large it is and how many charts it holds in each language.

    The file opens offline and asks no host for anything: people who review a study keep it, mail it and print it.

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
    editions = [_make_edition(content, language) for language in LANGUAGES]
    page = _render(content, editions)
    write_file(path, page)
    return {"n_bytes": len(page.encode("utf-8")), "n_charts": len(editions[0].figures)}


def _make_edition(content: ReportContent, language: Language) -> Edition:
    t = Texts(language)
    settings = content.study.study
    return Edition(
        language=language,
        t=t,
        figures=make_figures(content, t),
        title=t.pick(settings.title_id, settings.title_en),
        target_names=[target_name(target, t) for target in content.targets],
        names_by_target={target.target.id: target_name(target, t) for target in content.targets},
    )


def _render(content: ReportContent, editions: list[Edition]) -> str:
    from nlp_study import __version__

    opened = content.study.study.language
    charts = {
        "rows": make_rows(content, [edition.t for edition in editions]),
        "editions": {edition.language: _chart_payload(edition) for edition in editions},
        "locales": {edition.language: vega_locale(edition.language) for edition in editions},
        "palettes": {"light": LIGHT, "dark": DARK},
        "study": content.study.study.name,
    }
    # the edition that opens comes first, so that it is also the one a reader without styles meets
    ordered = sorted(editions, key=lambda edition: edition.language != opened)
    bundle = vega_bundle() if any(edition.figures for edition in editions) else ""
    guard, script = _read_template("guard.js"), _read_template("report.js")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            content=content,
            study=content.study,
            editions=ordered,
            opened=opened,
            tables=tables,
            stance_marks=STANCE_MARKS,
            baselines=BASELINES,
            n_charted=N_CHARTED,
            palettes={"light": LIGHT, "dark": DARK},
            version=__version__,
            charts_json=script_json(charts),
            styles=_read_template("report.css"),
            guard=guard,
            script=script,
            bundle=bundle,
            script_sources=" ".join(_source_hash(text) for text in (guard, bundle, script) if text),
        )
    )


def _chart_payload(edition: Edition) -> dict[str, Any]:
    return {
        figure.id: {"title": figure.title, "description": figure.description, "spec": figure.spec}
        for figure in edition.figures.values()
    }


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _read_template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _source_hash(script: str) -> str:
    """Return what the page's security policy calls this script; any other script on the page is refused."""
    return f"'sha256-{b64encode(sha256(script.encode('utf-8')).digest()).decode('ascii')}'"


def script_json(value: object) -> str:
    """Return JSON that can stand inside `<script>`: no text in it can end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


@cache
def vega_bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script, about 0.9 MB.

    Source: the bundle inside `vl-convert-python`, so that the page and rendered images come from the same versions.
    """
    import vl_convert

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
