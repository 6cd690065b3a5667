"""The extractor against trafilatura and readability-lxml on the same pages of the replica, whose text is known.

    python scripts/bench_extract.py            # 700 generated posts of all eras
    python scripts/bench_extract.py --quick    # 70 of them
    python scripts/bench_extract.py --page-kb 115 --filling markup    # pages filled up to a size that real ones have

Body precision, recall and F1 count words, each as often as it stands in both texts; "exact" is the share of bodies that
are equal to the last character after folding white space. Times are processor time of one core, the best of several
rounds in which the extractors take turns, so that other work on the computer slows all of them.
The row "trafilatura, text only" leaves out title, author and date, which the others read as well. Where readability-lxml
is not installed, its row is left out. No whole page of the site is published, so what fills real pages is not known:
scripts cost trafilatura next to nothing, menus and cards cost it most, and the truth lies between the two fillings.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nlp_study.extract import extract_post
from nlp_study.extract.page import Page
from nlp_study.schema import Post
from scripts.replica import State, build_site
from scripts.replica.truth import HOST

BAR_SPEED = 20.0
BAR_FIELDS, BAR_BODY = 0.999, 0.995
NOT_PRINTED = ("date_source", "language", "parser")
"""Fields of a post that the replica's truth leaves open."""


@dataclass(frozen=True)
class Row:
    """What one extractor did. Fractions in [0, 1]; `ms_a_page` is processor time."""

    name: str
    precision: float
    recall: float
    share_exact: float
    ms_a_page: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def make_pages(n_posts: int, *, page_kb: int = 0, filling: str = "scripts") -> tuple[list[Page], list[Post]]:
    """Render the whole article pages of all posts that have one, with the posts they must give.

    Parameters
    ----------
    page_kb : size up to which each page is filled, in 1,000 bytes; 0 leaves the replica's own 15.
    filling : `scripts` (and styles, in the head) or `markup` (drawings, menus and cards, below the article).
    """
    site = build_site(n_posts, source="generated")
    truths = [truth for truth in site.posts if truth.state is not State.DELETED]
    bodies = [fill_page(site.respond(f"{t.page_path}?page=all").body, 1000 * page_kb, filling) for t in truths]
    pages = [Page(f"{t.url}?page=all", body, t.captured_at) for t, body in zip(truths, bodies, strict=True)]
    return pages, [truth.as_post() for truth in truths]


def fill_page(body: bytes, n_bytes: int, filling: str) -> bytes:
    """Fill a page up to a size; see `make_pages`."""
    script = ",".join(f'"slot{n}": {{"id": {n * 7919}, "tag": "<div class=\\"s\\">"}}' for n in range(40))
    style = "".join(f".kelas-{n} > a {{ margin: {n}px; color: #{n * 7919:06x} }}\n" for n in range(60))
    path = "".join(f'<path d="M{n} 4L5 {n * 31}z"/>' for n in range(20))
    menu = "".join(f'<li class="menu"><a href="{HOST}/rubrik-{n}" class="link">Rubrik {n}</a></li>' for n in range(20))
    card = (
        f'<div class="timeline--item"><a href="{HOST}/warga/5aafc4b5dd0fa87b5f4d5e13/kabar"><img data-src="{HOST}/a.jpg">'
        "</a><h2>Kabar dari pasar</h2><p>Cuplikan tulisan yang ditampilkan di bawah artikel.</p><span>12</span></div>"
    )
    if filling == "scripts":
        piece, before = f"<script>var iklan = {{{script}}};</script>\n<style>{style}</style>\n".encode(), b"</head>"
    else:
        piece, before = f"<svg>{path}</svg>\n<ul>{menu}</ul>\n<div>{card * 6}</div>\n".encode(), b"</body>"
    n_times = max(0, round((n_bytes - len(body)) / len(piece)))
    return body.replace(before, piece * n_times + before, 1)


def read_ours(page: Page) -> str:
    """Return the body by our extractor."""
    return extract_post(page).text


def read_trafilatura(page: Page) -> str:
    """Return the body by trafilatura, which reads title, author and date as well."""
    import trafilatura

    document = trafilatura.bare_extraction(page.body.decode(), url=page.url, with_metadata=True, include_comments=False)
    return "" if document is None else str(getattr(document, "text", "") or "")


