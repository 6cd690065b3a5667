"""Reading pages in processes that may die: a page that kills its process costs one row, and the run goes on.

Parsers in C can crash, be killed for their memory, or not come back, and no handler of Python interrupts them. So each
worker sets itself two timers before a page, of processor time and of time that passes, whose signals end the process.
What was under way is then read again in processes of its own, which say page by page how far they came.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import Pipe, Process
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from nlp_study.errors import StudyError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Row = TypeVar("Row")

MOST_LOST = 25
"""Items in a row that may end their process before the fault is sought elsewhere: no crawl holds so many hostile pages."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one item may take: `cpu_s` seconds of processor time, and `wall_s` seconds in which it may also wait."""

    cpu_s: float
    wall_s: float


@dataclass(frozen=True, slots=True)
class Reading(Generic[Item, Row]):
    """Items that a pool reads."""

    items: Sequence[Item]
    pool: ProcessPoolExecutor
    future: Future[list[Row]]


class Workers(Generic[Item, Row]):
    """Processes that read items, batch by batch.

    Parameters
    ----------
    read : makes a row of an item; a function that processes can import, which catches what it raises.
    lose : makes the row of an item that ended its process, from the item, a kind (`damaged` where it took too long,
        `crashed` otherwise) and the reason.
    prepare : loads what `read` loads at its first call. Called where a process has died before, so that loading is not
        taken for slow reading; otherwise what is never needed is not loaded.
    n_workers : processes.
    limits : of one item.
    """

    def __init__(
        self,
        read: Callable[[Item], Row],
        lose: Callable[[Item, str, str], Row],
        *,
        prepare: Callable[[], None],
        n_workers: int,
        limits: Limits,
    ) -> None:
        self._read, self._lose, self._prepare = read, lose, prepare
        self._n_workers, self._limits = n_workers, limits
        self._pool = ProcessPoolExecutor(n_workers)
        self._n_lost_in_a_row = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def submit(self, items: Sequence[Item]) -> Reading[Item, Row]:
        """Begin to read items."""
        try:
            future = self._pool.submit(_read_all, self._read, items, self._limits)
        except BrokenProcessPool:
            self._renew(self._pool)
            future = self._pool.submit(_read_all, self._read, items, self._limits)
        return Reading(items, self._pool, future)

    def collect(self, reading: Reading[Item, Row]) -> list[Row]:
        """Wait for the rows of the items, one each, in their order.

        Raises
        ------
        StudyError : `MOST_LOST` items in a row ended their process.
        """
        try:
            rows = reading.future.result()
        except BrokenProcessPool:
            self._renew(reading.pool)
            return self._read_apart(reading.items)
        self._n_lost_in_a_row = 0
        return rows

    def _renew(self, broken: ProcessPoolExecutor) -> None:
        """Replace a broken pool, once however many of its batches are collected."""
        if broken is self._pool:
            broken.shutdown()
            self._prepare()  # new processes are copies of this one where the system allows it, and then load nothing
            self._pool = ProcessPoolExecutor(self._n_workers, initializer=self._prepare)

    def _read_apart(self, items: Sequence[Item]) -> list[Row]:
        rows: list[Row] = []
        while len(rows) < len(items):
            found, exit_code = self._run_process(items[len(rows) :])
            rows += found
            self._n_lost_in_a_row = 0 if found else self._n_lost_in_a_row
            if len(rows) < len(items):
                kind, reason = _explain(exit_code, self._limits)
                logger.warning("%s; its page is left out", reason)
                rows.append(self._lose(items[len(rows)], kind, reason))
                self._count_lost(reason)
        return rows

    def _count_lost(self, reason: str) -> None:
        self._n_lost_in_a_row += 1
        if self._n_lost_in_a_row >= MOST_LOST:
            raise StudyError(
                f"{MOST_LOST} pages in a row could not be read, the last because {reason}",
                remedy="the machine may lack memory (see `dmesg`; fewer --workers need less), or a parser is broken: "
                "`pip install --force-reinstall selectolax lxml`; pages already read are kept",
            )

    def _run_process(self, items: Sequence[Item]) -> tuple[list[Row], int | None]:
        """Read items in a new process; return the rows of those before the one that ended it, and its exit code."""
        receiver, sender = Pipe(duplex=False)
        arguments = (sender, self._prepare, self._read, items, self._limits)
        process = Process(target=_send_all, args=arguments, daemon=True)
        process.start()
        sender.close()
        rows: list[Row] = []
        try:
            while len(rows) < len(items):
                rows.append(receiver.recv())
        except (EOFError, OSError):  # it died, perhaps while sending
            process.join()
        finally:
            process.kill()
            process.join()
            receiver.close()
        return rows, process.exitcode


def _read_all(read: Callable[[Item], Row], items: Sequence[Item], limits: Limits) -> list[Row]:
    rows = []
    try:
        for item in items:
            _set_timers(limits)
            rows.append(read(item))
    finally:
        _set_timers(Limits(0, 0))
    return rows


def _send_all(
    sender: Connection,
    prepare: Callable[[], None],
    read: Callable[[Item], Row],
    items: Sequence[Item],
    limits: Limits,
) -> None:
    prepare()
    for item in items:
        sender.send(_read_all(read, [item], limits)[0])


def _set_timers(limits: Limits) -> None:
    """Let the kernel end this process after the limits; 0 ends the waiting. Signals may have handlers of the parent."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, limits.cpu_s)
    signal.setitimer(signal.ITIMER_REAL, limits.wall_s)


def _explain(exit_code: int | None, limits: Limits) -> tuple[str, str]:
    if exit_code == -signal.SIGPROF:
        return "damaged", f"the parser needed more than {limits.cpu_s:g} s of processor time"
    if exit_code == -signal.SIGALRM:
        return "damaged", f"the parser gave no answer in {limits.wall_s:g} s"
    if exit_code is not None and exit_code < 0:
        return "crashed", f"the parser's process was ended by {signal.Signals(-exit_code).name}"
    return "crashed", f"the parser's process ended with status {exit_code}"
