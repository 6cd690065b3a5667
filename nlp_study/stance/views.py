"""What is read of a post about a target: its title, the sentences around each mention, opening and ending.

Each of these views is a few inputs (target, passage); the vector of a post is their mean, weighted. That is where stance
stands in long posts, and it is a third to a half of the text. The weights come from a sweep on real posts (docs/stance.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlp_study.stance.pairs import Pair, names_target
from nlp_study.stance.sentences import split_sentences, target_runs

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VIEW_WEIGHTS = {"title": 1.0, "sentences": 2.0, "windows": 1.0, "ends": 1.0}
"""`windows` are those of the whole text that name the target, `ends` the first and the last. Where the target is never named
all windows stand in for the second and the third; a missing title only drops out."""

WHOLE_TEXT = {"text": 1.0}
"""All windows alike, as fine-tuned encoders read them."""


@dataclass(frozen=True, slots=True)
class Views:
    """The inputs of one pair.

    `encoded[i]` holds the tokenizer's fields, `weights[i]` the input's share of the post's vector (they add up to 1),
    `offsets[i]` the character span in the pair's text of each token, (0, 0) for special tokens and the target's.
    `n_tokens` counts the tokens of the text that stand in some input, `n_tokens_total` all of them.
    """

    encoded: list[dict[str, list[int]]]
    weights: list[float]
    offsets: list[list[tuple[int, int]]]
    n_tokens: int
    n_tokens_total: int


@dataclass(slots=True)
class _Plan:
    """Where each input of a chunk of pairs comes from: passages are cut from the text before they are tokenized."""

    passages: list[str]
    targets: list[str]
    owners: list[int]
    starts: list[int]
    views: list[str]


def cut_views(
    pairs: Sequence[Pair],
    tokenizer: PreTrainedTokenizerFast,
    *,
    window_tokens: int,
    overlap: int,
    prefix: str = "",
    view_weights: Mapping[str, float] = VIEW_WEIGHTS,
    chunk: int = 128,
) -> Iterator[Views]:
    """Yield the inputs of each pair, in order.

    Parameters
    ----------
    pairs : shape (n_pairs,).
    window_tokens : tokens of an input at most, target and special tokens included.
    overlap : tokens that neighbouring windows of the whole text share.
    prefix : put before the target.
    view_weights : `VIEW_WEIGHTS` or `WHOLE_TEXT`.
    chunk : pairs tokenized at a time.
    """
    for start in range(0, len(pairs), chunk):
        batch = pairs[start : start + chunk]
        plan = _plan(batch, view_weights)
        encoding = tokenizer(
            [prefix + target for target in plan.targets],
            plan.passages,
            truncation="only_second",
            max_length=window_tokens,
            stride=overlap,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        members: list[list[int]] = [[] for _ in batch]
        for row, passage in enumerate(encoding["overflow_to_sample_mapping"]):
            members[plan.owners[passage]].append(row)
        for pair, rows in zip(batch, members, strict=True):
            yield _collect(pair, rows, plan, encoding, view_weights)


def _plan(pairs: Sequence[Pair], view_weights: Mapping[str, float]) -> _Plan:
    plan = _Plan([], [], [], [], [])
    for owner, pair in enumerate(pairs):
        title_end = pair.text.find("\n\n") if "\n\n" in pair.text else 0
        spans = [("text", 0, len(pair.text))]
        if "title" in view_weights and pair.text[:title_end].strip():
            spans.append(("title", 0, title_end))
        if "sentences" in view_weights:
            names = (*pair.aliases, *pair.keywords)
            runs = target_runs(pair.text, split_sentences(pair.text), names, start=title_end)
            spans += [("sentences", low, high) for low, high in runs]
        for view, low, high in spans:
            plan.passages.append(pair.text[low:high])
            plan.targets.append(pair.target_text)
            plan.owners.append(owner)
            plan.starts.append(low)
            plan.views.append(view)
    return plan


def _collect(pair: Pair, rows: Sequence[int], plan: _Plan, encoding: Any, view_weights: Mapping[str, float]) -> Views:
    fields = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in encoding]
    passages = encoding["overflow_to_sample_mapping"]
    offsets = {row: _offsets(encoding, row, plan.starts[passages[row]]) for row in rows}
    found: dict[str, list[int]] = {"text": [], "title": [], "sentences": []}
    for row in rows:
        found[plan.views[passages[row]]].append(row)
    weights = _weigh(found, _named_windows(pair, found["text"], offsets), view_weights)
    kept = [row for row in rows if weights.get(row)]
    every = {span for row in found["text"] for span in offsets[row] if span[1]}
    read = {span for row in kept for span in offsets[row] if span[1]}
    return Views(
        encoded=[{name: encoding[name][row] for name in fields} for row in kept],
        weights=[weights[row] for row in kept],
        offsets=[offsets[row] for row in kept],
        n_tokens=min(len(read), len(every)),
        n_tokens_total=len(every),
    )


def _weigh(found: Mapping[str, list[int]], named: list[int], view_weights: Mapping[str, float]) -> dict[int, float]:
    """Spread each view's weight over its inputs; a window may stand in two views."""
    windows = found["text"]
    views = {
        "text": windows,
        "title": found["title"],
        "sentences": found["sentences"] or windows,
        "windows": named or windows,
        "ends": sorted({windows[0], windows[-1]}),
    }
    present = {view: weight for view, weight in view_weights.items() if views[view]}
    total = sum(present.values())
    weights: dict[int, float] = {}
    for view, weight in present.items():
        for row in views[view]:
            weights[row] = weights.get(row, 0.0) + weight / total / len(views[view])
    return weights


def _named_windows(pair: Pair, windows: Sequence[int], offsets: dict[int, list[tuple[int, int]]]) -> list[int]:
    named = names_target(pair.text, (*pair.aliases, *pair.keywords))
    kept = []
    for row in windows:
        spans = [span for span in offsets[row] if span[1]]
        if spans and any(spans[0][0] <= low and high <= spans[-1][1] for low, high in named):
            kept.append(row)
    return kept


def _offsets(encoding: Any, row: int, start: int) -> list[tuple[int, int]]:
    sequence = encoding.sequence_ids(row)
    return [
        (low + start, high + start) if owner == 1 else (0, 0)
        for (low, high), owner in zip(encoding["offset_mapping"][row], sequence, strict=True)
    ]
