"""Speed of classification beside `transformers.pipeline`, and its memory over a long corpus.

    python scripts/bench_classify.py                    # posts of 500 words, alternating rounds, and macro-F1 on real labels
    python scripts/bench_classify.py --quick            # a few posts, two minutes
    python scripts/bench_classify.py --posts 200000     # memory: a killed run that goes on, RSS every 10,000 posts

The peer is `pipeline("text-classification")` in float32 over the same windows: the same weights, the mean over tokens and the
same linear layer, put together as a `BertForSequenceClassification`, with the batch size of 1, 8 and 32 that suits it best.
Ours includes cutting the views and the evidence for each decision; the peer gets its windows cut already. Seconds of the
processor are printed beside those of the clock, for on a busy machine only the former can be compared.
For memory, a stand-in encoder (one narrow layer, the real tokenizer) takes the place of the embedded one: the posts, the
streaming, the evidence and the tables are the real ones. `--true-encoder` uses the embedded one, which takes hours.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from nlp_study.config import Study, load_study
from nlp_study.encoders import load_encoder, quiet_bars
from nlp_study.metrics import macro_f1
from nlp_study.pipeline import find_stage, run_stage
from nlp_study.schema import TableName
from nlp_study.stance.classify import PART_POSTS, classify_stance
from nlp_study.stance.evaluate import study_reader
from nlp_study.stance.explain import explain_pairs
from nlp_study.stance.pairs import Pair, make_pair, read_pairs, split_folds
from nlp_study.stance.probe import StanceProbe, fit_probe
from nlp_study.stance.reader import StanceReader, cut_pair_views, read_pairs_through
from nlp_study.store import Corpus, RunRecord, now_iso, open_corpus

REPOSITORY = Path(__file__).resolve().parents[1]
POST_WORDS = 500
SAMPLE_POSTS = 10_000
BARS = {"ratio": 5.0, "f1": 0.005, "memory_gb": 2.0}


# ---- speed -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Timed:
    """Seconds of the clock and of the processor (all threads) for one round."""

    wall_s: float
    cpu_s: float


def time_call(call: Callable[[], Any]) -> tuple[Timed, Any]:
    """Run once and return the seconds and what came back."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = call()
    return Timed(time.perf_counter() - wall, time.process_time() - cpu), found


def demo_posts(n_posts: int) -> list[tuple[str, list[str]]]:
    """Return titles and paragraphs of exactly `POST_WORDS` words, cut and joined from demonstration posts."""
    lines = (REPOSITORY / "corpus/demo/posts.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    posts: list[tuple[str, list[str]]] = []
    at = 0
    while len(posts) < n_posts:
        title, left, kept = rows[at % len(rows)]["title"], POST_WORDS, []
        while left:
            for part in rows[at % len(rows)]["paragraphs"]:
                words = (part if isinstance(part, str) else part["text"]).split()[:left]
                left -= len(words)
                kept += [" ".join(words)] if words else []
            at += 1
        posts.append((title, kept))
    return posts


def make_peer(reader: StanceReader, probe: StanceProbe) -> Any:
    """Return a float32 `pipeline` of the reader's weights and the probe's linear layer."""
    import torch
    from transformers import BertForSequenceClassification, pipeline
    from transformers.modeling_outputs import SequenceClassifierOutput

    class MeanOfTokens(BertForSequenceClassification):
        """The classifier of transformers, on the mean over tokens in place of the first token."""

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None, **_: Any) -> Any:
            hidden = self.bert(input_ids, attention_mask, token_type_ids).last_hidden_state
            weights = attention_mask.unsqueeze(-1).float()
            return SequenceClassifierOutput(logits=self.classifier((hidden * weights).sum(1) / weights.sum(1)))

    model: Any = reader.model
    config = copy.deepcopy(model.config)
    config.num_labels = len(probe.stances)
    peer: Any = MeanOfTokens(config)
    weights = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("pooler.")}
    missing, unexpected = peer.bert.load_state_dict(weights, strict=False)
    if unexpected or any(not name.startswith("pooler.") for name in missing):
        raise SystemExit(f"the peer lacks weights: {missing} {unexpected}")
    with torch.no_grad():
        peer.classifier.weight.copy_(torch.from_numpy(probe.weights))
        peer.classifier.bias.copy_(torch.from_numpy(probe.bias))
    MeanOfTokens.__name__ = "BertForSequenceClassification"  # the pipeline warns of names that it does not know
    return pipeline(
        "text-classification",
        model=peer.eval(),
        tokenizer=reader.encoder.tokenizer,
        device=-1,
        top_k=None,
        function_to_apply="none",
    )


