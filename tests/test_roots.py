from __future__ import annotations

import pytest

from nlp_study.roots import MISLEADING_ROOTS, find_root


@pytest.mark.parametrize(
    ("root", "forms"),
    [
        ("dukung", "dukung mendukung didukung dukungan pendukung mendukungnya dukunglah"),
        ("jual", "menjual dijual penjual penjualan berjualan terjual jualan"),
        ("ekonomi", "ekonomi perekonomian ekonominya keekonomian"),
        ("kunjung", "mengunjungi kunjungan dikunjungi pengunjung berkunjung"),
        ("lapak", "lapak-lapak lapak-lapaknya pelapak"),
        ("masuk", "memasuki masukan pemasukan termasuk dimasukkan"),
        ("rasa", "merasa perasaan terasa dirasakan"),
        ("rusak", "merusak kerusakan dirusak rusaknya"),
        ("didik", "mendidik pendidikan terdidik"),
        ("adil", "keadilan adil seadilnya"),
        ("kirim", "mengirim ngirim ngirimnya ngirimin pengiriman"),
    ],
)
def test_all_forms_of_a_root(root, forms):
    assert {form: find_root(form) for form in forms.split()} == dict.fromkeys(forms.split(), root)


@pytest.mark.parametrize(
    "form", ["mereka", "kepada", "sekali", "pegawai", "nasi", "peluang", "anda", "asa", "bel", "per", "meni"]
)
def test_roots_stay_as_they_are_the_misleading_ones_as_well(form):
    assert find_root(form) == form


@pytest.mark.parametrize("clitic", ["nya", "lah", "kah", "ku", "mu", "pun", "kau"])
def test_a_clitic_by_itself_is_its_own_root(clitic):
    assert find_root(clitic) == clitic


@pytest.mark.parametrize(
    ("form", "root"),
    [("Mendukung", "dukung"), ("3.000", "3.000"), ("Covid-19", "covid-19"), ("café", "café"), ("...", "..."), ("", ""),
     ("e-commerce", "e-commerce"), ("Rp5.000", "rp5.000")],
)  # fmt: skip
def test_case_numbers_and_foreign_letters(form, root):
    assert find_root(form) == root


def test_misleading_roots_are_lower_case_words():
    assert all(root.isalpha() and root == root.lower() for root in MISLEADING_ROOTS)
