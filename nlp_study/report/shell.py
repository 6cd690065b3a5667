"""The shell of a page: one HTML file in two languages with its styles, scripts and charts inside."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.report.figures import Figure
from nlp_study.report.numbers import Language, vega_locale
from nlp_study.report.palette import DARK, LIGHT, STANCE_MARKS
from nlp_study.report.texts import Texts

if TYPE_CHECKING:
    from jinja2 import Environment

    from nlp_study.config import Study

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Edition:
    """The page in one language; `sections` are numbered in this order."""

    language: Language
    t: Texts
    title: str
    figures: dict[str, Figure]
    target_names: list[str]
    names_by_target: dict[str, str]
    sections: tuple[str, ...] = ()

    def ordinal(self, section: str) -> int:
        """Return a section's number, from 1."""
        return self.sections.index(section) + 1


def render_page(
    template: str, editions: Sequence[Edition], study: Study, *, rows: Mapping[str, Any], **context: Any
) -> str:
    """Return the page as HTML.

    The file opens offline and asks no host for anything; its security policy names its own scripts and refuses others.

    Parameters
    ----------
    template : what stands in each edition.
    rows : of all charts, by the name that their specifications call them.
    context : what the template reads.
    """
    from nlp_study import __version__

    opened = study.study.language
    charts = {
        "rows": rows,
        "editions": {edition.language: _chart_payload(edition) for edition in editions},
        "locales": {edition.language: vega_locale(edition.language) for edition in editions},
        "palettes": {"light": LIGHT, "dark": DARK},
        "study": study.study.name,
    }
    # the edition that opens comes first, so that it is also the one a reader without styles meets
    ordered = sorted(editions, key=lambda edition: edition.language != opened)
    bundle = vega_bundle() if any(edition.figures for edition in editions) else ""
    guard, script = _read_template("guard.js"), _read_template("report.js")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            template=template,
            study=study,
            editions=ordered,
            opened=opened,
            stance_marks=STANCE_MARKS,
            palettes={"light": LIGHT, "dark": DARK},
            version=__version__,
            charts_json=script_json(charts),
            styles=_read_template("report.css"),
            guard=guard,
            script=script,
            bundle=bundle,
            script_sources=" ".join(_source_hash(text) for text in (guard, bundle, script) if text),
            **context,
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
