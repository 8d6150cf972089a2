"""Options, and readings of what they are given, that several commands share."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from warren.cli.console import fail
from warren.contracts import now, rfc3339

DEFAULT_DATA = Path(".warren")

Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="Data directory of the stack.", file_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Url = Annotated[
    str | None, typer.Option(metavar="URL", help="The service elsewhere; its token in WARREN_SERVICE_TOKEN.")
]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="30s, 15m, 2h, 7d (ago), or RFC 3339.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Likewise.")]

_SPAN = re.compile(r"(\d{1,9})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def span(text: str) -> timedelta | None:
    """Read `30s`, `15m`, `2h`, `7d`; None for anything else."""
    found = _SPAN.fullmatch(text)
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None


def moment(text: str | None) -> str | None:
    """Read `2h` (ago) or an RFC 3339 time; returns RFC 3339."""
    if text is None:
        return None
    try:
        if (ago := span(text)) is not None:
            return rfc3339(now() - ago)
        return rfc3339(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        fail(f"{text!r} is no time: say 30s, 15m, 2h, 7d (ago) or 2026-11-23T05:00:00Z")
