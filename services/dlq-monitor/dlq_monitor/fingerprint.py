"""What makes letters of one group: died of the same thing, in the same place, on the same way. Pure.

Trick: whatever names one case and not the kind of case (numbers, ids, hex, quoted values) is taken out of the message,
the most specific pattern first, so that the next ones find nothing left of it. Numbers, ids and hex leave one mark: an
id may happen to have no letter.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from dlq_monitor.model import Letter

MAX_MESSAGE = 300
"""Characters of a message that count: what is longer differs in its end only by chance."""

DIGITS = 12
"""Hexadecimal digits of a group's id: among 5,000 groups two share one once in 20 million desks."""

_PATTERNS = tuple(
    (re.compile(pattern), mark)
    for pattern, mark in (
        (r"(?<!\w)(?:b|r|u)?'(?:[^'\\]|\\.)*'(?!\w)", "<value>"),
        (r'(?<!\w)(?:b|r|u)?"(?:[^"\\]|\\.)*"(?!\w)', "<value>"),
        (r"`[^`]*`|«[^»]*»|“[^”]*”|‘[^’]*’", "<value>"),  # noqa: RUF001 - other hands' quotes
        (r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "<n>"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?", "<time>"),
        (r"\b0[xX][0-9a-fA-F]+\b", "<n>"),
        (r"\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}\b", "<n>"),
        (r"\b(?=\w*\d)(?=\w*[A-Za-z])[A-Za-z0-9_]{16,}\b", "<n>"),
        (r"[-+]?(?:\d+(?:[.,:]\d+)*)(?:[eE][-+]?\d+)?", "<n>"),
        (r"\s+", " "),
    )
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What the letters of one group have in common; `message` is normalised, `where` is `file.py:function`."""

    queue: str
    type: str
    cause: str
    message: str
    where: str

    @property
    def id(self) -> str:
        """Return the fingerprint, the group's id."""
        parts = (self.queue, self.type, self.cause, self.message, self.where)
        return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:DIGITS]


def kind_of(letter: Letter) -> Kind:
    """Return the kind a letter is of."""
    cause = letter.cause
    return Kind(letter.queue, letter.type, cause.type, normalised(cause.message), cause.where)


def overflow(dead_queue: str) -> Kind:
    """Return the kind that takes what comes out of a dead queue when there are too many groups already."""
    return Kind(dead_queue, "", "other", "there are too many groups: this one takes the rest", "")


def normalised(message: str) -> str:
    """Return a message without what differs from case to case; the same again if given its own result."""
    text = message[: 4 * MAX_MESSAGE]
    for pattern, mark in _PATTERNS:
        text = pattern.sub(mark, text)
    return text.strip()[:MAX_MESSAGE]
