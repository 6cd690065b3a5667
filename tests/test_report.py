"""The report: hand-computed numbers, both languages, hostile text, poor studies, and a real browser."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import string
from datetime import date, datetime

import pytest

from nlp_study.metrics import BASELINES
from nlp_study.report.content import gather_content
from nlp_study.report.numbers import Formatter, make_share, vega_locale
from nlp_study.report.palette import DARK, LIGHT, contrast
from nlp_study.report.prose import PROSE
from nlp_study.report.shell import script_json
from nlp_study.report.stances import choose_stances
from nlp_study.report.texts import LABELS, MODELS, NOUNS, Texts
from nlp_study.report.themes import shorten
from nlp_study.schema import Failure, Stance, TableName
from nlp_study.store import Corpus

from .report_tables import (
    ALL,
    HOSTILE,
    POSTS,
    make_study,
    post_row,
    prediction_row,
    report,
    trend_rows,
    write_everything,
    write_labels,
    write_posts,
    write_stances,
    write_table,
    write_topics,
)

# ---- numbers ---------------------------------------------------------------------------------------------------------


def test_funnel_counts_what_the_tables_hold(corpus: Corpus) -> None:
    write_everything(corpus)
    page = report(make_study(), corpus)
    rows = {row[0]: row[1] for row in page.table("id", "Dari halaman ke label") if len(row) > 1 and row[1]}
    assert rows == {
        "Tahap": "Tulisan",
        "Halaman yang dibaca": "9",
        "Tulisan yang diperoleh": "8",
        "Tulisan bertanggal": "6",
        "Diklasifikasi": "8",
        "Dinilai membahas sasaran": "6",
        "Dilabeli oleh manusia": "3",
    }
    # 8 posts of 300 words; p0 and p1 share an account
    assert "Korpus berisi 8 tulisan oleh 7 penulis, seluruhnya 2.400 kata." in page.text("id")
    assert "The corpus holds 8 posts by 7 authors, 2,400 words in all." in page.text("en")
    assert "2 tulisan tidak bertanggal" in page.text("id")
    assert page.table("en", "What could not be read")[1] == ["import", "tanggal tak terbaca", "2"]


def test_finding_states_share_interval_and_count(corpus: Corpus) -> None:
    # favor: p0, p1, p5, p6 of the six posts on the target; Wilson by hand: centre .60161, half width .30162
    write_everything(corpus)
    page = report(make_study(), corpus)
    assert (
        "Menurut hitungan pengklasifikasi, yang belum dikoreksi untuk kesalahannya, 67% dari 6 tulisan tentang "
        "pasar digital mendukungnya (selang kepercayaan 95%: 30–90%)." in page.text("id")
    )
    assert (
        "By the classifier’s count, not yet corrected for its errors, 67% of the 6 posts on digital markets support it "
        "(95% confidence interval 30–90%)." in page.text("en")
    )
    assert "2 tulisan lain dinilai tidak membahas sasaran" in page.text("id")


def test_monthly_shares_are_of_posts_on_the_target(corpus: Corpus) -> None:
    write_everything(corpus)
    page = report(make_study(), corpus)
    header, *rows = page.table("id", "Sikap terhadap pasar digital per bulan")
    assert header[:5] == ["Bulan", "Diklasifikasi", "Tentang sasaran", "Mendukung", "Selang 95%"]
    # January: 2 of 3 on the target, Wilson by hand .20766 to .93851; trends.share would say 2 of 4
    assert rows[0][:5] == ["Jan 2021", "4", "3", "67% (2)", "21–94%"]
    assert rows[1] == ["Feb 2021", "0", "0", *["–"] * 6]
    assert rows[2][:5] == ["Mar 2021", "2", "2", "50% (1)", "9–91%"]
    drawn = [row for row in page.charts["rows"]["trend-0"] if row["stance"] == "favor"]
    assert [row["share"] for row in drawn] == [0.66667, None, 0.5]
    assert (drawn[0]["low"], drawn[0]["high"]) == (0.20766, 0.93851)
    assert [row["n"] for row in page.charts["rows"]["volume-0"]] == [3, 1, 0, 0, 2, 0]
    assert "2 tulisan yang diklasifikasi tidak bertanggal" in page.text("id")
    assert "selang Wilson atas prediksi yang dihitung apa adanya" in page.text("id")


def test_posts_are_counted_in_jakarta_months(corpus: Corpus) -> None:
    late = datetime.fromisoformat("2021-01-31T23:30:00+00:00")
    write_table(corpus, TableName.POSTS, [post_row("p0", None, published_at=late)])
    assert report(make_study(), corpus).table("en", "Posts a month")[1:] == [["Feb 2021", "1"]]


def test_shares_of_the_first_and_last_year_are_counted_together(corpus: Corpus) -> None:
    write_posts(corpus)
    write_table(corpus, TableName.PREDICTIONS, [prediction_row("p0", "favor")])
    months = {
        date(2019 + i // 12, i % 12 + 1, 1): {"favor": 1 if i < 12 else 3, "against": 3 if i < 12 else 1}
        for i in range(24)
    }
    write_table(corpus, TableName.TRENDS, trend_rows(months))
    target = gather_content(make_study(), corpus).targets[0]
    assert target.ends is not None
    assert [(share.n, share.total) for share in target.ends] == [(12, 48), (36, 48)]
    assert "Porsinya 25% (15–39%) pada dua belas bulan pertama dan 75% (61–85%)" in report(make_study(), corpus).text(
        "id"
    )


def test_topics_and_their_stances(corpus: Corpus) -> None:
    write_everything(corpus)
    page = report(make_study(), corpus)
    # topic 1 (p0, p1, p4, p6): favor 3, neutral 1; topic 2 (p2, p3, p5): favor 1, against 1, irrelevant 1
    rows = {row[0]: row[1:] for row in page.table("en", "Stance toward digital markets by topic")[1:]}
    assert rows["1. warung, pasar, lapak"][:2] == ["4", "4"]
    assert rows["1. warung, pasar, lapak"][2] == "75% (3)"
    assert rows["2. sinyal, desa, kabel"] == ["3", "2", "50% (1)", "9–91%", "50% (1)", "9–91%", "0% (0)", "0–66%"]
    assert rows["Without a topic"][:3] == ["1", "0", "–"]
    # of the dated posts: January p0..p3, March p4 and p5
    over_time = page.table("en", "Share of posts that touch each topic")
    assert over_time[1] == ["Jan 2021", "4", "50% (2)", "50% (2)"]
    assert over_time[2] == ["Feb 2021", "0", "–", "–"]
    bars = {(row["order"], row["stance"]): row for row in page.charts["rows"]["topic-stances-0"]}
    assert bars[1, "against"]["start"] == -0.5
    assert bars[1, "favor"]["end"] == 0.5
    assert "2 topik ditemukan di antara 8 segmen." in page.text("id")
    assert "1 segmen (12%) tidak masuk topik mana pun." in page.text("id")


def test_posts_that_repeat_one_another_are_counted_once(corpus: Corpus) -> None:
    write_everything(corpus)
    before = gather_content(make_study(), corpus)
    row = {"group": "p0", "position": 1, "is_first": False, "kind": "near", "share": 0.9, "nearest": "p0"}
    first = {"post_id": "p0", "group": "p0", "position": 0, "is_first": True, "share": 1.0}
    write_table(corpus, TableName.DUPLICATES, [first, {"post_id": "p1", **row}])
    after = gather_content(make_study(), corpus)
    stance = Stance(POSTS["p1"][1])
    assert after.targets[0].counts[stance] == before.targets[0].counts[stance] - 1
    assert after.data.n_posts == before.data.n_posts and after.data.n_repeated == 1
    assert "repeat another one" in report(make_study(), corpus).text("en")


def test_quotations_name_the_post_and_its_stance(corpus: Corpus) -> None:
    write_everything(corpus)
    write_table(
        corpus,
        TableName.POSTS,
        [
            post_row(p, m, url="javascript:alert(1)" if p == "p0" else f"https://contoh.id/{p}")
            for p, (m, _) in POSTS.items()
        ],
    )
    page = report(make_study(), corpus)
    assert "oleh Penulis p0, 15 Januari 2021 Mendukung probabilitas 0,81" in page.text("id")
    assert "by Penulis p4, 15 March 2021 Neutral probability 0.81" in page.text("en")
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a" and not str(attrs["href"]).startswith("#")]
    assert "https://contoh.id/p1" in links
    assert not [link for link in links if "javascript" in str(link)]
    assert ("blockquote", {"lang": "id"}) in page.tags


def test_long_segments_are_shortened() -> None:
    assert shorten("satu dua\n\n\n\ntiga empat", 3) == (["satu dua", "tiga …"], True)
    assert shorten("satu dua\n\ntiga", 3) == (["satu dua", "tiga"], False)
    assert shorten("satu dua\n\ntiga", 2) == (["satu dua"], True)


def test_quality_beside_its_baselines(corpus: Corpus) -> None:
    write_everything(corpus)
    page = report(make_study(), corpus)
    # tuned: macro-F1 1 and (2/3 + 0 + 1) / 3 = .5556, mean .7778, deviation .2222; baseline (1/2 + 0 + 0) / 3
    assert page.table("id", "F1 makro setiap model")[1:] == [
        ["enkoder-kecil, model penelitian ini", "0,778", "0,222", "83,3%", "3"],
        ["Kelas terbanyak", "0,167", "0,000", "33,3%", "3"],
    ]
    assert page.table("en", "By label: enkoder-kecil, this study’s model")[1:3] == [
        ["In favour", "0.67", "1.00", "0.80", "1"],
        ["Against", "1.00", "0.50", "0.67", "1"],
    ]
    assert page.table("en", "Where the model errs: enkoder-kecil, this study’s model")[2] == [
        "Against",
        "1",
        "1",
        "0",
        "0",
        "2",
    ]
    assert "Tested on 3 pairs of a labelled post and a target, with 3 folds and 2 random seeds." in page.text("en")
    assert "macro-F1 of 0.78, 0.61 above the best baseline (Most frequent class, 0.17)" in page.text("en")
    assert page.table("id", "Label manusia")[1] == ["pasar digital", "1", "1", "1", "0", "3"]
    assert "Pada data uji, 16,7% prediksi keliru." in page.text("id")


def test_evaluations_of_labels_the_study_no_longer_uses_are_left_out(corpus: Corpus) -> None:
    write_everything(corpus)
    scores = gather_content(make_study(stances=("favor", "against")), corpus).quality.scores
    assert {score.model: score.n_pairs for score in scores} == {"enkoder-kecil": 2, "majority": 2}


def test_methods_and_provenance(corpus: Corpus) -> None:
    write_everything(corpus)
    page = report(make_study(), corpus)
    assert "Terbaca 3.200 dari 4.000 token (80,0%)." in page.text("id")
    assert "Predictions come from: 5 from final model and 3 from a model that never saw the author." in page.text("en")
    assert "7 penulis teratas menulis 100,0% dari semua tulisan" in page.text("id")
    assert ["Labels trained on", "3"] in page.table("en", "Model")
    assert "/rumah/rahasia" not in page.html
    posts = corpus.record(TableName.POSTS)
    assert posts is not None
    records = {row[0]: row for row in page.table("id", "Catatan pembuatan")}
    assert records["posts"] == ["posts", "import", "2 Maret 2026, 10.14 WIB", "8", "1,5 detik", posts.digest]
    assert "nlp-study run" in page.text("en")
    assert posts.digest in page.text("en")


def test_demonstration_posts_are_called_invented(corpus: Corpus) -> None:
    write_everything(corpus)
    source = {"name": "arsip", "path": "../corpus/demo/posts.jsonl", "format": "jsonl"}
    page = report(make_study(sources=[source]), corpus)
    assert "invented demonstration posts" in page.text("en")
    assert page.table("en", "Sources")[1] == ["arsip", "jsonl", "8"]
    assert "invented demonstration posts" not in report(make_study(), corpus).text("en")


def test_the_same_tables_give_the_same_file(corpus: Corpus) -> None:
    write_everything(corpus)
    assert report(make_study(), corpus).html == report(make_study(), corpus).html


def test_a_corpus_that_ran_queries_before_is_read_afresh(corpus: Corpus) -> None:
    write_posts(corpus)
    assert corpus.fetch("SELECT count(*) AS n FROM posts").to_pylist() == [{"n": 8}]
    write_table(corpus, TableName.POSTS, [post_row("p0", None)])
    assert gather_content(make_study(), corpus).data.n_posts == 1


# ---- words and numbers -----------------------------------------------------------------------------------------------


def test_numbers_are_written_as_readers_write_them() -> None:
    indonesian, english = Formatter("id"), Formatter("en")
    assert (indonesian.decimal(1234.56, 1), english.decimal(1234.56, 1)) == ("1.234,6", "1,234.6")
    assert (indonesian.integer(1234567), english.integer(1234567)) == ("1.234.567", "1,234,567")
    assert (indonesian.percent(0.1234), indonesian.decimal(None)) == ("12,3%", "–")
    assert [indonesian.month(date(2021, month, 1)) for month in (5, 8, 10, 12)] == [
        "Mei 2021",
        "Agu 2021",
        "Okt 2021",
        "Des 2021",
    ]
    assert (indonesian.period(date(2021, 4, 1), "quarter"), english.period(date(2021, 4, 1), "year")) == (
        "T2 2021",
        "2021",
    )
    assert indonesian.share(make_share(1, 3)) == "33%"
    assert indonesian.share(make_share(100, 300)) == "33,3%"
    assert indonesian.interval(make_share(0, 0)) == "–"
    assert vega_locale("id")["number"]["decimal"] == ","
    assert vega_locale("id")["time"]["shortMonths"][7] == "Agu"


def test_both_languages_say_the_same_with_the_same_places() -> None:
    for key, pair in {**LABELS, **PROSE}.items():
        places = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in pair]
        assert places[0] == places[1], key
        assert re.findall(r"<\w+", pair[0]) == re.findall(r"<\w+", pair[1]), key
    assert set(NOUNS) and set(MODELS) == set(BASELINES)
    assert (Texts("en").count("post", 1), Texts("en").count("post", 2)) == ("1 post", "2 posts")
    assert Texts("id").join(["a", "b", "c"]) == "a, b dan c"


def test_each_edition_is_marked_with_its_language(corpus: Corpus) -> None:
    write_everything(corpus)
    for language, other in (("id", "en"), ("en", "id")):
        page = report(make_study(language=language), corpus)
        assert ("html", {"lang": language}) in page.tags
        editions = [attrs for _, attrs in page.tags if attrs.get("class") == "edition"]
        assert [(attrs["lang"], "hidden" in attrs) for attrs in editions] == [(language, False), (other, True)]
        assert "Main finding" in page.text("en")
        assert "Temuan utama" in page.text("id")
        headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
        assert headings.count(1) == 2
        assert all(after <= before + 1 for before, after in itertools.pairwise(headings))


def test_every_chart_has_words_a_table_and_downloads(corpus: Corpus) -> None:
    write_everything(corpus)
    page = report(make_study(), corpus)
    assert list(page.charts["editions"]["id"]) == [
        "posts",
        "trend-0",
        "topics-time",
        "topic-stances-0",
        "scores",
        "confusion",
    ]
    for language in ("id", "en"):
        charts = page.charts["editions"][language]
        captions = [table["caption"] for table in page.tables[language]]
        for chart in charts.values():
            assert len(chart["description"]) > 20
            assert chart["title"] in captions
        assert captions.count(charts["posts"]["title"]) == 1
    canvases = [attrs for _, attrs in page.tags if "data-chart" in attrs]
    assert len(canvases) == 12
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in canvases)
    assert sum("data-save" in attrs for _, attrs in page.tags) == 24


def test_text_and_marks_stand_out_in_both_schemes() -> None:
    for palette in (LIGHT, DARK):
        for name in ("ink", "muted", "link"):
            assert contrast(palette[name], palette["paper"]) >= 4.5, name
            assert contrast(palette[name], palette["raised"]) >= 4.5, name
        for stance in Stance:
            assert contrast(palette[stance], palette["paper"]) >= 3, stance
            assert contrast(palette[f"on-{stance}"], palette[stance]) >= 4.5, stance
        for stance in ("favor", "against", "neutral"):  # also the colours of panel titles
            assert contrast(palette[stance], palette["paper"]) >= 4.5, stance
        assert contrast(palette["accent"], palette["paper"]) >= 3
        assert contrast(palette["ink"], palette["heat"]) >= 4.5
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


# ---- safety ----------------------------------------------------------------------------------------------------------


def test_hostile_text_stays_text(corpus: Corpus) -> None:
    write_everything(corpus, title=HOSTILE, author=HOSTILE, source=HOSTILE)
    write_topics(corpus, label=HOSTILE, text=HOSTILE)
    corpus.write_failures("import", [Failure("import", "x", HOSTILE)])
    study = make_study()
    target = study.targets[0].model_copy(update={"name": HOSTILE, "definition_id": HOSTILE, "aliases": (HOSTILE,)})
    settings = study.study.model_copy(update={"title_id": HOSTILE, "question_en": HOSTILE})
    page = report(study.model_copy(update={"targets": (target,), "study": settings}), corpus)
    assert len(page.scripts) == 4
    assert "<script>alert" not in page.html
    assert "<b>tebal" not in page.html
    assert "{{ 7*7 }}" in page.text("id")
    assert page.charts["rows"]["topics-time-id"][0]["topic"] == f"1. {HOSTILE}"
    assert page.charts["editions"]["id"]["trend-0"]["title"] == f"Sikap terhadap {HOSTILE} per bulan"


def test_script_json_cannot_end_its_element() -> None:
    hostile = "</script><!--&\u2028\u2029"
    text = script_json({"a": hostile})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"a": hostile}


def test_nothing_is_loaded_from_anywhere(corpus: Corpus) -> None:
    write_everything(corpus)
    page = report(make_study(), corpus)
    for tag, attrs in page.tags:
        assert "src" not in attrs and "srcset" not in attrs, tag
        if tag == "link":
            assert str(attrs["href"]).startswith("data:")
        assert not [name for name in attrs if name.startswith("on")], tag
    styles = page.html[page.html.index("<style>") : page.html.index("</style>")]
    assert "url(" not in styles and "@import" not in styles
    policy = next(str(a["content"]) for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy
    run = [text for attrs, text in page.scripts if attrs.get("type") != "application/json"]
    for script in run:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


# ---- poor studies ----------------------------------------------------------------------------------------------------


def test_an_empty_corpus_is_reported_as_empty(corpus: Corpus) -> None:
    page = report(make_study(), corpus)
    assert page.charts["editions"]["id"] == {}
    assert "Korpus masih kosong." in page.text("id")
    assert "Stances toward digital markets have not been classified." in page.text("en")
    assert "There are no run records yet." in page.text("en")
    assert len(page.html) < 120_000  # no chart, so no chart library


def test_without_labels_the_model_is_called_untested(corpus: Corpus) -> None:
    write_posts(corpus)
    write_stances(corpus)
    page = report(make_study(), corpus)
    assert "The model was not evaluated" in page.text("en")
    assert "Pengklasifikasi ini belum diuji terhadap label manusia." in page.text("id")
    assert "Seberapa sering ia keliru tidak diketahui." in page.text("id")
    assert list(page.charts["editions"]["en"]) == ["posts", "trend-0"]


def test_without_topics(corpus: Corpus) -> None:
    write_posts(corpus)
    write_stances(corpus)
    write_labels(corpus)
    page = report(make_study(), corpus)
    assert "Tidak ada topik: segmen terlalu sedikit" in page.text("id")
    assert "There are no paragraphs to quote yet." in page.text("en")
    assert "scores" in page.charts["editions"]["id"]


def test_without_dates(corpus: Corpus) -> None:
    write_everything(corpus, dated=False)
    write_table(corpus, TableName.TRENDS, [])
    page = report(make_study(), corpus)
    assert list(page.charts["editions"]["id"]) == ["topic-stances-0", "scores", "confusion"]
    assert "No post has a date" in page.text("en")
    assert "67% of the 6 posts" in page.text("en")


def test_with_nothing_on_the_target(corpus: Corpus) -> None:
    write_everything(corpus)
    write_table(corpus, TableName.PREDICTIONS, [prediction_row(p, "irrelevant") for p in POSTS])
    write_table(corpus, TableName.TRENDS, trend_rows({date(2021, 1, 1): {"favor": 0, "irrelevant": 4}}))
    page = report(make_study(), corpus)
    assert "Of the 8 posts that were classified, none was judged to be on digital markets." in page.text("en")
    assert page.table("en", "Stance toward digital markets by month")[1][:3] == ["Jan 2021", "4", "0"]


@pytest.mark.parametrize(
    ("stances", "on_target", "shown"),
    [
        (("favor", "against"), False, ("favor", "against")),
        (("favor", "against", "neutral"), False, ("favor", "against", "neutral")),
        (ALL, True, ("favor", "against", "neutral")),
        (("favor", "irrelevant"), False, ("favor", "irrelevant")),
        (("against", "neutral", "irrelevant"), True, ("against", "neutral")),
    ],
)
def test_studies_of_two_three_or_four_labels(
    corpus: Corpus, stances: tuple[str, ...], on_target: bool, shown: tuple[str, ...]
) -> None:
    assert choose_stances([Stance(stance) for stance in stances]) == (on_target, shown)
    write_posts(corpus)
    write_topics(corpus)
    predicted = {p: stances[i % len(stances)] for i, p in enumerate(POSTS)}
    write_table(corpus, TableName.PREDICTIONS, [prediction_row(p, s, stances=stances) for p, s in predicted.items()])
    write_table(corpus, TableName.TRENDS, trend_rows({date(2021, 1, 1): dict.fromkeys(stances, 2)}))
    page = report(make_study(stances=stances), corpus)
    panels = page.charts["editions"]["id"]["trend-0"]["spec"]["vconcat"]
    assert len(panels) == len(shown) + 1
    assert {row["stance"] for row in page.charts["rows"]["trend-0"]} == set(shown)
    n_base = sum(stance in shown for stance in predicted.values())
    assert f"{n_base} tulisan" in page.text("id")


def test_several_targets_each_have_their_charts(corpus: Corpus) -> None:
    write_everything(corpus)
    targets = ["pasar", "t1", "t2", "t3"]
    rows = [prediction_row(p, s, target) for target in targets for p, (_, s) in POSTS.items()]
    write_table(corpus, TableName.PREDICTIONS, rows)
    months = {date(2021, 1, 1): {"favor": 1, "against": 1, "neutral": 0, "irrelevant": 0}}
    write_table(corpus, TableName.TRENDS, [row for target in targets for row in trend_rows(months, target)])
    page = report(make_study(targets=4), corpus)
    assert {f"trend-{i}" for i in range(4)} <= set(page.charts["editions"]["id"])
    assert [row[0] for row in page.table("en", "All targets, whole period")[1:]] == [
        "digital markets",
        "sasaran 1",
        "sasaran 2",
        "sasaran 3",
    ]
    folded = [attrs for tag, attrs in page.tags if tag == "details" and attrs.get("class") == "target"]
    assert len(folded) == 2 * 3 * 2  # beyond the first of four, in two sections and two languages
