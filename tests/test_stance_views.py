"""Sentences, runs around a target, and the inputs that are read of a post."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from nlp_study.stance.pairs import Pair
from nlp_study.stance.sentences import split_sentences, target_runs
from nlp_study.stance.views import VIEW_WEIGHTS, WHOLE_TEXT, cut_views


@pytest.fixture(scope="module")
def tokenizer(tiny_bert):
    return AutoTokenizer.from_pretrained(tiny_bert)


def pair(text, **values):
    return Pair("p", "pasar daring", "pasar daring", text, ("lapak daring",), "g", **values)


def views(tokenizer, text, **options):
    return next(iter(cut_views([pair(text)], tokenizer, **{"window_tokens": 32, "overlap": 4, **options})))


def sentences(text):
    return [text[low:high] for low, high in split_sentences(text)]


def test_sentences_end_at_marks_and_line_breaks_but_not_at_abbreviations():
    text = 'Warung tutup. "Kapan buka?" tanya dr. Ani.\n\nBesok! Di Jl. Melati No. 3…  Katanya\n'
    assert sentences(text) == [
        "Warung tutup.",
        '"Kapan buka?"',
        "tanya dr. Ani.",
        "Besok!",
        "Di Jl. Melati No. 3…",
        "Katanya",
    ]
    assert sentences(" \n ") == []


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='ab. !?\n"Dr…', max_size=80))
def test_sentences_hold_every_visible_character_once(text):
    spans = split_sentences(text)
    assert all(low < high for low, high in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


def test_runs_hold_the_sentences_beside_a_mention():
    text = "Satu. Dua. Lapak daring ramai. Empat. Lima. Enam. Tujuh. LAPAK DARING sepi."
    runs = target_runs(text, split_sentences(text), ["lapak daring"])
    assert [text[low:high] for low, high in runs] == ["Dua. Lapak daring ramai. Empat.", "Tujuh. LAPAK DARING sepi."]
    assert target_runs(text, split_sentences(text), []) == []


def test_a_long_run_is_closed():
    text = " ".join(f"Lapak daring {'kata ' * 40}akhir{i}." for i in range(6))
    runs = target_runs(text, split_sentences(text), ["lapak daring"])
    assert [len(text[low:high].split()) for low, high in runs] == [86, 86, 86]


def test_weights_add_up_and_the_title_weighs_what_it_should(tokenizer):
    body = "hujan " * 60 + ". Lapak daring warung. " + "kopi " * 60
    found = views(tokenizer, f"motor hujan\n\n{body}")
    assert sum(found.weights) == pytest.approx(1)
    shown = [tokenizer.decode(window["input_ids"]) for window in found.encoded]
    title = next(
        i for i, text in enumerate(shown) if "motor" in text and "kopi" not in text and text.count("hujan") == 1
    )
    assert found.weights[title] == pytest.approx(VIEW_WEIGHTS["title"] / sum(VIEW_WEIGHTS.values()))
    assert 0 < found.n_tokens <= found.n_tokens_total


def test_without_a_mention_all_windows_stand_in(tokenizer):
    found = views(tokenizer, "hujan " * 100)
    assert sum(found.weights) == pytest.approx(1)
    assert found.n_tokens == found.n_tokens_total == 100


def test_keywords_stand_for_the_target(tokenizer):
    text = "hujan " * 40 + ". " + "motor hujan. " * 30 + "warung kopi. " + "motor hujan. " * 30 + "hujan " * 40
    [plain] = cut_views([pair(text)], tokenizer, window_tokens=32, overlap=4)
    [near] = cut_views([pair(text, keywords=("kopi",))], tokenizer, window_tokens=32, overlap=4)
    assert near.n_tokens < plain.n_tokens


def test_the_whole_text_is_read_evenly_where_it_is_asked_for(tokenizer):
    found = views(tokenizer, "motor\n\n" + "hujan " * 100, view_weights=WHOLE_TEXT)
    assert len(set(found.weights)) == 1 and found.n_tokens == found.n_tokens_total


def test_offsets_point_into_the_text_of_the_pair(tokenizer):
    text = "motor hujan\n\nwarung. Lapak daring kopi. hujan"
    found = views(tokenizer, text)
    for window, offsets in zip(found.encoded, found.offsets, strict=True):
        tokens = tokenizer.convert_ids_to_tokens(window["input_ids"])
        for token, (low, high) in zip(tokens, offsets, strict=True):
            assert not high or text[low:high].lower() == token


def test_an_empty_post_is_read_as_the_target_alone(tokenizer):
    found = views(tokenizer, "")
    assert len(found.encoded) == 1 and found.weights == [pytest.approx(1)]
