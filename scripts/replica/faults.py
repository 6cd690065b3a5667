"""What may go wrong between a crawler and the site, on demand and repeatable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from hashlib import blake2b


class Fault(StrEnum):
    """One way to go wrong."""

    LATENCY = "latency"
    TOO_MANY = "429"
    UNAVAILABLE = "503"
    RESET = "reset"
    """The connection is reset after half of the headers and body."""
    TRUNCATED = "truncated"
    """The connection is closed in the middle of a body whose whole length was announced."""
    REDIRECT_LOOP = "redirect_loop"
    WRONG_CHARSET = "wrong_charset"
    """The header says ISO-8859-1; body and meta element are UTF-8."""
    SLOW = "slow"
    """The body drips, a few bytes at a time."""
    FIRST_PAGE = "first_page"
    """`?page=all` gives the first page only, so that the article has to be read page by page."""
    HUGE = "huge"
    """A page of 50 MB."""


@dataclass(frozen=True)
class Faults:
    """How often what goes wrong. Shares are probabilities per request, in [0, 1].

    Whether a request fails depends on seed, address and how often that address was asked for, not on the order of
    requests; so a run can be repeated, and a retry may succeed.

    Parameters
    ----------
    paths : pattern (as of a shell, matched with the whole path and query) to fault; always applied.
    most_per_address : after so many failed requests an address works, so that a crawler that retries sees every page;
        `None` for no bound.
    latency_s : wait before an answer that has the fault `latency`.
    infinite_index : the daily index never ends: past its last page it shows the last one again.
    """

    share_latency: float = 0.0
    share_429: float = 0.0
    share_503: float = 0.0
    share_reset: float = 0.0
    share_truncated: float = 0.0
    share_redirect_loop: float = 0.0
    share_wrong_charset: float = 0.0
    share_slow: float = 0.0
    share_first_page: float = 0.0
    latency_s: float = 0.2
    retry_after_s: int = 1
    slow_bytes_per_s: int = 2_000
    huge_bytes: int = 50_000_000
    infinite_index: bool = False
    most_per_address: int | None = 2
    seed: int = 0
    paths: Mapping[str, Fault | str] = field(default_factory=dict)

    def shares(self) -> tuple[tuple[Fault, float], ...]:
        """Return each fault with its probability, in the order in which they are drawn."""
        return (
            (Fault.TOO_MANY, self.share_429),
            (Fault.UNAVAILABLE, self.share_503),
            (Fault.RESET, self.share_reset),
            (Fault.TRUNCATED, self.share_truncated),
            (Fault.REDIRECT_LOOP, self.share_redirect_loop),
            (Fault.WRONG_CHARSET, self.share_wrong_charset),
            (Fault.SLOW, self.share_slow),
            (Fault.FIRST_PAGE, self.share_first_page),
            (Fault.LATENCY, self.share_latency),
        )


class FaultClock:
    """Decides for each request; remembers how often each address was asked for and failed."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._n_asked: dict[str, int] = {}
        self._n_failed: dict[str, int] = {}
        self._is_active = any(share for _, share in faults.shares())

    def pick(self, path: str) -> Fault | None:
        """Return the fault of this request, or `None`."""
        for pattern, fault in self.faults.paths.items():
            if fnmatchcase(path, pattern):
                return Fault(fault)
        if not self._is_active:
            return None
        n_asked = self._n_asked[path] = self._n_asked.get(path, 0) + 1
        most = self.faults.most_per_address
        if most is not None and self._n_failed.get(path, 0) >= most:
            return None
        digest = blake2b(f"{self.faults.seed}:{path}:{n_asked}".encode(), digest_size=8).digest()
        roll = int.from_bytes(digest, "big") / 2**64
        for fault, share in self.faults.shares():
            if roll < share:
                if fault is not Fault.LATENCY:
                    self._n_failed[path] = self._n_failed.get(path, 0) + 1
                return fault
            roll -= share
        return None
