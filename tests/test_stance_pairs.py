from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_study.config import load_study
from nlp_study.deduplicate import find_near_duplicates
from nlp_study.errors import DataError
from nlp_study.schema import Stance
from nlp_study.sources import import_study_sources
from nlp_study.stance.pairs import Pair, group_posts, names_target, post_text, read_pairs, split_folds
from nlp_study.store import RunRecord, open_corpus


def row(post, author=None, text=None):
    return {"post_id": post, "author_id": author, "author": None, "text_digest": text or post}


def test_one_author_or_one_text_is_one_group():
    groups = group_posts(
        [row("1", "ani"), row("2", "Ani"), row("3", "budi", "same"), row("4", "cici", "same"), row("5"), row("6")]
    )
    assert groups[0] == groups[1]
    assert groups[2] == groups[3]
    assert len({groups[0], groups[2], groups[4], groups[5]}) == 4


def test_chains_are_one_group():
    """Ani's text was reposted by Budi, who also wrote another one: all three belong together."""
    groups = group_posts([row("1", "ani", "t1"), row("2", "budi", "t1"), row("3", "budi", "t2")])
    assert len(set(groups)) == 1


def test_near_duplicates_are_one_group_and_never_straddle_a_split():
    """Budi reposts Ani's text with small edits: their posts, and all others of theirs, stay on one side."""
    words = [f"kata{i}" for i in range(400)]
    texts = [" ".join(random.Random(i).choices(words, k=150)) for i in range(40)]
    texts[7] = "Saya salin. " + texts[3].replace("kata1 ", "kata2 ") + " Konten ini telah tayang"
    rows = [row(str(i), f"author{i % 20}") for i in range(40)]
    groups = group_posts(rows, find_near_duplicates(texts))
    assert groups[3] == groups[7] == groups[23] == groups[27]
    assert len(set(groups)) == 19
    pairs = [Pair(str(i), "t", "t", texts[i], (), groups[i], list(Stance)[i % 3]) for i in range(40)]
    for seed in range(8):
        for fold in split_folds(pairs, n_folds=4, seed=seed):
            assert (3 in fold.train) == (7 in fold.train)


stances = st.sampled_from(list(Stance)[:3])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20), stances), min_size=30, max_size=60),
    st.integers(2, 4),
    st.integers(0, 5),
)
def test_no_author_and_no_text_stands_on_both_sides(posts, n_folds, seed):
    rows = [row(str(i), f"author{author}", f"text{text}") for i, (author, text, _) in enumerate(posts)]
    groups = group_posts(rows)
    pairs = [
        Pair(r["post_id"], "t", "t", "x", (), g, stance)
        for r, g, (_, _, stance) in zip(rows, groups, posts, strict=True)
    ]
    if len(set(groups)) < n_folds:
        with pytest.raises(DataError, match="author-disjoint"):
            split_folds(pairs, n_folds=n_folds, seed=seed)
        return
    folds = split_folds(pairs, n_folds=n_folds, seed=seed)
    assert sorted(i for fold in folds for i in fold.test) == list(range(len(pairs)))
    for fold in folds:
        assert not {rows[i]["author_id"] for i in fold.train} & {rows[i]["author_id"] for i in fold.test}
        assert not {rows[i]["text_digest"] for i in fold.train} & {rows[i]["text_digest"] for i in fold.test}


def test_folds_depend_on_the_seed_only():
    pairs = [Pair(str(i), "t", "t", "x", (), f"g{i % 10}", list(Stance)[i % 3]) for i in range(40)]
    assert split_folds(pairs, n_folds=3, seed=1) == split_folds(pairs, n_folds=3, seed=1)
    assert split_folds(pairs, n_folds=3, seed=1) != split_folds(pairs, n_folds=3, seed=2)


def test_names_target():
    text = "Ekonomi digital itu janji; demokratisasi ekonomi digitalnya belum."
    assert [text[a:b] for a, b in names_target(text, ("ekonomi digital", "demokratisasi ekonomi digital"))] == [
        "Ekonomi digital",
        "demokratisasi ekonomi digital",
    ]
    assert names_target("nonekonomi digital", ("ekonomi digital",)) == []
    assert names_target(text, ()) == []


def test_post_text():
    assert post_text("Judul", [{"text": "Satu."}, {"text": "Dua."}]) == "Judul\n\nSatu.\n\nDua."
    assert post_text("", [{"text": "Satu."}]) == "Satu."


def imported(path):
    study = load_study(path)
    corpus = open_corpus(study.data_dir)
    import_study_sources(study, corpus, RunRecord(stage="import", fingerprint={}))
    return study, corpus


def test_read_pairs(make_study):
    study, corpus = imported(make_study())
    pairs = read_pairs(study, corpus, labelled=True)
    assert len(pairs) == 24
    assert {pair.stance for pair in pairs} == {Stance.FAVOR, Stance.AGAINST, Stance.NEUTRAL}
    assert pairs[0].text.startswith("Catatan ke-0 tentang lapak daring\n\n")
    assert pairs[0].aliases == ("pasar daring", "lapak daring")
    assert len({pair.group for pair in pairs}) == 8


def test_no_labels_and_one_class_are_errors(make_study):
    path = make_study()
    labels = path.parent / "labels.csv"
    lines = labels.read_text().splitlines()
    labels.write_text("\n".join([lines[0], *(line for line in lines[1:] if ",favor," in line)]) + "\n")
    study, corpus = imported(path)
    with pytest.raises(DataError, match="all 8 labels are «favor»"):
        read_pairs(study, corpus, labelled=True)
    labels.write_text(lines[0] + "\n")
    study, corpus = imported(path)
    with pytest.raises(DataError, match="no labels toward pasar daring"):
        read_pairs(study, corpus, labelled=True)
