"""Train the spaCy pipeline: gold and teacher's sentences in, a folder that `spacy.load` reads out."""

from __future__ import annotations

import logging
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.errors import DataError
from nlp_study.parser.docs import Annotated, make_doc, make_runs
from nlp_study.parser.tokenizer import CliticLexicon, build_tokenizer
from nlp_study.parser.vectors import WordVectors, put_vectors

if TYPE_CHECKING:
    from spacy.language import Language

CONFIG_FILE = Path(__file__).resolve().parent.parent.parent / "corpus" / "parser.cfg"
"""The tracked settings."""
GOLD_COPIES = 2
"""How often gold stands beside the teacher's sentences in one pass: people outweigh the teacher."""

N_CHECKS = 3
"""How often a training is measured on the held-out sentences; the best of these is kept."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mixture:
    """What a training reads: gold, repeated, and what the teacher labelled, once."""

    gold: list[Annotated]
    silver: list[Annotated]
    dev: list[Annotated]

    @property
    def n_words(self) -> int:
        """Words read in one pass."""
        return GOLD_COPIES * _count(self.gold) + _count(self.silver) if self.silver else _count(self.gold)


def train_pipeline(
    mixture: Mixture,
    lexicon: CliticLexicon,
    output: Path,
    *,
    passes: float,
    seed: int,
    work_dir: Path,
    start: Path | None = None,
    vectors: WordVectors | None = None,
    config_file: Path = CONFIG_FILE,
    overrides: dict[str, Any] | None = None,
) -> Language:
    """Train and keep the pipeline of the last step's averaged weights that did best on `mixture.dev`.

    Parameters
    ----------
    passes : times the mixture is read.
    work_dir : for the document files and spaCy's own output; what is in it may be deleted afterwards.
    start : a pipeline to go on from, as this function wrote it; its labels are the only ones, its vectors stay.
    vectors : of frequent words, from the teacher; without them the pipeline has none.
    overrides : settings by their dotted name, beside the paths, seed and steps.

    Raises
    ------
    DataError : the settings are missing.
    """
    import spacy
    import srsly
    from spacy.tokens import DocBin
    from spacy.training.initialize import init_nlp
    from spacy.training.loop import train
    from spacy.util import load_config

    if not config_file.is_file():
        raise DataError(f"{config_file} is missing", remedy="check out the repository again")
    (work_dir / "out").mkdir(parents=True, exist_ok=True)
    size = load_config(config_file, overrides=overrides or {})["training"]["batcher"]["size"]
    n_steps = max(1, int(passes * mixture.n_words / size))
    config = load_config(
        config_file,
        overrides={
            "paths.train": str(work_dir / "train.spacy"),
            "paths.dev": str(work_dir / "dev.spacy"),
            "system.seed": seed,
            "training.max_steps": n_steps,
            "training.eval_frequency": max(1, n_steps // N_CHECKS),
            **(overrides or {}),
        },
    )
    rng = random.Random(seed)
    blank = _blank(lexicon)
    runs = [run for _ in range(GOLD_COPIES if mixture.silver else 1) for run in make_runs(mixture.gold, rng=rng)]
    runs += make_runs(mixture.silver, rng=rng)
    rng.shuffle(runs)
    DocBin(docs=[make_doc(blank.vocab, run) for run in runs], store_user_data=False).to_disk(work_dir / "train.spacy")
    dev = [make_doc(blank.vocab, [one]) for one in mixture.dev]
    DocBin(docs=dev, store_user_data=False).to_disk(work_dir / "dev.spacy")
    if vectors is not None:
        reader = spacy.blank("id")
        put_vectors(reader.vocab, vectors)
        reader.to_disk(work_dir / "vectors")
        config["initialize"]["vectors"] = str(work_dir / "vectors")
        config["components"]["tok2vec"]["model"]["embed"]["include_static_vectors"] = True
    if start is None:
        srsly.write_json(work_dir / "morphologizer.json", _list_labels([*mixture.gold, *mixture.silver]))
        config["initialize"]["components"]["morphologizer"] = {
            "labels": {"@readers": "spacy.read_labels.v1", "path": str(work_dir / "morphologizer.json")}
        }
    nlp = init_nlp(config) if start is None else _go_on(start, config)
    nlp.tokenizer = build_tokenizer(nlp, lexicon)
    logger.info("training on %d words, %d steps", mixture.n_words, n_steps)
    train(nlp, work_dir / "out", use_gpu=-1)
    return ship_pipeline(work_dir / "out" / "model-best", lexicon, output)


def _list_labels(sentences: Sequence[Annotated]) -> dict[str, dict[str, Any]]:
    """The morphologizer's labels, in spaCy's form.

    spaCy would collect them from the documents and take words that nobody tagged for words with an empty tag: a file of
    documents cannot say the difference. What is no label trains nothing.
    """
    from spacy.parts_of_speech import IDS

    words = {(word.upos, word.feats) for one in sentences for word in one.sentence.words if word.upos}
    made = {_join_label(upos, feats): (upos, feats) for upos, feats in sorted(words)}
    return {
        "morph": {label: feats for label, (_, feats) in made.items()},
        "pos": {label: IDS[upos] for label, (upos, _) in made.items()},
    }


def _go_on(start: Path, config: Any) -> Language:
    """A trained pipeline with the settings of a new training; spaCy leaves sourced components' weights as they are."""
    from spacy.training.initialize import init_nlp

    config = config.copy()
    config["initialize"]["vectors"] = str(start)
    config["components"] = {name: {"source": str(start)} for name in config["nlp"]["pipeline"]}
    nlp = init_nlp(config)
    lemmatizer = nlp.get_pipe("trainable_lemmatizer")
    # spaCy 3.8 does not restore this table; without it every lemma counts as the first label and is unlearned
    lemmatizer.tree2label = {tree: label for label, tree in enumerate(lemmatizer.cfg["labels"])}
    return nlp


