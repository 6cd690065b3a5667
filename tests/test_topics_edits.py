from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from nlp_study.cli import app
from nlp_study.config import load_study
from nlp_study.errors import ConfigError, DataError, StudyError
from nlp_study.schema import OUTLIER_TOPIC, TableName
from nlp_study.store import open_corpus
from nlp_study.topics.edits import (
    Action,
    Edit,
    TopicContent,
    apply_edits,
    digest_segment,
    overlap,
    read_edits,
    write_edits,
)
from nlp_study.topics.fit import fit_topics
from nlp_study.topics.listing import describe_topic, draw_tree, find_topics, list_paragraphs, lost_edits, write_edit

from .topic_segments import RECORD, THEMES, fill, real_topics

WORDS = {0: ["ojek", "helm"], 1: ["beras", "cabai"], 2: ["gawang", "wasit"]}
DIGESTS = [f"d{i}" for i in range(9)]
LABELS = np.repeat([0, 1, 2], 3)


@pytest.fixture
def study(make_study):
    return load_study(make_study())


def content(topic, *, segments=True):
    return TopicContent(tuple(WORDS[topic]), tuple(DIGESTS[3 * topic : 3 * topic + 3]) if segments else ())


def apply(edits, labels=LABELS, words=WORDS, digests=DIGESTS):
    def find_words(now):
        # a topic keeps the words of its first segment's theme
        return {int(n): words.get(int(LABELS[np.flatnonzero(now == n)[0]]), []) for n in np.unique(now)}

    return apply_edits(
        edits, labels, digests, find_words=find_words, split=lambda members, into: np.arange(len(members)) % into
    )


def test_merge_split_and_rename_follow_one_another():
    edits = [
        Edit(Action.MERGE, (content(0), content(2)), name="Jalan"),
        Edit(Action.RENAME, (content(1),), name="Dapur"),
        Edit(Action.SPLIT, (content(1),), into=3),
    ]
    state = apply(edits)
    assert state.labels[[0, 1, 2, 6, 7, 8]].tolist() == [0] * 6
    assert len(set(state.labels[3:6].tolist())) == 3
    assert state.groups.tolist() == [0] * 3 + [1] * 3 + [0] * 3  # parts of a split share the strength of the whole
    assert state.names == {0: "Jalan"} and state.n_applied == 3 and state.lost == []


def test_topics_are_found_by_content_not_by_number():
    renumbered = np.array([7, 7, 7, 2, 2, 2, 4, 4, 4])
    state = apply([Edit(Action.RENAME, (content(2),), name="Bola")], labels=renumbered)
    assert state.names == {4: "Bola"}
    assert renumbered.tolist() == [7, 7, 7, 2, 2, 2, 4, 4, 4]  # the fit itself is left alone


def test_what_is_not_found_is_reported_and_nothing_of_it_applied():
    gone = TopicContent(("kapal", "dermaga"), ("x", "y"))
    state = apply([Edit(Action.MERGE, (content(0), gone), name="Kapal"), Edit(Action.RENAME, (gone,), name="Laut")])
    assert state.labels.tolist() == LABELS.tolist() and state.names == {} and state.n_applied == 0
    assert state.lost == ["merge of «ojek helm» and «kapal dermaga» as «Kapal»", "rename of «kapal dermaga» as «Laut»"]


def test_a_merge_that_the_fit_has_made_itself_is_done():
    joined = np.array([0, 0, 0, 0, 0, 0, 2, 2, 2])
    edits = [Edit(Action.MERGE, (content(0), content(1)), name="Sehari-hari")]
    words = {**WORDS, 0: [*WORDS[0], *WORDS[1]]}
    state = apply(edits, labels=joined, words=words)
    assert state.labels.tolist() == joined.tolist() and state.names == {0: "Sehari-hari"} and state.lost == []


def test_overlap_by_hand():
    known = TopicContent(("a", "b", "c", "d"), ("s1", "s2", "s3", "s4"))
    corpus = {"s1", "s2", "s3", "s9"}
    assert overlap(known, ["a", "b", "x"], {"s1", "s2"}, corpus) == pytest.approx((2 / 4 + 2 / 3) / 2)
    assert overlap(known, ["a", "b", "x"], {"s1"}, {"s1", "s9"}) == 0.5  # one of four segments is left: words decide
    assert overlap(TopicContent(("a",), ()), ["a"], set(), corpus) == 1


def test_file_survives_writing_and_reading(tmp_path):
    edits = [
        Edit(Action.MERGE, (content(0), content(1)), name='Kata "kutip" \\ é'),
        Edit(Action.SPLIT, (content(2),), into=4),
        Edit(Action.RENAME, (content(2, segments=False),), name="Bola"),
    ]
    path = tmp_path / "corpus/topics.toml"
    write_edits(path, edits)
    assert read_edits(path) == edits and read_edits(tmp_path / "none.toml") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[edit]\n", "cannot be read"),
        ('[[edit]]\naction = "drop"\n[[edit.topics]]\nwords = []\n', "entry 1 cannot be understood"),
        ('[[edit]]\naction = "merge"\n[[edit.topics]]\nwords = ["a"]\n', "merge with 1 topics"),
        ('[[edit]]\naction = "rename"\n[[edit.topics]]\nwords = ["a"]\n', "rename without a name"),
        ('[[edit]]\naction = "split"\ninto = 1\n[[edit.topics]]\nwords = ["a"]\n', "a split into 1"),
        ("[other]\n", r"expected \[\[edit\]\]"),
    ],
)
def test_files_that_cannot_be_read_say_why(tmp_path, text, message):
    path = tmp_path / "topics.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_edits(path)


