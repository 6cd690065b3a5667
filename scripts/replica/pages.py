"""Article pages and their twins (AMP, comments), for every layout; elements in the order in which readers see them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from html import escape

from scripts.replica.blocks import DISCLAIMER_2022, DISCLAIMER_2023
from scripts.replica.bodies import PAGED_LAYOUTS, make_promo, render_body, split_pages
from scripts.replica.chrome import TICK, make_document, make_sidebar, print_time
from scripts.replica.posts import Article
from scripts.replica.truth import HOST, Era, State, Truth, slug_of

NO_ARTICLE = {
    0: "This Article has been deleted.",
    1: "This content has been removed for violating Kompasiana Terms and Conditions",
    2: None,
}
BLOCKED = (
    '<div class="user-blocked"><h4>Akun Diblokir</h4>'
    "<p>Akun ini diblokir karena melanggar Syarat dan Ketentuan Kompasiana.</p>"
    f'<p>Untuk informasi lebih lanjut Anda dapat menghubungi kami melalui <a href="{HOST}/bantuan/faq">fitur bantuan</a>.'
    "</p></div>"
)
COMMENT_RULE = (
    "Berkomentarlah secara bijaksana dan bertanggung jawab. Komentar sepenuhnya menjadi tanggung jawab komentator"
    " seperti diatur dalam UU ITE"
)
GRID = "col-lg-9 col-md-9 col-sm-9 col-xs-9"


def render_article(
    article: Article,
    *,
    page: int | None,
    related: Sequence[tuple[str, str]],
    others: Sequence[Truth],
    rng: random.Random,
) -> str:
    """Return the desktop page of an article.

    Parameters
    ----------
    page : page of the article, from 1; `None` is `?page=all`. A page that does not exist gives the last.
    related : title and address for the "Baca juga" paragraphs.
    others : posts for sidebars and the list of related ones.
    """
    truth = article.truth
    promo = make_promo(truth.layout, truth.index)
    pages = split_pages(article.blocks, promo, truth.layout)
    shown = pages if page is None else [pages[min(max(page, 1), len(pages)) - 1]]
    blocks = [block for part in shown for block in part]
    is_last = promo is not None and bool(blocks) and blocks[-1] is promo
    body = render_body(
        blocks[:-1] if is_last else blocks, promo if is_last else None, truth.layout, related=related, rng=rng
    )
    is_modern = truth.layout in PAGED_LAYOUTS
    keyword = " read__keyword" if is_modern else ""
    number = page or 1
    suffix = f" Halaman {number}" if len(pages) > 1 and (page is not None or truth.index % 3 == 0) else ""
    main = "\n".join(
        (
            f'<div class="page_position" data-position="read" data-profile="{truth.author_id}" data-menu="read"'
            f' data-read="{truth.post_id}" data-channel="12"></div>',
            f'<div id="id_post" data-id="{truth.post_id}" data-recipientid="12"></div>',
            '<section class="read-page"><div class="leftside col-lg-8 col-md-8 col-sm-8"><div class="read-artikel">',
            '<div class="loading-box">Mohon tunggu...</div>',
            _make_author(truth),
            f'<div class="artikel--tag"><span>{escape(truth.category)}</span>'
            + (f"<span>{truth.badge}</span>" if truth.badge else "")
            + "</div>",
            f'<div class="read-artikel__title"><h1 class="title">{escape(truth.title, quote=False)}</h1></div>',
            _make_counts(truth, rng),
            _make_photo(truth),
            f'<div class="read-content{keyword} {GRID}" itemprop="articleBody">',
            body,
            "</div>",
            _make_pager(truth, len(pages)) if is_modern else "",
            "</div>",
            _make_below(truth, others) if is_modern else _make_below_2018(truth, others),
            "</div>",
            make_sidebar(others[:4], others[4:5]),
            "</section>",
        )
    )
    title = f"{truth.title}{suffix} - Kompasiana.com"
    return make_document(_make_head(truth, suffix, rng), main, title=title)


def render_no_article(truth: Truth, others: Sequence[Truth]) -> str:
    """Return the page of a deleted post: a message, or the frame of an article without its body."""
    message = NO_ARTICLE[_deleted_kind(truth)]
    if message is None:
        inner = f'<div class="read-artikel"><div class="loading-box">Mohon tunggu...</div>{_make_author(truth)}</div>'
    else:
        inner = f'<div class="read-artikel"><div class="alert"><p>{message}</p></div></div>'
    body = f'<section class="read-page"><div class="leftside">{inner}</div>{make_sidebar(others[:4], others[4:5])}</section>'
    return make_document("", body, title="Kompasiana.com")


def deleted_status(truth: Truth) -> int:
    """Return the status of a deleted post's page; that of the live site is not known, so both are served."""
    return 410 if _deleted_kind(truth) == 1 else 200


