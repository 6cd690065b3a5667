from __future__ import annotations

import json
import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_study.config import load_study
from nlp_study.deduplicate import (
    DuplicateKind,
    find_duplicates,
    find_near_duplicates,
    hash_shingles,
    mark_duplicates,
    shared_share,
)
from nlp_study.errors import DataError
from nlp_study.schema import TIMEZONE, TableName
from nlp_study.sources import import_study_sources
from nlp_study.store import RunRecord, open_corpus

from .conftest import REPOSITORY

WORDS = [f"kata{i}" for i in range(3000)]
START = datetime(2024, 1, 1, 8, tzinfo=TIMEZONE)


def text(seed, n=300):
    return " ".join(random.Random(seed).choices(WORDS, k=n))


def edited(original, seed, n_changes):
    words = original.split()
    for place in random.Random(seed).sample(range(len(words)), n_changes):
        words[place] = "lain"
    return " ".join(words)


def post(i, body, *, day=0, **more):
    return {"post_id": f"{i:024x}", "text": body, "published_at": START + timedelta(days=day), **more}


def url(i):
    return f"https://www.kompasiana.com/siti/{i:024x}/judul"


def marked(posts):
    return {int(row.post_id, 16): row for row in find_duplicates(posts)}


# ---- pairs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [12, 30, 60, 79, 80, 120, 300, 2000])
def test_reposts_with_small_edits_are_found_at_any_length(n):
    original = text(1, n)
    repost = "Saya salin dari tetangga. " + edited(original, 2, n // 60) + " Konten ini telah tayang"
    found = find_near_duplicates([text(3, n), original, text(4, n), repost])
    assert [(pair.first, pair.second) for pair in found] == [(1, 3)]
    assert found[0].share > 0.6


@pytest.mark.parametrize("n", [70, 150, 400])
def test_a_text_copied_into_a_longer_one_counts(n):
    short = text(1, n)
    (pair,) = find_near_duplicates([short, text(2, 500) + " " + short + " " + text(3, 500)])
    assert pair.share == pair.share_of_first == 1.0
    assert pair.share_of_second == pytest.approx((n - 4) / (996 + n), abs=1e-9)


def test_a_copy_with_every_eighth_word_changed_is_found():
    """At about half of the shingles; 40 texts of 250 words, the hardest copies that count."""
    originals = [text(i, 250) for i in range(40)]
    copies = [edited(original, 100 + i, 25) for i, original in enumerate(originals)]
    found = {(pair.first, pair.second) for pair in find_near_duplicates(originals + copies)}
    wanted = {
        (i, i + 40)
        for i, (one, other) in enumerate(zip(originals, copies, strict=True))
        if shared_share(hash_shingles(one), hash_shingles(other)) >= 0.5
    }
    assert len(wanted) >= 35
    assert found == wanted


def test_independent_and_empty_texts_do_not():
    assert find_near_duplicates([text(i) for i in range(30)] + ["", "  ", "..."]) == []
    assert find_near_duplicates([]) == find_near_duplicates([""]) == find_near_duplicates(["satu"]) == []


def test_a_phrase_of_the_site_is_no_copy():
    footer = " Konten ini menjadi tanggung jawab bloger dan tidak mewakili pandangan redaksi"
    assert find_near_duplicates([text(i, 120) + footer for i in range(300)]) == []


def test_a_chain_letter_of_many_copies_hangs_together_without_every_pair():
    """400 accounts post one text: 79,800 pairs would be slow, none would let each copy count."""
    original = text(1, 200)
    texts = [edited(original, i, 3) for i in range(400)] + [text(2)]
    found = find_near_duplicates(texts)
    reached = {0}
    for pair in found:
        if pair.first in reached:
            reached.add(pair.second)
    assert reached == set(range(400))
    assert len(found) < 400 * 30


def test_sentences_that_many_posts_quote_do_not_slow_it_down():
    """Posts put together from the same sentences share much and copy nothing; one true copy among them is found."""
    rng = random.Random(5)
    sentences = [text(1000 + i, 25) for i in range(150)]
    texts = [" ".join(rng.sample(sentences, 15)) for _ in range(600)]
    texts.append(edited(texts[100], 1, 8))
    found = find_near_duplicates(texts)
    assert (100, 600) in {(pair.first, pair.second) for pair in found}
    for pair in found:
        assert shared_share(hash_shingles(texts[pair.first]), hash_shingles(texts[pair.second])) == pair.share >= 0.5


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(alphabet="abc .,\u00a0é中\n", max_size=60), max_size=8))
def test_any_text_is_compared_and_pairs_are_right(texts):
    for pair in find_near_duplicates(texts):
        one, other = hash_shingles(texts[pair.first]), hash_shingles(texts[pair.second])
        assert pair.first < pair.second and pair.share == shared_share(one, other) >= 0.5


