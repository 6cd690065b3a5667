"""`build_parser(...)`: from the corpora to `models/id_ud_sm` with its figures and its card."""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.parser.conllu import read_conllu
from nlp_study.parser.corpora import (
    ENTITY_DEV,
    ENTITY_TEST,
    TEST_FILES,
    Gold,
    count_words,
    read_gold,
    read_lexicons,
    read_vocabulary,
    retokenize,
)
from nlp_study.parser.docs import Annotated, from_entities
from nlp_study.parser.entities import read_entities
from nlp_study.parser.evaluate import score_entities, score_gold_words, score_raw_text
from nlp_study.parser.scheme import Treebank
from nlp_study.parser.tokenizer import CliticLexicon, build_tokenizer, learn_lexicon
from nlp_study.parser.training import Mixture, train_pipeline
from nlp_study.parser.vectors import WordVectors, choose_words, load_vectors, make_vectors, save_vectors

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokenizer import Tokenizer

    from nlp_study.parser.teacher import Teacher

FIGURES_FILE = "figures.json"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sources:
    """What everything is trained on: gold, the lexicon of clitics, and the tokenizer made of it."""

    folder: Path
    gold: Gold
    lexicon: CliticLexicon
    tokenizer: Tokenizer
    lemma_table: Mapping[str, str]
    vocabulary: Counter[str]


def read_sources(folder: Path, *, with_v2: bool = False) -> Sources:
    """Read the corpora under `folder`; the lexicon of clitics never sees a test set, nor the non-commercial part."""
    import spacy

    gold = read_gold(folder, with_v2=with_v2)
    roots, table = read_lexicons(folder)
    free = [s for t, part in gold.train.items() if t is not Treebank.GSD_V2 for s in part]
    free += [s for part in gold.dev.values() for s in part]
    vocabulary = read_vocabulary(folder)
    lexicon = learn_lexicon(free, roots, table, attested=vocabulary)
    return Sources(folder, gold, lexicon, build_tokenizer(spacy.blank("id"), lexicon), table, vocabulary)


def train_teacher(sources: Sources, path: Path, *, epochs: int, seed: int) -> Teacher:
    """Train the teacher, or load it if `path` holds one already."""
    import torch

    from nlp_study.encoders import load_encoder
    from nlp_study.parser.silver import teacher_examples
    from nlp_study.parser.teacher import Teacher, collect_labels, load_teacher

    if path.is_file():
        return load_teacher(path)
    torch.manual_seed(seed)
    examples = teacher_examples(sources.gold, sources.tokenizer, seed=seed)
    teacher = Teacher(load_encoder("e5-small-id", device="cpu", for_training=True), collect_labels(examples))
    path.parent.mkdir(parents=True, exist_ok=True)
    teacher.fit(examples, epochs=epochs, seed=seed)
    teacher.save(path)
    return teacher


def read_vectors(sources: Sources, teacher: Callable[[], Teacher], path: Path) -> WordVectors:
    """Return the teacher's vectors of the treebanks' words and of the most frequent ones; kept at `path`."""
    if not path.is_file():
        known = (word.form for sentence in sources.gold.sentences for word in sentence.words if word.form.isalpha())
        save_vectors(path, make_vectors(teacher(), choose_words(sources.vocabulary, known)))
    return load_vectors(path)


def read_silver(sources: Sources, teacher: Callable[[], Teacher], path: Path, *, n_words: int) -> list[Annotated]:
    """Return running text as the teacher reads it, lemmas left out; kept at `path`."""
    from nlp_study.parser.silver import label_texts, load_annotated, open_lemmas, save_annotated

    if not path.is_file():
        save_annotated(path, label_texts(teacher(), sources.folder, sources.tokenizer, n_words=n_words))
    return open_lemmas(load_annotated(path))


def gold_mixture(sources: Sources, *, seed: int) -> Mixture:
    """Return gold alone, each corpus with the layers it has; for the comparison."""
    gold = [Annotated(s) for part in sources.gold.train.values() for s in part]
    gold += [from_entities(retokenize(s, sources.tokenizer)) for s in sources.gold.entities["idner"]]
    random.Random(seed).shuffle(gold)
    return Mixture(gold, [], development_sentences(sources))


def development_sentences(sources: Sources) -> list[Annotated]:
    """Held-out sentences of the treebanks and of the entity corpus."""
    found = [Annotated(s) for part in sources.gold.dev.values() for s in part]
    entities = read_entities(sources.folder / ENTITY_DEV)
    return found + [from_entities(retokenize(s, sources.tokenizer)) for s in entities]


