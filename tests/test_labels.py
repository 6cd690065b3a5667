from __future__ import annotations

import pytest

from nlp_study.errors import DataError
from nlp_study.labels import GoldLabel, read_label_file, resolve_labels
from nlp_study.schema import Failure, Label, Stance


def write(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_rows_and_reports_bad_ones(tmp_path):
    path = write(
        tmp_path,
        "post_id,target,stance,annotator,sampling_proba,labelled_at,note\n"
        "p1,t,Favor,a1,0.25,2024-05-01,x\n"
        "p2,t,pro,a1,,,\n"
        ",t,favor,a1,,,\n"
        "p4,t,against,a1,1.5,,\n"
        "p5,t,against,a1,,kemarin,\n",
    )
    rows = list(read_label_file(path, stances=(Stance.FAVOR, Stance.AGAINST)))
    first = rows[0]
    assert isinstance(first, Label)
    assert (first.stance, first.sampling_proba, first.labelled_at.isoformat()) == (
        Stance.FAVOR,
        0.25,
        "2024-05-01T00:00:00+07:00",
    )
    failures = [row for row in rows if isinstance(row, Failure)]
    assert [failure.where for failure in failures] == [f"labels.csv:{n}" for n in (3, 4, 5, 6)]
    assert "«pro» is outside the set favor, against" in failures[0].reason
    assert "post_id is empty" in failures[1].reason
    assert "(0, 1]" in failures[2].reason


def test_missing_column_and_encoding(tmp_path):
    with pytest.raises(DataError, match="lacks the column annotator"):
        list(read_label_file(write(tmp_path, "post_id,target,stance\n")))
    path = tmp_path / "latin.csv"
    path.write_bytes("post_id,target,stance,annotator\np,é,favor,a".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        list(read_label_file(path))
    with pytest.raises(DataError, match="no label file"):
        list(read_label_file(tmp_path / "none.csv"))


def row(post, stance, annotator, target="t"):
    return {"post_id": post, "target": target, "stance": stance, "annotator": annotator}


def test_a_later_row_of_an_annotator_replaces_the_earlier():
    rows = [
        {"post_id": "a", "target": "t", "stance": stance, "annotator": annotator}
        for stance, annotator in (("favor", "adjudicated"), ("favor", "a1"), ("against", "adjudicated"))
    ]
    gold, n_tied = resolve_labels(rows, targets={"t"}, stances=tuple(Stance))
    assert [(label.stance, label.n_annotators) for label in gold] == [("against", 2)] and n_tied == 0


def test_majority_adjudication_and_ties():
    rows = [
        row("p1", "favor", "a1"), row("p1", "favor", "a2"), row("p1", "against", "a3"),
        row("p2", "favor", "a1"), row("p2", "against", "a2"),
        row("p3", "favor", "a1"), row("p3", "favor", "a2"), row("p3", "neutral", "adjudicated"),
        row("p4", "favor", "a1", target="other"),
        row("p5", "irrelevant", "a1"),
    ]  # fmt: skip
    gold, n_tied = resolve_labels(rows, targets={"t"}, stances=(Stance.FAVOR, Stance.AGAINST, Stance.NEUTRAL))
    assert gold == [GoldLabel("p1", "t", Stance.FAVOR, 3), GoldLabel("p3", "t", Stance.NEUTRAL, 3)]
    assert n_tied == 1
