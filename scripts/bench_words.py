"""Speed of the word counts, and their figures beside those of `conc` (PyPI), on a corpus made of the demonstration posts.

    python scripts/bench_words.py                                  # 10 million tokens, some minutes
    python scripts/bench_words.py --tokens 200000 --rounds 1       # under a minute
    python scripts/bench_words.py --peer other/bin/python          # with conc 0.1.13 of another environment

The corpus: sentences of the demonstration posts drawn with repetition, one word in ten replaced by an invented one with
Zipf's distribution, so that the vocabulary grows as in a real corpus; heads and relations are drawn at random. Both read
the same tokens: conc is given a tokeniser that splits at spaces. Times are wall clock and processor seconds of each
process; our queries start from the Parquet file, conc's from the index that it built and keeps in memory.

Figures are compared word by word, and the differences between the two programs are reckoned and checked:
- conc's windows cross sentences and count a word for every node (`across_sentences`, `count_pairs`);
- its mutual information leaves the size of the window out: ours is lower by log2(words in reach / nodes);
- its log-likelihood has two cells and takes the nodes out of the corpus; ours has four cells (Dunning 1993).
"""

from __future__ import annotations

import argparse
import csv
import functools
import importlib
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

POSTS = Path(__file__).resolve().parents[1] / "corpus/demo/posts.jsonl"
NODES = ("platform", "ekonomi", "pasar", "pedagang", "digital", "pelanggan", "harga", "warung", "data", "yang")
COMPARED = ("platform", "ekonomi", "pasar", "digital")
SHARE_INVENTED, N_INVENTED, ZIPF = 0.1, 200_000, 1.3
POST_SENTENCES = (10, 45)
RELATIONS = ("nsubj", "obj", "amod", "nmod", "obl", "advmod", "nsubj:pass", "conj", "case", "root")
BATCH = 1_000_000


