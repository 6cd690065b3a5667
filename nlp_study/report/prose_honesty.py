"""The sentences on why a post got its label, how honest probabilities are, and whether posts are like the training ones."""

from __future__ import annotations

HONESTY: dict[str, tuple[str, str]] = {
    # evidence
    "evidence_intro": (
        "Untuk tiap sikap ada dua tulisan: satu dengan keputusan paling jelas, satu dengan keputusan paling tipis. Di "
        "bawahnya tiga kalimat yang paling menggeser keputusan itu. Bobot adalah bagian kalimat dalam keunggulan label "
        "yang dipilih atas label kedua (log-odds); bobot negatif melawan keputusan. Dalam memilih label, semua label "
        "dihitung setara, seberapa jarang pun; karena itu label yang dipilih kadang bukan yang paling mungkin.",
        "For each stance there are two posts: the clearest decision and the closest one, each with the three sentences that "
        "moved it most. A weight is the sentence’s part of the lead of the chosen label over the second one (log-odds); "
        "a negative weight speaks against the decision. In choosing a label all labels count alike, however rare; so the "
        "chosen label is sometimes not the most probable one. The posts are in Indonesian.",
    ),
    "evidence_caption": (
        "Kalimat yang paling menggeser keputusan: {title}",
        "Sentences that moved the decision most: {title}",
    ),
    "evidence_verdict": (
        "{share}; berikutnya {second}, {second_share}",
        "{share}; next {second}, {second_share}",
    ),
    "evidence_out_of": (
        "Semuanya ada di tabel <code>evidence</code>; <code>nlp-study show</code> mencetaknya untuk satu tulisan.",
        "All are in the table <code>evidence</code>; <code>nlp-study show</code> prints them for one post.",
    ),
    "no_evidence": (
        "Belum ada kalimat pendukung: tulisan belum diklasifikasi.",
        "There are no sentences to show: posts have not been classified yet.",
    ),
    # reliability
    "reliability_title": (
        "Seberapa jujur probabilitasnya: benar terhadap keyakinan",
        "How honest the probabilities are: right against confident",
    ),
    "reliability_note": (
        "Tiap titik: prediksi tulisan yang tidak ikut melatih model, dikelompokkan menurut probabilitas label yang paling "
        "mungkin. "
        "Pada garis putus-putus, model sama yakinnya dengan seringnya ia benar; di bawahnya ia terlalu yakin. Garis tegak: "
        "selang 95% yang menghitung tulisan seorang penulis bersama-sama. Galat kalibrasi (ECE) {error}; model yang "
        "jujur pun memberi sekitar {expected} karena kebetulan. {predictions} untuk {pairs}.",
        "Each point: predictions for posts that did not train the model, grouped by the probability of the most probable "
        "label. On "
        "the dashed line the model is as sure as it is often right; below it, too sure. Vertical lines: 95% intervals that "
        "take posts of one author together. Calibration error (ECE) {error}; an honest model, too, shows about "
        "{expected} by chance. {predictions} for {pairs}.",
    ),
    "reliability_description": (
        "Diagram titik: keyakinan rata-rata dan bagian yang benar. {parts}.",
        "Dot chart: mean confidence and the part that is right. {parts}.",
    ),
    "reliability_classes_title": (
        "Seberapa jujur probabilitas tiap label",
        "How honest the probability of each label is",
    ),
    "reliability_classes_note": (
        "Seperti di atas, untuk probabilitas tiap label sendiri: mendatar probabilitasnya, tegak seberapa sering label "
        "manusia memang itu. Titik besar: banyak prediksi.",
        "As above, for the probability of each label alone: across, how probable it was called; up, how often the human "
        "label is that one. Large points: many predictions.",
    ),
    "reliability_classes_description": (
        "Satu petak untuk tiap label: {stances}.",
        "One panel a label: {stances}.",
    ),
    # abstention and drift
    "method_abstained": (
        "{predictions} dibiarkan tanpa keputusan karena label terbaiknya kurang pasti daripada {threshold}; prediksi itu "
        "tidak masuk porsi mana pun.",
        "{predictions} are left undecided, for their best label is less probable than {threshold}; they stand in no share.",
    ),
    "drift_title": (
        "Apakah tulisan ini seperti yang dipelajari model?",
        "Are these posts like those the model learnt from?",
    ),
    "drift_calm": (
        "{posts} yang belum pernah dilihat model ({writers}) dibandingkan dengan {training}. Tidak ada perbedaan yang "
        "cukup besar untuk diperingatkan.",
        "{posts} that the model had not seen ({writers}) were compared with {training}. No difference is large enough for "
        "a warning.",
    ),
    "drift_warns": (
        "<strong>Peringatan.</strong> {posts} yang belum pernah dilihat model ({writers}) berbeda dari {training}. Ukuran "
        "mutu di atas belum tentu berlaku untuknya; labeli sebagian, lalu latih model lagi.",
        "<strong>Warning.</strong> {posts} that the model had not seen ({writers}) differ from {training}. The figures of "
        "quality above need not hold for them; label some of them and train the model again.",
    ),
    "drift_training": (
        "{posts} ({writers}) yang dipakai untuk melatih",
        "the {posts} ({writers}) it was trained on",
    ),
    "drift_none_new": (
        "Semua tulisan dilabeli untuk model ini, jadi tidak ada tulisan baru yang dapat dibandingkan.",
        "Every post was labelled for this model, so there are no new posts to compare.",
    ),
    "drift_too_few": (
        "Penulisnya terlalu sedikit untuk dibandingkan: {writers} di sini, {training_writers} saat dilatih.",
        "There are too few writers to compare: {writers} here, {training_writers} in training.",
    ),
    "drift_unknown": (
        "Tidak diketahui: model ini dibuat sebelum model mengingat tulisan yang dipelajarinya.",
        "Not known: this model was made before models remembered the posts they learnt from.",
    ),
    "drift_note": (
        "Penulis adalah satuannya. Kata yang tidak dikenal: bagian kata yang tidak ada pada sedikitnya lima tulisan tiga "
        "penulis lain. Vektor: jarak Mahalanobis; pada 1 simpangan baku pengklasifikasi linear dapat membedakan kedua korpus "
        "pada 69% tulisan, pada 2 pada 84%. Label: bagian tulisan yang harus berganti label (jarak variasi total). "
        "Diperingatkan hanya bila jaraknya besar dan bukan kebetulan (p &lt; 0,01).",
        "Writers are the unit. Unknown words: those not in at least five posts by three other writers. Vectors: Mahalanobis "
        "distance; at 1 standard deviation a linear classifier can tell the two corpora apart for 69% of the posts, at 2 "
        "for 84%. Labels: the part of posts that would have to change theirs (total variation distance). There is a "
        "warning only where the difference is large and no chance (p &lt; 0.01).",
    ),
    # agreement
    "agreement_title": ("Kesepakatan pelabel", "Agreement of annotators"),
    "agreement_intro": (
        "{pairs} dibaca oleh dua orang atau lebih. α Krippendorff adalah 1 bila semua sepakat dan 0 bila kesepakatan hanya "
        "kebetulan; selangnya dari bootstrap atas tulisan.",
        "{pairs} of a post and a target were read by two people or more. Krippendorff’s α is 1 where all agree and 0 where "
        "agreement is chance; intervals are from a bootstrap over posts.",
    ),
    "agreement_labels_title": ("Tiap label terhadap semua yang lain", "Each label against all others"),
    "agreement_note": (
        "Keputusan akhir (adjudikasi) bukan pembacaan dan tidak ikut dihitung.",
        "Adjudicated decisions are no readings and are not counted.",
    ),
    "agreement_demo": (
        "Pembacaan tulisan demonstrasi dibuat di dalam proyek ini; angkanya bukan kesepakatan pelabel manusia yang mandiri.",
        "The demonstration posts were read within this project; these figures are no agreement of independent annotators.",
    ),
    "agreement_none": (
        "Tidak diketahui: tidak ada tulisan yang dilabeli dua orang. Tanpa itu tidak diketahui apakah orang lain akan "
        "memberi label yang sama.",
        "Not known: no post was labelled by two people. Without that nobody knows whether others would label the same way.",
    ),
    "all_annotators": ("Semua", "All"),
    "annotators": ("Pelabel", "Annotators"),
    "read_by_both": ("Dibaca bersama", "Read in common"),
    "same_label": ("Sepakat", "Same label"),
    "differences_title": ("Pembacaan yang berbeda", "Readings that differ"),
    "differences_show": ("Tampilkan pembacaan yang berbeda ({n})", "Show readings that differ ({n})"),
    "differences_hide": ("Sembunyikan", "Hide"),
    "readings": ("Pembacaan", "Readings"),
    "adjudicated": ("Keputusan akhir", "Adjudicated"),
}
