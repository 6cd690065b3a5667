"""What surrounds every page: head, menu, sidebars, footer. Attribute values are not escaped, as on the site."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from nlp_study.extract.dates import MONTHS
from scripts.replica.truth import HOST, Truth

MENU = (
    ("ekonomi", "Ekonomi"),
    ("fiksiana", "Fiksiana"),
    ("gayahidup", "Gaya Hidup"),
    ("hiburan", "Hiburan"),
    ("humaniora", "Humaniora"),
    ("politik", "Politik"),
    ("wisata", "Wisata"),
)
TICK = '<svg class="icon icon-verifikasi icon-blue"><use xlink:href="#icon-verifikasi"></use></svg>'


def print_day(moment: datetime) -> str:
    """Return `19 Maret 2018`."""
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}"


def print_time(moment: datetime, gap: str = " \u00a0 ") -> str:
    """Return `16 April 2019   06:20`; the gap holds a no-break space, as a character or an entity."""
    return f"{print_day(moment)}{gap}{moment:%H:%M}"


def make_document(head: str, body: str, *, title: str) -> str:
    """Return a whole page."""
    menu = "".join(f'<li><a href="{HOST}/{slug}">{name}</a></li>' for slug, name in MENU)
    return (
        '<!DOCTYPE html>\n<!-- <html lang="id" > -->\n<html lang="id">\n<head>\n    <meta charset="utf-8">\n'
        '    <meta http-equiv="X-UA-Compatible" content="IE=edge">\n'
        '    <meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '    <meta name="robots" content="index, follow" />\n    <meta name="ROBOTS" content="NOODP, NOYDIR" />\n'
        '    <meta property="og:type" content="article" />\n    <meta property="og:site_name" content="KOMPASIANA" />\n'
        f'{head}    <meta property="og:type" content="website" />\n    <title>{escape(title, quote=False)}</title>\n'
        "    <script>var keywordBrandSafety = 'warung, pasar'; window._taq = window._taq || [];</script>\n"
        "</head>\n<body>\n"
        '<noscript><iframe src="https://www.googletagmanager.com/ns.html" height="0" width="0"></iframe></noscript>\n'
        f'<header>\n  <form action="{HOST}/search_artikel" method="get"><input type="text" name="q" id="text_search"'
        f' placeholder="Cari artikel disini"></form>\n  <ul class="kategori-list">{menu}'
        f'<li><a href="{HOST}/categories">SEMUA RUBRIK</a></li></ul>\n'
        f'  <ul><li class="bottom-bar--menu"><a href="{HOST}/popular">Terpopuler</a></li>'
        f'<li class="bottom-bar--menu"><a href="{HOST}/headline">Pilihan Editor</a></li>'
        f'<li class="bottom-bar--menu"><a href="{HOST}/latest">Terbaru</a></li></ul>\n</header>\n'
        '<div class="banner-top"><div id="div-gpt-ad-101-0"><script>googletag.display("div-gpt-ad-101-0");</script></div>'
        f"</div>\n{body}\n"
        f'<footer><ul><li><a href="{HOST}/tentang-kompasiana">Tentang Kompasiana</a></li>'
        f'<li><a href="{HOST}/syarat-ketentuan">Syarat dan Ketentuan</a></li></ul>'
        "<p>Dari warga, untuk warga. Hak cipta pada penulisnya.</p></footer>\n</body>\n</html>\n"
    )


def make_sidebar(popular: Sequence[Truth], featured: Sequence[Truth]) -> str:
    """Return the boxes beside a page; the featured article is linked in the form of 2016."""
    items = "".join(
        '\t\t<div class="terpopuler--item"><div class="user-box col-lg-12"><h4 class="title-side">\n'
        f'\t\t\t<a href="{HOST}{post.link_path}" class="title">\n\t\t\t\t{escape(post.title, quote=False)}\t\t</a></h4>\n'
        f'\t\t\t<a href="{HOST}/{post.author_id}">\n\t\t\t\t{escape(post.author)}\n\t\t\t</a>'
        f'<div class="read-box"><div class="read-box--count__item">{post.n_views or 0}</div></div></div></div>\n'
        for post in popular
    )
    features = "".join(
        f'<div class="terpopuler--item"><h4 class="title-side"><a href="{HOST}{post.old_path}" class="title">'
        f"{escape(post.title, quote=False)}\t</a></h4><p>Tulisan pilihan minggu ini.</p></div>"
        for post in featured
    )
    return (
        '<div class="sidebar col-lg-4 col-md-4 col-sm-4 mt20 clearfix">\n\t<div class="terpopuler terpopuler--box">\n'
        f'\t\t<a href="{HOST}/popular"><h2 class="title-dash"><span>TERPOPULER</span></h2></a>\n{items}\t</div>\n'
        '\t<div class="terpopuler feature--box"><h2 class="title-dash"><span>FEATURED ARTICLE</span></h2>'
        f'{features}</div>\n\t<div id="trending_place"></div><div id="terbaru_place"></div>'
        f'<div class="topik-pilihan"><a href="{HOST}/topic/pasar-rakyat">'
        '<img src="https://assets-a2.kompasiana.com/items/album/x.jpg?t=o&v=480" alt=""></a></div>\n</div>\n'
    )
