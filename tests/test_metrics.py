from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from nlp_study.metrics import list_scores, macro_f1, score_evaluations, score_labels
from nlp_study.schema import TableName, table_specs

STANCES = ["favor", "against", "neutral"]


def test_by_hand():
    gold = ["favor", "favor", "favor", "against", "against", "neutral"]
    predicted = ["favor", "favor", "against", "against", "favor", "against"]
    scores = score_labels(gold, predicted, STANCES)
    assert scores["favor"].precision == pytest.approx(2 / 3) and scores["favor"].recall == pytest.approx(2 / 3)
    assert scores["against"].precision == pytest.approx(1 / 3) and scores["against"].recall == pytest.approx(1 / 2)
    assert (scores["neutral"].f1, scores["neutral"].support) == (0.0, 1)
    assert macro_f1(gold, predicted, STANCES) == pytest.approx((2 / 3 + 2 / 5 + 0) / 3)


@given(st.lists(st.tuples(st.sampled_from(STANCES), st.sampled_from(STANCES)), min_size=1, max_size=40))
def test_macro_f1_equals_scikit_learn(pairs):
    gold, predicted = [g for g, _ in pairs], [p for _, p in pairs]
    assert macro_f1(gold, predicted, STANCES) == pytest.approx(
        f1_score(gold, predicted, average="macro", zero_division=0)
    )


def evaluations(rows):
    schema = table_specs()[TableName.EVALUATIONS].schema
    keys = ("model", "seed", "fold", "post_id", "target", "gold", "predicted")
    return pa.Table.from_pylist([dict(zip(keys, row, strict=True)) for row in rows], schema=schema)


def test_means_over_seeds_confusion_and_order():
    rows = [("tuned", seed, 0, f"p{i}", "t", gold, predicted)
            for seed, found in ((1, ["favor", "against"]), (2, ["favor", "favor"]))
            for i, (gold, predicted) in enumerate(zip(["favor", "against"], found, strict=True))]  # fmt: skip
    rows += [("majority", 1, 0, f"p{i}", "t", gold, "favor") for i, gold in enumerate(["favor", "against"])]
    scores = score_evaluations(evaluations(rows), STANCES)
    assert [score.model for score in scores] == ["tuned", "majority"]
    tuned = scores[0]
    assert (tuned.n_pairs, tuned.n_seeds) == (2, 2)
    assert tuned.macro_f1 == pytest.approx((1 + 1 / 3) / 2)
    assert tuned.macro_f1_spread == pytest.approx(1 / 3)
    assert tuned.accuracy == 0.75
    assert tuned.confusion["against"] == {"favor": 1, "against": 1, "neutral": 0}
    assert tuned.per_class["favor"].support == 1


def test_printed_tables_have_a_row_a_target():
    rows = [("tuned", 1, 0, "p1", "ahok", "favor", "favor"), ("tuned", 1, 0, "p1", "jokowi", "against", "favor")]
    scores, confusion = list_scores(evaluations(rows), STANCES)
    assert scores["target"].to_pylist() == ["all", "ahok", "jokowi"]
    assert confusion.to_pylist()[1] == {"gold": "against", "favor": 1, "against": 0, "neutral": 0}
