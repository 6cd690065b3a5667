"""Listing pages: cards, what stands between them, and the pages that hold them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from scripts.replica.chrome import TICK, make_document, make_sidebar, print_day
from scripts.replica.truth import HOST, Truth

CARDS_PER_INDEX_PAGE = 14
CARDS_PER_TAG_PAGE = 20
VISIBLE_CARDS = 10
"""Cards below these are in the page with `display: none`, on pages that have "Load More"."""


def make_card(post: Truth, *, hidden: bool = False, teaser: bool = False, carousel: bool = False) -> str:
    """Return an article's card; quotation marks of the title are not escaped in `alt`, which stands twice."""
    link, profile = HOST + post.link_path, f"{HOST}/{post.author_id}"
    style = "display: none" if hidden else ""
    source = "data-src" if post.index % 4 == 1 else "src"
    image = f"https://assets-a3.kompasiana.com/items/album/2018/03/19/foto-{post.post_id}.jpg?t=o&v=400&x=225"
    has_photo = post.caption is not None or carousel
    photo = (
        f'<div class="artikel--img">\n                    <a href="{link}"><img {source}="{image}" alt="{post.title}"'
        f' alt="{post.title}"></a>\n                </div>'
        if has_photo
        else ""
    )
    classes = "timeline--item timeline--artikel "
    classes += "timeline--trenpekanini__artikel" if carousel else "" if has_photo else "timeline--artikel__nphoto"
    tick = TICK if post.index % 3 == 0 else ""
    exact = f'<span><abbr class="timeago" title="{post.published_at:%Y-%m-%d %H:%M}:41">3 hari lalu</abbr></span>'
    date = f"{print_day(post.published_at)}{exact}" if carousel else f"{print_day(post.published_at)} | 2 jam lalu"
    text = post.body[0].text[:150] if teaser and post.body else ""
    lead = f"<p>{escape(text, quote=False)}</p>" if text else ""
    counts = (post.n_views or 0, post.n_ratings or 0) + (() if carousel else (post.n_comments or 0,))
    items = "".join(
        f'<div class="artikel--count__item"><div class="icon"><svg class="icon"></svg></div>{n}</div>' for n in counts
    )
    return (
        f'    <div style="{style}" class="{classes}">\n'
        '        <!-- <div class="timeline__ribbon" title="Tambahkan ke Favorit"><a href="">+</a></div> -->\n'
        f'        <div class="artikel">\n                {photo}\n            <div class="artikel--content">\n'
        '                <div class="thumb-user clearfix"><div class="user-img mr10">'
        f'<a href="{profile}"><img src="https://assets-a1.kompasiana.com/images/avatar/w.jpg?t=t&v=40&x=40"'
        f' alt="{post.author}"></a></div>\n'
        '                    <div class="user-box col-lg-12 col-md-12 col-sm-12 col-xs-12">\n'
        f'                        <a href="{profile}">{escape(post.author)}                             {tick}\n'
        f'                        </a>\n                        <div class="date-box">{date}</div>\n'
        f'                    </div></div>\n                <h2 class="title mt40"><a href="{link}">'
        f"{escape(post.title, quote=False)}</a></h2>{lead}\n            </div>\n        </div>\n"
        '        <div class="artikel-foot clearfix"><div class="artikel--left artikel--tag">'
        f'<span>{escape(post.category)}</span></div><div class="artikel--right artikel--count">{items}</div></div>\n'
        "    </div>\n"
    )


def make_index(
    posts: Sequence[Truth], *, page: int, n_pages: int, category: str, day: str, others: Sequence[Truth]
) -> str:
    """Return a page of the daily index, `/indeks?page=&category=&date=`."""
    cards = [make_card(post) for post in posts]
    cards[3:3] = [_OTHER_ITEMS.replace("{day}", day)] if posts else []
    body = "".join(cards) or '<div class="empty">Tidak ada artikel.</div>'
    links = "".join(
        f'<li><a href="{HOST}/indeks?page={n}&category={category}&date={day}">{n}</a></li>'
        for n in range(1, max(n_pages, 1) + 1)
    )
    inner = (
        f'<div class="indeks-filter"><input type="date" name="date" value="{day}"></div>\n<div class="timeline">\n{body}'
        f'</div>\n<ul class="pagination" data-page="{page}">{links}</ul>'
    )
    return _frame(inner, others, title="Indeks Artikel - Kompasiana.com")


def make_tag(tag: str, posts: Sequence[Truth], others: Sequence[Truth]) -> str:
    """Return a tag's page: its first 20 cards, whatever page was asked for."""
    cards = "".join(make_card(post, teaser=True) for post in posts[:CARDS_PER_TAG_PAGE])
    inner = (
        f'<h1>{escape(tag)}</h1><div class="timeline" id="index_tag">\n{cards}</div>\n'
        '<div class="more-stories text-center"><a id="load-more-index-tag" href="javascript:void(0)">Load More</a></div>'
        f"<script>var tagName = {json.dumps(tag).replace('</', '')}, perPage = 20;</script>"
    )
    return _frame(inner, others, title=f"Artikel Terkait {tag} - Kompasiana.com")