@dataclass(frozen=True)
class Windows:
    """The inputs of some pairs as text, with the pair and the weight of each, and the tokens in all of them."""

    texts: list[dict[str, str]]
    owners: list[int]
    weights: list[float]
    n_tokens: int


def cut_windows(reader: StanceReader, pairs: Sequence[Pair]) -> Windows:
    """Return the windows that our reader takes, as the text that the peer makes the same tokens of."""
    found, n_tokens = Windows([], [], [], 0), 0
    for owner, (pair, views) in enumerate(zip(pairs, cut_pair_views(reader, pairs), strict=True)):
        for encoded, offsets, weight in zip(views.encoded, views.offsets, views.weights, strict=True):
            spans = [span for span in offsets if span[1]]
            passage = pair.text[spans[0][0] : spans[-1][1]] if spans else ""
            found.texts.append({"text": reader.prefix + pair.target_text, "text_pair": passage})
            found.owners.append(owner)
            found.weights.append(weight)
            n_tokens += len(encoded["input_ids"])
    return replace(found, n_tokens=n_tokens)


def ask_peer(peer: Any, windows: Windows, n_pairs: int, *, batch_size: int) -> np.ndarray:
    """Return the peer's scores of each pair, shape (n_pairs, n_stances): the weighted mean over its windows."""
    n_stances = peer.model.config.num_labels
    scores = np.zeros((n_pairs, n_stances))
    # a generator, so that the pipeline batches without warning
    for i, found in enumerate(peer((text for text in windows.texts), batch_size=batch_size)):
        for label in found:
            at = int(label["label"].removeprefix("LABEL_"))
            scores[windows.owners[i], at] += windows.weights[i] * label["score"]
    return scores


