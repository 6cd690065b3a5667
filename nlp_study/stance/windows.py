"""Windows over long posts: what the encoder reads, and how much of the post that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlp_study.stance.pairs import Pair, names_target

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one pair.

    `encoded[i]` holds the tokenizer's fields for window i (`input_ids`, `attention_mask`, perhaps `token_type_ids`), each a
    list of at most `window_tokens` ints. `n_tokens` counts the post's tokens in these windows, each once; `n_tokens_total`
    those of the whole post. Special tokens and the target's tokens are in neither.
    """

    encoded: list[dict[str, list[int]]]
    n_tokens: int
    n_tokens_total: int


def cut_windows(
    pairs: Sequence[Pair],
    tokenizer: PreTrainedTokenizerFast,
    *,
    window_tokens: int,
    overlap: int,
    prefix: str = "",
    max_windows: int | None = None,
    chunk: int = 256,
) -> Iterator[Windows]:
    """Yield the windows of each pair, in order; with `max_windows`, the most telling ones.

    The target stands in front of every window, so that each is a complete (target, passage) input. Neighbouring windows
    share `overlap` tokens, so that no sentence is only seen cut. Under a limit the first window (title and opening), those
    that name the target, and the last (many writers turn at the end) are kept, in the order of the text.

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
            yield _pick(pair, windows, encoding, max_windows)


def _pick(pair: Pair, windows: list[int], encoding: Any, max_windows: int | None) -> Windows:
    spans = [_text_spans(encoding, window) for window in windows]
    total = len(set().union(*spans)) if spans else 0
    chosen = list(range(len(windows)))
    if max_windows is not None and len(windows) > max_windows:
        named = names_target(pair.text, pair.aliases)
        hits = [sum(1 for low, high in named if _covers(span, low, high)) for span in spans]
        last = len(windows) - 1
        order = sorted(chosen, key=lambda i: (i != 0, i != last, -hits[i], i))
        chosen = sorted(order[:max_windows])
    fields = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in encoding]
    return Windows(
        encoded=[{name: encoding[name][windows[i]] for name in fields} for i in chosen],
        n_tokens=len(set().union(*(spans[i] for i in chosen))) if chosen else 0,
        n_tokens_total=total,
    )


def _text_spans(encoding: Any, window: int) -> set[tuple[int, int]]:
    """Character spans of the post's tokens in a window; tokens of zero width (a bare space piece) count as well."""
    sequence = encoding.sequence_ids(window)
    return {
        (low, high)
        for (low, high), owner in zip(encoding["offset_mapping"][window], sequence, strict=True)
        if owner == 1
    }


def _covers(span: set[tuple[int, int]], low: int, high: int) -> bool:
    if not span:
        return False
    return min(s for s, _ in span) <= low and high <= max(e for _, e in span)
