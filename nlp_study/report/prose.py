"""The sentences of the page in Indonesian and English, in the order of the page.

Places in braces are filled with numbers or names that are already written in the language. The texts may hold inline
markup; what is filled in is escaped.
"""

from __future__ import annotations

from nlp_study.report.prose_corrected import CORRECTED
from nlp_study.report.prose_honesty import HONESTY
from nlp_study.report.prose_paper import PAPER
from nlp_study.report.prose_words import WORDS

PROSE: dict[str, tuple[str, str]] = {
    # head
    "finding_on": (
        "Menurut hitungan pengklasifikasi, yang belum dikoreksi untuk kesalahannya, <strong>{share}</strong> dari "
        "{posts} tentang <em>{target}</em> {verb} (selang kepercayaan 95%: {interval}).",
        "By the classifier’s count, not yet corrected for its errors, <strong>{share}</strong> of the {posts} on "
        "<em>{target}</em> {verb} (95% confidence interval {interval}).",
    ),
    "finding_all": (
        "Menurut hitungan pengklasifikasi, yang belum dikoreksi untuk kesalahannya, dari {posts} di dalam korpus, "
        "<strong>{share}</strong> {verb}: <em>{target}</em> (selang kepercayaan 95%: {interval}).",
        "By the classifier’s count, not yet corrected for its errors, of the {posts} in the corpus "
        "<strong>{share}</strong> {verb}: <em>{target}</em> (95% confidence interval {interval}).",
    ),
    "finding_caveat": (
        "Selang hanya mencakup ketidakpastian karena jumlah tulisan yang terbatas, bukan kesalahan pengklasifikasi.",
        "The interval covers only the uncertainty that comes with a limited number of posts, not the classifier’s "
        "errors.",
    ),
    "finding_untested": (
        "Pengklasifikasi ini belum diuji terhadap label manusia.",
        "This classifier has not been tested against human labels.",
    ),
    "finding_ends": (
        "Porsinya {first} ({first_interval}) pada dua belas bulan pertama dan {last} ({last_interval}) pada dua "
        "belas bulan terakhir.",
        "The share is {first} ({first_interval}) in the first twelve months and {last} ({last_interval}) in the last "
        "twelve.",
    ),
    "finding_off": (
        "{posts} lain dinilai tidak membahas sasaran dan tidak ikut dihitung.",
        "Another {posts} were judged not to be about the target and are left out.",
    ),
    "finding_abstained": (
        "{posts} lain dibiarkan tanpa keputusan, sebab label terbaiknya kurang pasti daripada {threshold}; porsi ini hanya "
        "milik tulisan yang diputuskan.",
        "Another {posts} are left undecided, for their best label is less probable than {threshold}; the share is of decided "
        "posts only.",
    ),
    "finding_drift": (
        "Tulisan yang diklasifikasi berbeda dari tulisan yang dipelajari model, jadi ukuran mutunya belum tentu berlaku "
        "di sini (lihat Metode dan batasan).",
        "The classified posts differ from those the model learnt from, so its figures of quality need not hold here (see "
        "Methods and limits).",
    ),
    "finding_none": (
        "Sikap terhadap <em>{target}</em> belum diklasifikasi.",
        "Stances toward <em>{target}</em> have not been classified.",
    ),
    "finding_off_only": (
        "Dari {posts} yang diklasifikasi, tidak satu pun dinilai membahas <em>{target}</em>.",
        "Of the {posts} that were classified, none was judged to be on <em>{target}</em>.",
    ),
    "demo": (
        "Laporan ini dibuat dari tulisan demonstrasi yang dikarang untuk proyek ini, bukan karya penulis sungguhan. "
        "Labelnya pun dibuat di dalam proyek, bukan oleh pembaca manusia yang mandiri. Angkanya memperlihatkan cara "
        "kerja, bukan pendapat masyarakat.",
        "This report was made from invented demonstration posts, written for this project by no real author. The "
        "labels, too, were made within the project and not by independent human readers. The numbers show how the "
        "method works, not what anybody thinks.",
    ),
    "no_script": (
        "Grafik dan pilihan bahasa memerlukan JavaScript; semua angkanya ada di tabel di bawah tiap grafik.",
        "Charts and the language switch need JavaScript; all their numbers are in the table below each chart.",
    ),
    # data
    "data_intro": (
        "Korpus berisi {posts} oleh {authors}, seluruhnya {words}.",
        "The corpus holds {posts} by {authors}, {words} in all.",
    ),
    "data_period": ("Tulisan terbit antara {first} dan {last}.", "They were published between {first} and {last}."),
    "data_undated": (
        "{posts} tidak bertanggal: ikut dalam semua jumlah, tetapi tidak masuk grafik waktu.",
        "{posts} without a date count in all totals but are left out of the charts over time.",
    ),
    "data_repeated": (
        "{posts} mengulang tulisan lain, seluruhnya atau sebagian besar; bersama tulisan pertamanya dihitung sekali.",
        "{posts} repeat another one, all or most of it; with the first of them they are counted once.",
    ),
    "data_cut": (
        "Dari {posts} hanya halaman pertama yang tersedia.",
        "Of {posts} only the first page was there.",
    ),
    "no_posts": ("Korpus masih kosong.", "The corpus is still empty."),
    "funnel_title": ("Dari halaman ke label", "From pages to labels"),
    "funnel_note": (
        "Batang sebanding dengan jumlah. Label adalah keputusan manusia yang dipakai untuk melatih dan menguji model.",
        "Bars are in proportion to the counts. Labels are human decisions, used to train and test the model.",
    ),
    "posts_title": ("Tulisan per bulan", "Posts a month"),
    "posts_note": (
        "Menurut bulan terbit, waktu Jakarta. Bulan tanpa tulisan dibiarkan kosong.",
        "By month of publication, Jakarta time. Months without posts stay empty.",
    ),
    "posts_description": (
        "Diagram batang jumlah tulisan per bulan dari {first} sampai {last}; terbanyak {top} pada {top_month}.",
        "Bar chart of posts a month from {first} to {last}; the most, {top}, in {top_month}.",
    ),
    "no_dates": (
        "Tidak ada tulisan yang bertanggal, jadi tidak ada grafik waktu.",
        "No post has a date, so there is no chart over time.",
    ),
    "sources_title": ("Sumber", "Sources"),
    "failures_title": ("Yang gagal dibaca", "What could not be read"),
    "failures_note": (
        "{failures} dicatat; yang tersering ada di bawah ini. Semuanya ada di tabel <code>failures</code>.",
        "{failures} on record; the most frequent are listed here. All are in the table <code>failures</code>.",
    ),
    "failures_none": ("Tidak ada kegagalan yang dicatat.", "No failures are on record."),
    # stance over time
    "trends_intro_on": (
        "Garis memperlihatkan porsi tiap sikap per bulan, dihitung dari tulisan yang dinilai membahas sasaran; "
        "tulisan yang tidak relevan tidak ikut. Pita adalah selang Wilson 95%: makin sedikit tulisan, makin lebar "
        "pitanya dan makin kecil titiknya. Bulan tanpa tulisan tentang sasaran tampak sebagai celah.",
        "Lines show the share of each stance a month, of the posts judged to be on the target; irrelevant posts are "
        "left out. Bands are 95% Wilson intervals: the fewer the posts, the wider the band and the smaller the dot. "
        "Months without a post on the target are gaps.",
    ),
    "trends_intro_all": (
        "Garis memperlihatkan porsi tiap label per bulan, dihitung dari semua tulisan yang diklasifikasi. Pita "
        "adalah selang Wilson 95%: makin sedikit tulisan, makin lebar pitanya dan makin kecil titiknya. Bulan tanpa "
        "tulisan tampak sebagai celah.",
        "Lines show the share of each label a month, of all posts that were classified. Bands are 95% Wilson "
        "intervals: the fewer the posts, the wider the band and the smaller the dot. Months without a post are gaps.",
    ),
    "trends_share_note": (
        "Kolom <code>share</code> di tabel <code>trends</code> memakai penyebut lain, yaitu semua tulisan yang "
        "diklasifikasi; porsi di sini dihitung ulang dari <code>n_stance</code>.",
        "The column <code>share</code> of the table <code>trends</code> has another denominator, all classified "
        "posts; shares here are counted again from <code>n_stance</code>.",
    ),
    "trends_undated": (
        "{posts} yang diklasifikasi tidak bertanggal dan tidak ada di grafik ini.",
        "{posts} that were classified have no date and are not in this chart.",
    ),
    "trends_title": ("Sikap terhadap {target} per bulan", "Stance toward {target} by month"),
    "trends_note": ("Cara hitung yang tercatat: {methods}.", "Method on record: {methods}."),
    "trends_description": (
        "Grafik garis per bulan dari {first} sampai {last}: porsi {stances}, dengan selang 95% dan jumlah tulisan di "
        "bawahnya. Selama seluruh kurun: {shares}.",
        "Line charts by month from {first} to {last}: shares of {stances}, with 95% intervals and the number of "
        "posts below. Over the whole period: {shares}.",
    ),
    "overview_title": ("Semua sasaran, seluruh kurun", "All targets, whole period"),
    "no_predictions": (
        "Sikap belum diklasifikasi: belum ada label untuk melatih model, atau belum ada model yang diberikan.",
        "Stances have not been classified: there are no labels to train a model on, and no model was given.",
    ),
    "no_trends": (
        "Belum ada hitungan per bulan untuk sasaran ini.",
        "There are no monthly counts for this target yet.",
    ),
    # topics
    "topics_intro": (
        "{topics} ditemukan di antara {segments}. Satu tulisan dapat menyentuh beberapa topik, jadi porsi topik "
        "tidak berjumlah 100%.",
        "{topics} were found among {segments}. A post can touch several topics, so the shares of topics do not add "
        "up to 100%.",
    ),
    "topics_outliers": (
        "{segments} ({share}) tidak masuk topik mana pun.",
        "{segments} ({share}) belong to no topic.",
    ),
    "topics_title": ("Porsi tulisan yang menyentuh tiap topik", "Share of posts that touch each topic"),
    "topics_note": (
        "{topics} terbesar, per {period}, dari semua tulisan bertanggal. Skala tegak sama di semua petak.",
        "The {topics} with the most segments, by {period}, of all dated posts. All panels share one vertical scale.",
    ),
    "topics_description": (
        "Petak-petak diagram batang, satu per topik, per {period}: {labels}.",
        "Panels of bars, one a topic, by {period}: {labels}.",
    ),
    "topics_table_title": ("Daftar topik", "List of topics"),
    "topics_table_note": (
        "Bobot adalah TF-IDF berbasis kelas, relatif terhadap kata terkuat dalam topik.",
        "Weights are class-based TF-IDF, relative to the strongest word of the topic.",
    ),
    "no_topics": (
        "Tidak ada topik: segmen terlalu sedikit, atau topik belum dicari.",
        "There are no topics: too few segments, or they have not been looked for yet.",
    ),
    "period_month_word": ("bulan", "month"),
    "period_quarter_word": ("triwulan", "quarter"),
    "period_year_word": ("tahun", "year"),
    # stance by topic
    "topic_stances_intro_on": (
        "Porsi sikap di antara tulisan tentang sasaran yang menyentuh tiap topik, dihitung dari prediksi apa adanya. "
        "Tulisan yang menyentuh beberapa topik dihitung di setiap topiknya.",
        "Shares of stances among the posts on the target that touch each topic, counted from the predictions as they "
        "are. A post that touches several topics counts in each of them.",
    ),
    "topic_stances_intro_all": (
        "Porsi label di antara tulisan yang menyentuh tiap topik, dihitung dari prediksi apa adanya. Tulisan yang "
        "menyentuh beberapa topik dihitung di setiap topiknya.",
        "Shares of labels among the posts that touch each topic, counted from the predictions as they are. A post "
        "that touches several topics counts in each of them.",
    ),
    "topic_stances_title": ("Sikap terhadap {target} menurut topik", "Stance toward {target} by topic"),
    "topic_stances_note_poles": (
        "Menentang di kiri, mendukung di kanan; yang netral dibagi dua di sekitar garis nol.",
        "Against to the left, in favour to the right; the neutral part straddles the zero line.",
    ),
    "topic_stances_note_plain": ("Tiap batang berjumlah 100%.", "Each bar adds up to 100%."),
    "topic_stances_description": (
        "Batang bertumpuk untuk {topics} terbesar. Porsi {stance} tertinggi pada {high} ({high_share}), terendah "
        "pada {low} ({low_share}).",
        "Stacked bars for the largest {topics}. The share {stance} is highest in {high} ({high_share}) and lowest in "
        "{low} ({low_share}).",
    ),
    "no_topic_stances": (
        "Sikap menurut topik memerlukan topik dan prediksi; salah satunya belum ada.",
        "Stance by topic needs topics and predictions; one of them is missing.",
    ),
    # quotations
    "quotations_intro": (
        "Segmen yang paling dekat dengan pusat topiknya, satu per tulisan. Sikap adalah prediksi untuk seluruh "
        "tulisan, bukan untuk paragraf ini saja.",
        "The segments nearest to the centre of their topic, one a post. The stance is predicted for the whole post, "
        "not for these paragraphs alone. The posts are in Indonesian.",
    ),
    "quotations_limited": (
        "Hanya {topics} terbesar yang dikutip di sini.",
        "Only the {topics} with the most segments are quoted here.",
    ),
    "no_quotations": ("Belum ada paragraf yang dapat dikutip.", "There are no paragraphs to quote yet."),
    # quality
    "tuned_model": ("{name}, model penelitian ini", "{name}, this study’s model"),
    "quality_intro": (
        "Diuji pada {pairs} tulisan dan sasaran yang dilabeli, dengan {folds} dan {seeds}. Lipatan dipisah menurut "
        "penulis: tidak ada penulis yang tulisannya ikut melatih model dan juga mengujinya.",
        "Tested on {pairs} of a labelled post and a target, with {folds} and {seeds}. Folds are split by author: no "
        "author’s posts both train a model and test it.",
    ),
    "quality_better": (
        "F1 makro model penelitian ini adalah {tuned}, {difference} di atas pembanding terbaik ({baseline}, {base}).",
        "This study’s model reaches a macro-F1 of {tuned}, {difference} above the best baseline ({baseline}, {base}).",
    ),
    "quality_worse": (
        "F1 makro model penelitian ini adalah {tuned}, {difference} di bawah pembanding terbaik ({baseline}, "
        "{base}); cara yang lebih sederhana masih lebih baik di sini.",
        "This study’s model reaches a macro-F1 of {tuned}, {difference} below the best baseline ({baseline}, "
        "{base}); a simpler method is still better here.",
    ),
    "no_evaluation": (
        "Model tidak diuji: tidak ada label manusia yang dapat dibandingkan dengan prediksinya. Porsi di halaman ini "
        "tidak boleh dibaca sebagai temuan sebelum modelnya diuji.",
        "The model was not evaluated: there are no human labels to compare its predictions with. Shares on this page "
        "should not be read as findings before it is.",
    ),
    "scores_title": ("F1 makro setiap model", "Macro-F1 of each model"),
    "scores_note": (
        "Rata-rata F1 semua label tanpa bobot; garis tipis adalah simpangan baku antar-seed acak. 1 berarti tanpa "
        "salah.",
        "The unweighted mean of all labels’ F1; the thin line is the standard deviation over seeds. 1 means no error.",
    ),
    "scores_description": ("Diagram batang F1 makro: {scores}.", "Bar chart of macro-F1: {scores}."),
    "scores_targets_title": ("F1 makro per sasaran", "Macro-F1 by target"),
    "classes_title": ("Per label: {model}", "By label: {model}"),
    "confusion_title": ("Di mana model keliru: {model}", "Where the model errs: {model}"),
    "confusion_note": (
        "Jumlah pasangan, dijumlahkan atas semua seed acak. Warna mengikuti porsi dalam baris; diagonal adalah yang "
        "benar.",
        "Counts of pairs, summed over seeds. The colour follows the share within the row; the diagonal is what is "
        "right.",
    ),
    "confusion_description": (
        "Peta panas label manusia terhadap prediksi; {right} dari {total} berada di diagonal.",
        "Heat map of human labels against predictions; {right} of {total} lie on the diagonal.",
    ),
    "labels_title": ("Label manusia", "Human labels"),
    "labels_note": ("{labels} oleh {annotators}.", "{labels} by {annotators}."),
    # methods
    "method_segments": (
        "Tiap tulisan dibagi menjadi segmen berisi paragraf utuh, {min_words} sampai {max_words} kata; seluruhnya "
        "{segments}. Topik dicari di antara vektor segmen itu (enkoder <code>{encoder}</code>), supaya tulisan "
        "panjang tidak terpotong.",
        "Each post is divided into segments of whole paragraphs, {min_words} to {max_words} words; {segments} in "
        "all. Topics are found among their vectors (encoder <code>{encoder}</code>), so that long posts are not cut.",
    ),
    "method_stance": (
        "Sikap selalu milik pasangan tulisan dan sasaran. Pengklasifikasi ({models}) membaca judul, kalimat "
        "di sekitar penyebutan sasaran, serta bagian awal dan akhir, dalam jendela-jendela: {windows} untuk {predictions}.",
        "A stance always belongs to a pair of a post and a target. The classifier ({models}) reads the title, the "
        "sentences around each mention of the target, and opening and ending, in windows: {windows} for {predictions}.",
    ),
    "method_tokens": (
        "Terbaca {read} dari {total} token ({share}).",
        "It read {read} of {total} tokens ({share}).",
    ),
    "method_origins": ("Asal prediksi: {origins}.", "Predictions come from: {origins}."),
    "method_origin": ("{n} dari {origin}", "{n} from {origin}"),
    "method_in_sample": (
        "Prediksi dari model yang dilatih dengan labelnya sendiri tampak lebih baik daripada sebenarnya.",
        "Predictions by a model trained on their own labels look better than they are.",
    ),
    "method_seeds": (
        "Seed acak studi: {seed}; penilaian memakai {seeds}.",
        "The study’s seed is {seed}; the evaluation uses {seeds}.",
    ),
    "limits_title": ("Batasan", "Limits"),
    "limit_errors": (
        "<strong>Kesalahan pengklasifikasi.</strong> Porsi dihitung dari prediksi, belum dikoreksi. {accuracy}",
        "<strong>Classifier error.</strong> Shares are counted from predictions and not yet corrected. {accuracy}",
    ),
    "limit_accuracy": (
        "Pada data uji, {share} prediksi keliru.",
        "On held-out pairs, {share} of the predictions are wrong.",
    ),
    "limit_not_evaluated": ("Seberapa sering ia keliru tidak diketahui.", "How often it errs is not known."),
    "limit_authors": (
        "<strong>Penulis yang sangat produktif.</strong> {authors} teratas menulis {share} dari semua tulisan yang "
        "diketahui penulisnya. Selang di sini menganggap tulisan saling bebas, sehingga terlalu sempit bila satu "
        "penulis menulis banyak.",
        "<strong>Authors who post much.</strong> The {authors} with the most posts wrote {share} of all posts with a "
        "known author. The intervals treat posts as independent and are too narrow where one author wrote many.",
    ),
    "limit_site": (
        "<strong>Penulis di situs, bukan masyarakat.</strong> Korpus memuat orang yang memilih menulis di sumber "
        "ini; porsi di sini bukan pendapat umum.",
        "<strong>Writers on a site, not the public.</strong> The corpus holds people who chose to write at these "
        "sources; the shares are not public opinion.",
    ),
    "limit_months": (
        "<strong>Bulan yang sepi.</strong> Dengan segelintir tulisan, satu tulisan saja menggeser porsi bulan itu "
        "jauh; bacalah pitanya, bukan titiknya.",
        "<strong>Quiet months.</strong> With a handful of posts, a single one moves a month’s share far; read the "
        "band, not the dot.",
    ),
    "limit_topics": (
        "<strong>Topik adalah bantuan baca.</strong> Topik ditemukan mesin dari kemiripan teks dan diberi nama "
        "menurut kata-katanya; namanya bukan hasil pembacaan manusia.",
        "<strong>Topics are an aid to reading.</strong> They are found by machine from the likeness of texts and "
        "named by their words; the names are nobody’s reading.",
    ),
    "model_title": ("Model", "Model"),
    # provenance
    "provenance_intro": (
        "Setiap tabel di balik halaman ini menyimpan catatan: kapan dibuat, dari apa, dan dengan versi apa. Dua "
        "tabel dengan sidik data yang sama berisi sama.",
        "Every table behind this page keeps a record of when it was made, from what and with which versions. Two "
        "tables with the same digest hold the same rows.",
    ),
    "provenance_none": ("Belum ada catatan pembuatan tabel.", "There are no run records yet."),
    "records_title": ("Catatan pembuatan", "Run records"),
    "cite_title": ("Mengutip", "How to cite"),
    "cite": (
        "“{title}”. Laporan studi <code>{name}</code>, nlp-study {version}, {date}. Sidik data tulisan: "
        "<code>{digest}</code>.",
        "“{title}”. Report of the study <code>{name}</code>, nlp-study {version}, {date}. Digest of the posts: "
        "<code>{digest}</code>.",
    ),
    "reproduce_title": ("Mengulang", "How to reproduce"),
    "reproduce": (
        "Di folder yang berisi <code>study.toml</code> yang sama, dengan versi perangkat lunak yang sama:",
        "In a folder with the same <code>study.toml</code> and the same software versions:",
    ),
    "colophon": (
        "Halaman ini satu berkas, dapat dibuka tanpa jaringan, dan tidak mengambil apa pun dari mana pun.",
        "This page is a single file, opens offline, and loads nothing from anywhere.",
    ),
    **HONESTY,
    **WORDS,
    **CORRECTED,
    **PAPER,
}
