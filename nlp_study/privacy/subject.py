"""`Subject`: the person or post to forget, by everything that leads to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote, urlsplit

from nlp_study.extract.urls import parse_article_url
from nlp_study.privacy.forgotten import fold_url
from nlp_study.privacy.keys import fold_name

_SITE = re.compile(r"(?:[a-z0-9-]+\.)?kompasiana\.com")
_TWINS = {"amp", "komentar"}


@dataclass
class Subject:
    """Accounts and names are folded (`fold_name`), addresses are `fold_url`'s; ids of the site are lower-case."""

    accounts: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    post_ids: set[str] = field(default_factory=set)
    urls: set[str] = field(default_factory=set)

    def marks(self) -> Iterator[tuple[str, str]]:
        """Yield what is remembered, as keyed hashes, so that neither comes back."""
        for kind, values in (
            ("account", self.accounts), ("name", self.names), ("post", self.post_ids), ("url", self.urls),
        ):  # fmt: skip
            yield from ((kind, value) for value in sorted(values))

    def owns(self, url: str) -> bool:
        """Say whether an address is one of the subject's posts in any form, its profile, or a page below that."""
        article = parse_article_url(url)
        if article:
            return article.id24 in self.post_ids or fold_name(article.user) in self.accounts
        if fold_url(url) in self.urls:
            return True
        parts = urlsplit(url)
        segments = [unquote(part) for part in parts.path.split("/") if part]
        if segments and segments[0] in _TWINS:
            del segments[0]
        on_site = bool(_SITE.fullmatch((parts.hostname or "").lower()))
        return on_site and bool(segments) and fold_name(segments[0]) in self.accounts

    def is_mentioned(self, text: str) -> bool:
        """Say whether a page links to the subject's posts or profile."""
        return bool(self._mention and self._mention.search(text))

    @cached_property
    def _mention(self) -> re.Pattern[str] | None:
        """Made on first use: what leads to the subject must be known by then."""
        ends = r"(?=[/?#\"'\s<&]|$)"
        parts = [rf"(?<![0-9a-f]){re.escape(post_id)}(?![0-9a-f])" for post_id in sorted(self.post_ids)]
        parts += [rf"/{re.escape(account)}{ends}" for account in sorted(self.accounts)]
        parts += [rf"{re.escape(url)}/?{ends}" for url in sorted(self.urls)]
        return re.compile("|".join(parts), re.IGNORECASE) if parts else None
