"""`parse_cql(text) -> Query`: the documented subset of CQL (docs/concordance.md) as a tree.

```
query     = branches [ "within" ( "s" | "<s/>" ) ]
branches  = items { "|" items }
items     = item { item }
item      = ( token | "(" branches ")" ) [ "?" | "*" | "+" | "{" n "}" | "{" [n] "," [m] "}" ]
token     = "[" [ condition ] "]" | string | word | attribute ":" ( word | string )
condition = terms { "|" terms };  terms = term { "&" term };  term = [ "!" ] ( "(" condition ")" | comparison )
comparison = attribute ( "=" | "!=" | "==" ) string [ "%c" ]
```
CQL is the query language of the IMS Open Corpus Workbench (Christ 1994, cmp-lg/9408005) and of Sketch Engine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

from nlp_study.errors import StudyError

ATTRIBUTES = {
    "form": "the token as written",
    "lower": "the form in lower case",
    "root": "the root word, affixes stripped",
    "lemma": "the parser's lemma",
    "upos": "word class: NOUN, VERB, ADJ, ...",
    "feats": "morphological features, such as Voice=Pass",
    "deprel": "relation to the head: nsubj, obj, amod, ...",
    "ent": "named entity: B-PER, I-PER, ..., empty outside",
    "space": "yes where white space follows, no where not",
}
"""What a condition may name, with its meaning."""
MAX_REPEAT = 100
"""Repetitions that `*`, `+` and `{n,}` stand for at most; longer runs are no concordance line."""
MAX_LENGTH = 2_000
"""Characters of a query."""
_MAX_DEPTH = 30
_CLITICS = ("nya", "lah", "kah", "tah", "pun", "ku", "mu")
_LEAST_HOST = 3
"""Letters before a clitic: *hanya*, *punya*, *tanya* are words of their own."""

_WORD = re.compile(r"[^\s\[\](){}|\"!&=<>?+:]+")
_WITHIN = re.compile(r"within(?=\s+(?:s|<s/?>)\s*\Z|\s*\Z|\s+<)")
"""As the first word it is a word like any other."""
_NAME = re.compile(r"[A-Za-z_]+")
_NUMBER = re.compile(r"\d{1,9}")
_SPECIAL = re.compile(r"[\\.^$|?*+()\[\]{}]")


class CqlError(StudyError):
    """A query that is no CQL; `column` is where, from 1."""

    def __init__(self, problem: str, text: str, at: int, *, remedy: str) -> None:
        self.problem, self.column = problem, at + 1
        shown = text.replace("\n", " ").replace("\t", " ")
        what = f"the query cannot be read at column {at + 1}: {problem}\n    {shown}\n    {' ' * at}^"
        super().__init__(what, remedy=remedy)


# ---- the tree --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Compare:
    """One attribute against a value: a literal, or a regular expression that matches all of it."""

    attribute: str
    value: str
    is_regex: bool = False
    ignore_case: bool = False
    at: int = field(default=0, compare=False)
    """Place of the value in the query, for error messages."""


@dataclass(frozen=True, slots=True)
class Not:
    """What its part is not."""

    part: Condition


@dataclass(frozen=True, slots=True)
class All:
    """All of its parts; none: any token."""

    parts: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of its parts."""

    parts: tuple[Condition, ...]


Condition = Compare | Not | All | Either


@dataclass(frozen=True, slots=True)
class Token:
    """One token that fulfils a condition."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Sequence:
    """One part after the other."""

    parts: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """One of the parts."""

    parts: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part, `least` to `most` times."""

    part: Pattern
    least: int
    most: int


