"""Rows of files become posts and labels; bad rows become failures, bad files errors. All texts are invented."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_study.errors import DataError
from nlp_study.extract.boilerplate import split_lines
from nlp_study.importers import FIELD_ALIASES, ImportedRow, ImportFormat, read_rows
from nlp_study.schema import TIMEZONE, DateSource, Failure, Label, Paragraph, ParagraphKind, Post, Stance

SHARED = Path(__file__).parents[1].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the private evaluation data is not beside the repository"
)

ID24 = "68fa3b03c925c448b0638dd2"  # made on 2025-10-23
URL = f"https://www.kompasiana.com/warga.desa/{ID24}/pasar-pagi"
OLD_URL = "http://www.kompasiana.com/warga.desa/pasar-pagi_54f84de8a33311d5618b456a"
TEXT = "Warung itu kini menerima pesanan daring.\nPembelinya bertambah."
PROMO = (
    "Follow Instagram @kompasianacom juga Tiktok @kompasiana biar nggak ketinggalan event seru komunitas dan tips dapat"
    " cuan dari Kompasiana. Baca juga cerita inspiratif langsung dari smartphone kamu dengan bergabung di WhatsApp"
    " Channel Kompasiana di SINI"
)
DUMP = """Mohon tunggu...
Warga Desa
Warga Desa Mohon Tunggu... Pedagang
Sosbud
Pasar Pagi
21 Juni 2024 09:34 Diperbarui: 21 Juni 2024 10:00 8
Warung itu kini menerima pesanan daring.
Beri Komentar
"""


def write_csv(path: Path, rows: list[list[str]], *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    path.write_bytes(buffer.getvalue().encode(encoding))
    return path


def write_jsonl(path: Path, *rows: Any) -> Path:
    text = "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path, format: ImportFormat, **options: Any) -> tuple[list[ImportedRow], list[Failure]]:
    rows = list(read_rows(path, format, **options))
    return [row for row in rows if isinstance(row, ImportedRow)], [row for row in rows if isinstance(row, Failure)]


def read_one(path: Path, format: ImportFormat, **options: Any) -> Post:
    rows, failures = read(path, format, **options)
    assert failures == []
    assert len(rows) == 1
    return rows[0].post


def read_failure(path: Path, format: ImportFormat, **options: Any) -> Failure:
    rows, failures = read(path, format, **options)
    assert rows == []
    assert len(failures) == 1
    assert failures[0].stage == "import"
    return failures[0]


def refuse(path: Path, format: ImportFormat, **options: Any) -> DataError:
    """The error must come from the call itself, before a row is asked for."""
    with pytest.raises(DataError) as caught:
        read_rows(path, format, **options)
    assert caught.value.remedy
    return caught.value


# --- jsonl -------------------------------------------------------------------------------------------------------


def test_jsonl_reads_every_field(tmp_path: Path) -> None:
    row = {
        "post_id": "demo-001",
        "url": "https://example.org/demo-001",
        "title": "Pasar\u00a0Pagi",
        "author": "Warga Desa",
        "author_id": "warga",
        "author_job": "Pedagang",
        "author_bio": "Menulis di sela jualan.",
        "category": "Ekonomi",
        "badge": "Pilihan",
        "tags": ["umkm", " pasar digital ", ""],
        "published_at": "2024-06-18T09:34:00+07:00",
        "updated_at": "2024-06-19",
        "n_views": 110,
        "n_ratings": 3,
        "n_comments": 0,
        "caption": "Suasana kios.",
        "paragraphs": ["Warung itu  buka.", "", "Pembelinya bertambah."],
    }
    assert read_one(write_jsonl(tmp_path / "demo.jsonl", row), ImportFormat.JSONL) == Post(
        post_id="demo-001",
        url="https://example.org/demo-001",
        title="Pasar Pagi",
        author="Warga Desa",
        author_id="warga",
        author_job="Pedagang",
        author_bio="Menulis di sela jualan.",
        category="Ekonomi",
        badge="Pilihan",
        tags=("umkm", "pasar digital"),
        published_at=datetime(2024, 6, 18, 9, 34, tzinfo=TIMEZONE),
        updated_at=datetime(2024, 6, 19, tzinfo=TIMEZONE),
        date_source=DateSource.PRINTED,
        n_views=110,
        n_ratings=3,
        n_comments=0,
        caption="Suasana kios.",
        paragraphs=(Paragraph("Warung itu buka."), Paragraph("Pembelinya bertambah.")),
    )


def test_only_a_body_is_needed(tmp_path: Path) -> None:
    post = read_one(write_jsonl(tmp_path / "a.jsonl", {"text": TEXT, "title": None, "author": ""}), ImportFormat.JSONL)
    digest = hashlib.sha256(("\n\n\n" + TEXT.split("\n")[0]).encode()).hexdigest()
    assert post == Post(f"sha-{digest[:20]}", "", tuple(Paragraph(line) for line in TEXT.split("\n")))


def test_paragraphs_may_have_kinds_and_lose_what_the_site_inserted(tmp_path: Path) -> None:
    paragraphs = [
        {"kind": "heading", "text": "Pembuka"},
        {"text": "Baca juga: Harga Cabai Naik Lagi"},
        {"kind": "quote", "text": f"Kata ibu: jual saja. {PROMO}"},
        "Penutup yang panjang.",
    ]
    post = read_one(write_jsonl(tmp_path / "a.jsonl", {"url": URL, "paragraphs": paragraphs}), ImportFormat.JSONL)
    assert post.paragraphs == (
        Paragraph("Pembuka", ParagraphKind.HEADING),
        Paragraph("Kata ibu: jual saja.", ParagraphKind.QUOTE),
        Paragraph("Penutup yang panjang."),
    )
    assert post.n_removed == 2
    assert not post.is_cut


def test_bodies_of_other_sites_are_left_alone(tmp_path: Path) -> None:
    body = f"Satu kalimat.\nBaca juga: Harga Cabai Naik Lagi\n{PROMO}"
    row = {"url": "https://example.org/1", "text": body, "published_at": "2025-10-01"}
    post = read_one(write_jsonl(tmp_path / "a.jsonl", row), ImportFormat.JSONL)
    assert [paragraph.text for paragraph in post.paragraphs] == body.split("\n")
    assert (post.n_removed, post.is_cut) == (0, False)


def test_paragraphs_already_extracted_are_not_taken_for_a_first_page(tmp_path: Path) -> None:
    lines = [f"Alasan ke-{number} yang sering saya dengar." for number in range(11)]
    rows = [{"url": URL, "paragraphs": lines}, {"url": URL, "text": "\n".join(lines)}]
    read_posts, _ = read(write_jsonl(tmp_path / "a.jsonl", *rows), ImportFormat.JSONL)
    assert [row.post.is_cut for row in read_posts] == [False, True]


def test_a_bad_row_is_a_failure_and_reading_goes_on(tmp_path: Path) -> None:
    path = write_jsonl(
        tmp_path / "mixed.jsonl",
        {"post_id": "a", "text": TEXT},
        '{"post_id": "b", "text": ',
        "",
        "[1, 2]",
        {"post_id": "c", "text": " \u00a0\n"},
        {"post_id": "d", "text": TEXT, "published_at": "kemarin"},
        {"url": URL, "paragraphs": "bukan daftar", "text": None, "n_views": "banyak"},
        {"post_id": "f", "text": ["satu"]},
        {"post_id": "g", "paragraphs": [{"kind": "lagu", "text": "la"}]},
        {"post_id": "h", "paragraphs": [3]},
        {"post_id": "i", "text": TEXT, "title": {"id": "Pasar"}},
        '{"post_id": "j", "text": "setengah \\ud83d"}',
        {"post_id": "k", "text": TEXT, "n_views": 2**31},
        {"post_id": "l", "text": TEXT, "n_views": -1},
        {"post_id": "m", "text": TEXT},
        "[" * 100_000,
    )
    rows, failures = read(path, ImportFormat.JSONL)
    assert [row.post.post_id for row in rows] == ["a", "m"]
    found = {failure.where: (failure.post_id, failure.reason) for failure in failures}
    assert {where: post_id for where, (post_id, _) in found.items()} == {
        "mixed.jsonl:2": None,
        "mixed.jsonl:4": None,
        "mixed.jsonl:5": "c",
        "mixed.jsonl:6": "d",
        "mixed.jsonl:7": ID24,
        "mixed.jsonl:8": "f",
        "mixed.jsonl:9": "g",
        "mixed.jsonl:10": "h",
        "mixed.jsonl:11": "i",
        "mixed.jsonl:12": None,
        "mixed.jsonl:13": "k",
        "mixed.jsonl:14": "l",
        "mixed.jsonl:16": None,
    }
    reasons = [reason for _, reason in found.values()]
    for reason, part in zip(
        reasons,
        [
            "broken JSON",
            "not a JSON object but list",
            "the body is empty",
            "published_at: 'kemarin' is not a date",
            "n_views: 'banyak' is not a count",
            "text is list, not a text",
            "kind 'lagu' is not one of text, heading",
            "paragraphs holds int",
            "title is dict, not a text",
            "surrogates not allowed",
            "n_views: '2147483648' is not a count from 0 to 2147483647",
            "n_views: '-1' is not a count",
            "broken JSON",
        ],
        strict=True,
    ):
        assert part in reason


def test_nan_means_absent(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", '{"text": "Satu kalimat.", "title": NaN, "n_views": NaN, "author": "x"}')
    post = read_one(path, ImportFormat.JSONL)
    assert (post.title, post.n_views, post.author) == ("", None, "x")


def test_compressed_jsonl_and_the_order_of_a_folder(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "b.jsonl", {"post_id": "b", "text": TEXT})
    with gzip.open(tmp_path / "a.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps({"post_id": "a", "text": TEXT}) + "\n{\n")
    (tmp_path / "c.csv").write_text("text\nlain\n", encoding="utf-8")
    rows, failures = read(tmp_path, ImportFormat.JSONL)
    assert [row.post.post_id for row in rows] == ["a", "b"]
    assert [failure.where for failure in failures] == ["a.jsonl.gz:2"]


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "satu"}\n' * 100)[:-12])
    assert "damaged gzip file" in refuse(path, ImportFormat.JSONL).what
    path.write_bytes(b"bukan gzip")
    assert "damaged gzip file" in refuse(path, ImportFormat.JSONL).what


@pytest.mark.parametrize("content", ["", "\n\n", "[1]\n", "{broken\n"])
def test_a_file_without_any_object_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content, encoding="utf-8")
    assert "holds no JSON object" in refuse(path, ImportFormat.JSONL).what


# --- keys, dates, counts, tags ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "post_id"),
    [
        ({"post_id": "abc-1.2_3", "url": URL}, "abc-1.2_3"),
        ({"post_id": 17}, "17"),
        ({"post_id": "", "url": URL}, ID24),
        ({"post_id": "dua kata", "url": f"{URL}?page=all"}, ID24),
        ({"post_id": "jalan/lain", "url": f"http://kompasiana.com/amp/warga.desa/{ID24}/x"}, ID24),
        ({"url": f"http://www.kompasiana.com/warga.desa/pasar-pagi_{ID24}"}, ID24),
        ({"id": "3", "url": URL}, ID24),
    ],
)
def test_keys(tmp_path: Path, row: dict[str, Any], post_id: str) -> None:
    assert read_one(write_jsonl(tmp_path / "a.jsonl", row | {"text": TEXT}), ImportFormat.JSONL).post_id == post_id


def test_kompasiana_addresses_give_account_canonical_address_and_date(tmp_path: Path) -> None:
    rows = [
        {"url": f"http://kompasiana.com/warga.desa/pasar-pagi_{ID24}?a=1", "text": TEXT},
        {"url": OLD_URL, "text": TEXT},
    ]
    rows.append({"url": URL, "text": TEXT, "date": "1 Juli 2024", "title": "Pasar Halaman 2 - Kompasiana.com"})
    posts = [row.post for row in read(write_jsonl(tmp_path / "a.jsonl", *rows), ImportFormat.JSONL)[0]]
    assert (posts[0].url, posts[0].author_id, posts[0].author) == (URL, "warga.desa", None)
    assert posts[0].published_at == datetime(2025, 10, 23, 21, 26, 11, tzinfo=TIMEZONE)
    assert posts[0].date_source is DateSource.OBJECT_ID
    assert (posts[1].published_at, posts[1].date_source) == (None, DateSource.UNKNOWN)
    assert posts[1].url == "https://www.kompasiana.com/warga.desa/54f84de8a33311d5618b456a/pasar-pagi"
    assert posts[2].published_at == datetime(2024, 7, 1, tzinfo=TIMEZONE)
    assert (posts[2].date_source, posts[2].title) == (DateSource.PRINTED, "Pasar")


def test_the_author_stands_in_for_the_account(tmp_path: Path) -> None:
    assert (
        read_one(write_jsonl(tmp_path / "a.jsonl", {"text": "x", "author": "Bu Sri"}), ImportFormat.JSONL).author_id
        == "Bu Sri"
    )


@pytest.mark.parametrize(
    ("printed", "count"), [("110", 110), ("1.234", 1234), ("1,234,567", 1234567), ("110.0", 110), ("0", 0), ("", None)]
)
def test_counts(tmp_path: Path, printed: str, count: int | None) -> None:
    path = write_csv(tmp_path / "a.csv", [["text", "views"], [TEXT, printed]])
    assert read_one(path, ImportFormat.CSV).n_views == count


@pytest.mark.parametrize(
    ("printed", "tags"),
    [("umkm; pasar, digital;", ("umkm", "pasar, digital")), ("umkm, pasar", ("umkm", "pasar")), ("", ())],
)
def test_tags_in_one_text(tmp_path: Path, printed: str, tags: tuple[str, ...]) -> None:
    path = write_csv(tmp_path / "a.csv", [["text", "tags"], [TEXT, printed]])
    assert read_one(path, ImportFormat.CSV).tags == tags


# --- csv -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_with_indonesian_columns(tmp_path: Path, delimiter: str, encoding: str) -> None:
    header = ["Judul", "ISI", "Tanggal", "Penulis", "kategori", "Kata Kunci", "tautan"]
    row = [
        "Pasar, Pagi; Kita",
        TEXT,
        "21 Juni 2024 \u00a0 09:34",
        "Bu Sri",
        "Ekonomi",
        "umkm; pasar",
        "https://example.org/1",
    ]
    post = read_one(
        write_csv(tmp_path / "a.csv", [header, row], delimiter=delimiter, encoding=encoding), ImportFormat.CSV
    )
    assert (post.title, post.author, post.category, post.tags) == (
        "Pasar, Pagi; Kita",
        "Bu Sri",
        "Ekonomi",
        ("umkm", "pasar"),
    )
    assert [paragraph.text for paragraph in post.paragraphs] == TEXT.split("\n")
    assert post.published_at == datetime(2024, 6, 21, 9, 34, tzinfo=TIMEZONE)
    assert post.url == "https://example.org/1"


def test_aliases_name_each_column_once() -> None:
    names = [name for field, aliases in FIELD_ALIASES.items() for name in (field, *aliases)]
    assert len(names) == len(set(names))
    assert all(name == name.casefold() and " " not in name and "-" not in name for name in names)


def test_own_names_win_over_aliases_and_the_mapping_over_both(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "a.csv", [["isi", "body", "text", "naskah"], ["alias lain", "alias", "sendiri", "dipetakan"]]
    )
    assert read_one(path, ImportFormat.CSV).text == "sendiri"
    assert read_one(path, ImportFormat.CSV, columns={"text": "naskah"}).text == "dipetakan"
    path = write_csv(tmp_path / "a.csv", [["isi", "body"], ["alias lain", "alias"]])
    assert read_one(path, ImportFormat.CSV).text == "alias"
    path = write_csv(tmp_path / "a.csv", [["Isi", "isi"], ["kolom pertama", "kolom kedua"]])
    assert read_one(path, ImportFormat.CSV).text == "kolom pertama"


def test_a_mapped_column_is_not_read_for_another_field(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [["text", "title", "judul"], [TEXT, "Bu Sri", "Pasar Pagi"]])
    post = read_one(path, ImportFormat.CSV, columns={"author": "title"})
    assert (post.author, post.title) == ("Bu Sri", "Pasar Pagi")


def test_bad_csv_rows_are_failures_named_by_their_first_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "post_id,text,published_at\n"
        'a,"Baris satu.\nBaris dua.",2024-06-18\n'
        "b,kurang\n"
        "c,lebih,2024-06-18,sisa\n"
        "\n"
        "d,,2024-06-18\n"
        'e,"Kata "ibu" begitu.",2024-06-18\n'
        "f,Baris.,18/06/2024\n"
        "g,Baris akhir.,\n",
        encoding="utf-8",
    )
    rows, failures = read(path, ImportFormat.CSV)
    assert [row.post.post_id for row in rows] == ["a", "g"]
    assert [(failure.where, failure.post_id) for failure in failures] == [
        ("a.csv:4", None),
        ("a.csv:5", None),
        ("a.csv:7", "d"),
        ("a.csv:8", None),
        ("a.csv:9", "f"),
    ]
    assert failures[0].reason == "has 2 columns where the header has 3"
    assert failures[3].reason.startswith("cannot be read as CSV")


def test_a_field_too_long_does_not_turn_prose_into_rows(tmp_path: Path) -> None:
    """After the error the reader stands inside of the field, whose lines hold as many commas as there are columns."""
    line = "Saya menjual keripik, membeli pulsa\n"
    path = tmp_path / "a.csv"
    path.write_text(
        f'post_id,text\na,Pendek.\nb,"{line * 5000}"\nc,Setelahnya.\nd,"tidak ditutup\ne,{line}', encoding="utf-8"
    )
    rows, failures = read(path, ImportFormat.CSV)
    assert [row.post.post_id for row in rows] == ["a", "c"]
    assert [failure.where for failure in failures] == ["a.csv:3", "a.csv:5005"]
    assert "field larger than field limit" in failures[0].reason
    assert "lines 3 to 5003 are skipped" in failures[0].reason
    assert "is a quote open?" in failures[1].reason


def test_kompasiana_csv_bodies_are_cleaned_and_cut_ones_marked(tmp_path: Path) -> None:
    lines = [f"Alasan ke-{number} yang sering saya dengar." for number in range(11)]
    cut = "\n".join(
        [*lines[:3], "", lines[3], "Baca juga: Harga Cabai Naik Lagi", "", *lines[4:8], "", lines[8], "", *lines[9:]]
    )
    whole = "\n".join([*lines[:3], "", PROMO, "", "", ""])
    old = URL.replace("68fa3b03", "5aafc4b5")
    path = write_csv(tmp_path / "a.csv", [["url", "body"], [URL, cut], [URL, whole], [old, "\n".join(lines)]])
    rows, failures = read(path, ImportFormat.CSV)
    assert failures == []
    assert [(row.post.is_cut, row.post.n_removed, len(row.post.paragraphs)) for row in rows] == [
        (True, 1, 11),
        (False, 1, 3),
        (False, 0, 11),
    ]


_cells = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=60)


@given(bodies=st.lists(_cells, min_size=1, max_size=5), delimiter=st.sampled_from([",", ";", "\t"]))
def test_what_csv_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[str], delimiter: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.csv"
    rows = [[f"p{index}", body] for index, body in enumerate(bodies)]
    read_posts, failures = read(write_csv(path, [["post_id", "text"], *rows], delimiter=delimiter), ImportFormat.CSV)
    expected = {name: [line for line in split_lines(body) if line] for name, body in rows}
    found = {row.post.post_id: [paragraph.text for paragraph in row.post.paragraphs] for row in read_posts}
    assert found == {name: lines for name, lines in expected.items() if lines}
    assert {failure.post_id for failure in failures} == {name for name, lines in expected.items() if not lines}


# --- labels ----------------------------------------------------------------------------------------------------------


def test_labelled_rows(tmp_path: Path) -> None:
    row = {
        "post_id": "a",
        "text": TEXT,
        "target": "ekonomi digital",
        "stance": " Favor ",
        "annotator": "sri",
        "guideline": "1.2",
        "labelled_at": "2024-07-01T10:00",
        "sampling_proba": 0.25,
    }
    bare = {"post_id": "b", "text": TEXT, "target": "ekonomi digital", "stance": "against"}
    unlabelled = {"post_id": "c", "text": TEXT, "target": "ekonomi digital", "stance": None}
    path = write_jsonl(tmp_path / "a.jsonl", row, bare, unlabelled)
    rows, failures = read(path, ImportFormat.JSONL, annotator="budi", guideline="1.0")
    assert failures == []
    assert [row.labels for row in rows] == [
        (Label("a", "ekonomi digital", Stance.FAVOR, "sri", "1.2", datetime(2024, 7, 1, 10, tzinfo=TIMEZONE), 0.25),),
        (Label("b", "ekonomi digital", Stance.AGAINST, "budi", "1.0"),),
        (),
    ]
    assert read(path, ImportFormat.JSONL)[0][1].labels[0].annotator == "unknown"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"stance": "neutral"}, "the label 'neutral' is not one of favor, against"),
        ({"stance": "mendukung"}, "the label 'mendukung' is not one of favor, against"),
        ({"target": " "}, "the row has the stance 'favor' but no target"),
        ({"sampling_proba": 0}, "sampling_proba: '0' is not a probability"),
        ({"sampling_proba": 1.5}, "sampling_proba: '1.5' is not a probability"),
        ({"sampling_proba": "nan"}, "sampling_proba: 'nan' is not a probability"),
        ({"labelled_at": "kemarin"}, "labelled_at: 'kemarin' is not a date"),
    ],
)
def test_bad_labels_are_failures(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    row = {"post_id": "a", "text": TEXT, "target": "t", "stance": "favor"} | change
    failure = read_failure(
        write_jsonl(tmp_path / "a.jsonl", row), ImportFormat.JSONL, stances=[Stance.FAVOR, Stance.AGAINST]
    )
    assert (failure.where, failure.post_id) == ("a.jsonl:1", "a")
    assert reason in failure.reason


def test_a_stance_without_any_target_is_refused(tmp_path: Path) -> None:
    error = refuse(write_csv(tmp_path / "a.csv", [["text", "sikap"], [TEXT, "favor"]]), ImportFormat.CSV)
    assert "'sikap', but no column for its target" in error.what
    assert "--map field=column" in error.remedy


# --- id_stance -------------------------------------------------------------------------------------------------------


def make_stance_row(**change: Any) -> dict[str, Any]:
    return {
        "source_set": "2016-3label",
        "post_id": ID24,
        "url": f" http://www.kompasiana.com/warga.desa/pasar-pagi_{ID24}",
        "author": "warga.desa",
        "target": "ojek daring",
        "event": None,
        "title": "Pasar Pagi",
        "paragraphs": ["Satu kalimat.", "Baca juga: Harga Cabai Naik Lagi"],
        "stance": "favor",
    } | change


def test_id_stance_gives_a_row_a_label(tmp_path: Path) -> None:
    bare = make_stance_row(post_id=None, url=None, author=None, target="pasar", stance="neutral")
    path = write_jsonl(
        tmp_path / "train.jsonl", make_stance_row(), make_stance_row(target="pasar", stance="against"), bare
    )
    rows, failures = read(path, ImportFormat.ID_STANCE)
    assert failures == []
    assert [row.post.post_id for row in rows[:2]] == [ID24, ID24]
    assert [row.labels for row in rows[:2]] == [
        (Label(ID24, "ojek daring", Stance.FAVOR, "id_stance"),),
        (Label(ID24, "pasar", Stance.AGAINST, "id_stance"),),
    ]
    first, last = rows[0].post, rows[2].post
    assert (first.author_id, first.url, first.date_source) == ("warga.desa", URL, DateSource.OBJECT_ID)
    assert first.published_at == datetime(2025, 10, 23, 21, 26, 11, tzinfo=TIMEZONE)
    # Its bodies are of 2016 and 2018, before the site inserted links: what looks like one is the author's.
    assert [paragraph.text for paragraph in first.paragraphs] == ["Satu kalimat.", "Baca juga: Harga Cabai Naik Lagi"]
    digest = hashlib.sha256(b"\nPasar Pagi\n\nSatu kalimat.").hexdigest()
    assert (last.post_id, last.author_id, last.published_at) == (f"sha-{digest[:20]}", None, None)
    assert read(path, ImportFormat.ID_STANCE, annotator="reneje")[0][0].labels[0].annotator == "reneje"


def test_id_stance_failures(tmp_path: Path) -> None:
    path = write_jsonl(
        tmp_path / "train.jsonl",
        make_stance_row(stance="neutral"),
        make_stance_row(stance=None),
        make_stance_row(paragraphs=[]),
    )
    _, failures = read(path, ImportFormat.ID_STANCE, stances=[Stance.FAVOR, Stance.AGAINST])
    assert failures == [
        Failure("import", "train.jsonl:1", "the label 'neutral' is not one of favor, against", ID24),
        Failure("import", "train.jsonl:2", "the row has no stance", ID24),
        Failure("import", "train.jsonl:3", "the body is empty", ID24),
    ]


def test_id_stance_columns_are_fixed(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "train.jsonl", make_stance_row())
    assert "fixed" in refuse(path, ImportFormat.ID_STANCE, columns={"text": "paragraphs"}).what
    write_jsonl(path, {"text": TEXT, "target": "t"})
    error = refuse(path, ImportFormat.ID_STANCE)
    assert "it has no paragraphs, stance" in error.what
    assert "columns text, target" in error.remedy


# --- where -----------------------------------------------------------------------------------------------------------


def test_where_keeps_the_rows_that_match(tmp_path: Path) -> None:
    rows = [
        {"post_id": "a", "text": TEXT, "set": "2016", "fold": 1},
        {"post_id": "b", "text": TEXT, "set": "2018", "fold": 1},
        {"post_id": "c", "text": " ", "set": "2018", "fold": 1},
        {"post_id": "d", "text": TEXT, "set": "2016", "fold": 2},
        {"post_id": "e", "text": TEXT},
    ]
    path = write_jsonl(tmp_path / "a.jsonl", *rows)
    kept, failures = read(path, ImportFormat.JSONL, where={"set": "2016", "fold": "1"})
    assert [row.post.post_id for row in kept] == ["a"]
    assert failures == []
    assert [row.post.post_id for row in read(path, ImportFormat.JSONL, where={"set": ""})[0]] == ["e"]


@pytest.mark.parametrize("format", [ImportFormat.CSV, ImportFormat.JSONL])
def test_where_must_name_a_column(tmp_path: Path, format: ImportFormat) -> None:
    path = tmp_path / "rows"
    if format is ImportFormat.CSV:
        write_csv(path, [["text", "set"], [TEXT, "2016"]])
    else:
        write_jsonl(path, {"text": TEXT, "set": "2016"})
    error = refuse(path, format, where={"source_set": "2016"})
    assert "'source_set'" in error.what
    assert error.remedy == "it has the columns text, set"


# --- files that cannot be read ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", list(ImportFormat))
def test_missing_paths_and_empty_folders(tmp_path: Path, format: ImportFormat) -> None:
    assert "does not exist" in refuse(tmp_path / "tiada", format).what
    (tmp_path / "baca.md").touch()
    assert "holds no *." in refuse(tmp_path, format).what


@pytest.mark.parametrize("format", list(ImportFormat))
def test_what_is_not_utf8_is_refused_with_place_and_remedy(tmp_path: Path, format: ImportFormat) -> None:
    path = tmp_path / "lama.csv"
    path.write_bytes(b"\xef\xbb\xbftext\nSatu\nDua \x93tiga\x94\n")
    error = refuse(path, format)
    assert "not UTF-8: byte 0x93 at offset 17, line 3" in error.what
    assert "iconv -f WINDOWS-1252 -t UTF-8 lama.csv > utf8-lama.csv" in error.remedy
    path.write_bytes("text\nSatu\n".encode("utf-16"))
    error = refuse(path, format)
    assert "at offset 0, line 1" in error.what
    assert "iconv -f UTF-16" in error.remedy


@pytest.mark.parametrize("content", ["", "\ufeff", "\n\n"])
def test_an_empty_csv_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    assert "is empty" in refuse(path, ImportFormat.CSV).what


def test_a_csv_with_a_header_only_gives_nothing(tmp_path: Path) -> None:
    assert list(read_rows(write_csv(tmp_path / "a.csv", [["text"]]), ImportFormat.CSV)) == []


def test_headers_that_cannot_be_used(tmp_path: Path) -> None:
    error = refuse(write_csv(tmp_path / "a.csv", [["judul", "naskah"], ["Pasar", TEXT]]), ImportFormat.CSV)
    assert "no column" in error.what
    assert error.remedy.startswith("it has the columns judul, naskah; name one with --map field=column")
    assert "[sources.columns]" in error.remedy
    error = refuse(write_csv(tmp_path / "b.csv", [["text", "isi", "isi"]]), ImportFormat.CSV)
    assert "several columns named isi" in error.what
    path = tmp_path / "c.csv"
    path.write_text('"text,title\n', encoding="utf-8")
    assert "the header" in refuse(path, ImportFormat.CSV).what


@pytest.mark.parametrize("format", [ImportFormat.CSV, ImportFormat.JSONL])
def test_mappings_that_cannot_be_used(tmp_path: Path, format: ImportFormat) -> None:
    path = tmp_path / "rows"
    if format is ImportFormat.CSV:
        write_csv(path, [["text", "judul"], [TEXT, "Pasar"]])
    else:
        write_jsonl(path, {"text": TEXT, "judul": "Pasar"})
    error = refuse(path, format, columns={"text": "naskah"})
    assert "no column 'naskah', to which text is mapped" in error.what
    assert "columns text, judul; name one with --map field=column" in error.remedy
    error = refuse(path, format, columns={"naskah": "text"})
    assert "no field is called naskah" in error.what
    assert "post_id, url, title, text" in error.remedy


# --- text dumps ------------------------------------------------------------------------------------------------------


def test_a_folder_of_text_dumps(tmp_path: Path) -> None:
    (tmp_path / "2.txt").write_text(DUMP, encoding="utf-8-sig")
    (tmp_path / "1.txt").write_text(f"{URL}\n{DUMP}", encoding="utf-8")
    (tmp_path / "3.txt").write_text("Halaman tidak ditemukan\n", encoding="utf-8")
    (tmp_path / "4.txt").write_bytes(b"Dua \x93tiga\x94\n")
    (tmp_path / "baca.md").touch()
    rows, failures = read(tmp_path, ImportFormat.TEXT_DUMP)
    assert [row.page.path for row in rows if row.page] == ["1.txt", "2.txt"]
    assert [row.post.post_id[:4] for row in rows] == [ID24[:4], "sha-"]
    assert rows[0].page is not None
    assert (rows[0].page.url, rows[0].page.content) == (URL, f"{URL}\n{DUMP}")
    assert rows[1].page is not None
    assert (rows[1].page.url, rows[1].page.content) == (None, DUMP)
    assert rows[0].labels == ()
    assert [failure.where for failure in failures] == ["3.txt", "4.txt"]
    assert "no line with the dates" in failures[0].reason
    assert "desktop page" in failures[0].reason
    assert "byte 0x93 at offset 4, line 1" in failures[1].reason


def test_text_dumps_have_no_columns(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text(DUMP, encoding="utf-8")
    assert "no columns" in refuse(tmp_path, ImportFormat.TEXT_DUMP, columns={"text": "isi"}).what
    assert "no columns" in refuse(tmp_path, ImportFormat.TEXT_DUMP, where={"set": "1"}).what


# --- the evaluation data beside the repository -----------------------------------------------------------------------


@needs_shared
def test_the_seed_folder() -> None:
    rows, failures = read(SHARED / "seed", ImportFormat.TEXT_DUMP)
    assert failures == []
    assert [(row.post.post_id, len(row.post.paragraphs)) for row in rows] == [("sha-89febaad95ed4589d09a", 10)]


@needs_shared
def test_the_articles_of_2025() -> None:
    path = SHARED / "kompasiana" / "articles_2025.csv"
    rows, failures = read(path, ImportFormat.CSV)
    posts = [row.post for row in rows]
    assert failures == []
    assert len({post.post_id for post in posts}) == 20
    assert {post.date_source for post in posts} == {DateSource.OBJECT_ID}
    assert {post.published_at.strftime("%Y-%m") for post in posts if post.published_at} == {
        "2025-09",
        "2025-10",
        "2025-11",
    }
    assert all(post.title and post.author_id for post in posts)
    # 6 promos and 5 inserted links; the other 191 lines stay, in their order.
    assert sum(post.n_removed for post in posts) == 11
    assert sum(len(post.paragraphs) for post in posts) == 191
    # Bodies without promo hold a first page only, and each of them fills it.
    with path.open(encoding="utf-8", newline="") as file:
        has_promo = ["@kompasianacom" in row["body"] for row in csv.DictReader(file)]
    assert [post.is_cut for post in posts] == [not promo for promo in has_promo]
    assert sum(post.is_cut for post in posts) == 14


@needs_shared
def test_the_id_stance_rows() -> None:
    path = SHARED / "id_stance" / "train.jsonl"
    rows, failures = read(path, ImportFormat.ID_STANCE)
    assert failures == []
    assert len(rows) == 508
    assert Counter(row.labels[0].stance for row in rows) == {"favor": 283, "against": 154, "neutral": 71}
    assert len({row.post.post_id for row in rows}) == 340
    assert sum(row.post.post_id.startswith("sha-") for row in rows) == 95
    assert sum(row.post.date_source is DateSource.OBJECT_ID for row in rows) == 274
    assert sum(row.post.author_id is None for row in rows) == 95
    rows, failures = read(
        path, ImportFormat.ID_STANCE, where={"source_set": "2016-3label"}, stances=[Stance.FAVOR, Stance.AGAINST]
    )
    assert (len(rows), len(failures)) == (176, 71)
