"""Train the stance reader: upper layers of the embedded encoder that learn favor, against and neutral toward any target.

Two steps: English claims and perspectives (Perspectrum, CC BY-SA 4.0), then the project's own Indonesian passages
(`corpus/passages/`). The lowest layers and the embeddings stay as they are, and what they make of a text is computed once.
About ten minutes on two cores with bf16. See docs/stance.md for what was tried.

    python scripts/build_reader.py --perspectrum ../shared/data/stance_foreign/perspectrum.jsonl
"""

from __future__ import annotations

import argparse
import copy
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from nlp_study.encoders import Encoder, has_fast_bfloat16, load_encoder
from nlp_study.stance.layers import split_layers
from nlp_study.stance.reader import save_reader

REPOSITORY = Path(__file__).resolve().parent.parent
STANCES = ("favor", "against", "neutral")
PREFIX = "query: sikap terhadap "
FIRST_LAYER = 6
MAX_TOKENS = 256
STEP_TOKENS = 1600
LAYER_DECAY = 0.9
HELD_OUT = 0.06


@dataclass(frozen=True)
class Example:
    """A text about a target; `group` is held out whole; a `binary` source knows no neutral."""

    target: str
    text: str
    label: int
    group: str
    binary: bool


def read_perspectrum(path: Path) -> list[Example]:
    """Return claims with their perspectives."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [Example(r["target"], r["text"], STANCES.index(r["stance"]), f"claim {r['claim_id']}", True) for r in rows]


def read_passages(path: Path, *, n_parts: int) -> list[Example]:
    """Return the passages of the first parts, one example a target; passages that stand together are one group."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        part, number = row["id"].split("-")
        if int(part.removeprefix("p")) > n_parts:
            continue
        for target, stance in row["stances"].items():
            found.append(Example(target, row["text"], STANCES.index(stance), f"{part} {int(number) // 9}", False))
    return found


