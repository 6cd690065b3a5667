"""`CrawlCounts`: what a run has done so far, or did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CrawlCounts:
    """Counters of one run; only `n_days_done` and `n_days` include earlier ones.

    `stop_reason` is `finished` where everything that was asked for is done, empty while the run goes on.
    """

    n_stored: int = 0
    """Posts stored for the first time."""
    n_changed: int = 0
    """Posts of which a new version was stored (refresh)."""
    n_unchanged: int = 0
    """Posts that the server said are as stored (refresh)."""
    n_gone: int = 0
    """Posts that were deleted or have no page."""
    n_failed: int = 0
    n_blocked: int = 0
    """Addresses that robots.txt does not allow."""
    n_listings: int = 0
    """Pages of listings read."""
    n_retries: int = 0
    n_requests: int = 0
    n_bytes: int = 0
    """Bytes of responses as they came over the wire, headers not counted."""
    n_days_done: int = 0
    """Days of the daily index that were read."""
    n_days: int = 0
    elapsed_s: float = 0.0
    time_left_s: float | None = None
    """Estimate from the days done in this run; `None` before the first, and without a date range."""
    stop_reason: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether everything that was asked for is done."""
        return self.stop_reason == "finished"
