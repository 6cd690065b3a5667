"""The index against SQL over the same table, counts and lines by hand, output, limits."""

from __future__ import annotations

import random
import time
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlp_study.concordance import cql
from nlp_study.concordance.index import build_index, load_index, open_index
from nlp_study.concordance.match import Deadline, QueryLimitError, match_query
from nlp_study.concordance.search import Sort, View, find_concordance, open_concordancer
from nlp_study.concordance.sql import NoSqlError, compile_sql
from nlp_study.concordance.subcorpus import Subcorpus
from nlp_study.errors import DataError
from nlp_study.schema import TableName
from nlp_study.store import Corpus, open_corpus

from .token_rows import POSTS, token_rows, write, write_corpus


@pytest.fixture
def small(tmp_path) -> Corpus:
    return write_corpus(tmp_path / "data", POSTS)


def hits(corpus: Corpus, query: str, *, longest: bool = False) -> list[tuple[str, int, int]]:
    """Hits as the index finds them: post, position, length."""
    index = open_index(corpus)
    found = match_query(index, cql.parse_cql(query), deadline=Deadline.after(20), longest=longest)
    ids, posts = index.post_ids.to_pylist(), index.posts.tolist()
    rows = []
    for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True):
        post = max(i for i, first in enumerate(posts) if first <= start)
        rows.append((ids[post], start - posts[post], end - start))
    return rows


def sql_hits(corpus: Corpus, query: str, *, longest: bool = False) -> list[tuple[str, int, int]]:
    table = corpus.fetch(compile_sql(cql.parse_cql(query), longest=longest))
    return [tuple(row.values()) for row in table.to_pylist()]  # type: ignore[misc]


BY_HAND = {
    '[lemma="ekonomi"]': [("p1", 0, 1), ("p1", 6, 1), ("p3", 1, 1), ("p3", 4, 1), ("p3", 8, 1)],
    '[lemma="ekonomi"] [upos="ADJ"]': [("p1", 0, 2), ("p3", 1, 2), ("p3", 4, 2)],
    "root:dukung": [("p1", 5, 1), ("p2", 0, 1), ("p3", 0, 1), ("p3", 3, 1)],
    "ekonomi digital": [("p1", 0, 2)],
    "Ekonomi": [("p1", 0, 1), ("p1", 6, 1), ("p3", 1, 1), ("p3", 4, 1), ("p3", 8, 1)],
    '"Ekonomi"': [("p1", 0, 1), ("p3", 8, 1)],
    '"ekonomi"%c [upos!="ADJ"]': [("p1", 6, 2)],
    "dukungannya": [("p2", 0, 2)],
    'eko* [upos="ADJ" & lower!="kuat"]': [("p1", 0, 2), ("p3", 1, 2)],
    '[lower=".*kung"]': [("p1", 5, 1), ("p3", 0, 1), ("p3", 3, 1)],
    '[ent="B-PER"] [ent="I-PER"]{0,3}': [("p2", 5, 1)],
    '[lemma="ekonomi"] []{0,3} [lemma="kuat"]': [("p3", 1, 5), ("p3", 4, 2)],
    '[lemma="tumbuh"] []{0,3} "Saya"': [("p1", 2, 3)],
    '[lemma="tumbuh"] []{0,3} "Saya" within s': [],
    '(digital | syariah) []': [("p1", 1, 2), ("p3", 2, 2)],
    '[upos="NOUN" & !(lemma="ekonomi" | deprel="nmod")]': [("p2", 0, 1), ("p3", 0, 1)],
    '[space="no" & upos="NOUN"]': [("p1", 7, 1), ("p2", 0, 1), ("p3", 8, 1)],
    '[feats="Polarity=.*"]': [("p3", 7, 1)],
    '[form=="."] []': [("p1", 3, 2)],
    "tidakada": [],
    '[ent!=""]': [("p2", 5, 1), ("p2", 6, 1)],
    '[deprel!="punct"] [deprel="punct"] within <s/>': [("p1", 2, 2), ("p1", 7, 2), ("p2", 2, 2), ("p2", 6, 2), ("p3", 6, 2)],
}  # fmt: skip


@pytest.mark.parametrize("query", BY_HAND)
def test_hits_are_those_counted_by_hand_and_those_of_sql(small, query):
    assert hits(small, query) == BY_HAND[query]
    assert sql_hits(small, query) == BY_HAND[query]