def _deleted_kind(truth: Truth) -> int:
    return 2 if truth.index % 40 not in (7, 27) else int(truth.index % 40 == 27)


def render_amp(article: Article) -> str:
    """Return the AMP twin: no publication date, the first page only."""
    truth = article.truth
    pages = split_pages(article.blocks, make_promo(truth.layout, truth.index), truth.layout)
    body = "\n".join(block.html.replace("<img ", "<amp-img ") for block in pages[0])
    more = f'<a href="{HOST}{truth.page_path}?page=2">Halaman Selanjutnya</a>' if len(pages) > 1 else ""
    return (
        f'<!doctype html>\n<html amp lang="id">\n<head><meta charset="utf-8"><title>{escape(truth.title)}</title>'
        f'<link rel="canonical" href="{HOST}{truth.page_path}"><style amp-boilerplate>body{{}}</style></head>\n<body>'
        f'<a href="{HOST}{truth.page_path}">Lihat ke Halaman Asli</a>'
        f'<div class="user-box"><a href="{HOST}/{truth.author_id}">{escape(truth.author)}</a> <span>TERVERIFIKASI</span>'
        f"<p>{escape(truth.author_bio or truth.author_job or '')}</p></div>"
        f'<h1 class="title">{escape(truth.title, quote=False)}</h1>'
        f"<p>Diperbarui:&nbsp;{print_time(truth.updated_at)}</p><p>{DISCLAIMER_2023}</p>"
        f"<p>{escape(truth.caption or '')}</p>"
        f'<div class="read-content" itemprop="articleBody">{body}</div>{more}'
        "<h3>BERI NILAI</h3><p>Bagaimana reaksi Anda tentang artikel ini?</p><h3>BERI KOMENTAR</h3><p>Kirim</p>"
        "<h3>Konten Terkait</h3><h3>Video Pilihan</h3><h3>Terpopuler</h3><h3>Nilai Tertinggi</h3>"
        "<h3>Feature Article</h3><h3>Terbaru</h3><h3>Headline</h3></body>\n</html>\n"
    )


def render_comments(article: Article) -> str:
    """Return the `/komentar/` twin: the first paragraph only."""
    truth = article.truth
    first = truth.body[0].text if truth.body else ""
    body = (
        f'<div class="komentar-page"><h1 class="title">{escape(truth.title, quote=False)}</h1>'
        f'<div class="read-count"><span class="count-item">{print_time(truth.published_at)}</span>'
        f'<span class="count-item">Diperbarui:&nbsp;{print_time(truth.updated_at)}</span>'
        f"<span>{truth.n_views or 0}</span><span>{truth.n_comments or 0}</span></div>"
        f'<p>{escape(first, quote=False)}</p><a href="{HOST}{truth.page_path}">KEMBALI KE ARTIKEL</a>'
        f"<h4>Beri Komentar</h4><p>{COMMENT_RULE}</p></div>"
    )
    return make_document("", body, title=f"{truth.title} - Kompasiana.com")


