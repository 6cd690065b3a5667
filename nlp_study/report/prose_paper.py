"""The methods text for a paper."""

from __future__ import annotations

PAPER: dict[str, tuple[str, str]] = {
    "paper_title": ("Teks metode untuk makalah", "Methods text for a paper"),
    "paper_intro": (
        "Angkanya dari studi ini; kalimatnya boleh dipakai dan diubah dengan bebas.",
        "The numbers are this study’s; the sentences may be used and changed freely.",
    ),
    "paper_references": ("Pustaka", "References"),
    "paper_data": (
        "Korpus terdiri atas {posts} ({words}) oleh {authors}, terbit antara {first} dan {last}.",
        "The corpus holds {posts} ({words}) by {authors}, published between {first} and {last}.",
    ),
    "paper_repeated": (
        "{posts} yang mengulang tulisan lain, seluruhnya atau sebagian besar, dihitung sekali bersama tulisan "
        "pertamanya.",
        "{posts} that repeat another one in whole or for the most part were counted once, with the first.",
    ),
    "paper_labels": (
        "Sikap dilabeli secara manual pada {posts} sebagai {stances}.",
        "Stances were labelled by hand in {posts} as {stances}.",
    ),
    "paper_alpha": (
        "Pada {pairs} yang dibaca lebih dari satu orang, α Krippendorff adalah {alpha} (selang 95% {low}–{high}; "
        "bootstrap atas tulisan; Krippendorff, 2011).",
        "On {pairs} read by more than one person, Krippendorff’s α is {alpha} (95% interval {low}–{high}, bootstrap "
        "over posts; Krippendorff, 2011).",
    ),
    "paper_probe": (
        "Tiap tulisan dibaca utuh dalam jendela-jendela oleh enkoder {encoder}; vektor judul, kalimat di sekitar "
        "penyebutan sasaran, bagian awal, dan bagian akhir dirata-ratakan dan menjadi masukan regresi logistik.",
        "Each post was read whole, in windows, by the encoder {encoder}; the vectors of the title, of the sentences "
        "around each mention of the target, of the opening and of the ending were averaged and fed to a logistic "
        "regression.",
    ),
    "paper_probe_words": (
        "Model kedua membaca kata dan pasangan kata (TF-IDF); bobot keduanya ditetapkan pada penulis yang tidak ikut "
        "melatihnya.",
        "A second model reads words and pairs of words (TF-IDF); the two are weighed on authors that trained neither.",
    ),
    "paper_tuned": (
        "Enkoder {encoder} dilatih lanjut (fine-tuning) pada label itu; tulisan panjang dibaca dalam jendela-jendela "
        "dan tidak dipotong.",
        "The encoder {encoder} was fine-tuned on these labels; long posts are read in windows and not cut.",
    ),
    "paper_evaluation": (
        "Pada validasi silang {folds} lipatan dengan penulis terpisah, diulang dengan {seeds} seed acak, F1 makronya "
        "{f1} (simpangan baku antar-seed {spread}).",
        "In {folds}-fold cross-validation with disjoint authors, repeated with {seeds} random seeds, its macro-F1 is "
        "{f1} (standard deviation over seeds {spread}).",
    ),
    "paper_baseline": ("Pembanding terbaik, {name}, mencapai {f1}.", "The best baseline, {name}, reaches {f1}."),
    "paper_calibration": (
        "Galat kalibrasi yang diharapkan (ECE) pada data uji adalah {error}.",
        "The expected calibration error on held-out posts is {error}.",
    ),
    "paper_estimates": (
        "Porsi sikap ditaksir dengan taksiran bertenaga prediksi: rata-rata probabilitas prediksi semua tulisan, "
        "ditambah rata-rata berbobot selisih label dan prediksi pada {labels} yang ditarik dengan peluang diketahui "
        "(Särndal dkk., 1992; Angelopoulos dkk., 2023). Prediksi tulisan berlabel berasal dari model yang tidak "
        "melihat penulisnya. Bobot prediksi (λ = {power}) meminimalkan ragam. Ragam memperhitungkan bahwa tulisan "
        "seorang penulis tidak saling bebas; selang 95% adalah selang skor dengan ukuran sampel efektif (Franco dkk.,"
        " 2019). Untuk masa dan topik dengan sedikit label, label sendiri digabungkan dengan prediksi yang "
        "disesuaikan oleh semua label, menurut ragam keduanya (Rao & Molina, 2015).",
        "Shares of stances are prediction-powered estimates: the mean predicted probability over all posts, plus the "
        "weighted mean of label minus prediction over {labels} drawn with known probability (Särndal et al., 1992; "
        "Angelopoulos et al., 2023). Predictions for labelled posts are by models that did not see their authors. The"
        " weight of the predictions (λ = {power}) minimizes the variance. Variances take into account that posts of "
        "one author are not independent; 95% intervals are score intervals with the effective sample size (Franco et "
        "al., 2019). For periods and topics with few labels, their own labels are combined with predictions adjusted "
        "by all labels, by the variances of the two (Rao & Molina, 2015).",
    ),
    "paper_trend": (
        "Porsi bulanan dihaluskan dengan model tingkat lokal (Durbin & Koopman, 2012); pita serempak mencakup semua "
        "bulan sekaligus. Perubahan tingkat diuji dengan permutasi bulan pada taraf 5% untuk semua sikap dan bulan "
        "bersama-sama; perubahan yang ditemukan: {changes}.",
        "Monthly shares were smoothed with a local level model (Durbin & Koopman, 2012); simultaneous bands hold for "
        "all months at once. Changes of level were tested by permutation of the months at 5% for all stances and "
        "months together; changes found: {changes}.",
    ),
    "paper_topics": (
        "{topics} dicari di antara {segments} (paragraf utuh) dengan vektor {encoder} dan kata-katanya.",
        "{topics} were found among {segments} (whole paragraphs) by their vectors ({encoder}) and words.",
    ),
    "paper_stability": (
        "Pencarian diulang dengan seed lain dan sampel bootstrap; {stable} di antaranya stabil (indeks Jaccard "
        "rata-rata 0,6 atau lebih; Hennig, 2007).",
        "The search was repeated with other seeds and bootstrap samples; {stable} of them are stable (mean Jaccard "
        "index of 0.6 or more; Hennig, 2007).",
    ),
    "paper_words": (
        "Tulisan diurai menjadi {tokens} token. Kata kunci dibandingkan dengan log-likelihood dan log ratio (Rayson &"
        " Garside, 2000; Hardie, 2014), sanding kata dengan logDice (Rychlý, 2008).",
        "Posts were parsed into {tokens} tokens. Keywords were compared by log-likelihood and log ratio (Rayson & "
        "Garside, 2000; Hardie, 2014), collocates by logDice (Rychlý, 2008).",
    ),
    "paper_software": (
        "Semua perhitungan dilakukan dengan nlp-study {version} (seed {seed}; sidik data tulisan {digest}).",
        "All computations were made with nlp-study {version} (seed {seed}; digest of the posts {digest}).",
    ),
}
