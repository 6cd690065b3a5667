"""The language of a body, told by its small words.

General identifiers are weak where this corpus needs them: Javanese with borrowed words, Malay beside Indonesian, and
Sundanese, which most do not know. A post has hundreds of words and a tenth or more of them are function words of one
language only, so counting those is exact and fast; py3langid answers for texts in which no such words stand.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LONGEST_READ = 1_500
"""Characters read, some 210 words; a mean post has 2,600."""
SHORTEST_WORDS = 20
"""Words below which a text without function words gets no answer: titles and names look like any language."""
LEAST_SHARE = 0.08
"""Share of function words below which they are not taken as evidence. Of 400 demonstration posts the lowest has 0.10.

English texts have 0.4; there 0.2 is asked, since Dutch and others share its `in` and `is`."""

# Each word is frequent in its language and rare in the others; loans in colloquial Indonesian (aku, kok) are left out.
_WORDS = {
    "id": "yang dan di dari ini itu untuk dengan pada tidak akan ada dalam adalah oleh sudah telah juga orang kami kita "
    "mereka dia saya atau lebih karena kerana kalau jika tapi tetapi hanya belum bukan harus setiap sebagai dapat boleh "
    "lagi semua seperti agar antara tanpa para secara anak hari tahun masih sampai bagi satu dua tiga sebuah seorang "
    "begitu begini itulah inilah siapa kapan banyak baru besar kecil jadi kata punya rumah pagi malam uang soal cara "
    "gue lo nggak enggak gak tak aja udah kayak kalo banget bikin cuma sama terus buat nih sih dong biar saat hingga bisa",
    "jv": "sing lan iku iki ora wis karo kanggo ing saka marang nanging yen kowe wong uga isih kudu piye mung wae luwih akeh "
    "ngono ngene kabeh dheweke awake arep durung panjenengan kula punika menika ingkang kaliyan boten mboten saged sampun "
    "tiyang dumateng wonten nggih inggih kathah kangge saking utawi utawa amarga dening supaya banjur nalika rikala "
    "iso ono opo sopo endi ning neng wes bae kuwi kuwe niku niki kae anggone sawise dadi nganti lha padha kaya awakmu",
    "su": "nu jeung teu henteu kana tina pikeun ku éta eta ieu aya geus atawa urang abdi kuring manéh anjeun téh teh mah ogé "
    "oge lamun keur bakal pisan loba hiji kabéh sareng dina ti naon kumaha saha iraha jalma ngan hayang atuh euy waé "
    "nepi sanajan ulah tos parantos hatur nuhun mun ka sok ngeunaan deui maranéhna manehna manéhna bari kituna kieu",
    "en": "the of and to in is that it for was with as on be are this have not but they from you we at an or by which their "
    "my his her had has been were would will can there what when who if about more all one so out up into than then",
}
_LANGUAGE_OF = {word: language for language, words in _WORDS.items() for word in words.split()}
# Malay shares its small words with Indonesian; these are spelled or used otherwise. Words that are common in both with
# another meaning (pejabat, kereta, percuma) would call Indonesian posts Malay.
_MALAY = frozenset(
    "kerana wang bahawa sahaja beza kualiti aktiviti universiti komuniti syarikat iaitu ialah manakala sekiranya selepas "
    "semasa pelbagai ringgit tarikh hendaklah perniagaan peniaga perkhidmatan kesihatan telefon elektrik menerusi kelmarin "
    "sungguhpun seramai tiada kerajaan".split()
)
_INDONESIAN = frozenset(
    "karena bisa uang bahwa saja coba beda kualitas aktivitas komunitas universitas perusahaan pemerintah anda namun gue "
    "nggak enggak gak kayak banget cuma sih dong kok rupiah rp bapak pak bu mbak mas warga sangat saat hingga kemudian "
    "butuh ponsel listrik gratis biaya aja udah tak rumah sakit sepeda motor".split()
)
_OTHERS = "id en jv ms nl ar zh ja ko fr de es pt tl th vi ru ta it".split()
# Arabic, Thai, Japanese, Chinese and Korean letters: there a few are enough, and Chinese has no spaces.
_OTHER_LETTERS = re.compile(r"[\u0600-\u06ff\u0e00-\u0e7f\u3040-\u9fff\uac00-\ud7af]{4}")


def identify_language(text: str) -> str | None:
    """Identify the language of a text.

    Parameters
    ----------
    text : the body; its first `LONGEST_READ` characters are read.

    Returns
    -------
    `id`, `jv`, `su`, `ms`, `en`, or another ISO 639-1 code; `None` where the text is too short or holds no words. A text
    in several languages gives the one with most function words.

    References
    ----------
    Where function words are too few: py3langid (Lui & Baldwin 2012), restricted to languages that occur on the site.
    """
    words = text[:LONGEST_READ].lower().replace(",", " ").replace(".", " ").split()
    languages = list(filter(None, map(_LANGUAGE_OF.get, words)))
    if languages:
        language, n_words = _find_most_common(languages)
        if n_words >= max(2, (0.2 if language == "en" else LEAST_SHARE) * len(words)):
            return _tell_malay(words) if language == "id" else language
    words = [word for word in words if not word.isdigit()]
    if len(words) < SHORTEST_WORDS and not _OTHER_LETTERS.search(text, 0, LONGEST_READ):
        return None
    code, _ = _load_identifier().classify(text[:LONGEST_READ])
    return _tell_malay(words) if code in ("id", "ms") else str(code)


def _find_most_common(languages: list[str]) -> tuple[str, int]:
    """Return the most common language and how often it occurs; of several the one that occurs first."""
    first, n_first = languages[0], languages.count(languages[0])
    if 2 * n_first >= len(languages):  # nearly always, and then the others need no counting
        return first, n_first
    return Counter(languages).most_common(1)[0]


def _tell_malay(words: list[str]) -> str:
    if _MALAY.isdisjoint(words):
        return "id"
    n_indonesian = sum(word in _INDONESIAN for word in words)
    n_malay = sum(word in _MALAY for word in words)
    return "ms" if n_malay > n_indonesian and n_malay >= 2 else "id"


@cache
def _load_identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(_OTHERS)
    return identifier
