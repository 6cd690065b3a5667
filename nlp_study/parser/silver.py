"""Sentences that the teacher labelled, and the file that keeps them between runs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_study.parser.conllu import Sentence, Word
from nlp_study.parser.corpora import MAX_WORDS, Gold, entity_examples, read_texts, treebank_examples
from nlp_study.parser.docs import Annotated, fill_layers
from nlp_study.parser.scheme import Treebank

if TYPE_CHECKING:
    from spacy.tokenizer import Tokenizer

    from nlp_study.parser.teacher import Example, Teacher

MODE = str(Treebank.GSD)
"""The corpus as which the teacher labels: the scheme of the model is GSD's."""
TAG_MODE = "idner"
MIN_PROBA = 0.7
"""A sentence whose heads the teacher gives less than this (geometric mean) is left out."""
_PART = 2048
_N_IDNER = 700
"""Entity sentences that the teacher trains on; with all 1,464 an epoch takes a third longer."""

logger = logging.getLogger(__name__)


def teacher_examples(gold: Gold, tokenizer: Tokenizer, *, seed: int) -> list[Example]:
    """Return what the teacher trains on: the treebanks, and a sample of the entity sentences."""
    import random

    rng = random.Random(seed)
    found = [one for treebank, part in gold.train.items() for one in treebank_examples(part, treebank)]
    entities = entity_examples(gold.entities[TAG_MODE], TAG_MODE, tokenizer)
    return found + rng.sample(entities, min(_N_IDNER, len(entities)))


def label_texts(teacher: Teacher, folder: Path, tokenizer: Tokenizer, *, n_words: int) -> list[Annotated]:
    """Return sentences of running text as the teacher reads them, the doubtful ones left out; order is kept."""
    found: list[Annotated] = []
    waiting: list[Annotated] = []
    n_read = 0
    for paragraph in read_texts(folder, n_words=n_words):
        for text in paragraph:
            words = tuple(
                Word(token.text, "", "", "", "", 0, "", bool(token.whitespace_))
                for token in tokenizer(text)
                if not token.is_space
            )
            if 3 <= len(words) <= MAX_WORDS:
                waiting.append(Annotated(Sentence("", words)))
        if len(waiting) >= _PART:
            found += _confident(teacher, waiting)
            n_read += sum(len(one.sentence.words) for one in waiting)
            logger.info("%d words labelled, %d sentences kept", n_read, len(found))
            waiting = []
    return found + _confident(teacher, waiting)


def save_annotated(path: Path, sentences: Iterable[Annotated]) -> None:
    """Keep sentences as JSON lines; they hold text of others and stay out of the repository."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for one in sentences:
            words = [
                [w.form, w.lemma, w.upos, w.xpos, w.feats, w.head, w.deprel, w.space_after] for w in one.sentence.words
            ]
            file.write(json.dumps({"words": words, "tags": one.tags}, ensure_ascii=False) + "\n")


def load_annotated(path: Path) -> list[Annotated]:
    """Return what `save_annotated` kept."""
    found = []
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            words = tuple(Word(*values) for values in row["words"])
            found.append(Annotated(Sentence("", words), None if row["tags"] is None else tuple(row["tags"])))
    return found


def open_lemmas(sentences: Iterable[Annotated]) -> list[Annotated]:
    """Return sentences without their lemmas.

    The teacher reads pieces, not letters: its edits were right for 87-90 % of held-out words where the pipeline trained on
    gold had 94 %.
    """
    return [
        replace(one, sentence=replace(one.sentence, words=tuple(replace(w, lemma="") for w in one.sentence.words)))
        for one in sentences
    ]


def _confident(teacher: Teacher, sentences: Sequence[Annotated]) -> list[Annotated]:
    forms = [[word.form for word in one.sentence.words] for one in sentences]
    labelled = teacher.label(forms, MODE, tag_corpus=TAG_MODE)
    return [fill_layers(one, made) for one, made in zip(sentences, labelled, strict=True) if made.proba >= MIN_PROBA]