def topic_of(corpus, word):
    return next(row["topic_id"] for row in real_topics(corpus) if word in row["words"])


def test_edits_survive_a_refit_with_another_seed(study, corpus):
    fill(corpus)
    fit_topics(study, corpus, RECORD)
    write_edit(study, corpus, Action.MERGE, [topic_of(corpus, "ojek"), topic_of(corpus, "gawang")], name="Luar rumah")
    fit_topics(study, corpus, RECORD)
    write_edit(study, corpus, Action.RENAME, [topic_of(corpus, "beras")], name="Dapur")
    for seed in (study.study.seed, 1, 2):
        other = study.model_copy(update={"study": study.study.model_copy(update={"seed": seed})})
        counts = fit_topics(other, corpus, RECORD)
        assert counts["edits"] == 2 and "edits_not_found" not in counts
        rows = {row["name"]: row for row in real_topics(corpus)}
        assert rows.keys() == {"Luar rumah", "Dapur"}
        assert rows["Luar rumah"]["n_segments"] == 60 and rows["Luar rumah"]["topic_id"] == 0
        assert rows["Luar rumah"]["stability"] == pytest.approx(1)  # its parts are found whole in every refit
        assert set(rows["Dapur"]["words"][:5]) == set(THEMES[1].split())
    assert corpus.read(TableName.TOPIC_TREE).num_rows == 3


def test_split_topics_keep_their_segments(study, corpus):
    fill(corpus)
    fit_topics(study, corpus, RECORD)
    write_edit(study, corpus, Action.SPLIT, [topic_of(corpus, "ojek")], into=2)
    counts = fit_topics(study, corpus, RECORD)
    assert counts["topics"] == 4 and counts["outliers"] == 0
    assert sum(row["n_segments"] for row in real_topics(corpus)) == 90


def test_an_edit_of_a_vanished_topic_is_reported(study, corpus):
    fill(corpus)
    fit_topics(study, corpus, RECORD)
    path = study.resolve(study.topics.edits)
    write_edits(path, [Edit(Action.RENAME, (TopicContent(("kapal", "dermaga"), ("0" * 12,)),), name="Laut")])
    counts = fit_topics(study, corpus, RECORD)
    assert counts["edits"] == 0 and counts["edits_not_found"] == ["rename of «kapal dermaga» as «Laut»"]
    assert lost_edits(corpus) == counts["edits_not_found"]


def test_listing_and_its_errors(study, corpus):
    fill(corpus)
    fit_topics(study, corpus, RECORD)
    assert any(line.startswith("  stability 1.00") for line in describe_topic(corpus, 0))
    rows = list_paragraphs(corpus, 0, limit=4).to_pylist()
    assert [row["representative"] for row in rows] == [True, True, True, False]
    tree = draw_tree(corpus)
    assert len(tree) == 5 and tree[0].startswith("[") and sum("segments" in line for line in tree) == 3
    texts = corpus.fetch("SELECT text, topic_id FROM topic_assignments JOIN segments USING (segment_id)").to_pylist()
    assert find_topics(corpus, [digest_segment(row["text"]) for row in texts if row["topic_id"] == 2]) == [2]
    with pytest.raises(DataError, match="no topic 9"):
        describe_topic(corpus, 9)
    with pytest.raises(DataError, match="named twice"):
        write_edit(study, corpus, Action.MERGE, [1, 1])
    with pytest.raises(StudyError, match="outliers are no topic"):
        write_edit(study, corpus, Action.RENAME, [OUTLIER_TOPIC], name="x")


def test_commands(make_study):
    path = make_study()
    runner = CliRunner()

    def call(*arguments):
        found = runner.invoke(app, ["topics", *map(str, arguments), "-s", str(path)], catch_exceptions=True)
        if found.exception and not isinstance(found.exception, SystemExit):
            raise found.exception
        return found.exit_code, found.stdout

    code, out = call()
    assert code == 0 and "words" in out and "stability" in out
    code, out = call("--format", "json")
    listed = json.loads(out)
    assert [row["topic_id"] for row in listed if row["topic_id"] >= 0] == list(
        range(len(listed) - (listed[0]["topic_id"] < 0))
    )
    code, out = call("rename", 0, "Kios dan pasar")
    assert code == 0 and "as «Kios dan pasar»: topic" in out and "corpus/topics.toml" in out
    assert (path.parent / "corpus/topics.toml").read_text().count("[[edit]]") == 1
    names = {row["name"]: row["topic_id"] for row in json.loads(call("--format", "json")[1])}
    code, out = call("show", names["Kios dan pasar"])
    assert code == 0 and "Kios dan pasar" in out and "strength" in out
    assert call("tree")[0] == 0 and "segments" in call("tree")[1]
    code, out = call("stability", "--format", "csv")
    assert out.splitlines()[0] == "topic_id,name,n_segments,n_reassigned,stability,mark,npmi"
    code, out = call("split", names["Kios dan pasar"])
    assert code == 0 and "split of" in out
    with pytest.raises(DataError, match="two topics or more"):
        call("merge", 0)
    corpus = open_corpus(path.parent / "data")
    assert corpus.record(TableName.TOPICS).counts["edits"] == 2
