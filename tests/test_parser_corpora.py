"""Treebanks and entity corpora: reading, reconciling, cutting into the model's words."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import spacy

from nlp_study.errors import DataError
from nlp_study.parser.conllu import Sentence, Word, read_conllu, split_surface
from nlp_study.parser.corpora import retokenize, split_paragraphs, split_sentences
from nlp_study.parser.docs import Annotated, fill_layers, from_entities, make_doc, make_runs
from nlp_study.parser.entities import place_spaces, read_entities
from nlp_study.parser.lemmas import apply_edit, find_edit
from nlp_study.parser.scheme import Treebank, to_model_scheme, to_treebank_relation
from nlp_study.parser.teacher import Labelled
from nlp_study.parser.tokenizer import CliticLexicon, build_tokenizer, learn_lexicon

CONLLU = """# sent_id = s1
# text = Bukunya dibaca Rina.
1-2\tBukunya\t_\t_\t_\t_\t_\t_\t_\t_
1\tBuku\tbuku\tNOUN\tNSD\tNumber=Sing\t3\tnsubj:pass\t_\t_
2\tnya\tdia\tPRON\tPS3\tPerson=3\t1\tnmod:poss\t_\t_
3\tdibaca\tbaca\tVERB\tVSP\tVoice=Pass\t0\troot\t_\t_
3.1\tx\t_\t_\t_\t_\t_\t_\t_\t_
4\tRina\trina\tPROPN\tF--\t_\t3\tobl:agent\t_\tSpaceAfter=No
5\t.\t.\tPUNCT\tZ--\t_\t3\tpunct\t_\t_

