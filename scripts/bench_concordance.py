"""Measure the concordance: building the index, size, and queries on 1, 10 and 50 million tokens, beside two peers.

    python scripts/bench_concordance.py make --texts ../shared/data --tokens 10 --folder /somewhere/10M
    python scripts/bench_concordance.py build --folder /somewhere/10M
    python scripts/bench_concordance.py query --folder /somewhere/10M
    python scripts/bench_concordance.py words --folder /somewhere/10M
    python scripts/bench_concordance.py pandas --folder /somewhere/10M
    python scripts/bench_concordance.py conc --folder /somewhere/10M    # in an environment with conc==0.1.13

`make` fills a corpus with the demonstration posts and running texts, one text a post, until the number of tokens is reached.
Tags are drawn for each token from those that its form has in the treebanks, so their frequencies are those of real text. A
repetition of a text has one word in thirty changed, so that the vocabulary grows with the corpus as it does in real text.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import resource
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

MILLION = 1_000_000
QUERIES: dict[str, list[str]] = {
    "one lemma": ['[lemma="ekonomi"]', '[lemma="rakyat"]', '[lemma="pasar"]', '[lemma="guru"]', '[lemma="yang"]'],
    "two slots": [
        '[lemma="ekonomi"] [upos="ADJ"]',
        '[upos="ADV"] [lemma="besar"]',
        '[lemma="harga"] []{0,3} [lemma="naik"]',
        '[upos="NOUN"] [lower="digital"] within s',
        '[deprel="nsubj"] [root="tumbuh"]',
    ],
    "regular expression": [
        '[lower=".*isasi"]',
        '[lower="ke.*an" & upos="NOUN"]',
        '[lemma="(pe|me)n.*"] [upos="PROPN"]',
        '"[A-Z]{3,}"',
        '[lower="digital.*|daring"] [upos="NOUN"]',
    ],
    "root:": ["root:dukung", "root:usaha", "root:jual root:barang", "root:kembang", "root:ajar"],
}
"""Four kinds, five queries each; *yang* is the most frequent word of the language."""
_TOKEN = re.compile(r"\w+(?:[-'.,]\w+)*|[^\w\s]")
_CLITIC = re.compile(r"(\w{3,})(nya|lah|ku|mu)$")


# ---- the corpus ------------------------------------------------------------------------------------------------------


def read_texts(shared: Path, demo: Path) -> Iterator[tuple[str, str]]:
    """Yield (title, text) of the demonstration posts and of the running texts."""
    for line in demo.open(encoding="utf-8"):
        post = json.loads(line)
        yield post["title"], "\n\n".join(post["paragraphs"])
    for path in sorted((shared / "text").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as handle:
            for line in handle:
                row = json.loads(line)
                yield row.get("title") or path.stem, row.get("text") or ""


def read_tags(shared: Path) -> dict[str, list[tuple[str, str, str, str]]]:
    """Return (lemma, upos, feats, deprel) of each lower-case form, as often as the treebanks have them, 50 at most."""
    found: dict[str, list[tuple[str, str, str, str]]] = defaultdict(list)
    for name in (
        "CSUI/id_csui-ud-train",
        "CSUI/id_csui-ud-test",
        "GSD/id_gsd-ud-dev",
        "GSD/id_gsd-ud-test",
        "PUD/id_pud-ud-test",
    ):
        for line in (shared / "ud" / f"{name}.conllu").open(encoding="utf-8"):
            cells = line.split("\t")
            if len(cells) == 10 and cells[0].isdigit() and len(found[cells[1].lower()]) < 50:
                feats = "" if cells[5] == "_" else cells[5]
                found[cells[1].lower()].append((cells[2], cells[3], feats, cells[7]))
    return found


def tokenize(text: str) -> list[tuple[str, bool]]:
    """Return forms and whether white space follows; clitics apart."""
    tokens: list[tuple[str, bool]] = []
    for match in _TOKEN.finditer(text):
        spaced = text[match.end() : match.end() + 1].isspace()
        clitic = _CLITIC.match(match[0])
        if clitic:
            tokens += [(clitic[1], False), (clitic[2], spaced)]
        else:
            tokens.append((match[0], spaced))
    return tokens


def make_corpus(folder: Path, shared: Path, n_tokens: int, *, seed: int = 1) -> None:
    """Write the tables `tokens` and `posts` of a corpus of about `n_tokens` tokens."""
    import numpy as np
    import pyarrow as pa

    from nlp_study.roots import find_root
    from nlp_study.schema import TableName, table_specs
    from nlp_study.store import RunRecord, open_corpus

    corpus = open_corpus(folder)
    tags, rng = read_tags(shared), np.random.default_rng(seed)
    demo = Path(__file__).resolve().parents[1] / "corpus/demo/posts.jsonl"
    base = [(title, tokenize(f"{title}\n\n{text}")) for title, text in read_texts(shared, demo)]
    base = [(title, tokens) for title, tokens in base if tokens]
    per_round = sum(len(tokens) for _, tokens in base)
    print(f"{len(base):,} texts, {per_round:,} tokens, repeated {n_tokens / per_round:.1f} times")
    if n_tokens < per_round:  # a sample of the texts, not the first of them
        rng.shuffle(base)
    titles: list[str] = []
    strings: dict[str, list[str]] = defaultdict(list)
    known: dict[str, int] = {}
    schema = table_specs()[TableName.TOKENS].schema

    def number(form: str) -> int:
        if form not in known:
            known[form] = len(known)
            strings["form"].append(form)
            strings["lower"].append(form.lower())
            strings["root"].append(find_root(form))
        return known[form]

    def tag(forms: list[str]) -> list[tuple[str, str, str, str]]:
        draws = rng.random(len(forms))
        chosen = []
        for form, draw in zip(forms, draws.tolist(), strict=True):
            seen = tags.get(form.lower())
            if seen:
                chosen.append(seen[int(draw * len(seen))])
            elif not form[0].isalnum():
                chosen.append((form, "PUNCT", "", "punct"))
            elif form[0].isdigit():
                chosen.append((form, "NUM", "NumType=Card", "nummod"))
            elif form[0].isupper():
                chosen.append((form, "PROPN", "", ("nsubj", "flat:name", "nmod")[int(draw * 3)]))
            else:
                chosen.append(
                    (
                        find_root(form),
                        ("NOUN", "VERB", "ADJ")[int(draw * 3)],
                        "",
                        ("obj", "nmod", "conj")[int(draw * 3)],
                    )
                )
        return chosen

    def batches() -> Iterator[pa.RecordBatch]:
        done, held = 0, []
        while done < n_tokens:
            title, tokens = base[len(titles) % len(base)]
            forms = [form for form, _ in tokens]
            if len(titles) >= len(base):
                for i in np.flatnonzero(rng.random(len(forms)) < 1 / 30).tolist():
                    if forms[i].isalpha() and len(forms[i]) > 3:
                        forms[i] = (
                            forms[i][: 2 + int(rng.integers(2))] + base[int(rng.integers(len(base)))][1][0][0].lower()
                        )
            held.append(post_rows(len(titles), forms, [spaced for _, spaced in tokens], tag(forms)))
            titles.append(title)
            done += len(forms)
            if sum(batch.num_rows for batch in held) >= 1 << 19 or done >= n_tokens:
                yield from pa.Table.from_batches(held).combine_chunks().to_batches()
                held = []
                print(f"\r{done:,} tokens", end="", flush=True)
        print()

    def post_rows(post: int, forms: list[str], spaced: list[bool], chosen: list[Any]) -> pa.RecordBatch:
        codes = [number(form) for form in forms]
        n = len(forms)
        starts = np.cumsum([0] + [len(form) + space for form, space in zip(forms, spaced, strict=True)])[:-1]
        ends = np.cumsum([0] + [form in ".!?" for form in forms[:-1]])
        lemma, upos, feats, deprel = zip(*chosen, strict=True)
        ent = [
            "B-PER" if p == "PROPN" and draw < 0.4 else "" for p, draw in zip(upos, rng.random(n).tolist(), strict=True)
        ]
        columns = {
            "post_id": [f"{post:024x}"] * n, "sentence": ends, "position": np.arange(n), "form": forms,
            "lower": [strings["lower"][c] for c in codes], "root": [strings["root"][c] for c in codes],
            "lemma": lemma, "upos": upos, "feats": feats,
            "head": np.clip(np.arange(n) + rng.integers(-6, 7, n), 0, n - 1), "deprel": deprel, "ent": ent, "start": starts,
            "space_after": spaced, "after": [" " if space else "" for space in spaced],
        }  # fmt: skip
        return pa.record_batch(
            [pa.array(columns[name], schema.field(name).type) for name in schema.names], schema=schema
        )

    record = RunRecord(stage="parse", fingerprint={})
    done = corpus.write(TableName.TOKENS, batches(), record)
    first = 1_640_000_000
    posts = [
        {"post_id": f"{i:024x}", "title": title, "author": f"Penulis {i % 977}", "url": f"https://contoh.example/{i:024x}",
         "published_at": (first + int(rng.integers(0, 100_000_000))) * MILLION, "category": ("Ekonomi", "Gaya")[i % 2]}
        for i, title in enumerate(titles)
    ]  # fmt: skip
    corpus.write(TableName.POSTS, pa.Table.from_pylist(posts, schema=table_specs()[TableName.POSTS].schema), record)
    size = sum(file.stat().st_size for file in corpus.files(TableName.TOKENS))
    print(
        f"tokens {done.n_rows:,}, forms {len(known):,}, posts {len(titles):,}; table {size / done.n_rows:.2f} bytes a token"
    )


# ---- what is measured ------------------------------------------------------------------------------------------------


def build(folder: Path) -> None:
    """Build the index from nothing; print seconds, peak memory of the process, and bytes a token."""
    from nlp_study.concordance.index import INDEX_FOLDER, open_index
    from nlp_study.store import open_corpus

    shutil.rmtree(folder / INDEX_FOLDER, ignore_errors=True)
    started = time.perf_counter()
    index = open_index(open_corpus(folder))
    seconds = time.perf_counter() - started
    size = sum(path.stat().st_size for path in index.folder.rglob("*") if path.is_file())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{index.n_tokens:,} tokens, {index.meta.n_types:,} types: index in {seconds:.1f} s, peak {peak:,.0f} MB, "
        f"{size / index.n_tokens:.2f} bytes a token on disk"
    )


def measure(run: Callable[[str], int], *, repeats: int) -> None:
    """Run every query `repeats` times in turn; print how long they took, and the processor, in ms."""
    times: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    counts: dict[str, int] = {}
    for _ in range(repeats):
        for kind, queries in QUERIES.items():
            for query in queries:
                started, used = time.perf_counter(), time.process_time()
                counts[query] = run(query)
                spent = time.perf_counter() - started, time.process_time() - used
                times[kind, query].append((1000 * spent[0], 1000 * spent[1]))
    medians: list[tuple[float, float]] = []
    for (kind, query), found in times.items():
        wall, processor = (sorted(column)[len(found) // 2] for column in zip(*found, strict=True))
        medians.append((wall, processor))
        print(
            f"{kind:<20} {query:<44} {counts[query]:>9,} hits  median {wall:8.1f} ms, processor {processor:8.1f} ms, "
            f"longest {max(found)[0]:8.1f} ms"
        )
    for name, column in zip(("elapsed", "processor"), zip(*medians, strict=True), strict=True):
        values = sorted(column)
        print(
            f"{name}: p50 {percentile(values, 0.5):.1f} ms, p95 {percentile(values, 0.95):.1f} ms of {len(values)} medians"
        )


def percentile(ordered: list[float], share: float) -> float:
    """Return the value at a share of ordered values, linear between neighbours."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def query(folder: Path, repeats: int) -> None:
    """Time the first 100 lines with context, exact totals and months; the process has answered each query once before."""
    from nlp_study.concordance.search import View, open_concordancer
    from nlp_study.store import open_corpus

    started = time.perf_counter()
    concordancer = open_concordancer(open_corpus(folder))
    print(f"opened in {time.perf_counter() - started:.2f} s")

    def run(text: str) -> int:
        return concordancer.find(text, view=View(limit=100)).n_hits

    print("cold (first answer of the process):")
    cold = time.perf_counter()
    run('[lemma="kota"]')
    print(f"{1000 * (time.perf_counter() - cold):.1f} ms")
    measure(run, repeats=repeats)
    print(
        f"memory of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB, mapped files counted"
    )


