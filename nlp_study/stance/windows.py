"""Windows over long posts: what the encoder reads, and how much of the post that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nlp_study.stance.pairs import Pair, names_target

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one pair.

    `encoded[i]` holds the tokenizer's fields for window i (`input_ids`, `attention_mask`, perhaps `token_type_ids`), each a
    list of at most `window_tokens` ints. `spans[i]` is the range of the post's tokens in window i, `ranks[i]` how telling
    the window is (0: the most), `named[i]` how often it names the target. `n_tokens_total` counts the tokens of the whole
    post; special tokens and the target's are not counted. `hidden[i]`, where it is filled, is the window after the frozen
    layers, shape (n_tokens, hidden).
    """

    encoded: list[dict[str, list[int]]]
    spans: list[tuple[int, int]]
    ranks: list[int]
    n_tokens_total: int
    named: list[int] = field(default_factory=list)
    hidden: list[torch.Tensor] | None = None

    @property
    def n_tokens(self) -> int:
        """Tokens of the post that stand in these windows, each counted once."""
        read, end = 0, 0
        for low, high in self.spans:
            read += max(0, high - max(low, end))
            end = max(end, high)
        return read

    def limit(self, n_windows: int) -> Windows:
        """Return the `n_windows` most telling windows, in the order of the text."""
        kept = [i for i, rank in enumerate(self.ranks) if rank < n_windows]
        return self if len(kept) == len(self.ranks) else self._pick(kept)

    def only(self, i: int) -> Windows:
        """Return window `i` alone."""
        return self._pick([i])

    def _pick(self, kept: Sequence[int]) -> Windows:
        return replace(
            self,
            encoded=[self.encoded[i] for i in kept],
            spans=[self.spans[i] for i in kept],
            ranks=[self.ranks[i] for i in kept],
            named=[self.named[i] for i in kept] if self.named else [],
            hidden=None if self.hidden is None else [self.hidden[i] for i in kept],
        )


def cut_windows(
    pairs: Sequence[Pair],
    tokenizer: PreTrainedTokenizerFast,
    *,
    window_tokens: int,
    overlap: int,
    prefix: str = "",
    chunk: int = 256,
) -> Iterator[Windows]:
    """Yield the windows of each pair, in order.

    The target stands in front of every window, so that each is a complete (target, passage) input. Neighbouring windows
    share `overlap` tokens, so that no sentence is only seen cut. The most telling window is the first (title and opening),
    then the last (many writers turn at the end), then those that name the target most often.

    Parameters
    ----------
    pairs : shape (n_pairs,).
    window_tokens : tokens in a window, target and special tokens included.
    overlap : tokens that neighbouring windows share.
    prefix : put before the target, for encoders trained with one (`query: `).
    chunk : pairs tokenized at a time.
    """
    for start in range(0, len(pairs), chunk):
        batch = pairs[start : start + chunk]
        encoding = tokenizer(
            [prefix + pair.target_text for pair in batch],
            [pair.text for pair in batch],
            truncation="only_second",
            max_length=window_tokens,
            stride=overlap,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        owners = encoding["overflow_to_sample_mapping"]
        members: list[list[int]] = [[] for _ in batch]
        for window, owner in enumerate(owners):
            members[owner].append(window)
        for pair, windows in zip(batch, members, strict=True):
            yield _collect(pair, windows, encoding)


def _collect(pair: Pair, windows: list[int], encoding: Any) -> Windows:
    offsets = [_text_offsets(encoding, window) for window in windows]
    every = sorted(set().union(*offsets))
    position = {span: i for i, span in enumerate(every)}
    named = names_target(pair.text, pair.aliases)
    hits = [sum(1 for low, high in named if found and found[0][0] <= low and high <= found[-1][1]) for found in offsets]
    last = len(windows) - 1
    order = sorted(range(len(windows)), key=lambda i: (i != 0, i != last, -hits[i], i))
    fields = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in encoding]
    return Windows(
        encoded=[{name: encoding[name][window] for name in fields} for window in windows],
        spans=[(position[found[0]], position[found[-1]] + 1) if found else (0, 0) for found in offsets],
        ranks=[order.index(i) for i in range(len(windows))],
        n_tokens_total=len(every),
        named=hits,
    )


def _text_offsets(encoding: Any, window: int) -> list[tuple[int, int]]:
    """Character spans of the post's tokens in a window; tokens of zero width (a bare space piece) count as well."""
    sequence = encoding.sequence_ids(window)
    return sorted(
        {
            (low, high)
            for (low, high), owner in zip(encoding["offset_mapping"][window], sequence, strict=True)
            if owner == 1
        }
    )
