"""The pipeline that ships: it loads alone, keeps offsets, and is what its card says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import spacy

from nlp_study.parser.card import folder_size
from nlp_study.parser.conllu import read_conllu
from nlp_study.parser.corpora import ENTITY_TEST, TEST_FILES
from nlp_study.parser.entities import read_entities
from nlp_study.parser.evaluate import score_entities, score_raw_text
from nlp_study.parser.scheme import Treebank

REPOSITORY = Path(__file__).resolve().parent.parent
MODEL = REPOSITORY / "models" / "id_ud_sm"
DATA = REPOSITORY.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not MODEL.is_dir(), reason="models/id_ud_sm is not there: `make parser` builds it")
TEXT = "Tidakkah bukunya sudah dibaca Rina Wijaya di Jakarta? Hanya dia yang punya; biasanya kami membelinya."


@pytest.fixture(scope="module")
def nlp():
    return spacy.load(MODEL)


def test_it_loads_without_importing_the_project(tmp_path):
    code = f"import spacy, sys; spacy.load({str(MODEL)!r}); print('nlp_study' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_clitics_are_tokens_and_the_text_comes_back(nlp):
    doc = nlp(TEXT)
    tokens = [token.text for token in doc]
    assert tokens[:5] == ["Tidak", "kah", "buku", "nya", "sudah"]
    assert {"Hanya", "punya", "biasanya"} <= set(tokens)
    assert tokens[-3:] == ["membeli", "nya", "."]
    assert doc.text == TEXT
    assert all(TEXT[token.idx : token.idx + len(token)] == token.text for token in doc)


def test_every_layer_is_there(nlp):
    doc = nlp(TEXT)
    assert [sent.text for sent in doc.sents] == [TEXT[:53], TEXT[54:]]
    by_text = {token.text: token for token in doc}
    assert by_text["dibaca"].lemma_ == "baca"
    assert by_text["dibaca"].pos_ == "VERB" and by_text["dibaca"].morph.get("Voice") == ["Pass"]
    assert by_text["membeli"].lemma_ == "beli"
    assert by_text["di"].dep_ == "case" and by_text["di"].head.text == "Jakarta"
    assert all(token.tag_ for token in doc)
    assert ("Jakarta", "LOC") in {(ent.text, ent.label_) for ent in doc.ents}


def test_it_is_small_and_documented():
    assert folder_size(MODEL) <= 20_000_000
    card = (MODEL / "README.md").read_text(encoding="utf-8")
    figures = json.loads((MODEL / "figures.json").read_text(encoding="utf-8"))
    for treebank in ("gsd", "csui"):
        for key in ("upos", "uas", "las"):
            assert f"{100 * figures[treebank]['raw'][key]:.1f}" in card
    assert f"**{100 * figures['entities']['f1']:.1f}**" in card
    assert "CC BY-SA 4.0" in card and "@" not in card


@pytest.mark.skipif(not (DATA / "ud").is_dir(), reason="the treebanks are not beside the project")
def test_figures_of_the_card_are_those_of_the_model(nlp):
    figures = json.loads((MODEL / "figures.json").read_text(encoding="utf-8"))
    found = score_raw_text(nlp, read_conllu(DATA / TEST_FILES[Treebank.CSUI]), Treebank.CSUI)
    assert found.as_dict() == pytest.approx(figures["csui"]["raw"], abs=0.002)
    entities = score_entities(nlp, read_entities(DATA / ENTITY_TEST))
    assert entities.f1 == pytest.approx(figures["entities"]["f1"], abs=0.005)
