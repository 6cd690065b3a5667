"""Recall, speed and memory of `find_near_duplicates` beside MinHash LSH (datasketch), on posts with planted copies.

    python scripts/bench_deduplicate.py            # 100,000 posts, some minutes
    python scripts/bench_deduplicate.py --quick    # 5,000 posts, under a minute

Posts are put together from the demonstration posts, in two ways. `words`: in random order, so that only copies share
wording, as on a real site. `sentences`: whole sentences in random order, so that every sentence stands in hundreds of posts
that are no copies: the worst case for anything that compares posts which share a phrase. One post in twenty is a planted
copy: with 0, 2, 5 or 10 % of the words changed and half of the time with the site's footer in the middle, the second half
of a post, or a post inside a longer one. Recall counts the copies that share half of the shorter one's five-word runs.
Each method runs in a process of its own; both verify their candidates in the same way.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nlp_study.deduplicate import (
    NEAR_DUPLICATE,
    _compare,
    _run_hashes,
    _WordHashes,
    find_near_duplicates,
    hash_shingles,
    shared_share,
)

POSTS = Path(__file__).resolve().parents[1] / "corpus/demo/posts.jsonl"
MIN_RECALL = 0.995
WORDS = (130, 800)
"""Words of a post, as those of the demonstration posts."""
SHARE_COPIES = 0.05
CHANGED = (0.0, 0.02, 0.05, 0.10)
BANDS, ROWS = 32, 4
"""Of the 128 permutations that datasketch takes by default: two texts of one length that share half of their shingles
(Jaccard 1/3) are candidates with a probability of 0.33. With 64 bands of 2 it is 0.999, but candidates are a hundred times
as many where posts share sentences."""


def make_posts(n_posts: int, kind: str, seed: int = 0) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the posts and the planted pairs by position, first before second."""
    rng = random.Random(seed)
    rows = [json.loads(line) for line in POSTS.read_text(encoding="utf-8").splitlines()]
    sentences = sorted({s for row in rows for text in row["paragraphs"] for s in re.split(r"(?<=[.!?])\s+", text)})
    words = [word for sentence in sentences for word in sentence.split()]
    n_originals = round(n_posts * (1 - SHARE_COPIES))
    texts = [_write_post(rng, sentences, words, kind) for _ in range(n_originals)]
    planted = []
    while len(texts) < n_posts:
        source = rng.randrange(n_originals)
        copy, other = texts[source].split(), texts[rng.randrange(n_originals)].split()
        way = len(texts) % (len(CHANGED) + 2)
        share = CHANGED[way] if way < len(CHANGED) else CHANGED[1]
        copy = [rng.choice(words) if rng.random() < share else word for word in copy]
        if way == len(CHANGED):
            copy = copy[len(copy) // 2 :]
        elif way > len(CHANGED):
            copy = other[: len(other) // 2] + copy + other[len(other) // 2 :]
        elif rng.random() < 0.5:
            at = rng.randrange(len(copy))
            copy[at:at] = (
                f"Konten ini telah tayang di Kompasiana.com dengan judul {source} Klik untuk baca {at}".split()
            )
        planted.append((source, len(texts)))
        texts.append(" ".join(copy))
    order = rng.sample(range(n_posts), n_posts)
    place = {old: new for new, old in enumerate(order)}
    pairs = [(min(place[a], place[b]), max(place[a], place[b])) for a, b in planted]
    return [texts[old] for old in order], pairs


def _write_post(rng: random.Random, sentences: Sequence[str], words: Sequence[str], kind: str) -> str:
    n_words = rng.randint(*WORDS)
    if kind == "words":
        return " ".join(rng.choices(words, k=n_words))
    chosen: list[str] = []
    while n_words > 0:
        chosen.append(rng.choice(sentences))
        n_words -= len(chosen[-1].split())
    return " ".join(chosen)


def find_ours(texts: Sequence[str]) -> set[tuple[int, int]]:
    """Pairs that `find_near_duplicates` gives."""
    return {(pair.first, pair.second) for pair in find_near_duplicates(texts)}


def find_by_lsh(texts: Sequence[str]) -> set[tuple[int, int]]:
    """Pairs of datasketch's MinHash LSH; hashed and verified by our own code, which is faster than its SHA-1."""
    datasketch = importlib.import_module("datasketch")
    words = _WordHashes()
    index = datasketch.MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    runs = ((_run_hashes(text, words) & 0xFFFFFFFF).tolist() for text in texts)
    candidates = []
    for i, sketch in enumerate(datasketch.MinHash.generator(runs, num_perm=BANDS * ROWS, hashfunc=int)):
        candidates += [(other, i) for other in index.query(sketch)]
        index.insert(i, sketch, check_duplication=False)
    pairs = _compare(texts, sorted(candidates), words, NEAR_DUPLICATE)
    return {(pair.first, pair.second) for pair in pairs}


METHODS: dict[str, Callable[[Sequence[str]], set[tuple[int, int]]]] = {
    "nlp_study": find_ours,
    "datasketch": find_by_lsh,
}


def measure(method: str, n_posts: int, kind: str) -> None:
    """Run one method here and print its figures as JSON."""
    texts, planted = make_posts(n_posts, kind)
    wanted = {
        pair
        for pair in planted
        if shared_share(hash_shingles(texts[pair[0]]), hash_shingles(texts[pair[1]])) >= NEAR_DUPLICATE
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    found = METHODS[method](texts)
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {"recall": len(found & wanted) / len(wanted), "seconds": seconds, "mb": (peak - before) / 1e3}
    print(json.dumps(figures | {"wanted": len(wanted), "pairs": len(found)}))


def main() -> int:
    """Print the table; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=100_000, help="posts to compare")
    parser.add_argument("--quick", action="store_true", help="5,000 posts, under a minute")
    parser.add_argument("--method", choices=METHODS, help=argparse.SUPPRESS)
    parser.add_argument("--kind", choices=("words", "sentences"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    n_posts = 5_000 if arguments.quick else arguments.posts
    if arguments.method:
        measure(arguments.method, arguments.posts, arguments.kind)
        return 0
    methods = [name for name in METHODS if name != "datasketch" or importlib.util.find_spec("datasketch")]
    if len(methods) < len(METHODS):
        print("datasketch is not installed: `pip install datasketch==2.0.0` to compare with it")
    print(
        f"{n_posts:,} posts\n{'posts of':<10} {'method':<11} {'recall':>7} {'pairs':>7} {'seconds':>8} {'more MB':>8}"
    )
    ok = True
    for kind in ("words", "sentences"):
        figures = {name: _measure_apart(name, n_posts, kind) for name in methods}
        for name, row in figures.items():
            shown = f"{row['recall']:>7.4f} {row['pairs']:>7.0f} {row['seconds']:>8.1f} {row['mb']:>8.0f}"
            print(f"{kind:<10} {name:<11} {shown}", flush=True)
        ours, peer = figures["nlp_study"], figures.get("datasketch")
        ok &= ours["recall"] >= MIN_RECALL and (peer is None or peer["recall"] <= ours["recall"])
        ok &= kind != "words" or peer is None or ours["seconds"] <= peer["seconds"]
    bars = f"recall of at least {MIN_RECALL}, no lower than the peer's, no slower on posts of words"
    print(f"{bars}: {'ok' if ok else 'MISSED'}")
    return 0 if ok else 1


def _measure_apart(method: str, n_posts: int, kind: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--method", method, "--kind", kind, "--posts", str(n_posts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{method} failed:\n{done.stderr}")
    row: dict[str, float] = json.loads(done.stdout)
    return row


if __name__ == "__main__":
    sys.exit(main())