def scan_pandas(folder: Path, repeats: int) -> None:
    """Time the same by scanning the table with pandas, in memory already: as strings, then as categories.

    A column of categories is half an index: pandas then compares small numbers. Only kinds that one expression can say.
    """
    import pandas as pd

    from nlp_study.schema import TableName
    from nlp_study.store import open_corpus

    corpus = open_corpus(folder)
    columns = ["post_id", "form", "lower", "root", "lemma", "upos"]
    frame = corpus.read(TableName.TOKENS, columns=columns).to_pandas()

    def lines(mask: Any) -> int:
        places = mask.to_numpy().nonzero()[0]
        for place in places[:100]:
            " ".join(frame["form"].iloc[max(0, place - 8) : place + 9])
        return len(places)

    def slot(name: str, value: str, *, is_regex: bool) -> Any:
        column = frame[name]
        if not isinstance(column.dtype, pd.CategoricalDtype):
            return column.str.fullmatch(value) if is_regex else column == value
        categories = pd.Series(column.cat.categories, dtype=str)
        return column.isin(categories[categories.str.fullmatch(value)]) if is_regex else column == value

    def scan(text: str) -> int:
        masks = [
            slot(name or "root", value or word, is_regex=not (value or word).isalpha())
            for name, value, word in re.findall(r'\[(\w+)="([^"]*)"[^\]]*\]|root:(\w+)', text)
        ]
        mask = masks[0]
        for i, following in enumerate(masks[1:], start=1):
            mask = mask & following.shift(-i, fill_value=False) & (frame["post_id"] == frame["post_id"].shift(-i))
        return lines(mask)

    QUERIES["two slots"] = QUERIES["two slots"][:2]
    QUERIES["regular expression"] = QUERIES["regular expression"][:1]
    print("strings:")
    measure(scan, repeats=repeats)
    for name in columns:
        frame[name] = frame[name].astype("category")
    print("categories:")
    measure(scan, repeats=repeats)


