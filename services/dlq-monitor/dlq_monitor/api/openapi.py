"""What dlq-monitor's routes may answer (see `warren.openapi`).

A route says itself only what is its own: 502 of a test of an alert's channel.
"""

from __future__ import annotations

from collections.abc import Iterator

from warren.openapi import Operation

ANSWERS = {
    "401": ("NoToken", "There is no token, or none that is known."),
    "403": ("Forbidden", "The token is a reader's, and this is a change; or no token is set at all."),
    "404": ("Unknown", "There is no such thing, or more than one begins like this."),
    "409": ("Refused", "It is not in a state for this; nothing was changed."),
    "422": ("Wrong", "The request is wrong, or does not say who does it; nothing was changed."),
    "502": ("Failed", "Whoever was to be told did not take it."),
    "503": ("Away", "The broker or the store is away, or letters are still being counted: ask again."),
}


def codes(path: str, method: str, operation: Operation) -> Iterator[str]:
    """Yield what a route may answer beside its own."""
    yield from operation["responses"].keys() & {"422", "502"}
    if not operation["security"]:
        return
    yield from ("401", "403", "503")
    if "{" in path:
        yield "404"
    if method != "get":
        yield from ("409", "422")
