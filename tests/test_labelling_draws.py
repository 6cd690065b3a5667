"""Sampling: probabilities as computed by hand, sizes exact, weighted means unbiased over many draws, draws that combine."""

from __future__ import annotations

import json
import math
from collections import Counter
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_study.errors import ConfigError, DataError
from nlp_study.labelling.designs import (
    Design,
    allocate,
    draw_systematically,
    spread_by_uncertainty,
    spread_evenly,
    spread_of_labels,
)
from nlp_study.labelling.draws import Draw, FramePost, combine_probas, find_draw, read_draws, write_draw
from nlp_study.labelling.plan import (
    NO_SKILL,
    Period,
    Skill,
    expected_margin,
    labels_for_margin,
    mean_companions,
    measure_skill,
    name_period,
    plan_labels,
    read_frame,
    sizes_of,
)
from nlp_study.labelling.sample import draw_from_frame, draw_sample, draws_folder, missing_labels
from nlp_study.schema import TIMEZONE, TableName

from .label_study import STANCES, TARGET, make_label_study, write


def test_spread_of_labels_by_hand():
    spread = spread_of_labels(np.array([[1, 0, 0], [0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3]]))
    assert spread == pytest.approx([0, math.sqrt(0.5), math.sqrt(2 / 3)])


def test_neyman_allocation_by_hand():
    # 40 * 0.5 and 60 * 0.25: 20 to 15 of 35
    assert allocate([40, 60], [0.5, 0.25], 7, least=0) == [4, 3]
    assert allocate([100, 100, 3], [0.5, 0.5, 0.5], 23, least=2) == [11, 10, 2]
    assert allocate([3, 100], [0.5, 0.0], 20, least=2) == [3, 17], "a stratum gives no more than it has"
    assert allocate([5, 5], [0.5, 0.5], 10) == [5, 5]
    with pytest.raises(DataError, match="3 strata of 2 posts each take 6 labels, 5 are wanted"):
        allocate([9, 9, 9], [1, 1, 1], 5)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.floats(0, 1)), min_size=1, max_size=20),
    st.floats(0, 1),
    st.integers(0, 3),
)
def test_allocation_has_the_size_and_stays_inside(strata, part, least):
    counts, spreads = [n for n, _ in strata], [s for _, s in strata]
    floor = sum(min(n, least) for n in counts)
    size = floor + round(part * (sum(counts) - floor))
    given_ = allocate(counts, spreads, size, least=least)
    assert sum(given_) == size
    assert all(min(n, least) <= g <= n for n, g in zip(counts, given_, strict=True))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0, 1))
def test_uncertain_probabilities_sum_to_the_size_and_none_is_zero(uncertainty, part):
    size = max(1, round(part * len(uncertainty)))
    probas = spread_by_uncertainty(np.array(uncertainty), size)
    assert probas.sum() == pytest.approx(size)
    assert (probas > 0).all() and (probas <= 1 + 1e-12).all()


def test_uncertain_probabilities_by_hand():
    # a fifth evenly (0.1 each of 2), the rest 3 to 1
    assert spread_by_uncertainty(np.array([3.0, 1.0]), 1) == pytest.approx([0.8 * 0.75 + 0.1, 0.8 * 0.25 + 0.1])
    assert spread_by_uncertainty(np.array([100.0, 1, 1, 1]), 2)[0] == 1, "what would pass 1 is taken for certain"


def test_systematic_draws_have_the_size_and_the_probabilities():
    probas = np.array([0.1, 0.9, 0.5, 0.25, 0.25, 1.0])
    rng = np.random.default_rng(1)
    drawn = np.array([draw_systematically(probas, rng) for _ in range(6000)])
    assert (drawn.sum(1) == 3).all()
    assert drawn.mean(0) == pytest.approx(probas, abs=0.02)


