"""Which post stands at an index of the replica: era, state, layout, day, id; computed from (seed, index) alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from nlp_study.schema import TIMEZONE
from scripts.replica.truth import Era, State

ERA_CYCLE = (
    Era.INSTAGRAM_2025,
    Era.FROALA_2022,
    Era.COUNTS_2018,
    Era.UNDERSCORE_2016,
    Era.MIGRATED_2014,
    Era.WHATSAPP_2024,
    Era.INSTAGRAM_2025,
)
"""Seven, so that eras and the states below (every 20th to 40th post) meet in all combinations."""
POSTS_PER_DAY = 20
"""Generated posts of one era on one day, so that a day's index has more than one page."""

WINDOWS = {
    Era.MIGRATED_2014: (datetime(2012, 1, 2, tzinfo=TIMEZONE), 1140),
    Era.UNDERSCORE_2016: (datetime(2015, 5, 4, tzinfo=TIMEZONE), 690),
    Era.COUNTS_2018: (datetime(2018, 3, 1, tzinfo=TIMEZONE), 660),
    Era.FROALA_2022: (datetime(2021, 1, 4, tzinfo=TIMEZONE), 710),
    Era.WHATSAPP_2024: (datetime(2023, 1, 2, tzinfo=TIMEZONE), 720),
    Era.INSTAGRAM_2025: (datetime(2025, 1, 2, tzinfo=TIMEZONE), 315),
}
"""First day and number of days in which posts of an era were written."""

CAPTURED_AT = {
    Era.MIGRATED_2014: datetime(2015, 12, 1, 10, tzinfo=TIMEZONE),
    Era.UNDERSCORE_2016: datetime(2017, 8, 1, 10, tzinfo=TIMEZONE),
    Era.COUNTS_2018: datetime(2020, 2, 1, 10, tzinfo=TIMEZONE),
    Era.FROALA_2022: datetime(2023, 1, 10, 10, tzinfo=TIMEZONE),
    Era.WHATSAPP_2024: datetime(2024, 12, 31, 22, tzinfo=TIMEZONE),
    Era.INSTAGRAM_2025: datetime(2026, 1, 20, 10, tzinfo=TIMEZONE),
}
"""A time at which pages had the layout of that era, after everything that is printed on them."""

MIGRATED_FROM = datetime(2015, 3, 1, tzinfo=TIMEZONE)
MIGRATION_S = 45 * 86400


@dataclass(frozen=True, slots=True)
class Plan:
    """The skeleton of one post; `rng` continues the stream that drew it."""

    index: int
    era: Era
    layout: Era
    state: State
    published_at: datetime
    updated_at: datetime
    post_id: str


def draw(seed: int, index: int, purpose: str = "") -> random.Random:
    """Return the random stream of one post and purpose; equal for equal arguments, in every process."""
    digest = blake2b(f"{seed}:{index}:{purpose}".encode(), digest_size=8).digest()
    return random.Random(int.from_bytes(digest, "big"))


def plan_post(
    index: int,
    *,
    seed: int,
    eras: Sequence[Era],
    per_day: int,
    published_at: datetime | None = None,
    post_id: str | None = None,
) -> Plan:
    """Plan the post at `index`.

    Parameters
    ----------
    eras : cycle of eras, shape (n_eras,); the post takes `eras[index % n_eras]`.
    per_day : generated posts of one place of the cycle on one day.
    published_at, post_id : those of a demonstration post; kept where its year is in the era, moved there otherwise.
    """
    rng = draw(seed, index, "plan")
    era = eras[index % len(eras)]
    start, n_days = WINDOWS[era]
    keeps_id = False
    if published_at is None:
        day = (index // len(eras)) // per_day
        published_at = start + timedelta(days=day % n_days, seconds=60 * rng.randrange(24 * 60))
    elif era in (Era.WHATSAPP_2024, Era.INSTAGRAM_2025):
        era = Era.WHATSAPP_2024 if published_at.year < 2025 else Era.INSTAGRAM_2025
        keeps_id = True
    else:
        span = published_at - WINDOWS[Era.WHATSAPP_2024][0]
        published_at = start + timedelta(days=max(0, span.days) % n_days)
        published_at = published_at.replace(hour=rng.randrange(24), minute=rng.randrange(60))
    state = _pick_state(index)
    made_at = published_at + timedelta(seconds=rng.randrange(60))
    updated_at = published_at
    if state is State.SCHEDULED:
        updated_at = published_at - timedelta(minutes=rng.randrange(60, 15 * 60))
        made_at = updated_at - timedelta(hours=rng.randrange(1, 30))
    elif rng.random() < 0.6:
        updated_at = published_at + timedelta(minutes=rng.choice((3, 17, 55, 240, 1500, 9000)))
    if era is Era.MIGRATED_2014:
        made_at = MIGRATED_FROM + timedelta(seconds=rng.randrange(MIGRATION_S))
        if state is not State.SCHEDULED:
            updated_at = datetime(2015, 6, rng.randrange(17, 27), 3, rng.randrange(60), tzinfo=TIMEZONE)
    if not (keeps_id and post_id):
        post_id = f"{int(made_at.timestamp()):08x}{rng.getrandbits(40):010x}{index ^ 0x5A5A5A:06x}"
    return Plan(index, era, _pick_layout(era, rng), state, published_at, updated_at, post_id)


def _pick_state(index: int) -> State:
    if index % 40 in (7, 27) or index % 80 == 17:
        return State.DELETED
    if index % 25 == 3:
        return State.BLOCKED
    return State.SCHEDULED if index % 20 == 9 else State.LIVE


def _pick_layout(era: Era, rng: random.Random) -> Era:
    """Old posts stand in the page of their time or, as in recent captures, in that of 2025."""
    share_recent = {Era.MIGRATED_2014: 0.5, Era.UNDERSCORE_2016: 0.4, Era.COUNTS_2018: 0.25, Era.FROALA_2022: 0.15}
    return Era.INSTAGRAM_2025 if rng.random() < share_recent.get(era, 0.0) else era