def test_of_several_ends_the_nearest_or_the_farthest(small):
    query = '[lemma="ekonomi"] []{0,4} [upos="ADJ"]'
    assert hits(small, query) == sql_hits(small, query) == [("p1", 0, 2), ("p3", 1, 2), ("p3", 4, 2)]
    far = [("p1", 0, 2), ("p3", 1, 5), ("p3", 4, 2)]
    assert hits(small, query, longest=True) == sql_hits(small, query, longest=True) == far


ATOMS = st.sampled_from(
    ["a", "b", '[upos="X"]', '[upos!="X"]', "[]", '[lower="a|b"]', '[deprel="r" & lower!="a"]', '[ent=""]', "root:c"]
)


@st.composite
def queries(draw) -> str:
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        atom = draw(ATOMS)
        if draw(st.booleans()):
            atom = f"({atom} | {draw(ATOMS)} {draw(ATOMS)})"
        parts.append(atom + draw(st.sampled_from(["", "", "", "?", "{0,2}", "{1,2}", "{2}"])))
    text = " ".join(parts) + draw(st.sampled_from(["", " within s"]))
    return text


@pytest.fixture(scope="module")
def random_corpus(tmp_path_factory) -> Corpus:
    """Four-letter vocabulary, so that everything matches somewhere, at the ends of posts and sentences as well."""
    rng = random.Random(5)
    posts: dict[str, tuple[str | None, str]] = {}
    for n in range(40):
        words = [
            f"{rng.choice('abcA.')}|{rng.choice('ab')}|{rng.choice('XY')}|{rng.choice('rs')}|{rng.choice(['', 'B-PER'])}"
            for _ in range(rng.randrange(1, 12))
        ]
        posts[f"q{n:02d}"] = (None, " ".join(words))
    return write_corpus(tmp_path_factory.mktemp("random") / "data", posts)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=queries(), longest=st.booleans())
def test_the_index_finds_what_sql_finds(random_corpus, query, longest):
    try:
        expected = sql_hits(random_corpus, query, longest=longest)
    except (cql.CqlError, NoSqlError):
        return
    assert hits(random_corpus, query, longest=longest) == expected


# ---- counts and lines ------------------------------------------------------------------------------------------------


def test_counts_by_month_and_per_million(small):
    found = find_concordance(small, '[lemma="ekonomi"]')
    assert (found.n_hits, found.n_posts, found.n_posts_read, found.n_tokens_read) == (5, 2, 3, 26)
    assert found.per_million == pytest.approx(1e6 * 5 / 26)
    assert found.months.to_pylist() == [
        {"month": "2024-01", "hits": 2, "tokens": 17, "per_million": pytest.approx(1e6 * 2 / 17)},
        {"month": "2024-03", "hits": 3, "tokens": 9, "per_million": pytest.approx(1e6 * 3 / 9)},
    ]


def test_a_line_shows_the_text_as_written_and_leads_to_its_post(small):
    line = find_concordance(small, "dukungannya").lines[0]
    assert (line.left, line.node, line.right) == ("", "Dukungannya", "kuat, kata Budi Santoso.")
    assert (line.post_id, line.sentence, line.position, line.n_tokens) == ("p2", 0, 0, 2)
    assert (line.title, line.url, line.author) == ("Judul <p2>", "https://contoh.example/p2", "Penulis p2")
    assert line.published_at == datetime.fromisoformat("2024-01-20T08:00:00+07:00")


