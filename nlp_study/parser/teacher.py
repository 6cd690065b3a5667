"""The teacher: the embedded encoder with heads for every layer of annotation, trained on the gold corpora.

It is thirty times the size of the model that ships and reads five corpora that do not agree in everything; each sentence
tells it which corpus it is from. Asked to label running text as one of them, it labels all of it in one scheme.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from nlp_study.errors import ModelError
from nlp_study.parser.trees import find_tree
from nlp_study.stance.layers import split_layers

if TYPE_CHECKING:
    from nlp_study.encoders import Encoder

LAYERS = ("upos", "xpos", "feats", "edit", "tag")
"""What is one label a word; `tag` is the entity tag, `edit` makes the lemma."""
IGNORED = -100
_ARC_SIZE = 256
_RELATION_SIZE = 128
_CORPUS_SIZE = 32
_STEP_TOKENS = 1200
_POOL = 256
N_LAYERS = 9
"""Layers of the encoder that are read. Grammar is found in the middle of such models; the top ones serve the sentence's
vector, and each costs a twelfth of the time."""
N_FROZEN = 1
"""Lowest layers that stay as they are; what they make of the training sentences is computed once."""
_LOSS_WEIGHTS = {"upos": 1.0, "xpos": 0.5, "feats": 0.5, "edit": 0.5, "tag": 1.0}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence for the teacher; a layer that its corpus lacks is None, a word that lacks it has an empty string."""

    forms: tuple[str, ...]
    corpus: str
    layers: dict[str, tuple[str, ...]]
    heads: tuple[int, ...] | None = None
    deprels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """What the teacher says of a sentence; `proba` is the geometric mean of the heads' probabilities."""

    layers: dict[str, list[str]]
    heads: list[int]
    deprels: list[str]
    proba: float


