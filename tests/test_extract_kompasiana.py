"""Article pages of every layout give the exact post; everything else gives the right refusal."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from datetime import datetime
from html import escape

import pytest

from nlp_study.extract import extract_post
from nlp_study.extract.page import ExtractionError, Page
from nlp_study.schema import TIMEZONE, DateSource, ParagraphKind, Post, Repost
from scripts.replica import Era, State, build_site
from tests.conftest import SHARED_DATA, needs_shared_data

ID = "65431ea1ee794a5acf6b0b62"
USER = "ani.pasar1036"
URL = f"https://www.kompasiana.com/{USER}/{ID}/harga-cabai-di-pasar"
CAPTURED_AT = datetime(2024, 6, 1, 10, tzinfo=TIMEZONE)
PROMO_2025 = (
    "<p>Follow Instagram @kompasianacom juga Tiktok @kompasiana biar nggak ketinggalan event seru komunitas dan tips dapat"
    " cuan dari Kompasiana. Baca juga cerita inspiratif langsung dari smartphone kamu dengan bergabung di WhatsApp"
    " Channel Kompasiana di SINI</p>"
)
FIRST = "Warung di ujung gang kini menerima pesanan lewat gawai."
LAST = "Karena itu saya percaya pasar ini terbuka bagi siapa saja."
NOT_COMPARED = ("date_source", "language", "parser")


def make_page(
    body: str = f"<p>{FIRST}</p><p>{LAST}</p>",
    *,
    title: str = "Harga Cabai di Pasar",
    head: str = "",
    dates: str = "2 November 2023 \u00a0 11:00 Diperbarui: 3 November 2023 \u00a0 07:05",
    counts: str = "1.204",
    before_body: str = "",
    after_body: str = "",
    classes: str = "read-content read__keyword col-lg-9",
    profile: str = "<div>Ani Lestari <i>Mohon Tunggu...</i> Pedagang - Suka mencatat</div><div>Menulis dari pasar.</div>",
) -> str:
    """Return a page of about 2023; parts can be replaced."""
    return (
        f'<!DOCTYPE html><html lang="id"><head><title>{title} - Kompasiana.com</title>{head}</head><body>'
        '<div class="page_position" data-position="read"></div><div class="read-artikel"><div>Mohon tunggu...</div>'
        f'<div class="user-box">\n <a href="https://www.kompasiana.com/{USER}">Ani Lestari    '
        "<svg><title>x</title></svg>\n</a></div>"
        f"{profile}<div>Selanjutnya</div><div>Tutup</div>"
        '<div class="artikel--tag"><span>Money</span><span>Pilihan</span></div>'
        f'<div class="read-artikel__title"><h1 class="title">{escape(title, quote=False)}</h1></div>'
        f'<div class="read-count"><span>{dates}</span> <span id="post-counter">{counts}</span></div>'
        f'<div>+</div><div>Laporkan Konten</div>{before_body}<div class="{classes}" itemprop="articleBody">{body}</div>'
        f"{after_body}</div></body></html>"
    )


def read(html: str | bytes, url: str = URL, captured_at: datetime = CAPTURED_AT, **changes: object) -> Post:
    page = Page(url, html if isinstance(html, bytes) else html.encode(), captured_at)
    return extract_post(replace(page, **changes))  # type: ignore[arg-type]


def read_kind(html: str | bytes, url: str = URL, **changes: object) -> str:
    with pytest.raises(ExtractionError) as caught:
        read(html, url, **changes)
    return caught.value.kind


def texts(post: Post) -> list[str]:
    return [paragraph.text for paragraph in post.paragraphs]


def compare(n_posts: int, source: str) -> tuple[Counter[str], Counter[tuple[State, str]]]:
    """Count fields that differ from the truth ("body": after folding), and refusals by state and kind."""
    site = build_site(n_posts, source=source)  # type: ignore[arg-type]
    wrong: Counter[str] = Counter()
    refused: Counter[tuple[State, str]] = Counter()
    for truth in site.posts:
        answer = site.respond(f"{truth.page_path}?page=all")
        try:
            post = extract_post(Page(f"{truth.url}?page=all", answer.body, truth.captured_at, answer.status))
        except ExtractionError as error:
            refused[truth.state, error.kind] += 1
            continue
        expected = truth.as_post()
        names = [field.name for field in fields(Post) if field.name not in NOT_COMPARED]
        wrong.update(name for name in names if getattr(post, name) != getattr(expected, name))
        wrong["body"] += " ".join(post.text.split()) != " ".join(expected.text.split())
        wrong["source"] += post.date_source is not DateSource.PRINTED
        recent = truth.layout in (Era.FROALA_2022, Era.WHATSAPP_2024, Era.INSTAGRAM_2025)
        wrong["parser"] += post.parser != ("kompasiana-2020" if recent else "kompasiana-2018")
    return +wrong, refused


@pytest.mark.parametrize(("n_posts", "source", "n_deleted"), [(400, "demo", 25), (600, "generated", 38)])
def test_every_field_of_the_replica_is_exact(n_posts: int, source: str, n_deleted: int) -> None:
    wrong, refused = compare(n_posts, source)
    assert wrong == {}
    assert refused == {(State.DELETED, "deleted"): n_deleted}


def test_every_address_of_an_article_gives_the_same_post_or_is_refused() -> None:
    site = build_site(30, source="demo")
    truth = next(truth for truth in site.posts if truth.state is State.LIVE and truth.layout is Era.INSTAGRAM_2025)
    for path in truth.addresses:
        page = Page(f"http://127.0.0.1:8400{path}", site.respond(path.split("#")[0]).body, truth.captured_at)
        if path.startswith(("/amp/", "/komentar/")):
            with pytest.raises(ExtractionError) as caught:
                extract_post(page)
            assert caught.value.kind == "not_a_post"
        else:
            post = extract_post(page)
            assert (post.post_id, post.title, post.published_at) == (truth.post_id, truth.title, truth.published_at)
    for path in ("/", f"/indeks?date={truth.published_at:%Y-%m-%d}", "/tag/umkm", "/search_artikel?q=warung"):
        page = Page(f"http://127.0.0.1:8400{path}", site.respond(path).body, truth.captured_at)
        with pytest.raises(ExtractionError) as caught:
            extract_post(page)
        assert caught.value.kind == "not_a_post"


def test_a_page_gives_all_fields() -> None:
    tags = '<ul><li><a href="/tag/harga-cabai">harga cabai</a></li><li><a href="/tag/pasar">Pasar</a></li></ul>'
    link = '<a href="https://www.kompasiana.com/tag/gawai">gawai</a>'
    body = f"<p>{FIRST} {link}</p><h3>Lalu?</h3><ol><li>a b</li></ol><p>{LAST}</p>"
    post = read(make_page(body, before_body="<div>Lihat foto</div><div>Kios (dok. pribadi)</div>", after_body=tags))
    assert (post.post_id, post.url, post.author, post.author_id) == (ID, URL, "Ani Lestari", USER)
    assert (post.author_job, post.author_bio) == ("Pedagang - Suka mencatat", "Menulis dari pasar.")
    assert (post.title, post.category, post.badge) == ("Harga Cabai di Pasar", "Money", "Pilihan")
    assert post.tags == ("harga cabai", "Pasar")
    assert post.published_at == datetime(2023, 11, 2, 11, tzinfo=TIMEZONE)
    assert post.updated_at == datetime(2023, 11, 3, 7, 5, tzinfo=TIMEZONE)
    assert (post.date_source, post.n_views, post.n_ratings, post.n_comments) == (DateSource.PRINTED, 1204, None, None)
    assert post.caption == "Kios (dok. pribadi)"
    assert [(p.kind, p.text) for p in post.paragraphs] == [
        (ParagraphKind.TEXT, f"{FIRST} gawai"),
        (ParagraphKind.HEADING, "Lalu?"),
        (ParagraphKind.LIST, "a b"),
        (ParagraphKind.TEXT, LAST),
    ]
    assert (post.language, post.parser, post.captured_at) == ("id", "kompasiana-2020", CAPTURED_AT)
    assert (post.n_removed, post.is_cut, post.reposted_from) == (0, False, None)


def test_pages_of_2018_print_three_numbers_and_the_title_as_alternative_text() -> None:
    photo = '<div class="read-artikel__img photo"><a><img alt="Harga "Cabai""></a></div><div>Foto: penulis</div>'
    html = make_page(classes="read-content col-lg-9", counts="0</span> <span>12</span> <span>3", before_body=photo)
    post = read(html, captured_at=datetime(2018, 4, 1, tzinfo=TIMEZONE))
    assert (post.n_views, post.n_ratings, post.n_comments) == (0, 12, 3)
    assert (post.caption, post.parser) == ("Foto: penulis", "kompasiana-2018")


def test_only_the_attribute_names_the_body_after_the_next_change_of_classes() -> None:
    assert read(make_page(classes="isi-tulisan")).parser == "kompasiana-microdata"


def test_dates_come_from_the_head_then_from_the_id() -> None:
    head = '<meta name="content_PublishedDate" content="2023-11-01 22:59:41">'
    post = read(make_page(dates="", head=head))
    assert (post.published_at, post.date_source) == (
        datetime(2023, 11, 1, 22, 59, 41, tzinfo=TIMEZONE),
        DateSource.META,
    )
    ld = '<script type="application/ld+json">{"@type": "NewsArticle", "datePublished": "2023-11-02T04:00:00Z"}</script>'
    broken = '<script type="application/ld+json">{"@type": "NewsArticle", "headline": "a "b" c"}</script>'
    assert read(make_page(dates="", head=broken + ld)).published_at == datetime(2023, 11, 2, 11, tzinfo=TIMEZONE)
    post = read(make_page(dates=""))
    assert (post.date_source, post.published_at) == (
        DateSource.OBJECT_ID,
        datetime(2023, 11, 2, 10, 59, 29, tzinfo=TIMEZONE),
    )
    migrated = URL.replace(ID, "54f84de8a333111a2d8b4567")
    assert read(make_page(dates=""), migrated).date_source is DateSource.UNKNOWN


def test_contradicting_dates_are_reported_and_the_printed_ones_used(caplog: pytest.LogCaptureFixture) -> None:
    head = '<meta name="content_PublishedDate" content="2023-11-09 11:00:00">'
    assert read(make_page(head=head)).published_at == datetime(2023, 11, 2, 11, tzinfo=TIMEZONE)
    assert "the printed is used" in caplog.text


def test_dates_that_do_not_exist_are_damage() -> None:
    assert read_kind(make_page(dates="31 Februari 2023 11:00 Diperbarui: 3 November 2023 07:05")) == "damaged"


def test_the_id_is_the_one_that_most_of_the_page_names(caplog: pytest.LogCaptureFixture) -> None:
    other = "6550aaaa1111222233334444"
    canonical = f'<link rel="canonical" href="https://www.kompasiana.com/{USER}/{other}/lain">'
    marked = f'<div id="id_post" data-id="{ID}"></div>'
    assert read(make_page(head=canonical)).post_id == other
    assert "the page names the ids" in caplog.text
    assert read(make_page(head=canonical, before_body=marked)).post_id == ID
    assert read(make_page(head=canonical), "http://127.0.0.1:8000/unduhan").post_id == other


@pytest.mark.parametrize("title", ['Karena "Orang Tua" Bukan "Orangtua"', "Untung & Buntung", "Harga < Modal"])
def test_titles_are_those_readers_see(title: str) -> None:
    head = f'<meta property="og:title" content="{title} - Kompasiana.com" />'
    assert read(make_page(title=title, head=head)).title == title


def test_a_later_page_has_no_part_in_the_title() -> None:
    html = make_page().replace("<h1", "<h2").replace("</h1", "</h2")
    assert read_kind(html) == "damaged"
    head = '<meta property="og:title" content="Harga Cabai Halaman 2 - Kompasiana.com">'
    assert read(html.replace("</head>", f"{head}</head>")).title == "Harga Cabai"


def test_what_the_site_puts_between_paragraphs_goes() -> None:
    ad = '<div id="div-gpt-ad-1-0"><script>document.write("<p>Iklan murah</p>");</script><p>ADVERTISEMENT</p></div>'
    related = '<p><div class="title">Baca juga: <a href="#">Pagi di Pasar Lama</a></div></p>'
    post = read(make_page(f"<p>{FIRST}</p><p>&nbsp;</p>{ad}{related}<p></p><p>{LAST}</p>{PROMO_2025}"))
    assert texts(post) == [FIRST, LAST]
    assert post.n_removed == 2


def test_scripts_and_pictures_leave_no_text_and_captions_stand_alone() -> None:
    froala = (
        '<p>Lihat kios ini.<span class="fr-img-caption fr-fic fr-dib"><span class="fr-img-wrap">'
        '<img alt="Kios "baru" kami"><span>Kios baru</span></span></span><script>iklan()</script></p>'
    )
    old = '<p class="img-read"><span class="img"><img alt="x"></span><span>Antrean pagi</span></p>'
    post = read(make_page(f"{froala}{old}<p>{LAST}</p>"))
    assert [(p.kind, p.text) for p in post.paragraphs] == [
        (ParagraphKind.TEXT, "Lihat kios ini."),
        (ParagraphKind.CAPTION, "Kios baru"),
        (ParagraphKind.CAPTION, "Antrean pagi"),
        (ParagraphKind.TEXT, LAST),
    ]


def test_bodies_of_before_2015_are_one_paragraph_parted_by_breaks() -> None:
    name = "1369274713949429494"
    caption = '[caption id="attachment_1" align="left" width="300" caption="Kios "Bu Sri" lama"][/caption]'
    body = f"<p>{name}<br><br>{name}<br />\n<br />{caption}<br> &nbsp;<br>{FIRST}<br>Baris dua.<br><br>{LAST}"
    body += ' [gallery ids="1"]</p>'
    post = read(make_page(body))
    assert texts(post) == ['Kios "Bu Sri" lama', f"{FIRST} Baris dua.", LAST]
    assert post.paragraphs[0].kind is ParagraphKind.CAPTION


def test_text_outside_of_paragraphs_is_kept() -> None:
    post = read(make_page(f"{FIRST} <b>Sungguh.</b><div>{LAST}</div><span><p>Dalam span.</p></span>Sisa."))
    assert texts(post) == [f"{FIRST} Sungguh.", LAST, "Dalam span.", "Sisa."]


def test_a_reposted_footer_becomes_the_source() -> None:
    address = "https://www.kompasiana.com/budi/64aa06d1b30026fc8e6dc5ee/asal"
    footer = (
        "<p>Konten ini telah tayang di Kompasiana.com dengan judul &quot;Soal "
        f'"Gratis"&quot;, Klik untuk baca:<br>{address}</p>'
        "<p>Baca juga: Pagi di Pasar Lama</p><p>Kreator: Budi Santoso</p><p>&nbsp;</p>"
        "<p>Kompasiana adalah platform blog, setiap konten menjadi tanggungjawab kreator.</p>"
        "<p>Tulis opini Anda seputar isu terkini di Kompasiana.com</p>"
    )
    post = read(make_page(f"<p>{FIRST}</p>{footer}<p>{LAST}</p>"))
    assert texts(post) == [FIRST, LAST]
    assert post.reposted_from == Repost('Soal "Gratis"', address, "Budi Santoso")
    assert post.n_removed == 1


def test_damaged_text_is_repaired_and_quotation_marks_stay() -> None:
    spoiled = "“Murah sekali,” kata Ibu.".encode().decode("cp1252", "ignore")
    post = read(
        make_page(
            f"<p>{spoiled}</p><p>“Mahal,” kata Ayah – lalu ‘pulang’…</p><p>Hargaâ\u0080\u0093naik&amp;nbsp;lagi</p>"
        )
    )
    assert texts(post) == ["“Murah sekali,” kata Ibu.", "“Mahal,” kata Ayah – lalu ‘pulang’…", "Harga–naik lagi"]


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("utf-8", "text/html; charset=ISO-8859-1"),
        ("utf-8-sig", "text/html"),
        ("utf-16", "text/html"),
        ("cp1252", "text/html; charset=ISO-8859-1"),
        ("cp1252", "text/html; charset=utf-8"),
    ],
)
def test_a_wrong_header_does_not_spoil_the_text(encoding: str, content_type: str) -> None:
    html = make_page("<p>“Kafé” di pojok – ramai</p>")
    assert texts(read(html.encode(encoding), content_type=content_type)) == ["“Kafé” di pojok – ramai"]


def test_a_broken_character_costs_no_others() -> None:
    html = make_page("<p>“Kafé” di pojok</p>").encode().replace(b"pojok", b"poj\xffk")
    assert texts(read(html)) == ["“Kafé” di poj\ufffdk"]


def test_blocked_accounts_stay_readable() -> None:
    profile = (
        "<div>Ani Lestari Mohon Tunggu... Pedagang</div><h4>Akun Diblokir</h4>"
        "<p>Akun ini diblokir karena melanggar Syarat dan Ketentuan Kompasiana.</p>"
        "<p>Untuk informasi lebih lanjut Anda dapat menghubungi kami melalui <a>fitur bantuan</a>.</p><div>Biodata.</div>"
    )
    post = read(make_page(profile=profile))
    assert (post.author_job, post.author_bio) == ("Pedagang", "Biodata.")


PAGER = f'<ol><li><a href="{URL}?page=1">1</a></li><li><a href="{URL}?page=2">2</a></li></ol>'


def make_body(n_paragraphs: int) -> str:
    """Paragraphs as the site shows them: four empty ones among them."""
    own = [f"<p>Paragraf ke-{number} tentang harga.</p>" for number in range(n_paragraphs)]
    return "".join(own[:3]) + "<p></p><p></p>" + "".join(own[3:]) + "<p></p><p>&nbsp;</p>"


@pytest.mark.parametrize(
    ("n_paragraphs", "promo", "pager", "query", "year", "is_cut"),
    [
        (11, "", PAGER, "", 2023, True),
        (11, "", PAGER, "?page=1", 2023, True),
        (11, "", PAGER, "?page=all", 2023, True),
        (15, "", PAGER, "?page=all", 2023, False),
        (4, "", PAGER, "?page=2", 2023, True),
        (11, "", "", "", 2023, False),
        (11, "", "", "", 2025, True),
        (9, "", "", "", 2025, False),
        (8, PROMO_2025, "", "", 2025, False),
        (14, PROMO_2025, PAGER, "?page=all", 2025, False),
        (11, "", PAGER, "?page=all", 2025, True),
        (3, PROMO_2025, PAGER, "?page=2", 2025, True),
    ],
)
def test_pages_of_longer_articles_are_marked(
    n_paragraphs: int, promo: str, pager: str, query: str, year: int, is_cut: bool
) -> None:
    html = make_page(make_body(n_paragraphs) + promo, after_body=pager)
    post = read(html, URL + query, captured_at=datetime(year, 12, 1, tzinfo=TIMEZONE))
    assert (post.is_cut, len(post.paragraphs)) == (is_cut, n_paragraphs)


FRAME = "<html><head><meta property='og:site_name' content='KOMPASIANA'></head><body>{}</body></html>"
LISTING = '<div class="timeline--item timeline--artikel"><div class="artikel--content"><h2><a>x</a></h2></div></div>'


@pytest.mark.parametrize(
    ("html", "url", "kind"),
    [
        (FRAME.format("<p>This Article has been deleted.</p>"), URL, "deleted"),
        (FRAME.format("This content has been removed for violating Kompasiana Terms and Conditions"), URL, "deleted"),
        (FRAME.format('<div class="read-artikel"><div class="user-box"><a>Ani</a></div></div>'), URL, "deleted"),
        (FRAME.format('<div class="read-artikel"><h1 class="title">Judul</h1></div>'), URL, "no_body"),
        (make_page("<p>&nbsp;</p><p></p>"), URL, "no_body"),
        (make_page(PROMO_2025), URL, "no_body"),
        (FRAME.format(LISTING), "https://www.kompasiana.com/", "not_a_post"),
        (FRAME.format(LISTING), URL, "not_a_post"),
        (FRAME.format("<p>Syarat</p>"), "https://www.kompasiana.com/syarat-ketentuan", "not_a_post"),
        (make_page(), URL.replace(".com/", ".com/amp/"), "not_a_post"),
        (make_page(), URL.replace(".com/", ".com/komentar/"), "not_a_post"),
        (make_page().replace("<html ", "<html amp "), URL, "not_a_post"),
        (make_page().replace("<html ", "<html ⚡ "), URL, "not_a_post"),
        (FRAME.format("<h1>Judul</h1><p>Satu.</p><a>KEMBALI KE ARTIKEL</a>"), URL, "not_a_post"),
        (make_page()[:-400], URL, "damaged"),
        (make_page()[:500], URL, "damaged"),
        ("", URL, "damaged"),
        ("tidak ada markah", URL, "damaged"),
        (make_page(), "https://www.kompasiana.com/", "damaged"),
    ],
)
def test_other_pages_are_refused_with_the_reason(html: str, url: str, kind: str) -> None:
    assert read_kind(html, url) == kind


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"status": 404}, "deleted"),
        ({"status": 410}, "deleted"),
        ({"status": 503}, "damaged"),
        ({"status": 301}, "not_a_post"),
        ({"content_type": "application/json"}, "not_a_post"),
    ],
)
def test_answers_that_hold_no_page(changes: dict[str, object], kind: str) -> None:
    assert read_kind(make_page(), **changes) == kind


def test_an_unknown_layout_goes_to_the_fallback_and_keeps_its_id() -> None:
    paragraphs = "".join(f"<p>{FIRST} Ini cerita ke-{number} dari pasar kami. {LAST}</p>" for number in range(6))
    html = f"<html><head><title>Harga Cabai</title></head><body><main><h1>Harga Cabai</h1>{paragraphs}</main></body></html>"
    post = read(html)
    assert (post.parser, post.post_id, post.url, post.author_id) == ("trafilatura-2", ID, URL, USER)
    assert post.date_source is DateSource.OBJECT_ID
    assert len(post.paragraphs) == 6


@needs_shared_data
def test_a_real_listing_is_no_post() -> None:
    html = (SHARED_DATA / "kompasiana" / "home_2018-03-19_excerpt.html").read_bytes()
    assert read_kind(html, "https://www.kompasiana.com/") == "not_a_post"