def compare_speed(reader: StanceReader, probe: StanceProbe, study: Study, *, n_posts: int, n_rounds: int) -> float:
    """Print speed in alternating rounds and return the ratio of the medians of the clock."""
    pairs = [
        make_pair(f"{i:024x}", study.targets[0], "\n\n".join([title, *paragraphs]), "")
        for i, (title, paragraphs) in enumerate(demo_posts(n_posts))
    ]
    windows, peer = cut_windows(reader, pairs), make_peer(reader, probe)
    few = cut_windows(reader, pairs[: max(4, n_posts // 4)])
    tried = {}
    for size in (1, 8, 32):
        tried[size], _ = time_call(partial(ask_peer, peer, few, n_posts, batch_size=size))
    batch_size = min(tried, key=lambda size: tried[size].cpu_s)
    print(f"{n_posts} posts of {POST_WORDS} words, {windows.n_tokens} tokens in {len(windows.texts)} windows")
    print("pipeline, tokens/CPU s by batch size: " + _by_size(tried, few.n_tokens))
    explain_pairs(reader, probe, pairs[:4])
    ours, theirs, scores, decided = [], [], np.zeros((0, 0)), np.zeros(0)
    for _ in range(n_rounds):
        timed, explained = time_call(lambda: explain_pairs(reader, probe, pairs))
        ours.append(timed)
        decided = explained.forecast.decided
        timed, scores = time_call(lambda: ask_peer(peer, windows, n_posts, batch_size=batch_size))
        theirs.append(timed)
    for name, rounds in (("ours", ours), (f"pipeline, float32, batches of {batch_size}", theirs)):
        wall, cpu = (statistics.median(getattr(timed, kind) for timed in rounds) for kind in ("wall_s", "cpu_s"))
        print(
            f"{name:<34} {n_posts / wall:7.2f} posts/s {windows.n_tokens / wall:7.0f} tokens/s"
            f"   by CPU time {n_posts / cpu:6.2f} posts/s {windows.n_tokens / cpu:6.0f} tokens/s"
        )
    ratios = [theirs[i].wall_s / ours[i].wall_s for i in range(n_rounds)]
    by_cpu = [theirs[i].cpu_s / ours[i].cpu_s for i in range(n_rounds)]
    eight = tried[8].cpu_s / tried[batch_size].cpu_s
    print(
        f"ratio, median of {n_rounds} rounds: {statistics.median(ratios):.2f} (by CPU time {statistics.median(by_cpu):.2f};"
    )
    print(f"  to batches of 8 by CPU time {statistics.median(by_cpu) * eight:.2f})")
    print(f"same label: {np.mean(decided == scores.argmax(1)):.4f}")
    return statistics.median(ratios)


def _by_size(tried: dict[int, Timed], n_tokens: int) -> str:
    return ", ".join(f"{size}: {n_tokens / timed.cpu_s:.0f}" for size, timed in tried.items())


def compare_quality(study: Study, *, n_labelled: int) -> float:
    """Print macro-F1 of both on authors that the probe has not seen, and return the difference."""
    with TemporaryDirectory() as scratch:
        corpus = open_corpus(Path(scratch))
        run_stage(find_stage("import"), study, corpus)
        pairs = read_pairs(study, corpus, labelled=True)
    pairs = random.Random(1).sample(pairs, min(n_labelled, len(pairs)))
    reader = study_reader(study, load_encoder(study.stance_encoder, models_dir=study.models_dir))
    vectors = read_pairs_through(reader, pairs).vectors
    names = tuple(map(str, study.study.stances))
    gold, ours, theirs = [], [], []
    for fold in split_folds(pairs, n_folds=2, seed=1):
        probe = fit_probe(vectors[fold.train], [pairs[i] for i in fold.train], names, seed=1, calibrate=False)
        tested = [pairs[i] for i in fold.test]
        scores = ask_peer(make_peer(reader, probe), cut_windows(reader, tested), len(tested), batch_size=1)
        gold += [str(pair.stance) for pair in tested]
        ours += [names[i] for i in probe.predict(vectors[fold.test], tested).decided]
        theirs += [names[i] for i in scores.argmax(1)]
    ours_f1, theirs_f1 = (macro_f1(gold, found, names) for found in (ours, theirs))
    same = np.mean([a == b for a, b in zip(ours, theirs, strict=True)])
    print(
        f"{study.study.name}, {len(gold)} labelled posts: macro-F1 ours {ours_f1:.4f}, pipeline {theirs_f1:.4f}, "
        f"difference {ours_f1 - theirs_f1:+.4f}; same label {same:.4f}"
    )
    return abs(ours_f1 - theirs_f1)


# ---- memory ----------------------------------------------------------------------------------------------------------


def make_stand_in(folder: Path) -> None:
    """Save a BERT of one narrow layer with the embedded encoder's tokenizer."""
    import torch
    from transformers import BertConfig, BertModel

    tokenizer = load_encoder("e5-small-id").tokenizer
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    with quiet_bars():
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make_long_corpus(folder: Path, *, n_posts: int, true_encoder: bool) -> Path:
    """Write a study with a trained model whose table of posts holds `n_posts`; return its file.

    Posts are demonstration posts with their paragraphs in another order, so that no two are alike.
    """
    import pyarrow as pa

    shutil.copytree(REPOSITORY / "corpus", folder / "corpus")
    text = (REPOSITORY / "study.toml").read_text(encoding="utf-8")
    if not true_encoder:
        make_stand_in(folder / "stand-in")
        text = text.replace('name = "e5-small-id"', f'name = "{folder / "stand-in"}"')
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    study = load_study(path)
    corpus = open_corpus(study.data_dir)
    run_stage(find_stage("import"), study, corpus)
    run_stage(find_stage("train"), study, corpus)
    rows = corpus.read(TableName.POSTS).to_pylist()
    rng, schema, made = random.Random(1), corpus.read(TableName.POSTS).schema, []
    for start in range(0, n_posts, 5000):
        chunk = []
        for i in range(start, min(start + 5000, n_posts)):
            row = rows[i % len(rows)]
            chunk.append(
                {**row, "post_id": f"{i:024x}", "paragraphs": rng.sample(row["paragraphs"], len(row["paragraphs"]))}
            )
        made.append(pa.Table.from_pylist(chunk, schema=schema))
    corpus.write(TableName.POSTS, pa.concat_tables(made), _record("import"))
    return path


def _record(stage: str) -> RunRecord:
    return RunRecord(stage=stage, fingerprint={"bench": stage}, started_at=now_iso())


def run_worker(path: Path) -> None:
    """Classify the corpus of a study; this is the process whose memory is measured."""
    study = load_study(path)
    print(json.dumps(classify_stance(study, open_corpus(study.data_dir), _record("classify")), default=str))


def read_rss(pid: int) -> float:
    """Return the resident memory of a process in GB; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1e6 for line in lines if line.startswith("VmRSS")), 0.0)


def watch_worker(
    path: Path, corpus: Corpus, *, every: int, kill_after: int | None
) -> tuple[list[tuple[int, float]], float, int]:
    """Run a worker; kill it once `kill_after` posts are written.

    Returns
    -------
    (posts written, GB) every so many posts, the peak in GB, and the exit code.
    """
    command = [sys.executable, __file__, "--worker", str(path)]
    worker = subprocess.Popen(command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stderr=subprocess.DEVNULL)
    samples: list[tuple[int, float]] = []
    peak, started, before = 0.0, time.monotonic(), _posts_written(corpus)
    while worker.poll() is None:
        rss, done = read_rss(worker.pid), _posts_written(corpus)
        peak = max(peak, rss)
        if rss and done > before and done // every > (samples[-1][0] // every if samples else -1):
            samples.append((done, rss))
            print(f"  {done:>8,} posts  {rss:.3f} GB  {time.monotonic() - started:7.0f} s", flush=True)
        if kill_after is not None and done >= kill_after:
            worker.send_signal(signal.SIGKILL)
        time.sleep(0.5)
    return samples, peak, worker.returncode


def _posts_written(corpus: Corpus) -> int:
    return PART_POSTS * len(list(corpus.folder.glob("predictions.partial/*/predictions-*")))


def measure_memory(*, n_posts: int, true_encoder: bool) -> bool:
    """Classify a long corpus, kill the run once and let it go on; print memory and say whether the bars are met."""
    with TemporaryDirectory(prefix="nlp-study-bench-") as scratch:
        path = make_long_corpus(Path(scratch), n_posts=n_posts, true_encoder=true_encoder)
        corpus = open_corpus(load_study(path).data_dir)
        print(f"{n_posts:,} posts, killed after a tenth of them")
        every = min(SAMPLE_POSTS, max(256, n_posts // 10))
        _, first_peak, code = watch_worker(path, corpus, every=every, kill_after=n_posts // 10)
        print(f"killed with code {code}; {_posts_written(corpus):,} posts lie there; going on")
        samples, peak, code = watch_worker(path, corpus, every=every, kill_after=None)
        rows = corpus.n_rows(TableName.PREDICTIONS)
        done, gb = np.array(samples[1:] or samples).T
        slope = float(np.polyfit(done, gb, 1)[0] * SAMPLE_POSTS * 1000) if len(done) > 1 else float("nan")
        peak = max(peak, first_peak)
        print(f"exit code {code}, {rows:,} predictions; peak {peak:.3f} GB, {slope:+.2f} MB per 10,000 posts")
        return code == 0 and rows == n_posts and peak <= BARS["memory_gb"]


def main() -> int:
    """Run and print; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few posts, two minutes")
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds of the two")
    parser.add_argument("--n-posts", type=int, default=24, help="posts a round")
    parser.add_argument("--labelled", type=int, default=200, help="labelled posts for macro-F1; 0: none")
    parser.add_argument("--threads", type=int, default=0, help="threads of both; 0: as torch has it")
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data", help="labelled real posts")
    parser.add_argument("--posts", type=int, default=0, help="measure memory over so many posts instead")
    parser.add_argument("--true-encoder", action="store_true", help="memory with the embedded encoder; takes hours")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        run_worker(options.worker)
        return 0
    if options.posts:
        return 0 if measure_memory(n_posts=options.posts, true_encoder=options.true_encoder) else 1
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    n_posts, n_rounds, n_labelled = (6, 2, 24) if options.quick else (options.n_posts, options.rounds, options.labelled)
    study = load_study(REPOSITORY / "study.toml")
    reader = study_reader(study, load_encoder(study.stance_encoder))
    names = tuple(map(str, study.study.stances))
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(len(names), reader.encoder.hidden_size)).astype(np.float32)
    ratio = compare_speed(
        reader,
        StanceProbe.of_head(names, weights, np.zeros(len(names), np.float32)),
        study,
        n_posts=n_posts,
        n_rounds=n_rounds,
    )
    difference = 0.0
    if n_labelled:
        found = options.data.is_dir()
        labelled = load_study(REPOSITORY / "corpus/id_stance.toml") if found else study
        difference = compare_quality(labelled, n_labelled=n_labelled)
    print(f"bar ratio >= {BARS['ratio']}: {'met' if ratio >= BARS['ratio'] else 'MISSED'}")
    if n_labelled:
        print(f"bar difference <= {BARS['f1']}: {'met' if difference <= BARS['f1'] else 'MISSED'}")
    return 0 if ratio >= BARS["ratio"] and difference <= BARS["f1"] else 1


if __name__ == "__main__":
    sys.exit(main())
