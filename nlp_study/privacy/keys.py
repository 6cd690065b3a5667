"""The study's secret key, and hashes made with it (HMAC-SHA256, RFC 2104).

A plain hash of an account name is no secret: whoever has a list of the site's accounts hashes them all. With a key that stays
with the study, nobody else can.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
import unicodedata
import uuid
from pathlib import Path

from nlp_study.errors import StudyError

logger = logging.getLogger(__name__)

KEY_FILE = "privacy.key"
_KEY_BYTES = 32


class PrivacyError(StudyError):
    """A key is missing or damaged, or a person or post cannot be removed."""


def open_key(folder: Path, *, create: bool = True) -> bytes:
    """Return the study's key of 32 bytes, made on first use and readable by its owner only.

    Parameters
    ----------
    folder : the study's data folder; the key is its file `privacy.key`, mode 0600.
    create : make one if there is none.

    Raises
    ------
    PrivacyError : the key is damaged, cannot be read or written, or is missing and `create` is false.
    """
    path = folder / KEY_FILE
    try:
        if create and not path.exists():
            _write_key(path)
        if path.stat().st_mode & 0o077:
            logger.warning("%s could be read by others; it is now its owner's only", path)
            path.chmod(0o600)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        raise PrivacyError(
            f"the key {path} is missing",
            remedy="put it back from a backup; a new one would know nobody who was forgotten with the old",
        ) from None
    except OSError as error:
        raise PrivacyError(
            f"cannot use the key {path}: {error.strerror or error}", remedy="check the folder's permissions"
        ) from error
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise PrivacyError(f"the key {path} is damaged", remedy="put it back from a backup")
    return key


def _write_key(path: Path) -> None:
    """Write a new key whole or not at all; if two processes try, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{KEY_FILE}.tmp-{uuid.uuid4().hex[:8]}")
    try:
        handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(_KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(staged)
    except FileExistsError:
        pass
    finally:
        staged.unlink(missing_ok=True)


def fold_name(name: str) -> str:
    """Return a name in the form in which names are compared: case, width and white space do not count."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def keyed_hash(key: bytes, kind: str, value: str) -> str:
    """Return the HMAC-SHA256 of a value in hex; equal values of different kinds (`author`, `post`) give different hashes."""
    return hmac.new(key, f"{kind}\0{value}".encode(), hashlib.sha256).hexdigest()
