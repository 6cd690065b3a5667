"""The commands on a study on disk: rows on stdout, footnotes beside them, errors with a remedy."""

from __future__ import annotations

import csv
import io
import json

import pyarrow as pa
import pytest
import typer
from typer.testing import CliRunner

from nlp_study import cli_words
from nlp_study.collocation.collocates import find_collocates
from nlp_study.errors import DataError
from nlp_study.schema import TableName, table_specs
from nlp_study.store import RunRecord, open_corpus
from tests.collocation_tables import FIELDS, PARSED, REPEATED, STANCES, parse_rows

STUDY = """
[study]
name = "words"
title_id = "Kata"
title_en = "Words"
stances = ["favor", "against", "neutral"]

[[targets]]
id = "ekonomi digital"
name = "ekonomi digital"
"""


@pytest.fixture
def study(tmp_path):
    """A study whose tables hold the small corpus."""
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    corpus = open_corpus(tmp_path / "data")

    def write(name, rows):
        schema = table_specs()[name].schema
        corpus.write(name, pa.Table.from_pylist(rows, schema=schema), RunRecord(stage="test", fingerprint={}))

    months = {p: f"{row['month']}-10T09:00:00+07:00" if row["month"] else None for p, row in FIELDS.items()}
    from datetime import datetime

    write(
        TableName.POSTS,
        [
            {
                "post_id": post_id, "source": "tulisan", "title": "", "paragraphs": [], "n_words": row["n_words"],
                "n_removed": 0, "is_cut": False, "text_digest": "", "author_id": row["author_id"],
                "category": row.get("category"), "tags": row.get("tags", []),
                "published_at": datetime.fromisoformat(months[post_id]) if months[post_id] else None,
            }
            for post_id, row in FIELDS.items()
        ],
    )  # fmt: skip
    tokens = [row for post_id, sentences in PARSED.items() for row in parse_rows(post_id, sentences)]
    write(TableName.TOKENS, [{**row, "after": " " if row["space_after"] else ""} for row in tokens])
    write(
        TableName.PREDICTIONS,
        [
            {"post_id": p, "target": "ekonomi digital", "stance": s, "model_id": "m", "origin": "final"}
            for p, s in STANCES.items()
        ],
    )
    write(
        TableName.DUPLICATES,
        [
            {"post_id": p, "group": "p1", "position": 1, "is_first": False, "kind": "near", "share": 0.6}
            for p in REPEATED
        ],
    )
    return tmp_path


@pytest.fixture
def call(study):
    app = typer.Typer()
    cli_words.register(app)

    def run(*arguments):
        return CliRunner().invoke(app, [*arguments, "--study", str(study)], catch_exceptions=True)

    return run


def test_collocates_as_csv_are_those_of_the_function(call, study):
    done = call("collocates", "platform", "--left", "2", "--right", "2", "--min-together", "1", "--min-posts", "1",
                "--stance", "against", "--since", "2023", "--format", "csv")  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    corpus = open_corpus(study / "data")
    from nlp_study.collocation.subcorpora import Subcorpus

    found = find_collocates(
        corpus, "platform", Subcorpus(stance="against", month="2023.."), left=2, right=2, min_together=1, min_posts=1
    )
    assert [row["collocate"] for row in rows] == found.table["collocate"].to_pylist()
    assert [float(row["log_dice"]) for row in rows] == found.table["log_dice"].to_pylist()
    assert "* Node: lower=platform, 3 occurrences." in done.stderr


def test_footnotes_follow_a_table_in_the_chosen_language(call):
    done = call(
        "sketch", "root=monopoli", "--by", "lower", "--min-together", "1", "--min-posts", "1", "--language", "id"
    )
    assert done.exit_code == 0, done.output
    assert "subject" in done.stdout
    assert "* Kata inti: root=monopoli, 3 kemunculan." in done.stdout


def test_every_command_prints_json(call):
    commands = {
        "keywords": ["stance=against", "stance=favor", "--min-range", "1", "--min-count", "1", "--max-q", "1"],
        "ngrams": ["--size", "2", "--min-count", "1", "--min-range", "1", "--node", "lemma=monopoli"],
        "dispersion": ["platform", "--part", "author"],
        "readability": ["--group", "stance", "--min-posts", "1"],
    }
    for command, arguments in commands.items():
        done = call(command, *arguments, "--format", "json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout), command


def test_keywords_take_sql_and_compare_with_the_rest(call):
    done = call(
        "keywords", "where n_words > 6", "--min-range", "1", "--min-count", "1", "--max-q", "1", "--format", "json"
    )
    assert done.exit_code == 0, done.output
    rows = {row["word"]: row for row in json.loads(done.stdout)}
    # p1 and p3 against p2 and p5
    assert (rows["kecil"]["n_focus"], rows["kecil"]["n_reference"]) == (3, 0)


def test_errors_have_a_remedy(call):
    assert "does not occur" in str(call("collocates", "gajah").exception)
    assert isinstance(call("collocates", "platform", "--language", "fr").exception, DataError)
    assert "syntax error" in str(call("ngrams", "--where", "true) ; DROP VIEW tokens; --").exception)
    other = str(call("ngrams", "--where", "n_words IN (SELECT 1 FROM read_csv('study.toml'))").exception)
    assert "queries see the study's tables only" in other


def test_a_study_that_was_not_parsed_says_so(tmp_path):
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    app = typer.Typer()
    cli_words.register(app)
    done = CliRunner().invoke(app, ["ngrams", "--study", str(tmp_path)])
    assert "nlp-study parse" in str(done.exception)


def test_help_has_examples(call):
    app = typer.Typer()
    cli_words.register(app)
    for command in ("collocates", "sketch", "keywords", "ngrams", "dispersion", "readability"):
        shown = CliRunner().invoke(app, [command, "--help"]).stdout
        assert f"nlp-study {command}" in shown
