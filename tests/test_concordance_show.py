"""Concordances on the terminal, in files and through the command; the roots of the demonstration posts."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter

import pytest
import typer
from rich.cells import cell_len

from nlp_study import cli_language
from nlp_study.concordance import cql
from nlp_study.concordance.search import View, find_concordance, open_concordancer
from nlp_study.concordance.show import dump_csv, dump_html, dump_json, print_concordance
from nlp_study.errors import ConfigError
from nlp_study.parse import Text, make_parsed_text, parse_texts
from nlp_study.schema import TableName
from nlp_study.store import Corpus, open_corpus

from .conftest import REPOSITORY
from .token_rows import POSTS, RECORD, write, write_corpus


@pytest.fixture
def small(tmp_path) -> Corpus:
    return write_corpus(tmp_path / "data", POSTS)


def test_csv_and_json_hold_every_line_and_the_counts(small):
    found = find_concordance(small, '[lemma="ekonomi"]', view=View(limit=3))
    rows = list(csv.DictReader(io.StringIO(dump_csv(found))))
    assert [(row["post_id"], row["node"], row["position"]) for row in rows] == [
        ("p1", "Ekonomi", "0"), ("p1", "ekonomi", "6"), ("p3", "ekonomi", "1"),
    ]  # fmt: skip
    assert rows[0]["url"] == "https://contoh.example/p1" and rows[0]["published_at"] == "2024-01-05T08:00:00+07:00"
    content = json.loads(dump_json(found))
    assert (content["hits"], content["posts"], content["tokens_read"], len(content["lines"])) == (5, 2, 26, 3)
    assert content["months"][1]["hits"] == 3 and content["lines"][1]["left"] == "Ekonomi digital tumbuh. Saya mendukung"


def test_the_page_escapes_texts_and_links_to_posts_only(tmp_path):
    posts = {"p1": ("2024-01-05T08:00:00+07:00", "<b>x|x|NOUN|root| kopi|kopi|NOUN|root|")}
    corpus = write_corpus(tmp_path / "data", posts)
    rows = corpus.read(TableName.POSTS).to_pylist()
    write(corpus, TableName.POSTS, [rows[0] | {"url": "javascript:alert(1)", "title": '"><script>'}])
    page = dump_html(find_concordance(corpus, '[lower="kopi"]'))
    assert "javascript:" not in page and "<script>" not in page and "&lt;b&gt;x" in page
    write(corpus, TableName.POSTS, [rows[0]])
    page = dump_html(find_concordance(corpus, "kopi"), language="en")
    assert 'href="https://contoh.example/p1"' in page and "1 hits" in page and 'lang="en"' in page


def test_the_page_writes_numbers_as_its_language_does(small):
    found = find_concordance(small, "ekonomi")
    assert "192.307,7 per sejuta token" in dump_html(found, language="id")
    assert "192,307.7 per million tokens" in dump_html(found, language="en")


def test_the_terminal_shows_node_under_node(small, capsys):
    print_concordance(find_concordance(small, '[lemma="ekonomi"] [upos="ADJ"]'))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3 hits, 115,384.6 per million tokens, in 2 of 3 posts (26 tokens)"
    assert [line.split()[:2] for line in lines[1:]] == [
        ["p1", "2024-01-05"],
        ["p3", "2024-03-01"],
        ["p3", "2024-03-01"],
    ]
    starts = [lines[1].index("Ekonomi digital"), lines[2].index("ekonomi syariah"), lines[3].index("ekonomi kuat")]
    assert len(set(starts)) == 1
    print_concordance(find_concordance(small, "ekonomi"), by_month=True)
    assert capsys.readouterr().out.splitlines()[2].split()[:4] == ["2024-01", "2", "17", "117,647.1"]


def test_emoji_and_control_characters_do_not_move_the_node(tmp_path, capsys):
    text = "😀😀😀|x|SYM|root| kopi|kopi|NOUN|root|"
    corpus = write_corpus(
        tmp_path / "data", {"p1": (None, text), "p2": (None, "a\x1b[31m|x|X|root| kopi|kopi|NOUN|root|")}
    )
    print_concordance(find_concordance(corpus, "kopi"))
    out = capsys.readouterr().out
    assert "\x1b" not in out and "no date" not in out
    first, second = out.splitlines()[1:3]
    assert cell_len(first[: first.index("kopi")]) == cell_len(second[: second.index("kopi")])


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def call(small, make_study, capsys):
    """Run a command of this module; return its stdout and stderr."""
    study = make_study()
    study.write_text(study.read_text() + f'\n[paths]\ndata = "{small.folder}"\n')
    app = typer.Typer()
    cli_language.register(app)

    def run(*words: object) -> tuple[str, str]:
        app([*map(str, words), "--study", str(study)], standalone_mode=False)
        captured = capsys.readouterr()
        return captured.out, captured.err

    return run


def test_the_command(call, tmp_path):
    out, err = call("kwic", "root:dukung", "--format", "json", "--sort", "right", "--sample", 2, "--seed", 3)
    content = json.loads(out)
    assert content["hits"] == 4 and len(content["lines"]) == 2 and "indexing 26 tokens" in err
    assert call("kwic", "root:dukung", "--since", "2024-02", "--format", "json", "--sentence")[0].count('"node"') == 2
    call("kwic", "ekonomi", "--format", "html", "--output", tmp_path / "kwic.html")
    assert (tmp_path / "kwic.html").read_text().startswith("<!doctype html>")
    assert call("kwic", "ekonomi", "--by-month", "--format", "csv")[0].splitlines()[1].startswith("2024-01,2,17,")
    assert call("kwic", "ekonomi", "--sql")[0].startswith("WITH places")


def test_the_command_names_what_is_wrong(call):
    with pytest.raises(cql.CqlError, match="column 8"):
        call("kwic", "[lemma=x]")
    with pytest.raises(ConfigError, match="--sort"):
        call("kwic", "x", "--sort", "up")
    with pytest.raises(ConfigError, match="--format"):
        call("kwic", "x", "--format", "pdf")


# ---- the demonstration corpus ----------------------------------------------------------------------------------------

AFFIXED = {
    "dukung": "dukung didukung mendukung pendukung",
    "untung": "untung untungnya beruntung diuntungkan keuntungannya menguntungkan",
    "tanam": "tanam ditanam ditanami menanam tanaman tanamannya",
    "kirim": "kirim dikirim dikirimi kekirim kekirimnya kiriman kirimannya kirimi kirimkan kirimnya kukirim kukirimi "
    "mengirim mengirimi mengirimiku ngirim ngirimin ngirimnya pengirim pengiriman pengirimnya terkirim",
}
"""Every form of these roots in the demonstration posts, found by reading the list of their words."""


def test_a_root_finds_every_affixed_form_in_the_demonstration_posts(tmp_path):
    import spacy

    corpus = open_corpus(tmp_path / "data")
    lines = (REPOSITORY / "corpus/demo/posts.jsonl").read_text(encoding="utf-8").splitlines()
    posts = sorted((json.loads(line) for line in lines), key=lambda post: str(post["post_id"]))
    texts = [
        Text(post["post_id"], make_parsed_text(post["title"], "\n\n".join(post["paragraphs"])), "") for post in posts
    ]
    corpus.write(TableName.TOKENS, parse_texts(spacy.blank("xx"), texts), RECORD)
    write(corpus, TableName.POSTS, [{"post_id": post["post_id"], "title": post["title"]} for post in posts])
    concordancer = open_concordancer(corpus)
    every = "\n".join(text.text for text in texts).lower()
    for root, forms in AFFIXED.items():
        found = concordancer.find(f"root:{root}", view=View(limit=10_000))
        assert Counter(line.node.lower() for line in found.lines) == {
            form: len(re.findall(rf"(?<![\w-]){form}(?![\w-])", every)) for form in forms.split()
        }
