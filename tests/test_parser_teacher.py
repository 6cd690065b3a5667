"""The teacher on a tiny real BERT: what it learns by heart, what it may not say, what it keeps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nlp_study.encoders import load_encoder
from nlp_study.errors import ModelError
from nlp_study.parser.conllu import Sentence, Word
from nlp_study.parser.docs import Annotated
from nlp_study.parser.silver import load_annotated, save_annotated
from nlp_study.parser.teacher import Example, Teacher, collect_labels, load_teacher

EXAMPLES = [
    Example(
        ("harga", "beras", "naik"),
        "gsd",
        {
            "upos": ("NOUN", "NOUN", "VERB"),
            "xpos": ("NSD", "NSD", "VSA"),
            "feats": ("_", "_", "_"),
            "edit": ("low|-|0:|0:", "low|-|0:|0:", "low|-|0:|0:"),
        },
        (3, 1, 0),
        ("nsubj", "compound", "root"),
    ),
    Example(
        ("warung", "kopi"),
        "csui",
        {"upos": ("NOUN", "PROPN"), "xpos": ("", ""), "feats": ("_", "_"), "edit": ("", "low|-|0:|0:")},
        (0, 1),
        ("root", "nmod"),
    ),
    Example(("naik", "warung"), "idner", {"tag": ("O", "B-ORG")}),
    Example(("harga", "naik", "warung", "kopi"), "idner", {"tag": ("B-PER", "I-PER", "O", "O")}),
]


@pytest.fixture(scope="module")
def teacher(tiny_bert):
    torch.manual_seed(0)
    made = Teacher(load_encoder(str(tiny_bert), device="cpu", for_training=True), collect_labels(EXAMPLES))
    made.fit(EXAMPLES * 8, epochs=30, seed=0, encoder_rate=3e-3, head_rate=1e-2)
    return made


def test_labels_are_what_occurs_and_rare_edits_are_left_out():
    labels = collect_labels(EXAMPLES)
    assert labels["upos"] == ["NOUN", "PROPN", "VERB"]
    assert labels["edit"] == ["low|-|0:|0:"]
    assert labels["deprel"] == ["compound", "nmod", "nsubj", "root"]
    assert labels["corpus"] == ["csui", "gsd", "idner"]
    assert labels["tag"] == ["B-ORG", "B-PER", "I-PER", "O"]


def test_it_learns_its_sentences_by_heart(teacher):
    first, second = teacher.label([EXAMPLES[0].forms, EXAMPLES[3].forms], "gsd", tag_corpus="idner")
    assert first.layers["upos"] == ["NOUN", "NOUN", "VERB"]
    assert (first.heads, first.deprels) == ([3, 1, 0], ["nsubj", "compound", "root"])
    assert second.layers["tag"] == ["B-PER", "I-PER", "O", "O"]
    assert 0.5 < first.proba <= 1


def test_words_read_alone_have_vectors(teacher):
    vectors = teacher.embed_words(["harga", "naik", "harga"])
    assert vectors.shape == (3, 32) and vectors.dtype == np.float32
    assert vectors[0] == pytest.approx(vectors[2], abs=1e-2)
    assert abs(vectors[0] - vectors[1]).max() > 0.1


def test_order_and_padding_change_nothing(teacher):
    together = teacher.label([EXAMPLES[3].forms, EXAMPLES[0].forms, ("naik",)], "gsd", tag_corpus="idner")
    alone = [
        teacher.label([forms], "gsd", tag_corpus="idner")[0]
        for forms in (EXAMPLES[3].forms, EXAMPLES[0].forms, ("naik",))
    ]
    assert [one.heads for one in together] == [one.heads for one in alone]
    assert together[2].heads == [0] and together[2].deprels == ["root"]


def test_no_entity_begins_inside(teacher):
    scores = np.full((3, 4), 0.0)
    scores[:, teacher.labels["tag"].index("I-PER")] = 5
    scores[0, teacher.labels["tag"].index("B-ORG")] = 4
    scores[0, teacher.labels["tag"].index("B-PER")] = 1
    assert teacher._best_tags(scores) == ["B-PER", "I-PER", "I-PER"]


def test_a_saved_teacher_says_the_same(teacher, tmp_path):
    teacher.save(tmp_path / "teacher.pt")
    again = load_teacher(tmp_path / "teacher.pt")
    assert again.label([EXAMPLES[0].forms], "gsd", tag_corpus="idner") == teacher.label(
        [EXAMPLES[0].forms], "gsd", tag_corpus="idner"
    )
    with pytest.raises(ModelError, match="no teacher at"):
        load_teacher(tmp_path / "none.pt")


def test_labelled_sentences_come_back_as_they_were(tmp_path):
    sentences = [
        Annotated(Sentence("", (Word("Ya", "ya", "INTJ", "", "", 0, "root", True),)), ("O",)),
        Annotated(Sentence("", (Word("é", "é", "X", "", "A=b", 0, "root", False),)), None),
    ]
    save_annotated(tmp_path / "x" / "a.jsonl", sentences)
    assert load_annotated(tmp_path / "x" / "a.jsonl") == sentences
