"""Posts from the visible text of a page. All texts here are invented; only the site's own phrases are real."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_study.errors import DataError
from nlp_study.extract.text_dump import extract_text_dump
from nlp_study.schema import TIMEZONE, DateSource

SHARED = Path(__file__).parents[1].parent / "shared" / "data"

URL = "https://www.kompasiana.com/warga.desa/66711a2bc925c42f1b0a7d52/pasar-pagi-di-gawai"
DATES = "21 Juni 2024 \u00a0 09:34 Diperbarui: 22 Juni 2024 \u00a0 05:02 1.207"
DISCLAIMER = (
    "Kompasiana adalah platform blog. Konten ini menjadi tanggung jawab bloger"
    " dan tidak mewakili pandangan redaksi Kompas."
)
CAPTION = "Ilustrasi pasar pagi. (Sumber: dokumen pribadi)"
BODY = [
    "Sejak tahun lalu ibu saya menjual keripik lewat gawai, dan pembelinya datang dari kota lain.",
    "Modalnya \u00a0kecil , tetapi ongkos kirimnya tidak.",
    "Siapa pun boleh membuka lapak; tidak semua orang punya sinyal.",
]
FOLDED = ["Modalnya kecil , tetapi ongkos kirimnya tidak." if "Modalnya" in line else line for line in BODY]
PROMO = (
    "Baca konten-konten menarik Kompasiana langsung dari smartphone kamu. Follow channel WhatsApp Kompasiana sekarang di"
    " sini: https://whatsapp.com/channel/0029VaYjYaL4Spk7WflFYJ2H"
)
AUTHOR = ["Mohon tunggu...", "Warga Desa", "Warga Desa Mohon Tunggu... Pedagang - Keripik dan cerita"]
BIO = ["Menulis di sela jualan.", "Tinggal di kaki gunung.", "Selanjutnya", "Tutup"]
BLOCKED = [
    "Akun Diblokir",
    "Akun ini diblokir karena melanggar Syarat dan Ketentuan Kompasiana.",
    "Untuk informasi lebih lanjut Anda dapat menghubungi kami melalui fitur bantuan.",
]
MENU = ["+", "Laporkan Konten", "Laporkan Akun", DISCLAIMER]
FOOTER = [
    "Mohon tunggu...",
    "Lihat Konten Ekonomi Selengkapnya",
    "Lihat Ekonomi Selengkapnya",
    "Beri Komentar",
    "Warga Kota",
    "Berkomentarlah secara bijaksana dan bertanggung jawab. Begitu aturannya.",
    "Belum ada komentar. Jadilah yang pertama untuk memberikan komentar!",
    "Tulisan lain dari Warga Desa",
    "LAPORKAN KONTEN",
    "Keripik dan cerita",
    "Laporkan Akun",
]


def make_dump(
    *,
    before: list[str] | None = None,
    author: list[str] | None = None,
    bio: list[str] | None = None,
    category: list[str] | None = None,
    title: str = "Pasar Pagi di Gawai",
    dates: list[str] | None = None,
    menu: list[str] | None = None,
    photo: list[str] | None = None,
    body: list[str] | None = None,
    footer: list[str] | None = None,
    paragraph_gap: str = "\n\n",
) -> str:
    """The order of visible text on a desktop page; a part given replaces the usual one."""

    def part(given: list[str] | None, usual: list[str]) -> list[str]:
        return usual if given is None else given

    head = [
        *part(before, []),
        *part(author, AUTHOR),
        *part(bio, BIO),
        *part(category, ["Ekonomi Pilihan"]),
        title,
        *part(dates, [DATES]),
        *part(menu, MENU),
        *part(photo, ["Lihat foto", CAPTION]),
    ]
    text = paragraph_gap.join(["\n".join(head), *part(body, [*BODY, PROMO]), "\n".join(part(footer, FOOTER))])
    return text + "\n"


def texts(text: str, **options: str) -> list[str]:
    return [paragraph.text for paragraph in extract_text_dump(text, **options).paragraphs]


@pytest.mark.parametrize("gap", ["\n", "\n\n", "\n \u00a0\n", "\r\n\r\n"])
def test_all_parts_of_a_page_are_read(gap: str) -> None:
    post = extract_text_dump(make_dump(paragraph_gap=gap))
    assert post.author == post.author_id == "Warga Desa"
    assert post.author_job == "Pedagang - Keripik dan cerita"
    assert post.author_bio == "Menulis di sela jualan. Tinggal di kaki gunung."
    assert (post.category, post.badge) == ("Ekonomi", "Pilihan")
    assert post.title == "Pasar Pagi di Gawai"
    assert post.published_at == datetime(2024, 6, 21, 9, 34, tzinfo=TIMEZONE)
    assert post.updated_at == datetime(2024, 6, 22, 5, 2, tzinfo=TIMEZONE)
    assert post.date_source is DateSource.PRINTED
    assert (post.n_views, post.n_ratings, post.n_comments) == (1207, None, None)
    assert post.caption == CAPTION
    assert [paragraph.text for paragraph in post.paragraphs] == FOLDED
    assert post.n_removed == 1
    assert not post.is_cut
    assert post.url is None


def test_the_key_without_address_hashes_author_title_time_and_first_paragraph() -> None:
    parts = ["Warga Desa", "Pasar Pagi di Gawai", "2024-06-21T09:34:00+07:00", FOLDED[0]]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    assert extract_text_dump(make_dump()).post_id == f"sha-{digest[:20]}"
    assert extract_text_dump(make_dump(body=[BODY[0]])).post_id == f"sha-{digest[:20]}"


def test_the_key_comes_from_the_address_given_or_printed_above_the_author() -> None:
    other = "http://kompasiana.com/lain/judul-lain_66711a2bc925c42f1b0a7d53"
    printed = make_dump(before=["Pasar Pagi di Gawai - Kompasiana.com", f"{URL}?page=all#section1"])
    for post in (extract_text_dump(make_dump(), url=URL), extract_text_dump(printed)):
        assert (post.post_id, post.url, post.author_id) == ("66711a2bc925c42f1b0a7d52", URL, "warga.desa")
        assert post.author == "Warga Desa"
    assert extract_text_dump(printed, url=other).post_id == "66711a2bc925c42f1b0a7d53"
    foreign = extract_text_dump(make_dump(), url="https://example.org/pasar")
    assert (foreign.url, foreign.post_id[:4]) == ("https://example.org/pasar", "sha-")


def test_an_address_in_the_biography_is_another_article() -> None:
    post = extract_text_dump(make_dump(bio=[f"Baca {URL}", "Selanjutnya", "Tutup"]))
    assert post.post_id.startswith("sha-")
    assert post.author_bio == f"Baca {URL}"


@pytest.mark.parametrize(
    ("lines", "category", "badge"),
    [
        (["Sosbud"], "Sosbud", None),
        (["Ilmu Sosbud & Agama Artikel Utama"], "Ilmu Sosbud & Agama", "Artikel Utama"),
        (["Travel Story", "Pilihan"], "Travel Story", "Pilihan"),
        ([], None, None),
    ],
)
@pytest.mark.parametrize("bio", [BIO, ["Selanjutnya", "Tutup"], ["Menulis.", "Selanjutnya Tutup"]])
def test_categories_and_badges(lines: list[str], category: str | None, badge: str | None, bio: list[str]) -> None:
    post = extract_text_dump(make_dump(category=lines, bio=bio))
    assert (post.category, post.badge, post.title) == (category, badge, "Pasar Pagi di Gawai")


@pytest.mark.parametrize("bio", [[], ["Selanjutnya", "Tutup"]])
@pytest.mark.parametrize("category", [["Sosbud Pilihan"], ["Sosbud", "Pilihan"]])
def test_no_biography(bio: list[str], category: list[str]) -> None:
    post = extract_text_dump(make_dump(bio=bio, category=category))
    assert (post.author_bio, post.category, post.badge) == (None, "Sosbud", "Pilihan")


def test_no_job() -> None:
    post = extract_text_dump(make_dump(author=["Warga Desa", "Warga Desa Mohon Tunggu..."]))
    assert (post.author, post.author_job) == ("Warga Desa", None)


@pytest.mark.parametrize("block", [BLOCKED, [" ".join(BLOCKED)], [BLOCKED[0], " ".join(BLOCKED[1:])]])
@pytest.mark.parametrize("bio", [BIO, []])
def test_blocked_accounts_stay_readable(block: list[str], bio: list[str]) -> None:
    post = extract_text_dump(make_dump(author=AUTHOR + block, bio=bio))
    assert post.author_bio == (None if not bio else "Menulis di sela jualan. Tinggal di kaki gunung.")
    assert post.category == "Ekonomi"
    assert len(post.paragraphs) == 3


def test_a_scheduled_post_was_updated_before_it_was_published() -> None:
    post = extract_text_dump(make_dump(dates=["6 Januari 2025 07:30 Diperbarui: 5 Januari 2025 20:39 12"]))
    assert post.published_at == datetime(2025, 1, 6, 7, 30, tzinfo=TIMEZONE)
    assert post.updated_at == datetime(2025, 1, 5, 20, 39, tzinfo=TIMEZONE)


@pytest.mark.parametrize(
    ("dates", "views"),
    [
        (["21 Juni 2024 09:34", "Diperbarui: 21 Juni 2024 10:00", "88"], 88),
        (["21 Juni 2024 09:34", "Diperbarui:", "21 Juni 2024 10:00 88"], 88),
        (["21 Juni 2024 09:34 Diperbarui: 21 Juni 2024 10:00", "", "88"], 88),
        (["21 Juni 2024 09:34 Diperbarui: 21 Juni 2024 10:00"], None),
    ],
)
def test_a_browser_may_break_the_dates_line(dates: list[str], views: int | None) -> None:
    post = extract_text_dump(make_dump(dates=dates))
    assert (post.n_views, len(post.paragraphs)) == (views, 3)


def test_a_number_below_the_counts_is_the_authors() -> None:
    dump = make_dump(
        dates=["21 Juni 2024 09:34 Diperbarui: 21 Juni 2024 10:00 88"], menu=[], photo=[], body=["45", *BODY]
    )
    assert texts(dump) == ["45", *FOLDED]


@pytest.mark.parametrize(
    "dates",
    [
        ["3 Maret 2019 06:20 Diperbarui: 3 Maret 2019 06:24 0 12 4"],
        ["3 Maret 2019 06:20 Diperbarui: 3 Maret 2019 06:24 0 12 4 Mohon Tunggu..."],
        ["3 Maret 2019 06:20 Diperbarui: 3 Maret 2019 06:24", "0", "12", "4", "Mohon Tunggu..."],
    ],
)
def test_captures_of_2018_and_2019(dates: list[str]) -> None:
    title = "Ojek Masuk Desa"
    dump = make_dump(title=title, dates=dates, menu=[], photo=[title, CAPTION], body=BODY, footer=["Mohon tunggu..."])
    post = extract_text_dump(dump)
    assert (post.n_views, post.n_ratings, post.n_comments) == (0, 12, 4)
    assert post.title == title
    assert post.caption == CAPTION
    assert [paragraph.text for paragraph in post.paragraphs] == FOLDED
    assert post.n_removed == 0


def test_a_caption_of_2019_may_be_a_sentence() -> None:
    title, caption = "Ojek Masuk Desa", "Suasana kios sebelum fajar."
    dates = ["3 Maret 2019 06:20 Diperbarui: 3 Maret 2019 06:24 0 12 4"]
    post = extract_text_dump(make_dump(title=title, dates=dates, menu=[], photo=[title, caption], body=BODY))
    assert post.caption == caption
    assert [paragraph.text for paragraph in post.paragraphs] == FOLDED


def test_a_title_repeated_without_a_caption_takes_no_paragraph_with_it() -> None:
    title = "Ojek Masuk Desa"
    dates = ["3 Maret 2019 06:20 Diperbarui: 3 Maret 2019 06:24 0 12 4"]
    post = extract_text_dump(make_dump(title=title, dates=dates, menu=[], photo=[title], body=BODY))
    assert post.caption is None
    assert [paragraph.text for paragraph in post.paragraphs] == FOLDED


def test_a_body_may_begin_with_the_title() -> None:
    title = "Ojek Masuk Desa"
    assert texts(make_dump(title=title, photo=[], body=[title, *BODY])) == [title, *FOLDED]


def test_no_header_photo() -> None:
    post = extract_text_dump(make_dump(photo=[]))
    assert post.caption is None
    assert [paragraph.text for paragraph in post.paragraphs] == FOLDED


def test_a_photo_without_caption() -> None:
    post = extract_text_dump(make_dump(photo=["Lihat foto"]))
    assert post.caption is None
    assert [paragraph.text for paragraph in post.paragraphs] == FOLDED


@pytest.mark.parametrize(
    "photo",
    [
        ["Lihat foto", "Suasana kios sebelum fajar."],
        ["Lihat foto", "", "Bagikan ide kreativitasmu dalam bentuk konten di Kompasiana | Sumber gambar: Freepik"],
        ["Lihat foto", "Ekonomi. Sumber ilustrasi: PEXELS/icon0.com", "Ekonomi. Sumber ilustrasi: PEXELS/icon0.com"],
    ],
)
def test_captions(photo: list[str]) -> None:
    post = extract_text_dump(make_dump(photo=photo))
    assert post.caption == photo[-1]
    assert [paragraph.text for paragraph in post.paragraphs] == FOLDED


@pytest.mark.parametrize(
    "pager",
    [
        ["HALAMAN :", "1", "2"],
        ["HALAMAN :", "1. 1", "2. 2"],
        ["HALAMAN : 1 2"],
        ["HALAMAN :", "", "1", "", "2"],
        ["HALAMAN :"],
    ],
)
@pytest.mark.parametrize("footer", [FOOTER, FOOTER[:1], FOOTER[1:], []])
def test_the_pager_is_not_body(pager: list[str], footer: list[str]) -> None:
    post = extract_text_dump(make_dump(footer=[*pager, *footer]))
    assert [paragraph.text for paragraph in post.paragraphs] == FOLDED
    assert not post.is_cut


def test_numbers_that_end_a_body_stay_without_a_pager() -> None:
    assert texts(make_dump(body=[*BODY, "2024"])) == [*FOLDED, "2024"]


@pytest.mark.parametrize("footer", [FOOTER, FOOTER[:1], FOOTER[1:], FOOTER[3:], []])
def test_where_the_body_ends(footer: list[str]) -> None:
    assert texts(make_dump(footer=footer)) == FOLDED


def test_a_writer_may_ask_to_wait() -> None:
    body = [BODY[0], "Mohon tunggu...", FOLDED[1]]
    assert texts(make_dump(body=body)) == body


def test_inserted_links_are_counted_and_gone() -> None:
    body = [BODY[0], "Baca juga: Harga Cabai Naik Lagi", BODY[1], "Baca juga:", "Keripik Naik Kelas", BODY[2], PROMO]
    post = extract_text_dump(make_dump(body=body))
    assert [paragraph.text for paragraph in post.paragraphs] == FOLDED
    assert post.n_removed == 3


def test_a_page_of_a_longer_article_is_marked() -> None:
    dates = ["6 Oktober 2025 07:30 Diperbarui: 6 Oktober 2025 07:30 12"]
    eleven = [f"Alasan ke-{number} yang sering saya dengar di pasar." for number in range(11)]
    pager = ["HALAMAN :", "1", "2", *FOOTER]
    assert extract_text_dump(make_dump(dates=dates, body=eleven)).is_cut
    assert extract_text_dump(make_dump(dates=dates, body=eleven[:7], footer=pager)).is_cut
    assert not extract_text_dump(make_dump(dates=dates, body=eleven[:7])).is_cut
    assert not extract_text_dump(make_dump(dates=dates, body=[*eleven, PROMO], footer=pager)).is_cut
    assert not extract_text_dump(make_dump(body=eleven, footer=pager)).is_cut  # 2024: no rule is known


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no line with the dates"),
        ("Kami tidak menemukan halaman ini.\n", "no line with the dates"),
        (make_dump(dates=["21 Juni 2024"]), "no line with the dates"),
        (
            make_dump(dates=["31 Februari 2024 09:34 Diperbarui: 21 Juni 2024 10:00 8"]),
            "'31 Februari 2024 09:34' is not",
        ),
        (make_dump(dates=["21 Juni 2024 09:34 Diperbarui: 21 Juni 2024 10:00 8 rb"]), "the dates line cannot be read"),
        (make_dump(dates=["21 Juni 2024 09:34 Diperbarui: 21 Juni 2024 10:00 8 2"]), "two counts"),
        (make_dump(author=["Warga Desa"]), "no author line"),
        (make_dump(category=[], title=""), "no title"),
        (make_dump(body=[]), "no body"),
        (make_dump(body=[PROMO]), "no body"),
        (make_dump(body=[], photo=["Lihat foto"]), "no body"),
        (make_dump(body=[], footer=[]), "no body"),
        (make_dump(footer=["KEMBALI KE ARTIKEL"]), "comment page"),
        ("Lihat ke Halaman Asli\nWarga\nJudul\nDiperbarui: 21 Juni 2024 10:00\n", "AMP page"),
    ],
)
def test_other_texts_are_refused_with_a_remedy(text: str, what: str) -> None:
    with pytest.raises(DataError, match=what) as caught:
        extract_text_dump(text)
    assert "desktop page" in caught.value.remedy


_pieces = [
    DATES,
    CAPTION,
    "Lihat foto",
    "HALAMAN :",
    "1",
    "",
    PROMO,
    "Baca juga:",
    *AUTHOR,
    *BIO,
    *BLOCKED,
    *MENU,
    *BODY,
]


@given(st.lists(st.one_of(st.sampled_from([*_pieces, *FOOTER]), st.text(max_size=20)), max_size=30))
def test_any_order_of_lines_gives_a_post_or_an_error_with_a_remedy(lines: list[str]) -> None:
    try:
        post = extract_text_dump("\n".join(lines))
    except DataError as error:
        assert error.remedy
    else:
        assert post.paragraphs
        assert all(paragraph.text == " ".join(paragraph.text.split()) != "" for paragraph in post.paragraphs)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the private evaluation data is not beside the repository")
def test_the_seed_page() -> None:
    text = (SHARED / "seed" / "000_b5a767b2c4a73f49.txt").read_text(encoding="utf-8")
    post = extract_text_dump(text)
    assert post.author_job is not None and post.author_bio is not None and post.caption is not None
    assert len(post.author_bio.split()) == 9
    assert (post.category, post.badge) == ("Sosbud", "Pilihan")
    assert post.published_at == datetime(2024, 6, 18, 9, 34, tzinfo=TIMEZONE)
    assert post.updated_at == datetime(2024, 6, 18, 13, 32, tzinfo=TIMEZONE)
    assert (post.n_views, post.n_ratings, post.n_comments) == (110, None, None)
    named = "\n".join([str(post.author), post.title, post.author_job, post.caption])
    assert (
        hashlib.sha256(named.encode()).hexdigest() == "ec519d0e63696354ddca9f4c7e634994ca92f68859508b30f92a422b459a90c2"
    )
    assert len(post.paragraphs) == 10
    digest = hashlib.sha256(post.text.encode()).hexdigest()
    assert digest == "d94d4889ef8ca96557194d2c0906921a3f410cdd3867e6af9cb191b52522a9ef"
    assert post.n_removed == 1
    assert not post.is_cut
    assert post.post_id == "sha-89febaad95ed4589d09a"
