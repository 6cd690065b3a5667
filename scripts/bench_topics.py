"""Topics beside BERTopic's defaults, tomotopy's LDA and NMF: how much they move with the seed, and what they find.

    python scripts/bench_topics.py --quick     # the demonstration posts, two seeds of each, under a minute
    python scripts/bench_topics.py             # five seeds, and time and memory with 10,000 segments
    python scripts/bench_topics.py --full      # and with 100,000 segments

All methods get the same segments, and BERTopic the same vectors. LDA and NMF get our words (stop words out, in three posts at
least) and as many topics as ours find; BERTopic, whose defaults know no Indonesian stop words, is shown with its own words
and with the same words as the others (`BERTopic, our words`). Every method's words go through one measure of NPMI and
diversity. Figures, mean over seeds:
- ARI: adjusted Rand index between seeds, outliers as a class of their own;
- NPMI, diversity: of the first ten words; a segment is the document; a word that the corpus counts do not hold counts -1;
- purity: segments of posts with a planted theme (corpus/gold/design.csv) that are in a topic whose commonest theme is theirs;
- outliers: share of segments without a topic. They are left out of purity, so both stand side by side.
Our words are chosen with an eye on NPMI; `ours, by relevance` shows the same topics with words by relevance alone.

Time and memory: segments of the demonstration posts are drawn post by post, one word in ten replaced by another, noise added
to the vectors; from cached vectors to topics with words. Each method runs in a process of its own, on one core; BERTopic's
numba is compiled beforehand. Ours is the whole stage: reading, refits, stability, tree, writing.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import importlib.util
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.topics.words import WordCounts

ROOT = Path(__file__).resolve().parents[1]
DESIGN = ROOT / "corpus/gold/design.csv"
NOT_PLANTED = ("off_target", "near_miss")
METHODS = ("ours", "BERTopic", "LDA", "NMF")
PEERS = {"BERTopic": "bertopic==0.17.4", "LDA": "tomotopy==0.14.0"}
MODULES = {"BERTopic": "bertopic", "LDA": "tomotopy"}
MIN_ARI, MIN_PURITY, MAX_TIME = 0.75, 0.8, 0.7
LDA_ROUNDS = 1000
SHARE_CHANGED, NOISE = 0.1, 0.3
Topics = tuple["np.ndarray", list[list[str]]]


def read_demo() -> tuple[list[str], list[str], np.ndarray]:
    """Return texts, post ids and vectors of the demonstration posts' segments, embedded now where that is still to do."""
    from nlp_study.config import load_study
    from nlp_study.pipeline import needed_stages, run_stages
    from nlp_study.schema import TableName
    from nlp_study.store import open_corpus

    study = load_study(ROOT / "study.toml")
    corpus = open_corpus(study.data_dir)
    if not corpus.has(TableName.SEGMENTS):
        run_stages(study, corpus, only=[stage for stage in needed_stages("topics") if stage != "topics"])
    rows = corpus.read(TableName.SEGMENTS, columns=["text", "post_id"]).to_pydict()
    return rows["text"], rows["post_id"], corpus.read_vectors()


