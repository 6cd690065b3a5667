"""`find_root(form)`: the root word of an Indonesian word, so that one query finds all its affixed forms.

*mendukung*, *didukung*, *dukungan*, *pendukung* are one word with different affixes; a parser's lemma keeps some of them
apart, because derivation makes a new lemma. Roots are found by PySastrawi: confix stripping with a dictionary of roots
(Asian, Williams & Tahaghoghi 2005, "Stemming Indonesian"; enhanced by Arifin, Mahendra & Ciptaningtyas 2009). What it
gets wrong for frequent words is put right by `MISLEADING_ROOTS`.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MISLEADING_ROOTS = frozenset(
    """
    acau agam aja alami ali ampo analis ancang anda arang asa asai asih awat awin bar bel beranta beril bua diskus
    dur ering etik gera kati kembal keti lam lang leta lidi luk madat mang mangkas melintir menggala meni mentas mes
    mikat milu moles muas mungut mutih nali nila nyaring okok paja pasu pasuk per perhati pes rami rang rap rusa
    seman sepenuh sunti surati tan tang tega terna top unjung upa
    """.split()
)
"""Rare roots that PySastrawi finds inside affixed forms of frequent ones: *mengunjungi* is *kunjung*, not *unjung*.

They are taken out of its dictionary for affixed forms. Found by its errors on 1,954 affixed forms of the treebanks GSD, CSUI
and PUD (a root stands here if more forms are wrong with it than right, and a reader agreed), the 300 forms that
`scripts/bench_roots.py` draws left out, and on words of the demonstration posts. The errors on both lists of 300 had been
seen before, and some roots from the posts occur there too: the figures on these lists are a little flattered.
"""
_CACHED_FORMS = 500_000
"""Forms whose root is remembered; a corpus of 50 million tokens has about as many."""
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")
"""Words that have an Indonesian root: PySastrawi would take digits, dots and accents out of others."""


def find_root(form: str) -> str:
    """Return the root word of a form, in lower case; a form without affixes, a name or a number is its own.

    A clitic that stands by itself (*nya*, *lah*, *ku*) is its own root as well. The root depends on the form alone.
    """
    return _find(form.lower())


@lru_cache(maxsize=_CACHED_FORMS)
def _find(lower: str) -> str:
    if not _WORD.fullmatch(lower):
        return lower
    roots, stem = _stemmer()
    if lower in roots:
        return lower
    root = stem(lower)
    if root == lower and lower.startswith("ng"):
        # spoken: ngirim for mengirim, ngirimin for mengirimkan
        written = "me" + lower
        for formal in (written, written.removesuffix("in") + "kan"):
            found = stem(formal)
            if found in roots and found != formal:
                return found
    return root


@cache
def _stemmer() -> tuple[frozenset[str], Callable[[str], str]]:
    """Load PySastrawi's roots, and its stemmer without the misleading ones; its own cache, which never forgets, stays out."""
    from Sastrawi.Dictionary.ArrayDictionary import ArrayDictionary
    from Sastrawi.Stemmer.Stemmer import Stemmer
    from Sastrawi.Stemmer.StemmerFactory import StemmerFactory

    roots = frozenset(StemmerFactory().get_words())
    stem: Callable[[str], str] = Stemmer(ArrayDictionary(sorted(roots - MISLEADING_ROOTS))).stem
    return roots, stem
