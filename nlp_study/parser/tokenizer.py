"""`build_tokenizer(nlp, lexicon)`: words and clitics, with spaCy's own tokenizer, so that `spacy.load` needs no code of ours.

UD splits what Indonesian writes together: `bukunya` is `buku` + `nya`, `tidaklah` is `tidak` + `lah`, `kubaca` is `ku` +
`baca`. Each becomes a token of its own, with no space between. `-nya` is so common and so regular that it is split off
unless the word is known to be whole (`hanya`, `tanya`, `biasanya`); the others end too many plain words (`sekolah`,
`laku`, `ilmu`) and are split off only where the word is known to be split.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nlp_study.parser.conllu import Sentence

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokenizer import Tokenizer

ENCLITICS = ("nya", "lah", "kah", "pun", "tah", "ku", "mu")
PROCLITICS = ("ku", "kau")
MIN_HOST_LETTERS = 3
"""`-nya` after fewer letters is no clitic (`anya`, `punya`); the few hosts that short are in the lexicon."""
MIN_HOST_SEEN = 2

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_OPENING = (
    r"""``|''|[\(\[\{<"'“”‘’«»„¿¡…/\*#~=|•·–—]|\.\.\.+|-(?=[^\W\d_]|$)|[$€£¥](?=\d)|(?:Rp|US\$|S\$|RM)(?=[\d.])"""
)
_CLOSING = r"""``|''|['’]s|[\)\]\}>"'“”‘’«»,:;!?…/\*#~=|•·–—%°]|\.\.+|(?<=[^\W_])-"""
_ABBREVIATION = r"(?:[^\W\d_]\.){2,}|[A-Z]\."
_INFIX = "|".join(
    [
        r"[–—…]|\.\.+",
        r"(?<=\d)-(?=[\d$€£¥])|(?<=[$€£¥])(?=\d)",  # 2015-2016, US$5
        r"""(?<=[^\W\d_])[/,;:!?\(\)\[\]"“”=+](?=[^\W_])|(?<=\d)[/\(\)–](?=[^\W_])""",
        r"(?<=[a-z])\.(?=[A-Z][a-z])",  # a full stop without its space
    ]
)
_URL = r"(?:https?://|www\.)\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"


@dataclass(frozen=True, slots=True)
class CliticLexicon:
    """Which words stay whole though they end like one with a clitic, and how others are split; all in lower case."""

    whole: frozenset[str]
    split: Mapping[str, tuple[str, ...]]
    abbreviations: frozenset[str]


def learn_lexicon(
    sentences: Sequence[Sentence],
    root_words: Iterable[str],
    lemma_table: Mapping[str, str],
    *,
    attested: Collection[str],
) -> CliticLexicon:
    """Read off the treebanks, the list of roots and a lemma table which words hold a clitic.

    What the treebanks do counts first, by majority; then a root that ends like a clitic stays whole (`sekolah`, `tanya`);
    then a form of the lemma table is split if what is left of it is a form of the same lemma (`bacalah`: `baca`). Of what
    follows by rule only what somebody has written is kept: a rule for each possible word made loading six times slower.

    Parameters
    ----------
    sentences : gold sentences, clitics as words of their own.
    root_words : in any case.
    lemma_table : form to lemma.
    attested : words of running text, in lower case.
    """
    roots = {word.strip().lower() for word in root_words if word.strip()}
    seen_whole, seen_split, abbreviations = Counter[str](), Counter[tuple[str, ...]](), set[str]()
    for sentence in sentences:
        for parts in _attached_words(sentence):
            if len(parts) > 1:
                seen_split[parts] += 1
            else:
                seen_whole[parts[0]] += 1
        for word in sentence.words:
            if re.fullmatch(r"[^\W\d_]+\.(?:[^\W\d_]+\.?)*", word.form):
                abbreviations.add(word.form)
    split: dict[str, tuple[str, ...]] = {}
    for parts, n in seen_split.items():
        if n >= seen_whole["".join(parts)]:
            split["".join(parts)] = parts
    for host in _function_hosts(sentences):
        for clitic in ENCLITICS[1:4]:
            form = host + clitic
            if form in attested and form not in seen_whole and form not in roots and form not in split:
                split[form] = (host, clitic)
    whole = {word for word in seen_whole if word.endswith("nya") and word not in split}
    whole |= {word for word in roots if word.endswith("nya") and word not in split}
    known = roots | set(seen_whole) | set(lemma_table)
    for form, lemma in lemma_table.items():
        if form not in attested or form in split or form in roots or form in seen_whole:
            continue
        for clitic in ENCLITICS[1:]:
            host = form.removesuffix(clitic)
            same = host == lemma or lemma_table.get(host) == lemma
            if host != form and len(host) >= MIN_HOST_LETTERS and host in known and same:
                split[form] = (host, clitic)
                break
    return CliticLexicon(frozenset(whole), split, frozenset(abbreviations))


def _function_hosts(sentences: Iterable[Sentence]) -> list[str]:
    """Words that take `-lah`, `-kah` and `-pun` freely: all but nouns and names, if seen twice."""
    seen = Counter(
        word.form.lower()
        for sentence in sentences
        for word in sentence.words
        if word.upos in ("ADJ", "ADP", "ADV", "AUX", "DET", "PART", "PRON", "SCONJ", "VERB")
        and _WORD.fullmatch(word.form)
    )
    return sorted(
        w for w, n in seen.items() if n >= MIN_HOST_SEEN and len(w) >= MIN_HOST_LETTERS and w not in ENCLITICS
    )


def _attached_words(sentence: Sentence) -> Iterable[tuple[str, ...]]:
    """The words of a sentence in lower case; a tuple of several where clitics are attached."""
    run: list[str] = []
    for i, word in enumerate(sentence.words):
        run.append(word.form.lower())
        following = sentence.words[i + 1].form.lower() if i + 1 < len(sentence.words) else ""
        attached = not word.space_after and word.form[-1:].isalpha() and following[:1].isalpha()
        if attached and (following in ENCLITICS or word.form.lower() in PROCLITICS):
            continue
        if all(_WORD.fullmatch(form) for form in run):
            yield tuple(run)
        run = []


def build_tokenizer(nlp: Language, lexicon: CliticLexicon) -> Tokenizer:
    """Return a tokenizer that writes everything it knows into its own file.

    Clitics are a suffix pattern and special cases; special cases are matched letter by letter, so each is there in lower
    case and with a capital.
    """
    from spacy.attrs import ORTH
    from spacy.tokenizer import Tokenizer

    rules: dict[str, list[dict[int, str]]] = {}
    for word in sorted(lexicon.abbreviations):
        rules[word] = [{ORTH: word}]
    for word in sorted(lexicon.whole):
        for form in (word, word.capitalize()):
            rules[form] = [{ORTH: form}]
    for word, parts in sorted(lexicon.split.items()):
        for form in (word, word.capitalize()):
            rules[form] = [{ORTH: piece} for piece in _cut_like(form, parts)]
    nya = rf"(?<=[^\W\d_]{{{MIN_HOST_LETTERS}}})(?:nya|NYA)"
    suffixes = rf"(?:{_CLOSING}|(?<=[^\W\d_]{{2}})\.|(?<=[\d\)\]\"'”’%])\.|{nya})$"
    return Tokenizer(
        nlp.vocab,
        rules=rules,
        prefix_search=re.compile(rf"^(?:{_OPENING})").search,
        suffix_search=re.compile(suffixes).search,
        infix_finditer=re.compile(_INFIX).finditer,
        token_match=re.compile(rf"^(?:{_ABBREVIATION})$").match,
        url_match=re.compile(rf"^(?:{_URL})$").match,
    )


def _cut_like(form: str, parts: Sequence[str]) -> list[str]:
    pieces, start = [], 0
    for part in parts:
        pieces.append(form[start : start + len(part)])
        start += len(part)
    return pieces
