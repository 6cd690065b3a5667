"""Real things, small: a tiny BERT on disk, a study with invented posts."""

from __future__ import annotations

import csv
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from nlp_study.store import Corpus, open_corpus

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"

needs_shared_data = pytest.mark.skipif(
    not SHARED_DATA.is_dir(), reason="the private evaluation data does not lie beside the project"
)

GOOD = "terbantu naik untung lancar senang maju lega berkembang".split()
BAD = "rugi terjerat sepi bangkrut kecewa mahal tercekik turun".split()
PLAIN = "warung pasar kios motor sambal terasi bensin hujan pelanggan anak kampung pagi sore beras telur kopi".split()

STUDY = """
[study]
name = "small"
title_id = "Studi kecil"
title_en = "Small study"
stances = ["favor", "against", "neutral"]
seed = 7

[[targets]]
id = "pasar daring"
name = "pasar daring"
aliases = ["lapak daring"]

[[sources]]
name = "posts"
path = "posts.jsonl"
format = "jsonl"

[[labels]]
path = "labels.csv"

[encoder]
name = "{encoder}"

[segments]
min_words = 10
max_words = 30

[stance]
epochs = 1
frozen_layers = 0
window_tokens = 64
window_overlap = 8
folds = 2
seeds = [1]
"""


def make_sentence(index: int, tone: list[str]) -> str:
    """Return an invented sentence; every index gives another one."""
    words = random.Random(index).sample(PLAIN, 6)
    return f"Di {words[0]} nomor {index} {words[1]} {tone[index % len(tone)]} karena {' '.join(words[2:])}."


def write_posts(folder: Path, *, n_posts: int = 24, n_authors: int = 8) -> list[dict[str, object]]:
    """Write `posts.jsonl` and `labels.csv` with invented posts, three stances in turn."""
    tones = {"favor": GOOD, "against": BAD, "neutral": GOOD + BAD}
    posts, labels = [], []
    for i in range(n_posts):
        stance = list(tones)[i % 3]
        post_id = f"{0x64000000 + i * 86400 * 11:08x}{i:016x}"
        posts.append(
            {
                "post_id": post_id,
                "title": f"Catatan ke-{i} tentang lapak daring",
                "author": f"Penulis {i % n_authors}",
                "author_id": f"penulis{i % n_authors}",
                "published_at": f"2024-{1 + i % 5:02d}-{1 + i % 28:02d}T09:00:00+07:00",
                "paragraphs": [
                    " ".join(make_sentence(100 * i + 10 * p + s, tones[stance]) for s in range(2)) for p in range(3)
                ],
            }
        )
        labels.append({"post_id": post_id, "target": "pasar daring", "stance": stance, "annotator": "a1"})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "posts.jsonl").write_text("".join(json.dumps(post) + "\n" for post in posts), encoding="utf-8")
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, ["post_id", "target", "stance", "annotator"])
        writer.writeheader()
        writer.writerows(labels)
    return posts


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with IndoBERT's architecture and a WordPiece tokenizer, two narrow layers, saved as the hub would serve it."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny-bert")
    words = sorted({*GOOD, *BAD, *PLAIN, *"di nomor karena catatan ke tentang lapak pasar daring".split()})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *"abcdefghijklmnopqrstuvwxyz0123456789.,-"]
    pieces += [f"##{piece}" for piece in "abcdefghijklmnopqrstuvwxyz0123456789"]
    vocab = folder / "vocab.txt"
    vocab.write_text("\n".join(pieces) + "\n", encoding="utf-8")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=128,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    BertTokenizerFast(vocab=str(vocab), do_lower_case=True).save_pretrained(folder)
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """An empty corpus."""
    return open_corpus(tmp_path / "data")


@pytest.fixture
def make_study(tmp_path: Path, tiny_bert: Path) -> Callable[..., Path]:
    """Return a function that writes a small study and returns its file."""

    def make(*, n_posts: int = 24, n_authors: int = 8, extra: str = "", study: str = STUDY) -> Path:
        folder = tmp_path / "study"
        write_posts(folder, n_posts=n_posts, n_authors=n_authors)
        path = folder / "study.toml"
        path.write_text(study.format(encoder=tiny_bert) + extra, encoding="utf-8")
        return path

    return make