def test_shingles():
    assert len(hash_shingles("Satu, dua TIGA empat lima enam")) == 2
    assert list(hash_shingles("satu dua tiga empat lima")) == list(hash_shingles("SATU! dua, tiga empat — lima."))
    assert len(hash_shingles("dua kata")) == 1 and len(hash_shingles("?!")) == 0
    assert len(hash_shingles("a b c d e f a b c d e f")) == 6
    assert shared_share(hash_shingles(""), hash_shingles("a")) == 0.0
    assert shared_share(hash_shingles("a b c d e f"), hash_shingles("x a b c d e y")) == 0.5


def test_hashes_are_the_same_everywhere():
    assert list(hash_shingles("satu dua tiga empat lima")) == [3854306624918603809]


# ---- groups ----------------------------------------------------------------------------------------------------------


def test_each_group_is_led_by_the_first_publication():
    a = text(1)
    posts = [
        post(1, edited(a, 1, 4), day=9),
        post(2, a, day=3),
        post(3, a.upper() + "!", day=5),
        post(4, text(2), day=1),
    ]
    rows = marked(posts)
    assert set(rows) == {1, 2, 3}
    assert {row.group for row in rows.values()} == {f"{2:024x}"}
    assert [rows[i].is_first for i in (2, 3, 1)] == [True, False, False]
    assert [rows[i].position for i in (2, 3, 1)] == [0, 1, 2]
    assert [rows[i].kind for i in (2, 3, 1)] == [None, DuplicateKind.EXACT, DuplicateKind.NEAR]
    assert rows[2].share == rows[3].share == 1.0 and 0.9 < rows[1].share < 1.0
    assert rows[2].nearest is None and rows[3].nearest == rows[1].nearest == f"{2:024x}"


def test_posts_without_a_date_come_last():
    posts = [{**post(1, text(1)), "published_at": None}, post(2, text(1), day=30)]
    assert marked(posts)[2].is_first


def test_the_pasted_footer_decides_who_was_first():
    a = text(1)
    copy = post(2, "Bagus sekali. " + edited(a, 1, 3), day=0, reposted_url=url(1))
    rows = marked([post(1, a, day=4), copy, post(3, edited(a, 2, 3), day=2)])
    assert rows[3].is_first  # the source is the later of two others; dates still order these
    assert rows[2].kind == DuplicateKind.REPOST and rows[2].nearest == f"{1:024x}" and not rows[2].is_first
    rows = marked([post(1, a, day=4), copy])
    assert rows[1].is_first and rows[2].kind == DuplicateKind.REPOST


def test_a_footer_alone_marks_nothing():
    """The site adds it to every copied passage: here one sentence, quoted in a post of its own."""
    quote = post(2, text(2) + " " + " ".join(text(1).split()[:20]), day=3, reposted_url=url(1))
    assert marked([post(1, text(1)), quote]) == {}


def test_two_reposts_of_a_post_that_is_not_there_are_one_group():
    a = text(1)
    posts = [post(2, edited(a, 1, 3), reposted_url=url(1)), post(3, edited(a, 2, 3), day=1, reposted_url=url(1))]
    assert [marked(posts)[i].kind for i in (2, 3)] == [None, DuplicateKind.NEAR]


