"""The sentences and labels of the corrected shares, their course and their changes."""

from __future__ import annotations

CORRECTED: dict[str, tuple[str, str]] = {
    # findings
    "finding_corrected_on": (
        "<strong>{share}</strong> tulisan tentang <em>{target}</em> {verb} (selang kepercayaan 95%: {interval}), "
        "menurut prediksi untuk {posts} yang dikoreksi dengan {labels}.",
        "<strong>{share}</strong> of the posts on <em>{target}</em> {verb} (95% confidence interval {interval}), by "
        "predictions for {posts}, corrected with {labels}.",
    ),
    "finding_corrected_all": (
        "<strong>{share}</strong> tulisan {verb}: <em>{target}</em> (selang kepercayaan 95%: {interval}), menurut "
        "prediksi untuk {posts} yang dikoreksi dengan {labels}.",
        "<strong>{share}</strong> of the posts {verb}: <em>{target}</em> (95% confidence interval {interval}), by "
        "predictions for {posts}, corrected with {labels}.",
    ),
    "finding_change": (
        "Perubahan paling jelas: {stance} dari {before} menjadi {after} sejak {month}.",
        "The clearest change: {stance} from {before} to {after} from {month} on.",
    ),
    "finding_no_change": (
        "Tidak ada perubahan yang lebih jelas daripada kebetulan.",
        "No change is clearer than chance.",
    ),
    "finding_corrected_caveat": (
        "Selang mencakup kesalahan pengklasifikasi, penarikan tulisan yang dilabeli, dan bahwa seorang penulis "
        "menulis beberapa tulisan.",
        "The interval covers the classifier’s errors, the draw of the labelled posts, and that authors write several "
        "posts.",
    ),
    # the section
    "corrected_intro": (
        "Grafik utama memperlihatkan porsi tiap sikap dari waktu ke waktu, dikoreksi dengan tulisan yang ditarik "
        "dengan peluang yang diketahui dan dibaca manusia. Koreksi itu tidak berat sebelah betapapun pengklasifikasi "
        "keliru; makin baik pengklasifikasi, makin sempit selangnya.",
        "The main figure shows the share of each stance over time, corrected with posts that were drawn with known "
        "probability and read by people. The correction is unbiased whatever the classifier does; the better the "
        "classifier, the narrower the interval.",
    ),
    "uncorrected_intro": (
        "Porsi di bawah adalah prediksi yang dirata-ratakan apa adanya: tidak ada tulisan berlabel yang ditarik "
        "dengan peluang yang diketahui, sehingga kesalahan pengklasifikasi tidak dapat dikoreksi dan tidak tercakup "
        "dalam selang. <code>nlp-study label sample</code> menarik tulisan yang perlu dilabeli.",
        "The shares below are means of predictions as they are: no labelled posts were drawn with known probability, "
        "so the classifier’s errors cannot be corrected and the intervals do not cover them. <code>nlp-study label "
        "sample</code> draws the posts to label.",
    ),
    "line_title": (
        "Sikap terhadap {target}, dikoreksi dan dihaluskan",
        "Stance toward {target}, corrected and smoothed",
    ),
    "line_title_plain": (
        "Sikap terhadap {target}, prediksi dihaluskan",
        "Stance toward {target}, predictions smoothed",
    ),
    "line_note": (
        "Garis: porsi yang dihaluskan. Pita tua: selang 95% bulan itu; pita muda: berlaku untuk semua bulan "
        "sekaligus. Titik: taksiran bulan itu sendiri, sebelum dihaluskan. Garis tegak dan bidang abu-abu: bulan "
        "perubahan dan bulan-bulan yang memuatnya dengan peluang 95%. Berdasarkan {labels} dengan peluang penarikan "
        "yang tercatat.",
        "Line: the smoothed share. Dark band: 95% interval of that month; light band: holds for all months at once. "
        "Points: the month’s own estimate before smoothing. Vertical line and grey field: month of a change, and the "
        "months that hold it with 95% probability. Based on {labels} with recorded sampling probabilities.",
    ),
    "line_note_plain": (
        "Garis: rata-rata probabilitas prediksi, dihaluskan. Pita hanya mencakup banyaknya tulisan, bukan kesalahan "
        "pengklasifikasi.",
        "Line: mean of the predicted probabilities, smoothed. The bands cover the number of posts only, not the "
        "classifier’s errors.",
    ),
    "line_description": (
        "Grafik garis per bulan dengan pita. Porsi {stance} tertinggi {high} pada {high_month}, terendah {low} pada "
        "{low_month}. Perubahan yang ditandai: {changes}.",
        "Line charts by month with bands. The share {stance} is highest, {high}, in {high_month} and lowest, {low}, "
        "in {low_month}. Changes marked: {changes}.",
    ),
    "tip_smoothed": ("{stance}, dihaluskan", "{stance}, smoothed"),
    "tip_own": ("Bulan itu sendiri", "The month alone"),
    "tip_labels": ("Label", "Labels"),
    "halves_title": ("Tiga cara menaksir, per semester: {target}", "Three ways to estimate, by half-year: {target}"),
    "halves_note": (
        "Bila prediksi saja (segitiga) jauh dari label saja (persegi), pengklasifikasi keliru ke satu arah; taksiran "
        "terkoreksi (lingkaran) memakai keduanya. Garis: selang 95%; selang prediksi tidak mencakup kesalahan "
        "pengklasifikasi.",
        "Where predictions only (triangles) lie far from labels only (squares), the classifier errs in one direction;"
        " the corrected estimate (circles) uses both. Lines: 95% intervals; that of predictions leaves the "
        "classifier’s errors out.",
    ),
    "halves_description": (
        "Titik dengan selang per semester. Porsi {stance} terkoreksi: {shares}.",
        "Points with intervals by half-year. Corrected share {stance}: {shares}.",
    ),
    "by_corrected": ("terkoreksi", "corrected"),
    "by_labels": ("label saja", "labels only"),
    "by_predictions": ("prediksi saja", "predictions only"),
    "half_year": ("Semester", "Half-year"),
    "whole_title": ("Seluruh kurun, tiga cara", "Whole period, three ways"),
    "whole_period": ("Seluruh kurun", "Whole period"),
    "plain_counts": ("Prediksi per bulan, dihitung apa adanya", "Predictions by month, counted as they are"),
    # changes
    "changes_title": ("Kapan sikap berubah", "When stances changed"),
    "changes_intro": (
        "{n} perubahan lebih jelas daripada kebetulan: bila bulan-bulan diurutkan acak, perubahan sejelas itu di "
        "sikap dan bulan mana pun hanya muncul dengan peluang p.",
        "{n} changes are clearer than chance: with the months in random order, as clear a change in any stance and "
        "month comes up with probability p only.",
    ),
    "changes_one": (
        "Satu perubahan lebih jelas daripada kebetulan: bila bulan-bulan diurutkan acak, perubahan sejelas itu di "
        "sikap dan bulan mana pun hanya muncul dengan peluang p.",
        "One change is clearer than chance: with the months in random order, as clear a change in any stance and "
        "month comes up with probability p only.",
    ),
    "changes_none": (
        "Tidak ada perubahan yang lebih jelas daripada kebetulan. Itu bukan bukti bahwa sikap tetap: dengan label "
        "sebanyak ini hanya perubahan besar yang dapat dilihat.",
        "No change is clearer than chance. That is no proof that stances stayed: with so many labels only large "
        "changes can be seen.",
    ),
    "change_month": ("Sejak", "From"),
    "change_range": ("95% di antara", "95% between"),
    "before": ("Sebelum", "Before"),
    "after": ("Sesudah", "After"),
    "behind_title": (
        "Di balik perubahan {month}: tulisan yang {stance} pada bulan-bulan sesudahnya",
        "Behind the change of {month}: posts {stance} in the months that followed",
    ),
    "behind_note": (
        "Satu tulisan seorang penulis, yang paling diyakini model, dengan kalimat yang paling menggeser keputusannya."
        " Ini contoh, bukan sebab.",
        "One post an author, those that the model is surest of, with the sentence that moved its decision most. These"
        " are examples, not causes. They are in Indonesian.",
    ),
    # composition
    "components_title": ("Siapa yang berubah: penulis atau susunan penulis", "Who changed: the writers, or who writes"),
    "components_note": (
        "Selisih porsi antara dua masa diurai: penulis yang sama berubah pikiran, penulis tertentu menulis lebih "
        "banyak, atau penulisnya lain. Dalam poin persen, selang 95% dari bootstrap atas penulis; <code>nlp-study "
        "decompose</code> mengurainya menurut topik, kategori, dan banyaknya tulisan.",
        "The difference of a share between two periods, taken apart: the same writers change their minds, some write "
        "more, or others write. In percentage points, 95% intervals by a bootstrap over authors; <code>nlp-study "
        "decompose</code> takes it apart by topic, category and output.",
    ),
    "periods_compared": ("Masa", "Periods"),
    "component_within": ("Berubah pikiran", "Minds change"),
    "component_volume": ("Menulis lebih banyak", "Some write more"),
    "component_turnover": ("Penulis lain", "Others write"),
    "component_total": ("Seluruhnya", "Total"),
    "topic_stances_corrected": (
        "Porsi dikoreksi dengan tulisan berlabel seperti pada grafik utama.",
        "Shares are corrected with labelled posts, as in the main figure.",
    ),
    "unstable_note": (
        "†: {topics} tidak stabil; bila dicari lagi dengan seed atau data yang sedikit lain, batasnya bergeser.",
        "†: {topics} not stable; found again with another seed or slightly other data, the bounds move.",
    ),
    "stability": ("Kestabilan", "Stability"),
    "limit_corrected": (
        "<strong>Kesalahan pengklasifikasi.</strong> Dikoreksi dengan {labels}. Taksiran sebulan atau setopik "
        "bersandar pada anggapan bahwa pengklasifikasi keliru dengan cara yang sama di tempat lain, sejauh labelnya "
        "sendiri terlalu sedikit. {accuracy}",
        "<strong>Classifier error.</strong> Corrected with {labels}. Estimates of a month or a topic lean on the "
        "assumption that the classifier errs there as it does elsewhere, as far as they have too few labels of their "
        "own. {accuracy}",
    ),
}