def _make_head(truth: Truth, suffix: str, rng: random.Random) -> str:
    tags = ", ".join(truth.tags)
    published = f"{truth.published_at:%Y-%m-%d %H:%M:%S}"
    image = "https://assets-a1.kompasiana.com/items/album/2022/05/11/sampul.jpg?t=o&v=770"
    n_words = sum(len(paragraph.text.split()) for paragraph in truth.body)
    metas = (
        f'    <meta property="og:title" content="{truth.title}{suffix} - Kompasiana.com" />\n'
        f'    <meta property="og:url" content="{HOST}{truth.page_path}" />\n'
        f'    <meta property="og:image" content="{image}" />\n'
        f'    <meta name="description" content="{_describe(truth)}" />\n'
        '    <meta property="article:author" content=""/>\n    <meta property="article:publisher" content="" />\n'
        f'    <meta name="adx:sections" content="{truth.category}" />\n'
        f'    <meta name="content_category" content="{truth.category}" />\n'
        f'    <meta name="content_PublishedDate" content="{published}" />\n'
        f'    <meta name="content_author" content="{truth.author}" />\n'
        '    <meta name="content_source" content="" />\n'
        f'    <meta name="content_tag" content="{tags}" />\n    <meta name="keywords" content="{tags}" />\n'
        f'    <meta name="content_total_words" content="{n_words}" />\n'
        f'    <meta name="thumbnailUrl" content="{image}" />\n'
        f'    <link rel="canonical" href="{HOST}{truth.page_path}">\n'
        f'    <link rel="amphtml" href="{HOST}/amp{truth.page_path}">\n'
    )
    if truth.layout not in PAGED_LAYOUTS or rng.random() < 0.1:
        return metas
    headline = truth.title + (suffix if truth.index % 2 else f"{suffix} - Kompasiana.com" if suffix else "")
    article = {
        "@context": "https://schema.org",
        "@type": "NewsArticle" if truth.index % 2 else "Article",
        "headline": headline,
        "author": {"@type": "Person", "name": truth.author, "url": f"{HOST}/{truth.author_id}"},
        "datePublished": truth.published_at.isoformat(),
        "dateModified": truth.updated_at.isoformat(),
        "publisher": {"@type": "Organization", "name": "Kompasiana"},
        "mainEntityOfPage": HOST + truth.page_path,
    }
    described = json.dumps(article, ensure_ascii=rng.random() < 0.5, indent=1).replace("</", "<\\/")
    if rng.random() < 0.05:  # quotes of the title are not escaped, or a comma stands where none may
        described = described.replace('"@type"', '"about": "sebuah "tulisan" warga", "@type"', 1)
    trail = json.dumps({"@context": "https://schema.org", "@type": "BreadcrumbList", "itemListElement": []})
    layer = json.dumps([{"title": truth.title, "content_author": truth.author}]).replace("</", "<\\/")
    return (
        f'{metas}    <script type="application/ld+json">{trail}</script>\n'
        f'    <script type="application/ld+json">\n{described}\n</script>\n    <script>window.dataLayer = {layer};</script>\n'
    )


def _describe(truth: Truth) -> str:
    """The first 150 characters of the text, cut anywhere and unescaped."""
    return truth.body[0].text[:150].replace("<", "") if truth.body else ""


def _make_author(truth: Truth) -> str:
    job = escape(truth.author_job or "", quote=False)
    bio = f'<div class="user-bio"><p>{escape(truth.author_bio, quote=False)}</p></div>' if truth.author_bio else ""
    tick = TICK if truth.index % 3 == 0 else ""
    return (
        '<div class="thumb-user clearfix"><div class="user-img mr10">'
        f'<a href="{HOST}/{truth.author_id}"><img src="https://assets-a1.kompasiana.com/images/avatar/wajah.jpg?t=t&v=40"'
        f' alt="{truth.author}"></a></div>\n<div class="user-box col-lg-12 col-md-12 col-sm-12 col-xs-12">\n'
        f'    <a href="{HOST}/{truth.author_id}">{escape(truth.author)}                                {tick}\n'
        "                        </a>\n</div></div>\n"
        f'<div class="profile-info"><span class="profile-name">{escape(truth.author)}</span>'
        f' <span class="profile-follow" id="follow_read">Mohon Tunggu...</span> <span class="profile-job">{job}</span>'
        f"{BLOCKED if truth.state is State.BLOCKED else ''}{bio}"
        '<div class="bio-toggle"><a class="more">Selanjutnya</a><br><a class="less">Tutup</a></div></div>'
    )