class Biaffine(nn.Module):
    """Scores of every (dependent, head) pair (Dozat & Manning 2017, arXiv:1611.01734).

    *Shape*: two inputs (batch, words, size) give (batch, n_out, words, words).
    """

    def __init__(self, size: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n_out, size + 1, size + 1))
        nn.init.normal_(self.weight, std=0.02 if n_out > 1 else 0.05)

    def forward(self, dependent: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
        """Score all pairs."""
        ones = torch.ones_like(dependent[..., :1])
        dependent, head = torch.cat([dependent, ones], -1), torch.cat([head, ones], -1)
        return torch.einsum("bxi,oij,byj->boxy", dependent, self.weight, head)


class TeacherModel(nn.Module):
    """Encoder, a vector for the corpus, one linear layer for each label layer, biaffine heads for the tree."""

    def __init__(self, encoder: nn.Module, hidden_size: int, labels: dict[str, list[str]]) -> None:
        super().__init__()
        self.encoder = encoder
        size = hidden_size + _CORPUS_SIZE
        self.corpus = nn.Embedding(len(labels["corpus"]), _CORPUS_SIZE)
        self.root = nn.Parameter(torch.zeros(1, 1, size))
        self.heads = nn.ModuleDict(
            {name: nn.Sequential(nn.Dropout(0.2), nn.Linear(size, len(labels[name]))) for name in LAYERS}
        )
        self.arc_dependent, self.arc_head = self._mlp(size, _ARC_SIZE), self._mlp(size, _ARC_SIZE)
        self.relation_dependent = self._mlp(size, _RELATION_SIZE)
        self.relation_head = self._mlp(size, _RELATION_SIZE)
        self.arc = Biaffine(_ARC_SIZE, 1)
        self.relation = Biaffine(_RELATION_SIZE, len(labels["deprel"]))

    @staticmethod
    def _mlp(size: int, out: int) -> nn.Module:
        return nn.Sequential(nn.Dropout(0.2), nn.Linear(size, out), nn.LeakyReLU(0.1), nn.Dropout(0.3))

    def pool(self, pieces: torch.Tensor, word_of_piece: torch.Tensor, n_words: int) -> torch.Tensor:
        """Return the mean over the pieces of each word.

        *Shape*: `pieces` (batch, pieces, hidden); `word_of_piece` (batch, pieces), -1 where a piece is no word's. Out:
        (batch, words, hidden).
        """
        index = torch.where(word_of_piece < 0, n_words, word_of_piece)
        sums = pieces.new_zeros(len(pieces), n_words + 1, pieces.shape[-1])
        sums.scatter_add_(1, index.unsqueeze(-1).expand_as(pieces), pieces)
        counts = pieces.new_zeros(len(pieces), n_words + 1)
        counts.scatter_add_(1, index, torch.ones_like(index, dtype=counts.dtype))
        return sums[:, :n_words] / counts[:, :n_words].clamp(min=1).unsqueeze(-1)

    def mark(self, words: torch.Tensor, corpus: torch.Tensor) -> torch.Tensor:
        """Put the vector of its corpus (batch,) behind every word."""
        return torch.cat([words, self.corpus(corpus).unsqueeze(1).expand(-1, words.shape[1], -1)], -1)

    def score_arcs(self, marked: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the scores of all arcs and what `score_relations` needs.

        *Shape*: `marked` (batch, words, size); arcs (batch, words + 1, words + 1), row dependent, column head, 0 the
        root; the other two (batch, words + 1, relation size).
        """
        rooted = torch.cat([self.root.expand(len(marked), -1, -1), marked], 1)
        arcs = self.arc(self.arc_dependent(rooted), self.arc_head(rooted)).squeeze(1)
        return arcs, self.relation_dependent(rooted), self.relation_head(rooted)

    def score_relations(self, dependent: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
        """Score the relations of chosen arcs: two inputs (n_arcs, relation size) give (n_arcs, n_relations)."""
        return self.relation(dependent.unsqueeze(1), head.unsqueeze(1)).flatten(1)


class Teacher:
    """A trained or untrained teacher; `fit` trains it, `label` reads sentences, `save` and `load_teacher` keep it."""

    def __init__(self, encoder: Encoder, labels: dict[str, list[str]]) -> None:
        from nlp_study.encoders import has_fast_bfloat16

        self.encoder = encoder
        self.labels = labels
        self.index = {name: {label: i for i, label in enumerate(found)} for name, found in labels.items()}
        body: Any = encoder.model
        body.encoder.layer = body.encoder.layer[:N_LAYERS]
        split = split_layers(body, min(N_FROZEN, len(body.encoder.layer) - 1))
        if split is None:
            raise ModelError(f"{encoder.name} cannot be split into layers", remedy="use a BERT or its kin")
        self.lower, self.upper = split
        self.lower.requires_grad_(False)
        self.model = TeacherModel(body, encoder.hidden_size, labels)
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bfloat16("cpu"))

    def fit(
        self,
        examples: Sequence[Example],
        *,
        epochs: int,
        seed: int,
        encoder_rate: float = 3e-4,
        head_rate: float = 2e-3,
        report: Callable[[int], Any] | None = None,
    ) -> None:
        """Train on the examples.

        Rates rise for the first tenth of the steps and then fall to zero; the encoder's lower layers learn slower, by a
        factor of 0.9 each.

        Parameters
        ----------
        examples : of any corpora that the labels know.
        report : called with the number of the epoch that has ended.
        """
        rng = random.Random(seed)
        pieces = self._cut(examples)
        lower = self._read_lower(pieces)
        groups = self._parameters(encoder_rate, head_rate)
        rates = [group["lr"] for group in groups]
        optimizer = torch.optim.AdamW(groups, weight_decay=0.01, betas=(0.9, 0.98))
        n_steps = sum(1 for _ in _batches(pieces, rng)) * epochs
        step = 0
        for epoch in range(epochs):
            self.model.train()
            for batch in _batches(pieces, rng):
                factor = min(step / (0.1 * n_steps), (n_steps - step) / (0.9 * n_steps))
                for group, rate in zip(groups, rates, strict=True):
                    group["lr"] = rate * max(factor, 0.0)
                for group, tuned in zip(optimizer.param_groups, groups, strict=True):
                    group["lr"] = tuned["lr"]
                loss = self._loss([examples[i] for i in batch], [pieces[i] for i in batch], [lower[i] for i in batch])
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_([p for group in groups for p in group["params"]], 1.0)
                optimizer.step()
                step += 1
            logger.info("epoch %d of %d, loss of the last batch %.3f", epoch + 1, epochs, float(loss.detach()))
            if report:
                report(epoch + 1)
        self.model.eval()

    @torch.inference_mode()
    def label(self, sentences: Sequence[Sequence[str]], corpus: str, *, tag_corpus: str) -> list[Labelled]:
        """Label sentences as if they were from `corpus`, and their entities as if from `tag_corpus`.

        Parameters
        ----------
        sentences : words, clitics apart; shape (n_sentences, n_words).

        Returns
        -------
        shape (n_sentences,).
        """
        self.model.eval()
        examples = [Example(tuple(forms), corpus, {}) for forms in sentences]
        pieces = self._cut(examples)
        found: list[Labelled | None] = [None] * len(examples)
        for batch in _batches(pieces, None):
            chosen = [examples[i] for i in batch]
            words = self._words(chosen, [pieces[i] for i in batch])
            marked = self.model.mark(words, self._corpus_ids([corpus] * len(batch)))
            arcs, dependents, candidates = self._arcs(marked, chosen)
            log_arcs = torch.log_softmax(arcs, -1).numpy()
            best = {name: head(marked).argmax(-1).numpy() for name, head in self.model.heads.items() if name != "tag"}
            tags = self.model.heads["tag"](self.model.mark(words, self._corpus_ids([tag_corpus] * len(batch)))).numpy()
            for row, i in enumerate(batch):
                n = len(examples[i].forms)
                heads = find_tree(log_arcs[row, : n + 1, : n + 1])
                numbers = np.arange(1, n + 1)
                relations = self.model.score_relations(dependents[row, numbers], candidates[row, heads])
                found[i] = Labelled(
                    {name: [self.labels[name][k] for k in values[row, :n]] for name, values in best.items()}
                    | {"tag": self._best_tags(tags[row, :n])},
                    [int(head) for head in heads],
                    self._best_relations(relations, heads),
                    math.exp(float(log_arcs[row, numbers, heads].mean())),
                )
        return [one for one in found if one is not None]

    def _best_relations(self, scores: torch.Tensor, heads: np.ndarray) -> list[str]:
        """`root` for the root and nothing else; shape (n_words, n_relations) of scores."""
        root = self.index["deprel"]["root"]
        scores = scores.clone()
        scores[:, root] = torch.where(torch.from_numpy(heads == 0), 1e9, -1e9)
        return [self.labels["deprel"][k] for k in scores.argmax(-1).tolist()]

    @torch.inference_mode()
    def embed_words(self, words: Sequence[str]) -> np.ndarray:
        """Return the vector of each word read alone; float32, shape (n_words, hidden)."""
        self.model.eval()
        examples = [Example((word,), "", {}) for word in words]
        pieces = self._cut(examples)
        vectors = np.zeros((len(words), self.encoder.hidden_size), np.float32)
        for batch in _batches(pieces, None):
            found = self._words([examples[i] for i in batch], [pieces[i] for i in batch])
            vectors[batch] = found[:, 0].numpy()
        return vectors

    def save(self, path: Path) -> None:
        """Keep weights and labels in one file."""
        torch.save({"labels": self.labels, "encoder": self.encoder.name, "state": self.model.state_dict()}, path)

    def _best_tags(self, scores: np.ndarray) -> list[str]:
        """The best sequence in which I- follows only B- or I- of its own kind (Viterbi)."""
        tags = self.labels["tag"]
        allowed = np.zeros((len(tags), len(tags)))
        for i, before in enumerate(tags):
            for j, tag in enumerate(tags):
                if tag.startswith("I-") and before[2:] != tag[2:]:
                    allowed[i, j] = -1e9
        first = np.array([-1e9 if tag.startswith("I-") else 0.0 for tag in tags])
        total, pointers = scores[0] + first, []
        for row in scores[1:]:
            steps = total[:, None] + allowed
            pointers.append(steps.argmax(0))
            total = steps.max(0) + row
        best = [int(total.argmax())]
        for pointer in reversed(pointers):
            best.append(int(pointer[best[-1]]))
        return [tags[k] for k in reversed(best)]

    def _cut(self, examples: Sequence[Example]) -> list[tuple[list[int], list[int]]]:
        """Pieces and the word of each (-1: none's), for every example."""
        encoding = self.encoder.tokenizer(
            [list(example.forms) for example in examples],
            is_split_into_words=True,
            truncation=True,
            max_length=self.encoder.max_length_tokens,
        )
        return [
            (ids, [-1 if word is None else word for word in encoding.word_ids(i)])
            for i, ids in enumerate(encoding["input_ids"])
        ]

    @torch.inference_mode()
    def _read_lower(self, pieces: Sequence[tuple[list[int], list[int]]]) -> list[torch.Tensor]:
        """What the frozen layers make of each sentence; bf16 where that is computed in, shape (n_pieces, hidden)."""
        kept: list[torch.Tensor] = [torch.empty(0)] * len(pieces)
        for batch in _batches(pieces, None):
            ids, mask, _ = self._pad([pieces[i] for i in batch])
            with self.autocast:
                hidden = self.lower(input_ids=ids, attention_mask=mask).last_hidden_state
            for row, i in enumerate(batch):
                kept[i] = hidden[row, : len(pieces[i][0])].to(torch.bfloat16).clone()
        return kept

    def _pad(self, pieces: Sequence[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Ids, mask and the word of each piece, all (batch, pieces)."""
        width = max(len(ids) for ids, _ in pieces)
        ids = torch.full((len(pieces), width), self.encoder.tokenizer.pad_token_id)
        mask = torch.zeros((len(pieces), width), dtype=torch.long)
        owner = torch.full((len(pieces), width), -1)
        for row, (piece_ids, words) in enumerate(pieces):
            ids[row, : len(piece_ids)] = torch.tensor(piece_ids)
            mask[row, : len(piece_ids)] = 1
            owner[row, : len(piece_ids)] = torch.tensor(words)
        return ids, mask, owner

    def _words(
        self,
        examples: Sequence[Example],
        pieces: Sequence[tuple[list[int], list[int]]],
        lower: Sequence[torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Vectors of the words, (batch, words, hidden), from the pieces or from what the lower layers made of them."""
        ids, mask, owner = self._pad(pieces)
        with self.autocast:
            if lower is None:
                hidden = self.model.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            else:
                below = torch.zeros(*ids.shape, self.encoder.hidden_size, dtype=torch.bfloat16)
                for row, one in enumerate(lower):
                    below[row, : len(one)] = one
                hidden = self.upper(inputs_embeds=below, attention_mask=mask).last_hidden_state
        return self.model.pool(hidden.float(), owner, max(len(example.forms) for example in examples))

    def _corpus_ids(self, names: Sequence[str]) -> torch.Tensor:
        return torch.tensor([self.index["corpus"][name] for name in names])

    def _arcs(
        self, marked: torch.Tensor, examples: Sequence[Example]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Arc scores with heads behind a sentence's end ruled out."""
        with self.autocast:
            arcs, dependents, candidates = self.model.score_arcs(marked)
        lengths = torch.tensor([len(example.forms) for example in examples])
        behind = (torch.arange(marked.shape[1] + 1) > lengths.unsqueeze(1)).unsqueeze(1)
        return arcs.float().masked_fill(behind, -1e4), dependents.float(), candidates.float()

    def _loss(
        self,
        examples: Sequence[Example],
        pieces: Sequence[tuple[list[int], list[int]]],
        lower: Sequence[torch.Tensor],
    ) -> torch.Tensor:
        words = self._words(examples, pieces, lower)
        marked = self.model.mark(words, self._corpus_ids([example.corpus for example in examples]))
        total = marked.new_zeros(())
        for name, weight in _LOSS_WEIGHTS.items():
            gold = torch.full(marked.shape[:2], IGNORED)
            for row, example in enumerate(examples):
                if labels := example.layers.get(name):
                    known = self.index[name]
                    gold[row, : len(labels)] = torch.tensor([known.get(x, IGNORED) if x else IGNORED for x in labels])
            if (given := gold != IGNORED).any():
                scores = self.model.heads[name](marked[given])
                total = total + weight * nn.functional.cross_entropy(scores, gold[given], label_smoothing=0.03)
        rows = [row for row, example in enumerate(examples) if example.heads is not None]
        if rows:
            total = total + self._tree_loss([examples[row] for row in rows], marked[rows])
        return total

    def _tree_loss(self, examples: Sequence[Example], marked: torch.Tensor) -> torch.Tensor:
        arcs, dependents, candidates = self._arcs(marked, examples)
        where, heads, names = [], [], []
        for row, example in enumerate(examples):
            for number, (head, deprel) in enumerate(zip(example.heads or (), example.deprels or (), strict=True), 1):
                where.append((row, number))
                heads.append(head)
                names.append(self.index["deprel"].get(deprel, IGNORED))
        rows, words = torch.tensor(where).T
        gold = torch.tensor(heads)
        loss = nn.functional.cross_entropy(arcs[rows, words], gold)
        relations = self.model.score_relations(dependents[rows, words], candidates[rows, gold])
        return loss + nn.functional.cross_entropy(
            relations, torch.tensor(names), ignore_index=IGNORED, label_smoothing=0.03
        )

    def _parameters(self, encoder_rate: float, head_rate: float) -> list[dict[str, Any]]:
        groups: dict[float, list[nn.Parameter]] = {}
        for name, parameter in self.model.named_parameters():
            if not parameter.requires_grad:
                continue
            rate = head_rate
            if name.startswith("encoder.encoder.layer."):
                rate = encoder_rate * 0.9 ** (N_LAYERS - 1 - int(name.split(".")[3]))
            groups.setdefault(rate, []).append(parameter)
        return [{"params": parameters, "lr": rate} for rate, parameters in groups.items()]


def collect_labels(examples: Sequence[Example]) -> dict[str, list[str]]:
    """Return the sorted labels of every layer, the relations and the corpora; an edit must occur twice."""
    counts: dict[str, dict[str, int]] = {name: {} for name in (*LAYERS, "deprel", "corpus")}
    for example in examples:
        for name in LAYERS:
            for label in example.layers.get(name) or ():
                if label:
                    counts[name][label] = counts[name].get(label, 0) + 1
        for label in example.deprels or ():
            counts["deprel"][label] = counts["deprel"].get(label, 0) + 1
        counts["corpus"][example.corpus] = counts["corpus"].get(example.corpus, 0) + 1
    least = {"edit": 2}
    return {name: sorted(x for x, n in found.items() if n >= least.get(name, 1)) for name, found in counts.items()}


def load_teacher(path: Path) -> Teacher:
    """Load what `Teacher.save` wrote.

    Raises
    ------
    ModelError : the file is missing.
    """
    from nlp_study.encoders import load_encoder

    try:
        stored = torch.load(path, weights_only=True)
    except FileNotFoundError:
        raise ModelError(f"no teacher at {path}", remedy="train it: `make parser`") from None
    teacher = Teacher(load_encoder(stored["encoder"], device="cpu", for_training=True), stored["labels"])
    teacher.model.load_state_dict(stored["state"])
    teacher.model.eval()
    return teacher


def _batches(pieces: Sequence[tuple[list[int], list[int]]], rng: random.Random | None) -> Iterator[list[int]]:
    """Batches of about equal length; with `rng` in random order, without in the order of length."""
    order = list(range(len(pieces)))
    if rng:
        rng.shuffle(order)
        pools = [sorted(order[k : k + _POOL], key=lambda i: len(pieces[i][0])) for k in range(0, len(order), _POOL)]
    else:
        pools = [sorted(order, key=lambda i: len(pieces[i][0]))]
    batches: list[list[int]] = []
    for pool in pools:
        batch: list[int] = []
        for i in pool:
            if batch and len(pieces[i][0]) * (len(batch) + 1) > _STEP_TOKENS:
                batches.append(batch)
                batch = []
            batch.append(i)
        batches.append(batch)
    if rng:
        rng.shuffle(batches)
    yield from batches
