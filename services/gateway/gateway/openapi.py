"""What the gateway's routes may answer when they refuse (see `warren.openapi`); the socket is in docs/asyncapi.yaml."""

from __future__ import annotations

from collections.abc import Iterator

from warren.openapi import Operation

ANSWERS = {
    "400": ("NotJson", "The body is not JSON in UTF-8."),
    "401": ("NoToken", "The token is missing, not valid or expired."),
    "403": ("Forbidden", "The token, or the page's origin, does not allow this."),
    "404": ("Nothing", "There is no such thing; no room's name has line breaks."),
    "413": ("TooLong", "The body is too long."),
    "422": ("Wrong", "The request is wrong."),
    "429": ("TooFast", "Too fast: again after `Retry-After` seconds."),
    "503": ("Away", "A service is away: again after `Retry-After` seconds, a message with the same id."),
}


def codes(path: str, method: str, operation: Operation) -> Iterator[str]:
    """Yield what a route may answer beside its own."""
    yield "429"
    if not path.startswith("/api/"):
        return
    yield from operation["responses"].keys() & {"422"}
    yield from ("401", "403", "413", "503")
    if "{" in path:
        yield "404"
    if method == "post":
        yield "400"
