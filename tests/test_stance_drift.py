"""Drift between the posts a model learnt from and those it classifies; undecided pairs. By hand, simulated, end to end."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from nlp_study.config import load_study
from nlp_study.errors import ModelError
from nlp_study.pipeline import find_stage, run_stages
from nlp_study.schema import Origin, TableName
from nlp_study.stance import drift
from nlp_study.stance.classify import ABSTAIN_SETTING, classify_stance
from nlp_study.stance.drift import (
    TRAINING_FILE,
    ClassShares,
    Measured,
    TrainingFacts,
    check_drift,
    describe_training,
    effective_size,
    load_facts,
    measure_pairs,
    split_words,
)
from nlp_study.stance.pairs import Pair, read_pairs
from nlp_study.stance.reader import read_pairs_through
from nlp_study.stance.saved import load_model
from nlp_study.stance.shifts import Drift, Question, Shift, describe_drift, list_shifts
from nlp_study.store import RunRecord, open_corpus

from .conftest import BAD, GOOD, PLAIN
from .test_cli import call  # noqa: F401

TARGET = "pasar daring"


def make_pairs(words, *, n=60, n_writers=20, seed=0, first=0):
    rng = random.Random(seed)
    return [
        Pair(f"p{first + i}", TARGET, TARGET, " ".join(rng.choices(words, k=40)), (), f"w{first + i % n_writers}")
        for i in range(n)
    ]


def evaluations(pairs, labels, model="m"):
    rows = [
        {"model": model, "post_id": pair.post_id, "target": pair.target, "group": pair.group, "predicted": label,
         **{f"proba_{name}": 0.8 if name == label else 0.2 for name in ("favor", "against")}}
        for pair, label in zip(pairs, labels, strict=True)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


def facts_of(folder, pairs, vectors, table=None):
    folder.mkdir(exist_ok=True)
    empty = pa.table({"model": pa.array([], pa.string())})
    (folder / TRAINING_FILE).write_bytes(
        describe_training(pairs, vectors, empty if table is None else table, model="m")
    )
    return load_facts(folder)


def normal_facts(*, mean, covariance, n, classes=None):
    size = len(mean)
    return TrainingFacts(
        n,
        n,
        frozenset(),
        (0.1, 0.01),
        np.zeros(size),
        np.eye(size),
        np.array(mean),
        np.array(covariance),
        classes or {},
    )


# ---- words -----------------------------------------------------------------------------------------------------------


def test_words_are_running_words():
    assert split_words("Pasar-pasar QRIS 2024, di e-warung!") == ["pasar", "pasar", "qris", "di", "warung"]


def test_known_words_by_hand(tmp_path):
    # satu: 6 posts by 3 writers; dua: 5 posts by 2; tiga: 4 posts by 4
    texts = {"a": ["satu dua", "satu dua", "satu dua"], "b": ["satu dua", "satu dua"], "c": ["satu tiga"]}
    texts |= {"d": ["tiga"], "e": ["tiga"], "f": ["tiga budi"]}
    pairs = [
        Pair(f"{writer}{i}", TARGET, TARGET, text, (), writer)
        for writer, mine in texts.items()
        for i, text in enumerate(mine)
    ]
    facts = facts_of(tmp_path / "m", pairs, np.random.default_rng(0).normal(size=(len(pairs), 4)))
    assert facts.words == {"satu"}
    # left out of their own words, no writer is known: without one of them satu has two writers only
    assert facts.unknown == (1.0, 0.0)
    content = (tmp_path / "m" / TRAINING_FILE).read_text(encoding="utf-8")
    assert "budi" not in content and "dua" not in content
    measured = measure_pairs(facts, [Pair("x", TARGET, TARGET, "Satu dua satu 7", (), "g")], np.zeros((1, 4)))
    assert (measured.n_words.tolist(), measured.n_unknown.tolist()) == ([3], [1])


def test_a_writer_is_left_out_of_what_is_known_of_him(tmp_path):
    pairs = [Pair(f"p{i}", TARGET, TARGET, "pasar pagi", (), f"w{i}") for i in range(9)]
    pairs.append(Pair("own", TARGET, TARGET, "pasar namaku", (), "w9"))
    facts = facts_of(tmp_path / "m", pairs, np.random.default_rng(0).normal(size=(10, 4)))
    assert facts.words == {"pasar", "pagi"}
    assert facts.unknown[0] == pytest.approx(0.05)  # half of one writer's words, of ten writers
    assert facts.unknown[1] == pytest.approx(np.var([0] * 9 + [0.5], ddof=1))


# ---- vectors ---------------------------------------------------------------------------------------------------------


def test_the_test_of_one_axis_is_welchs():
    rng = np.random.default_rng(3)
    first, second = rng.normal(0, 1, 40), rng.normal(0.4, 2.5, 25)
    facts = normal_facts(mean=[first.mean()], covariance=[[first.var(ddof=1)]], n=40)
    found = drift._compare_vectors(facts, second[:, None], [f"w{i}" for i in range(25)])
    expected = stats.ttest_ind(first, second, equal_var=False)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6)


def test_distance_is_not_biased_and_chance_is_seldom_called_a_shift():
    rng = np.random.default_rng(5)
    size, shift = 6, np.r_[1.2, 1.6, np.zeros(4)]  # distance 2
    calm, moved = [], []
    for _ in range(200):
        first = rng.normal(size=(60, size))
        facts = normal_facts(mean=first.mean(0), covariance=np.cov(first.T), n=60)
        names = [f"w{i}" for i in range(50)]
        calm.append(drift._compare_vectors(facts, rng.normal(size=(50, size)), names))
        moved.append(drift._compare_vectors(facts, rng.normal(size=(50, size)) + shift, names))
    assert np.mean([found.effect for found in moved]) == pytest.approx(2, abs=0.08)
    assert np.mean([found.is_clear for found in moved]) > 0.95
    assert 0.01 <= np.mean([found.p_value < 0.05 for found in calm]) <= 0.1
    assert not any(found.is_clear for found in calm)
    assert np.mean([found.effect for found in calm]) == pytest.approx(np.mean([f.expected for f in calm]), rel=0.2)


def test_posts_of_one_writer_are_no_independent_evidence():
    """Each writer lies somewhere of his own: counted post by post, chance would look like a shift."""
    rng = np.random.default_rng(9)
    clear, naive = 0, 0
    for _ in range(60):
        writers = np.repeat([f"w{i}" for i in range(12)], 20)
        places = np.repeat(rng.normal(size=(12, 2)), 20, axis=0) + 0.1 * rng.normal(size=(240, 2))
        facts = normal_facts(mean=[0, 0], covariance=np.eye(2), n=2000)
        clear += drift._compare_vectors(facts, places, list(writers)).p_value < 0.05
        naive += drift._compare_vectors(facts, places, [f"p{i}" for i in range(240)]).p_value < 0.05
    assert clear <= 9 < 40 <= naive


def test_what_training_never_varied_in_is_seen(tmp_path):
    rng = np.random.default_rng(1)
    flat = np.concatenate([rng.normal(size=(60, 5)), 0.01 * rng.normal(size=(60, 25))], 1)
    pairs = make_pairs(PLAIN)
    facts = facts_of(tmp_path / "m", pairs, flat)
    off = np.concatenate([rng.normal(size=(60, 5)), 0.5 * rng.normal(size=(60, 25))], 1)
    for vectors, clear in ((off, True), (np.roll(flat, 1, 0), False)):
        measured = measure_pairs(facts, make_pairs(PLAIN, seed=1), vectors)
        found = check_drift(facts, measured, [pair.group for pair in pairs], {}, n_posts=60)
        assert [shift.question for shift in found.clear] == ([Question.VECTORS] if clear else [])


# ---- predicted labels ------------------------------------------------------------------------------------------------


def test_effective_size_by_hand():
    alone = np.array([[1, 0]] * 30 + [[0, 1]] * 30)
    assert effective_size(alone, np.ones(60)) == pytest.approx(59)
    twins = 2 * alone  # every cluster says the same thing twice
    assert effective_size(twins, np.full(60, 2)) == pytest.approx(59)
    mixed = np.array([[1, 1]] * 10)
    assert effective_size(mixed, np.full(10, 2)) == 20
    assert effective_size(np.array([[3, 0], [5, 0]]), np.array([3, 5])) == 2


def test_class_shift_by_hand():
    training = ClassShares({"against": 0.5, "favor": 0.5}, 100)
    rows = [(f"w{i}", "favor" if i < 70 else "against") for i in range(101)]
    found = drift._compare_classes(training, rows, TARGET)
    assert found.effect == pytest.approx(70 / 101 - 0.5)
    table = np.array([[50, 50], [70 / 101 * 100, 31 / 101 * 100]])
    assert found.p_value == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue, rel=1e-6)
    pooled = (0.5 + 70 / 101) / 2
    assert found.expected == pytest.approx(np.sqrt(2 / np.pi * pooled * (1 - pooled) * 2 / 100))
    assert found.is_clear


def test_chance_in_predicted_labels_is_seldom_called_a_shift():
    rng = np.random.default_rng(2)
    calm = []
    for _ in range(300):
        both = rng.choice(3, p=[0.5, 0.3, 0.2], size=(2, 150))
        training = ClassShares({str(k): float((both[0] == k).mean()) for k in range(3)}, 150)
        calm.append(drift._compare_classes(training, [(f"w{i}", str(k)) for i, k in enumerate(both[1])], TARGET))
    assert 0.02 <= np.mean([found.p_value < 0.05 for found in calm]) <= 0.09
    assert np.mean([found.effect for found in calm]) == pytest.approx(np.mean([f.expected for f in calm]), rel=0.06)


# ---- the whole check -------------------------------------------------------------------------------------------------


def test_like_posts_are_calm_and_others_warn(tmp_path):
    rng = np.random.default_rng(0)
    pairs = make_pairs(GOOD + PLAIN)
    labels = ["favor" if i % 2 else "against" for i in range(60)]
    facts = facts_of(tmp_path / "m", pairs, rng.normal(size=(60, 12)), evaluations(pairs, labels))
    assert facts.classes[TARGET].shares == {"against": 0.5, "favor": 0.5}

    def check(other, vectors, label):
        predicted = {TARGET: [(pair.group, label(i)) for i, pair in enumerate(other)]}
        measured = measure_pairs(facts, other, vectors)
        return check_drift(facts, measured, [pair.group for pair in other], predicted, n_posts=len(other))

    like = check(make_pairs(GOOD + PLAIN, seed=1, first=100), rng.normal(size=(60, 12)), lambda i: labels[i])
    assert like.clear == () and describe_drift(like) == "" and len(like.shifts) == 3
    other = check(make_pairs(BAD, seed=2, first=200), rng.normal(size=(60, 12)) + 3, lambda i: "favor")
    assert [shift.question for shift in other.clear] == list(Question)
    assert other.shifts[0].here == 1.0
    sentence = describe_drift(other)
    assert "100.0% of their words are unknown" in sentence and "50% of the predicted labels" in sentence
    assert "label some of them" in sentence
    kept = json.loads(json.dumps(other.as_counts()))
    assert kept["warnings"] == [str(question) for question in Question]
    assert Drift.from_counts(kept) == other
    assert list_shifts(other)["warning"].to_pylist() == ["yes"] * 3


def test_a_large_but_chancy_and_a_certain_but_small_shift_do_not_warn():
    base = {"question": Question.WORDS, "threshold": 0.05, "expected": 0.01}
    assert not Shift(effect=0.2, p_value=0.02, **base).is_clear
    assert not Shift(effect=0.01, p_value=1e-9, **base).is_clear
    assert Shift(effect=0.05, p_value=1e-9, **base).is_clear


def test_nothing_new_and_too_few_writers_are_said(tmp_path):
    facts = normal_facts(mean=[0.0], covariance=[[1.0]], n=40)
    nothing = Measured(np.array([]), np.array([]), np.zeros((0, 1)))
    assert "nothing new" in check_drift(facts, nothing, [], {}, n_posts=0).reason
    few = Measured(np.ones(3, int), np.ones(3, int), np.zeros((3, 1)))
    found = check_drift(facts, few, ["a", "b", "b"], {}, n_posts=3)
    assert "there are 2 new ones and 40 in training" in found.reason and found.shifts == ()


def test_a_model_without_facts_and_a_damaged_file(tmp_path):
    assert load_facts(tmp_path) is None
    (tmp_path / TRAINING_FILE).write_text('{"words": []}', encoding="utf-8")
    with pytest.raises(ModelError, match="damaged"):
        load_facts(tmp_path)


# ---- end to end ------------------------------------------------------------------------------------------------------

UP_TO_TRAIN = ("import", "deduplicate", "evaluate", "train")


@pytest.fixture(params=[0, 1], ids=["probe", "fine-tuned"])
def trained(request, make_study):
    """36 labelled posts by 12 writers, and 30 unlabelled ones by 15 others, in other words."""
    path = make_study(n_posts=36, n_authors=12)
    settings = path.read_text(encoding="utf-8").replace("epochs = 1", f"epochs = {request.param}")
    path.write_text(settings, encoding="utf-8")
    rng = random.Random(4)
    with (path.parent / "posts.jsonl").open("a", encoding="utf-8") as handle:
        for i in range(30):
            text = " ".join(rng.choices("rindu senja puisi kenangan langit gerimis".split(), k=60))
            post = {"post_id": f"{0x65000000 + i:08x}{i:016x}", "title": "Puisi", "paragraphs": [text]}
            handle.write(json.dumps({**post, "author": f"Penyair {i % 15}"}) + "\n")
    study = load_study(path)
    corpus = open_corpus(study.data_dir)
    run_stages(study, corpus, only=UP_TO_TRAIN)
    return path, study, corpus


def test_a_model_remembers_what_it_reads(trained):
    _, study, corpus = trained
    folder = study.resolve(corpus.record("model").counts["path"])
    facts, model = load_facts(folder), load_model(folder)
    vectors = read_pairs_through(model.reader, read_pairs(study, corpus, labelled=True)).vectors
    assert facts.centre == pytest.approx(vectors.mean(0), abs=1e-4)
    assert facts.words <= {word for tone in (GOOD, BAD, PLAIN) for word in tone} | {
        "di", "nomor", "karena", "catatan", "ke", "tentang", "lapak", "daring"
    }  # fmt: skip
    assert sum(facts.classes[TARGET].shares.values()) == pytest.approx(1)


def test_classify_records_drift_and_marks_undecided_pairs_without_reading_again(trained):
    _, study, corpus = trained
    record = RunRecord(stage="classify", fingerprint={"code": "1", ABSTAIN_SETTING: "a"})
    counts = classify_stance(study, corpus, record)
    found = Drift.from_counts(counts["drift"])
    assert (found.n_posts, found.n_writers, found.n_training_posts, found.n_training_writers) == (30, 15, 36, 12)
    assert Question.WORDS in {shift.question for shift in found.clear}
    assert counts["abstained"] == 0
    rows = corpus.read(TableName.PREDICTIONS).to_pylist()
    assert not any(row["abstained"] for row in rows)
    assert corpus.record(TableName.PREDICTIONS).counts["drift"]["warnings"][0] == "unknown words"

    model = corpus.record("model")
    shutil.rmtree(study.resolve(model.counts["path"]))  # so that reading again would fail
    threshold = float(np.median([row[f"proba_{row['stance']}"] for row in rows]))
    stricter = study.model_copy(update={"stance": study.stance.model_copy(update={"abstain_below": threshold})})
    counts = classify_stance(
        stricter, corpus, RunRecord(stage="classify", fingerprint={"code": "1", ABSTAIN_SETTING: "b"})
    )
    again = corpus.read(TableName.PREDICTIONS).to_pylist()
    assert counts["abstained"] == sum(row["abstained"] for row in again) == len(rows) // 2
    assert [{**row, "abstained": False} for row in again] == rows
    for row in again:
        assert row["abstained"] == (row[f"proba_{row['stance']}"] < threshold)
    assert Drift.from_counts(counts["drift"]) == found
    assert corpus.record(TableName.EVIDENCE).fingerprint[ABSTAIN_SETTING] == "b"
    with pytest.raises(ModelError):
        classify_stance(study, corpus, RunRecord(stage="classify", fingerprint={"code": "2", ABSTAIN_SETTING: "b"}))


def test_labelled_posts_are_not_compared(make_study):
    study = load_study(make_study(n_posts=36, n_authors=12))
    corpus = open_corpus(study.data_dir)
    run_stages(study, corpus, only=(*UP_TO_TRAIN, "classify"))
    counts = corpus.record(TableName.PREDICTIONS).counts
    assert counts[Origin.OUT_OF_FOLD] == 36
    assert "nothing new to compare" in counts["drift"]["reason"]


def test_abstaining_leaves_training_and_evaluation_alone(trained):
    _, study, corpus = trained
    stricter = study.model_copy(update={"stance": study.stance.model_copy(update={"abstain_below": 0.6})})
    assert stricter.digest("stance") == study.digest("stance")
    assert stricter.digest("stance.abstain_below") != study.digest("stance.abstain_below")
    found = run_stages(stricter, corpus, only=("evaluate", "train"))
    assert set(found.values()) == {"fresh"}


def test_commands_print_drift_and_undecided_pairs(trained, call, capsys):  # noqa: F811
    path, *_ = trained
    code, out, err = call("classify", "--study", path, "--abstain-below", "0.99")
    assert code == 0 and "undecided" in out
    assert "warning: 30 posts differ from those that the model learnt from" in err
    post_id = f"{0x65000000:08x}"
    code, out, err = call("show", post_id, "--study", path)
    assert code == 0 and "undecided: less sure than stance.abstain_below = 0.99; this is the best guess" in out
    code, out, err = call("drift", "--study", path, "--format", "json")
    shifts = {row["compared"]: row for row in json.loads(out)}
    assert shifts["unknown words"]["warning"] == "yes" and shifts["unknown words"]["here"] > 0.9
    assert "label some of them" in err
    # without the option the study file decides again
    code, out, err = call("show", post_id, "--study", path)
    assert "undecided" not in out and "sentences that moved it most" in out


def test_the_stages_know_what_abstaining_changes():
    assert ABSTAIN_SETTING.removeprefix("settings [").removesuffix("]") in find_stage("classify").settings
