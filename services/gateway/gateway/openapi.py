"""What the gateway's routes may answer (see `warren.openapi`). The websocket is in docs/asyncapi.yaml."""

from __future__ import annotations

from collections.abc import Iterator

from warren.openapi import Operation

ANSWERS = {
    "401": ("NoToken", "There is no token, or it is not valid, or it has expired."),
    "403": ("Forbidden", "Pages of this origin may not do this, or there are no guests here."),
    "413": ("TooLong", "The message's body is above the limit."),
    "422": ("Wrong", "The request is wrong."),
    "429": ("TooFast", "Too many of this user or address: again after `Retry-After` seconds."),
    "503": ("Away", "A service or the broker is away: ask again, a message with the same id."),
}


def codes(path: str, method: str, operation: Operation) -> Iterator[str]:
    """Yield what a route may answer beside its own."""
    if not path.startswith("/api/"):
        return
    yield "403"
    yield from operation["responses"].keys() & {"422"}
    if operation["security"]:
        yield from ("401", "503")
    if method == "post":
        yield "429"
    if path.endswith("/messages"):
        yield "413"