def _join_label(upos: str, feats: str) -> str:
    return "|".join(sorted([*(feats.split("|") if feats else ()), f"POS={upos}"]))


def ship_pipeline(trained: Path, lexicon: CliticLexicon, output: Path) -> Language:
    """Write a trained pipeline for use: our tokenizer, a vocabulary without what training left, no paths, no logs.

    Parameters
    ----------
    trained : folder that spaCy's training wrote.
    """
    import spacy

    nlp = spacy.load(trained)
    nlp.tokenizer = build_tokenizer(nlp, lexicon)
    keep = _needed_strings(nlp)
    nlp.vocab.strings._reset_and_load(sorted(keep))
    nlp.config["paths"] = {"train": None, "dev": None}
    nlp.config["initialize"]["components"] = {}
    nlp.config["initialize"]["vectors"] = None
    output.mkdir(parents=True, exist_ok=True)
    for child in output.iterdir():
        if child.name in ("README.md", "LICENSE", "figures.json"):
            continue
        shutil.rmtree(child) if child.is_dir() else child.unlink()
    nlp.to_disk(output)
    return spacy.load(output)


def _needed_strings(nlp: Language) -> set[str]:
    """Labels, features, lemma pieces and what the tokenizer splits; every other string is made again when it is read."""
    kept: set[str] = set()
    for _, pipe in nlp.pipeline:
        labels = getattr(pipe, "labels", ()) or ()
        kept |= {str(label) for label in labels}
        # a parser's moves hold labels that `labels` leaves out: those of crossing arcs (`nmod||conj`)
        kept |= {move.partition("-")[2] for move in getattr(pipe, "move_names", ())}
    for rule in nlp.tokenizer.rules.values():
        for piece in rule:
            kept |= {value for value in piece.values() if isinstance(value, str)}
    if "trainable_lemmatizer" in nlp.pipe_names:
        kept |= _tree_strings(nlp.get_pipe("trainable_lemmatizer"))
    for label in nlp.get_pipe("morphologizer").labels if "morphologizer" in nlp.pipe_names else ():
        kept |= set(label.split("|")) | {part for field in label.split("|") for part in field.split("=")}
    return kept


def _tree_strings(lemmatizer: Any) -> set[str]:
    """Strings that the edit trees put in the place of others."""
    import srsly

    strings = lemmatizer.vocab.strings
    trees = srsly.msgpack_loads(lemmatizer.trees.to_bytes())["trees"]
    return {strings[tree[key]] for tree in trees for key in ("orig", "subst") if tree.get(key)}


def _blank(lexicon: CliticLexicon) -> Language:
    import spacy

    nlp = spacy.blank("id")
    nlp.tokenizer = build_tokenizer(nlp, lexicon)
    return nlp


def _count(sentences: Sequence[Annotated]) -> int:
    return sum(len(one.sentence.words) for one in sentences)
