"""Posts -> tokens with a tiny spaCy pipeline that is trained here: exact text, incremental, parallel, resumable."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_study import cli_language
from nlp_study import parse as parse_module
from nlp_study.config import load_study
from nlp_study.errors import ModelError
from nlp_study.parse import (
    LINE_CHARACTERS,
    Text,
    digest_text,
    find_parser,
    load_parser,
    make_parsed_text,
    parse_posts,
    parse_texts,
    split_lines,
)
from nlp_study.pipeline import find_stage, make_record, read_status, run_stage, run_stages
from nlp_study.schema import TableName, table_specs
from nlp_study.store import Corpus, RunRecord, open_corpus

# form upos head deprel lemma; head counts from 0 in the sentence
SENTENCES = [
    "Saya/PRON/1/nsubj/saya membeli/VERB/1/ROOT/beli buku/NOUN/1/obj/buku baru/ADJ/2/amod/baru ./PUNCT/1/punct/.",
    "Dia/PRON/1/nsubj/dia menjual/VERB/1/ROOT/jual kopi/NOUN/1/obj/kopi mahal/ADJ/2/amod/mahal ./PUNCT/1/punct/.",
    "Budi/PROPN/1/nsubj/Budi membeli/VERB/1/ROOT/beli kopi/NOUN/1/obj/kopi ./PUNCT/1/punct/.",
    "Pedagang/NOUN/1/nsubj/dagang menjual/VERB/1/ROOT/jual buku/NOUN/1/obj/buku nya/PRON/2/nmod/nya ./PUNCT/1/punct/.",
    "Siti/PROPN/1/nsubj/Siti menjual/VERB/1/ROOT/jual sambal/NOUN/1/obj/sambal pedas/ADJ/2/amod/pedas ./PUNCT/1/punct/.",
    "Harga/NOUN/2/nsubj/harga kopi/NOUN/0/nmod/kopi naik/VERB/2/ROOT/naik ./PUNCT/2/punct/.",
]


@pytest.fixture(scope="session")
def tiny_parser(tmp_path_factory) -> Path:
    """A spaCy pipeline with tagger-like morphologizer, lemmatizer, parser and names, trained on six sentences."""
    import spacy
    from spacy.tokens import Doc, Span
    from spacy.training import Example

    tok2vec = {
        "@architectures": "spacy.HashEmbedCNN.v2", "width": 32, "depth": 1, "embed_size": 200, "window_size": 1,
        "maxout_pieces": 2, "subword_features": True, "pretrained_vectors": None,
    }  # fmt: skip
    options = {"parser": {"min_action_freq": 1}, "trainable_lemmatizer": {"min_tree_freq": 1}}
    nlp = spacy.blank("xx")  # the rules of "id" take seconds to load
    nlp.tokenizer.suffix_search = spacy.util.compile_suffix_regex(
        [*(nlp.Defaults.suffixes or ()), "(?<=buku)nya"]
    ).search
    for name in ("morphologizer", "trainable_lemmatizer", "parser", "ner"):
        nlp.add_pipe(name, config={**options.get(name, {}), "model": {"tok2vec": tok2vec}})
    examples = []
    for sentence in SENTENCES:
        cells = [token.split("/") for token in sentence.split()]
        words = [cell[0] for cell in cells]
        doc = Doc(
            nlp.vocab, words=words, spaces=[word not in (".", "nya") and next_ not in (".", "nya") for word, next_ in
                                            zip(words, [*words[1:], "."], strict=True)],
            pos=[cell[1] for cell in cells], heads=[int(cell[2]) for cell in cells], deps=[cell[3] for cell in cells],
            lemmas=[cell[4] for cell in cells], morphs=["Number=Sing" if cell[1] == "PROPN" else "" for cell in cells],
        )  # fmt: skip
        doc.ents = [Span(doc, 0, 1, "PER")] if cells[0][1] == "PROPN" else []
        examples.append(Example(nlp.make_doc(doc.text), doc))
    spacy.util.fix_random_seed(1)
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(60):
        nlp.update(examples, sgd=optimizer, drop=0.0)
    folder = tmp_path_factory.mktemp("parser") / "tiny"
    nlp.to_disk(folder)
    return folder


@pytest.fixture
def study(make_study, tiny_parser) -> Path:
    return make_study(n_posts=6, extra=f'\n[parse]\nmodel = "{tiny_parser}"\nworkers = 1\n')


def rebuild(rows: list[dict[str, object]]) -> str:
    return "".join(f"{row['form']}{row['after']}" for row in rows)


def parse_text(folder: Path, text: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = parse_texts(load_parser(folder), [Text("p", text, digest_text(text))]).to_pylist()
    return rows


def test_every_column_of_a_sentence(tiny_parser):
    rows = parse_text(tiny_parser, "Kopi baru\n\nBudi menjual bukunya.  Dia membeli kopi mahal.")
    assert [row["form"] for row in rows] == [
        "Kopi", "baru", "Budi", "menjual", "buku", "nya", ".", "Dia", "membeli", "kopi", "mahal", ".",
    ]  # fmt: skip
    assert [row["sentence"] for row in rows] == [0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2]
    assert [row["position"] for row in rows] == list(range(12))
    assert [row["root"] for row in rows[:6]] == ["kopi", "baru", "budi", "jual", "buku", "nya"]
    assert [row["lemma"] for row in rows[2:7]] == ["Budi", "jual", "buku", "nya", "."]
    assert [row["upos"] for row in rows[2:7]] == ["PROPN", "VERB", "NOUN", "PRON", "PUNCT"]
    assert [row["head"] for row in rows[2:7]] == [3, 3, 3, 4, 3]
    assert [row["deprel"] for row in rows[2:7]] == ["nsubj", "root", "obj", "nmod", "punct"]
    assert rows[2]["ent"] == "B-PER" and rows[3]["ent"] == "" and rows[2]["feats"] == "Number=Sing"
    assert [row["start"] for row in rows] == [0, 5, 11, 16, 24, 28, 31, 34, 38, 46, 51, 56]
    assert [row["after"] for row in rows] == [" ", "\n\n", " ", " ", "", "", "  ", " ", " ", " ", "", ""]
    assert [row["space_after"] for row in rows] == [bool(row["after"]) for row in rows]


NASTY = st.text(st.sampled_from(list("ab. ,\n\t\r\u00a0\u2028\x0b\x1c\u200b-\"'(!é😀1nya")), max_size=60)


@settings(max_examples=60, deadline=None)
@given(text=NASTY)
def test_the_text_is_rebuilt_character_for_character(tiny_parser, text):
    text = make_parsed_text(text, text[::-1])
    rows = parse_text(tiny_parser, text)
    assert rebuild(rows) == text
    assert all(text[int(str(row["start"])) :].startswith(str(row["form"])) for row in rows)
    assert all(0 <= int(str(row["head"])) < len(rows) for row in rows)
    assert [row["sentence"] for row in rows] == sorted(row["sentence"] for row in rows)  # type: ignore[type-var]


def test_what_is_parsed_is_title_empty_line_body():
    assert make_parsed_text(" Judul ", "\nIsi\n\nlagi ") == "Judul\n\nIsi\n\nlagi"
    assert make_parsed_text("", "Isi") == make_parsed_text(None, "Isi") == "Isi"
    assert make_parsed_text("Judul", None) == "Judul"
    assert make_parsed_text(" ", "") == ""


def test_long_lines_are_cut_at_white_space(tiny_parser):
    word = "kopi "
    text = (word * (LINE_CHARACTERS // 2)).strip()
    lines = list(split_lines(text))
    assert len(lines) == 3 and all(len(line) <= LINE_CHARACTERS for _, line in lines)
    assert all(text[start : start + len(line)] == line and set(line.split()) == {"kopi"} for start, line in lines)
    unbroken = "a" * (LINE_CHARACTERS + 5)
    assert [len(line) for _, line in split_lines(unbroken)] == [LINE_CHARACTERS, 5]
    assert rebuild(parse_text(tiny_parser, unbroken)) == unbroken


# ---- the stage -------------------------------------------------------------------------------------------------------


def run_parse(path: Path) -> tuple[Corpus, dict[str, object]]:
    loaded = load_study(path)
    corpus = open_corpus(loaded.data_dir)
    run_stages(loaded, corpus, only=["import"])
    return corpus, run_stage(find_stage("parse"), loaded, corpus)


def test_posts_come_back_whole_and_in_order(study):
    corpus, counts = run_parse(study)
    tokens = corpus.read(TableName.TOKENS).to_pylist()
    assert counts["posts"] == counts["parsed"] == 6 and counts["tokens"] == len(tokens)
    assert tokens == sorted(tokens, key=lambda row: (row["post_id"], row["sentence"], row["position"]))
    for row in corpus.fetch("SELECT post_id, title, text FROM posts").to_pylist():
        mine = [token for token in tokens if token["post_id"] == row["post_id"]]
        assert rebuild(mine) == f"{row['title']}\n\n{row['text']}"
        assert mine[0]["sentence"] == 0 and mine[0]["form"] == "Catatan"
    parsed = corpus.read(TableName.PARSED_POSTS).to_pylist()
    assert sum(row["n_tokens"] for row in parsed) == len(tokens)
    assert {row["post_id"]: row["n_sentences"] for row in parsed} == {
        row["post_id"]: row["n"]
        for row in corpus.fetch("SELECT post_id, max(sentence) + 1 AS n FROM tokens GROUP BY ALL").to_pylist()
    }
    loaded = load_study(study)
    assert str(read_status(find_stage("parse"), loaded, corpus).state) == "fresh"


def change_post(path: Path, index: int, **changes: object) -> None:
    file = path.parent / "posts.jsonl"
    posts = [json.loads(line) for line in file.read_text().splitlines()]
    posts[index] |= changes
    file.write_text("".join(json.dumps(post) + "\n" for post in posts))


def test_only_changed_posts_are_parsed_again(study, monkeypatch):
    corpus, _ = run_parse(study)
    before = {row["post_id"]: [] for row in corpus.read(TableName.TOKENS).to_pylist()}  # type: ignore[var-annotated]
    for row in corpus.read(TableName.TOKENS).to_pylist():
        before[row["post_id"]].append(row)
    change_post(study, 2, paragraphs=["Budi menjual kopi."])
    change_post(study, 3, n_views=7)
    parsed: list[str] = []
    real = parse_module.parse_texts
    monkeypatch.setattr(
        parse_module, "parse_texts", lambda nlp, part: parsed.extend(t.post_id for t in part) or real(nlp, part)
    )
    corpus, counts = run_parse(study)
    ids = sorted(before)
    assert parsed == [ids[2]] and counts["parsed"] == 1 and counts["posts"] == 6
    after = corpus.read(TableName.TOKENS).to_pylist()
    for post_id in ids:
        mine = [row for row in after if row["post_id"] == post_id]
        assert mine == before[post_id] or post_id == ids[2]
    assert rebuild([row for row in after if row["post_id"] == ids[2]]).endswith("\n\nBudi menjual kopi.")


def test_posts_that_are_gone_go_and_the_result_is_that_of_parsing_everything(study):
    corpus, _ = run_parse(study)
    file = study.parent / "posts.jsonl"
    file.write_text("".join(line + "\n" for line in file.read_text().splitlines()[1:]))
    change_post(study, 4, title="Judul baru")
    corpus, counts = run_parse(study)
    assert counts["posts"] == 5 and counts["parsed"] == 1
    step_by_step = corpus.read(TableName.TOKENS)
    for name in ("tokens", "parsed_posts"):
        for path in (corpus.folder / name).iterdir():
            path.unlink()
    corpus, counts = run_parse(study)
    assert counts["parsed"] == 5
    assert corpus.read(TableName.TOKENS).equals(step_by_step)


def test_another_parser_parses_everything_again(study, tiny_parser, tmp_path):
    import shutil

    run_parse(study)
    other = tmp_path / "other"
    shutil.copytree(tiny_parser, other)
    meta = json.loads((other / "meta.json").read_text())
    (other / "meta.json").write_text(json.dumps(meta | {"description": "changed"}))
    study.write_text(study.read_text().replace(str(tiny_parser), str(other)))
    assert run_parse(study)[1]["parsed"] == 6


def test_several_processes_give_the_same_table(study, monkeypatch):
    corpus, _ = run_parse(study)
    alone = corpus.read(TableName.TOKENS)
    study.write_text(study.read_text().replace("workers = 1", "workers = 2"))
    monkeypatch.setattr(parse_module, "PART_POSTS", 2)
    for name in ("tokens", "parsed_posts"):
        for path in (corpus.folder / name).iterdir():
            path.unlink()
    corpus, counts = run_parse(study)
    assert counts["parsed"] == 6 and corpus.read(TableName.TOKENS).equals(alone)


SLOW_RUN = """
import sys, time
from pathlib import Path
from nlp_study import parse
from nlp_study.config import load_study
from nlp_study.pipeline import find_stage, run_stage
from nlp_study.store import open_corpus
parse.PART_POSTS = 2
real = parse.parse_texts
def slow(nlp, part):
    rows = real(nlp, part)
    time.sleep(1.5)
    return rows
