"""Reconcile the treebanks by rule: one scheme for the model, and the way back for measuring on each treebank.

The scheme of the model is that of the current UD_Indonesian-GSD, whose relations are the finest: it tells a noun that
modifies a noun directly (`compound`: industri otomotif) from one with a preposition or a name (`nmod`), where CSUI and PUD
write `nmod` for all. Every rule stands here; `docs/parser.md` lists them with counts.
"""

from __future__ import annotations

import re
from dataclasses import replace
from enum import StrEnum

from nlp_study.parser.conllu import Sentence, Word

CLITICS = frozenset({"nya", "lah", "kah", "pun", "tah", "ku", "mu", "kau"})
_AUXILIARIES = frozenset({"akan", "bisa", "dapat", "sedang", "sudah", "telah"})
_ORDINAL = re.compile(r"pertama|ke(?:dua|tiga|empat|lima|enam|tujuh|delapan|sembilan|sepuluh)")


class Treebank(StrEnum):
    """Where a sentence comes from; the teacher is told, because what no rule reconciles it must not mix up."""

    GSD = "gsd"
    CSUI = "csui"
    PUD = "pud"
    GSD_V2 = "gsd-v2.0"


def to_model_scheme(sentence: Sentence, treebank: Treebank) -> Sentence:
    """Return the sentence in the scheme that the model learns.

    - `nmod` of a common noun without a preposition is `compound` (CSUI, PUD).
    - A clitic's lemma is the clitic (GSD writes `dia` for `-nya`, the other two `nya`).
    - The lemma of a proper noun keeps its capitals (GSD lowers them).
    - Tags of the part-of-speech column stay only where they are MorphInd's (GSD); CSUI has Penn tags, PUD none.
    - The old GSD of UD 2.0 (`to_current_relations`) has neither lemmas nor features: they stay open.
    """
    words = list(sentence.words)
    if treebank is Treebank.GSD_V2:
        return _from_v2(sentence)
    for i, word in enumerate(words):
        if word.form.lower() in CLITICS and word.upos in ("PRON", "DET", "PART") and _is_attached(words, i):
            word = replace(word, lemma=word.form.lower())
        elif word.upos == "PROPN":
            word = replace(word, lemma=_restore_case(word.form, word.lemma))
        if treebank is not Treebank.GSD:
            word = replace(word, xpos="")
            if word.deprel == "nmod" and word.upos == "NOUN" and not _has_case(sentence, i):
                word = replace(word, deprel="compound")
        words[i] = word
    return replace(sentence, words=tuple(words))


def to_treebank_relation(deprel: str, treebank: Treebank) -> str:
    """Return the relation that `treebank` writes for one of the model's; for measuring on its test set.

    CSUI and PUD know no `compound` between nouns, so it is their `nmod`.
    """
    if treebank in (Treebank.CSUI, Treebank.PUD) and deprel == "compound":
        return "nmod"
    return deprel


def _is_attached(words: list[Word], i: int) -> bool:
    """Whether a word is written together with one beside it."""
    follows = i > 0 and not words[i - 1].space_after and words[i - 1].form[-1:].isalpha()
    leads = not words[i].space_after and i + 1 < len(words) and words[i + 1].form[:1].isalpha()
    return follows or leads


def _restore_case(form: str, lemma: str) -> str:
    return form if lemma.lower() == form.lower() else lemma


def _has_case(sentence: Sentence, i: int) -> bool:
    return any(word.head == i + 1 and word.deprel.split(":")[0] == "case" for word in sentence.words)


def _from_v2(sentence: Sentence) -> Sentence:
    """The scheme of UD 2.0 in that of today, where words and tags decide it.

    The rules were read off the 559 sentences of the development part, which exists in both schemes.
    """
    words = []
    for i, word in enumerate(sentence.words):
        deprel, upos = word.deprel, word.upos
        head = sentence.words[word.head - 1] if word.head else None
        if deprel == "flat" and upos == "PROPN" and head is not None and head.upos == "PROPN":
            deprel = "flat:name"
        elif deprel == "flat" and upos == "PROPN":
            deprel = "nmod"
        elif deprel == "acl" and any(w.head == i + 1 and w.form.lower() == "yang" for w in sentence.words):
            deprel = "acl:relcl"
        elif deprel == "nmod" and upos == "PRON" and not _has_case(sentence, i):
            deprel = "nmod:poss"
        elif word.form.lower() in _AUXILIARIES and upos == "ADV" and deprel == "advmod":
            upos, deprel = "AUX", "aux"
        elif upos == "ADP" and deprel == "case" and head is not None and head.upos == "VERB":
            upos, deprel = "SCONJ", "mark"
        elif word.form == "/" and upos == "SYM":
            upos = "PUNCT"
        elif _ORDINAL.fullmatch(word.form.lower()) and upos == "NUM" and deprel == "nummod":
            upos, deprel = "ADJ", "amod"
        words.append(Word(word.form, "", upos, "", "", word.head, deprel, word.space_after))
    return replace(sentence, words=tuple(words))
