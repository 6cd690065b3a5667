"""`read_conllu(path) -> list[Sentence]`: treebanks in CoNLL-U, with the surface text of every word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlp_study.errors import DataError

MISSING = "_"
N_COLUMNS = 10


@dataclass(frozen=True, slots=True)
class Word:
    """A syntactic word.

    `form` is the word's own stretch of the sentence's text, so that forms and spaces give the text back; `head` counts
    words from 1, 0 is the root. A column that the treebank leaves open is the empty string.
    """

    form: str
    lemma: str
    upos: str
    xpos: str
    feats: str
    head: int
    deprel: str
    space_after: bool


@dataclass(frozen=True, slots=True)
class Sentence:
    """The words of a sentence, in the order of the text."""

    sent_id: str
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        """The sentence as it stands in a text, without the space behind it."""
        return "".join(word.form + (" " if word.space_after else "") for word in self.words).rstrip(" ")


def read_conllu(path: Path) -> list[Sentence]:
    """Read a treebank.

    A multiword token (`bukunya` = `buku` + `nya`) is given back as its words, and each gets its stretch of the token:
    the UD rule that forms need not be substrings is not needed for Indonesian, where clitics are written as they are. A
    word whose form differs from the text (a misspelling that the annotators mended) takes what the others leave.

    Raises
    ------
    DataError : the file is missing, a line has not ten columns, or a head points outside its sentence.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(
            f"{path} is missing", remedy="put the treebanks into ../shared/data/ud, or give --data"
        ) from None
    found = []
    for sent_id, rows in _split_sentences(path, lines):
        words = tuple(_read_words(rows))
        for number, word in enumerate(words, start=1):
            if not 0 <= word.head <= len(words) or word.head == number:
                raise DataError(f"{path}: {sent_id} word {number} has head {word.head}", remedy="mend the treebank")
        found.append(Sentence(sent_id, words))
    return found


def _split_sentences(path: Path, lines: Sequence[str]) -> Iterator[tuple[str, list[list[str]]]]:
    sent_id, rows = "", list[list[str]]()
    for number, line in enumerate([*lines, ""], start=1):
        if line.startswith("# sent_id ="):
            sent_id = line.partition("=")[2].strip()
        elif not line.strip():
            if rows:
                yield sent_id, rows
            sent_id, rows = "", []
        elif not line.startswith("#"):
            columns = line.split("\t")
            if len(columns) != N_COLUMNS:
                raise DataError(
                    f"{path}, line {number}: {len(columns)} columns instead of {N_COLUMNS}",
                    remedy="CoNLL-U separates ten columns by tabs",
                )
            if "." not in columns[0]:  # empty nodes belong to the enhanced graph
                rows.append(columns)


def _read_words(rows: list[list[str]]) -> Iterator[Word]:
    inside: list[tuple[str, bool]] = []
    for i, columns in enumerate(rows):
        space_after = "SpaceAfter=No" not in columns[9]
        if "-" in columns[0]:
            first, last = (int(number) for number in columns[0].split("-"))
            n_words = last - first + 1
            forms = split_surface(columns[1], [row[1] for row in rows[i + 1 : i + 1 + n_words]])
            inside = [(form, False) for form in forms[:-1]] + [(forms[-1], space_after)]
            continue
        form, space_after = inside.pop(0) if inside else (columns[1], space_after)
        lemma, upos, xpos, feats = ("" if value == MISSING else value for value in columns[2:6])
        if columns[1] == MISSING:
            lemma, upos = MISSING, columns[3]
        yield Word(form, lemma, upos, xpos, feats, int(columns[6]), columns[7], space_after)


def split_surface(surface: str, forms: Sequence[str]) -> list[str]:
    """Cut a token into as many pieces as it has words, at the places where the words' forms say so.

    Parameters
    ----------
    surface : the token as written.
    forms : the words' own forms; joined they are usually the token.

    Returns
    -------
    shape (len(forms),); joined they are `surface`, and none is empty if the token has enough letters.
    """
    if len(forms) == 1:
        return [surface]
    if surface.lower().endswith(forms[-1].lower()) and len(surface) > len(forms[-1]):
        cut = len(surface) - len(forms[-1])
        return [*split_surface(surface[:cut], forms[:-1]), surface[cut:]]
    cut = min(len(forms[0]), len(surface) - len(forms) + 1)
    return [surface[:cut], *split_surface(surface[cut:], forms[1:])]
