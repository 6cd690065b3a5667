"""Lemmas as edits of the word's form, so that a classifier can give them to words it never saw."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_REDUPLICATED = re.compile(r"([^\W\d_]+)-\1")


def find_edit(form: str, lemma: str) -> str:
    """Return the edit that makes `lemma` of `form`.

    It says how many letters to cut and which to put in front and behind, whether the case is kept, and whether a doubled
    word is halved first: `menyapu` to `sapu` is `low|-|4:s|0:`.

    Parameters
    ----------
    form, lemma : neither empty.
    """
    keep = lemma != lemma.lower()
    source, goal = form.lower(), lemma.lower()
    halved = _REDUPLICATED.sub(r"\1", source)
    halve = halved != source and "-" not in goal
    if halve:
        source = halved
    match = SequenceMatcher(None, source, goal, autojunk=False).find_longest_match()
    start, length = match.a, match.size
    if length == 0:
        return f"{'keep' if keep else 'low'}|=|{goal}"
    before, after = goal[: match.b], goal[match.b + length :]
    tail = len(source) - start - length
    return f"{'keep' if keep else 'low'}|{'halve' if halve else '-'}|{start}:{before}|{tail}:{after}"


def apply_edit(form: str, edit: str) -> str:
    """Return the lemma that an edit makes of a form; an edit that cuts more than there is leaves the form as it is.

    Parameters
    ----------
    form : the word as written.
    edit : from `find_edit`.
    """
    parts = edit.split("|")
    if parts[1] == "=":
        return parts[2]
    source = _REDUPLICATED.sub(r"\1", form) if parts[1] == "halve" and _REDUPLICATED.search(form) else form
    if parts[1] == "halve" and source == form:
        source = re.sub(r"([^\W\d_]+)-\1", r"\1", form.lower())
    (cut_front, before), (cut_back, after) = (part.split(":", 1) for part in parts[2:])
    kept = source[int(cut_front) : len(source) - int(cut_back)]
    if not kept:
        return form if parts[0] == "keep" else form.lower()
    lemma = before + kept + after
    return lemma if parts[0] == "keep" else lemma.lower()