def test_context_in_tokens_stays_in_the_post_and_in_sentences_in_the_sentence(small):
    by_tokens = find_concordance(small, "rakyat", view=View(context=2)).lines[0]
    assert (by_tokens.left, by_tokens.right) == ("mendukung ekonomi", ".")
    assert by_tokens.sentence == 1
    by_sentence = find_concordance(small, "rakyat", view=View(context=None)).lines[0]
    assert (by_sentence.left, by_sentence.right) == ("Saya mendukung ekonomi", ".")
    assert find_concordance(small, "Budi", view=View(context=50)).lines[0].left == "Dukungannya kuat, kata"


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (Sort.TEXT, ["digital tumbuh", "rakyat.", "syariah didukung", "kuat sekali", ""]),
        (Sort.RIGHT, ["", "digital tumbuh", "kuat sekali", "rakyat.", "syariah didukung"]),
        (Sort.LEFT, ["digital tumbuh", "", "kuat sekali", "rakyat.", "syariah didukung"]),
        (Sort.NODE, ["digital tumbuh", "rakyat.", "syariah didukung", "kuat sekali", ""]),
        (Sort.DATE, ["digital tumbuh", "rakyat.", "syariah didukung", "kuat sekali", ""]),
    ],
)
def test_sorting(small, sort, expected):
    lines = find_concordance(small, '[lemma="ekonomi"]', view=View(context=2, sort=sort)).lines
    assert [line.right for line in lines] == expected
    first_two = find_concordance(small, '[lemma="ekonomi"]', view=View(context=2, sort=sort, limit=2)).lines
    assert first_two == lines[:2]
    rest = find_concordance(small, '[lemma="ekonomi"]', view=View(context=2, sort=sort, limit=9, offset=2)).lines
    assert rest == lines[2:]


@pytest.mark.parametrize(
    "view", [View(context=0), View(limit=0, sort=Sort.RIGHT), View(offset=99), View(sample=1, sort=Sort.LEFT)]
)
@pytest.mark.parametrize("query", ["ekonomi", "tidakada", "[]"])
def test_nothing_to_show(small, query, view):
    found = find_concordance(small, query, view=view)
    shown = max(0, min(view.limit, (view.sample or found.n_hits) - view.offset, found.n_hits - view.offset))
    assert len(found.lines) == shown
    assert all((line.left, line.right) == ("", "") for line in found.lines) or view.context
    assert found.n_hits == {"ekonomi": 5, "tidakada": 0, "[]": 26}[query]


def test_a_sample_is_the_same_for_a_seed_and_counts_stay_exact(random_corpus):
    full = find_concordance(random_corpus, "[]", view=View(limit=10_000))
    drawn = [find_concordance(random_corpus, "[]", view=View(sample=20, seed=seed)) for seed in (1, 1, 2)]
    assert all(found.n_hits == full.n_hits == len(full.lines) and len(found.lines) == 20 for found in drawn)
    assert drawn[0].lines == drawn[1].lines != drawn[2].lines
    assert set(drawn[0].lines) <= set(full.lines)


# ---- which posts are read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subcorpus", "expected"),
    [
        (Subcorpus(), 5),
        (Subcorpus(where="category = 'Ekonomi' -- only"), 2),
        (Subcorpus(since="2024-02"), 3),
        (Subcorpus(until="2024-01"), 2),
        (Subcorpus(stance="favor"), 3),
        (Subcorpus(stance="favor", target="other"), 0),
        (Subcorpus(stance="against", target="t"), 2),
        (Subcorpus(topic=4), 2),
    ],
)
def test_subcorpora(small, subcorpus, expected):
    predictions = [
        {"post_id": "p3", "target": "t", "stance": "favor"},
        {"post_id": "p1", "target": "t", "stance": "against"},
        {"post_id": "p2", "target": "t", "stance": "favor", "abstained": True},
    ]
    write(small, TableName.PREDICTIONS, predictions)  # type: ignore[arg-type]
    write(small, TableName.TOPIC_ASSIGNMENTS, [{"segment_id": "p1:0", "post_id": "p1", "topic_id": 4}])
    found = find_concordance(small, '[lemma="ekonomi"]', subcorpus)
    assert found.n_hits == len(found.lines) == expected
    assert sum(found.months["hits"].to_pylist()) == expected
    favor = find_concordance(small, "[]", Subcorpus(stance="favor"))
    assert (favor.n_posts, favor.n_posts_read) == (1, 1), "p2 is undecided"


def test_posts_that_repeat_another_count_once(small):
    rows = [
        {"post_id": "p1", "group": "p1", "position": 0, "is_first": True},
        {"post_id": "p3", "group": "p1", "position": 1, "is_first": False},
    ]
    write(small, TableName.DUPLICATES, rows)  # type: ignore[arg-type]
    assert find_concordance(small, '[lemma="ekonomi"]').n_hits == 2
    assert find_concordance(small, '[lemma="ekonomi"]').n_tokens_read == 17
    assert find_concordance(small, '[lemma="ekonomi"]', Subcorpus(with_copies=True)).n_hits == 5


