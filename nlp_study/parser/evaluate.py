"""Measure a pipeline on a treebank's test set, from raw text as published figures are, and on gold words.

The figures are those of the CoNLL 2018 shared task: words are matched by the characters they cover, relations are compared
without subtypes, and every figure is an F1 over words (Zeman et al. 2018, K18-2001; `conll18_ud_eval.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from nlp_study.parser.conllu import Sentence, Word
from nlp_study.parser.entities import TaggedSentence
from nlp_study.parser.scheme import Treebank, to_treebank_relation

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

UNIVERSAL_FEATURES = frozenset(
    {
        *(
            "PronType",
            "NumType",
            "Poss",
            "Reflex",
            "Foreign",
            "Abbr",
            "Gender",
            "Animacy",
            "Number",
            "Case",
            "Definite",
        ),
        *("Degree", "VerbForm", "Mood", "Tense", "Aspect", "Voice", "Evident", "Polarity", "Person", "Polite"),
    }
)
"""What the shared task compares as UFeats."""
PARAGRAPH = 8
"""Sentences given at a time when a test set is read from raw text: test sets are loose sentences, and a text is none."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Fractions in [0, 1]; from raw text they are F1, on gold words accuracies. `n_words` are gold."""

    words: float
    sentences: float
    upos: float
    xpos: float
    feats: float
    lemmas: float
    lemmas_lower: float
    uas: float
    las: float
    n_words: int

    def as_dict(self) -> dict[str, float]:
        """Names and values, for a table."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def score_raw_text(nlp: Language, gold: Sequence[Sentence], treebank: Treebank) -> Scores:
    """Read a test set's text and compare what comes out with its annotation.

    Parameters
    ----------
    gold : in the treebank's own scheme, as published, apart from `to_treebank_relation` on what is predicted.
    """
    groups = [gold[k : k + PARAGRAPH] for k in range(0, len(gold), PARAGRAPH)]
    docs = nlp.pipe(" ".join(sentence.text for sentence in group) for group in groups)
    return _score(groups, docs, treebank)


def score_gold_words(nlp: Language, gold: Sequence[Sentence], treebank: Treebank) -> Scores:
    """Give the pipeline the gold words and sentences, and compare."""
    from spacy.tokens import Doc

    docs = []
    for sentence in gold:
        words = sentence.words
        docs.append(
            Doc(
                nlp.vocab,
                words=[word.form for word in words],
                spaces=[word.space_after for word in words],
                sent_starts=[i == 0 for i in range(len(words))],
            )
        )
    return _score([[sentence] for sentence in gold], nlp.pipe(docs), treebank)


def _score(groups: Sequence[Sequence[Sentence]], docs: Iterable[Doc], treebank: Treebank) -> Scores:
    n_gold = n_made = n_gold_sentences = n_made_sentences = 0
    hits = dict.fromkeys(("words", "sentences", "upos", "xpos", "feats", "lemmas", "lemmas_lower", "uas", "las"), 0)
    for group, doc in zip(groups, docs, strict=True):
        gold_at, gold_bounds = _place_gold(group)
        made = [token for token in doc if not token.is_space]
        made_at = {(token.idx, token.idx + len(token)): token for token in made}
        made_bounds = {
            (tokens[0].idx, tokens[-1].idx + len(tokens[-1]))
            for sent in doc.sents
            if (tokens := [t for t in sent if not t.is_space])
        }
        n_gold, n_made = n_gold + len(gold_at), n_made + len(made)
        n_gold_sentences += len(gold_bounds)
        n_made_sentences += len(made_bounds)
        hits["sentences"] += len(gold_bounds & made_bounds)
        for span, (word, head) in gold_at.items():
            if (token := made_at.get(span)) is None:
                continue
            hits["words"] += 1
            hits["upos"] += word.upos == token.pos_
            hits["xpos"] += word.xpos == token.tag_
            hits["feats"] += _universal(word.feats) == _universal(str(token.morph))
            lemma = word.lemma or word.form
            hits["lemmas"] += lemma == token.lemma_
            hits["lemmas_lower"] += _plain_lemma(word) == token.lemma_.lower()
            found = token.head
            made_head = None if found is token or found.i == token.i else (found.idx, found.idx + len(found))
            if made_head == head:
                hits["uas"] += 1
                hits["las"] += _basic(word.deprel) == _basic(_made_relation(token.dep_, treebank))

    def f1(name: str) -> float:
        gold, made = (n_gold_sentences, n_made_sentences) if name == "sentences" else (n_gold, n_made)
        return 2 * hits[name] / (gold + made) if gold + made else 0.0

    return Scores(**{name: f1(name) for name in hits}, n_words=n_gold)


def _place_gold(
    group: Sequence[Sentence],
) -> tuple[dict[tuple[int, int], tuple[Word, tuple[int, int] | None]], set[tuple[int, int]]]:
    """Gold words and the head's place by their own place in the joined text, and the sentences' bounds."""
    placed: dict[tuple[int, int], tuple[Word, tuple[int, int] | None]] = {}
    bounds = set()
    start = 0
    for sentence in group:
        spans, at = list[tuple[int, int]](), start
        for word in sentence.words:
            spans.append((at, at + len(word.form)))
            at += len(word.form) + word.space_after
        for span, word in zip(spans, sentence.words, strict=True):
            placed[span] = (word, spans[word.head - 1] if word.head else None)
        bounds.add((spans[0][0], spans[-1][1]))
        start += len(sentence.text) + 1
    return placed, bounds


def _made_relation(dep: str, treebank: Treebank) -> str:
    return "root" if dep == "ROOT" else to_treebank_relation(dep, treebank)


def _basic(deprel: str) -> str:
    return deprel.split(":")[0]


def _plain_lemma(word: Word) -> str:
    """Lemma in lower case, a clitic's as the model writes it (GSD has `dia` for `-nya`)."""
    if word.form.lower() in ("nya", "ku", "mu") and word.lemma.lower() in ("dia", "aku", "kamu"):
        return word.form.lower()
    return (word.lemma or word.form).lower()