@pytest.mark.parametrize("design", list(Design))
def test_weighted_means_of_two_draws_are_unbiased(tmp_path, design):
    """The second draw passes over the first; weights of the combined probability give back the share of the frame."""
    _, corpus = make_label_study(tmp_path)
    gold = {row["post_id"]: row["stance"] for row in corpus.read(TableName.LABELS).to_pylist()}
    truth = sum(stance == "favor" for stance in gold.values()) / len(gold)
    frame = read_frame(corpus, TARGET, STANCES)
    ids = np.array([row["post_id"] for row in frame])
    estimates, seen, n_rounds = [], set[str](), 250
    for seed in range(n_rounds):
        rng, free, draws = np.random.default_rng(seed), np.ones(len(frame), bool), []
        for name in ("satu", "dua"):
            posts = draw_from_frame(frame, free, 12, design, "", None, rng)
            draws.append(Draw(name, TARGET, design, 12, seed, posts=tuple(posts)))
            assert len(draws[-1].drawn) == 12 and set(draws[-1].drawn) <= set(ids[free])
            free = free & ~np.isin(ids, draws[-1].drawn)
        probas = combine_probas(draws)
        drawn = [post_id for draw in draws for post_id in draw.drawn]
        seen.update(drawn)
        estimates.append(sum((gold[i] == "favor") / probas[i] for i in drawn) / len(gold))
    error = np.std(estimates) / math.sqrt(n_rounds)
    assert error < 0.012
    assert abs(np.mean(estimates) - truth) < 3 * error
    assert len(seen) == len(gold), "no post has probability 0"


def test_combined_probability_of_random_draws_is_exact():
    posts = [f"p{i}" for i in range(20)]
    first = _draw("a", posts, 5 / 20, drawn=posts[:5])
    second = _draw("b", posts, 3 / 15, drawn=posts[5:8])
    assert combine_probas([first, second]) == pytest.approx(dict.fromkeys(posts, 8 / 20))
    assert combine_probas([second, first]) == pytest.approx(dict.fromkeys(posts, 8 / 20))
    new = _draw("c", [*posts, "new"], 0.5, drawn=["new"])
    assert combine_probas([first, new])["new"] == 0.5, "a post that was not there yet had no chance in the first"


def test_unfinished_draws_count_as_a_random_part_of_each_stratum():
    posts = tuple(FramePost(f"p{i}", "x" if i < 4 else "y", 0.5, i % 2 == 0) for i in range(8))
    draw = Draw("a", TARGET, Design.STRATIFIED, 4, 1, posts=posts)
    probas = combine_probas([draw], labelled=["p0", "p4", "p6"])  # of x one of two, of y both
    assert probas["p1"] == 0.25 and probas["p5"] == 0.5


def _draw(name: str, posts: list[str], proba: float, *, drawn: list[str]) -> Draw:
    frame = tuple(FramePost(post_id, "", proba, post_id in drawn) for post_id in posts)
    return Draw(name, TARGET, Design.RANDOM, len(drawn), 1, posts=frame)


def test_a_draw_is_small_text_without_texts_and_never_replaced(tmp_path):
    study, corpus = make_label_study(tmp_path)
    made = draw_sample(study, corpus, "satu", sizes={"all": 9}, design=Design.STRATIFIED)
    folder = draws_folder(study)
    assert sorted(path.name for path in folder.iterdir()) == ["satu.csv", "satu.json"]
    assert find_draw(folder, "satu").posts == made.posts
    rows = (folder / "satu.csv").read_text().splitlines()
    assert rows[0] == "post_id,stratum,proba,drawn" and len(rows) == 49 and sum(r.endswith(",1") for r in rows) == 9
    about = json.loads((folder / "satu.json").read_text())
    assert about["seed"] == 7 and about["design"] == "stratified" and about["model_id"] == "model-a"
    texts = corpus.fetch("SELECT title, author, text FROM posts").to_pylist()
    content = "".join(path.read_text() for path in folder.iterdir())
    assert not any(row[name][:20] in content for row in texts for name in row)
    with pytest.raises(DataError, match="there is a draw «satu» already"):
        write_draw(folder, made)
    before = (folder / "satu.csv").read_bytes()
    (folder / "satu.json").unlink()
    assert read_draws(folder) == [], "without its description a draw does not count"
    draw_sample(study, corpus, "satu", sizes={"all": 9}, design=Design.STRATIFIED)
    assert (folder / "satu.csv").read_bytes() == before, "same corpus, name and seed: same bytes"
    (folder / "satu.csv").write_text("post_id,stratum\nx,y\n")
    with pytest.raises(DataError, match="the draw satu is damaged"):
        read_draws(folder)


