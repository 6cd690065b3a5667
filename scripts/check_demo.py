"""Measure the demonstration corpus against what its datasheet promises, and print what was planted in it.

    python scripts/check_demo.py                  # every bar, about half a minute
    python scripts/check_demo.py --disagreements  # and each post that two readers labelled differently

Reposts and the other traps are marked in corpus/gold/design.csv and left out where a measure says "reposts aside".
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import random
import re
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_study.agreement import Agreement, measure_agreement
from nlp_study.deduplicate import find_near_duplicates, hash_shingles, shared_share
from nlp_study.labels import ADJUDICATED, resolve_labels
from nlp_study.metrics import macro_f1
from nlp_study.schema import Stance
from nlp_study.stance.baselines import predict_tfidf
from nlp_study.stance.pairs import Pair, group_posts, split_folds

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
TARGET = "demokratisasi ekonomi digital"
STANCES = tuple(str(stance) for stance in Stance)
READERS = ("a1", "a2")
"""One who read whole posts and one in a hurry; `a3` read whole posts as well."""
WHOLE_READERS = ("a1", "a3")
BAN = "2023-10-04"
"""Day on which live shopping was closed."""
TRAPS = {"near_duplicate": 12, "multi_page": 5, "english": 3, "javanese": 2, "mojibake": 2, "shortcode": 2}
TYPES_PER_WORDS = 160_000
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”')]*\s+|\n")
_SHORTEST_SENTENCE = 3
"""Words; shorter ones ("Tidak.", "Nah, itu.") are interjections that any writer repeats."""


@dataclass(frozen=True)
class Bar:
    """One measure and the range it must stand in."""

    name: str
    value: float
    low: float
    high: float

    @property
    def ok(self) -> bool:
        """Whether the value is in its range."""
        return self.low <= self.value <= self.high


@dataclass(frozen=True)
class Demo:
    """The demonstration posts, the plan they were written to, and the labels of all readers."""

    posts: list[dict[str, Any]]
    design: dict[str, dict[str, str]]
    labels: list[dict[str, str]]

    @property
    def originals(self) -> list[dict[str, Any]]:
        """Posts that are no marked repost."""
        return [post for post in self.posts if self.design[post["post_id"]]["trap"] != "near_duplicate"]


def read_demo(corpus: Path = CORPUS) -> Demo:
    """Read `demo/posts.jsonl`, `gold/design.csv` and `gold/labels.csv`."""
    lines = (corpus / "demo/posts.jsonl").read_text(encoding="utf-8").splitlines()
    with (corpus / "gold/design.csv").open(encoding="utf-8") as file:
        design = {row["post_id"]: row for row in csv.DictReader(file)}
    with (corpus / "gold/labels.csv").open(encoding="utf-8") as file:
        labels = list(csv.DictReader(file))
    return Demo([json.loads(line) for line in lines], design, labels)


def words(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return re.findall(r"\w+", text.lower())


def body(post: dict[str, Any]) -> str:
    """Return the paragraphs of a post, one a line."""
    return "\n".join(post["paragraphs"])


def distinct_share(texts: Iterable[str], n: int) -> float:
    """Return the number of different n-grams over the number of n-grams, within texts."""
    counts: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        found = words(text)
        counts.update(tuple(found[i : i + n]) for i in range(len(found) - n + 1))
    return len(counts) / max(1, counts.total())


def count_types(texts: Sequence[str], n_words: int = TYPES_PER_WORDS) -> tuple[int, int]:
    """Return the word types among the first `n_words` words of the texts in random order, and how many words there were."""
    shuffled = random.Random(0).sample(list(texts), len(texts))
    running = list(itertools.islice((word for text in shuffled for word in words(text)), n_words))
    return len(set(running)), len(running)


def repeated_sentences(texts: Iterable[str]) -> list[str]:
    """Return the sentences of at least three words that occur more than once, in lower case without punctuation."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(" ".join(words(sentence)) for sentence in _SENTENCE_END.split(text))
    return sorted(s for s, n in counts.items() if n > 1 and len(s.split()) >= _SHORTEST_SENTENCE)