def make_segments(n_segments: int, seed: int = 0) -> tuple[list[str], list[str], np.ndarray]:
    """Return segments made from those of the demonstration posts, with their post ids and vectors."""
    import numpy as np

    texts, posts, vectors = read_demo()
    rng = random.Random(seed)
    noise = np.random.default_rng(seed)
    places: dict[str, list[int]] = {}
    for place, post in enumerate(posts):
        places.setdefault(post, []).append(place)
    known = sorted(places)
    words = [word for text in texts for word in text.split()]
    chosen: list[int] = []
    owners: list[str] = []
    while len(chosen) < n_segments:
        post = known[rng.randrange(len(known))]
        owners += [f"{len(chosen):08d}"] * len(places[post])
        chosen += places[post]
    chosen, owners = chosen[:n_segments], owners[:n_segments]
    changed = [
        " ".join(rng.choice(words) if rng.random() < SHARE_CHANGED else word for word in texts[place].split())
        for place in chosen
    ]
    spread = NOISE * float(np.linalg.norm(vectors - vectors.mean(0), axis=1).mean()) / vectors.shape[1] ** 0.5
    made = vectors[chosen] + noise.normal(0, spread, (n_segments, vectors.shape[1])).astype(np.float32)
    return changed, owners, (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


# ---- methods ---------------------------------------------------------------------------------------------------------


def fit_ours(texts: Sequence[str], posts: Sequence[str], vectors: np.ndarray, seed: int, folder: Path) -> Any:
    """Run the whole stage with another seed; return the corpus with its tables."""
    import numpy as np
    import pyarrow as pa

    from nlp_study.config import Study, StudySettings, Target, TopicSettings
    from nlp_study.schema import TableName, table_specs
    from nlp_study.store import RunRecord, open_corpus
    from nlp_study.topics import fit_topics

    corpus = open_corpus(folder)
    n_segments = len(texts)
    numbers = pa.array(np.arange(n_segments, dtype=np.int32))
    columns = {
        "segment_id": [f"{post}:{place}" for place, post in enumerate(posts)],
        "post_id": list(posts),
        "index": numbers,
        "first_paragraph": numbers,
        "last_paragraph": numbers,
        "text": list(texts),
        "n_words": numbers,
        "vector": list(vectors),
    }
    table = pa.table(columns, schema=table_specs()[TableName.SEGMENTS].schema)
    corpus.write(TableName.SEGMENTS, table, RunRecord(stage="segment", fingerprint={}))
    del table, columns
    settings = StudySettings(name="bench", title_id="Topik", title_en="Topics", seed=seed)
    study = Study(
        study=settings, targets=(Target(id="t", name="t"),), topics=TopicSettings(edits=str(folder / "topics.toml"))
    )
    started = time.monotonic()
    fit_topics(study, corpus, RunRecord(stage="topics", fingerprint={}))
    return corpus, time.monotonic() - started


def read_ours(corpus: Any) -> Topics:
    """Return labels and words of the tables."""
    import numpy as np

    from nlp_study.schema import TableName

    labels = np.array(corpus.read(TableName.TOPIC_ASSIGNMENTS, columns=["topic_id"])["topic_id"].to_pylist())
    rows = corpus.read(TableName.TOPICS, columns=["topic_id", "words"]).to_pylist()
    return labels, [row["words"] for row in sorted(rows, key=lambda row: row["topic_id"]) if row["topic_id"] >= 0]


def fit_bertopic(
    texts: Sequence[str], vectors: np.ndarray, seed: int, vocabulary: Sequence[str] = ()
) -> tuple[Topics, list[list[str]]]:
    """BERTopic as it comes, with UMAP's seed set; and its words if only those of `vocabulary` may describe a topic."""
    import numpy as np

    bertopic = importlib.import_module("bertopic")
    backend = importlib.import_module("bertopic.backend")
    umap = importlib.import_module("umap")
    from sklearn.feature_extraction.text import CountVectorizer

    model = bertopic.BERTopic(
        language="multilingual",
        embedding_model=backend.BaseEmbedder(),
        umap_model=umap.UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=seed),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels, _ = model.fit_transform(list(texts), embeddings=vectors)
        topics = range(max(labels) + 1)
        words = [[word for word, _ in model.get_topic(topic)] for topic in topics]
        if not vocabulary:
            return (np.array(labels), words), []
        model.update_topics(list(texts), vectorizer_model=CountVectorizer(vocabulary=vocabulary))
    return (np.array(labels), words), [[word for word, _ in model.get_topic(topic)] for topic in topics]


def fit_lda(counts: WordCounts, n_topics: int, seed: int) -> Topics:
    """tomotopy's LDA; a segment's topic is its most probable one."""
    import numpy as np

    tomotopy = importlib.import_module("tomotopy")
    model = tomotopy.LDAModel(k=n_topics, seed=seed)
    kept = []
    for place in range(counts.counts.shape[0]):
        row = counts.counts[place]
        words = [counts.words[c] for c, n in zip(row.indices, row.data, strict=True) for _ in range(int(n))]
        if words:
            model.add_doc(words)
            kept.append(place)
    model.train(LDA_ROUNDS, workers=1)
    labels = np.full(counts.counts.shape[0], -1)
    labels[kept] = [int(np.argmax(document.get_topic_dist())) for document in model.docs]
    return labels, [[word for word, _ in model.get_topic_words(topic, 10)] for topic in range(n_topics)]


def fit_nmf(counts: WordCounts, n_topics: int, seed: int) -> Topics:
    """scikit-learn's NMF of TF-IDF; a segment's topic is the one of its greatest weight."""
    import numpy as np
    from sklearn.decomposition import NMF
    from sklearn.feature_extraction.text import TfidfTransformer

    model = NMF(n_topics, init="random", random_state=seed, max_iter=400)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weights = model.fit_transform(TfidfTransformer(sublinear_tf=True).fit_transform(counts.counts))
    labels: np.ndarray = weights.argmax(1)
    return labels, [[counts.words[column] for column in np.argsort(-row)[:10]] for row in model.components_]


# ---- figures ---------------------------------------------------------------------------------------------------------


def measure_purity(labels: np.ndarray, themes: Sequence[str]) -> float:
    """Share of the segments of planted posts, outliers left out, whose theme is the commonest of their topic."""
    held: dict[int, Counter[str]] = {}
    for label, theme in zip(labels.tolist(), themes, strict=True):
        if label >= 0 and theme not in NOT_PLANTED:
            held.setdefault(label, Counter())[theme] += 1
    return sum(max(found.values()) for found in held.values()) / max(1, sum(sum(f.values()) for f in held.values()))


def summarise(runs: Sequence[Topics], counts: WordCounts, themes: Sequence[str]) -> dict[str, float]:
    """Return the figures of one method, mean over seeds."""
    import numpy as np
    from sklearn.metrics import adjusted_rand_score

    from nlp_study.topics.words import measure_coherence, measure_diversity

    pairs = [adjusted_rand_score(a, b) for i, (a, _) in enumerate(runs) for b, _ in runs[:i]]
    npmi = [np.mean([value for value in measure_coherence(words, counts) if value is not None]) for _, words in runs]
    return {
        "topics": float(np.mean([len(words) for _, words in runs])),
        "ari": float(np.mean(pairs)),
        "ari_min": float(min(pairs)),
        "npmi": float(np.mean(npmi)),
        "diversity": float(np.mean([measure_diversity(words) for _, words in runs])),
        "purity": float(np.mean([measure_purity(labels, themes) for labels, _ in runs])),
        "outliers": float(np.mean([(labels < 0).mean() for labels, _ in runs])),
    }


def compare_methods(seeds: Sequence[int], methods: Sequence[str]) -> dict[str, dict[str, float]]:
    """Print the table of figures on the demonstration posts and return it."""
    from nlp_study.topics.words import count_words, score_words

    texts, posts, vectors = read_demo()
    with DESIGN.open(encoding="utf-8", newline="") as handle:
        theme_of = {row["post_id"]: row["theme"] for row in csv.DictReader(handle)}
    themes = [theme_of.get(post, NOT_PLANTED[0]) for post in posts]
    counts = count_words(texts, posts)
    runs: dict[str, list[Topics]] = {}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            corpus, _ = fit_ours(texts, posts, vectors, seed, Path(folder))
            labels, words = read_ours(corpus)
        runs.setdefault("ours", []).append((labels, words))
        scores = score_words(counts, labels, len(words))
        plain = [[counts.words[column] for column in (-row).argsort(kind="stable")[:10]] for row in scores]
        runs.setdefault("ours, by relevance", []).append((labels, plain))
    n_topics = round(sum(len(words) for _, words in runs["ours"]) / len(seeds))
    for seed in seeds:
        if "BERTopic" in methods:
            own, others = fit_bertopic(texts, vectors, seed, counts.words)
            runs.setdefault("BERTopic", []).append(own)
            runs.setdefault("BERTopic, our words", []).append((own[0], others))
        if "LDA" in methods:
            runs.setdefault("LDA", []).append(fit_lda(counts, n_topics, seed + 1))
        runs.setdefault("NMF", []).append(fit_nmf(counts, n_topics, seed))
    found = {}
    columns = ("topics", "ari", "ari_min", "npmi", "diversity", "purity", "outliers")
    print(f"{len(texts):,} segments of {len(set(posts))} posts, {len(seeds)} seeds")
    print(f"{'method':<20} " + " ".join(f"{column:>9}" for column in columns))
    for method, fitted in runs.items():
        row = found[method] = summarise(fitted, counts, themes)
        print(f"{method:<20} " + " ".join(f"{row[c]:>9.1f}" if c == "topics" else f"{row[c]:>9.3f}" for c in columns))
    return found


def measure_time(method: str, n_segments: int) -> None:
    """Run one method here and print its seconds and peak memory as JSON."""
    texts, posts, vectors = make_segments(n_segments)
    if method == "BERTopic":
        fit_bertopic(texts[:1000], vectors[:1000], 0)  # compiles numba's functions
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if method == "ours":
        with tempfile.TemporaryDirectory() as folder:
            corpus, seconds = fit_ours(texts, posts, vectors, 0, Path(folder))
            labels, words = read_ours(corpus)
    else:
        started = time.monotonic()
        (labels, words), _ = fit_bertopic(texts, vectors, 0)
        seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {"seconds": seconds, "mb": (peak - before) / 1e3, "peak_mb": peak / 1e3}
    print(json.dumps(figures | {"topics": len(words), "outliers": float((labels < 0).mean())}))


def compare_times(sizes: Sequence[int], methods: Sequence[str]) -> dict[int, dict[str, dict[str, float]]]:
    """Print seconds and memory of ours and BERTopic for each number of segments."""
    found: dict[int, dict[str, dict[str, float]]] = {}
    print(f"\n{'segments':>9} {'method':<9} {'seconds':>8} {'more MB':>8} {'peak MB':>8} {'topics':>7} {'outliers':>9}")
    for size in sizes:
        for method in ("ours", "BERTopic"):
            if method in methods:
                row = _measure_apart(method, size)
                found.setdefault(size, {})[method] = row
                print(
                    f"{size:>9,} {method:<9} {row['seconds']:>8.1f} {row['mb']:>8.0f} {row['peak_mb']:>8.0f} "
                    f"{row['topics']:>7.0f} {row['outliers']:>9.3f}",
                    flush=True,
                )
        if len(found[size]) == 2:
            ratio = found[size]["ours"]["seconds"] / found[size]["BERTopic"]["seconds"]
            print(f"{size:>9,} ours take {ratio:.2f} of BERTopic's time")
    return found


def main() -> int:
    """Print the tables; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two seeds, no times, under a minute")
    parser.add_argument("--full", action="store_true", help="also 100,000 segments")
    parser.add_argument("--seeds", type=int, help="seeds of each method: 5, or 2 with --quick")
    parser.add_argument("--times-only", action="store_true", help="leave the figures on the demonstration posts out")
    parser.add_argument("--method", choices=METHODS, help=argparse.SUPPRESS)
    parser.add_argument("--segments", type=int, default=10_000, help="segments of the time and memory table")
    arguments = parser.parse_args()
    if arguments.method:
        measure_time(arguments.method, arguments.segments)
        return 0
    methods = [name for name in METHODS if name not in MODULES or importlib.util.find_spec(MODULES[name])]
    for name in METHODS:
        if name not in methods:
            print(f"{name} is not installed: `pip install {PEERS[name]}` to compare with it")
    ok = True
    if not arguments.times_only:
        found = compare_methods(range(arguments.seeds or (2 if arguments.quick else 5)), methods)
        ok &= _meets_bars(found)
    if not arguments.quick:
        sizes = [arguments.segments, 100_000] if arguments.full else [arguments.segments]
        times = compare_times(sizes, methods)
        for rows in times.values():
            ok &= len(rows) < 2 or rows["ours"]["seconds"] <= MAX_TIME * rows["BERTopic"]["seconds"]
    print(
        f"bars: ARI {MIN_ARI}, purity {MIN_PURITY}, NPMI and diversity of the best peer, {MAX_TIME} of BERTopic's time: "
        f"{'ok' if ok else 'MISSED'}"
    )
    return 0 if ok else 1


def _meets_bars(found: dict[str, dict[str, float]]) -> bool:
    ours = found["ours"]
    peers = [row for name, row in found.items() if not name.startswith("ours")]
    return (
        ours["ari"] >= MIN_ARI
        and ours["purity"] >= MIN_PURITY
        and ours["npmi"] >= max(row["npmi"] for row in peers)
        and ours["diversity"] >= max(row["diversity"] for row in peers)
    )


def _measure_apart(method: str, n_segments: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--method", method, "--segments", str(n_segments)]
    one_core = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=one_core)
    if done.returncode:
        sys.exit(f"{method} failed:\n{done.stderr}")
    row: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return row


if __name__ == "__main__":
    sys.exit(main())
