"""The replica without its server: posts, the pages of every address, and the answer to a request."""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import cached_property
from hashlib import blake2b
from urllib.parse import parse_qs, unquote_plus, urlsplit

from scripts.replica.bodies import PAGED_LAYOUTS, count_related, make_promo, split_pages
from scripts.replica.chrome import MENU
from scripts.replica.listings import (
    CARDS_PER_INDEX_PAGE,
    CARDS_PER_TAG_PAGE,
    make_cards_page,
    make_home,
    make_index,
    make_profile,
    make_tag,
    make_tag_json,
)
from scripts.replica.pages import (
    deleted_status,
    render_amp,
    render_article,
    render_comments,
    render_no_article,
)
from scripts.replica.plans import ERA_CYCLE, POSTS_PER_DAY, WINDOWS, Plan, draw, plan_post
from scripts.replica.posts import Article, PostSource
from scripts.replica.truth import HOST, Era, State, Truth, slug_of

ROBOTS = """User-agent: *
Disallow: /xajax/
Disallow: /ajax/
Allow: /ajax/tag/posts
Disallow: /dashboard
Disallow: /komentar/
"""
HTML = "text/html; charset=UTF-8"
_ID = re.compile(r"(?:.*_)?([0-9a-f]{24})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer before it is written to a connection."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Posts(Sequence[Truth]):
    """The truths of all posts, built when asked for."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __len__(self) -> int:
        return self._site.n_posts

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._site.article(index).truth

    def __iter__(self) -> Iterator[Truth]:
        return (self[index] for index in range(len(self)))


class Site:
    """The replica's pages.

    Parameters
    ----------
    n_posts : number of posts; at most 400 of the demonstration posts.
    generated : assemble posts from the demonstration posts' sentences instead of serving these.
    eras : cycle of eras; by default all, `(Era.INSTAGRAM_2025,)` keeps ids and dates of demonstration posts.
    """

    def __init__(
        self, n_posts: int = 400, *, seed: int = 0, generated: bool = False, eras: Sequence[Era] = ERA_CYCLE
    ) -> None:
        self.seed = seed
        self.eras = tuple(eras)
        self.source = PostSource(seed=seed, generated=generated)
        self.n_posts = n_posts if generated else min(n_posts, len(self.source.demo))
        days = min(WINDOWS[era][1] for era in self.eras)
        self.per_day = max(POSTS_PER_DAY, -(-self.n_posts // (len(self.eras) * days)))
        self.posts = Posts(self)
        self.robots_txt = ROBOTS
        self.robots_status = 200
        self.infinite_index = False
        self._editions: dict[int, int] = {}
        self._index_by_id: dict[str, int] = {}
        self._indices_by_day: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
        for index in range(self.n_posts):
            plan = self.plan(index)
            self._index_by_id[plan.post_id] = index
            self._indices_by_day[f"{plan.published_at:%Y-%m-%d}"].append((plan.published_at, index))
        for entries in self._indices_by_day.values():
            entries.sort(reverse=True)

    @property
    def days(self) -> list[str]:
        """Days with posts, `YYYY-MM-DD`, in order."""
        return sorted(self._indices_by_day)

    def plan(self, index: int) -> Plan:
        """Return the plan of the post at `index`."""
        published_at, post_id = self.source.given(index)
        return plan_post(
            index, seed=self.seed, eras=self.eras, per_day=self.per_day, published_at=published_at, post_id=post_id
        )

    def article(self, index: int) -> Article:
        """Build the post at `index`."""
        edition = self._editions.get(index, 0)
        article = self.source.make_article(self.plan(index), edition=edition)
        truth = article.truth
        promo = make_promo(truth.layout, index)
        n_related = count_related(article.blocks, len(self._related(truth)))
        updated_at = truth.updated_at + timedelta(days=edition) if edition else truth.updated_at
        truth = replace(
            truth,
            n_removed=int(promo is not None) + n_related,
            n_pages=len(split_pages(article.blocks, promo, truth.layout)),
            updated_at=updated_at,
        )
        return replace(article, truth=truth)

    def truth(self, post_id: str) -> Truth:
        """Return the post with this id; `KeyError` where there is none."""
        return self.posts[self._index_by_id[post_id]]

    def edit(self, post_id: str) -> Truth:
        """Let the author edit a post: another title, a further paragraph, a later `updated_at`."""
        index = self._index_by_id[post_id]
        self._editions[index] = self._editions.get(index, 0) + 1
        return self.posts[index]

    def respond(self, target: str, headers: Mapping[str, str] | None = None, *, method: str = "GET") -> Response:
        """Answer a request.

        Parameters
        ----------
        target : path and query.
        headers : of the request, names in lower case.
        """
        headers = headers or {}
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True)
        if method not in ("GET", "HEAD"):
            return Response(405, b"", {"Content-Type": HTML})
        if parts.path == "/robots.txt":
            return Response(self.robots_status, self.robots_txt.encode(), {"Content-Type": "text/plain; charset=utf-8"})
        segments = [unquote_plus(part) for part in parts.path.split("/") if part]
        response = self._route(segments, query, headers)
        return _finish(response, headers)

    def _route(self, segments: list[str], query: dict[str, list[str]], headers: Mapping[str, str]) -> Response:
        twin = segments[0] if segments and segments[0] in ("amp", "komentar") else ""
        if match := next((found for part in segments[1:3] if (found := _ID.fullmatch(part))), None):
            index = self._index_by_id.get(match[1].lower())
            return _not_found() if index is None else self._respond_article(index, query, twin)
        one = segments[0] if segments else ""
        others = self._others(0)
        match segments:
            case []:
                return _html(make_home(self._newest(30), until=datetime.fromisoformat(self.days[-1])))
            case ["indeks"]:
                return self._respond_index(query)
            case ["tag", tag]:
                return _html(make_tag(tag, self._tagged(tag)[:CARDS_PER_TAG_PAGE], others))
            case ["ajax", "tag", "posts"]:
                return self._respond_tag_json(query, headers)
            case ["search_artikel"]:
                words = query.get("q", [""])[0].casefold().split()
                hits = [index for index, title in self._titles if words and all(word in title for word in words)]
                return _html(make_cards_page("Hasil Pencarian", self._pick(hits[:20]), others))
            case ["latest" | "popular" | "headline" | "categories"]:
                return _html(make_cards_page(one.title(), self._newest(30), others))
            case [_] if one in self._by_category or one in dict(MENU):
                posts = self._pick(self._by_category.get(one, [])[:20])
                return _html(make_cards_page(one.title(), posts, others))
            case [_] if one in self._by_author:
                posts = self._pick(self._by_author[one][:20])
                return _html(make_profile(posts[0], posts, others))
        return _not_found()

    def _respond_article(self, index: int, query: dict[str, list[str]], twin: str) -> Response:
        article = self.article(index)
        truth = article.truth
        if truth.state is State.DELETED:
            return _html(render_no_article(truth, self._others(index)), status=deleted_status(truth))
        if twin == "amp":
            return _html(render_amp(article))
        if twin == "komentar":
            return _html(render_comments(article))
        asked = query.get("page", ["1"])[0]
        page = None if asked == "all" else _read_number(asked, default=1)
        html = render_article(
            article,
            page=page,
            related=self._related(truth),
            others=self._others(index),
            rng=draw(self.seed, index, "page"),
        )
        digest = blake2b(f"{truth.post_id}:{truth.edition}:{page}".encode(), digest_size=8).hexdigest()
        modified = max(truth.updated_at, truth.published_at)
        headers = {"ETag": f'"{digest}"', "Last-Modified": format_datetime(modified.astimezone(UTC), usegmt=True)}
        return Response(200, html.encode(), {"Content-Type": HTML, **headers})

    def _respond_index(self, query: dict[str, list[str]]) -> Response:
        day = query.get("date", [""])[0] or self.days[-1]
        category = query.get("category", [""])[0]
        page = max(1, _read_number(query.get("page", [""])[0], default=1))
        indices = [index for _, index in self._indices_by_day.get(day, ())]
        if category:
            wanted = set(self._by_category.get(category, ()))
            indices = [index for index in indices if index in wanted]
        n_pages = -(-len(indices) // CARDS_PER_INDEX_PAGE)
        shown = min(page, max(n_pages, 1)) if self.infinite_index else page
        part = indices[(shown - 1) * CARDS_PER_INDEX_PAGE : shown * CARDS_PER_INDEX_PAGE]
        return _html(
            make_index(self._pick(part), page=page, n_pages=n_pages, category=category, day=day, others=self._others(0))
        )

    def _respond_tag_json(self, query: dict[str, list[str]], headers: Mapping[str, str]) -> Response:
        if headers.get("x-requested-with") != "XMLHttpRequest":
            return Response(403, b"Forbidden", {"Content-Type": HTML})
        page = max(1, _read_number(query.get("page", [""])[0], default=1))
        per_page = _read_number(query.get("per_page", [""])[0], default=CARDS_PER_TAG_PAGE)
        posts = self._tagged(query.get("tags", [""])[0])[(page - 1) * per_page : page * per_page]
        return Response(200, make_tag_json(posts).encode(), {"Content-Type": "application/json"})

    def _tagged(self, tag: str) -> Sequence[Truth]:
        return _Lazy(self, self._by_tag.get(slug_of(tag), []))

    def _pick(self, indices: Sequence[int]) -> list[Truth]:
        return [self.posts[index] for index in indices]

    def _newest(self, n: int) -> list[Truth]:
        found: list[int] = []
        for day in reversed(self.days):
            found += [index for _, index in self._indices_by_day[day]]
            if len(found) >= n:
                break
        return self._pick(found[:n])

    def _others(self, index: int) -> list[Truth]:
        """Return five posts for the boxes beside a page; a hundred are linked over and over, as popular ones are."""
        n = min(self.n_posts, 100)
        return [self._popular[(index * 3 + step * 17 + 5) % n] for step in range(min(5, n))]

    @cached_property
    def _popular(self) -> list[Truth]:
        return self.posts[: min(self.n_posts, 100)]

    def _related(self, truth: Truth) -> list[tuple[str, str]]:
        """Return two articles that the site inserts as "Baca juga"; none into three quarters of the posts."""
        rng = draw(self.seed, truth.index, "related")
        if truth.layout not in PAGED_LAYOUTS or self.n_posts < 10 or rng.random() > 0.25:
            return []
        found: list[tuple[str, str]] = []
        for _ in range(20):
            plan = self.plan(rng.randrange(self.n_posts))
            row = self.source.make_row(plan, with_text=False)
            title = row["title"]
            if plan.index != truth.index and not title.endswith((".", ":", ";")) and ". " not in title:
                found.append((title, f"{HOST}/{row['author_id']}/{plan.post_id}/{row['url'].rsplit('/', 1)[1]}"))
            if len(found) == 2:
                break
        return found

    @cached_property
    def _rows(self) -> tuple[dict[str, list[int]], dict[str, list[int]], dict[str, list[int]], list[tuple[int, str]]]:
        """Posts by category, tag and author, newest first, and all titles; read when first needed."""
        by_category: dict[str, list[int]] = defaultdict(list)
        by_tag: dict[str, list[int]] = defaultdict(list)
        by_author: dict[str, list[int]] = defaultdict(list)
        titles: list[tuple[int, str]] = []
        for day in reversed(self.days):
            for _, index in self._indices_by_day[day]:
                row = self.source.make_row(self.plan(index), with_text=False)
                by_category[slug_of(row["category"])].append(index)
                by_author[row["author_id"]].append(index)
                titles.append((index, row["title"].casefold()))
                for tag in row["tags"]:
                    by_tag[slug_of(tag)].append(index)
        return by_category, by_tag, by_author, titles

    @property
    def _by_category(self) -> dict[str, list[int]]:
        return self._rows[0]

    @property
    def _by_tag(self) -> dict[str, list[int]]:
        return self._rows[1]

    @property
    def _by_author(self) -> dict[str, list[int]]:
        return self._rows[2]

    @property
    def _titles(self) -> list[tuple[int, str]]:
        return self._rows[3]


class _Lazy(Sequence[Truth]):
    """Posts at given indices, built when asked for."""

    def __init__(self, site: Site, indices: Sequence[int]) -> None:
        self._site, self._indices = site, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, at):  # type: ignore[no-untyped-def]
        found = self._indices[at]
        return self._site.posts[found] if isinstance(found, int) else [self._site.posts[index] for index in found]


def _read_number(text: str, *, default: int) -> int:
    return int(text) if text.isdecimal() and text.isascii() else default


def _html(text: str, *, status: int = 200) -> Response:
    return Response(status, text.encode(), {"Content-Type": HTML})


def _not_found() -> Response:
    return Response(
        404, b"<html><title>404</title><body><h1>Halaman tidak ditemukan</h1></body></html>", {"Content-Type": HTML}
    )


def _finish(response: Response, headers: Mapping[str, str]) -> Response:
    """Answer conditional requests with 304, and compress."""
    etag = response.headers.get("ETag")
    if etag:
        wanted = headers.get("if-none-match")
        since = headers.get("if-modified-since")
        fresh = (
            etag in [part.strip().removeprefix("W/") for part in wanted.split(",")]
            if wanted
            else since is not None and _is_unmodified(response.headers["Last-Modified"], since)
        )
        if fresh:
            kept = {name: response.headers[name] for name in ("ETag", "Last-Modified")}
            return Response(304, b"", kept)
    return compress(response, headers.get("accept-encoding", ""))


def compress(response: Response, accepted: str) -> Response:
    """Compress an answer of more than 500 bytes where the client accepts gzip."""
    if "gzip" not in accepted or len(response.body) <= 500:
        return response
    encoded = gzip.compress(response.body, compresslevel=1, mtime=0)
    extra = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(response.status, encoded, {**response.headers, **extra})


def _is_unmodified(modified: str, since: str) -> bool:
    try:
        return parsedate_to_datetime(modified) <= parsedate_to_datetime(since)
    except ValueError:
        return False