def tfidf_macro_f1(demo: Demo, *, seeds: Sequence[int] = (1, 2, 3), n_folds: int = 5) -> float:
    """Return macro-F1 of TF-IDF with logistic regression, no author on both sides, mean over fold seeds."""
    gold, _ = resolve_labels(demo.labels, targets={TARGET}, stances=tuple(Stance))
    stance = {label.post_id: label.stance for label in gold}
    texts = [f"{post['title']}\n\n{body(post)}" for post in demo.posts]
    rows = [{**post, "text_digest": post["post_id"]} for post in demo.posts]
    groups = group_posts(rows, find_near_duplicates(texts))
    pairs = [
        Pair(post["post_id"], TARGET, TARGET, text, (), group, stance[post["post_id"]])
        for post, text, group in zip(demo.posts, texts, groups, strict=True)
        if post["post_id"] in stance
    ]
    scores = []
    for seed in seeds:
        predicted: list[str] = [""] * len(pairs)
        for fold in split_folds(pairs, n_folds=n_folds, seed=seed):
            probas = predict_tfidf([pairs[i] for i in fold.train], [pairs[i] for i in fold.test], STANCES)
            for i, row in zip(fold.test, probas, strict=True):
                predicted[i] = STANCES[int(row.argmax())]
        scores.append(macro_f1([str(pair.stance) for pair in pairs], predicted, STANCES))
    return statistics.mean(scores)


def measure(demo: Demo) -> tuple[list[Bar], Agreement]:
    """Return every bar, and the agreement between the two readers."""
    design = demo.design
    originals = [body(post) for post in demo.originals]
    lengths = [len(words(body(post))) for post in demo.posts]
    runs = [hash_shingles(text) for text in originals]
    shared = max(shared_share(a, b) for a, b in itertools.combinations(runs, 2))
    n_types, n_words = count_types([f"{post['title']} {body(post)}" for post in demo.originals])
    themes = Counter(design[post["post_id"]]["theme"] for post in demo.posts)
    off_target = themes["off_target"] + themes["near_miss"]
    agreement = measure_agreement(demo.labels, annotators=READERS, labels=STANCES)
    found = {
        tuple(sorted((demo.posts[pair.first]["post_id"], demo.posts[pair.second]["post_id"])))
        for pair in find_near_duplicates([body(post) for post in demo.posts])
    }
    marked = {tuple(sorted((i, row["trap_source"]))) for i, row in design.items() if row["trap"] == "near_duplicate"}
    authors = Counter(post["author_id"] for post in demo.posts)
    months = Counter(post["published_at"][:7] for post in demo.posts)
    traps = Counter(row["trap"] for row in design.values())
    bars = [
        Bar("posts", len(demo.posts), 400, 400),
        Bar("about the target", len(demo.posts) - off_target, 290, 310),
        Bar("off target in the target's words", themes["near_miss"], 30, 30),
        Bar("authors", len(authors), 105, 115),
        Bar("posts of the most prolific author", max(authors.values()), 8, 30),
        Bar("months", len(months), 36, 36),
        Bar("words of the shortest post", min(lengths), 120, 900),
        Bar("words of the median post", statistics.median(lengths), 350, 450),
        Bar("words of the longest post", max(lengths), 120, 900),
        *(Bar(f"trap {name}", traps[name], n, n) for name, n in TRAPS.items()),
        Bar("marked reposts found as near-duplicates", len(found & marked), 12, 12),
        Bar("other near-duplicates", len(found - marked), 0, 0),
        Bar("largest share of 5-grams of two posts, reposts aside", shared, 0, 0.10),
        Bar("distinct 4-grams, reposts aside", distinct_share(originals, 4), 0.95, 1),
        Bar(f"word types in {n_words:,} words, reposts aside", n_types, 10_000, n_words),
        Bar("sentences that occur twice, reposts aside", len(repeated_sentences(originals)), 0, 0),
        Bar("TF-IDF macro-F1, authors disjoint, 3 fold seeds", tfidf_macro_f1(demo), 0.45, 0.75),
        Bar("posts read twice, blind", agreement.n_pairs, 160, 160),
        Bar("Krippendorff's alpha of the two readers", agreement.alpha, 0.6, 0.9),
    ]
    return bars, agreement