def test_what_cannot_be_drawn(tmp_path):
    study, corpus = make_label_study(tmp_path)
    with pytest.raises(ConfigError, match="no name for a draw"):
        draw_sample(study, corpus, "Ronde 1", sizes={"all": 3})
    with pytest.raises(DataError, match="60 posts are wanted and 48 are left"):
        draw_sample(study, corpus, "satu", sizes={"all": 60})
    with pytest.raises(ConfigError, match="no target «kopi»"):
        draw_sample(study, corpus, "satu", sizes={"all": 3}, target="kopi")
    with pytest.raises(ConfigError, match="no posts in 1999"):
        draw_sample(study, corpus, "satu", sizes={"1999": 3}, by=Period.YEAR)
    write(corpus, TableName.PREDICTIONS, [])
    with pytest.raises(ConfigError, match="needs predictions"):
        draw_sample(study, corpus, "satu", sizes={"all": 3}, design=Design.UNCERTAIN)
    assert draw_sample(study, corpus, "satu", sizes={"all": 3}).drawn, "a random draw needs none"


def test_repeats_are_not_drawn(tmp_path):
    study, corpus = make_label_study(tmp_path)
    ids = sorted(corpus.read(TableName.POSTS)["post_id"].to_pylist())
    marks = [
        {"post_id": ids[0], "group": ids[0], "position": 0, "is_first": True},
        {"post_id": ids[1], "group": ids[0], "position": 1, "is_first": False, "kind": "near"},
    ]
    write(corpus, TableName.DUPLICATES, marks)
    frame = {post.post_id for post in draw_sample(study, corpus, "satu", sizes={"all": 47}).posts}
    assert frame == set(ids) - {ids[1]}


def test_sizes_by_period_are_met(tmp_path):
    study, corpus = make_label_study(tmp_path)
    draw = draw_sample(study, corpus, "satu", sizes={"2024-Q1": 6, "2024-Q2": 4}, by=Period.QUARTER)
    assert Counter(p.stratum for p in draw.posts if p.drawn) == {"2024-Q1": 6, "2024-Q2": 4}
    plan = plan_labels(study, corpus, target=TARGET, margin=0.2, by=Period.QUARTER)
    wanted, left = sizes_of(plan), missing_labels(study, corpus, plan, target="", by=Period.QUARTER)
    assert left == {"2024-Q1": max(0, wanted["2024-Q1"] - 6), "2024-Q2": max(0, wanted["2024-Q2"] - 4)}


def test_margins_by_hand():
    # a score interval with t(999) = 1.9623: ratio r = t² / n, half-width sqrt(p (1 - p) r + r² / 4) / (1 + r)
    r = 1.9623**2 / 1000
    plain = math.sqrt(0.25 * r + r * r / 4) / (1 + r)
    endless = {"n_posts": 10**9, "share": 0.5}
    good = Skill(rho=0.6)
    assert expected_margin(1000, **endless) == pytest.approx(plain, abs=1e-5)
    assert expected_margin(1000, **endless, skill=good) == pytest.approx(0.8 * plain, rel=2e-3)
    assert expected_margin(1000, n_posts=1000, share=0.5, skill=good) == pytest.approx(plain, abs=1e-5), (
        "all are labelled"
    )
    # 10 companions of 10,000 posts: further labels by the same author, 10 * 999 / 10,000 on average
    alike = {"n_posts": 10_001, "share": 0.5, "companions": 10}
    alone = expected_margin(1000, n_posts=10_001, share=0.5)
    by_author = expected_margin(1000, skill=Skill(error_icc=0.5), **alike)
    assert by_author == pytest.approx(alone * math.sqrt(1 + 0.5 * 0.999), rel=2e-3)
    # what the predictions tell, 0.36 / 10,001 of a label's variance, rests on 11 posts an author: 1 + 0.5 * 10 times as wide
    told = expected_margin(1000, skill=Skill(rho=0.6, proba_icc=0.5), **alike)
    expected = 0.64 / 1000 + 6 * 0.36 / 10_001
    assert told == pytest.approx(alone * math.sqrt(expected * 1000), rel=2e-3)
    assert Skill(0.6, 0.1, 0.2, 0.3, 9).of_labels_alone == Skill(0.0, 0.3, 0.2, 0.3, 9)
    assert expected_margin(1, n_posts=9, share=0.1) == 0.5, "one label tells nothing"
    kept = {"n_posts": 5000, "share": 0.3, "skill": Skill(0.5, 0.1, 0.1), "companions": 8}
    n = labels_for_margin(0.05, **kept)
    assert expected_margin(n, **kept) <= 0.05 < expected_margin(n - 1, **kept)
    assert labels_for_margin(0.01, n_posts=40, share=0.5) == 40, "all there are, though they do not suffice"
    assert mean_companions(["a", "a", "a", "b"]) == pytest.approx(6 / 4)