def make_tag_json(posts: Sequence[Truth]) -> str:
    """Return the answer of `/ajax/tag/posts`: a fragment of cards under `data_array.view`."""
    view = "".join(make_card(post, teaser=True) for post in posts)
    return json.dumps({"status": "success", "data_array": {"view": view, "total": len(posts)}})


def make_cards_page(title: str, posts: Sequence[Truth], others: Sequence[Truth], *, head: str = "") -> str:
    """Return a category, search or profile page: cards, those below the tenth hidden until "Load More"."""
    cards = "".join(make_card(post, hidden=at >= VISIBLE_CARDS) for at, post in enumerate(posts))
    more = '<div class="more-stories text-center mt20"><a class="load-more" onclick="loadMore()">Load More</a></div>'
    return _frame(f'{head}<div class="timeline">\n{cards}{more}\n</div>', others, title=f"{title} - Kompasiana.com")


def make_profile(post: Truth, posts: Sequence[Truth], others: Sequence[Truth]) -> str:
    """Return an author's page."""
    head = (
        f'<div id="profile_cover"></div><div class="user-img"><img src="x.jpg" alt="{post.author}"></div>'
        f'<div class="poin-pangkat">Taruna</div><div class="poin-total"><b>1.204</b></div><p>{escape(post.author_bio or "")}'
        "</p>"
    )
    return make_cards_page(f"Halaman Artikel Profil {post.author}", posts, others, head=head)


def make_home(posts: Sequence[Truth], *, until: datetime) -> str:
    """Return the home page: a headline slide, cards, a carousel with duplicates, items that are no articles."""
    if not posts:
        return _frame("", posts, title="Beyond Blogging - Kompasiana.com")
    slide = posts[0]
    head = (
        '<div class="headline mb20 clearfix"><div id="slide" class="slide-side"><div class="slick-slide"><div'
        f' class="slick-content"><div class="artikel--tag"><span>{escape(slide.category)}</span></div>'
        f'<a href="{HOST}{slide.link_path}" class="slick-link"><h1 class="slick-headline">'
        f"{escape(slide.title, quote=False)}</h1></a></div></div></div></div>"
    )
    cards = [make_card(post, hidden=at >= VISIBLE_CARDS) for at, post in enumerate(posts)]
    nested = "".join(
        f'<div class="timeline--trenpekanini__item">{make_card(post, carousel=True)}</div>' for post in posts[1:4]
    )
    cards[2:2] = [
        '<div class="timeline--item timeline--trenpekanini"><div class="title-dash"><span>Tren Pekan Ini</span></div>'
        f"{nested}</div>\n"
    ]
    cards[5:5] = [_OTHER_ITEMS.replace("{day}", print_day(until + timedelta(days=3)))]
    more = '<div class="more-stories text-center mt20"><a class="load-more" onclick="loadMore()">Load More</a></div>'
    inner = f'{head}<div class="timeline">\n{"".join(cards)}{more}\n</div>'
    return _frame(inner, posts[:5], title="Beyond Blogging - Kompasiana.com")


# The official account's posts are linked, but they stand in no card and are not among the replica's posts.
_OTHER_ITEMS = (
    '<div class="timeline--item timeline--inform"><span class="close">x</span><h4>Kompasiana Update</h4><p>Lengkapi'
    f' <a href="{HOST}/kompasiana/5a8ab86316835f18d02daa62/lengkapi-profil" target="_blank">profil Anda</a>.</p></div>\n'
    '<div class="timeline--item timeline--event"><div class="title-dash"><span>Event</span></div>'
    f'<a href="{HOST}/kompasiana/5aa7631ecbe523730b0411b3/yuk-menulis-bersama"><h3 class="event-title">Yuk, "Menulis"'
    ' Bersama! {day}</h3><img src="x.png" alt="Yuk, "Menulis" Bersama!"></a></div>\n'
    '<div class="timeline--item timeline--write"><a href="https://sso.kompas.com/login/abc/def/"><div>Ceritakan'
    ' pengalaman <br>dalam hidupmu<button class="btn-tulis">Mulai Nulis</button></div></a></div>\n'
)


def _frame(inner: str, others: Sequence[Truth], *, title: str) -> str:
    body = (
        f'<section class="home-page"><div class="leftside col-lg-8 col-md-8 col-sm-8">\n<!-- s : timeline -->\n{inner}\n'
        f"<!-- e : timeline -->\n</div>\n{make_sidebar(others[:4], others[4:5])}</section>"
    )
    return make_document('    <meta name="adx:sections" content="Home" />\n', body, title=title)
