"""The linguist's section and the pages of the topics, on posts whose words are counted by hand."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nlp_study.report.topic_pages import N_DISSENT
from nlp_study.report.words import gather_words
from nlp_study.schema import Stance, TableName
from nlp_study.store import Corpus

from .report_tables import HOSTILE, Page, make_study, post_row, prediction_row, report, write_everything, write_table
from .token_rows import token_rows

N = 20
"""Posts of each side."""


def sentence(words: str) -> str:
    """Nouns, the last one a full stop."""
    return " ".join(f"{word}|{word}|NOUN|obl|" for word in words.split()) + " _.|.|PUNCT|punct|"


@pytest.fixture
def parsed(corpus: Corpus) -> Corpus:
    """Posts f… in favour write of `peluang` twice, posts a… against of `potongan`; all write of `pasar`."""
    ids = [f"{side}{i:02d}" for side in "fa" for i in range(N)]
    posts, predictions, tokens, segments, assignments = [], [], [], [], []
    for post_id in ids:
        favor = post_id[0] == "f"
        posts.append(
            post_row(post_id, date(2024, 1 + int(post_id[1:]) % 12, 1), author_id=f"w{post_id[2]}", author="Ani")
        )
        predictions.append(prediction_row(post_id, "favor" if favor else "against"))
        own = "peluang terbuka peluang" if favor else "potongan ojek"
        tokens += token_rows(post_id, sentence(f"pasar digital {own} warung kampung"))
        segments.append(
            {
                "segment_id": f"{post_id}:0",
                "post_id": post_id,
                "index": 0,
                "text": f"Isi {post_id}.",
                "vector": [1.0, 0.0],
            }
        )
        topic = 0 if favor or post_id < "a05" else 1
        assignments.append({"segment_id": f"{post_id}:0", "post_id": post_id, "topic_id": topic, "proba": 0.9})
    topics: list[dict[str, Any]] = [
        {
            "topic_id": topic,
            "label": f"{word}, warung",
            "words": [word, "warung"],
            "weights": [0.4, 0.2],
            "n_segments": n,
            "n_posts": n,
            "representative_segments": [segment],
        }
        for topic, word, n, segment in ((0, "peluang", N + 5, "f00:0"), (1, "potongan", N - 5, "a10:0"))
    ]
    for name, rows in (
        (TableName.POSTS, posts),
        (TableName.PREDICTIONS, predictions),
        (TableName.TOKENS, tokens),
        (TableName.SEGMENTS, segments),
        (TableName.TOPIC_ASSIGNMENTS, assignments),
        (TableName.TOPICS, topics),
        (TableName.PARSED_POSTS, [{"post_id": post_id, "parser": "uji", "n_tokens": 8} for post_id in ids]),
    ):
        write_table(corpus, name, rows)
    return corpus


def test_keywords_tell_the_sides_apart(parsed: Corpus) -> None:
    found = gather_words(make_study(), parsed, [])
    assert found is not None
    keywords = {(word.word, word.stance): word for word in found.keywords[0].keywords}
    assert set(keywords) == {
        ("peluang", Stance.FAVOR), ("terbuka", Stance.FAVOR), ("potongan", Stance.AGAINST), ("ojek", Stance.AGAINST)
    }  # fmt: skip
    word = keywords["peluang", Stance.FAVOR]
    assert (word.n, word.n_other, word.n_posts) == (2 * N, 0, N)
    # 7 words a post in favour; 0 occurrences count as a half
    assert word.ratio == pytest.approx(math.log2((2 * N / (7 * N)) / (0.5 / (6 * N))), abs=0.02)
    assert word.ratio_low <= word.ratio <= word.ratio_high
    assert found.n_tokens == N * 8 + N * 7


def test_company_of_the_target(parsed: Corpus) -> None:
    found = gather_words(make_study(), parsed, [])
    assert found is not None
    assert [(node.node, node.n) for node in found.collocates] == [("digital", 2 * N), ("pasar", 2 * N)]
    company = {row.word: row for row in found.collocates[1].collocates}
    assert company["digital"].n_together == 2 * N
    assert company["digital"].log_dice == 14.0, "always and only together"
    assert company["potongan"].n_posts == N


def test_the_section_stands_in_both_languages(parsed: Corpus) -> None:
    page = report(make_study(language="en"), parsed)
    assert "The words of the two sides" in page.text("en")
    assert "Kata-kata kedua pihak" in page.text("id")
    rows = page.charts["rows"]["keywords-0"]
    assert [row["word"] for row in rows if row["stance"] == "against"] == ["ojek", "potongan"]
    assert all(row["low"] <= row["ratio"] <= row["high"] for row in rows)
    caption = next(t["caption"] for t in page.tables["en"] if t["caption"].startswith("1. peluang"))
    assert "40 times in 20 posts" in caption
    lines = page.table("en", caption)
    assert len(lines) == 1 + 4
    assert lines[1][1] == "peluang"


def test_without_tokens_the_section_names_the_command(corpus: Corpus) -> None:
    write_everything(corpus)
    assert "run nlp-study parse" in report(make_study(), corpus).text("en")


def test_pages_of_topics(parsed: Corpus) -> None:
    page = report(make_study(language="en"), parsed)
    folder = parsed.folder.parent / "report-topics"
    assert sorted(path.name for path in folder.iterdir()) == ["topic-01.html", "topic-02.html"]
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a" and "topic-" in (attrs.get("href") or "")]
    assert set(links) == {f"report-topics/topic-0{k}.html#{lang}-main" for k in (1, 2) for lang in ("id", "en")}
    first = Page((folder / "topic-01.html").read_text(encoding="utf-8"))
    text = first.text("en")
    assert "25 segments in 25 posts by 10 authors." in text
    assert "More posts of this topic are in favour (20 posts)" in text
    assert "posts on the other side (5)" in text
    assert text.count("Isi a0") == N_DISSENT, "dissenting paragraphs are those of posts against"
    authors = first.table("en", "Authors")
    assert authors[0] == ["Authors", "Posts", "In favour", "Against", "Neutral", "Irrelevant"]
    assert authors[1] == ["Ani", "3", "2", "1", "0", "0"]
    second = Page((folder / "topic-02.html").read_text(encoding="utf-8")).text("en")
    assert "There are none: both sides" in second, "all posts of topic 2 are against"


def test_pages_of_topics_that_are_gone_are_removed(parsed: Corpus) -> None:
    folder = parsed.folder.parent / "report-topics"
    folder.mkdir()
    (folder / "topic-09.html").write_text("old", encoding="utf-8")
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    report(make_study(), parsed)
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "topic-01.html", "topic-02.html"]


def test_hostile_words_stay_text(parsed: Corpus, tmp_path: Path) -> None:
    rows = parsed.read(TableName.TOPICS).to_pylist()
    rows[0]["label"] = HOSTILE
    write_table(parsed, TableName.TOPICS, rows)
    report(make_study(), parsed)
    page = Page((parsed.folder.parent / "report-topics" / "topic-01.html").read_text(encoding="utf-8"))
    assert HOSTILE in page.text("id")
    assert len(page.scripts) == 3, "guard, charts and the page's own"
