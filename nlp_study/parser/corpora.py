"""The gold corpora: which files they are, how they are parted, and how they become examples for the teacher."""

from __future__ import annotations

import ast
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_study.errors import DataError
from nlp_study.parser.conllu import Sentence, read_conllu
from nlp_study.parser.entities import TaggedSentence, read_entities
from nlp_study.parser.lemmas import find_edit
from nlp_study.parser.scheme import Treebank, to_model_scheme

if TYPE_CHECKING:
    from spacy.tokenizer import Tokenizer

    from nlp_study.parser.teacher import Example

TRAIN_FILES = {
    Treebank.GSD: "ud/GSD/id_gsd-ud-dev.conllu",
    Treebank.CSUI: "ud/CSUI/id_csui-ud-train.conllu",
    Treebank.PUD: "ud/PUD/id_pud-ud-test.conllu",
}
"""GSD's train part of today is not at hand, so that its development part trains; PUD has one part only, meant for testing,
and no figure is reported on it."""
TEST_FILES = {Treebank.GSD: "ud/GSD/id_gsd-ud-test.conllu", Treebank.CSUI: "ud/CSUI/id_csui-ud-test.conllu"}
V2_FILE = "ud/GSD/id-ud-train.v2.0.conllu"
"""Old scheme, annotations CC BY-NC-SA 3.0: read for the comparison only, never for the model that ships."""
ENTITY_FILES = {"idner": "ner/idner-news-2k/train.txt", "nergrit": "ner/indonlu/nergrit_ner-grit/train_preprocess.txt"}
ENTITY_DEV, ENTITY_TEST = "ner/idner-news-2k/dev.txt", "ner/idner-news-2k/test.txt"
TEXT_FILES = {
    "news_detik_summarization": 1.0,
    "news_gojek": 1.0,
    "news_detik_qa": 1.0,
    "news_detik_sentimen": 1.0,
    "news_pilpres_scrape": 1.0,
    "blog_adiprnm": 1.0,
    "blog_akmalm007": 1.0,
    "blog_johannesdw": 1.0,
    "blog_kusandriadi": 1.0,
    "blog_edom": 1.0,
    "blog_ikanx101": 1.0,
    "blog_layarkosong": 1.0,
    "blog_endymuhardin": 0.5,
    "docs_opensourceguide": 1.0,
    "policy_ausaid": 1.0,
    "policy_smeru": 0.4,
    "news_cek_relevansi": 0.25,
}
"""Running text for the teacher, and the share of each that is read. Left out: law, and the blog written by a machine. Of
the largest less is read, so that no outlet makes the language; cek_relevansi lost its hyphens."""
HELD_OUT = 12
"""Every twelfth sentence of a treebank chooses among trainings and trains nothing."""
ROOTS_FILE = "lexicons/NLP_bahasa_resources/combined_root_words.txt"
LEMMA_FILE = "lexicons/spacy_id/lemma_lookup.json"
MAX_WORDS = 100

_ABBREVIATIONS = (
    "dr|drs|dra|prof|ir|hj|kh|jl|no|st|tn|ny|sdr|pt|tbk|co|ltd|inc|dll|dsb|dst|hal|vol|mr|mrs|ms|jend|kol|gen|ed|vs"
)
_ENDS_ABBREVIATED = re.compile(rf"(?:^|[\s(\"“])(?:{_ABBREVIATIONS}|[A-Z])\.$", re.IGNORECASE)


@dataclass(frozen=True)
class Gold:
    """The treebanks in the model's scheme, parted, and the entity corpora."""

    train: dict[Treebank, list[Sentence]]
    dev: dict[Treebank, list[Sentence]]
    entities: dict[str, list[TaggedSentence]] = field(default_factory=dict)

    @property
    def sentences(self) -> list[Sentence]:
        """All treebank sentences, for learning what words look like."""
        return [s for part in (self.train, self.dev) for found in part.values() for s in found]


def read_gold(folder: Path, *, with_v2: bool = False) -> Gold:
    """Read the gold corpora under `folder`.

    Parameters
    ----------
    folder : with `ud` and `ner` in it.
    with_v2 : read the non-commercial train part of UD 2.0 as well; for comparison.

    Raises
    ------
    DataError : a file is missing or damaged.
    """
    train: dict[Treebank, list[Sentence]] = {}
    dev: dict[Treebank, list[Sentence]] = {}
    for treebank, name in TRAIN_FILES.items():
        found = [to_model_scheme(sentence, treebank) for sentence in read_conllu(folder / name)]
        train[treebank] = [s for i, s in enumerate(found) if i % HELD_OUT]
        dev[treebank] = [s for i, s in enumerate(found) if i % HELD_OUT == 0]
    if with_v2:
        train[Treebank.GSD_V2] = [to_model_scheme(s, Treebank.GSD_V2) for s in read_conllu(folder / V2_FILE)]
    return Gold(train, dev, {name: read_entities(folder / path) for name, path in ENTITY_FILES.items()})