def build_parser(
    folder: Path,
    output: Path,
    *,
    work_dir: Path,
    seed: int = 0,
    teacher_epochs: int = 12,
    n_silver_words: int = 900_000,
    gold_passes: float = 8.0,
    passes: float = 4.0,
) -> dict[str, Any]:
    """Train the pipeline that ships, measure it, and write its folder.

    It learns from gold first, with the teacher's vectors, and then from gold and what the teacher labelled.

    Parameters
    ----------
    folder : the data beside the project.
    output : the model's folder; its card is written by `write_card`.
    work_dir : keeps teacher, vectors, labelled sentences and the first stage, so that a second run goes on where one ended.
    n_silver_words : words of running text for the teacher.
    gold_passes, passes : times that gold, and then gold and labelled text, are read.

    Returns
    -------
    The figures, as `figures.json` has them.
    """
    sources = read_sources(folder)

    def teacher() -> Teacher:
        return train_teacher(sources, work_dir / "teacher.pt", epochs=teacher_epochs, seed=seed)

    vectors = read_vectors(sources, teacher, work_dir / "vectors.npz")
    gold = gold_mixture(sources, seed=seed)
    first = work_dir / "first"
    if not (first / "config.cfg").is_file():
        train_pipeline(
            gold, sources.lexicon, first, passes=gold_passes, seed=seed, work_dir=work_dir / "spacy1", vectors=vectors
        )
    silver = read_silver(sources, teacher, work_dir / "silver.jsonl", n_words=n_silver_words)
    mixture = Mixture(gold.gold, silver, gold.dev)
    nlp = train_pipeline(
        mixture, sources.lexicon, output, passes=passes, seed=seed, work_dir=work_dir / "spacy2", start=first
    )
    figures = measure(nlp, folder, sources.lemma_table)
    figures["training"] = {
        "gold_words": {str(t): count_words(part) for t, part in sources.gold.train.items()},
        "silver_words": sum(len(one.sentence.words) for one in silver),
        "vectors": len(vectors.words),
        "gold_passes": gold_passes,
        "passes": passes,
        "seed": seed,
    }
    (output / FIGURES_FILE).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return figures


def compare_variants(folder: Path, *, work_dir: Path, seed: int, passes: float = 6.0) -> dict[str, Any]:
    """Train and measure what does not ship: gold alone, with the teacher's vectors, and these with UD 2.0.

    All read as many words, so that what one gains is not the longer training's. UD 2.0 (non-commercial) has neither lemmas
    nor features; its words train UPOS, heads and relations. The vectors are those of the build in `work_dir`.
    """
    found = {}
    free = read_sources(folder)
    vectors = load_vectors(work_dir / "vectors.npz")
    n_words = gold_mixture(free, seed=seed).n_words * passes
    variants = (
        ("gold alone", free, None),
        ("gold with vectors", free, vectors),
        ("gold with vectors and UD 2.0", read_sources(folder, with_v2=True), vectors),
    )
    for number, (name, sources, given) in enumerate(variants):
        mixture = gold_mixture(sources, seed=seed)
        place = work_dir / f"variant-{number}"
        nlp = train_pipeline(
            mixture,
            sources.lexicon,
            place / "model",
            passes=n_words / mixture.n_words,
            seed=seed,
            work_dir=place / "spacy",
            vectors=given,
        )
        found[name] = measure(nlp, folder, sources.lemma_table)
    return found


def measure(nlp: Language, folder: Path, lemma_table: Mapping[str, str]) -> dict[str, Any]:
    """Return every figure of the card: treebanks from raw text and on gold words, lemmas beside the peers, entities."""
    found: dict[str, Any] = {}
    for treebank, name in TEST_FILES.items():
        gold = read_conllu(folder / name)
        found[str(treebank)] = {
            "raw": score_raw_text(nlp, gold, treebank).as_dict(),
            "gold_words": score_gold_words(nlp, gold, treebank).as_dict(),
            "strict_las": score_raw_text(nlp, gold, Treebank.GSD).las,
            "lemma_peers": score_lemma_peers(folder / name, lemma_table),
        }
    entities = score_entities(nlp, read_entities(folder / ENTITY_TEST))
    found["entities"] = {
        "precision": entities.precision,
        "recall": entities.recall,
        "f1": entities.f1,
        "n": entities.n_entities,
        "by_label": {label: scores[2] for label, scores in entities.by_label.items()},
    }
    return found


def score_lemma_peers(path: Path, lemma_table: Mapping[str, str]) -> dict[str, float]:
    """Return the share of gold words whose lemma, in lower case, the look-up table and PySastrawi get right.

    PySastrawi is measured if it is installed (`pip install PySastrawi`).
    """
    words = [word for sentence in read_conllu(path) for word in sentence.words]
    wanted = [(word.lemma or word.form).lower() for word in words]
    peers: dict[str, Callable[[str], str]] = {"look-up table": lambda form: lemma_table.get(form, form)}
    try:
        from Sastrawi.Stemmer.StemmerFactory import StemmerFactory

        stem = StemmerFactory().create_stemmer().stem
        peers["PySastrawi"] = lambda form: stem(form) or form
    except ImportError:
        logger.info("PySastrawi is not installed and not measured")
    found = {}
    for name, lemmatize in peers.items():
        known = {form: lemmatize(form) for form in {word.form.lower() for word in words}}
        hits = sum(known[word.form.lower()] == lemma for word, lemma in zip(words, wanted, strict=True))
        found[name] = hits / len(words)
    return found
