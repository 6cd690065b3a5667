"""`start_replica`: the replica in a thread or a process of its own, and what a test can do with it."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Literal

from scripts.replica.faults import Faults
from scripts.replica.plans import ERA_CYCLE
from scripts.replica.server import Request, Server
from scripts.replica.site import Posts, Site
from scripts.replica.truth import Era, Truth


class Replica:
    """A running replica. `posts` and `truth` are computed here; the rest asks the server, wherever it runs."""

    def __init__(self, server: Server | None, site: Site, pipe: Connection | None, base_url: str) -> None:
        self.site = site
        self.base_url = base_url
        self._server = server
        self._pipe = pipe
        self._lock = threading.Lock()

    @property
    def posts(self) -> Posts:
        """The truths of all posts, shape (n_posts,)."""
        return self.site.posts

    @property
    def days(self) -> list[str]:
        """Days with posts, `YYYY-MM-DD`."""
        return self.site.days

    def truth(self, post_id: str) -> Truth:
        """Return the post with this id; `KeyError` where there is none."""
        return self.site.truth(post_id)

    @property
    def requests(self) -> list[Request]:
        """The log: every request answered, in order."""
        log: list[Request] = self._ask("log")
        return log

    def reset_log(self) -> None:
        """Forget the requests so far."""
        self._ask("reset_log")

    def set_faults(self, faults: Faults | None = None) -> None:
        """Change what goes wrong; nothing, without an argument."""
        self._ask("faults", faults or Faults())

    def edit(self, post_id: str) -> Truth:
        """Let the author edit a post; return its new truth."""
        if self._server is None:
            self._ask("edit", post_id)
        return self.site.edit(post_id)

    @property
    def robots_txt(self) -> str:
        """Text of robots.txt; can be set."""
        text: str = self._ask("get_robots")[0]
        return text

    @robots_txt.setter
    def robots_txt(self, text: str) -> None:
        self._ask("robots_txt", text)

    @property
    def robots_status(self) -> int:
        """Status with which robots.txt is answered; can be set."""
        status: int = self._ask("get_robots")[1]
        return status

    @robots_status.setter
    def robots_status(self, status: int) -> None:
        self._ask("robots_status", status)

    def _ask(self, name: str, value: Any = None) -> Any:
        if self._server is not None:
            return _do(self._server, name, value)
        if self._pipe is None:
            raise RuntimeError("the replica has neither a server nor a pipe to one")
        with self._lock:
            self._pipe.send((name, value))
            return self._pipe.recv()


@contextmanager
def start_replica(
    n_posts: int = 400,
    *,
    source: Literal["demo", "generated"] = "demo",
    seed: int = 0,
    faults: Faults | None = None,
    port: int = 0,
    rewrite_hosts: bool = True,
    mode: Literal["thread", "process"] = "thread",
    eras: Sequence[Era] = ERA_CYCLE,
) -> Iterator[Replica]:
    """Serve the replica on 127.0.0.1 until the block ends.

    Parameters
    ----------
    n_posts : posts on the site; at most 400 with `source="demo"`.
    source : the demonstration posts, or posts assembled from their sentences when asked for.
    port : 0 takes a free one.
    rewrite_hosts : print links with the replica's own address instead of `https://www.kompasiana.com`.
    mode : `process` keeps the server's work off the caller's processor time and lock.
    eras : cycle of eras of the posts.

    Raises
    ------
    OSError : the port is taken.
    """
    site = build_site(n_posts, source=source, seed=seed, eras=eras)
    settings = faults or Faults()
    if mode == "thread":
        server = Server(site, faults=settings, port=port, rewrite_hosts=rewrite_hosts)
        server.start()
        try:
            yield Replica(server, site, None, server.base_url)
        finally:
            server.stop()
        return
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    arguments = (theirs, n_posts, source, seed, tuple(eras), settings, port, rewrite_hosts)
    process = context.Process(target=_run, args=arguments, daemon=True)
    process.start()
    theirs.close()
    try:
        answer = mine.recv()
        if isinstance(answer, OSError):
            raise answer
        yield Replica(None, site, mine, answer)
    finally:
        mine.close()
        process.join(5)
        if process.is_alive():
            process.terminate()
            process.join()


def build_site(
    n_posts: int = 400,
    *,
    source: Literal["demo", "generated"] = "demo",
    seed: int = 0,
    eras: Sequence[Era] = ERA_CYCLE,
) -> Site:
    """Return the site without a server: `posts`, `truth(id)`, `respond(path)`."""
    return Site(n_posts, seed=seed, generated=source == "generated", eras=eras)


def _run(
    pipe: Connection,
    n_posts: int,
    source: Literal["demo", "generated"],
    seed: int,
    eras: Sequence[Era],
    faults: Faults,
    port: int,
    rewrite_hosts: bool,
) -> None:
    """Serve in a process of its own until the other end of the pipe is closed."""
    server = Server(
        build_site(n_posts, source=source, seed=seed, eras=eras), faults=faults, port=port, rewrite_hosts=rewrite_hosts
    )
    try:
        server.start()
    except OSError as error:
        pipe.send(error)
        return
    pipe.send(server.base_url)
    while True:
        try:
            name, value = pipe.recv()
        except (EOFError, OSError):
            break
        pipe.send(_do(server, name, value))
    server.stop()


def _do(server: Server, name: str, value: Any) -> Any:
    site = server.site
    if name == "log":
        return list(server.requests)
    if name == "reset_log":
        server.requests.clear()
    elif name == "faults":
        server.set_faults(value)
    elif name == "edit":
        site.edit(value)
    elif name == "get_robots":
        return site.robots_txt, site.robots_status
    else:
        setattr(site, name, value)
    return None
