"""Sentences of a post as character spans; and the runs of them around each mention of a target."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nlp_study.stance.pairs import names_target

MAX_RUN_WORDS = 100
"""A run of sentences is closed before it would pass this: longer ones dilute what is said of the target."""

_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|\n+")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-Za-z]|dr|drs|dra|ir|prof|hj|st|sr|jr|jl|jln|no|hlm|tgl|kab|kec|kel|gg|rp|mr|mrs|ms|dll|dsb|dst|a\.n|s\.d|d\.a|"
    r"s\.h|s\.e|m\.si|ph\.d|cv|pt|tbk|vs|ust|kh|h|bpk|yth)$",
    re.IGNORECASE,
)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Return the spans of the sentences, without the white space around them.

    A sentence ends at a full stop, question or exclamation mark before white space, or at a line break. A full stop behind
    an abbreviation (dr., Jl., an initial) ends none; an ellipsis does.
    """
    spans, start = [], 0
    for match in _END.finditer(text):
        mark = match.group()
        if mark.rstrip("\"'”’)]") == "." and _ABBREVIATION.search(text, max(start, match.start() - 12), match.start()):
            continue
        spans.append((start, match.end() if mark.strip() else match.start()))
        start = match.end()
    spans.append((start, len(text)))
    return [span for span in (_strip(text, low, high) for low, high in spans) if span[1] > span[0]]


def target_runs(
    text: str, sentences: Sequence[tuple[int, int]], names: Sequence[str], *, start: int = 0
) -> list[tuple[int, int]]:
    """Return runs of neighbouring sentences that name the target, each with the sentence before and behind.

    Parameters
    ----------
    sentences : spans as `split_sentences` returns them.
    names : the target's name, aliases and whatever else stands for it.
    start : sentences that begin before this character (the title) are left out.
    """
    named = [low for low, _ in names_target(text, names)]
    body = [span for span in sentences if span[0] >= start]
    hit = [any(low <= at < high for at in named) for low, high in body] if named else [False] * len(body)
    runs: list[tuple[int, int]] = []
    last, words = -2, 0
    for i, (low, high) in enumerate(body):
        if not any(hit[max(0, i - 1) : i + 2]):
            continue
        n_words = len(text[low:high].split())
        if i == last + 1 and words + n_words <= MAX_RUN_WORDS:
            runs[-1], words = (runs[-1][0], high), words + n_words
        else:
            runs.append((low, high))
            words = n_words
        last = i
    return runs


def _strip(text: str, low: int, high: int) -> tuple[int, int]:
    while low < high and text[low].isspace():
        low += 1
    while high > low and text[high - 1].isspace():
        high -= 1
    return low, high