parse.parse_texts = slow
study = load_study(Path(sys.argv[1]))
run_stage(find_stage("parse"), study, open_corpus(study.data_dir))
"""


def test_a_killed_run_goes_on_with_the_next_part(study, monkeypatch):
    loaded = load_study(study)
    corpus = open_corpus(loaded.data_dir)
    run_stages(loaded, corpus, only=["import"])
    process = subprocess.Popen([sys.executable, "-c", SLOW_RUN, str(study)])
    partial = corpus.folder / "tokens.partial"
    deadline = time.monotonic() + 60
    while not list(partial.glob("*/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    n_done = 2 * len(list(partial.glob("*/*.parquet")))
    assert 0 < n_done < 6 and not corpus.has(TableName.TOKENS)
    monkeypatch.setattr(parse_module, "PART_POSTS", 2)
    parsed: list[str] = []
    real = parse_module.parse_texts
    monkeypatch.setattr(
        parse_module, "parse_texts", lambda nlp, part: parsed.extend(t.post_id for t in part) or real(nlp, part)
    )
    parse_posts(loaded, corpus, make_record(find_stage("parse"), loaded, corpus))
    assert len(parsed) == 6 - n_done
    assert corpus.fetch("SELECT count(DISTINCT post_id) AS n FROM tokens")["n"][0].as_py() == 6
    assert not partial.exists()


def test_a_missing_parser_is_said_with_a_remedy(make_study):
    path = make_study(n_posts=3, extra='\n[parse]\nmodel = "no_such_parser"\n')
    loaded = load_study(path)
    corpus = open_corpus(loaded.data_dir)
    run_stages(loaded, corpus, only=["import"])
    assert find_parser(loaded) is None
    status = read_status(find_stage("parse"), loaded, corpus)
    assert str(status.state) == "skipped" and "make parser" in status.reason
    with pytest.raises(ModelError, match="no_such_parser") as caught:
        parse_posts(loaded, corpus, RunRecord(stage="parse", fingerprint={}))
    assert "make parser" in caught.value.remedy and not corpus.has(TableName.TOKENS)


def test_a_damaged_parser_is_said(study, tmp_path):
    folder = tmp_path / "damaged"
    folder.mkdir()
    (folder / "meta.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_parser(folder)


def test_a_post_without_text_has_no_tokens(make_study, tiny_parser, corpus):
    loaded = load_study(make_study(n_posts=3, extra=f'\n[parse]\nmodel = "{tiny_parser}"\n'))
    schema = table_specs()[TableName.POSTS].schema
    rows = [{"post_id": "a", "title": "", "paragraphs": []}, {"post_id": "b", "title": "Kopi", "paragraphs": []}]
    corpus.write(TableName.POSTS, pa.Table.from_pylist(rows, schema=schema), RunRecord(stage="import", fingerprint={}))
    record = replace(RunRecord(stage="parse", fingerprint={}))
    assert parse_posts(loaded, corpus, record)["tokens"] == 1
    assert [row["n_tokens"] for row in corpus.read(TableName.PARSED_POSTS).to_pylist()] == [0, 1]
    assert parse_posts(loaded, corpus, record)["parsed"] == 0


def test_the_command_parses_once_and_counts_word_classes(study, capsys):
    app = typer.Typer()
    cli_language.register(app)
    app(["parse", "--study", str(study), "--format", "json"], standalone_mode=False)
    captured = capsys.readouterr()
    rows = json.loads(captured.out)
    corpus = open_corpus(load_study(study).data_dir)
    assert sum(row["tokens"] for row in rows) == corpus.n_rows(TableName.TOKENS) > 0
    assert "parsed 6" in captured.err
    app(["parse", "--study", str(study)], standalone_mode=False)
    assert "parse       unchanged" in capsys.readouterr().err