WORDS = {
    "one word": ["ekonomi", "rakyat", "pasar", "guru", "yang"],
    "two words": ["ekonomi digital", "sangat besar", "harga naik", "usaha kecil", "orang tua"],
}
"""What conc can be asked as well: words as they are written."""


def query_words(folder: Path, repeats: int) -> None:
    """Time the queries that `conc` answers, sorted by the right context as it sorts."""
    from nlp_study.concordance.search import Sort, View, open_concordancer
    from nlp_study.store import open_corpus

    concordancer = open_concordancer(open_corpus(folder))
    QUERIES.clear()
    QUERIES.update(WORDS)
    measure(lambda text: concordancer.find(text, view=View(limit=100, sort=Sort.RIGHT)).n_hits, repeats=repeats)


def run_conc(folder: Path, repeats: int) -> None:
    """Time conc (https://pypi.org/project/conc) on the same texts: words and word sequences, which is what it searches."""
    import polars as pl  # type: ignore[import-not-found]
    import spacy
    from conc.conc import Conc  # type: ignore[import-not-found]
    from conc.corpus import Corpus as ConcCorpus  # type: ignore[import-not-found]

    home = folder / "conc"
    found = sorted(home.glob("*.corpus"))
    if not found:
        home.mkdir(exist_ok=True)
        model = spacy.blank("xx")
        for name in ("parser", "ner", "lemmatizer", "tagger", "senter", "tok2vec", "attribute_ruler"):
            model.add_pipe("sentencizer", name=name)  # conc switches these off, and asks that they exist
        model.to_disk(home / "blank")
        text = pl.col("form") + pl.when("space_after").then(pl.lit(" ")).otherwise(pl.lit(""))
        tokens = pl.scan_parquet(sorted((folder / "tokens").glob("*.parquet"))).select("post_id", form=text)
        texts = tokens.group_by("post_id", maintain_order=True).agg(text=pl.col("form").str.join("")).collect()
        texts.write_csv(home / "texts.csv")
        started = time.perf_counter()
        corpus = ConcCorpus("bench", "bench").build_from_csv(
            source_path=str(home / "texts.csv"),
            metadata_columns=["post_id"],
            save_path=str(home),
            model=str(home / "blank"),
        )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"built in {time.perf_counter() - started:.1f} s, peak {peak:,.0f} MB")
        found = sorted(home.glob("*.corpus"))
    corpus = ConcCorpus().load(str(found[0]))
    print(f"{corpus.token_count:,} tokens")
    searcher = Conc(corpus)
    QUERIES.clear()
    QUERIES.update(WORDS)

    def run(text: str) -> int:
        corpus.results_cache.clear()  # ours keeps no answers either
        page = searcher.concordance(text, context_length=8, page_size=100, order="1R2R3R")
        return int(page.summary_data.get("total_count", 0))

    measure(run, repeats=repeats)


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["make", "build", "query", "words", "pandas", "conc"])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--texts", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data")
    parser.add_argument("--tokens", type=float, default=10, help="millions")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    if given.what == "make":
        if not (given.texts / "text").is_dir():
            sys.exit(f"no texts in {given.texts}; name a folder with text/ and ud/ by --texts")
        make_corpus(given.folder, given.texts, int(given.tokens * MILLION))
    elif given.what == "build":
        build(given.folder)
    else:
        {"query": query, "words": query_words, "pandas": scan_pandas, "conc": run_conc}[given.what](
            given.folder, given.repeats
        )


if __name__ == "__main__":
    main()