def _make_counts(truth: Truth, rng: random.Random) -> str:
    gap = rng.choice((" \u00a0 ", " &nbsp; ", "&nbsp;&nbsp;&nbsp;"))
    dates = (
        f'<span class="count-item">{print_time(truth.published_at, gap)}</span>\n'
        f'<span class="count-item">Diperbarui:{rng.choice((" ", "&nbsp;", ""))}{print_time(truth.updated_at, gap)}</span>\n'
    )
    if truth.layout not in PAGED_LAYOUTS:
        return (
            f'<div class="read-count clearfix">{dates}<span class="count-item"><i class="icon-dibaca"></i>'
            f'<span id="post-counter">{truth.n_views}</span></span><span class="count-item">'
            f'<span id="post-rate">{truth.n_ratings}</span></span><span class="count-item">'
            f'<span id="post-comment">{truth.n_comments}</span></span></div>'
        )
    disclaimer = DISCLAIMER_2022 if truth.layout is Era.FROALA_2022 else DISCLAIMER_2023
    return (
        f'<div class="read-count mt10 mb20 clearfix">{dates}<span class="count-item" id="post-counter">{truth.n_views}</span>'
        '</div>\n<div class="-reportChoose"><a class="reportbtnMenu">+</a><a class="-reportKonten">Laporkan Konten</a>'
        f'<a class="-reportAkun">Laporkan Akun</a></div>\n<div class="disclaimer"><p>{disclaimer}</p></div>'
    )


def _make_photo(truth: Truth) -> str:
    """Return the header photo; the layouts up to 2019 print the title again, as the image's alternative text."""
    if truth.caption is None:
        return ""
    caption = escape(truth.caption, quote=False)
    if truth.layout in PAGED_LAYOUTS:
        source = "https://assets-a4.kompasiana.com/items/album/2022/05/11/sampul.jpg?t=o&v=780"
        if "Freepik" in truth.caption:
            source = "https://assets.kompasiana.com//statics/2019_kompasiana/images/gambar-default-karusel2.jpg"
        return (
            f'<div class="slidesBig"><div class="slide"><img src="{source}" alt="{truth.caption}" title="{truth.caption}">'
            f'</div></div><div class="slidesSmall"><img src="{source}" alt=""></div>\n'
            f'<div class="photo-info"><span class="see">Lihat foto</span><div class="photo-caption">{caption}</div></div>'
        )
    source = "https://assets-a3.kompasiana.com/items/album/2018/03/19/sampul.jpg?t=o&v=770"
    return (
        f'<div class="read-artikel__img photo"><a href="{source}"><img src="{source}" alt="{truth.title}"></a>'
        f'<div class="photo-caption">{caption}</div></div>'
    )


def _make_pager(truth: Truth, n_pages: int) -> str:
    if n_pages == 1:
        return ""
    links = "".join(
        f'<li><a href="{HOST}{truth.page_path}?page={n}#section1">{n}</a></li>' for n in range(1, n_pages + 1)
    )
    return f'<div class="read-paging"><span>HALAMAN :</span><ol class="paging-list">{links}</ol></div>'


def _make_tags(truth: Truth) -> str:
    links = "".join(f'<li><a href="{HOST}/tag/{slug_of(tag)}">{escape(tag)}</a></li>' for tag in truth.tags)
    return f'<div class="read-tag"><ul class="tag-list">{links}</ul></div>'


def _make_related_list(others: Sequence[Truth]) -> str:
    items = "".join(
        f'<li><a href="{HOST}{post.link_path}?source_from=source_related_recommendation">'
        f"{escape(post.title, quote=False)}</a><p>{escape(post.author)} menulis lagi.</p></li>"
        for post in others
    )
    return f'<div class="related-box"><ul class="-js-related">{items}</ul><a class="-relateLeft"></a></div>'


def _make_below(truth: Truth, others: Sequence[Truth]) -> str:
    category = escape(truth.category)
    return (
        f'{_make_tags(truth)}<div class="loading-box">Mohon tunggu...</div><div id="button_footer_read"></div>\n'
        f'<a href="{HOST}/{slug_of(truth.category)}">Lihat Konten {category} Selengkapnya</a>\n'
        f'<a href="{HOST}/{slug_of(truth.category)}">Lihat {category} Selengkapnya</a>\n{_make_related_list(others)}\n'
        f'<div class="komentar-box"><h4>Beri Komentar</h4><textarea placeholder="Tulis komentar"></textarea>'
        f"<p>{COMMENT_RULE}</p><p>Belum ada komentar. Jadilah yang pertama untuk memberikan komentar!</p></div>\n"
        '<div class="reportpopup"><div class="reportpopupTitle">LAPORKAN KONTEN</div><label>Alasan</label>'
        "<button>Laporkan Konten</button><button>Laporkan Akun</button></div>"
    )


def _make_below_2018(truth: Truth, others: Sequence[Truth]) -> str:
    return f'{_make_tags(truth)}{_make_related_list(others)}<div class="komentar-box"><p>Mohon Tunggu...</p></div>'
