"""`Truth`: what a perfect extractor gives for a post of the replica, and what shape its pages have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from nlp_study.schema import Paragraph, Post, Repost

HOST = "https://www.kompasiana.com"


def slug_of(name: str) -> str:
    """Return the form of a tag or category in addresses: `travel-story`."""
    return name.strip().lower().replace(" ", "-")


class Era(StrEnum):
    """When a post was written; decides its id, its address and what its author's editor left in the body."""

    MIGRATED_2014 = "2014"
    """Before March 2015: id of the migration, whole article in one `p`, shortcodes, image names as text."""
    UNDERSCORE_2016 = "2016"
    """2015-2017: linked as `/{user}/{slug}_{id24}`."""
    COUNTS_2018 = "2018"
    FROALA_2022 = "2022"
    WHATSAPP_2024 = "2024"
    INSTAGRAM_2025 = "2025"


class State(StrEnum):
    """What became of a post."""

    LIVE = "live"
    DELETED = "deleted"
    """Listed and linked, but its page holds no article."""
    BLOCKED = "blocked"
    """Its author's account is blocked; the article stays readable."""
    SCHEDULED = "scheduled"
    """Saved before it was published, so `updated_at` is earlier than `published_at` and the id older than both."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The exact values of one post.

    Times are aware, Asia/Jakarta, whole minutes. Counts are `None` where the layout prints none. `body` holds the
    author's paragraphs with white space folded, without anything that the site inserted and without pasted footers.

    `layout` is the era of the page's markup: an old post may stand in a later one, as in a recent capture.
    `captured_at` is a time at which the site looked like that. `n_removed` counts the promo and "Baca juga" paragraphs
    of `?page=all`; `n_footer` the non-empty `p` of a pasted footer; `n_pages` the pages of the article.
    """

    index: int
    post_id: str
    slug: str
    era: Era
    layout: Era
    state: State
    captured_at: datetime
    title: str
    author: str
    author_id: str
    author_job: str | None
    author_bio: str | None
    category: str
    badge: str | None
    tags: tuple[str, ...]
    published_at: datetime
    updated_at: datetime
    n_views: int | None
    n_ratings: int | None
    n_comments: int | None
    caption: str | None
    body: tuple[Paragraph, ...]
    reposted_from: Repost | None = None
    n_removed: int = 0
    n_footer: int = 0
    n_pages: int = 1
    edition: int = 0
    """Times the post was edited while the replica ran."""

    @property
    def page_path(self) -> str:
        """Path of the article in the current form."""
        return f"/{self.author_id}/{self.post_id}/{self.slug}"

    @property
    def old_path(self) -> str:
        """Path of the article in the form of 2015-2017."""
        return f"/{self.author_id}/{self.slug}_{self.post_id}"

    @property
    def link_path(self) -> str:
        """Path under which listings link the post."""
        return self.old_path if self.layout is Era.UNDERSCORE_2016 else self.page_path

    @property
    def url(self) -> str:
        """Canonical address."""
        return HOST + self.page_path

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every path under which the article can be read, query variants, AMP and comment twins included."""
        page = self.page_path
        return (
            page,
            f"{page}?page=all",
            f"{page}?page=all#section1",
            f"{page}?page=1&page_images=2",
            f"{page}?source_from=read_related",
            f"{page}?a=1",
            self.old_path,
            f"/amp{page}",
            f"/komentar{page}",
        )

    @property
    def text(self) -> str:
        """The body, paragraphs joined by an empty line."""
        return "\n\n".join(paragraph.text for paragraph in self.body)

    def as_post(self) -> Post:
        """Return the post that an extractor must give, with `date_source`, `language` and `parser` left open."""
        return Post(
            post_id=self.post_id,
            title=self.title,
            paragraphs=self.body,
            url=self.url,
            author=self.author,
            author_id=self.author_id,
            author_job=self.author_job,
            author_bio=self.author_bio,
            category=self.category,
            badge=self.badge,
            tags=self.tags,
            published_at=self.published_at,
            updated_at=self.updated_at,
            n_views=self.n_views,
            n_ratings=self.n_ratings,
            n_comments=self.n_comments,
            caption=self.caption,
            n_removed=self.n_removed,
            reposted_from=self.reposted_from,
            captured_at=self.captured_at,
        )
