"""Addresses of articles, times in ids, keys made of text."""

from __future__ import annotations

import gzip
import hashlib
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_study.extract.urls import ArticleUrl, make_post_id, parse_article_url, read_object_id_time
from nlp_study.schema import TIMEZONE

SHARED = Path(__file__).parents[1].parent / "shared" / "data"
ID24 = "5aafc4b5dd0fa87b5f4d5e13"
CANONICAL = f"https://www.kompasiana.com/warga.desa/{ID24}/pasar-pagi-di-gawai"


@pytest.mark.parametrize(
    "url",
    [
        CANONICAL,
        f"http://kompasiana.com/warga.desa/{ID24}/pasar-pagi-di-gawai",
        f"https://www.kompasiana.com/warga.desa/pasar-pagi-di-gawai_{ID24}",
        f" http://www.kompasiana.com/warga.desa/pasar-pagi-di-gawai_{ID24}?fromyusril=1\n",
        f"https://www.kompasiana.com/amp/warga.desa/{ID24}/pasar-pagi-di-gawai",
        f"https://www.kompasiana.com/komentar/warga.desa/{ID24}/pasar-pagi-di-gawai",
        f"https://www.kompasiana.com/amp/warga.desa/pasar-pagi-di-gawai_{ID24}",
        f"{CANONICAL}?page=all#section1",
        f"{CANONICAL}?page=2&page_images=3",
        f"{CANONICAL}#section1?page=2",
        f"{CANONICAL}/",
        f"HTTPS://WWW.Kompasiana.com/warga.desa/{ID24.upper()}/pasar-pagi-di-gawai",
        f"www.kompasiana.com/warga.desa/{ID24}/pasar-pagi-di-gawai",
        f"//www.kompasiana.com:443/warga.desa/{ID24}/pasar-pagi-di-gawai",
    ],
)
def test_every_address_of_an_article_has_one_identity(url: str) -> None:
    article = parse_article_url(url)
    assert article == ArticleUrl("warga.desa", ID24, "pasar-pagi-di-gawai")
    assert article.canonical_url == CANONICAL


@pytest.mark.parametrize(
    "user", ["greg.nafanu", "masykur_ideas", "junaedi-jun", "www.acehdigest.com", "kompasiana.com.aat", "044_etik1036"]
)
def test_users_may_look_like_anything(user: str) -> None:
    for url in (f"https://www.kompasiana.com/{user}/{ID24}/judul", f"http://www.kompasiana.com/{user}/judul_{ID24}"):
        article = parse_article_url(url)
        assert article is not None
        assert (article.user, article.slug) == (user, "judul")


def test_an_address_cut_after_the_id_has_no_slug() -> None:
    article = parse_article_url(f"https://www.kompasiana.com/warga/{ID24}")
    assert article is not None
    assert article.canonical_url == f"https://www.kompasiana.com/warga/{ID24}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://www.kompasiana.com/",
        "https://www.kompasiana.com/warga.desa",
        "https://www.kompasiana.com/tag/ekonomi-digital?page=2",
        "https://www.kompasiana.com/indeks?page=2&category=&date=2023-01-02",
        "http://sejarah.kompasiana.com/2013/09/20/latar-sejarah-sebuah-candi-593515.html",
        f"https://example.org/warga/{ID24}/judul",
        f"https://www.kompasiana.com.example.org/warga/{ID24}/judul",
        f"https://www.kompasiana.com/amp/{ID24}/judul",
        f"https://www.kompasiana.com/komentar/{ID24}/judul",
        f"https://www.kompasiana.com/warga/{ID24[:-1]}/judul",
        f"https://www.kompasiana.com/warga/{ID24[:-1]}g/judul",
        f"https://www.kompasiana.com/tautan?ke=/warga/{ID24}/judul",
    ],
)
def test_other_addresses_are_not_articles(url: str) -> None:
    assert parse_article_url(url) is None


_users = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,30}", fullmatch=True).filter(
    lambda user: user not in {"amp", "komentar"}
)
_slugs = st.from_regex(r"[a-z0-9][a-z0-9-]{0,80}", fullmatch=True)
_ids = st.from_regex(r"[0-9a-f]{24}", fullmatch=True)


@given(
    user=_users,
    slug=_slugs,
    id24=_ids,
    old=st.booleans(),
    host=st.sampled_from(["https://www.", "http://www.", "https://", "http://"]),
    prefix=st.sampled_from(["", "amp/", "komentar/"]),
    tail=st.sampled_from(["", "/", "?page=all", "?a=1", "#section1", "?page=2&page_images=16#x"]),
)
def test_built_addresses_parse_back(
    user: str, slug: str, id24: str, old: bool, host: str, prefix: str, tail: str
) -> None:
    path = f"{slug}_{id24}" if old else f"{id24}/{slug}"
    article = parse_article_url(f"{host}kompasiana.com/{prefix}{user}/{path}{tail}")
    assert article == ArticleUrl(user, id24, slug)
    assert parse_article_url(article.canonical_url) == article


def test_id_times() -> None:
    assert read_object_id_time("5aafc4b5dd0fa87b5f4d5e13") == datetime(2018, 3, 19, 21, 9, 57, tzinfo=TIMEZONE)
    # The id says March 2015; the page printed 23 Februari 2014.
    assert read_object_id_time("54f84de8a33311d5618b456a") is None


def test_id_times_are_trusted_from_may_2015() -> None:
    first = int(datetime(2015, 5, 1, tzinfo=TIMEZONE).timestamp())
    assert read_object_id_time(f"{first:08x}" + "0" * 16) == datetime(2015, 5, 1, tzinfo=TIMEZONE)
    assert read_object_id_time(f"{first - 1:08x}" + "0" * 16) is None


@pytest.mark.parametrize("wrong", ["", "5aafc4b5", "z" * 24, ID24 + "0"])
def test_what_is_no_id_has_no_time(wrong: str) -> None:
    with pytest.raises(ValueError, match="24 hexadecimal digits"):
        read_object_id_time(wrong)


def test_made_ids_hash_author_title_time_and_first_paragraph() -> None:
    published_at = datetime(2024, 6, 18, 9, 34, tzinfo=TIMEZONE)
    digest = hashlib.sha256(b"Warga\nPasar\n2024-06-18T09:34:00+07:00\nKalimat pertama.").hexdigest()
    made = make_post_id(author="Warga", title="Pasar", published_at=published_at, first_paragraph="Kalimat pertama.")
    assert made == f"sha-{digest[:20]}"
    bare = make_post_id(author=None, title="", published_at=None, first_paragraph="Kalimat pertama.")
    assert bare == "sha-" + hashlib.sha256(b"\n\n\nKalimat pertama.").hexdigest()[:20]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the private evaluation data is not beside the repository")
def test_all_real_article_addresses_parse() -> None:
    with gzip.open(SHARED / "kompasiana" / "article_urls_2022-2023.txt.gz", "rt", encoding="utf-8") as file:
        urls = file.read().split()
    articles = [parse_article_url(url) for url in urls]
    assert len(urls) == 6002
    assert all(articles)
    assert len({article.id24 for article in articles if article}) == 6002
    # All but the one in the old form are canonical already.
    assert sum(article.canonical_url == url for article, url in zip(articles, urls, strict=True) if article) == 6001
