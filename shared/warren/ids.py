"""Identifiers: UUIDv7, whose text order is the order of creation (RFC 9562, section 5.7)."""

from __future__ import annotations

import os
import time


def uuid7() -> str:
    """Return a new UUIDv7 as 36 characters: 48 bits of Unix milliseconds, then random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
