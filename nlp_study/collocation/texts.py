"""Footnotes of word tables in Indonesian and English, and the names of measures, relations and groups."""

from __future__ import annotations

from typing import Any, Literal

Pair = tuple[str, str]
"""Indonesian, English."""
Language = Literal["id", "en"]

NOTES: dict[str, Pair] = {
    "posts": (
        "Berdasarkan {n_words} kata dalam {n_posts} tulisan: {selection}.",
        "Based on {n_words} words in {n_posts} posts: {selection}.",
    ),
    "repeated": (
        "{n} tulisan yang mengulang tulisan lain tidak ikut dihitung.",
        "{n} posts that repeat another one were not counted.",
    ),
    "unparsed": (
        "{n} tulisan terpilih tidak memiliki token dan tidak ikut dihitung.",
        "{n} selected posts have no tokens and were not counted.",
    ),
    "punctuation": (
        "Tanda baca dan simbol bukan kata dan tidak dihitung; klitik seperti -nya dihitung sebagai kata.",
        "Punctuation and symbols are no words and not counted; clitics such as -nya count as words.",
    ),
    "node": ("Kata inti: {node}, {n} kemunculan.", "Node: {node}, {n} occurrences."),
    "span": (
        "Rentang: {left} kata ke kiri, {right} ke kanan, {scope}.",
        "Span: {left} words to the left, {right} to the right, {scope}.",
    ),
    "within_sentence": ("tidak melewati batas kalimat", "not across sentences"),
    "within_post": ("melewati batas kalimat", "across sentences"),
    "dependency": (
        "Kata sanding: kata yang dikepalai kata inti atau mengepalainya ({relations}).",
        "Collocates: words that depend on the node or that it depends on ({relations}).",
    ),
    "all_relations": ("semua relasi", "all relations"),
    "once": (
        "Kata yang berada dalam jangkauan beberapa kata inti dihitung sekali.",
        "A word within reach of several nodes is counted once.",
    ),
    "pairs": (
        "Kata yang berada dalam jangkauan beberapa kata inti dihitung untuk setiap kata inti; "
        "log-likelihood dan q tidak dihitung karena tabelnya bukan tabel kontingensi.",
        "A word within reach of several nodes is counted for each; log-likelihood and q are left out, "
        "because such counts make no contingency table.",
    ),
    "min_together": (
        "Disaring: sekurang-kurangnya {n} kemunculan bersama, dalam sekurang-kurangnya {n_posts} tulisan.",
        "Filtered: at least {n} occurrences together, in at least {n_posts} posts.",
    ),
    "min_count": (
        "Disaring: sekurang-kurangnya {n} kemunculan.",
        "Filtered: at least {n} occurrences.",
    ),
    "min_count_both": (
        "Disaring: sekurang-kurangnya {n} kemunculan di kedua korpus bersama-sama.",
        "Filtered: at least {n} occurrences in both corpora together.",
    ),
    "min_range": (
        "Disaring: sekurang-kurangnya dalam {n} {parts} di {side}.",
        "Filtered: in at least {n} {parts} of {side}.",
    ),
    "max_dp": (
        "Disaring: DP (Gries 2008) di {side} paling tinggi {dp}.",
        "Filtered: DP (Gries 2008) of {side} at most {dp}.",
    ),
    "focus": ("korpus fokus", "the focus corpus"),
    "reference": ("korpus acuan", "the reference corpus"),
    "whole": ("korpus", "the corpus"),
    "more_frequent_side": ("korpus yang lebih sering memakainya", "the corpus that uses it more often"),
    "with_node": ("Hanya rangkaian yang memuat {node}.", "Only runs with {node} in them."),
    "stop_runs": (
        "{n} rangkaian yang hanya terdiri atas kata henti tidak ditampilkan.",
        "{n} runs made of stop words only are not shown.",
    ),
    "stop_words": (
        "{n} kata henti dari daftar tidak ditampilkan; kata itu tetap dihitung dalam rentang dan jumlah kata.",
        "{n} stop words of the list are not shown; they still count in spans and totals.",
    ),
    "upos": ("Hanya kelas kata {upos} yang ditampilkan.", "Only the parts of speech {upos} are shown."),
    "max_q": (
        "Disaring: q paling tinggi {q} (Benjamini-Hochberg atas {n} kata yang diuji).",
        "Filtered: q at most {q} (Benjamini-Hochberg over the {n} words tested).",
    ),
    "q": (
        "q: nilai p log-likelihood (khi-kuadrat, 1 db) disesuaikan menurut Benjamini-Hochberg atas {n} kata. "
        "Batas lazim untuk satu uji: 3,84 (p < 0,05), 6,63 (0,01), 10,83 (0,001), 15,13 (0,0001).",
        "q: p of the log-likelihood (chi-squared, 1 df), adjusted by Benjamini-Hochberg over {n} words. "
        "Usual cut-offs for one test: 3.84 (p < 0.05), 6.63 (0.01), 10.83 (0.001), 15.13 (0.0001).",
    ),
    "positive": (
        "Hanya kata yang lebih sering daripada menurut peluang; {n} kata lain yang lolos saringan dihilangkan.",
        "Only words more frequent than by chance; {n} others that passed the filters were left out.",
    ),
    "positive_keys": (
        "Hanya kata yang lebih sering di korpus fokus; {n} kata lain yang lolos saringan dihilangkan.",
        "Only words more frequent in the focus corpus; {n} others that passed the filters were left out.",
    ),
    "limit": ("Ditampilkan {n} dari {total} baris, urut {sort}.", "Showing {n} of {total} rows, by {sort}."),
    "order": ("{total} baris, urut {sort}.", "{total} rows, by {sort}."),
    "interval": (
        "Selang 95% rasio log memperhitungkan bahwa kata berulang dalam {parts} yang sama; frekuensi 0 dianggap 0,5.",
        "The 95% interval of the log ratio allows for words that recur within the same of the {parts}; "
        "a frequency of 0 is taken as 0.5.",
    ),
    "percent": (
        "%DIFF kosong bila kata tidak ada di korpus acuan.",
        "%DIFF is missing where the reference corpus lacks the word.",
    ),
    "dispersion": (
        "DP dan DPnorm atas {n} {parts}; 0 berarti tersebar merata menurut panjangnya.",
        "DP and DPnorm over {n} {parts}; 0 means spread evenly by their length.",
    ),
    "missing_words": ("Tidak ditemukan: {words}.", "Not found: {words}."),
    "ngrams": (
        "Rangkaian {sizes} kata di dalam kalimat, tanpa melintasi tanda baca.",
        "Runs of {sizes} words within a sentence, not across punctuation.",
    ),
    "relation_scores": (
        "logDice, log-likelihood dan q dalam tiap relasi: frekuensi dihitung atas pasangan relasi itu saja.",
        "logDice, log-likelihood and q within each relation: frequencies count pairs of that relation only.",
    ),
    "relation_limit": (
        "Paling banyak {n} kata tiap relasi; {hidden} kata lain yang lolos saringan dihilangkan.",
        "At most {n} words a relation; {hidden} others that passed the filters were left out.",
    ),
    "body": ("Hanya isi tulisan; judul tidak ikut.", "Bodies only; titles are left out."),
    "orthographic": (
        "Kata per kalimat dan kata panjang (lebih dari enam huruf) menurut ejaan: klitik melekat pada katanya.",
        "Words a sentence and long words (above six letters) as spelled: clitics belong to their word.",
    ),
    "lix": (
        "LIX (Björnsson 1968) adalah rata-rata tulisan dengan selang t 95%; bandingkan antarkelompok, bukan "
        "dengan batas bahasa lain. Rumus berskala kelas tidak dipakai: belum diuji pada artikel opini berbahasa Indonesia.",
        "LIX (Björnsson 1968) is the mean over posts with a 95% t interval; compare groups, not with thresholds made for "
        "other languages. No formula with school grades is used: none was tested on Indonesian opinion articles.",
    ),
    "mattr": (
        "MATTR (Covington & McFall 2010) dengan jendela {window} kata; {n} tulisan lebih pendek dan tidak ikut. "
        "TTR turun bila teks lebih panjang, jadi tidak untuk membandingkan kelompok yang tidak sama besar.",
        "MATTR (Covington & McFall 2010) over windows of {window} words; {n} posts are shorter and left out. "
        "TTR falls as a text grows, so it cannot compare groups of unequal size.",
    ),
    "ungrouped": (
        "{n} tulisan tanpa nilai untuk pengelompokan ini tidak ikut.",
        "{n} posts without a value for this grouping were left out.",
    ),
    "many_groups": (
        "Satu tulisan dapat masuk beberapa kelompok.",
        "A post may be in several groups.",
    ),
    "small_groups": (
        "{n} kelompok dengan kurang dari {least} tulisan dihilangkan.",
        "{n} groups of fewer than {least} posts left out.",
    ),
}
PARTS: dict[str, Pair] = {
    "post": ("tulisan", "posts"),
    "author": ("penulis", "authors"),
    "month": ("bulan", "months"),
    "category": ("kategori", "categories"),
}
RELATIONS: dict[str, Pair] = {
    "subject": ("subjek", "subject"),
    "passive subject": ("subjek pasif", "passive subject"),
    "object": ("objek", "object"),
    "agent": ("pelaku pasif", "agent"),
    "oblique": ("keterangan", "oblique"),
    "adjective": ("pewatas sifat atau bilangan", "adjective or number"),
    "noun": ("pewatas nomina", "noun modifier"),
    "clause": ("klausa pewatas", "clause modifier"),
    "adverb": ("pewatas adverbia", "adverb"),
    "complement": ("pelengkap", "complement"),
    "coordination": ("setara", "coordinated"),
    "other": ("relasi lain", "other relations"),
}


def note(key: str, **values: Any) -> Pair:
    """Return a footnote in both languages; numbers are written each way, pairs are taken by language."""
    indonesian, english = NOTES[key]
    return (
        indonesian.format(**{name: _write(value, 0) for name, value in values.items()}),
        english.format(**{name: _write(value, 1) for name, value in values.items()}),
    )


def join_pairs(pairs: list[Pair]) -> Pair:
    """Return descriptions side by side, in both languages."""
    return "; ".join(pair[0] for pair in pairs), "; ".join(pair[1] for pair in pairs)


def _write(value: Any, language: int) -> str:
    if isinstance(value, tuple):
        return str(value[language])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    text = f"{value:,}" if isinstance(value, int) else f"{value:g}"
    return text.translate(str.maketrans(",.", ".,")) if language == 0 else text