def _universal(feats: str) -> frozenset[str]:
    return frozenset(f for f in feats.split("|") if f.split("=")[0] in UNIVERSAL_FEATURES)


@dataclass(frozen=True, slots=True)
class EntityScores:
    """Exact spans with the right label; `by_label` holds (precision, recall, F1)."""

    precision: float
    recall: float
    f1: float
    n_entities: int
    by_label: dict[str, tuple[float, float, float]]


def score_entities(nlp: Language, gold: Sequence[TaggedSentence]) -> EntityScores:
    """Read the sentences' text and compare the entities with gold, by the characters they cover."""
    hits, made_counts, gold_counts = dict[str, int](), dict[str, int](), dict[str, int]()
    texts, wanted = [], []
    for sentence in gold:
        text, spans = _gold_spans(sentence)
        texts.append(text)
        wanted.append(spans)
    for spans, doc in zip(wanted, nlp.pipe(texts), strict=True):
        made = {(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents}
        for group, counts in ((made, made_counts), (spans, gold_counts), (made & spans, hits)):
            for _, _, label in group:
                counts[label] = counts.get(label, 0) + 1
    by_label = {
        label: _prf(hits.get(label, 0), made_counts.get(label, 0), n) for label, n in sorted(gold_counts.items())
    }
    total = _prf(sum(hits.values()), sum(made_counts.values()), sum(gold_counts.values()))
    return EntityScores(*total, sum(gold_counts.values()), by_label)


def _gold_spans(sentence: TaggedSentence) -> tuple[str, set[tuple[int, int, str]]]:
    text, spans, opened = "", set[tuple[int, int, str]](), list[int]()
    label = end = None
    for token, space, tag in zip(sentence.tokens, sentence.spaces, sentence.tags, strict=True):
        if opened and not (tag.startswith("I-") and tag[2:] == label):
            spans.add((opened[0], end or 0, label or ""))
            opened = []
        if tag != "O" and not opened:
            opened, label = [len(text)], tag[2:]
        end = len(text) + len(token)
        text += token + (" " if space else "")
    if opened:
        spans.add((opened[0], end or 0, label or ""))
    return text, spans


def _prf(hits: int, made: int, gold: int) -> tuple[float, float, float]:
    precision, recall = hits / made if made else 0.0, hits / gold if gold else 0.0
    return precision, recall, 2 * hits / (made + gold) if made + gold else 0.0
