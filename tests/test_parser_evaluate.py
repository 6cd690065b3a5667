"""Figures of the shared task, counted by hand on two sentences; trees against every possible one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

from nlp_study.parser.conllu import Sentence, Word
from nlp_study.parser.entities import TaggedSentence
from nlp_study.parser.evaluate import score_entities, score_gold_words, score_raw_text
from nlp_study.parser.scheme import Treebank
from nlp_study.parser.trees import find_tree

GOLD = [
    Sentence(
        "a",
        (
            Word("Buku", "buku", "NOUN", "NSD", "Number=Sing", 3, "nsubj:pass", False),
            Word("nya", "dia", "PRON", "PS3", "Person=3", 1, "nmod:poss", True),
            Word("dibaca", "baca", "VERB", "VSP", "Voice=Pass|Typo=Yes", 0, "root", False),
            Word(".", ".", "PUNCT", "Z--", "", 3, "punct", True),
        ),
    ),
    Sentence(
        "b",
        (
            Word("harga", "harga", "NOUN", "NSD", "", 0, "root", True),
            Word("beras", "beras", "NOUN", "NSD", "", 1, "nmod", True),
        ),
    ),
]


class Fixed:
    """A pipeline that gives documents written by hand, so that the figures can be counted."""

    def __init__(self, *docs: Doc) -> None:
        self.vocab = docs[0].vocab
        self.docs = docs

    def pipe(self, texts):
        for text, doc in zip(texts, self.docs, strict=True):
            assert doc.text == (text if isinstance(text, str) else text.text)
            yield doc


def test_raw_text_is_matched_by_characters():
    vocab = spacy.blank("id").vocab
    doc = Doc(
        vocab,
        words=["Bukunya", "dibaca", ".", "harga", "beras"],
        spaces=[True, False, True, True, False],
        pos=["NOUN", "VERB", "PUNCT", "NOUN", "ADJ"],
        tags=["NSD", "VSP", "Z--", "NSD", "NSD"],
        morphs=["Number=Sing", "Voice=Pass", "", "Number=Sing", ""],
        lemmas=["buku", "Baca", ".", "harga", "beras"],
        heads=[1, 1, 1, 3, 3],
        deps=["nsubj", "ROOT", "punct", "ROOT", "compound"],
    )
    found = score_raw_text(Fixed(doc), GOLD, Treebank.CSUI)
    # 6 gold words, 5 made, 4 in the same place: dibaca . harga beras
    assert found.words == pytest.approx(8 / 11)
    assert found.sentences == 1
    assert found.upos == pytest.approx(6 / 11)
    assert found.feats == pytest.approx(6 / 11)  # harga has a number too many; Typo is no universal feature
    assert found.lemmas == pytest.approx(6 / 11)
    assert found.lemmas_lower == pytest.approx(8 / 11)
    assert found.uas == pytest.approx(8 / 11)
    assert found.las == pytest.approx(8 / 11)  # CSUI calls compound nmod
    assert score_raw_text(Fixed(doc), GOLD, Treebank.GSD).las == pytest.approx(6 / 11)
    assert found.n_words == 6


def test_gold_words_are_given_and_subtypes_do_not_count():
    vocab = spacy.blank("id").vocab
    docs = [
        Doc(
            vocab,
            words=[w.form for w in s.words],
            spaces=[w.space_after for w in s.words],
            pos=[w.upos for w in s.words],
            lemmas=["buku", "nya", "baca", "."][: len(s.words)],
            heads=[w.head - 1 if w.head else i for i, w in enumerate(s.words)],
            deps=[w.deprel.split(":")[0].replace("root", "ROOT") for w in s.words],
        )
        for s in GOLD
    ]
    found = score_gold_words(Fixed(*docs), GOLD, Treebank.GSD)
    assert (found.words, found.upos, found.uas, found.las) == (1, 1, 1, 1)
    assert found.lemmas == pytest.approx(3 / 6)  # nya is dia in GSD, and the second sentence's lemmas are wrong
    assert found.lemmas_lower == pytest.approx(4 / 6)


def test_entities_need_the_exact_span_and_label():
    gold = [
        TaggedSentence(
            ("Rina", "Sari", "ke", "Jawa", "Tengah", "."),
            (True, True, True, True, False, False),
            ("B-PER", "I-PER", "O", "B-LOC", "B-LOC", "O"),
        )
    ]
    doc = Doc(
        spacy.blank("id").vocab,
        words=list(gold[0].tokens),
        spaces=list(gold[0].spaces),
        ents=["B-PER", "I-PER", "O", "B-LOC", "I-LOC", "O"],
    )
    found = score_entities(Fixed(doc), gold)
    # a B- behind an entity of the same label opens another one
    assert found.n_entities == 3
    assert (found.precision, found.recall) == (pytest.approx(1 / 2), pytest.approx(1 / 3))
    assert found.f1 == pytest.approx(2 / 5)
    assert found.by_label["PER"] == (1, 1, 1)


def test_tree_is_the_best_of_all_with_one_root():
    rng = np.random.default_rng(3)
    for n_words in (1, 2, 3, 4):
        for _ in range(40):
            scores = rng.normal(size=(n_words + 1, n_words + 1))
            best = max(
                (heads for heads in product(range(n_words + 1), repeat=n_words) if is_tree(heads)),
                key=lambda heads: sum(scores[i + 1, head] for i, head in enumerate(heads)),
            )
            assert tuple(find_tree(scores)) == best


def is_tree(heads: tuple[int, ...]) -> bool:
    if heads.count(0) != 1:
        return False
    for start in range(1, len(heads) + 1):
        seen, node = set(), start
        while node and node not in seen:
            seen.add(node)
            node = heads[node - 1]
        if node:
            return False
    return True
