"""The frontier: which posts and listings are known, what became of them, and what today's budget has left.

A SQLite file beside the archive. It never decides by itself that a page was fetched: it says so only after the archive
took it, and is brought in line with the archive whenever a crawl starts (`intake.catch_up`).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any

from nlp_study.crawl.settings import CrawlError
from nlp_study.crawl.warc import ArchiveKey
from nlp_study.schema import TIMEZONE, Failure

_FORMAT = "1"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS chains (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, day TEXT, state INTEGER NOT NULL DEFAULT 0,
    page INTEGER NOT NULL DEFAULT 1, n_pages INTEGER NOT NULL DEFAULT 0, read_at REAL NOT NULL DEFAULT 0,
    wanted INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, not_before REAL NOT NULL DEFAULT 0,
    last_at REAL NOT NULL DEFAULT 0, floor INTEGER NOT NULL DEFAULT 0, UNIQUE (kind, subject, day));
CREATE TABLE IF NOT EXISTS links (
    chain INTEGER NOT NULL, post_id TEXT NOT NULL, PRIMARY KEY (chain, post_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS posts (
    n INTEGER PRIMARY KEY, post_id TEXT NOT NULL UNIQUE, url TEXT NOT NULL, day TEXT, chain INTEGER,
    state INTEGER NOT NULL DEFAULT 0, page INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0, fetched_at REAL NOT NULL DEFAULT 0, etag TEXT, last_modified TEXT,
    file TEXT, start INTEGER);
CREATE INDEX IF NOT EXISTS posts_todo ON posts (not_before, n) WHERE state = 0;
CREATE TABLE IF NOT EXISTS parts (
    post_id TEXT NOT NULL, page INTEGER NOT NULL, file TEXT NOT NULL, start INTEGER NOT NULL,
    PRIMARY KEY (post_id, page)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS budget (day TEXT PRIMARY KEY, n_requests INTEGER NOT NULL, n_bytes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, size INTEGER NOT NULL, tail BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS failures (
    place TEXT PRIMARY KEY, post_id TEXT, reason TEXT NOT NULL, is_final INTEGER NOT NULL, failed_at REAL NOT NULL);
"""


JOIN = -1
"""In place of a post's next page: all its pages are stored, and only have to be joined."""


class State(IntEnum):
    """What is known of a post or a listing."""

    PENDING = 0
    DONE = 1
    GONE = 2
    """The site answered that it is not there (any more), or showed a page without article."""
    FAILED = 3
    """No answer after all tries; the next run tries again."""
    BLOCKED = 4
    """robots.txt does not allow the address."""


class TaskKind(StrEnum):
    """What a request is for; stands in the archive beside each response."""

    ROBOTS = "robots"
    INDEX = "index"
    TAG = "tag"
    TAG_PAGE = "tagpage"
    """The tag's own page, read where the endpoint does not answer."""
    CATEGORY = "category"
    SEARCH = "search"
    AUTHOR = "author"
    URLS = "urls"
    POST = "post"
    PART = "part"
    """One page of a post whose `?page=all` was not whole."""


@dataclass(frozen=True, slots=True)
class Task:
    """One request to make. `subject`: id of the post, or what the listing lists; `day` only for the daily index."""

    kind: TaskKind
    subject: str = ""
    page: int = 0
    day: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.page} {self.day or '-'} {self.subject}"

    @classmethod
    def parse(cls, text: str) -> Task | None:
        """Read what `str` gives; `None` for anything else, such as a record of another program."""
        words = text.split(" ", 3)
        try:
            kind = TaskKind(words[0])
            page = int(words[1])
        except (ValueError, IndexError):
            return None
        day = words[2] if len(words) > 2 and words[2] != "-" else ""
        return cls(kind, words[3] if len(words) > 3 else "", page, day)


@dataclass(frozen=True, slots=True)
class PostRow:
    """A known post. `page` is 0 for `?page=all`, else the page that is fetched next."""

    post_id: str
    url: str
    day: str | None
    state: State
    page: int
    tries: int
    not_before: float
    fetched_at: float
    etag: str | None
    last_modified: str | None
    key: ArchiveKey | None


@dataclass(frozen=True, slots=True)
class ChainRow:
    """A listing, read page after page; `page` is the next one.

    Pages below `floor` were read before an interruption and do not end the listing when they bring nothing new.
    """

    id: int
    kind: TaskKind
    subject: str
    day: str
    state: State
    page: int
    n_pages: int
    read_at: float
    tries: int
    not_before: float
    floor: int


_POST = "post_id, url, day, state, page, tries, not_before, fetched_at, etag, last_modified, file, start"
_CHAIN = "id, kind, subject, day, state, page, n_pages, read_at, tries, not_before, floor"
_OPEN_ENDED = "kind IN ('tag', 'tagpage', 'category', 'search', 'author')"
_SHIFTED_AFTER_S = 3600
"""A listing interrupted for longer is read from its first page again: new posts have moved the others to later pages."""


