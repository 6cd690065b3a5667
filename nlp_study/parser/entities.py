"""Named entities: `read_entities(path)` reads the two news corpora in one scheme of persons, organisations and places."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nlp_study.errors import DataError

LABELS = ("PER", "ORG", "LOC")
_NAMES = {"PERSON": "PER", "ORGANISATION": "ORG", "PLACE": "LOC"}
"""NERGrit's names of the labels. It marks a place inside an address as idner-news-2k does; what else differs between the
guidelines is left to the corpus tag that the teacher reads."""
_NO_SPACE_BEFORE = frozenset(".,;:!?)]}%”’")
_NO_SPACE_BEHIND = frozenset("([{“‘")


@dataclass(frozen=True, slots=True)
class TaggedSentence:
    """Tokens with tags `O`, `B-PER`, `I-PER` …; `spaces[i]` says whether a space follows token i."""

    tokens: tuple[str, ...]
    spaces: tuple[bool, ...]
    tags: tuple[str, ...]


def read_entities(path: Path) -> list[TaggedSentence]:
    """Read a file with one token a line, its tag last, and empty lines between sentences.

    The corpora do not say where spaces stood; they are put back by the rules of punctuation.

    Raises
    ------
    DataError : the file is missing, or a tag is none of the known ones.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(
            f"{path} is missing", remedy="put the corpora into ../shared/data/ner, or give --data"
        ) from None
    found: list[TaggedSentence] = []
    tokens, tags = list[str](), list[str]()
    for number, line in enumerate([*lines, ""], start=1):
        columns = line.split()
        if not columns:
            if tokens:
                found.append(TaggedSentence(tuple(tokens), place_spaces(tokens), tuple(tags)))
            tokens, tags = [], []
            continue
        prefix, _, label = columns[-1].partition("-")
        label = _NAMES.get(label, label)
        if prefix not in ("O", "B", "I") or (label and label not in LABELS):
            raise DataError(
                f"{path}, line {number}: unknown tag {columns[-1]}", remedy=f"known are {', '.join(LABELS)}"
            )
        tokens.append(columns[0])
        tags.append(f"{prefix}-{label}" if label else "O")
    return found


def place_spaces(tokens: list[str]) -> tuple[bool, ...]:
    """Say after which tokens a space stands, by the rules of punctuation; quotation marks alternate."""
    spaces, quoted = [], False
    for i, token in enumerate(tokens):
        following = tokens[i + 1] if i + 1 < len(tokens) else ""
        if token in ('"', "``", "''"):
            quoted = not quoted
            spaces.append(not quoted and following not in _NO_SPACE_BEFORE and following != "")
            continue
        closes = following in ('"', "``", "''") and quoted
        spaces.append(not (following in _NO_SPACE_BEFORE or token in _NO_SPACE_BEHIND or closes or following == ""))
    return tuple(spaces)
