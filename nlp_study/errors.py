"""Errors a user can act on: what went wrong, and what to do next."""

from __future__ import annotations


class StudyError(Exception):
    """An error with a remedy; the command line prints both and exits with code 1.

    Parameters
    ----------
    what : what went wrong, naming the file, key, value or id.
    remedy : what the user can do about it.
    """

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  → {self.remedy}" if self.remedy else self.what


class ConfigError(StudyError):
    """`study.toml` is missing, cannot be read, or holds a wrong key or value."""


class DataError(StudyError):
    """An input file or a table is missing, damaged, or lacks what a stage needs."""


class ModelError(StudyError):
    """A model or tokenizer cannot be loaded, or does not fit the study."""


class StoreError(StudyError):
    """A table could not be written; the old one is still in place."""


class LeakageError(StudyError):
    """The same author or text stands on both sides of a split."""