def read_lexicons(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the root words and the lemma table of spaCy, both MIT.

    Raises
    ------
    DataError : a file is missing.
    """
    try:
        roots = (folder / ROOTS_FILE).read_text(encoding="utf-8").split("\n")
        table = ast.literal_eval((folder / LEMMA_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{error.filename} is missing", remedy="put the lexicons into ../shared/data") from None
    return [root for root in roots if root.strip()], table


def treebank_examples(sentences: Iterable[Sentence], treebank: Treebank) -> list[Example]:
    """Return treebank sentences as examples for the teacher."""
    from nlp_study.parser.teacher import Example

    found = []
    for sentence in sentences:
        words = sentence.words
        layers = {
            "upos": tuple(w.upos for w in words),
            "xpos": tuple(w.xpos for w in words),
            "feats": tuple((w.feats or "_") if treebank is not Treebank.GSD_V2 else "" for w in words),
            "edit": tuple(find_edit(w.form, w.lemma) if w.lemma else "" for w in words),
        }
        found.append(
            Example(
                tuple(w.form for w in words),
                str(treebank),
                layers,
                tuple(w.head for w in words),
                tuple(w.deprel for w in words),
            )
        )
    return found


def entity_examples(sentences: Iterable[TaggedSentence], corpus: str, tokenizer: Tokenizer) -> list[Example]:
    """Return entity sentences as examples, cut into the model's words (`kepadanya` becomes two)."""
    from nlp_study.parser.teacher import Example

    found = []
    for sentence in sentences:
        words = retokenize(sentence, tokenizer)
        if len(words.tokens) <= MAX_WORDS:
            found.append(Example(words.tokens, corpus, {"tag": words.tags}))
    return found


def retokenize(sentence: TaggedSentence, tokenizer: Tokenizer) -> TaggedSentence:
    """Cut a tagged sentence into the words of a tokenizer; the pieces of an entity's token are inside it.

    A word takes the tag of the token in which it begins.
    """
    text = "".join(t + (" " if space else "") for t, space in zip(sentence.tokens, sentence.spaces, strict=True))
    tag_at: dict[int, tuple[str, int]] = {}
    start = 0
    for token, space, tag in zip(sentence.tokens, sentence.spaces, sentence.tags, strict=True):
        for at in range(start, start + len(token)):
            tag_at[at] = (tag, start)
        start += len(token) + space
    doc = tokenizer(text)
    tokens, spaces, tags = [], [], []
    for token in doc:
        if token.is_space:
            continue
        tag, begins = tag_at.get(token.idx, ("O", token.idx))
        if tag.startswith("B-") and begins != token.idx:
            tag = f"I-{tag[2:]}"
        tokens.append(token.text)
        spaces.append(bool(token.whitespace_))
        tags.append(tag)
    return TaggedSentence(tuple(tokens), tuple(spaces), tuple(tags))


def read_texts(folder: Path, *, n_words: int) -> Iterator[list[str]]:
    """Yield runs of sentences of running text, round the files, until about `n_words` words are read.

    Parameters
    ----------
    folder : with `text` in it, one JSON object a line with the key `text`.
    n_words : words by white space.
    """
    readers = {name: _read_share(folder / "text" / f"{name}.jsonl.gz", share) for name, share in TEXT_FILES.items()}
    sizes = {name: (folder / "text" / f"{name}.jsonl.gz").stat().st_size * share for name, share in TEXT_FILES.items()}
    total = sum(sizes.values())
    for name, reader in readers.items():
        budget = n_words * sizes[name] / total
        taken = 0
        for text in reader:
            for paragraph in split_paragraphs(text):
                taken += sum(len(sentence.split()) for sentence in paragraph)
                yield paragraph
            if taken >= budget:
                break


def _read_share(path: Path, share: float) -> Iterator[str]:
    step = round(1 / share)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number % step == 0:
                yield json.loads(line)["text"]


def read_vocabulary(folder: Path) -> Counter[str]:
    """Count the words of the running text in lower case; only which words there are is used, and how frequent they are."""
    found = Counter[str]()
    for name in TEXT_FILES:
        for text in _read_share(folder / "text" / f"{name}.jsonl.gz", 1.0):
            found.update(re.findall(r"[^\W\d_]+", text.lower()))
    return found


def split_paragraphs(text: str) -> Iterator[list[str]]:
    """Yield the sentences of each paragraph of a text; lines that are no prose are left out.

    No prose: fewer than four words, fewer than three letters in four characters, no full stop anywhere.
    """
    for line in text.split("\n"):
        line = re.sub(r"\s+", " ", line).strip()
        if len(line.split()) < 4 or not re.search(r"[.!?]", line):
            continue
        if sum(c.isalpha() or c == " " for c in line) < 0.75 * len(line):
            continue
        sentences = [s for s in split_sentences(line) if len(s.split()) <= MAX_WORDS]
        if sentences:
            yield sentences


def split_sentences(text: str) -> list[str]:
    """Cut a paragraph into sentences by rule: an end mark, a space and a capital, unless an abbreviation ends there.

    Good enough to hand sentences to the teacher; the parser itself learns boundaries from the treebanks.
    """
    found, start = [], 0
    for match in re.finditer(r"[.!?…]+[\"”’)\]]*(?=\s+[\"“‘(\[]*[A-Z0-9])", text):
        candidate = text[start : match.end()]
        if _ENDS_ABBREVIATED.search(candidate):
            continue
        found.append(candidate.strip())
        start = match.end()
    if text[start:].strip():
        found.append(text[start:].strip())
    return found


def count_words(sentences: Sequence[Sentence]) -> int:
    """Return the number of words."""
    return sum(len(sentence.words) for sentence in sentences)