@pytest.mark.parametrize(
    "where",
    [
        "1 = 1); DROP VIEW posts; --",
        "post_id IN (SELECT content FROM read_text('/etc/hostname'))",
        "post_id IN (SELECT column0 FROM read_csv('/etc/passwd'))",
        "nothing = 1",
        "(",
    ],
)
def test_a_condition_cannot_write_or_read_files(small, where):
    with pytest.raises(DataError):
        find_concordance(small, "ekonomi", Subcorpus(where=where))
    assert small.fetch("SELECT count(*) AS n FROM posts")["n"][0].as_py() == 3


def test_a_condition_that_never_ends_is_stopped(small):
    where = "(SELECT count(*) FROM range(100000000000) a, range(1000) b WHERE a.range % 7 = b.range) > 0"
    started = time.monotonic()
    with pytest.raises(DataError, match="more than"):
        find_concordance(small, "ekonomi", Subcorpus(where=where), time_limit_s=0.3)
    assert time.monotonic() - started < 10
    assert find_concordance(small, "ekonomi").n_hits == 5, "the corpus can be asked again"


def test_a_query_stops_at_its_time_limit(random_corpus):
    index = open_index(random_corpus)
    with pytest.raises(QueryLimitError, match="more than 0 s"):
        match_query(index, cql.parse_cql("[]{1,100} [] []*"), deadline=Deadline.after(0))


def test_bad_months_are_named(small):
    with pytest.raises(DataError, match="2024-13"):
        find_concordance(small, "ekonomi", Subcorpus(since="2024-13"))


# ---- the index -------------------------------------------------------------------------------------------------------


def test_a_changed_table_gets_a_new_index_and_the_old_one_goes(small):
    told: list[str] = []
    open_index(small, announce=told.append)
    open_index(small, announce=told.append)
    assert told == ["indexing 26 tokens, once"]
    first = small.record(TableName.TOKENS)
    write(small, TableName.TOKENS, token_rows("p1", POSTS["p1"][1]))
    index = open_index(small, announce=told.append)
    assert told[1:] == ["indexing 9 tokens, once"] and index.meta.n_posts == 1
    assert first and not (small.folder / "concordance" / first.digest).exists()


def test_posts_and_sentences_over_many_batches(small, monkeypatch, tmp_path):
    whole = open_index(small)
    for size in (1, 2, 5):
        monkeypatch.setattr("nlp_study.concordance.index._BATCH_TOKENS", size)
        build_index(small.files(TableName.TOKENS), tmp_path / str(size), digest="x")
        cut = load_index(tmp_path / str(size))
        assert cut.sentences.tolist() == whole.sentences.tolist() == [0, 4, 9, 17, 25]
        assert cut.posts.tolist() == whole.posts.tolist() == [0, 9, 17]
        forms = [cut.values["form"][int(code)].as_py() for code in cut.type_codes["form"][cut.types]]
        assert forms == small.read(TableName.TOKENS)["form"].to_pylist()


def test_tokens_out_of_order_are_refused(small):
    rows = token_rows("p1", POSTS["p1"][1])
    write(small, TableName.TOKENS, rows[:3] + token_rows("p2", POSTS["p2"][1]) + rows[3:])
    with pytest.raises(DataError, match="p1"):
        open_index(small)
    assert [path for path in (small.folder / "concordance").iterdir() if path.is_dir()] == []


def test_a_damaged_index_says_what_to_delete(small):
    folder = open_index(small).folder
    (folder / "types.npy").write_bytes(b"not numpy")
    with pytest.raises(DataError, match="damaged") as caught:
        open_index(small)
    assert "delete the folder" in caught.value.remedy


def test_no_tokens_yet(tmp_path):
    with pytest.raises(DataError, match="no tokens") as caught:
        open_concordancer(open_corpus(tmp_path / "data"))
    assert "nlp-study parse" in caught.value.remedy


def test_posts_that_are_gone_since_the_parse_are_said(small):
    rows = small.read(TableName.POSTS).to_pylist()
    write(small, TableName.POSTS, rows[:2])
    with pytest.raises(DataError, match="no longer there") as caught:
        open_concordancer(small)
    assert "nlp-study parse" in caught.value.remedy
