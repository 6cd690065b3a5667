"""The body of a page: blocks cut into pages of 11 `p`, with what the site puts between them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from html import escape

from scripts.replica.blocks import Block
from scripts.replica.truth import Era

P_PER_PAGE = 11
SLOTS = (3, 4, 8, 9)
"""The site leaves an empty `p` after these paragraphs of a page."""
RELATED_AFTER = (4, 8)

CHANNEL = "https://whatsapp.com/channel/0029VaYjYaL4Spk7WflFYJ2H"
PROMO_WHATSAPP = (
    "<p>Baca konten-konten menarik Kompasiana langsung dari smartphone kamu. Follow channel WhatsApp Kompasiana sekarang"
    f' di sini: <a href="{CHANNEL}" target="_blank">{CHANNEL}</a></p>'
)
PROMO_INSTAGRAM = (
    '<p><strong>Follow Instagram <a href="https://instagram.com/kompasianacom">@kompasianacom</a> juga Tiktok'
    ' <a href="https://tiktok.com/@kompasiana">@kompasiana</a> biar nggak ketinggalan event seru komunitas dan tips dapat'
    " cuan dari Kompasiana{stop}Baca juga cerita inspiratif langsung dari smartphone kamu dengan bergabung di WhatsApp"
    f' Channel Kompasiana di <a href="{CHANNEL}">SINI</a></strong></p>'
)
PAGED_LAYOUTS = (Era.FROALA_2022, Era.WHATSAPP_2024, Era.INSTAGRAM_2025)


def make_promo(layout: Era, index: int) -> Block | None:
    """Return the promo paragraph that the layout of this time puts below the last page, if it has one."""
    if layout is Era.WHATSAPP_2024:
        return Block(PROMO_WHATSAPP)
    if layout is Era.INSTAGRAM_2025:
        stop = (". ", " . ", ".<br>", ".&nbsp;")[index % 4]
        return Block(PROMO_INSTAGRAM.replace("{stop}", stop))
    return None


def split_pages(blocks: Sequence[Block], promo: Block | None, layout: Era) -> list[list[Block]]:
    """Cut an article into pages of 11 `p`, the promo counted; lists, headings and quotations count nothing."""
    everything = [*blocks, promo] if promo else list(blocks)
    if layout not in PAGED_LAYOUTS:
        return [everything]
    pages: list[list[Block]] = [[]]
    n_p = 0
    for block in everything:
        if n_p == P_PER_PAGE:
            pages.append([])
            n_p = 0
        pages[-1].append(block)
        n_p += block.n_p
    return pages


def count_related(blocks: Sequence[Block], n_related: int) -> int:
    """Count the "Baca juga" paragraphs of the whole article on one page."""
    n_p = sum(block.n_p for block in blocks)
    return sum(n_p >= after for after in RELATED_AFTER[:n_related])


def render_body(
    blocks: Sequence[Block], promo: Block | None, layout: Era, *, related: Sequence[tuple[str, str]], rng: random.Random
) -> str:
    """Return the inner HTML of a body.

    Parameters
    ----------
    blocks : those of the page, the promo not among them.
    promo : last paragraph of the page, if it is the last page.
    related : title and address of articles that the site inserts as "Baca juga", shape (0 to 2,).
    """
    parts: list[str] = []
    n_p = 0
    is_paged = layout in PAGED_LAYOUTS
    waiting = list(related) if is_paged else []
    n_slots = 0
    for block in blocks:
        parts.append(block.html)
        if not block.n_p or not is_paged:
            if not is_paged and layout is not Era.MIGRATED_2014 and len(parts) == 3:
                parts.append(_make_ad(layout, rng))
            continue
        n_p += 1
        if n_p in SLOTS:
            parts.append(rng.choice(("<p></p>", "<p>&nbsp;</p>", "<p> </p>")))
            parts.append(_make_ad(layout, rng))
            n_slots += 1
        if n_p in RELATED_AFTER and waiting:
            parts.append(_make_related(*waiting.pop(0), rng))
    if is_paged:
        parts += ["<p></p>"] * (len(SLOTS) - n_slots)
    if promo:
        parts.append(promo.html)
    return "\n".join(parts)


def _make_related(title: str, address: str, rng: random.Random) -> str:
    shown = escape(title, quote=False)
    link = f'<a href="{address}" target="_blank">{shown}</a>'
    return rng.choice(
        (
            f"<p>Baca juga: {link}</p>",
            f"<p><strong>Baca juga:</strong> {link}</p>",
            f'<p class="baca-juga"><span class="title">Baca juga: {link}</span></p>',
            f"<p>Baca juga:<br>{link}</p>",
            f'<p><div class="title">Baca juga: {link}</div></p>',
        )
    )


def _make_ad(layout: Era, rng: random.Random) -> str:
    """Return an advertisement: a slot with a script, whose strings hold markup that is no paragraph."""
    number = rng.randrange(10**12, 10**13)
    slot = f"div-gpt-ad-{number}-{rng.randrange(4)}"
    inner = f'<script>googletag.cmd.push(function() {{ googletag.display("{slot}"); }});</script>'
    if rng.random() < 0.3:
        inner += "<script>if (window.sepi < 1) document.write('<p>Iklan: belanja hemat minggu ini</p>');</script>"
    ad = f'<div id="{slot}" style="width:300px;height:250px" data-judul="Promo "Hemat" Akhir Pekan">{inner}</div>'
    if layout is Era.INSTAGRAM_2025 and rng.random() < 0.3:
        return f'<div class="ads-inf-box"><div class="ads-partner-wrap">{ad}<p>ADVERTISEMENT</p></div></div>'
    return ad