"""


def word(form: str, upos: str, head: int, deprel: str, *, lemma: str = "", space: bool = True) -> Word:
    return Word(form, lemma or form, upos, "NN", "", head, deprel, space)


def test_multiword_tokens_become_words_that_give_the_text_back(tmp_path: Path) -> None:
    path = tmp_path / "a.conllu"
    path.write_text(CONLLU, encoding="utf-8")
    (sentence,) = read_conllu(path)
    assert sentence.text == "Bukunya dibaca Rina."
    assert [(w.form, w.head, w.space_after) for w in sentence.words] == [
        ("Buku", 3, False),
        ("nya", 1, True),
        ("dibaca", 0, True),
        ("Rina", 3, False),
        (".", 3, True),
    ]
    assert sentence.words[3].feats == ""


@pytest.mark.parametrize(
    ("text", "what"),
    [("1\tA\tB\n\n", "3 columns instead of 10"), (CONLLU.replace("\t0\troot", "\t9\troot"), "word 3 has head 9")],
)
def test_damaged_treebanks_are_refused(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "a.conllu"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=what):
        read_conllu(path)


def test_missing_treebank_says_where_it_belongs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is missing") as caught:
        read_conllu(tmp_path / "none.conllu")
    assert "shared/data/ud" in caught.value.remedy


@pytest.mark.parametrize(
    ("surface", "forms", "pieces"),
    [
        ("Bukunya", ["buku", "nya"], ["Buku", "nya"]),
        ("kubacanya", ["ku", "baca", "nya"], ["ku", "baca", "nya"]),
        ("sama2nya", ["sama-sama", "nya"], ["sama2", "nya"]),
        ("ku", ["ku"], ["ku"]),
    ],
)
def test_surface_is_cut_where_the_forms_say(surface: str, forms: list[str], pieces: list[str]) -> None:
    assert split_surface(surface, forms) == pieces


def test_direct_noun_modifier_is_compound_and_one_with_preposition_stays() -> None:
    sentence = Sentence(
        "x",
        (
            word("harga", "NOUN", 0, "root"),
            word("beras", "NOUN", 1, "nmod"),
            word("di", "ADP", 4, "case"),
            word("pasar", "NOUN", 1, "nmod"),
            word("Senen", "PROPN", 4, "nmod"),
        ),
    )
    made = to_model_scheme(sentence, Treebank.CSUI)
    assert [w.deprel for w in made.words] == ["root", "compound", "case", "nmod", "nmod"]
    assert {w.xpos for w in made.words} == {""}
    kept = to_model_scheme(sentence, Treebank.GSD)
    assert [w.deprel for w in kept.words] == ["root", "nmod", "case", "nmod", "nmod"]
    assert {w.xpos for w in kept.words} == {"NN"}
    assert to_treebank_relation("compound", Treebank.CSUI) == "nmod"
    assert to_treebank_relation("compound", Treebank.GSD) == "compound"


def test_lemmas_of_clitics_and_names_are_written_in_one_way() -> None:
    sentence = Sentence(
        "x",
        (
            word("Rina", "PROPN", 2, "nsubj", lemma="rina"),
            word("rumah", "NOUN", 0, "root", space=False),
            word("nya", "PRON", 2, "nmod:poss", lemma="dia"),
            word("ku", "PRON", 2, "nsubj", lemma="aku"),
        ),
    )
    made = to_model_scheme(sentence, Treebank.GSD)
    assert [w.lemma for w in made.words] == ["Rina", "rumah", "nya", "aku"]  # a `ku` that stands alone is no clitic


def test_old_scheme_gets_relations_of_today_and_leaves_lemmas_open() -> None:
    sentence = Sentence(
        "x",
        (
            word("Jawa", "PROPN", 0, "root"),
            word("Tengah", "PROPN", 1, "flat"),
            word("desa", "NOUN", 1, "appos"),
            word("Sembungan", "PROPN", 3, "flat"),
            word("yang", "PRON", 6, "nsubj"),
            word("indah", "ADJ", 3, "acl"),
            word("telah", "ADV", 9, "advmod"),
            word("untuk", "ADP", 9, "case"),
            word("dilihat", "VERB", 1, "advcl"),
            word("kedua", "NUM", 1, "nummod"),
        ),
    )
    made = to_model_scheme(sentence, Treebank.GSD_V2)
    assert [w.deprel for w in made.words] == [
        *("root", "flat:name", "appos", "nmod", "nsubj", "acl:relcl", "aux", "mark", "advcl", "amod"),
    ]
    assert [w.upos for w in made.words[6:]] == ["AUX", "SCONJ", "VERB", "ADJ"]
    assert {(w.lemma, w.xpos, w.feats) for w in made.words} == {("", "", "")}


@pytest.mark.parametrize(
    ("form", "lemma"),
    [
        ("menyapu", "sapu"),
        ("Pendanaan", "dana"),
        ("Jakarta", "Jakarta"),
        ("anak-anak", "anak"),
        ("Anak-anak", "anak"),
        ("kebijakan-kebijakan", "bijak"),
        ("nya", "dia"),
        ("di", "di"),
    ],
)
def test_edit_makes_the_lemma_it_was_found_for(form: str, lemma: str) -> None:
    assert apply_edit(form, find_edit(form, lemma)) == lemma


def test_edit_carries_over_to_other_words() -> None:
    assert apply_edit("menyalin", find_edit("menyapu", "sapu")) == "salin"
    assert apply_edit("ab", find_edit("Pendanaan", "dana")) == "ab"  # cuts more than there is


LEXICON = CliticLexicon(
    frozenset({"hanya", "biasanya"}), {"tidakkah": ("tidak", "kah"), "kubaca": ("ku", "baca")}, frozenset({"dr."})
)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Bukunya hanya satu.", "Buku nya hanya satu ."),
        ("Tidakkah (biasanya) kubaca?", "Tidak kah ( biasanya ) ku baca ?"),
        ("Sekolah itu 2015-2016, naik 5%.", "Sekolah itu 2015 - 2016 , naik 5 % ."),
        ("anak-anaknya ditanya", "anak-anak nya dita nya"),
        ("BUKUNYA di U.S. dan https://a.id/b?c=1", "BUKU NYA di U.S. dan https://a.id/b?c=1"),
        ("“Ya,” kata dr. Rina…", "“ Ya , ” kata dr. Rina …"),
    ],
)
def test_tokenizer_splits_clitics_and_keeps_the_text(text: str, tokens: str) -> None:
    doc = build_tokenizer(spacy.blank("id"), LEXICON)(text)
    assert [token.text for token in doc] == tokens.split()
    assert doc.text == text


def test_tokenizer_survives_its_own_file(tmp_path: Path) -> None:
    nlp = spacy.blank("id")
    nlp.tokenizer = build_tokenizer(nlp, LEXICON)
    nlp.to_disk(tmp_path / "m")
    text = "Tidakkah bukunya hanya satu?"
    assert [t.text for t in spacy.load(tmp_path / "m")(text)] == "Tidak kah buku nya hanya satu ?".split()


def test_lexicon_learns_from_treebanks_first() -> None:
    sentences = [
        Sentence("a", (word("buku", "NOUN", 0, "root", space=False), word("ku", "PRON", 1, "nmod:poss"))),
        Sentence("b", (word("umumnya", "ADV", 0, "root"), word("harus", "AUX", 1, "aux"))),
        Sentence("c", (word("harus", "AUX", 0, "root"),)),
    ]
    found = learn_lexicon(
        sentences,
        ["tanya", "sekolah", "baca"],
        {"bacalah": "baca", "baca": "baca", "sekolah": "seko", "tulislah": "tulis", "tulis": "tulis"},
        attested={"bacalah", "haruskah", "sekolah"},
    )
    assert found.whole == {"umumnya", "tanya"}
    assert found.split == {"bukuku": ("buku", "ku"), "bacalah": ("baca", "lah"), "haruskah": ("harus", "kah")}


ENTITIES = "Menurut ADP O\nHaposan NOUN B-PER\n, PUNCT O\nkantornya NOUN O\ndi ADP O\nJawa X B-LOC\nTengah X I-LOC\n\n"


def test_entities_are_cut_into_the_models_words(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(ENTITIES, encoding="utf-8")
    (sentence,) = read_entities(path)
    assert sentence.spaces == (True, False, True, True, True, True, False)
    cut = retokenize(sentence, build_tokenizer(spacy.blank("id"), LEXICON))
    assert cut.tokens == ("Menurut", "Haposan", ",", "kantor", "nya", "di", "Jawa", "Tengah")
    assert cut.tags == ("O", "B-PER", "O", "O", "O", "O", "B-LOC", "I-LOC")


def test_unknown_entity_labels_are_refused_and_nergrit_is_renamed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Ani\tB-PERSON\nITB\tB-ORGANISATION\n", encoding="utf-8")
    assert read_entities(path)[0].tags == ("B-PER", "B-ORG")
    path.write_text("Ani\tB-ANIMAL\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 1: unknown tag B-ANIMAL"):
        read_entities(path)


def test_spaces_are_put_back_around_quotation_marks() -> None:
    tokens = ["Kata", "dia", ",", '"', "Ya", "!", '"', "(", "pelan", ")", "."]
    spaces = place_spaces(tokens)
    text = "".join(t + (" " if s else "") for t, s in zip(tokens, spaces, strict=True))
    assert text == 'Kata dia, "Ya!" (pelan).'


def test_sentences_end_at_marks_but_not_at_abbreviations() -> None:
    assert split_sentences("Menurut Dr. Rina hal itu benar. Ia pulang ke Jl. Melati! “Ya.” Sudah") == [
        "Menurut Dr. Rina hal itu benar.",
        "Ia pulang ke Jl. Melati!",
        "“Ya.”",
        "Sudah",
    ]
    assert list(split_paragraphs("Judul\n\n| 1 | 2 | 3 | 4 | 5.\nIni satu kalimat pendek saja.")) == [
        ["Ini satu kalimat pendek saja."]
    ]


def test_document_of_two_sentences_has_their_trees_bounds_and_entities() -> None:
    first = Annotated(
        Sentence("a", (word("Rina", "PROPN", 2, "nsubj"), word("pergi", "VERB", 0, "root"))), ("B-PER", "O")
    )
    second = Annotated(Sentence("b", (word("Ya", "INTJ", 0, "root"),)), ("O",))
    doc = make_doc(spacy.blank("id").vocab, [first, second])
    assert doc.text == "Rina pergi Ya "
    assert [(t.head.i, t.dep_, t.is_sent_start) for t in doc] == [
        (1, "nsubj", True),
        (1, "ROOT", False),
        (2, "ROOT", True),
    ]
    assert [(e.text, e.label_) for e in doc.ents] == [("Rina", "PER")]


def test_open_layers_are_missing_not_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(ENTITIES, encoding="utf-8")
    doc = make_doc(spacy.blank("id").vocab, [from_entities(read_entities(path)[0])])
    assert not doc.has_annotation("DEP")
    assert not doc.has_annotation("MORPH")
    assert len(doc.ents) == 2
    bare = make_doc(doc.vocab, [Annotated(Sentence("a", (word("ya", "INTJ", 0, "root"),)))])
    assert bare[0].ent_iob == 0


def test_teacher_fills_only_what_people_left_open() -> None:
    gold = Annotated(
        Sentence("a", (Word("Rina", "Rina", "PROPN", "", "", 2, "nsubj", True), word("pergi", "VERB", 0, "root")))
    )
    said = Labelled(
        {
            "upos": ["NOUN", "NOUN"],
            "xpos": ["F--", "VSA"],
            "feats": ["Number=Sing", "Voice=Act"],
            "edit": ["low|-|0:|0:", "low|-|0:|0:"],
            "tag": ["B-PER", "O"],
        },
        [0, 1],
        ["root", "obj"],
        0.9,
    )
    filled = fill_layers(gold, said)
    assert [(w.lemma, w.upos, w.xpos, w.feats, w.head, w.deprel) for w in filled.sentence.words] == [
        ("Rina", "PROPN", "F--", "", 2, "nsubj"),
        ("pergi", "VERB", "NN", "", 0, "root"),
    ]
    assert filled.tags == ("B-PER", "O")


def test_runs_hold_every_sentence_once() -> None:
    sentences = [Annotated(Sentence(str(i), (word("a", "X", 0, "root"),))) for i in range(23)]
    runs = list(make_runs(sentences, rng=random.Random(1)))
    assert [one for run in runs for one in run] == sentences
    assert {len(run) for run in runs} <= {1, 2, 3, 4, 5}