def planted(demo: Demo) -> list[tuple[str, str]]:
    """Return the planted movements as (what, figures), by the intended label."""
    rows: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for post in demo.posts:
        plan = demo.design[post["post_id"]]
        if plan["stance"] != "irrelevant":
            author_group = plan["author_group"]
            rows[plan["theme"]].append((post["published_at"][:10], plan["stance"], author_group))
    everything = [row for found in rows.values() for row in found]

    def share(label: str, low: str, high: str, found: list[tuple[str, str, str]] | None = None) -> str:
        inside = [stance for day, stance, _ in (everything if found is None else found) if low <= day < high]
        hits = sum(stance == label for stance in inside)
        return f"{hits} of {len(inside)} ({hits / max(1, len(inside)):.0%})"

    halves = [("2023-01-01", "2023-07-01"), ("2023-07-01", BAN), (BAN, "2024-01-01"), ("2024-01-01", "2024-07-01")]
    halves += [("2024-07-01", "2025-01-01"), ("2025-01-01", "2025-07-01"), ("2025-07-01", "2026-01-01")]
    rides, ai, live = rows["ride_hailing"], rows["ai_small_work"], rows["live_shopping"]
    group = [row for row in everything if row[2]]
    out = [(f"favor, {low} to {high}", share("favor", low, high)) for low, high in halves]
    quarters = [f"{year}-{month:02}-01" for year in (2024, 2025) for month in (1, 4, 7, 10)] + ["2026-01-01"]
    out.append(("against among ride-hailing, 2023", share("against", "2023", "2024", rides)))
    out += [
        (f"against among ride-hailing, {low[:7]} on", share("against", low, high, rides))
        for low, high in itertools.pairwise(quarters)
    ]
    out.append(("ai_small_work: first post, posts", f"{min(ai)[0]}, {len(ai)}"))
    out.append(("live_shopping: last post, posts", f"{max(live)[0]}, {len(live)}"))
    out.append(("group Kelas Niaga Daring: favor", share("favor", "2023", "2026", group)))
    return out


def main() -> int:
    """Measure and print; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--disagreements", action="store_true", help="list the posts that two readers labelled differently"
    )
    arguments = parser.parse_args()
    demo = read_demo()
    bars, agreement = measure(demo)
    print(f"{'measure':<56} {'value':>9}   bar")
    for bar in bars:
        span = f"{bar.low:g}" if bar.low == bar.high else f"{bar.low:g} to {bar.high:g}"
        value = f"{bar.value:,.0f}" if float(bar.value).is_integer() else f"{bar.value:.3f}"
        print(f"{bar.name:<56} {value:>9}   {span:<14} {'ok' if bar.ok else 'MISSED'}")
    print(
        f"\nagreement of {' and '.join(agreement.annotators)}: {agreement.n_agreed} of {agreement.n_pairs} posts alike,"
        f" alpha {agreement.alpha:.3f} (95 % {agreement.low:.3f} to {agreement.high:.3f})"
    )
    whole = measure_agreement(demo.labels, annotators=WHOLE_READERS)
    print(
        f"agreement of {' and '.join(whole.annotators)}, who read whole posts: {whole.n_agreed} of {whole.n_pairs} alike,"
        f" alpha {whole.alpha:.3f} (95 % {whole.low:.3f} to {whole.high:.3f})"
    )
    for label, alpha in agreement.by_label.items():
        print(f"  {label:<12} against the rest: alpha {alpha:.3f}")
    decided = {row["post_id"]: row["stance"] for row in demo.labels if row["annotator"] == ADJUDICATED}
    kept = sum(demo.design[post]["stance"] == stance for post, stance in decided.items())
    print(f"  adjudicated label is the intended one: {kept} of {len(decided)}")
    if arguments.disagreements:
        titles = {post["post_id"]: post["title"] for post in demo.posts}
        for found in agreement.disagreements:
            labels = {row["annotator"]: row["stance"] for row in demo.labels if row["post_id"] == found.post_id}
            readings = ", ".join(f"{who} {labels[who]}" for who in ("a1", "a2", "a3"))
            intended = demo.design[found.post_id]["stance"]
            print(
                f"  {found.post_id} {readings}; adjudicated {found.adjudicated}, intended {intended}: {titles[found.post_id]}"
            )
    print("\nplanted, by the intended label, posts about the target:")
    for name, figures in planted(demo):
        print(f"  {name:<40} {figures}")
    return 0 if all(bar.ok for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
