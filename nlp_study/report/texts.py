"""Every word of the page in Indonesian and English: short labels here, sentences in `prose`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nlp_study.estimate import PLAIN_METHOD
from nlp_study.report.numbers import Formatter, Language
from nlp_study.report.prose import PROSE
from nlp_study.schema import Stance

if TYPE_CHECKING:
    from markupsafe import Markup

Pair = tuple[str, str]

STANCES: dict[Stance, Pair] = {
    Stance.FAVOR: ("Mendukung", "In favour"),
    Stance.AGAINST: ("Menentang", "Against"),
    Stance.NEUTRAL: ("Netral", "Neutral"),
    Stance.IRRELEVANT: ("Tidak relevan", "Irrelevant"),
}
VERBS: dict[Stance, Pair] = {
    Stance.FAVOR: ("mendukungnya", "support it"),
    Stance.AGAINST: ("menentangnya", "oppose it"),
    Stance.NEUTRAL: ("bersikap netral", "are neutral"),
    Stance.IRRELEVANT: ("tidak membahasnya", "are not about it"),
}
MODELS: dict[str, Pair] = {
    "majority": ("Kelas terbanyak", "Most frequent class"),
    "tfidf": ("TF-IDF + regresi logistik", "TF-IDF + logistic regression"),
    "characters": ("TF-IDF huruf + regresi logistik", "TF-IDF of characters + logistic regression"),
    "words": ("Kata saja, terkalibrasi", "Words alone, calibrated"),
    "embedding": ("Enkoder beku + regresi logistik", "Frozen encoder + logistic regression"),
    "no target": ("Model ini tanpa nama sasaran", "This model, target unnamed"),
}
METHODS: dict[str, Pair] = {
    PLAIN_METHOD: (
        "selang Wilson atas prediksi yang dihitung apa adanya",
        "Wilson interval, predictions counted as they are",
    ),
}
NOUNS: dict[str, tuple[str, str, str]] = {
    "post": ("tulisan", "post", "posts"),
    "author": ("penulis", "author", "authors"),
    "word": ("kata", "word", "words"),
    "month": ("bulan", "month", "months"),
    "label": ("label", "label", "labels"),
    "segment": ("segmen", "segment", "segments"),
    "topic": ("topik", "topic", "topics"),
    "pair": ("pasangan", "pair", "pairs"),
    "fold": ("lipatan", "fold", "folds"),
    "seed": ("seed acak", "random seed", "random seeds"),
    "failure": ("kegagalan", "failure", "failures"),
    "annotator": ("pelabel", "annotator", "annotators"),
    "prediction": ("prediksi", "prediction", "predictions"),
    "window": ("jendela", "window", "windows"),
}
LABELS: dict[str, Pair] = {
    "language_name": ("Bahasa Indonesia", "English"),
    "skip": ("Langsung ke isi", "Skip to the content"),
    "contents": ("Isi laporan", "Contents"),
    "kicker": ("Studi korpus tulisan opini", "A corpus study of opinion articles"),
    "question": ("Pertanyaan penelitian", "Research question"),
    "main_finding": ("Temuan utama", "Main finding"),
    "main_findings": ("Temuan utama", "Main findings"),
    "aliases": ("Sebutan lain", "Also called"),
    "at_a_glance": ("Sekilas", "At a glance"),
    "period": ("Kurun", "Period"),
    "labels_kind": ("label manusia", "human labels"),
    "labels_predicted": ("prediksi", "predictions"),
    "labelled_at": ("Dilabeli, membahas sasaran", "Labelled, on the target"),
    "updated": ("Data per", "Data as of"),
    "section_data": ("Data", "Data"),
    "section_trends": ("Sikap dari waktu ke waktu", "Stance over time"),
    "section_topics": ("Topik dari waktu ke waktu", "Topics over time"),
    "section_topic_stances": ("Sikap menurut topik", "Stance by topic"),
    "section_quotations": ("Paragraf yang mewakili", "Representative paragraphs"),
    "section_evidence": ("Mengapa label ini", "Why this label"),
    "section_quality": ("Mutu model", "Model quality"),
    "section_methods": ("Metode dan batasan", "Methods and limits"),
    "section_provenance": ("Asal-usul angka", "Provenance"),
    "show_table": ("Tampilkan tabel", "Show table"),
    "hide_table": ("Sembunyikan tabel", "Hide table"),
    "save_svg": ("Unduh SVG", "Download SVG"),
    "save_png": ("Unduh PNG", "Download PNG"),
    "chart_tools": ("Unduh gambar", "Download the chart"),
    "drawing": ("Grafik sedang digambar …", "Drawing the chart …"),
    "month": ("Bulan", "Month"),
    "period_month": ("Bulan", "Month"),
    "period_quarter": ("Triwulan", "Quarter"),
    "period_year": ("Tahun", "Year"),
    "posts": ("Tulisan", "Posts"),
    "authors": ("Penulis", "Authors"),
    "words": ("Kata", "Words"),
    "labels": ("Label manusia", "Human labels"),
    "topics": ("Topik", "Topics"),
    "segments": ("Segmen", "Segments"),
    "axis_posts": ("Tulisan", "Posts"),
    "share": ("Porsi", "Share"),
    "interval": ("Selang 95%", "95% interval"),
    "stance_word": ("Sikap", "Stance"),
    "target": ("Sasaran", "Target"),
    "topic": ("Topik", "Topic"),
    "tip_share": ("{stance}, porsi", "{stance}, share"),
    "tip_low": ("Batas bawah 95%", "95% lower end"),
    "tip_high": ("Batas atas 95%", "95% upper end"),
    "tip_n_stance": ("{stance}, tulisan", "{stance}, posts"),
    "tip_n_base_on": ("Tulisan tentang sasaran", "Posts on the target"),
    "tip_n_base_all": ("Semua tulisan", "All posts"),
    "tip_kind": ("Kelompok", "Group"),
    "tip_topic_share": ("Porsi tulisan", "Share of posts"),
    "tip_topic_n": ("Tulisan bertopik ini", "Posts with this topic"),
    "tip_topic_total": ("Semua tulisan", "All posts"),
    "tip_of_gold": ("Dari label manusia ini", "Of this human label"),
    "volume_title": ("Tulisan per bulan", "Posts a month"),
    "volume_on": ("Tentang sasaran", "On the target"),
    "volume_off": ("Tidak relevan", "Irrelevant"),
    "volume_all": ("Semua tulisan", "All posts"),
    "model_word": ("Model", "Model"),
    "pairs_word": ("Pasangan", "Pairs"),
    "macro_f1": ("F1 makro", "Macro-F1"),
    "spread": ("Simpangan baku", "Standard deviation"),
    "accuracy": ("Akurasi", "Accuracy"),
    "precision": ("Presisi", "Precision"),
    "recall": ("Recall", "Recall"),
    "f1": ("F1", "F1"),
    "support": ("Label", "Labels"),
    "predicted_label": ("Prediksi model", "Predicted by the model"),
    "gold_label": ("Label manusia", "Human label"),
    "total": ("Jumlah", "Total"),
    "confidence": ("Keyakinan model", "The model’s confidence"),
    "probability_word": ("Probabilitas", "Probability"),
    "from_probability": ("Mulai dari", "From"),
    "mean_probability": ("Rata-rata probabilitas", "Mean probability"),
    "observed": ("Benar menurut label manusia", "Right by the human labels"),
    "n_predictions": ("Prediksi", "Predictions"),
    "undecided": ("Tanpa keputusan", "Undecided"),
    "sentence": ("Kalimat", "Sentence"),
    "weight": ("Bobot", "Weight"),
    "case_clear": ("jelas", "clear"),
    "case_close": ("tipis", "close"),
    "compared": ("Yang dibandingkan", "Compared"),
    "here": ("Di sini", "Here"),
    "in_training": ("Saat dilatih", "In training"),
    "difference": ("Jarak", "Difference"),
    "by_chance": ("Karena kebetulan", "By chance"),
    "warns_from": ("Peringatan mulai", "Warning from"),
    "warning_word": ("Peringatan", "Warning"),
    "drift_words": ("Kata yang tidak dikenal", "Unknown words"),
    "drift_vectors": ("Rata-rata vektor (simpangan baku)", "Mean vector (standard deviations)"),
    "drift_classes": ("Porsi label prediksi", "Shares of predicted labels"),
    "all_targets": ("Semua sasaran", "All targets"),
    "funnel_step": ("Tahap", "Step"),
    "funnel_pages": ("Halaman yang dibaca", "Pages read"),
    "funnel_posts": ("Tulisan yang diperoleh", "Posts obtained"),
    "funnel_dated": ("Tulisan bertanggal", "Posts with a date"),
    "funnel_predicted": ("Diklasifikasi", "Classified"),
    "funnel_on_target": ("Dinilai membahas sasaran", "Judged to be on the target"),
    "funnel_in_trends": ("Di dalam grafik waktu", "In the charts over time"),
    "funnel_labelled": ("Dilabeli oleh manusia", "Labelled by hand"),
    "source": ("Sumber", "Source"),
    "format": ("Format", "Format"),
    "stage": ("Tahap", "Stage"),
    "reason": ("Alasan", "Reason"),
    "n_failures": ("Jumlah", "Count"),
    "keywords": ("Kata kunci dan bobotnya", "Words and their weights"),
    "outliers": ("Tanpa topik", "Without a topic"),
    "by_author": ("oleh {author}", "by {author}"),
    "unknown_author": ("penulis tidak diketahui", "unknown author"),
    "undated_post": ("tanpa tanggal", "no date"),
    "untitled": ("Tanpa judul", "Untitled"),
    "shortened": ("dipotong", "shortened"),
    "probability": ("probabilitas {proba}", "probability {proba}"),
    "method": ("Cara hitung", "Method"),
    "table_name": ("Tabel", "Table"),
    "started": ("Dibuat", "Made"),
    "rows": ("Baris", "Rows"),
    "digest": ("Sidik data", "Digest"),
    "wall_time": ("Lama", "Time"),
    "seconds": ("{n} detik", "{n} s"),
    "versions": ("Versi perangkat lunak", "Software versions"),
    "fact": ("Butir", "Item"),
    "value": ("Nilai", "Value"),
    "origin_final": ("model akhir", "final model"),
    "origin_out_of_fold": ("model yang tidak melihat penulisnya", "a model that never saw the author"),
    "origin_in_sample": ("model yang dilatih dengan label itu", "a model trained on that very label"),
    "yes": ("ya", "yes"),
    "no": ("tidak", "no"),
    "count_model_id": ("Model", "Model"),
    "count_encoder": ("Enkoder", "Encoder"),
    "count_n_labels": ("Label untuk melatih", "Labels trained on"),
    "count_n_stopping": ("Label untuk menghentikan pelatihan", "Labels held out for stopping"),
    "count_epochs": ("Putaran (epoch)", "Epochs"),
    "count_loss_at_start": ("Galat awal (loss)", "Loss at the start"),
    "count_loss_at_best": ("Galat terbaik (loss)", "Best loss"),
    "count_kept": ("Yang dipakai", "Kept"),
    "count_n_tokens_read": ("Token dibaca", "Tokens read"),
    "count_n_tokens_total": ("Token seluruhnya", "Tokens in all"),
    "count_seconds": ("Detik", "Seconds"),
    "count_minutes": ("Menit", "Minutes"),
    "count_path": ("Folder", "Folder"),
    "count_given": ("Model yang sudah jadi", "Given model"),
    "count_seeds": ("Seed acak", "Random seeds"),
}


class Texts:
    """The words of one language; looking up a key that does not exist is an error, not a gap on the page."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.format = Formatter(language)
        self._index = 0 if language == "id" else 1

    def plain(self, key: str, **values: object) -> str:
        """Return a text with its places filled in, without any escaping; for charts and attributes."""
        pair = LABELS[key] if key in LABELS else PROSE[key]
        return pair[self._index].format_map(values)

    def __call__(self, key: str, **values: object) -> Markup:
        """Return a text for the page: the text may hold markup, what is filled in is escaped."""
        from markupsafe import Markup

        pair = LABELS[key] if key in LABELS else PROSE[key]
        return Markup(pair[self._index]).format(**values)

    def has(self, key: str) -> bool:
        """Say whether there is such a text."""
        return key in LABELS or key in PROSE

    def pick(self, indonesian: str, english: str) -> str:
        """Return one of two texts from the study file, the other where one is empty."""
        return (indonesian or english) if self.language == "id" else (english or indonesian)

    def count(self, noun: str, n: int) -> str:
        """Write a number with its noun: 1 post, 2 posts, 2 tulisan."""
        indonesian, one, many = NOUNS[noun]
        word = indonesian if self.language == "id" else (one if n == 1 else many)
        return f"{self.format.integer(n)} {word}"

    def stance(self, stance: Stance | str) -> str:
        """Return the name of a stance."""
        return STANCES[Stance(stance)][self._index]

    def verb(self, stance: Stance) -> str:
        """Return what posts of this stance do, as the predicate of a sentence."""
        return VERBS[stance][self._index]

    def model(self, name: str) -> str:
        """Return the name of a compared model; that of a fine-tuned one stays as it is."""
        return self._of(MODELS, name) or self.plain("tuned_model", name=name.rsplit("/", 1)[-1])

    def method(self, name: str) -> str:
        """Return the name of the way in which a share was made; one without a name here stays as it is."""
        return self._of(METHODS, name) or name

    def join(self, items: list[str]) -> str:
        """Write a list: a, b dan c."""
        if len(items) < 2:
            return "".join(items)
        return f"{', '.join(items[:-1])} {'dan' if self.language == 'id' else 'and'} {items[-1]}"

    def notes(self, pairs: Sequence[Pair]) -> tuple[str, ...]:
        """Return the footnotes of a word table in this language."""
        return tuple(pair[self._index] for pair in pairs)

    def _of(self, names: Mapping[str, Pair], key: str) -> str:
        return names[key][self._index] if key in names else ""
