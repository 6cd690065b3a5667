"""`write_template(name)`: the commented study file that `nlp-study init` writes."""

from __future__ import annotations

from importlib.resources import files


def write_template(name: str) -> str:
    """Return a commented study file with every key, its default and its meaning.

    Parameters
    ----------
    name : the study's short name.
    """
    text = files("nlp_study").joinpath("study_template.toml").read_text(encoding="utf-8")
    return text.replace("@NAME@", name)