Pattern = Token | Sequence | Branch | Repeat


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query; `within_sentence`: no hit runs over the end of a sentence."""

    text: str
    pattern: Pattern
    within_sentence: bool = False


def shortest(pattern: Pattern) -> int:
    """Return the fewest tokens that a pattern can match."""
    match pattern:
        case Token():
            return 1
        case Sequence(parts):
            return sum(map(shortest, parts))
        case Branch(parts):
            return min(map(shortest, parts))
        case Repeat(part, least, _):
            return least * shortest(part)


def longest(pattern: Pattern) -> int:
    """Return the most tokens that a pattern can match."""
    match pattern:
        case Token():
            return 1
        case Sequence(parts):
            return sum(map(longest, parts))
        case Branch(parts):
            return max(map(longest, parts))
        case Repeat(part, _, most):
            return most * longest(part)


# ---- reading ---------------------------------------------------------------------------------------------------------


def parse_cql(text: str) -> Query:
    """Read a query.

    Raises
    ------
    CqlError : it is no CQL, or outside the subset; the message points at the column.
    """
    reader = _Reader(text)
    if len(text) > MAX_LENGTH:
        reader.fail(f"more than {MAX_LENGTH} characters", MAX_LENGTH, "shorten it, or use a regular expression")
    reader.skip()
    if reader.at == len(text):
        reader.fail("it is empty", 0, 'for example: nlp-study kwic \'[lemma="ekonomi"] [upos="ADJ"]\'')
    pattern = reader.branches(0)
    within = reader.within()
    reader.skip()
    if reader.at < len(text):
        reader.unexpected()
    if shortest(pattern) == 0:
        reader.fail("the whole query may match nothing at all", 0, "let at least one token be obligatory")
    if longest(pattern) > MAX_REPEAT * 10:
        reader.fail(f"it may match more than {MAX_REPEAT * 10} tokens", 0, "lower the numbers in braces")
    return Query(text, pattern, within)


class _Reader:
    """Recursive descent over the text of a query."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def fail(self, problem: str, at: int, remedy: str) -> NoReturn:
        raise CqlError(problem, self.text, at, remedy=remedy)

    def unexpected(self) -> NoReturn:
        if self.at >= len(self.text):
            self.fail("it ends too early", self.at, "close what was opened, or add what is missing")
        self.fail(
            f"«{self.text[self.at]}» does not belong here", self.at, "docs/concordance.md has the syntax with examples"
        )

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def peek(self) -> str:
        self.skip()
        return self.text[self.at : self.at + 1]

    def accept(self, mark: str) -> bool:
        self.skip()
        if self.text.startswith(mark, self.at):
            self.at += len(mark)
            return True
        return False

    def expect(self, mark: str, opened: int) -> None:
        if not self.accept(mark):
            self.skip()
            if self.at >= len(self.text):
                self.fail(f"«{self.text[opened]}» is never closed", opened, f"add the «{mark}»")
            self.fail(
                f"«{self.text[self.at]}» stands where «{mark}» should", self.at, "docs/concordance.md has the syntax"
            )

    # ---- patterns

    def branches(self, depth: int) -> Pattern:
        if depth > _MAX_DEPTH:
            self.fail(f"more than {_MAX_DEPTH} brackets inside one another", self.at, "write it flatter")
        parts = [self.items(depth)]
        while self.accept("|"):
            parts.append(self.items(depth))
        return parts[0] if len(parts) == 1 else Branch(tuple(parts))

    def items(self, depth: int) -> Pattern:
        parts: list[Pattern] = []
        while self.peek() not in ("", "|", ")") and not self._at_within():
            parts.append(self.item(depth))
        if not parts:
            self.unexpected()
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def item(self, depth: int) -> Pattern:
        opened = self.at
        pattern: Pattern
        if self.accept("("):
            pattern = self.branches(depth + 1)
            self.expect(")", opened)
        else:
            pattern = self.token(depth)
        return self.quantified(pattern)

    def quantified(self, pattern: Pattern) -> Pattern:
        opened = self.at
        for mark, (least, most) in {"?": (0, 1), "*": (0, MAX_REPEAT), "+": (1, MAX_REPEAT)}.items():
            if self.accept(mark):
                return Repeat(pattern, least, most)
        if not self.accept("{"):
            return pattern
        self.skip()
        opened = self.at - 1
        first = self.number()
        if self.accept(","):
            last = self.number()
            least, most = first or 0, MAX_REPEAT if last is None else last
        elif first is None:
            self.fail("a number is missing", self.at, "write {2}, {1,3} or {,3}")
        else:
            least = most = first
        self.expect("}", opened)
        if most > MAX_REPEAT or least > MAX_REPEAT:
            self.fail(f"more than {MAX_REPEAT} repetitions", opened, f"{MAX_REPEAT} are the most")
        if least > most or most == 0:
            self.fail(f"{{{least},{most}}} counts nothing", opened, "the first number must not be above the second")
        return Repeat(pattern, least, most)

    def number(self) -> int | None:
        self.skip()
        found = _NUMBER.match(self.text, self.at)
        if not found:
            return None
        self.at = found.end()
        return int(found[0])

    def within(self) -> bool:
        if not self._at_within():
            return False
        self.at += len("within")
        self.skip()
        for name in ("<s/>", "<s>", "s"):
            if self.accept(name):
                return True
        return self.fail("only `within s` is known", self.at, "write: within s")

    def _at_within(self) -> bool:
        self.skip()
        return _WITHIN.match(self.text, self.at) is not None and bool(self.text[: self.at].strip())

    # ---- tokens

    def token(self, depth: int) -> Pattern:
        opened = self.at
        if self.accept("["):
            if self.accept("]"):
                return Token(All())
            condition = self.condition(depth + 1)
            self.expect("]", opened)
            return Token(condition)
        if self.peek() == '"':
            return Token(self.value("form", regex=True))
        found = _WORD.match(self.text, self.at)
        if not found:
            self.unexpected()
        word, name_at = found[0], self.at
        self.at = found.end()
        if self.text.startswith(":", self.at):
            self.check_attribute(word, name_at)
            self.at += 1
            if self.text.startswith('"', self.at):
                return Token(self.value(word, regex=True))
            value = _WORD.match(self.text, self.at)
            if not value:
                self.fail(f"a word is missing after {word}:", self.at, f"for example {word}:dukung")
            self.at = value.end()
            return Token(_make_word(word, value[0], value.start()))
        return _make_words(word, name_at)

    # ---- conditions

    def condition(self, depth: int) -> Condition:
        if depth > _MAX_DEPTH:
            self.fail(f"more than {_MAX_DEPTH} brackets inside one another", self.at, "write it flatter")
        parts = [self.terms(depth)]
        while self.accept("|"):
            parts.append(self.terms(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def terms(self, depth: int) -> Condition:
        parts = [self.term(depth)]
        while self.accept("&"):
            parts.append(self.term(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def term(self, depth: int) -> Condition:
        negated = False
        while self.accept("!"):
            negated = not negated
        opened = self.at
        if self.accept("("):
            part = self.condition(depth + 1)
            self.expect(")", opened)
        else:
            part = self.comparison()
        return Not(part) if negated else part

    def comparison(self) -> Condition:
        self.skip()
        found = _NAME.match(self.text, self.at)
        if not found:
            if self.peek() == '"':
                return self.value("form", regex=True)
            self.unexpected()
        name, name_at = found[0], self.at
        self.check_attribute(name, name_at)
        self.at = found.end()
        if self.accept("!="):
            return Not(self.value(name, regex=True))
        if self.accept("=="):
            return self.value(name, regex=False)
        if self.accept("="):
            return self.value(name, regex=True)
        return self.fail(f"after {name} comes no comparison", self.at, f'for example {name}="..."')

    def check_attribute(self, name: str, at: int) -> None:
        if name not in ATTRIBUTES:
            self.fail(f"no attribute «{name}»", at, f"attributes are {', '.join(ATTRIBUTES)}")

    def value(self, attribute: str, *, regex: bool) -> Compare:
        """Read a quoted value and its flags; a regular expression without special characters is a literal."""
        self.skip()
        opened = self.at
        if not self.text.startswith('"', opened):
            if opened >= len(self.text):
                self.unexpected()
            self.fail("a value in double quotes should stand here", opened, f'for example {attribute}="ekonomi"')
        self.at, characters = opened + 1, []
        while self.at < len(self.text) and self.text[self.at] != '"':
            if self.text[self.at] == "\\" and self.at + 1 < len(self.text):
                escaped = self.text[self.at : self.at + 2]
                characters.append('"' if escaped == '\\"' else escaped)
                self.at += 2
            else:
                characters.append(self.text[self.at])
                self.at += 1
        if self.at >= len(self.text):
            self.fail("the quotation mark is never closed", opened, "add the second one")
        self.at += 1
        value = "".join(characters)
        ignore_case = self.accept("%c")
        if regex and _SPECIAL.search(value):
            check_regex(value, self.text, opened + 1)
            return Compare(attribute, value, True, ignore_case, opened)
        return Compare(attribute, value, False, ignore_case, opened)


def check_regex(pattern: str, text: str, at: int) -> None:
    """Raise an error at the column where a pattern is no RE2 (https://github.com/google/re2/wiki/Syntax).

    RE2 has no backreferences and looks not around: its time is linear in the text, whatever the pattern.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        pc.match_substring_regex(pa.array([""]), whole_regex(pattern))
    except pa.ArrowInvalid as error:
        reason = str(error).removeprefix("Invalid regular expression: ").splitlines()[0]
        reason = reason.removesuffix(f": {whole_regex(pattern)}")
        raise CqlError(
            f"no regular expression (RE2): {reason}",
            text,
            at,
            remedy="mend it; a literal dot or bracket needs a backslash, or use == for no regular expression",
        ) from None


def whole_regex(pattern: str, *, ignore_case: bool = False) -> str:
    """Return a pattern that matches whole values only."""
    return rf"{'(?i)' if ignore_case else ''}\A(?:{pattern})\z"


def _make_word(attribute: str, word: str, at: int) -> Compare:
    """Make the comparison of a bare word, in which `*` stands for any characters."""
    value = word.lower() if attribute in ("lower", "root") else word
    if "*" not in value:
        return Compare(attribute, value, at=at)
    return Compare(attribute, ".*".join(re.escape(part) for part in value.split("*")), True, at=at)


def _make_words(word: str, at: int) -> Pattern:
    """Make the pattern of a bare word: the word itself, or its host and a clitic, which are tokens of their own."""
    whole = Token(_make_word("lower", word, at))
    lower = word.lower()
    for clitic in _CLITICS:
        host = lower.removesuffix(clitic)
        if host != lower and len(host) >= _LEAST_HOST and host.isalpha():
            joined = All((_make_word("lower", host, at), Compare("space", "no", at=at)))
            return Branch((whole, Sequence((Token(joined), Token(Compare("lower", clitic, at=at))))))
    return whole
