"""The process in which Scrapy runs: its reactor starts once and never again, so each crawl gets its own.

Settings come as one line of JSON on standard input, events go as lines of JSON to standard output. When standard input
ends, the process that wanted the crawl is gone, and the crawl ends too; the archive allows that at any moment.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from dataclasses import asdict
from typing import Any, TextIO

from filelock import FileLock, Timeout

from nlp_study.crawl.counts import CrawlCounts
from nlp_study.crawl.run import CrawlRun
from nlp_study.crawl.settings import CrawlError, CrawlSettings

_LOCK_WAIT_S = 3.0


def main() -> int:
    """Run the crawl that standard input asks for."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else prints must not look like an event
    request = json.loads(sys.stdin.readline())
    logging.basicConfig(stream=sys.stderr, level=request["log_level"], format="%(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(_is_for_readers)
    threading.Thread(target=_watch_parent, daemon=True).start()
    settings = CrawlSettings.model_validate(request["settings"])
    try:
        counts = _crawl(settings, events)
    except CrawlError as error:
        _emit(events, "error", {"what": error.what, "remedy": error.remedy})
        return 1
    _emit(events, "end", asdict(counts))
    return 0


def _crawl(settings: CrawlSettings, events: TextIO) -> CrawlCounts:
    settings.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.folder / "crawl.lock")
    try:
        lock.acquire(timeout=_LOCK_WAIT_S)
    except Timeout as error:
        raise CrawlError(
            f"another crawl is writing to {settings.folder}", remedy="wait until it ends, or name another folder"
        ) from error
    with lock:
        run = CrawlRun(settings, report=lambda counts: _emit(events, "progress", asdict(counts)))
        try:
            run.open()
            _run_scrapy(run)
        except BaseException:
            run.stop("failed")
            raise
        finally:
            counts = run.close()
        if run.error is not None:
            raise run.error
        return counts


def _run_scrapy(run: CrawlRun) -> None:
    from scrapy.crawler import AsyncCrawlerProcess

    from nlp_study.crawl.spider import make_scrapy_settings, make_spider

    def stop(signum: int, frame: object) -> None:
        signal.signal(signum, signal.SIG_DFL)  # the second time at once
        run.stop("interrupted")

    process = AsyncCrawlerProcess(make_scrapy_settings(run.settings))
    process.crawl(make_spider(run))
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    process.start(install_signal_handlers=False)


def _is_for_readers(record: logging.LogRecord) -> bool:
    """Keep our own messages and others' errors; Scrapy sets its loggers to DEBUG, and tells of every broken page."""
    is_ours = record.name.startswith("nlp_study")
    return is_ours or (record.levelno >= logging.ERROR and not record.name.startswith("scrapy.core.downloader"))


def _watch_parent() -> None:
    while sys.stdin.readline():
        pass
    os._exit(1)


def _emit(events: TextIO, event: str, values: dict[str, Any]) -> None:
    try:
        events.write(json.dumps({"event": event, **values}) + "\n")
        events.flush()
    except BrokenPipeError:
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
