"""Speed of `models/id_ud_sm` on one core beside another spaCy pipeline, and the load time.

    OMP_NUM_THREADS=1 taskset -c 1 python scripts/bench_parser.py --peer PATH

The texts are the demonstration posts; the peer reads texts of the same number of characters, made of its own language's
words if `--peer-text` names a file, else the same. Rounds alternate, and the best of each counts: other work on the machine
slows both.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.language import Language

REPOSITORY = Path(__file__).resolve().parent.parent


def read_posts(n_posts: int) -> list[str]:
    """Return bodies of demonstration posts."""
    lines = (REPOSITORY / "corpus" / "demo" / "posts.jsonl").read_text(encoding="utf-8").splitlines()
    return ["\n".join(json.loads(line)["paragraphs"]) for line in lines[:n_posts]]


def cut_alike(text: str, lengths: Sequence[int]) -> list[str]:
    """Cut a long text into pieces of the given numbers of characters, round and round."""
    pieces, start = [], 0
    for length in lengths:
        if start + length > len(text):
            start = 0
        pieces.append(text[start : start + length])
        start += length
    return pieces


def measure_seconds(nlp: Language, texts: Sequence[str]) -> float:
    """Return the processor seconds that reading the texts takes."""
    started = time.process_time()
    for _ in nlp.pipe(texts):
        pass
    return time.process_time() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=REPOSITORY / "models" / "id_ud_sm")
    parser.add_argument("--peer", type=Path, help="folder of another pipeline, for example en_core_web_sm")
    parser.add_argument("--peer-text", type=Path, help="plain text in the peer's language")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--posts", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="two rounds of twenty posts")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import spacy

    if options.quick:  # for `make bench`
        options.rounds, options.posts = 2, 20
    texts = read_posts(options.posts)
    started = time.process_time()
    pipelines = {"id_ud_sm": spacy.load(options.model)}
    print(f"loaded in {time.process_time() - started:.2f} processor seconds")
    material = {"id_ud_sm": texts}
    if options.peer:
        pipelines["peer"] = spacy.load(options.peer)
        lengths = [len(text) for text in texts]
        material["peer"] = (
            cut_alike(options.peer_text.read_text(encoding="utf-8"), lengths) if options.peer_text else texts
        )
    best: dict[str, float] = {}
    for _ in range(options.rounds):
        for name, nlp in pipelines.items():
            seconds = measure_seconds(nlp, material[name])
            best[name] = min(best.get(name, seconds), seconds)
    for name, seconds in best.items():
        n_characters = sum(len(text) for text in material[name])
        n_tokens = sum(len(doc) for doc in pipelines[name].tokenizer.pipe(material[name]))
        print(f"{name:10} {n_characters / seconds:10,.0f} characters/s {n_tokens / seconds:10,.0f} tokens/s")
    if "peer" in best:
        print(f"characters a second against the peer: {best['peer'] / best['id_ud_sm']:.2f}")


if __name__ == "__main__":
    main()
