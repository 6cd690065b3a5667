"""Measure `root`: precision and recall on 300 affixed words, beside PySastrawi as it is and a light stemmer.

    python scripts/bench_roots.py --data ../shared/data

The words are drawn with a seed from the forms of the treebanks GSD (dev, test), CSUI and PUD that are no names, numbers or
foreign words, consist of letters, differ from their lemma, and whose lemma stands in the root-word list of
NLP_bahasa_resources; the lemma, given by the treebank's annotators, is what `root` should be. A second 300 come from the
lemma look-up of spaCy under the same conditions. Recall is right roots of all; precision is right roots of those forms that
were changed at all. Words that are their own lemma and stand in the list must stay as they are.
"""

from __future__ import annotations

import argparse
import ast
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

TREEBANKS = (
    "CSUI/id_csui-ud-train",
    "CSUI/id_csui-ud-test",
    "GSD/id_gsd-ud-dev",
    "GSD/id_gsd-ud-test",
    "PUD/id_pud-ud-test",
)
SAMPLE = 300
SEED = 1
_NO_WORDS = ("PROPN", "PUNCT", "NUM", "X", "SYM")


def read_treebank_lemmas(folder: Path) -> dict[str, str]:
    """Return the most frequent lemma of each form of the treebanks."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for name in TREEBANKS:
        for line in (folder / f"{name}.conllu").open(encoding="utf-8"):
            cells = line.split("\t")
            if len(cells) == 10 and cells[0].isdigit() and cells[3] not in _NO_WORDS:
                found[cells[1].lower()][cells[2].lower()] += 1
    return {form: lemmas.most_common(1)[0][0] for form, lemmas in found.items() if form.isalpha()}


def score(find: Callable[[str], str], pairs: Sequence[tuple[str, str]]) -> str:
    """Return recall and precision as text."""
    roots = [find(form) for form, _ in pairs]
    n_right = sum(root == gold for root, (_, gold) in zip(roots, pairs, strict=True))
    n_changed = sum(root != form for root, (form, _) in zip(roots, pairs, strict=True))
    return f"recall {n_right / len(pairs):.3f}  precision {n_right / max(1, n_changed):.3f}"


def main() -> None:
    """Print the figures."""
    from Sastrawi.Stemmer.StemmerFactory import StemmerFactory

    from nlp_study.roots import find_root

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data")
    data: Path = parser.parse_args().data
    if not (data / "ud").is_dir():
        sys.exit(f"no treebanks in {data}; name a folder with ud/ and lexicons/ by --data")
    listed = (data / "lexicons/NLP_bahasa_resources/combined_root_words.txt").read_text(encoding="utf-8")
    roots = {word.strip().lower() for word in listed.splitlines()}
    lemmas = read_treebank_lemmas(data / "ud")
    # the look-up has the syntax of a Python dictionary
    looked_up: dict[str, str] = ast.literal_eval(
        (data / "lexicons/spacy_id/lemma_lookup.json").read_text(encoding="utf-8")
    )
    rng = random.Random(SEED)
    sets = {}
    for name, source in (("treebanks", lemmas), ("look-up", looked_up)):
        affixed = sorted((f, g) for f, g in source.items() if f != g and g in roots and f.isalpha())
        sets[name] = rng.sample(affixed, SAMPLE), affixed
    unaffixed = sorted(form for form, lemma in lemmas.items() if form == lemma and form in roots)
    finders: dict[str, Callable[[str], str]] = {"root": find_root, "PySastrawi": StemmerFactory().create_stemmer().stem}
    try:
        import snowballstemmer  # type: ignore[import-not-found]

        finders["Snowball"] = snowballstemmer.stemmer("indonesian").stemWord
    except ImportError:
        pass
    for finder, find in finders.items():
        for name, (sample, affixed) in sets.items():
            print(
                f"{finder:<11} {name:<10} 300 words: {score(find, sample)}   all {len(affixed):,}: {score(find, affixed)}"
            )
        kept = sum(find(form) == form for form in unaffixed) / len(unaffixed)
        print(f"{finder:<11} unaffixed  {len(unaffixed):,} words kept as they are: {kept:.3f}")


if __name__ == "__main__":
    main()
