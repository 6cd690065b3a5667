"""A whole training in small: gold, then gold and silver from the first one's weights, and what is shipped of it."""

from __future__ import annotations

import spacy

from nlp_study.parser.conllu import Sentence, Word
from nlp_study.parser.docs import Annotated
from nlp_study.parser.tokenizer import CliticLexicon
from nlp_study.parser.training import GOLD_COPIES, Mixture, train_pipeline

SMALL = {
    "components.tok2vec.model.encode.width": 16,
    "components.tok2vec.model.embed.rows": [200, 50, 100, 50, 10],
    "components.parser.min_action_freq": 1,
    "components.parser.model.hidden_width": 16,
    "components.ner.model.hidden_width": 16,
    "components.trainable_lemmatizer.min_tree_freq": 1,
    "training.batcher.size": 40,
    "training.optimizer.learn_rate.initial_rate": 0.02,
    "training.optimizer.learn_rate.warmup_steps": 2,
}
LEXICON = CliticLexicon(frozenset({"hanya"}), {"siapakah": ("siapa", "kah")}, frozenset())


def sentence(subject: str, verb: str, lemma: str, upos: str = "PROPN") -> Annotated:
    words = (
        Word(subject, subject, upos, "F--", "", 2, "nsubj", True),
        Word(verb, lemma, "VERB", "VSA", "Voice=Act", 0, "root", True),
        Word("buku", "buku", "NOUN", "NSD", "Number=Sing", 2, "obj", False),
        Word("nya", "nya", "PRON", "PS3", "Person=3", 3, "nmod:poss", False),
        Word(".", ".", "PUNCT", "Z--", "", 2, "punct", True),
    )
    return Annotated(Sentence("", words), ("B-PER" if upos == "PROPN" else "O", "O", "O", "O", "O"))


GOLD = [
    sentence(name, verb, lemma)
    for name in ("Rina", "Sari", "Joko", "Budi")
    for verb, lemma in (("membaca", "baca"), ("menulis", "tulis"))
]


def test_two_stages_learn_and_load_without_our_code(tmp_path):
    mixture = Mixture(GOLD, [], GOLD)
    assert mixture.n_words == 40
    first = train_pipeline(
        mixture, LEXICON, tmp_path / "first", passes=30, seed=0, work_dir=tmp_path / "a", overrides=SMALL
    )
    doc = first("Rina membaca bukunya. Siapakah Joko?")
    assert [token.text for token in doc][:5] == ["Rina", "membaca", "buku", "nya", "."]
    assert [token.pos_ for token in doc][:5] == ["PROPN", "VERB", "NOUN", "PRON", "PUNCT"]
    assert [token.lemma_ for token in doc][:5] == ["Rina", "baca", "buku", "nya", "."]
    assert [(token.head.i, token.dep_) for token in doc][:5] == [
        (1, "nsubj"), (1, "ROOT"), (1, "obj"), (2, "nmod:poss"), (1, "punct"),
    ]  # fmt: skip
    assert doc.ents[0].text == "Rina"

    silver = [sentence("Tono", "memakai", "pakai"), sentence("Ia", "memakai", "pakai", "PRON")]
    both = Mixture(GOLD, silver, GOLD)
    assert both.n_words == GOLD_COPIES * 40 + 10
    second = train_pipeline(
        both, LEXICON, tmp_path / "second", passes=10, seed=0, work_dir=tmp_path / "b", start=tmp_path / "first",
        overrides={name: value for name, value in SMALL.items() if name.startswith("training.")},
    )  # fmt: skip
    assert [token.pos_ for token in second("Rina membaca bukunya.")] == ["PROPN", "VERB", "NOUN", "PRON", "PUNCT"]
    assert [token.lemma_ for token in second("Rina membaca bukunya.")] == ["Rina", "baca", "buku", "nya", "."]
    again = spacy.load(tmp_path / "second")
    assert again.pipe_names == ["tok2vec", "tagger", "morphologizer", "trainable_lemmatizer", "parser", "ner"]
    assert str(tmp_path) not in (tmp_path / "second" / "config.cfg").read_text(encoding="utf-8")
    assert [token.text for token in again("Siapakah hanya")] == ["Siapa", "kah", "hanya"]
