"""Names of the evaluation protocols."""

from __future__ import annotations

from enum import StrEnum


class Protocol(StrEnum):
    """How pairs are split. In each of them no author, text or near-duplicate stands on both sides."""

    AUTHOR = "author"
    TARGET = "target"
    TIME = "time"