def read_trafilatura_text(page: Page) -> str:
    """Return the body by trafilatura, without metadata."""
    import trafilatura

    return trafilatura.extract(page.body.decode(), include_comments=False) or ""


def read_readability(page: Page) -> str:
    """Return the body by readability-lxml."""
    import lxml.html
    from readability import Document

    return str(lxml.html.fromstring(Document(page.body.decode()).summary()).text_content())


EXTRACTORS: dict[str, Callable[[Page], str]] = {
    "this extractor": read_ours,
    "trafilatura": read_trafilatura,
    "trafilatura, text only": read_trafilatura_text,
    "readability-lxml": read_readability,
}


def measure(pages: Sequence[Page], expected: Sequence[Post], *, n_rounds: int) -> list[Row]:
    """Run all extractors over all pages, in turns."""
    extractors = {
        name: read for name, read in EXTRACTORS.items() if read is not read_readability or find_spec("readability")
    }
    seconds = dict.fromkeys(extractors, float("inf"))
    found: dict[str, list[str]] = {}
    for read in extractors.values():
        read(pages[0])  # imports
    for _ in range(n_rounds):
        for name, read in extractors.items():
            started = time.process_time()
            found[name] = [read(page) for page in pages]
            seconds[name] = min(seconds[name], time.process_time() - started)
    rows = []
    for name, texts in found.items():
        n_both = n_found = n_expected = n_exact = 0
        for text, post in zip(texts, expected, strict=True):
            words, known = Counter(text.split()), Counter(post.text.split())
            n_both += (words & known).total()
            n_found += words.total()
            n_expected += known.total()
            n_exact += text.split() == post.text.split()
        share_exact = n_exact / len(pages)
        rows.append(
            Row(name, n_both / max(1, n_found), n_both / n_expected, share_exact, 1000 * seconds[name] / len(pages))
        )
    return rows


def count_exact_posts(pages: Sequence[Page], expected: Sequence[Post]) -> Counter[str]:
    """Count posts of which a field differs from the truth, by field."""
    names = [field.name for field in fields(Post) if field.name not in NOT_PRINTED]
    wrong: Counter[str] = Counter()
    for page, post in zip(pages, expected, strict=True):
        found = extract_post(page)
        wrong.update(name for name in names if getattr(found, name) != getattr(post, name))
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="70 posts, two rounds")
    parser.add_argument("--posts", type=int, default=700, help="posts on the replica")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--page-kb", type=int, default=0, help="fill pages up to this size, in 1,000 bytes")
    parser.add_argument("--filling", choices=("scripts", "markup"), default="scripts")
    options = parser.parse_args(arguments)
    n_posts, n_rounds = (70, 2) if options.quick else (options.posts, options.rounds)
    pages, expected = make_pages(n_posts, page_kb=options.page_kb, filling=options.filling)
    n_bytes = sum(len(page.body) for page in pages) / len(pages)
    print(f"{len(pages)} pages of {n_bytes:,.0f} bytes, {n_rounds} rounds")
    rows = measure(pages, expected, n_rounds=n_rounds)
    print(f"{'':24}{'precision':>10}{'recall':>8}{'F1':>8}{'exact':>8}{'ms/page':>9}{'pages/s':>9}{'speed':>8}")
    base = rows[1].ms_a_page
    for row in rows:
        print(
            f"{row.name:24}{row.precision:10.4f}{row.recall:8.4f}{row.f1:8.4f}{row.share_exact:8.4f}"
            f"{row.ms_a_page:9.2f}{1000 / row.ms_a_page:9.0f}{base / row.ms_a_page:7.1f}x"
        )
    wrong = count_exact_posts(pages, expected)
    print(f"posts with a wrong field: {dict(wrong) or 'none'}")
    bars = {
        f"speed at least {BAR_SPEED:.0f} x trafilatura": base / rows[0].ms_a_page >= BAR_SPEED,
        f"each field exact on at least {BAR_FIELDS:.1%}": max(wrong.values(), default=0)
        <= (1 - BAR_FIELDS) * len(pages),
        f"body exact on at least {BAR_BODY:.1%}": rows[0].share_exact >= BAR_BODY,
    }
    for bar, is_met in bars.items():
        print(f"{'met   ' if is_met else 'MISSED'} {bar}")
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
