"""What the site put into a body goes; what the author wrote stays."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_study.extract.boilerplate import (
    DISCLAIMERS,
    clean_body,
    fold_space,
    is_first_page,
    split_lines,
    strip_title_suffix,
)

SHARED = Path(__file__).parents[1].parent / "shared" / "data"

INVITATION_2024 = "Baca konten-konten menarik Kompasiana langsung dari smartphone kamu."
CHANNEL_2024 = "Follow channel WhatsApp Kompasiana sekarang di sini:"
LINK_2024 = "https://whatsapp.com/channel/0029VaYjYaL4Spk7WflFYJ2H"
PROMO_2024 = f"{INVITATION_2024} {CHANNEL_2024} {LINK_2024}"
HANDLES_2025 = ["Follow Instagram", "@kompasianacom", "juga Tiktok", "@kompasiana"]
REASON_2025 = "biar nggak ketinggalan event seru komunitas dan tips dapat cuan dari Kompasiana."
STORIES_2025 = (
    "Baca juga cerita inspiratif langsung dari smartphone kamu dengan bergabung di WhatsApp Channel Kompasiana di"
)
PROMO_2025 = f"{' '.join(HANDLES_2025)} {REASON_2025} {STORIES_2025} SINI"
FIRST = "Warung di ujung gang kini menerima pesanan lewat gawai."
LAST = "Karena itu saya percaya pasar ini terbuka bagi siapa saja."


@pytest.mark.parametrize(
    "promo",
    [
        [PROMO_2024],
        [PROMO_2024.replace("kamu.", "kamu .")],
        [PROMO_2024.replace("sini: ", "sini:\u00a0")],
        [INVITATION_2024, f"{CHANNEL_2024} {LINK_2024}"],
        [f"{INVITATION_2024} {CHANNEL_2024}", LINK_2024],
        [PROMO_2025],
        [PROMO_2025 + "."],
        [PROMO_2025.replace("Kompasiana.", "Kompasiana .")],
        [PROMO_2025.replace(" ", "\u00a0")],
        [f"{' '.join(HANDLES_2025)} {REASON_2025}", f"{STORIES_2025} SINI"],
        [f"{' '.join(HANDLES_2025)} {REASON_2025}", "", f"{STORIES_2025} SINI"],
        [*HANDLES_2025, REASON_2025.removesuffix("."), ".", STORIES_2025, "SINI"],
    ],
)
def test_promos_go_in_every_known_form(promo: list[str]) -> None:
    body = clean_body([FIRST, LAST, *promo, ""])
    assert body.paragraphs == (FIRST, LAST)
    assert (body.n_promo, body.n_related, body.n_disclaimers, body.n_removed) == (1, 0, 0, 1)


def test_a_promo_at_the_end_of_a_paragraph_leaves_the_paragraph() -> None:
    body = clean_body([FIRST, f"{LAST} {PROMO_2025}"])
    assert body.paragraphs == (FIRST, LAST)
    assert body.n_removed == 1


def test_a_writer_may_speak_of_the_promo() -> None:
    own = [
        "Follow Instagram saya juga ya, biar tidak ketinggalan.",
        "Baca konten-konten menarik Kompasiana langsung dari smartphone kamu, begitu bunyi ajakannya, dan saya menurut.",
        "Kompasiana adalah platform blog, dan saya menulis di sana sejak lama.",
    ]
    assert clean_body(own).paragraphs == tuple(own)
    assert clean_body(own).n_removed == 0


@pytest.mark.parametrize(
    "related",
    [
        ["Baca juga: Mengapa Petani Cabai Beralih ke Pasar Daring?"],
        ["Baca juga:Ramadan Tahun Ini"],
        ["Baca juga :\u00a0Kata Dr. Sari dan H. Amir: Jangan Menyerah..."],
        ["Baca Juga: Kaya Raya? Ini Caranya!"],
        ["Baca juga:", "Mengapa Petani Cabai Beralih ke Pasar Daring?"],
        ["Baca juga:", "", "cerpen: tiga puluh hari mencari sinyal"],
    ],
)
def test_links_to_other_articles_go(related: list[str]) -> None:
    body = clean_body([FIRST, *related, LAST])
    assert body.paragraphs == (FIRST, LAST)
    assert (body.n_related, body.n_removed) == (1, 1)
    assert body.positions == (0, len(related) + 1)


@pytest.mark.parametrize(
    "own",
    [
        "Baca juga buku-buku sejarah agar kita tidak mudah lupa",
        "Baca juga: tulisan saya minggu lalu. Di sana saya menjelaskan mengapa ongkos kirim naik",
        "Baca juga: saya sudah menulis soal ini tahun 2014. Waktu itu belum ada yang peduli",
        "Baca juga: semua syarat yang ditulis kecil di bagian bawah perjanjian mitra itu.",
        "Baca juga: " + "kata " * 45,
        f"{FIRST} Baca juga: Mengapa Petani Cabai Beralih ke Pasar Daring?",
        '"Baca juga: syaratnya," kata ibu kos',
    ],
)
def test_own_sentences_with_the_words_stay(own: str) -> None:
    body = clean_body([FIRST, own, LAST])
    assert body.paragraphs == (FIRST, fold_space(own), LAST)
    assert body.n_removed == 0


def test_the_words_alone_take_only_a_title_with_them() -> None:
    lines = ["Baca juga:", FIRST, LAST]  # the next line ends in a full stop: a paragraph, not a title
    assert clean_body(lines).paragraphs == tuple(lines)
    assert clean_body([FIRST, "Baca juga:"]).paragraphs == (FIRST, "Baca juga:")


def test_a_promo_that_begins_with_the_words_does_not_eat_more_than_itself() -> None:
    body = clean_body([f"{STORIES_2025} SINI", FIRST])
    assert body.paragraphs == (FIRST,)
    assert (body.n_promo, body.n_related) == (1, 0)


@pytest.mark.parametrize("disclaimer", DISCLAIMERS)
def test_disclaimers_go(disclaimer: str) -> None:
    body = clean_body([FIRST, disclaimer, LAST])
    assert body.paragraphs == (FIRST, LAST)
    assert (body.n_disclaimers, body.n_removed) == (1, 1)


def test_reposted_footers_stay() -> None:
    footer = 'Konten ini telah tayang di Kompasiana.com dengan judul "Pasar", Klik untuk baca:'
    assert clean_body([FIRST, footer, "Kreator: Warga"]).paragraphs == (FIRST, footer, "Kreator: Warga")


def test_empty_paragraphs_go_uncounted_and_space_is_folded() -> None:
    body = clean_body(["\u00a0", "Harga\u00a0 naik ,\n kata\tpedagang .\u00a0", "Â", "", "kataÂ itu", "\u200b"])
    assert body.paragraphs == ("Harga naik , kata pedagang .", "kata itu")
    assert body.positions == (1, 4)
    assert body.n_removed == 0


def test_stray_letters_go_but_letters_inside_words_stay() -> None:
    assert fold_space("selesai.Â \u00a0Lalu pulangÂ") == "selesai. Lalu pulang"
    assert fold_space("Château ÂBC") == "Château ÂBC"
    assert fold_space("de\u00admo\u200bkra\ufeffsi") == "demokrasi"
    assert fold_space("👩\u200d🌾 tani") == "👩\u200d🌾 tani"


def test_lines_split_at_line_feeds_only() -> None:
    assert split_lines("a\r\nb\rc\nd\u2028e\u0085f") == ["a", "b", "c", "d e f"]


@pytest.mark.parametrize(
    "title", ["Pasar Pagi", "Pasar Pagi - Kompasiana.com", "Pasar\u00a0Pagi Halaman 2 - Kompasiana.com "]
)
def test_title_suffixes_go(title: str) -> None:
    assert strip_title_suffix(title) == "Pasar Pagi"


def test_a_title_may_end_in_a_page() -> None:
    assert strip_title_suffix("Buku Tebal Halaman 2") == "Buku Tebal Halaman 2"


_words = st.lists(st.from_regex(r"[a-z]{1,9}", fullmatch=True), min_size=1, max_size=12).map(" ".join)
_paragraphs = st.lists(st.one_of(_words, st.sampled_from(["", "\u00a0"])), max_size=15)


@given(_paragraphs)
def test_prose_is_never_lost(paragraphs: list[str]) -> None:
    body = clean_body(paragraphs)
    assert list(body.paragraphs) == [text for text in map(fold_space, paragraphs) if text]
    assert [fold_space(paragraphs[position]) for position in body.positions] == list(body.paragraphs)
    assert clean_body(body.paragraphs).paragraphs == body.paragraphs


def make_page(n_paragraphs: int, *, n_pictures: int = 0, promo: bool = False, related: bool = False) -> list[str]:
    """Lines of a page as the site fills it: pictures first, empty paragraphs after the 3rd, 4th, 8th and 9th."""
    own = [""] * n_pictures + [f"Paragraf ke-{index} tentang harga di pasar." for index in range(n_paragraphs)]
    own += [PROMO_2025] if promo else []
    lines: list[str] = []
    for number, paragraph in enumerate(own, start=1):
        lines.append(paragraph)
        lines += ["Baca juga: Harga Cabai Naik Lagi"] if related and number in (4, 8) else []
        lines += [""] if number in (3, 4, 8, 9) else []
    return lines + [""] * sum(number > len(own) for number in (3, 4, 8, 9))


@pytest.mark.parametrize(
    ("lines", "is_cut"),
    [
        (make_page(11), True),
        (make_page(11, related=True), True),
        (make_page(10, n_pictures=1), True),
        (make_page(9, n_pictures=2, related=True), True),
        (make_page(10, promo=True), False),
        (make_page(10), False),
        (make_page(6), False),
        (make_page(6, promo=True, related=True), False),
        (make_page(30), False),
        ([line for line in make_page(11) if line], True),
        ("\n\n".join(line for line in make_page(11) if line).split("\n"), True),
        ("\n\n".join(line for line in make_page(8) if line).split("\n"), False),
        ([], False),
    ],
)
def test_eleven_paragraphs_without_promo_are_a_first_page(lines: list[str], is_cut: bool) -> None:
    assert is_first_page(lines, captured_year=2025) is is_cut


def test_the_rule_on_first_pages_begins_with_captures_of_2025() -> None:
    assert not is_first_page(make_page(11), captured_year=2024)
    assert is_first_page(make_page(11), captured_year=2026)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the private evaluation data is not beside the repository")
def test_real_bodies_lose_only_what_the_site_inserted() -> None:
    with (SHARED / "kompasiana" / "articles_2025.csv").open(encoding="utf-8", newline="") as file:
        bodies = [split_lines(row["body"]) for row in csv.DictReader(file)]
    n_lines = sum(bool(line) for lines in bodies for line in lines)
    cleaned = [clean_body(lines) for lines in bodies]
    assert [sum(body.n_promo for body in cleaned), sum(body.n_related for body in cleaned)] == [6, 5]
    assert sum(len(body.paragraphs) for body in cleaned) == n_lines - 11
    for lines, body in zip(bodies, cleaned, strict=True):
        assert [lines[position] for position in body.positions] == list(body.paragraphs)
        # No body without promo is whole: each fills its page, and each with promo is not cut.
        assert is_first_page(lines, captured_year=2025) is (body.n_promo == 0)