class Frontier:
    """An open frontier; every change is in the file when `commit` returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._is_closed = False
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(
                "PRAGMA synchronous = NORMAL"
            )  # a kill loses nothing; after a power cut the archive decides
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise CrawlError(
                f"{path} cannot be read: {error}",
                remedy="delete it: it is made again from the archive when the next crawl starts",
            ) from error
        if self.read_meta("format") not in (None, _FORMAT):
            raise CrawlError(
                f"{path} was made by another version", remedy="delete it: it is made again from the archive"
            )
        self.write_meta("format", _FORMAT)
        self.commit()

    def close(self) -> None:
        """Commit and close; closing twice does no harm."""
        if not self._is_closed:
            self.commit()
            self._db.close()
            self._is_closed = True

    def commit(self) -> None:
        """Make all changes since the last commit last."""
        if self._db.in_transaction:
            self._db.execute("COMMIT")

    def _write(self, sql: str, values: Iterable[object] = ()) -> sqlite3.Cursor:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")
        return self._db.execute(sql, tuple(values))

    # Settings and files

    def read_meta(self, name: str) -> str | None:
        """Return a remembered value."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def write_meta(self, name: str, value: str | None) -> None:
        """Remember a value; `None` forgets it."""
        if value is None:
            self._write("DELETE FROM meta WHERE name = ?", (name,))
        else:
            self._write("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def read_files(self) -> dict[str, tuple[int, bytes]]:
        """Return, for each archive file, how far it is known and the last bytes before that point."""
        return {name: (size, tail) for name, size, tail in self._db.execute("SELECT name, size, tail FROM files")}

    def write_file(self, name: str, size: int, tail: bytes) -> None:
        """Remember how far an archive file is known."""
        self._write("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (name, size, tail))

    def reset(self) -> None:
        """Forget what was concluded from the archive, and keep the budget, the addresses and what robots.txt blocked."""
        self._write(
            "UPDATE posts SET state = 0, page = 0, fetched_at = 0, etag = NULL, last_modified = NULL, file = NULL"
        )
        self._write("UPDATE chains SET state = 0, page = 1, n_pages = 0, read_at = 0")
        for table in ("links", "parts", "files", "failures"):
            self._write(f"DELETE FROM {table}")

    # Budget

    def spend(self, day: date, *, n_requests: int = 0, n_bytes: int = 0) -> None:
        """Count requests and bytes against a calendar day."""
        self._write(
            "INSERT INTO budget VALUES (?, ?, ?) ON CONFLICT (day) DO UPDATE"
            " SET n_requests = n_requests + excluded.n_requests, n_bytes = n_bytes + excluded.n_bytes",
            (day.isoformat(), n_requests, n_bytes),
        )

    def read_budget(self, day: date) -> tuple[int, int]:
        """Return the requests and bytes of a calendar day, all runs together."""
        row = self._db.execute("SELECT n_requests, n_bytes FROM budget WHERE day = ?", (day.isoformat(),)).fetchone()
        return (row[0], row[1]) if row else (0, 0)

    # Listings

    def want_chains(self, wanted: Iterable[tuple[TaskKind, str, str]]) -> None:
        """Add this run's listings, as (kind, subject, day or ""), and set all others aside."""
        self._write("UPDATE chains SET wanted = 0")
        for kind, subject, day in wanted:
            self.want_chain(kind, subject, day)

    def add_chain(self, kind: TaskKind, subject: str, day: str) -> ChainRow:
        """Return a listing, added if it is new."""
        values = (str(kind), subject, day)
        where = "kind = ? AND subject = ? AND day = ?"
        row = self._db.execute(f"SELECT {_CHAIN} FROM chains WHERE {where}", values).fetchone()
        if row is None:
            self._write("INSERT INTO chains (kind, subject, day) VALUES (?, ?, ?)", values)
            row = self._db.execute(f"SELECT {_CHAIN} FROM chains WHERE {where}", values).fetchone()
        return _read_chain(row)

    def reopen_chains(self) -> None:
        """Let listings that may have grown since they were read be read again from their first page.

        A day's index is complete once it was read after the day had ended; tags, categories, searches and authors never.
        """
        self._write("UPDATE chains SET tries = 0, not_before = 0 WHERE wanted")
        self._write("UPDATE chains SET state = 0, page = 1 WHERE wanted AND state = 3")
        self._write(f"UPDATE chains SET state = 0, page = 1, floor = 0 WHERE wanted AND state = 1 AND {_OPEN_ENDED}")
        shifted = time.time() - _SHIFTED_AFTER_S
        self._write(
            "UPDATE chains SET floor = max(floor, page), page = 1"
            f" WHERE wanted AND state = 0 AND page > 1 AND last_at < ? AND {_OPEN_ENDED}",
            (shifted,),
        )
        rows = self._db.execute(f"SELECT {_CHAIN}, last_at FROM chains WHERE wanted AND kind = 'index'").fetchall()
        for *row, last_at in rows:
            chain = _read_chain(row)
            if chain.read_at >= _end_of_day(chain.day):
                continue
            if chain.state is State.DONE:
                self._write("UPDATE chains SET state = 0, page = 1, floor = 0 WHERE id = ?", (chain.id,))
            elif chain.page > 1 and last_at < shifted:
                self._write("UPDATE chains SET floor = max(floor, page), page = 1 WHERE id = ?", (chain.id,))

    def update_chain(self, chain: ChainRow, *, state: State, page: int, read_at: float) -> None:
        """Note that a page of a listing was read: what follows, and when its first page was read."""
        first_at = read_at if chain.page <= 1 else chain.read_at
        self._write(
            "UPDATE chains SET state = ?, page = ?, n_pages = n_pages + 1, read_at = ?, last_at = ?, tries = 0 WHERE id = ?",
            (int(state), page, first_at, read_at, chain.id),
        )
        if state is State.DONE and chain.kind is TaskKind.INDEX and first_at >= _end_of_day(chain.day):
            self._write("DELETE FROM links WHERE chain = ?", (chain.id,))

    def count_days(self) -> tuple[int, int]:
        """Return how many of the wanted days are done (their index, that is), and how many are wanted."""
        done, total = self._db.execute(
            "SELECT sum(state != 0), count(*) FROM chains WHERE wanted AND kind = 'index'"
        ).fetchone()
        return done or 0, total

    def next_chains(self, n: int, *, now: float) -> list[ChainRow]:
        """Return up to n listings to read, days in order; those set back come when they are due."""
        rows = self._db.execute(
            f"SELECT {_CHAIN} FROM chains WHERE wanted AND state = 0 AND not_before <= ? ORDER BY day, id LIMIT ?",
            (now, n),
        )
        return [_read_chain(row) for row in rows]

    def set_chain_back(self, chain: ChainRow, *, not_before: float) -> None:
        """Note a failed try; the listing is not asked for before that time (seconds since 1970)."""
        self._write("UPDATE chains SET tries = tries + 1, not_before = ? WHERE id = ?", (not_before, chain.id))

    def want_chain(self, kind: TaskKind, subject: str, day: str = "") -> None:
        """Add a listing to this run's."""
        chain = self.add_chain(kind, subject, day)
        self._write("UPDATE chains SET wanted = 1 WHERE id = ?", (chain.id,))

    def close_chain(self, chain: ChainRow, state: State) -> None:
        """End a listing."""
        self._write("UPDATE chains SET state = ? WHERE id = ?", (int(state), chain.id))

    def link(self, chain_id: int, post_id: str) -> bool:
        """Note that a listing shows a post; return whether it had not done so before."""
        cursor = self._write("INSERT OR IGNORE INTO links VALUES (?, ?)", (chain_id, post_id))
        return cursor.rowcount == 1

    # Posts

    def add_post(self, post_id: str, url: str, *, day: str | None, chain_id: int | None) -> bool:
        """Make a post known; return whether it was new. A known one that is still to be fetched joins the listing."""
        cursor = self._write(
            "INSERT OR IGNORE INTO posts (post_id, url, day, chain) VALUES (?, ?, ?, ?)", (post_id, url, day, chain_id)
        )
        if cursor.rowcount == 1:
            return True
        self._write("UPDATE posts SET chain = ? WHERE post_id = ? AND state = 0", (chain_id, post_id))
        return False

    def read_post(self, post_id: str) -> PostRow | None:
        """Return a post, if it is known."""
        row = self._db.execute(f"SELECT {_POST} FROM posts WHERE post_id = ?", (post_id,)).fetchone()
        return _read_post(row) if row else None

    def next_posts(self, n: int, *, since: date | None, until: date | None, now: float) -> list[PostRow]:
        """Return up to n posts to fetch: of this run's listings, and of the days asked for as far as a day is known."""
        rows = self._db.execute(
            f"SELECT {_POST} FROM posts WHERE state = 0 AND page >= 0 AND not_before <= ?"
            " AND (page != 0 OR (chain IN (SELECT id FROM chains WHERE wanted)"
            " AND (day IS NULL OR (day >= ? AND day <= ?)))) ORDER BY not_before, n LIMIT ?",
            (now, since.isoformat() if since else "", until.isoformat() if until else "9999", n),
        )
        return [_read_post(row) for row in rows]

    def next_stale(self, n: int, *, before: float, since: date | None, until: date | None, now: float) -> list[PostRow]:
        """Return up to n stored posts that were last asked for before a time (seconds since 1970)."""
        rows = self._db.execute(
            f"SELECT {_POST} FROM posts WHERE state = 1 AND fetched_at < ? AND not_before <= ?"
            " AND (day IS NULL OR (day >= ? AND day <= ?)) ORDER BY n LIMIT ?",
            (before, now, since.isoformat() if since else "", until.isoformat() if until else "9999", n),
        )
        return [_read_post(row) for row in rows]

    def update_post(self, post_id: str, state: State, *, fetched_at: float | None = None, page: int = 0) -> None:
        """Note what became of a post; a page above 0 is fetched next."""
        self._write(
            "UPDATE posts SET state = ?, page = ?, tries = 0, not_before = 0, fetched_at = coalesce(?, fetched_at)"
            " WHERE post_id = ?",
            (int(state), page, fetched_at, post_id),
        )

    def remember_version(self, post_id: str, key: ArchiveKey, headers: Mapping[str, str]) -> None:
        """Keep where a post's latest version lies, and by what the server tells versions apart."""
        self._write(
            "UPDATE posts SET file = ?, start = ?, etag = ?, last_modified = ? WHERE post_id = ?",
            (key.file, key.offset, headers.get("etag"), headers.get("last-modified"), post_id),
        )

    def set_post_back(self, post_id: str, *, not_before: float) -> None:
        """Note a failed try; the post is not asked for before that time (seconds since 1970)."""
        self._write("UPDATE posts SET tries = tries + 1, not_before = ? WHERE post_id = ?", (not_before, post_id))

    def retry_failed(self) -> None:
        """Let posts that failed in earlier runs be tried again, with all their tries; the blocked wait for robots.txt."""
        self._write("UPDATE posts SET state = 0, tries = 0, not_before = 0 WHERE state IN (3, 4)")
        self._write("UPDATE posts SET tries = 0, not_before = 0 WHERE state = 0 AND (tries > 0 OR not_before > 0)")
        self._write("DELETE FROM failures WHERE NOT is_final")

    def add_part(self, post_id: str, page: int, key: ArchiveKey) -> None:
        """Note where one page of a post lies."""
        self._write("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?)", (post_id, page, key.file, key.offset))

    def read_parts(self, post_id: str) -> list[tuple[int, ArchiveKey]]:
        """Return the pages of a post that are stored, in order."""
        rows = self._db.execute("SELECT page, file, start FROM parts WHERE post_id = ? ORDER BY page", (post_id,))
        return [(page, ArchiveKey(file, start)) for page, file, start in rows]

    def read_unjoined(self) -> list[PostRow]:
        """Return the posts whose pages are all stored and not yet joined."""
        return [
            _read_post(row) for row in self._db.execute(f"SELECT {_POST} FROM posts WHERE state = 0 AND page = {JOIN}")
        ]

    def clear_parts(self, post_id: str) -> None:
        """Forget the pages of a post, which were joined."""
        self._write("DELETE FROM parts WHERE post_id = ?", (post_id,))

    def count_posts(self) -> dict[State, int]:
        """Return how many posts are in each state."""
        counts = dict(self._db.execute("SELECT state, count(*) FROM posts GROUP BY state").fetchall())
        return {state: counts.get(int(state), 0) for state in State}

    # Failures

    def add_failure(self, place: str, reason: str, *, post_id: str | None = None, is_final: bool = True) -> None:
        """Note why a page was not stored; of a place only the last reason is kept."""
        self._write(
            "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?)",
            (place, post_id, reason, int(is_final), time.time()),
        )

    def drop_failure(self, post_id: str) -> None:
        """Forget the failure of a post that was stored after all."""
        self._write("DELETE FROM failures WHERE post_id = ?", (post_id,))

    def read_failures(self) -> list[Failure]:
        """Return what could not be fetched, and why, as rows of the table `failures`."""
        rows = self._db.execute("SELECT place, reason, post_id FROM failures ORDER BY failed_at, place")
        return [Failure("crawl", place, reason, post_id) for place, reason, post_id in rows]


def _read_post(row: Sequence[Any]) -> PostRow:
    *values, file, start = row
    post_id, url, day, state, page, tries, not_before, fetched_at, etag, last_modified = values
    key = ArchiveKey(file, start) if file is not None else None
    return PostRow(post_id, url, day, State(state), page, tries, not_before, fetched_at, etag, last_modified, key)


def _read_chain(row: Sequence[Any]) -> ChainRow:
    chain_id, kind, subject, day, state, *rest = row
    return ChainRow(chain_id, TaskKind(kind), subject, day, State(state), *rest)


def _end_of_day(day: str) -> float:
    """Return when a day's index is complete: an hour after midnight in Jakarta, as seconds since 1970."""
    start = datetime.fromisoformat(day).replace(tzinfo=TIMEZONE)
    return start.timestamp() + 25 * 3600
