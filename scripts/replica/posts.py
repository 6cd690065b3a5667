"""The posts of the replica: the demonstration posts, or any number assembled from their sentences when asked for."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from html import unescape
from pathlib import Path
from typing import Any

from nlp_study.schema import Repost
from scripts.replica.blocks import (
    Block,
    make_footer,
    make_heading,
    make_image,
    make_list,
    make_migrated,
    make_quote,
    make_text,
    spoil,
)
from scripts.replica.plans import CAPTURED_AT, Plan, draw
from scripts.replica.truth import HOST, Era, State, Truth

DEMO = Path(__file__).resolve().parents[2] / "corpus" / "demo" / "posts.jsonl"

HEADINGS = (
    "Apa yang Berubah?",
    "Catatan dari Lapangan",
    "Hitung-hitungan Sederhana",
    "Kata Mereka yang Menjalani",
    "Lalu, Harus Bagaimana",
    "Penutup",
    'Soal "Gratis" yang Tidak Gratis',
)
CAPTIONS = (
    "Antrean di depan kios pulsa, foto: dokumentasi pribadi",
    "Lapak terpal di pinggir jalan (dok. pribadi)",
    'Spanduk "Bayar Pakai Kode" di warung tetangga | Foto penulis',
    "Ilustrasi: karung beras dan timbangan tua",
    "Gerobak bakso yang sudah menempel kode pembayaran. Sumber: koleksi keluarga",
)
LIST_ITEMS = (
    "catat modal dan hasil tiap malam",
    "jangan pinjam untuk menutup pinjaman",
    "tanya tetangga yang sudah lebih dulu mencoba",
    "simpan nota, sekecil apa pun",
    "bandingkan potongan tiga layanan & pilih yang jelas",
    "ajak anak muda kampung mengajari yang tua",
)
OWN_RELATED = (
    "Baca juga: begitu pesan guru saya dulu. Maksudnya, jangan berhenti pada satu sumber. Saya baru paham belakangan.",
    "Baca juga nota kecil di laci. Di sana tertulis utang yang tidak pernah ditagih, dan itu pelajaran terbaik.",
)
TITLES = (
    "Catatan ke-{n} tentang {tag}",
    "Mengapa {tag} Membuat Saya Berpikir Ulang ({n})",
    'Yang Kami Sebut "{tag}", Bagian {n}',
    "{tag}: Untung, Buntung & Bingung {n}",
    "Surat Nomor {n} untuk Kawan di {tag}",
    "Pagi di Pasar, {n} Pertanyaan soal {tag}",
    "{n} Hal yang Tidak Diceritakan tentang {tag}!",
)
DOMAIN_USERS = (
    "www.warungtani.com",
    "junaedi-jun",
    "masbejo_ide",
    "kopi.pagi.kita",
    "044_wati1036",
    "lapakjujur.blogspot.id",
)
_FOOTER_TITLE = re.compile(r'Konten ini telah tayang di Kompasiana\.com dengan judul "(?P<title>.+)", Klik untuk baca:')
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Article:
    """A post's truth and the blocks that its pages show, without what the site inserts."""

    truth: Truth
    blocks: tuple[Block, ...]