def make_corpus(path: Path, n_tokens: int, seed: int = 0) -> int:
    """Write a table `tokens` of about `n_tokens` rows, sorted by post and position; return how many there are."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    sentences = _read_sentences()
    words = sorted({word for sentence in sentences for word in sentence})
    code = {word: place for place, word in enumerate(words)}
    n_own = len(words)
    words += [f"kata{number:x}" for number in range(N_INVENTED)]
    is_word = np.array([word[0].isalnum() for word in words])
    flat = np.concatenate([[code[word] for word in sentence] for sentence in sentences]).astype(np.int64)
    lengths = np.array([len(sentence) for sentence in sentences])
    picked = rng.integers(0, len(sentences), size=int(n_tokens / lengths.mean()) + 1)
    size = lengths[picked]
    n = int(size.sum())
    sentence_of = np.repeat(np.arange(len(picked)), size)
    place = np.arange(n) - np.repeat(np.cumsum(size) - size, size)
    word = flat[(np.cumsum(lengths) - lengths)[picked][sentence_of] + place]
    changed = (rng.random(n) < SHARE_INVENTED) & is_word[word]
    word[changed] = n_own + rng.zipf(ZIPF, size=int(changed.sum())) % N_INVENTED
    ends = np.cumsum(rng.integers(*POST_SENTENCES, size=len(picked)))
    post_of_sentence = np.searchsorted(ends, np.arange(len(picked)), side="right")
    post = post_of_sentence[sentence_of]
    first_sentence = np.searchsorted(post_of_sentence, np.arange(post[-1] + 1))
    first_token = np.searchsorted(post, np.arange(post[-1] + 1))
    position = np.arange(n) - first_token[post]
    head = position - place + (rng.random(n) * size[sentence_of]).astype(np.int64)
    relation = np.where(head == position, len(RELATIONS) - 1, rng.integers(0, len(RELATIONS) - 1, size=n))
    classes = ["NOUN", "VERB", "ADJ", "ADV", "PUNCT"]
    class_of = np.where(is_word, np.arange(len(words)) * 7919 % 4, 4)
    lower = sorted({word.lower() for word in words})
    lower_code = {word: place for place, word in enumerate(lower)}
    lower_of = np.array([lower_code[word.lower()] for word in words])
    posts = [f"{number:024x}" for number in range(int(post[-1]) + 1)]

    def strings(codes: Any, values: list[str]) -> Any:
        return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(values)).cast(pa.string())

    writer = None
    for at in range(0, n, BATCH):
        rows = slice(at, at + BATCH)
        lowered = strings(lower_of[word[rows]], lower)
        empty = pa.array([""] * len(position[rows]))
        table = pa.table(
            {
                "post_id": strings(post[rows], posts),
                "sentence": (sentence_of[rows] - first_sentence[post[rows]]).astype(np.int32),
                "position": position[rows].astype(np.int32),
                "form": strings(word[rows], words),
                "lower": lowered,
                "root": lowered,
                "lemma": lowered,
                "upos": strings(class_of[word[rows]], classes),
                "feats": empty,
                "head": head[rows].astype(np.int32),
                "deprel": strings(relation[rows], list(RELATIONS)),
                "ent": empty,
                "start": (position[rows] * 6).astype(np.int32),
                "space_after": np.ones(len(position[rows]), bool),
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer:
        writer.close()
    return n


def connect(path: Path, threads: int) -> Any:
    """Return a DuckDB connection with the views of a study: every other post in favour, the rest against."""
    import duckdb

    connection = duckdb.connect(":memory:")
    connection.execute(f"SET threads = {threads}")
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"CREATE VIEW tokens AS SELECT * FROM read_parquet('{path}')")
    connection.execute(
        "CREATE TABLE posts AS SELECT post_id, '' AS title, '2024-01' AS month, post_id[-3:] AS author_id, '' AS author, "
        "'' AS category, 0 AS n_words, row_number() OVER (ORDER BY post_id) % 2 AS half "
        "FROM (SELECT DISTINCT post_id FROM tokens)"
    )
    connection.execute("CREATE TABLE duplicates (post_id VARCHAR, is_first BOOLEAN)")
    connection.execute(
        "CREATE TABLE predictions AS SELECT post_id, 't' AS target, if(half = 1, 'favor', 'against') AS stance FROM posts"
    )
    return connection


def time_queries(connection: Any, rounds: int) -> list[dict[str, Any]]:
    """Return wall clock and processor seconds of every kind of query."""
    from nlp_study.collocation.collocates import find_collocates
    from nlp_study.collocation.dispersion import measure_dispersion
    from nlp_study.collocation.keyness import find_keywords
    from nlp_study.collocation.ngrams import find_ngrams
    from nlp_study.collocation.readability import measure_readability
    from nlp_study.collocation.sketch import sketch_word
    from nlp_study.collocation.subcorpora import Subcorpus

    favor, against = Subcorpus(stance="favor"), Subcorpus(stance="against")
    find_collocates(connection, NODES[0])  # what is loaded once
    tasks: dict[str, Callable[[], Any]] = {
        **{f"collocates {node}": functools.partial(find_collocates, connection, node) for node in NODES},
        "collocates in one stance": lambda: find_collocates(connection, NODES[0], favor),
        "collocates by dependency": lambda: find_collocates(connection, NODES[0], dependency=True),
        "sketch": lambda: sketch_word(connection, NODES[0], by="lower"),
        "keywords": lambda: find_keywords(connection, favor, against, max_q=None),
        "ngrams of a node": lambda: find_ngrams(connection, node=NODES[1]),
        "ngrams of three words": lambda: find_ngrams(connection),
        "dispersion of two words": lambda: measure_dispersion(connection, NODES[:2]),
        "dispersion of all words": lambda: measure_dispersion(connection),
        "readability": lambda: measure_readability(connection),
    }
    found = []
    for name, task in tasks.items():
        walls, processor = [], []
        for _ in range(rounds):
            started, used = time.perf_counter(), time.process_time()
            task()
            walls.append(time.perf_counter() - started)
            processor.append(time.process_time() - used)
        row = {"query": name, "wall_s": statistics.median(walls), "processor_s": statistics.median(processor)}
        print(f"{name:28} {row['wall_s']:7.2f} s  {row['processor_s']:7.2f} s of the processor", flush=True)
        found.append(row)
    return found


def compare_with_peer(connection: Any, folder: Path, python: Path) -> bool:
    """Run conc on the same tokens, print its times and the greatest differences; return whether all are explained."""
    _write_texts(connection, folder)
    subprocess.run([str(python), __file__, "--as-peer", str(folder)], check=True)
    theirs = json.loads((folder / "conc.json").read_text(encoding="utf-8"))
    for name, (wall, processor) in theirs["seconds"].items():
        print(f"conc: {name:28} {wall:7.2f} s  {processor:7.2f} s of the processor", flush=True)
    differences = [_compare_collocates(connection, node, theirs["collocates"][node]) for node in COMPARED]
    differences.append(_compare_keywords(connection, theirs["keywords"]))
    worst = 0.0
    for row in differences:
        print(
            "; ".join(
                f"{key} {value:.2g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()
            )
        )
        worst = max([worst, *(value for value in row.values() if isinstance(value, float))])
    print(f"greatest difference after the explained ones: {worst:.2g}")
    return worst < 1e-6


def _compare_collocates(connection: Any, node: str, theirs: dict[str, list[Any]]) -> dict[str, Any]:
    import numpy as np

    from nlp_study.collocation.collocates import find_collocates
    from nlp_study.collocation.measures import log_likelihood_keyness

    found = find_collocates(
        connection, node, across_sentences=True, count_pairs=True, min_together=1, min_posts=1, rarer=True, limit=0
    )
    ours = found.table.to_pydict()
    place = {word: row for row, word in enumerate(ours["collocate"])}
    rows = [place[word] for word in theirs["token"] if word in place]
    mine = {
        name: np.array(values, object)[rows].astype(float)
        for name, values in ours.items()
        if name not in ("collocate",)
    }
    n_reached = sum(ours["n_together"])
    n_words, n_nodes = _numbers(found.notes()[0])[0], _numbers(found.notes()[1])[0]
    is_node = np.array([word == node for word in theirs["token"]])
    outside = np.maximum(mine["n_collocate"] - mine["n_together"] - np.where(is_node, mine["n_collocate"], 0), 0)
    likelihood = log_likelihood_keyness(mine["n_together"], outside, n_reached, n_words - n_reached - n_nodes)
    mi = mine["mi"] + np.log2(n_reached / n_nodes)
    gap = {
        "together": mine["n_together"] - np.array(theirs["collocate_frequency"]),
        "frequency": mine["n_collocate"] - np.array(theirs["frequency"]),
        "logDice": mine["log_dice"] - np.array(theirs["logdice"]),
        "MI": mi - np.array(theirs["mutual_information"]),
        "LL": likelihood - np.array(theirs["log_likelihood"]),
    }
    words = len(theirs["token"])
    return {f"collocates of {node}, words": words, "missing": float(words - len(rows))} | {
        name: float(np.abs(values).max()) for name, values in gap.items()
    }


def _compare_keywords(connection: Any, theirs: dict[str, list[Any]]) -> dict[str, Any]:
    import numpy as np

    from nlp_study.collocation.keyness import find_keywords
    from nlp_study.collocation.subcorpora import Subcorpus

    found = find_keywords(
        connection, Subcorpus(stance="favor"), Subcorpus(stance="against"),
        min_count=1, min_range=1, max_q=None, rarer=True, limit=0,
    )  # fmt: skip
    ours = found.table.to_pydict()
    place = {word: row for row, word in enumerate(ours["word"])}
    rows = [place[word] for word in theirs["token"] if word in place]
    names = {
        "frequency": ("n_focus", "frequency"),
        "reference": ("n_reference", "frequency_reference"),
        "posts": ("range_focus", "document_frequency"),
        "posts of reference": ("range_reference", "document_frequency_reference"),
        "LL": ("log_likelihood", "log_likelihood"),
        "log ratio": ("log_ratio", "log_ratio"),
    }
    words = len(theirs["token"])
    return {"keywords, words": words, "missing": float(words - len(rows))} | {
        key: float(np.abs(np.array(ours[mine])[rows] - np.array(theirs[other])).max())
        for key, (mine, other) in names.items()
    }


def _numbers(line: str) -> list[int]:
    return [int(text.replace(",", "")) for text in re.findall(r"\d[\d,]*", line)]


def _write_texts(connection: Any, folder: Path) -> None:
    """Write the posts as conc reads them: all, and each half; tokens are joined by spaces."""
    query = "SELECT half, string_agg(form, ' ' ORDER BY position) AS text FROM tokens JOIN posts USING (post_id) "
    query += "GROUP BY post_id, half ORDER BY post_id"
    rows = connection.sql(query).fetchall()
    for name, wanted in (("all", (0, 1)), ("focus", (1,)), ("reference", (0,))):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(["text"])
            writer.writerows([text] for half, text in rows if half in wanted)


def run_peer(folder: Path) -> None:
    """Build conc's corpora and write its figures and times; runs in conc's own environment."""
    spacy = importlib.import_module("spacy")
    corpus_module = importlib.import_module("conc.corpus")
    collocates, keyness, ngrams = (
        importlib.import_module(f"conc.{name}") for name in ("collocates", "keyness", "ngrams")
    )
    tokens = importlib.import_module("spacy.tokens")

    def split_at_spaces(corpus: Any, *_: Any, **__: Any) -> None:
        corpus._nlp = spacy.blank("id")
        corpus._nlp.tokenizer = lambda text: tokens.Doc(corpus._nlp.vocab, words=text.split(" "))
        corpus._nlp.max_length = 10_000_000

    corpus_module.Corpus._init_spacy_model = split_at_spaces
    seconds: dict[str, tuple[float, float]] = {}

    def timed(name: str, task: Callable[[], Any]) -> Any:
        started, used = time.perf_counter(), time.process_time()
        found = task()
        seconds[name] = (time.perf_counter() - started, time.process_time() - used)
        return found

    built = {}
    for name in ("all", "focus", "reference"):
        built[name] = corpus_module.Corpus(name=name, description=name)
        build = functools.partial(built[name].build_from_csv, source_path=str(folder / f"{name}.csv"))
        timed(f"building {name}", functools.partial(build, save_path=str(folder), text_column="text"))
    figures: dict[str, Any] = {}
    company = collocates.Collocates(built["all"])
    for node in NODES:
        search = functools.partial(company.collocates, node, page_size=0, min_collocate_frequency=5)
        found = timed(f"collocates {node}", search)
        if node in COMPARED:
            other = search(effect_size_measure="mutual_information")
            table = found.to_frame().join(other.to_frame().select(["token", "mutual_information"]), on="token")
            figures[node] = table.to_dict(as_series=False)
    words = timed("keywords", lambda: keyness.Keyness(built["focus"], built["reference"]).keywords(
        page_size=0, show_document_frequency=True, exclude_negative_keywords=False
    ))  # fmt: skip
    timed("ngrams of a node", lambda: ngrams.Ngrams(built["all"]).ngrams(NODES[1], ngram_length=3))
    timed("ngrams of three words", lambda: ngrams.Ngrams(built["all"]).ngram_frequencies(ngram_length=3))
    report = {"seconds": seconds, "collocates": figures, "keywords": words.to_frame().to_dict(as_series=False)}
    (folder / "conc.json").write_text(json.dumps(report), encoding="utf-8")


def _read_sentences() -> list[list[str]]:
    rows = [json.loads(line) for line in POSTS.read_text(encoding="utf-8").splitlines()]
    texts = [text for row in rows for paragraph in row["paragraphs"] for text in re.split(r"(?<=[.!?])\s+", paragraph)]
    return [words for text in texts if (words := re.findall(r"\w+(?:-\w+)*|[^\w\s]", text))]


def main() -> int:
    """Run the benchmark; return 1 if a difference from conc is not explained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each query; the median counts")
    parser.add_argument("--threads", type=int, default=2, help="threads of DuckDB")
    parser.add_argument("--peer", type=Path, help="Python of an environment with conc")
    parser.add_argument("--no-times", action="store_true", help="compare figures only")
    parser.add_argument("--as-peer", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_peer:
        run_peer(options.as_peer)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n = make_corpus(folder / "tokens.parquet", options.tokens)
        print(f"{n:,} tokens, {(folder / 'tokens.parquet').stat().st_size / n:.1f} bytes each", flush=True)
        connection = connect(folder / "tokens.parquet", options.threads)
        if not options.no_times:
            time_queries(connection, options.rounds)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"greatest memory {memory:,.0f} MB", flush=True)
        if options.peer:
            return 0 if compare_with_peer(connection, folder, options.peer) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