def test_two_posts_that_name_each_other_have_one_first():
    a = text(1)
    rows = marked(
        [post(1, a, reposted_url=url(2)), post(2, a, day=1, reposted_url=url(1)), post(3, a, reposted_url=url(3))]
    )
    assert sum(row.is_first for row in rows.values()) == 1
    assert len({row.group for row in rows.values()}) == 1


def test_a_round_up_ties_nobody_together():
    """An account quotes five whole posts in one: it is no copy of any, and they are not copies of each other."""
    posts = [post(i, text(i, 150), day=i) for i in range(5)]
    assert marked([*posts, post(9, " ".join(p["text"] for p in posts), day=9)]) == {}


def test_an_answer_that_quotes_half_is_a_post_of_its_own():
    a = text(1)
    assert marked([post(1, a), post(2, " ".join(a.split()[:150]) + " " + text(2), day=1)]) == {}
    rows = marked([post(1, a), post(2, " ".join(a.split()[:150]), day=1)])
    assert rows[2].share == 1.0 and rows[2].kind == DuplicateKind.NEAR


def test_order_of_rows_does_not_matter():
    posts = [post(i, edited(text(i % 4), i, 3), day=i % 3) for i in range(16)]
    shuffled = random.Random(1).sample(posts, len(posts))
    assert find_duplicates(posts) == find_duplicates(shuffled)
    assert len(find_duplicates(posts)) == 16


def test_marked_reposts_of_the_demonstration_corpus():
    import csv

    lines = (REPOSITORY / "corpus/demo/posts.jsonl").read_text(encoding="utf-8").splitlines()
    posts = [
        {**row, "text": "\n\n".join(row["paragraphs"]), "published_at": datetime.fromisoformat(row["published_at"])}
        for row in map(json.loads, lines)
    ]
    with (REPOSITORY / "corpus/gold/design.csv").open(encoding="utf-8") as handle:
        planted = {r["post_id"]: r["trap_source"] for r in csv.DictReader(handle) if r["trap"] == "near_duplicate"}
    rows = [row for row in find_duplicates(posts) if not row.is_first]
    assert {row.post_id: row.nearest for row in rows} == planted
    assert min(row.share for row in rows) > 0.65


# ---- stage -----------------------------------------------------------------------------------------------------------


def record(stage="deduplicate"):
    return RunRecord(stage=stage, fingerprint={})


def test_mark_duplicates_writes_the_table_and_leaves_the_posts_alone(make_study):
    path = make_study()
    rows = [json.loads(line) for line in (path.parent / "posts.jsonl").read_text().splitlines()]
    copy = {**rows[0], "post_id": f"{0xABC:024x}", "author_id": "lain", "published_at": "2025-01-01T00:00:00+07:00"}
    with (path.parent / "posts.jsonl").open("a") as handle:
        handle.write(json.dumps(copy) + "\n")
    study = load_study(path)
    corpus = open_corpus(study.data_dir)
    import_study_sources(study, corpus, record("import"))
    before = corpus.record(TableName.POSTS).digest
    counts = mark_duplicates(study, corpus, record())
    assert counts == {"groups": 1, "exact": 1, "near": 0, "repost": 0}
    found = corpus.fetch("SELECT post_id, is_first, kind FROM duplicates ORDER BY position").to_pylist()
    assert [(row["post_id"], row["is_first"], row["kind"]) for row in found] == [
        (rows[0]["post_id"], True, None),
        (copy["post_id"], False, "exact"),
    ]
    assert corpus.record(TableName.POSTS).digest == before
    assert corpus.record(TableName.DUPLICATES).counts == counts


def test_no_posts(make_study):
    study = load_study(make_study())
    with pytest.raises(DataError, match="nlp-study import"):
        mark_duplicates(study, open_corpus(study.data_dir), record())
