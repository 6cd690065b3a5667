"""`Page`: one capture of an address, as the archive holds it and every site parser reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from nlp_study.errors import DataError


@dataclass(frozen=True, slots=True)
class Page:
    """One capture of an address.

    `url` is the address asked for, `body` the decoded content of the response (transfer and content encoding undone, no
    character decoding), `captured_at` timezone-aware. `content_type` is the header's value.
    """

    url: str
    body: bytes
    captured_at: datetime
    status: int = 200
    content_type: str = "text/html; charset=utf-8"


class ExtractionError(DataError):
    """A page gives no post; `what` is the reason that the table `failures` shows.

    `kind` is one of `deleted`, `not_a_post` (listing, comment page, AMP page), `no_body`, `damaged`.
    """

    def __init__(self, kind: str, what: str, *, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.kind = kind
