"""`crawl_posts(settings) -> CrawlCounts`: the whole crawl, from seeds to archive."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from nlp_study.crawl.counts import CrawlCounts
from nlp_study.crawl.settings import CrawlError, CrawlSettings, check_ready
from nlp_study.schema import Failure

_GOODBYE_S = 90.0
"""Seconds that a crawl gets for the page under way after an interrupt."""


def crawl_posts(
    settings: CrawlSettings,
    *,
    on_progress: Callable[[CrawlCounts], None] | None = None,
    show_progress: bool | None = None,
) -> CrawlCounts:
    """Fetch posts into the archive, politely; what is stored already is not fetched again.

    The crawl runs in a process of its own and may be killed at any moment: called again with the same settings it
    continues, and repeats at most the page that was under way.

    Parameters
    ----------
    settings : what to fetch, how gently, and the folder that keeps archive and frontier.
    on_progress : called about twice a second with the counts so far.
    show_progress : a progress line on standard error; unset: where that is a terminal.

    Returns
    -------
    Counts of this run. `stop_reason` says whether everything is done (`finished`) or a limit, budget or wait ended it.

    Raises
    ------
    ConfigError : no contact, or nothing to fetch.
    CrawlError : robots.txt cannot be read, another crawl uses the folder, or the archive cannot be written.
    KeyboardInterrupt : after the page under way was stored.
    """
    check_ready(settings)
    logger = logging.getLogger("nlp_study")
    request = {"settings": settings.model_dump(mode="json"), "log_level": logger.getEffectiveLevel()}
    command = [sys.executable, "-m", "nlp_study.crawl.worker"]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    final: dict[str, Any] | None = None
    with worker, closing(_ProgressLine(show_progress)) as line:
        if worker.stdin is None or worker.stdout is None:
            raise CrawlError("the crawl's process could not be started")
        try:
            worker.stdin.write(json.dumps(request) + "\n")
            worker.stdin.flush()
            for text in worker.stdout:
                event = json.loads(text)
                kind = event.pop("event")
                if kind != "progress":
                    final = {"event": kind, **event}
                    continue
                counts = CrawlCounts(**event)
                line.show(counts)
                if on_progress:
                    on_progress(counts)
            worker.wait()
        except BaseException:
            _end_worker(worker)
            raise
    if final is None:
        raise CrawlError(
            f"the crawl's process ended unexpectedly (exit code {worker.returncode})",
            remedy="run the same command again: it continues where the archive ends",
        )
    if final.pop("event") == "error":
        raise CrawlError(final["what"], remedy=final["remedy"])
    return CrawlCounts(**final)


def read_failures(folder: Path) -> list[Failure]:
    """Return what a crawl could not fetch, and why, as rows of the table `failures`.

    Parameters
    ----------
    folder : `CrawlSettings.folder`.
    """
    from nlp_study.crawl.frontier import Frontier

    path = folder / "frontier.sqlite"
    if not path.is_file():
        return []
    with closing(Frontier(path)) as frontier:
        return frontier.read_failures()


def describe_counts(counts: CrawlCounts) -> str:
    """Return the counts of a run in one line, such as `812 posts stored, 3 gone, ...: finished`."""
    numbers = (
        (counts.n_stored, "posts stored"),
        (counts.n_changed, "changed"),
        (counts.n_unchanged, "unchanged"),
        (counts.n_gone, "gone"),
        (counts.n_failed, "failed"),
        (counts.n_blocked, "not allowed by robots.txt"),
    )
    first, *others = numbers
    said = [f"{first[0]:,} {first[1]}", *(f"{n:,} {what}" for n, what in others if n)]
    traffic = f"{counts.n_requests:,} requests, {counts.n_bytes / 1e6:,.1f} MB"
    return f"{', '.join(said)} ({traffic}): {counts.stop_reason}"


class _ProgressLine:
    """A line on the terminal: days done, posts, pages, megabytes, rate and the estimate of the time left."""

    def __init__(self, show: bool | None) -> None:
        from tqdm import tqdm

        disable = None if show is None else not show
        layout = "{desc}: {bar:20} {postfix}"
        self._bar = tqdm(desc="crawl", total=1, bar_format=layout, disable=disable, leave=True)

    def show(self, counts: CrawlCounts) -> None:
        n_posts = counts.n_stored + counts.n_changed + counts.n_unchanged
        rate = n_posts / counts.elapsed_s * 60 if counts.elapsed_s else 0.0
        days = f"{counts.n_days_done}/{counts.n_days} days, " if counts.n_days else ""
        left = f", {_describe_time(counts.time_left_s)} left" if counts.time_left_s is not None else ""
        text = (
            f"{days}{n_posts:,} posts, {counts.n_requests:,} pages, {counts.n_bytes / 1e6:,.1f} MB,"
            f" {rate:,.0f} posts a minute, {counts.n_gone + counts.n_failed} failed{left}"
        )
        self._bar.total = counts.n_days or 1
        self._bar.n = counts.n_days_done
        self._bar.set_postfix_str(text)

    def close(self) -> None:
        self._bar.close()


def _describe_time(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{max(minutes, 1)} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"


def _end_worker(worker: subprocess.Popen[str]) -> None:
    """Let the page under way be stored (the worker got the same interrupt, or is told now), then make an end."""
    if worker.poll() is None:
        worker.terminate()
        try:
            worker.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            worker.kill()
