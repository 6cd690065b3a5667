"""Make spaCy's documents of sentences, gold or labelled by the teacher."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nlp_study.parser.conllu import Sentence, Word
from nlp_study.parser.entities import TaggedSentence
from nlp_study.parser.lemmas import apply_edit

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

    from nlp_study.parser.teacher import Labelled

MAX_RUN = 5
"""Sentences of a document: the parser learns their boundaries from runs of one to five."""


@dataclass(frozen=True, slots=True)
class Annotated:
    """A sentence with every layer the model learns; `tags` is None where nobody marked entities."""

    sentence: Sentence
    tags: tuple[str, ...] | None = None


def make_doc(vocab: Vocab, run: Sequence[Annotated]) -> Doc:
    """Return sentences that follow one another as a document.

    A layer that a word lacks is missing, not empty: spaCy then learns nothing from it.
    """
    from spacy.tokens import Doc

    words = [word for one in run for word in one.sentence.words]
    spaces = [word.space_after for word in words]
    starts, heads, start = list[int](), list[int](), 0
    for one in run:
        starts.append(start)
        for i, word in enumerate(one.sentence.words):
            heads.append(start + (word.head - 1 if word.head else i))
        start += len(one.sentence.words)
        spaces[start - 1] = True
    parsed = all(word.deprel for word in words)
    tagged = all(one.tags is not None for one in run)
    doc = Doc(
        vocab,
        words=[word.form for word in words],
        spaces=spaces,
        tags=[word.xpos for word in words],
        pos=[word.upos for word in words],
        morphs=[word.feats for word in words] if any(word.upos for word in words) else None,
        lemmas=[word.lemma for word in words],
        heads=heads if parsed else None,
        deps=["ROOT" if word.deprel == "root" else word.deprel for word in words] if parsed else None,
        sent_starts=None if parsed else [i in starts for i in range(len(words))],
        ents=[tag for one in run for tag in one.tags or ()] if tagged else None,
    )
    if not tagged:
        doc.set_ents([], default="missing")
    return doc


def make_runs(sentences: Iterable[Annotated], *, rng: random.Random) -> Iterator[list[Annotated]]:
    """Group sentences in runs of one to `MAX_RUN`, as chance has it."""
    run: list[Annotated] = []
    length = rng.randint(1, MAX_RUN)
    for one in sentences:
        run.append(one)
        if len(run) >= length:
            yield run
            run, length = [], rng.randint(1, MAX_RUN)
    if run:
        yield run


def from_entities(sentence: TaggedSentence) -> Annotated:
    """Return a sentence of an entity corpus; all other layers are open."""
    words = tuple(
        Word(token, "", "", "", "", 0, "", space) for token, space in zip(sentence.tokens, sentence.spaces, strict=True)
    )
    return Annotated(Sentence("", words), sentence.tags)


def fill_layers(gold: Annotated, labelled: Labelled) -> Annotated:
    """Return a sentence with what it lacks taken from the teacher; what people decided stays."""
    words = []
    for i, word in enumerate(gold.sentence.words):
        feats = labelled.layers["feats"][i]
        made = Word(
            word.form,
            apply_edit(word.form, labelled.layers["edit"][i]),
            labelled.layers["upos"][i],
            labelled.layers["xpos"][i],
            "" if feats == "_" else feats,
            labelled.heads[i],
            labelled.deprels[i],
            word.space_after,
        )
        words.append(
            replace(
                word,
                lemma=word.lemma or made.lemma,
                upos=word.upos or made.upos,
                xpos=word.xpos or made.xpos,
                feats=word.feats if word.lemma else made.feats,  # a treebank without lemmas has no features either
                head=word.head if word.deprel else made.head,
                deprel=word.deprel or made.deprel,
            )
        )
    tags = gold.tags if gold.tags is not None else tuple(labelled.layers["tag"])
    return Annotated(replace(gold.sentence, words=tuple(words)), tags)