class Trainer:
    """Trains the upper layers and a linear layer on examples, step after step."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.model = copy.deepcopy(encoder.model)
        split = split_layers(self.model, FIRST_LAYER)
        if split is None:
            raise SystemExit("the encoder cannot be split")
        self.lower, self.upper = split
        self.head = nn.Linear(encoder.hidden_size, len(STANCES))
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bfloat16("cpu"))

    def train(self, examples: Sequence[Example], *, epochs: float, learning_rate: float, head_rate: float) -> float:
        """Train and return the accuracy on held-out groups."""
        lower = self._read_lower(examples)
        groups = sorted({example.group for example in examples})
        held = set(np.random.default_rng(1).choice(groups, max(3, int(len(groups) * HELD_OUT)), replace=False))
        train = [i for i, example in enumerate(examples) if example.group not in held]
        test = [i for i, example in enumerate(examples) if example.group in held]
        parameters = self._parameters(learning_rate, head_rate)
        optimizer = torch.optim.AdamW(parameters, weight_decay=0.01)
        rates = [group["lr"] for group in optimizer.param_groups]
        n_steps = int(len(list(self._batches(train, lower, shuffle=True))) * epochs)
        step = 0
        with tqdm(total=n_steps, desc="train", unit=" steps") as bar:
            while step < n_steps:
                for batch in self._batches(train, lower, shuffle=True):
                    factor = min(1.0, step / (0.06 * n_steps + 1)) * max(0.0, 1 - step / n_steps)
                    for group, rate in zip(optimizer.param_groups, rates, strict=True):
                        group["lr"] = rate * factor
                    loss = nn.functional.cross_entropy(
                        self._scores(batch, examples, lower), torch.tensor([examples[i].label for i in batch])
                    )
                    optimizer.zero_grad()
                    loss.backward()
                    nn.utils.clip_grad_norm_([p for p in self.model.parameters() if p.requires_grad], 1.0)
                    optimizer.step()
                    step += 1
                    bar.update()
                    if step >= n_steps:
                        break
        return self._accuracy(test, examples, lower)

    @torch.inference_mode()
    def _read_lower(self, examples: Sequence[Example]) -> list[torch.Tensor]:
        tokenizer = self.encoder.tokenizer
        ids = tokenizer(
            [PREFIX + example.target for example in examples],
            [example.text for example in examples],
            truncation="only_second",
            max_length=MAX_TOKENS,
        )["input_ids"]
        kept: list[torch.Tensor] = [torch.empty(0)] * len(ids)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        for start in tqdm(range(0, len(order), 16), desc="lower layers", unit=" batches"):
            batch = order[start : start + 16]
            width = max(len(ids[i]) for i in batch)
            tokens = torch.full((len(batch), width), tokenizer.pad_token_id)
            mask = torch.zeros((len(batch), width), dtype=torch.long)
            for row, i in enumerate(batch):
                tokens[row, : len(ids[i])] = torch.tensor(ids[i])
                mask[row, : len(ids[i])] = 1
            with self.autocast:
                hidden = self.lower(input_ids=tokens, attention_mask=mask).last_hidden_state
            for row, i in enumerate(batch):
                kept[i] = hidden[row, : len(ids[i])].to(torch.bfloat16).clone()
        return kept

    def _scores(self, batch: Sequence[int], examples: Sequence[Example], lower: list[torch.Tensor]) -> torch.Tensor:
        width = max(len(lower[i]) for i in batch)
        hidden = torch.zeros(len(batch), width, self.encoder.hidden_size, dtype=torch.bfloat16)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        for row, i in enumerate(batch):
            hidden[row, : len(lower[i])] = lower[i]
            mask[row, : len(lower[i])] = 1
        with self.autocast:
            out = self.upper(inputs_embeds=hidden, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).float()
        scores: torch.Tensor = self.head((out.float() * weights).sum(1) / weights.sum(1))
        binary = torch.tensor([examples[i].binary for i in batch])
        never = torch.where(binary, -20.0, 0.0)
        return scores + torch.stack([torch.zeros_like(never), torch.zeros_like(never), never], 1)

    def _batches(self, rows: Sequence[int], lower: list[torch.Tensor], *, shuffle: bool) -> Iterator[list[int]]:
        order = list(rows)
        if shuffle:
            random.shuffle(order)
        pools = [sorted(order[k : k + 512], key=lambda i: len(lower[i])) for k in range(0, len(order), 512)]
        batches: list[list[int]] = []
        for pool in pools:
            batch: list[int] = []
            for i in pool:
                if batch and len(lower[i]) * (len(batch) + 1) > STEP_TOKENS:
                    batches.append(batch)
                    batch = []
                batch.append(i)
            batches.append(batch)
        if shuffle:
            random.shuffle(batches)
        yield from batches

    def _parameters(self, learning_rate: float, head_rate: float) -> list[dict[str, Any]]:
        layers: Any = self.model.encoder.layer
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)
        groups: list[dict[str, Any]] = [{"params": list(self.head.parameters()), "lr": head_rate}]
        for number in range(FIRST_LAYER, len(layers)):
            for parameter in layers[number].parameters():
                parameter.requires_grad_(True)
            rate = learning_rate * LAYER_DECAY ** (len(layers) - 1 - number)
            groups.append({"params": list(layers[number].parameters()), "lr": rate})
        return groups

    @torch.inference_mode()
    def _accuracy(self, rows: Sequence[int], examples: Sequence[Example], lower: list[torch.Tensor]) -> float:
        hits = [
            int(score.argmax()) == examples[i].label
            for batch in self._batches(rows, lower, shuffle=False)
            for i, score in zip(batch, self._scores(batch, examples, lower), strict=True)
        ]
        return float(np.mean(hits))


def main() -> None:
    """Run both steps and save the layers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--perspectrum", type=Path, required=True, help="claim-perspective pairs, JSONL")
    parser.add_argument("--passages", type=Path, default=REPOSITORY / "corpus" / "passages" / "passages.jsonl")
    parser.add_argument("--parts", type=int, default=8, help="passages of the first parts only; more made it worse")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "models" / "e5-small-id-stance")
    parser.add_argument("--epochs", type=float, default=4, help="passes over the passages")
    parser.add_argument(
        "--rate", type=float, default=1.5e-4, help="peak learning rate of the top layer on the passages"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    trainer = Trainer(load_encoder("e5-small-id", for_training=True))
    found = trainer.train(read_perspectrum(options.perspectrum), epochs=2, learning_rate=6e-5, head_rate=1e-3)
    print(f"claims held out: accuracy {found:.3f}")
    passages = read_passages(options.passages, n_parts=options.parts)
    found = trainer.train(passages, epochs=options.epochs, learning_rate=options.rate, head_rate=2e-4)
    print(f"passages held out: accuracy {found:.3f}")
    save_reader(options.output, trainer.encoder, trainer.model, trainer.head, first_layer=FIRST_LAYER, prefix=PREFIX)
    print(f"saved {options.output}")


if __name__ == "__main__":
    main()