class PostSource:
    """The raw material of posts: the demonstration posts and, in another order for every seed, their sentences."""

    def __init__(self, *, seed: int, generated: bool) -> None:
        self.seed = seed
        self.generated = generated
        with DEMO.open(encoding="utf-8") as lines:
            self.demo: list[dict[str, Any]] = [json.loads(line) for line in lines]

    @cached_property
    def authors(self) -> list[tuple[str, str, str | None, str | None]]:
        """Name, account, job and biography of every demonstration author, in a fixed order."""
        seen = {
            row["author_id"]: (row["author"], row["author_id"], row["author_job"], row["author_bio"])
            for row in self.demo
        }
        return [seen[user] for user in sorted(seen)]

    @cached_property
    def sentences(self) -> list[str]:
        """Sentences of 5 to 40 words of posts without planted damage, shuffled by the seed."""
        found: dict[str, None] = {}
        for row in self.demo:
            for paragraph in row["paragraphs"]:
                if re.search(r"\n|\[|Â|â|&|Kompasiana|http|^Baca|^Kreator|^\d", paragraph):
                    continue
                for sentence in _SENTENCE_END.split(paragraph):
                    if 5 <= len(sentence.split()) <= 40 and sentence[-1] in ".!?…":
                        found[sentence] = None
        sentences = list(found)
        random.Random(self.seed).shuffle(sentences)
        return sentences

    @cached_property
    def tags(self) -> list[str]:
        """Keywords of the demonstration posts."""
        return sorted({tag for row in self.demo for tag in row["tags"] if re.fullmatch(r"[a-z][a-z ]+", tag)})

    def given(self, index: int) -> tuple[datetime | None, str | None]:
        """Return time and id of the demonstration post at `index`; nothing where posts are generated."""
        if self.generated:
            return None, None
        row = self.demo[index]
        return datetime.fromisoformat(row["published_at"]), row["post_id"]

    def make_row(self, plan: Plan, *, with_text: bool = True) -> dict[str, Any]:
        """Return title, author, counts and paragraphs of one post, before its era leaves marks on them.

        Parameters
        ----------
        with_text : leave `paragraphs` empty where `False`; listings of many posts need none.
        """
        if not self.generated:
            return self.demo[plan.index]
        rng = draw(self.seed, plan.index, "row")
        name, user, job, bio = self.authors[rng.randrange(len(self.authors))]
        kind = rng.random()
        if kind < 0.04:
            # Each of these accounts belongs to one person, whatever name was drawn.
            which = rng.randrange(len(DOMAIN_USERS))
            name, _, job, bio = self.authors[which]
            user = DOMAIN_USERS[which]
        elif kind < 0.6:
            user = f"{user}{1000 + rng.randrange(40) * 37}"
        tags = rng.sample(self.tags, rng.randrange(1, 6))
        title = rng.choice(TITLES).format(n=plan.index + 1, tag=tags[0].title())
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        row = {
            "url": f"{HOST}/{user}/x/{slug if rng.random() < 0.9 else 'draf-' + tags[0].replace(' ', '-')}",
            "title": title,
            "author": name,
            "author_id": user,
            "author_job": job,
            "author_bio": bio,
            "category": self.demo[rng.randrange(len(self.demo))]["category"],
            "badge": rng.choice((None, None, None, "Pilihan", "Artikel Utama")),
            "tags": tags,
            "n_views": rng.randrange(5, 9000),
            "n_ratings": rng.randrange(60),
            "n_comments": rng.randrange(40),
            "caption": rng.choice((None, *CAPTIONS)),
            "paragraphs": [],
        }
        if with_text:
            pool, n = self.sentences, len(self.sentences)
            n_paragraphs = rng.choice((3, 5, 6, 8, 9, 10, 11, 12, 14, 17, 22, 24))
            row["paragraphs"] = [
                " ".join(pool[int(rng.random() * n)] for _ in range(1 + int(rng.random() * 4)))
                for _ in range(n_paragraphs)
            ]
        return row

    def make_article(self, plan: Plan, *, edition: int = 0) -> Article:
        """Build one post: its truth and the blocks of its body.

        Parameters
        ----------
        edition : times its author edited it; every edit changes the title and adds a paragraph.
        """
        row = self.make_row(plan)
        rng = draw(self.seed, plan.index, "body")
        job = row["author_job"]
        if job and rng.random() < 0.3:
            job = f"{job} - {rng.choice(('Menulis sambil menunggu kopi', 'Belajar, berbagi & bersyukur'))}"
        texts, repost = _read_demo_paragraphs(row["paragraphs"])
        is_plain = any(re.search(r"â€", text) for text in row["paragraphs"])
        blocks = self._make_blocks(plan, row, texts, rng, is_plain=is_plain)
        if edition:
            text = f"Suntingan ke-{edition}: angka pada paragraf pertama sudah saya periksa lagi."
            blocks.append(make_text(text, draw(self.seed, plan.index, "edit")))
        if repost is None and rng.random() < 0.05 and plan.era in (Era.FROALA_2022, Era.WHATSAPP_2024):
            repost = self._pick_repost(rng)
        if repost and plan.era is not Era.MIGRATED_2014:
            at = len(blocks) // 2 if rng.random() < 0.6 else len(blocks)
            blocks[at:at] = make_footer(repost, rng)
        else:
            repost = None
        if plan.era is not Era.MIGRATED_2014 and (is_plain or rng.random() < 0.02):
            blocks = [_spoil_block(block) for block in blocks]
        counts = _pick_counts(row, plan, rng)
        truth = Truth(
            index=plan.index,
            post_id=plan.post_id,
            slug=row["url"].rsplit("/", 1)[1],
            era=plan.era,
            layout=plan.layout,
            state=plan.state,
            captured_at=CAPTURED_AT[plan.layout],
            title=row["title"] + (f" (Pembaruan {edition})" if edition else ""),
            author=row["author"],
            author_id=row["author_id"],
            author_job=job,
            author_bio=row["author_bio"],
            category=row["category"],
            badge=row["badge"],
            tags=tuple(row["tags"]),
            published_at=plan.published_at,
            updated_at=plan.updated_at,
            n_views=counts[0],
            n_ratings=counts[1],
            n_comments=counts[2],
            caption=_pick_caption(row, plan, rng),
            body=tuple(paragraph for block in blocks for paragraph in block.expected),
            reposted_from=repost,
            n_footer=sum(block.n_footer for block in blocks),
            edition=edition,
        )
        return Article(truth, tuple(blocks))

    def _make_blocks(
        self, plan: Plan, row: dict[str, Any], texts: Sequence[str], rng: random.Random, *, is_plain: bool
    ) -> list[Block]:
        """Turn paragraphs into blocks, with what authors add: headings, lists, quotations, images."""
        if plan.era is Era.MIGRATED_2014:
            return make_migrated(texts, rng.choice((None, *CAPTIONS)), rng)
        blocks = [make_text(text, rng, links=row["tags"]) for text in texts]
        if is_plain:
            return blocks
        if len(texts) > 4 and rng.random() < 0.25:
            at = rng.randrange(1, len(texts) - 1)
            blocks[at] = make_quote(texts[at : at + 1], rng)
        extra: list[Block] = []
        if rng.random() < 0.3:
            extra += [make_heading(heading, rng) for heading in rng.sample(HEADINGS, 2)]
        if rng.random() < 0.25:
            extra.append(make_list(rng.sample(LIST_ITEMS, 3), rng, tag=rng.choice(("ul", "ol"))))
        if rng.random() < 0.4:
            extra.append(make_image(rng.choice((None, *CAPTIONS)), plan.era, rng))
        if rng.random() < 0.06:
            extra.append(make_text(rng.choice(OWN_RELATED), rng))
        if rng.random() < 0.15:
            extra.append(Block(rng.choice(("<p><br></p>", "<p>&nbsp;</p>", "<p>\u00a0</p>", "<p></p>"))))
        for block in extra:
            blocks.insert(rng.randrange(1, len(blocks) + 1), block)
        return blocks

    def _pick_repost(self, rng: random.Random) -> Repost:
        other = rng.choice(self.demo)
        return Repost(title=other["title"], url=other["url"], author=other["author"])