def test_skill_of_a_model_that_is_always_right_and_of_one_that_guesses():
    def rows(*triples):
        return [
            {"post_id": f"p{i}", "target": TARGET, "model": "uji", "group": g, "gold": gold, "proba_favor": p}
            for i, (gold, p, g) in enumerate(triples)
        ]

    right = rows(("favor", 1.0, "a"), ("against", 0.0, "b"), ("favor", 1.0, "c"), ("against", 0.0, "d"))
    assert measure_skill(right, "favor", target=TARGET).rho == pytest.approx(1)
    assert measure_skill(right, "favor", target="kopi") == NO_SKILL
    # labels, probabilities and errors of an author are all alike: correlation 1 within authors
    alike = rows(*[("favor", 0.4, "a")] * 3, *[("against", 0.6, "b")] * 3)
    found = measure_skill(alike, "favor", target=TARGET)
    assert found.rho == 0 and found.n_pairs == 6
    assert (found.error_icc, found.proba_icc, found.label_icc) == pytest.approx((1, 1, 1))
    # two authors of two posts, one of one mind and one not: pairs (+, +) and (+, -) around a mean of 0.25 to 1
    mixed = rows(("favor", 1, "a"), ("favor", 1, "a"), ("favor", 1, "b"), ("against", 0, "b"))
    assert measure_skill(mixed, "favor", target=TARGET).label_icc == 0, "0.25² twice less 0.75 * 0.25 twice is below 0"


def test_a_plan_without_a_model_takes_the_worst_case(tmp_path):
    study, corpus = make_label_study(tmp_path, n_authors=48)
    with_model = plan_labels(study, corpus, target=TARGET, margin=0.2)
    assert [row.stance for row in with_model] == ["favor", "against", "neutral"]
    assert all(row.rho > 0.3 and row.n_labels < row.alone and row.margin <= 0.2 for row in with_model)
    given_back = plan_labels(study, corpus, target=TARGET, n_labels={"all": with_model[0].n_labels})
    assert given_back[0].margin == with_model[0].margin
    write(corpus, TableName.EVALUATIONS, [])
    write(corpus, TableName.PREDICTIONS, [])
    blind = plan_labels(study, corpus, target=TARGET, margin=0.2)
    assert {(row.share, row.rho) for row in blind} == {(0.5, 0.0)}
    assert {row.n_labels for row in blind} == {labels_for_margin(0.2, n_posts=48, share=0.5)}


def test_periods():
    moment = datetime(2024, 1, 31, 23, 30, tzinfo=TIMEZONE)
    names = [name_period(moment, period) for period in Period]
    assert names == ["2024-01", "2024-Q1", "2024-H1", "2024", "all"]
    assert name_period(datetime(2024, 12, 1, tzinfo=TIMEZONE), Period.HALF) == "2024-H2"
    assert name_period(None, Period.YEAR) == "undated"
    assert spread_evenly(4, 2).tolist() == [0.5] * 4
