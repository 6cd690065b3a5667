"""The list of those who were forgotten: keyed hashes only, so that the list itself names nobody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from nlp_study.extract.urls import parse_article_url
from nlp_study.privacy.keys import PrivacyError, fold_name, keyed_hash, open_key
from nlp_study.store import write_file

FORGOTTEN_FILE = "forgotten.txt"
_HASH = re.compile(r"[0-9a-f]{64}")
_ID24 = re.compile(r"(?<![0-9a-f])[0-9a-f]{24}(?![0-9a-f])")
_SEGMENT = re.compile(r"/([^/\s\"'<>?#&]{1,120})")


@dataclass(frozen=True)
class Forgotten:
    """Who was forgotten. Make one with `open_forgotten`."""

    key: bytes = field(repr=False, default=b"")
    hashes: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.hashes)

    def holds(
        self,
        *,
        post_id: str | None = None,
        author_id: str | None = None,
        author: str | None = None,
        url: str | None = None,
    ) -> bool:
        """Say whether a post, or the person who wrote it, was forgotten; whatever is known of it helps.

        A printed name alone decides only where no account is known, because several people may bear one name.
        """
        if not self.hashes:
            return False
        marks = list(post_marks(post_id, url))
        article = parse_article_url(url or "")
        accounts = {fold_name(account) for account in (author_id, article.user if article else None) if account}
        marks += [("account", account) for account in accounts]
        if author and accounts <= {fold_name(author)}:
            marks.append(("name", fold_name(author)))
        return any(self._has(*mark) for mark in marks)

    def is_mentioned(self, text: str) -> bool:
        """Say whether a page links to a forgotten person's posts or profile, as the listings of a site do."""
        if not self.hashes:
            return False
        marks = {("post", post_id) for post_id in _ID24.findall(text.lower())}
        marks |= {("account", fold_name(unquote(part))) for part in _SEGMENT.findall(text.replace("\\/", "/"))}
        return any(self._has(*mark) for mark in marks)

    def redact(self, row: dict[str, Any]) -> None:
        """Blank what a row of `posts` says of the post that it was copied from, if that one was forgotten."""
        url, author = row.get("reposted_url"), row.get("reposted_author")
        if self.hashes and (self.holds(url=url) or (author and self._has("name", fold_name(author)))):
            row |= {"reposted_title": None, "reposted_url": None, "reposted_author": None}

    def _has(self, kind: str, value: str) -> bool:
        return keyed_hash(self.key, kind, value) in self.hashes


def post_marks(post_id: str | None, url: str | None) -> Iterator[tuple[str, str]]:
    """Yield what identifies a post: its id, the id in its address, or the address itself where that holds none."""
    if post_id:
        yield "post", post_id.strip().lower()
    article = parse_article_url(url or "")
    if article:
        yield "post", article.id24
    elif url:
        yield "url", fold_url(url)


def fold_url(url: str) -> str:
    """Return an address as `host/path`: scheme, `www.`, query, fragment and a slash at the end do not count."""
    parts = urlsplit(url.strip() if "//" in url else f"//{url.strip()}")
    return (parts.netloc.lower().removeprefix("www.") + unquote(parts.path)).rstrip("/")


def open_forgotten(folder: Path) -> Forgotten:
    """Read the list; empty, and without making a key, where nobody was forgotten.

    Parameters
    ----------
    folder : the study's data folder.

    Raises
    ------
    PrivacyError : the list is damaged, or its key is missing.
    """
    hashes = _read(folder)
    return Forgotten(open_key(folder, create=False), frozenset(hashes)) if hashes else Forgotten()


def is_forgotten(
    folder: Path,
    *,
    post_id: str | None = None,
    author_id: str | None = None,
    author: str | None = None,
    url: str | None = None,
) -> bool:
    """Say whether one post or person was forgotten; for many, keep what `open_forgotten` returns."""
    return open_forgotten(folder).holds(post_id=post_id, author_id=author_id, author=author, url=url)


def remember(folder: Path, marks: Iterable[tuple[str, str]]) -> int:
    """Add (kind, value) marks to the list as keyed hashes, atomically; return how many are new."""
    known = _read(folder)
    key = open_key(folder, create=not known)
    fresh = {keyed_hash(key, kind, value) for kind, value in marks} - known
    if fresh:
        write_file(folder / FORGOTTEN_FILE, "\n".join(sorted(known | fresh)) + "\n")
    return len(fresh)


def _read(folder: Path) -> set[str]:
    path = folder / FORGOTTEN_FILE
    try:
        lines = set(path.read_text(encoding="ascii").split())
    except FileNotFoundError:
        return set()
    except (OSError, ValueError) as error:
        raise PrivacyError(f"cannot read {path}: {error}", remedy="put it back from a backup") from None
    if not all(_HASH.fullmatch(line) for line in lines):
        raise PrivacyError(f"{path} is damaged", remedy="put it back from a backup")
    return lines