def _read_demo_paragraphs(paragraphs: Sequence[str]) -> tuple[list[str], Repost | None]:
    """Take planted footers, shortcodes and damage out of a demonstration post's paragraphs."""
    texts: list[str] = []
    repost: Repost | None = None
    skip = 0
    for at, paragraph in enumerate(paragraphs):
        if skip:
            skip -= 1
        elif footer := _FOOTER_TITLE.fullmatch(paragraph):
            url, kreator = paragraphs[at + 1], paragraphs[at + 2]
            repost = Repost(title=footer["title"], url=url, author=kreator.removeprefix("Kreator: "))
            skip = 4
        elif not paragraph.startswith(("[caption", "[gallery")):
            repaired = paragraph.replace("â€œ", "“").replace("â€\x9d", "”").replace("â€", "”")
            texts.append(unescape(repaired).replace("\u00a0", " "))
    return texts, repost


def _spoil_block(block: Block) -> Block:
    return replace(block, html=spoil(block.html).replace("Â\u00a0", "Â "))


def _pick_counts(row: dict[str, Any], plan: Plan, rng: random.Random) -> tuple[int | None, int | None, int | None]:
    """Three counts up to 2019, views only in later layouts; views may be 0 before the page's script ran."""
    if plan.layout in (Era.MIGRATED_2014, Era.UNDERSCORE_2016, Era.COUNTS_2018):
        views = 0 if rng.random() < 0.1 else row["n_views"]
        return views, row["n_ratings"], row["n_comments"]
    return row["n_views"], None, None


def _pick_caption(row: dict[str, Any], plan: Plan, rng: random.Random) -> str | None:
    """The author's caption, or one of the site's default pictures."""
    if row["caption"] or plan.state is State.DELETED:
        caption: str | None = row["caption"]
        return caption
    if plan.layout in (Era.MIGRATED_2014, Era.UNDERSCORE_2016, Era.COUNTS_2018) or rng.random() < 0.4:
        return None
    defaults = (
        "Bagikan ide kreativitasmu dalam bentuk konten di Kompasiana | Sumber gambar: Freepik",
        f"{row['category']}. Sumber ilustrasi: PEXELS/icon0.com",
    )
    return rng.choice(defaults)
