"""The file of tokens: who holds one, and in which role. Only hashes are in it, so reading it gives nothing away.

One person a line: `name role sha256-of-the-token`; `#` begins a comment. A token is random and long, so a plain
hash keeps it: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from warren.errors import SettingsError

log = logging.getLogger(__name__)

Role = Literal["reader", "operator"]
"""A reader sees everything and changes nothing; an operator may do all."""

ROLES: tuple[Role, ...] = get_args(Role)
RESERVED = frozenset({"unknown", "dlq-monitor"})
"""Names that stand for somebody else in histories and in the record."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_Version = tuple[int, int, int]


class TokensError(SettingsError):
    """The file of tokens cannot be used; the message says which line is wrong, and how."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A person with a token."""

    name: str
    role: Role
    digest: str

    @property
    def line(self) -> str:
        """Return it as it stands in the file."""
        return f"{self.name} {self.role} {self.digest}"


def digest(token: str) -> str:
    """Return what the file keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def made(name: str, role: Role) -> tuple[str, Holder]:
    """Return a new random token and its holder; raises `TokensError` for a name that is none."""
    token = secrets.token_urlsafe(32)
    return token, read(Holder(name, role, digest(token)).line)[0]


def read(text: str) -> list[Holder]:
    """Read the content of a file; raises `TokensError` naming the first line that is wrong."""
    found: list[Holder] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if words:
            try:
                found.append(_holder(words, found))
            except ValueError as e:
                raise TokensError(f"line {number}: {e}") from None
    return found


def _holder(words: Sequence[str], before: Sequence[Holder]) -> Holder:
    if len(words) != 3:
        raise ValueError("it must be: name role sha256-of-the-token")
    name, role, hashed = words
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise ValueError(f"{name[:64]!r} cannot be a name: up to 64 of A-Z a-z 0-9 . _ @ -, and not {_or(RESERVED)}")
    if role not in ROLES:
        raise ValueError(f"{role[:64]!r} is no role: say {_or(ROLES)}")
    if not _DIGEST.fullmatch(hashed):  # never shown: it may be the token itself, put there by mistake
        raise ValueError("the third word is no SHA-256: 64 of 0-9 and a-f; `warren dlq token` makes the line")
    if any(h.name == name or h.digest == hashed for h in before):
        raise ValueError(f"{name}, or the token, is there already")
    return Holder(name, role, hashed)


class Tokens:
    """The holders in a file, read again when it changes; without a path there are none.

    A file that is wrong at the start raises `TokensError`. Later it is a logged warning, and the last good version
    stays in force: a slip of the editor must not lock everybody out.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._holders: list[Holder] = []
        self._version: _Version | None = None
        if path is not None:
            try:
                self._version = _version(path)
                self._holders = read(path.read_text())
            except (OSError, UnicodeDecodeError) as e:
                raise TokensError(f"WARREN_DLQ_TOKENS: {path} cannot be read: {_reason(e)}") from None
            except TokensError as e:
                raise TokensError(f"WARREN_DLQ_TOKENS: {path}: {e}") from None

    def holder(self, token: str) -> Holder | None:
        """Return who holds a token. All are compared, each in constant time: the answer's time tells nothing."""
        self._refresh()
        given, found = digest(token), None
        for holder in self._holders:
            if hmac.compare_digest(holder.digest, given):
                found = holder
        return found

    @property
    def known(self) -> bool:
        """Whether anyone holds one."""
        return bool(self._holders)

    def _refresh(self) -> None:
        if self._path is None or (version := _version_now(self._path)) == self._version:
            return
        self._version = version
        try:
            self._holders = read(self._path.read_text())
        except (OSError, UnicodeDecodeError, TokensError) as e:
            self._warn(_reason(e))
        else:
            log.info("tokens read", extra={"fields": {"file": str(self._path), "holders": len(self._holders)}})

    def _warn(self, reason: str) -> None:
        fields = {"file": str(self._path), "reason": reason, "holders": len(self._holders)}
        log.warning("the file of tokens is wrong: its last good version stays in force", extra={"fields": fields})


def _version(path: Path) -> _Version:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _version_now(path: Path) -> _Version | None:
    """Return the version of a file, None if there is no such file any more."""
    try:
        return _version(path)
    except OSError:
        return None


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _or(words: Sequence[str] | frozenset[str]) -> str:
    return " or ".join(sorted(words))
