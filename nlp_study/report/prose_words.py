"""The sentences and labels of the linguist's section."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    "section_words": ("Kata-kata kedua pihak", "The words of the two sides"),
    "words_intro": (
        "Bagian ini untuk pembaca yang meneliti bahasa: kata mana yang membedakan tulisan yang mendukung dari yang "
        "menentang, kata apa yang menemani istilah sasaran, dan bagaimana kata kunci tiap topik dipakai. Dihitung dari "
        "{tokens} token; <code>nlp-study keywords</code>, <code>collocates</code>, <code>sketch</code> dan "
        "<code>kwic</code> menjawab pertanyaan lanjutan.",
        "This section is for readers who study language: which words tell posts in favour from those against, which "
        "words keep company with the target’s terms, and how the first word of each topic is used. Counted in {tokens} "
        "tokens; <code>nlp-study keywords</code>, <code>collocates</code>, <code>sketch</code> and <code>kwic</code> "
        "answer further questions. The words are Indonesian.",
    ),
    "no_words": (
        "Tulisan belum diurai menjadi token, jadi kata-katanya belum dapat dihitung: jalankan <code>nlp-study parse</code>.",
        "The posts have not been parsed into tokens, so their words cannot be counted: run <code>nlp-study parse</code>.",
    ),
    "keywords_title": (
        "Kata yang membedakan pendukung dan penentang: {target}",
        "Words that tell those in favour from those against: {target}",
    ),
    "keywords_note": (
        "Berapa kali lebih sering sebuah kata dipakai satu pihak (rasio frekuensi relatif, skala log), dengan selang 95% "
        "yang memperhitungkan bahwa kata berulang dalam satu tulisan. Pihak menurut prediksi model, dan model itu sendiri "
        "membaca kata; bacalah sebagai gambaran, bukan bukti.",
        "How many times as often one side uses a word (ratio of relative frequencies, log scale), with a 95% interval "
        "that knows that words recur within a post. Sides are the model’s predictions, and the model itself reads words; "
        "read this as a description, not as a proof.",
    ),
    "keywords_description": (
        "Titik dengan selang untuk {n} kata. Paling khas pendukung: {favor}. Paling khas penentang: {against}.",
        "Points with intervals for {n} words. Most typical of those in favour: {favor}. Of those against: {against}.",
    ),
    "collocates_title": ("Teman kata istilah sasaran", "The company of the target’s terms"),
    "collocates_of": ("{word} · {n} kali", "{word} · {n} times"),
    "collocates_note": (
        "Kata isi dalam jangkauan lima kata di kalimat yang sama, menurut logDice (Rychlý 2008; paling tinggi 14).",
        "Content words within five words in the same sentence, by logDice (Rychlý 2008; 14 at most).",
    ),
    "lines_title": ("Kata pertama tiap topik dalam konteks", "The first word of each topic in context"),
    "lines_note": (
        "Baris dipilih acak dengan seed studi, diurutkan menurut tanggal; hitungan mencakup semua kemunculan dalam "
        "tulisan bertopik itu.",
        "Lines are drawn at random with the study’s seed, in order of date; counts are of all occurrences in the posts "
        "of that topic.",
    ),
    "lines_count": (
        "{n} kali dalam {posts}, {per_million} per sejuta token",
        "{n} times in {posts}, {per_million} per million tokens",
    ),
    "footnotes": ("Apa yang dihitung dan disaring", "What was counted and filtered"),
    "word_word": ("Kata", "Word"),
    "more_in": ("Lebih sering pada", "More often in"),
    "tip_times": ("Kali lebih sering", "Times as often"),
    "tip_n_here": ("Kemunculan di pihak itu", "Occurrences on that side"),
    "tip_n_there": ("Di pihak lain", "On the other side"),
    "per_million_here": ("Per sejuta kata", "Per million words"),
    "per_million_there": ("Per sejuta, pihak lain", "Per million, other side"),
    "log_ratio": ("Rasio log2", "Log ratio"),
    "collocate": ("Kata", "Word"),
    "together": ("Bersama", "Together"),
    "context_left": ("Konteks kiri", "Left context"),
    "node": ("Kata inti", "Node"),
    "context_right": ("Konteks kanan", "Right context"),
    "line_post": ("Tulisan", "Post"),
    # the page of a topic
    "topic_page_title": ("Topik {number}: {label}", "Topic {number}: {label}"),
    "topic_page_deck": (
        "{segments} dalam {posts} oleh {authors}.",
        "{segments} in {posts} by {authors}.",
    ),
    "back_to_report": ("← Ke laporan", "← To the report"),
    "topic_unstable_note": (
        "Topik ini tidak stabil (kestabilan {stability}): dengan data yang sedikit lain, batasnya bergeser. Jangan menarik "
        "kesimpulan dari porsinya.",
        "This topic is not stable (stability {stability}): with slightly other data its bounds move. Draw no conclusion from "
        "its shares.",
    ),
    "section_topic_time": ("Dari waktu ke waktu", "Over time"),
    "topic_time_intro": (
        "Porsi tulisan bertanggal yang menyentuh topik ini.",
        "Share of the dated posts that touch this topic.",
    ),
    "section_topic_keywords": ("Kata kunci", "Keywords"),
    "topic_words_intro": (
        "Kata menurut TF-IDF berbasis kelas, relatif terhadap kata terkuat.",
        "Words by class-based TF-IDF, relative to the strongest. They are Indonesian.",
    ),
    "topic_keyness_title": (
        "Lebih sering di tulisan bertopik ini daripada di tulisan lain",
        "More frequent in the posts of this topic than in all others",
    ),
    "occurrences": ("Kemunculan", "Occurrences"),
    "section_topic_lines": ("Konkordansi", "Concordance"),
    "section_topic_paragraphs": ("Paragraf yang mewakili", "Representative paragraphs"),
    "section_topic_dissent": ("Paragraf yang berbeda pendapat", "Dissenting paragraphs"),
    "topic_dissent_intro": (
        "Di topik ini lebih banyak tulisan yang {majority} ({n}); paragraf berikut berasal dari tulisan di pihak lain "
        "({others}), yang paling dekat dengan pusat topik. Pihak menurut prediksi untuk seluruh tulisan.",
        "More posts of this topic are {majority} ({n}); the following paragraphs, nearest to the topic’s centre, are from "
        "posts on the other side ({others}). Sides are predicted for whole posts.",
    ),
    "topic_no_dissent": (
        "Tidak ada: kedua pihak sama banyak, atau semua tulisan di topik ini sepihak.",
        "There are none: both sides are equally frequent, or all posts of this topic are on one side.",
    ),
    "section_topic_authors": ("Penulis", "Authors"),
    "topic_authors_note": (
        "Sepuluh penulis dengan tulisan terbanyak di topik ini; sikap terhadap {target} menurut prediksi.",
        "The ten authors with the most posts in this topic; stance toward {target} as predicted.",
    ),
    "topic_no_authors": ("Penulis tidak diketahui.", "The authors are not known."),
    "topics_table_pages": (
        "Nama topik menuju halamannya sendiri, di folder di samping laporan ini.",
        "A topic’s name leads to a page of its own, in the folder beside this report.",
    ),
}
