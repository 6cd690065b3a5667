"""Other sites, pages of unknown layout, hostile pages, and the rules that all extractors share."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from html import unescape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlp_study.extract import extract_post, kompasiana, sites, wordpress
from nlp_study.extract.boilerplate import clean_body
from nlp_study.extract.language import identify_language
from nlp_study.extract.markup import LARGEST_PAGE, parse_page
from nlp_study.extract.mojibake import repair_mojibake
from nlp_study.extract.page import ExtractionError, Page
from nlp_study.extract.text_dump import extract_text_dump
from nlp_study.schema import TIMEZONE, DateSource, ParagraphKind, Post, Repost
from scripts.replica import build_site
from tests.conftest import REPOSITORY, SHARED_DATA, needs_shared_data

CAPTURED_AT = datetime(2025, 6, 1, 10, tzinfo=TIMEZONE)
BLOG = "https://blog.warungkita.example/2024/05/koperasi-nelayan/"
LIMIT_S = 20.0
"""Between the second that these pages take and the minutes of a parser whose time grows with the square of the page; wide, as
a busy machine is several times slower. `extract` itself stops a page after 2 s of processor time."""
KINDS = {"deleted", "not_a_post", "no_body", "damaged"}
SENTENCES = (
    "Koperasi nelayan di kampung kami mulai menjual ikan lewat gawai sejak tahun lalu.",
    "Pembeli dari kota memesan pada malam hari, lalu kapal kecil mengantar pagi-pagi sekali.",
    "Harga yang kami terima naik, tetapi ongkos kirim sering memakan separuh dari untung itu.",
    "Anak-anak muda mengajari orang tua mereka membuat catatan penjualan yang rapi setiap minggu.",
    "Tidak semua orang senang, karena sinyal sering hilang saat musim angin barat tiba.",
    "Meski begitu, bagi saya pasar ini memberi kesempatan yang dahulu hanya dimiliki juragan besar.",
)


def make_blog(*, body_class: str = "post-template-default single single-post", articles: str = "") -> str:
    """Return a page of an invented blog that runs WordPress."""
    paragraphs = "".join(f"<p>{sentence}</p>" for sentence in SENTENCES[:3])
    article = articles or (
        '<article id="post-12" class="post-12 post type-post"><header>'
        '<h1 class="entry-title">Koperasi &#8220;Laut&#8221;</h1>'
        '<span class="cat-links"><a href="/kategori/ekonomi/" rel="category tag">Ekonomi</a></span>'
        '<span class="author vcard"><a class="url fn n" href="/penulis/tini/">Tini Marlina</a></span>'
        '<time class="entry-date published" datetime="2024-05-03T08:15:00+08:00">3 Mei 2024</time>'
        '<time class="updated" datetime="2024-05-04T00:00:00Z">4 Mei</time></header>'
        f'<div class="entry-content">{paragraphs}<h2>Angka</h2><ul><li>ikan tongkol</li><li>ikan layang</li></ul>'
        "<blockquote><p>Laut itu bank kami.</p></blockquote>"
        '<figure class="wp-caption"><img src="a.jpg"><figcaption>Dermaga pagi</figcaption></figure>'
        '<div class="sharedaddy"><h3>Bagikan</h3><ul><li>Surel</li></ul></div><div id="jp-relatedposts">Terkait</div></div>'
        '<footer><span class="tags-links"><a rel="tag">nelayan</a><a rel="tag">koperasi</a></span></footer></article>'
    )
    return (
        '<!DOCTYPE html><html lang="id-ID"><head><meta charset="UTF-8"><meta name="generator" content="WordPress 6.5">'
        f'<link rel="canonical" href="{BLOG}"><title>Koperasi – Warung Kita</title></head><body class="{body_class}">'
        f'<nav>Beranda</nav>{article}<aside class="widget">Tulisan lain</aside></body></html>'
    )


def read(html: str | bytes, url: str = BLOG) -> Post:
    return extract_post(Page(url, html if isinstance(html, bytes) else html.encode(), CAPTURED_AT))


def test_a_second_site_is_one_module_in_the_list() -> None:
    assert list(sites.SITES) == [kompasiana, wordpress]
    post = read(make_blog())
    assert (post.parser, post.title, post.url) == ("wordpress-1", "Koperasi “Laut”", BLOG)
    assert (post.author, post.author_id, post.category, post.tags) == (
        "Tini Marlina",
        "tini",
        "Ekonomi",
        ("nelayan", "koperasi"),
    )
    assert post.published_at == datetime(2024, 5, 3, 7, 15, tzinfo=TIMEZONE)
    assert post.updated_at == datetime(2024, 5, 4, 7, tzinfo=TIMEZONE)
    assert post.date_source is DateSource.META
    assert re.fullmatch(r"sha-[0-9a-f]{20}", post.post_id)
    assert [(p.kind, p.text) for p in post.paragraphs] == [
        *((ParagraphKind.TEXT, sentence) for sentence in SENTENCES[:3]),
        (ParagraphKind.HEADING, "Angka"),
        (ParagraphKind.LIST, "ikan tongkol"),
        (ParagraphKind.LIST, "ikan layang"),
        (ParagraphKind.QUOTE, "Laut itu bank kami."),
        (ParagraphKind.CAPTION, "Dermaga pagi"),
    ]
    assert (post.language, post.is_cut) == ("id", False)


def test_a_blogs_front_page_is_no_post() -> None:
    item = '<article><h2 class="entry-title">A</h2><div class="entry-content"><p>Kutipan.</p></div></article>'
    with pytest.raises(ExtractionError) as caught:
        read(make_blog(body_class="home blog", articles=item * 3))
    assert caught.value.kind == "not_a_post"


def test_a_page_of_unknown_layout_is_read_by_the_fallback() -> None:
    paragraphs = "".join(f"<p>{sentence}</p>" for sentence in SENTENCES)
    html = (
        "<html><head><title>Koperasi Nelayan</title>"
        '<meta property="article:published_time" content="2024-05-03T08:15:00+07:00">'
        f"</head><body><nav><a>Beranda</a></nav><div id=isi><h1>Koperasi Nelayan</h1>{paragraphs}</div></body></html>"
    )
    post = read(html, "https://catatan.example/koperasi")
    assert (post.parser, post.title, post.language) == ("trafilatura-2", "Koperasi Nelayan", "id")
    assert tuple(paragraph.text for paragraph in post.paragraphs) == SENTENCES
    assert (post.published_at, post.date_source) == (datetime(2024, 5, 3, 8, 15, tzinfo=TIMEZONE), DateSource.META)
    # Nothing is remembered between pages: the same page gives the same post however often it is read.
    assert all(read(html, "https://catatan.example/koperasi") == post for _ in range(4))


def test_a_menu_is_no_article() -> None:
    with pytest.raises(ExtractionError) as caught:
        read("<html><head><title>Menu</title></head><body><ul><li>Beranda</li></ul></body></html>")
    assert caught.value.kind == "no_body"


def read_in_time(body: bytes, url: str, content_type: str = "text/html") -> None:
    """A post or an error with a kind, and neither later than the limit."""
    started = time.process_time()
    try:
        post = extract_post(Page(url, body, CAPTURED_AT, content_type=content_type))
    except ExtractionError as error:
        assert error.kind in KINDS
        assert error.what
    else:
        assert post.paragraphs
        assert post.title
        post.text.encode()
    assert time.process_time() - started < LIMIT_S


SITE = build_site(14, source="demo")
ARTICLES = [SITE.respond(f"{truth.page_path}?page=all").body for truth in SITE.posts]
ADDRESSES = (SITE.posts[0].url, BLOG, "http://127.0.0.1:9/x", "bukan alamat", "https://[::1", "")
TAGS = "div b p table span ul><li a font svg section em blockquote select template button math form i><div".split()


@pytest.fixture(scope="module", autouse=True)
def _load_the_fallback() -> None:
    """Its first call imports trafilatura, which takes longer than a page may."""
    read(f"<html><body><article><h1>A</h1><p>{' '.join(SENTENCES)}</p></article></body></html>", "https://a.example/b")
    identify_language("de mensen in het dorp verkopen hun groenten " * 4)


@pytest.mark.parametrize("url", ADDRESSES[:2])
@pytest.mark.parametrize("tag", TAGS)
def test_nesting_ten_thousand_deep(tag: str, url: str) -> None:
    text = f"<p>{' '.join(SENTENCES)}</p>"
    for n in (240, 1_900, 10_000, 100_000):
        read_in_time(f"<html><body><h1 class=title>A</h1>{f'<{tag}>' * n}{text}</body></html>".encode(), url)
        inside = f'<div class="read-content">{f"<{tag}>" * n}{text}</div>'
        read_in_time(f"<html><body><h1 class=title>A</h1>{inside}</body></html>".encode(), url)


HOSTILE = {
    "empty": b"",
    "space": b" \n\t",
    "nulls": b"\0" * 10_000,
    "nulls in markup": ARTICLES[0].replace(b"a", b"a\0"),
    "bytes": bytes(range(256)) * 4_000,
    "attributes": b"<p " + b" ".join(b"a%d=1" % number for number in range(100_000)) + b">x",
    "attributes with a sign": b'<p a="<" ' + b" ".join(b"a%d=1" % number for number in range(20_000)) + b">x",
    "a long attribute": b'<html><body><p title="' + b"x" * 1_500_000 + b'">x</p></body></html>',
    "a long name": b"<" + b"p" * 1_000_000 + b">",
    "open formatting": b"<p>" + b"".join(b"<b id=%d>" % n for n in range(590)) + b"</p>" + b"<p>x" * 590,
    "much open formatting": b"<p>" + b"".join(b"<b id=%d>" % n for n in range(5_000)) + b"</p>" + b"<p>x" * 5_000,
    "signs": b"<" * 1_500_000,
    "ampersands": b"<p>" + b"&" * 1_500_000,
    "50 MB": b"<p>halo</p>" * 5_000_000,
    "many breaks": b'<h1>a</h1><div class="read-content"><p>' + b"a<br><br>" * 150_000 + b"</div></html>",
    "many paragraphs": b'<h1>a</h1><div class="read-content">' + b"<p>a</p>" * 100_000 + b"</div></html>",
    "shortcodes": b'<h1>a</h1><div class="read-content"><p>' + b'[caption a="' * 100_000 + b"</div></html>",
    "footers": b'<h1>a</h1><div class="read-content">'
    + b'<p>Konten ini telah tayang di Kompasiana.com dengan judul "a' * 15_000
    + b"</div></html>",
    "promo": b'<h1>a</h1><div class="read-content">'
    + b"<p>Follow Instagram @kompasianacom" * 15_000
    + b"</div></html>",
    "script": b"<html><body>" + b"<script>while(1)</script>" * 20_000 + b"</body></html>",
    "open script": ARTICLES[0].replace(b"<body>", b"<body><script>"),
    "deep JSON": b'<script type="application/ld+json">' + b"[" * 200_000 + b"</script>" + ARTICLES[0],
    "numbers": ARTICLES[0].replace(b"<span", b"<span>" + b"9" * 5_000 + b"<span"),
    "surrogates": ARTICLES[0].replace(b"<p>", b"<p>&#xD800;&#x0;&#1114112;\xed\xa0\x80"),
    "utf-16": ARTICLES[0].decode().encode("utf-16"),
    "utf-7": b"+ADw-script+AD4-" * 1_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pages(name: str) -> None:
    for url in ADDRESSES:
        for content_type in ("text/html; charset=utf-16", "text/html; charset=nonsens"):
            read_in_time(HOSTILE[name], url, content_type)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    article=st.sampled_from(ARTICLES),
    url=st.sampled_from(ADDRESSES),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.3), st.binary(max_size=60)), max_size=4),
    end=st.floats(0, 1) | st.just(1.0),
)
def test_damaged_pages(article: bytes, url: str, cuts: list[tuple[float, float, bytes]], end: float) -> None:
    body = article[: int(end * len(article))]
    for at, share, junk in cuts:
        begin = int(at * len(body))
        body = body[:begin] + junk + body[begin + int(share * len(body)) :]
    read_in_time(body, url)


_MARKUP = st.lists(
    st.sampled_from(
        '<p> </p> <div> </div> <b> </b> <h1 class="title"> </h1> <div class="read-content"> <span class="fr-img-caption"> '
        "</span> <table> <tr> <li> <ul> <br> <img> <script> </script> <!-- --> <![CDATA[ <svg> <math> <template> </template> "
        "<a href='/tag/x'> </a> <select> <option> </html> <body> <html> <head> <noscript> <textarea> <title> <frameset> "
        '<div class="read-count"> &nbsp; &#0; " = > < \x00 warung Baca juga: [caption [/caption] <blockquote> <figcaption>'
        "".split(" ")
    ),
    max_size=60,
).map(" ".join)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(markup=_MARKUP, url=st.sampled_from(ADDRESSES), ends=st.booleans())
def test_any_order_of_tags(markup: str, url: str, ends: bool) -> None:
    read_in_time((markup + ("</html>" if ends else "")).encode(), url)


@given(st.integers(0, len(ARTICLES) - 1), st.floats(0.05, 0.97))
@settings(max_examples=60, deadline=None)
def test_a_page_cut_off_on_the_way_never_passes_for_a_short_article(index: int, share: float) -> None:
    """Truncated pages are the likeliest damage, and a silently shorter body the worst answer."""
    body = ARTICLES[index][: int(share * len(ARTICLES[index]))]
    with pytest.raises(ExtractionError) as caught:
        extract_post(Page(SITE.posts[0].url, body, CAPTURED_AT))
    assert caught.value.kind in ("damaged", "deleted")


def test_a_page_of_any_size_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(ExtractionError, match="more than any article"):
        parse_page(Page(BLOG, b"x" * (LARGEST_PAGE + 1), CAPTURED_AT))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Gue sih santai aja, yang penting duit masuk tiap hari.", "id"),
        (" ".join(SENTENCES), "id"),
        ("My neighbour sells fried bananas through an app, and the money is good.", "en"),
        ("Esuk iku Lik Parni mangkat menyang pasar nggawa bayem sing lagi wae dipethik.", "jv"),
        ("Kula nyuwun pangapunten, sampun dangu mboten sowan. Griya kula tebih saking kitha.", "jv"),
        ("Poé ieu kuring indit ka pasar jeung indung. Loba jalma nu geus boga toko dina hapé.", "su"),
        ("Ramai peniaga masih tiada kemudahan internet kerana kos yang tinggi, dan syarikat itu belum membantu.", "ms"),
        (
            "De mensen in het dorp verkopen hun groenten nu via een website en dat is goed voor het hele dorp hier.",
            "nl",
        ),
        ("我们村里的人现在都用手机卖菜。", "zh"),
        ("هذا نص عربي قصير عن السوق والتجارة", "ar"),
        ("Warung Pak Budi", None),
        ("12 34", None),
        ("", None),
    ],
)
def test_languages(text: str, language: str | None) -> None:
    assert identify_language(text) == language


def test_the_demonstration_posts_are_in_the_languages_they_were_written_in() -> None:
    codes: dict[str, int] = {}
    with (REPOSITORY / "corpus" / "demo" / "posts.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            code = identify_language("\n".join(json.loads(line)["paragraphs"])) or ""
            codes[code] = codes.get(code, 0) + 1
    assert codes == {"id": 395, "en": 3, "jv": 2}


@pytest.mark.parametrize(
    ("damaged", "repaired"),
    [
        ("â€œMurah,â€ katanya.", "“Murah,” katanya."),
        ("â€œMurahâ€\x9d â€“ diaâ€™s pasarâ€¦", "“Murah” – dia’s pasar…"),
        ("KafÃ© di â€˜pojokâ€™", "Kafé di ‘pojok’"),
        ("hargaÂ\xa0naik", "harga\xa0naik"),
        ("nilai¬†tinggi", "nilai\xa0tinggi"),
        ("“Mahal,” kata Ayah – lalu ‘pulang’…", "“Mahal,” kata Ayah – lalu ‘pulang’…"),
        ("â€œMurah,â€ kata “Ibu”.", "“Murah,” kata “Ibu”."),
        ("Château, São Paulo, Ânu, naik 5 °C, harga £3", "Château, São Paulo, Ânu, naik 5 °C, harga £3"),
        ('Tanda "biasa" saja', 'Tanda "biasa" saja'),
    ],
)
def test_only_mojibake_is_repaired(damaged: str, repaired: str) -> None:
    assert repair_mojibake(damaged) == repaired


@given(st.text(alphabet="abc “”‘’…–—é€", max_size=60))
def test_typographic_characters_of_the_author_stay(text: str) -> None:
    assert repair_mojibake(text) == text


def test_shortcodes_and_entities_left_in_the_text() -> None:
    body = clean_body(
        [
            "Harga&nbsp;cabai &amp; bawang &quot;naik&quot; &lt;b&gt;",
            'Awal. [caption id="a" width="3"]Kios lama[/caption] Akhir.',
            '[gallery ids="1,2"]',
            '[caption id="b" caption="Kios baru"]',
            "[/caption]",
            "[Bagian 2] tetap, [caption] juga tidak hilang isinya",
            "1369274713949429494",
            "pasar-57281cfc507a611705910d3e.jpg",
        ]
    )
    assert body.paragraphs == (
        'Harga cabai & bawang "naik" &lt;b&gt;',
        "Awal.",
        "Kios lama",
        "Akhir.",
        "Kios baru",
        "[Bagian 2] tetap, juga tidak hilang isinya",
    )
    assert body.captions == {2, 4}
    assert body.positions == (0, 1, 1, 1, 3, 5)
    assert body.n_removed == 0


ADDRESS = "https://www.kompasiana.com/budi/64aa06d1b30026fc8e6dc5ee/asal"
OPENING = 'Konten ini telah tayang di Kompasiana.com dengan judul "Soal "Gratis"", Klik untuk baca:'
RULE = (
    "Kompasiana adalah platform blog. Konten ini menjadi tanggung jawab bloger"
    " dan tidak mewakili pandangan redaksi Kompas."
)
CALL = "Tulis opini Anda seputar isu terkini di Kompasiana.com"


@pytest.mark.parametrize(
    "footer",
    [
        [OPENING, ADDRESS, "", "Kreator: Budi S.", "", RULE, "", CALL],
        [f"{OPENING} {ADDRESS}", "Kreator: Budi S.", RULE, CALL],
        [f"{OPENING} {ADDRESS}  Kreator: Budi S.    {RULE}  {CALL}"],
        [OPENING.replace('"', "&quot;"), ADDRESS, "Kreator: Budi S."],
        [OPENING.replace(" Klik untuk baca:", ""), "Kreator: Budi S.", "Klik untuk baca:", ADDRESS],
    ],
)
def test_pasted_footers_are_read_and_removed_wherever_they_stand(footer: list[str]) -> None:
    for text in ([*footer, "Akhir."], ["Awal.", *footer], ["Awal.", *footer, "Tengah.", *footer, "Akhir."]):
        body = clean_body(text)
        assert body.paragraphs == tuple(line for line in text if line in ("Awal.", "Tengah.", "Akhir."))
        assert body.repost == Repost('Soal "Gratis"', ADDRESS, "Budi S.")
        assert body.n_removed == 0


def test_text_beside_a_footer_stays() -> None:
    body = clean_body([f"Awal. {OPENING} {ADDRESS} Kreator: Budi {RULE} {CALL} Akhir.", "Sisa."])
    assert body.paragraphs == ("Awal.", "Akhir.", "Sisa.")
    assert body.repost == Repost('Soal "Gratis"', ADDRESS, "Budi")


def test_what_only_resembles_a_footer_stays() -> None:
    own = (
        "Konten ini telah tayang di Kompasiana.com dengan judul yang lucu.",
        "Kreator: kata baru untuk penulis.",
        CALL,
    )
    assert clean_body(own).paragraphs == own


@needs_shared_data
def test_real_footers() -> None:
    path = SHARED_DATA / "kompasiana" / "reposted_footers.json"
    footers = [row["text"] for row in json.loads(path.read_text(encoding="utf-8"))]
    assert len(footers) == 7
    for footer in footers:
        lines = re.split(r"\r?\n|<[^>]*>", unescape(footer))
        body = clean_body(["Awal.", *lines, "Akhir."])
        assert body.paragraphs == ("Awal.", "Akhir.")
        assert body.repost is not None
        assert body.repost.title
        assert body.repost.author
        assert body.repost.url in footer


def test_the_text_dump_shares_the_rules() -> None:
    lines = [
        "Ani Lestari Mohon Tunggu... Pedagang",
        "Selanjutnya",
        "Tutup",
        "Money",
        "Harga Cabai",
        "2 November 2023 11:00 Diperbarui: 3 November 2023 07:05 12",
        SENTENCES[0],
        OPENING,
        ADDRESS,
        "Kreator: Budi S.",
        RULE,
        CALL,
        '[caption id="a"]Kios lama[/caption]',
        "â€œMurah,â€ katanya.",
        "Beri Komentar",
    ]
    post = extract_text_dump("\n".join(lines))
    assert [(p.kind, p.text) for p in post.paragraphs] == [
        (ParagraphKind.TEXT, SENTENCES[0]),
        (ParagraphKind.CAPTION, "Kios lama"),
        (ParagraphKind.TEXT, "“Murah,” katanya."),
    ]
    assert (post.reposted_from, post.language) == (Repost('Soal "Gratis"', ADDRESS, "Budi S."), "id")
