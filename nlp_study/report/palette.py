"""Colours of the page and its charts in both schemes, and the marks that tell stances apart without colour.

Stances keep blue and vermilion (Okabe & Ito 2008) for the two poles, which the common colour-vision deficiencies leave
distinct, and greys of clearly different lightness for the rest; each also has a symbol and a dash of its own.
Text colours reach a contrast of 4.5 on the paper, marks reach 3 (WCAG 2.2, AA); a test computes both.
"""

from __future__ import annotations

from dataclasses import dataclass

from nlp_study.schema import Stance

LIGHT = {
    "paper": "#fcfbf8",
    "raised": "#f3f0e9",
    "ink": "#1d1b18",
    "muted": "#5d5850",
    "rule": "#dcd6ca",
    "strong-rule": "#1d1b18",
    "link": "#1a4f80",
    "accent": "#2f5d62",
    "heat": "#86b9be",
    "favor": "#1f6aa5",
    "against": "#bb4a17",
    "neutral": "#6a645b",
    "irrelevant": "#948d81",
    "on-favor": "#ffffff",
    "on-against": "#ffffff",
    "on-neutral": "#ffffff",
    "on-irrelevant": "#16140f",
}
DARK = {
    "paper": "#15171a",
    "raised": "#1f2226",
    "ink": "#ebe7df",
    "muted": "#aaa49a",
    "rule": "#34383d",
    "strong-rule": "#8d877d",
    "link": "#8fc1ec",
    "accent": "#86bcc2",
    "heat": "#2c666d",
    "favor": "#6cb0e8",
    "against": "#f0905f",
    "neutral": "#bcb5a9",
    "irrelevant": "#78736a",
    "on-favor": "#0d1116",
    "on-against": "#160d08",
    "on-neutral": "#12110f",
    "on-irrelevant": "#ffffff",
}


@dataclass(frozen=True, slots=True)
class StanceMark:
    """How a stance is drawn: Vega's symbol, its dash, and the same symbol as an SVG path in a box of 12 by 12."""

    symbol: str
    dash: tuple[int, ...]
    path: str


STANCE_MARKS = {
    Stance.FAVOR: StanceMark("circle", (1, 0), "M6 1a5 5 0 1 0 0 10a5 5 0 1 0 0-10z"),
    Stance.AGAINST: StanceMark("square", (7, 3), "M1.5 1.5h9v9h-9z"),
    Stance.NEUTRAL: StanceMark("triangle-up", (2, 2), "M6 1L11.5 10.8H.5z"),
    Stance.IRRELEVANT: StanceMark("diamond", (7, 2, 2, 2), "M6 .4L11.6 6L6 11.6L.4 6z"),
}


def contrast(first: str, second: str) -> float:
    """Return the WCAG contrast ratio of two `#rrggbb` colours, from 1 to 21."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
