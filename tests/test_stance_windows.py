from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from nlp_study.stance.pairs import Pair
from nlp_study.stance.windows import cut_windows


@pytest.fixture(scope="module")
def tokenizer(tiny_bert):
    return AutoTokenizer.from_pretrained(tiny_bert)


def pair(text):
    return Pair("p", "pasar daring", "pasar daring", text, ("lapak daring",), "g")


def windows(tokenizer, text, **options):
    options = {"window_tokens": 32, "overlap": 4, **options}
    return next(iter(cut_windows([pair(text)], tokenizer, **options)))


def test_a_short_post_is_one_window_with_the_target_in_front(tokenizer):
    found = windows(tokenizer, "warung kopi pagi")
    assert tokenizer.convert_ids_to_tokens(found.encoded[0]["input_ids"]) == [
        "[CLS]", "pasar", "daring", "[SEP]", "warung", "kopi", "pagi", "[SEP]",
    ]  # fmt: skip
    assert found.encoded[0]["token_type_ids"] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert (found.n_tokens, found.n_tokens_total) == (3, 3)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 300), overlap=st.integers(0, 12))
def test_every_token_is_read_and_counted_once(tokenizer, n, overlap):
    text = " ".join(["warung", "kopi", "hujan", "motor"][i % 4] for i in range(n))
    found = windows(tokenizer, text, overlap=overlap)
    assert found.n_tokens == found.n_tokens_total == n
    assert all(len(window["input_ids"]) <= 32 for window in found.encoded)
    inside = 32 - 5
    assert len(found.encoded) == (1 if n <= inside else -(-(n - overlap) // (inside - overlap)))


def test_a_limit_keeps_the_first_the_last_and_those_that_name_the_target(tokenizer):
    middle = "hujan " * 60 + "lapak daring " + "hujan " * 120
    text = "warung kopi " + middle + "rugi"
    everything = windows(tokenizer, text)
    found = everything.limit(3)
    shown = [tokenizer.decode(window["input_ids"]) for window in found.encoded]
    assert len(everything.encoded) > 3 and len(shown) == 3
    assert "warung kopi" in shown[0] and "lapak daring" in shown[1] and "rugi" in shown[2]
    assert 0 < found.n_tokens < found.n_tokens_total == everything.n_tokens


def test_an_empty_post_is_a_window_of_the_target_alone(tokenizer):
    found = windows(tokenizer, "")
    assert len(found.encoded) == 1 and found.n_tokens == 0


def test_batches_keep_the_order(tokenizer):
    texts = ["warung " * n for n in (50, 1, 90, 2)]
    found = list(cut_windows([pair(t) for t in texts], tokenizer, window_tokens=32, overlap=4, chunk=3))
    assert [item.n_tokens for item in found] == [50, 1, 90, 2]
