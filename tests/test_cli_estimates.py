"""The commands trends, estimate, changes and decompose, on tables filled by hand."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest

from nlp_study import cli, cli_estimates
from nlp_study.schema import TableName
from nlp_study.store import RunRecord
from nlp_study.trends.tables import write_trends

from .test_estimate_tables import TARGET, filled  # noqa: F401


@pytest.fixture
def call(filled, capsys, monkeypatch):  # noqa: F811
    """Run a command on the filled study, whose other stages are not run; return exit code, stdout, stderr."""

    def only_trends(stage, study, corpus, *, force):
        if force or not corpus.has(TableName.ESTIMATES):
            write_trends(study, corpus, RunRecord(stage="trends", fingerprint={}))

    monkeypatch.setattr(cli_estimates, "run_up_to", only_trends)
    monkeypatch.setattr(cli_estimates, "open_study", lambda path: (filled.study, filled.corpus))

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["nlp-study", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return run


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_estimate_prints_every_method_and_period(call):
    code, out, _ = call("estimate", "--method", "all", "--format", "csv")
    rows = rows_of(out)
    assert code == 0 and len(rows) == 9
    assert {row["method"] for row in rows} == {"corrected", "labels", "predictions"}
    assert sum(float(row["share"]) for row in rows if row["method"] == "corrected") == pytest.approx(1)
    rows = rows_of(call("estimate", "--by", "quarter", "--stance", "favor", "-f", "csv")[1])
    assert [row["period"] for row in rows] == ["2024-Q1", "2024-Q2"]
    rows = rows_of(call("estimate", "--group", "prolific", "--stance", "favor", "-f", "csv")[1])
    assert [row["group"] for row in rows] == sorted(row["group"] for row in rows) and int(rows[0]["n_posts"]) > 0
    code, out, _ = call("estimate")
    assert "target" not in out and "high_all" in out


def test_differences_of_two_periods(call):
    code, out, _ = call("estimate", "--compare", "2024-Q1,2024-04..2024-06", "--method", "all", "-f", "json")
    rows = json.loads(out)
    assert code == 0 and len(rows) == 9 and {row["target"] for row in rows} == {TARGET}
    for row in rows:
        assert row["difference"] == pytest.approx(row["after"] - row["before"])
        assert row["low_all"] <= row["low"] <= row["difference"] <= row["high"] <= row["high_all"]
        assert (row["posts_a"], row["posts_b"]) == (28, 30)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("--by", "week"), "all, year, half, quarter, month"),
        (("--method", "magic"), "corrected, labels, predictions"),
        (("--stance", "unsure"), "favor, against, neutral"),
        (("--compare", "2024"), "no pair of periods"),
        (("--compare", "2024,soon"), "is no period"),
        (("--compare", "2019,2024"), "nothing to estimate in 2019"),
    ],
)
def test_wrong_words_are_answered(call, words, answer):
    code, out, err = call("estimate", *words)
    assert code == 1 and answer in err and not out


def test_trends_keep_their_columns_and_add_corrected_ones(call):
    rows = rows_of(call("trends", "-f", "csv")[1])
    assert [*rows[0]] == [
        *("month target stance n_stance n_posts share share_low share_high n_labels".split()),
        *("corrected corrected_low corrected_high trend trend_low trend_high".split()),
    ]
    assert len(rows) == 18 and all(row["corrected"] and row["trend"] for row in rows)
    by_topic = rows_of(call("trends", "--topic", "0", "-f", "csv")[1])
    assert {row["trend"] for row in by_topic} == {""} and any(row["corrected"] for row in by_topic)


def test_no_change_is_said(call):
    code, out, err = call("changes")
    assert code == 0 and "no change of any stance beyond chance" in err and out == ""
    assert rows_of(call("changes", "-f", "csv")[1]) == []


def test_components_add_up(call):
    code, out, err = call("decompose", "2024-Q1", "2024-Q2", "--stance", "favor", "-f", "json")
    value = {row["component"]: row["value"] for row in json.loads(out)}
    assert code == 0 and "in both periods" in err
    assert value["within"] + value["volume"] + value["turnover"] == pytest.approx(value["total"])
    code, _, err = call("decompose", "2024-Q1", "2024-Q3")
    assert code == 1 and "no posts" in err
    assert call("decompose", "2024-Q1", "2024-Q2", "--by", "moon")[0] == 1
