"""The OpenAPI document: what every route may answer is said here once, and each refers to it.

A route says itself only what is its own: 502 of a test of an alert's channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

_METHODS = frozenset({"get", "post", "put", "patch", "delete"})

_SENTENCE = {
    "type": "object",
    "required": ["detail"],
    "properties": {"detail": {"type": "string", "description": "One sentence for people."}},
    "example": {"detail": "a valid token is needed"},
}
_FAULTS = {
    "type": "object",
    "required": ["detail"],
    "properties": {
        "detail": {
            "description": "One sentence, or the fields that are wrong.",
            "oneOf": [
                {"type": "string"},
                {"type": "array", "items": {"$ref": "#/components/schemas/ValidationError"}},
            ],
        }
    },
}
_ANSWERS = {
    "401": ("NoToken", "There is no token, or none that is known."),
    "403": ("Forbidden", "The token is a reader's, and this is a change; or no token is set at all."),
    "404": ("Unknown", "There is no such thing, or more than one begins like this."),
    "409": ("Refused", "It is not in a state for this; nothing was changed."),
    "422": ("Wrong", "The request is wrong, or does not say who does it; nothing was changed."),
    "502": ("Failed", "Whoever was to be told did not take it."),
    "503": ("Away", "The broker or the store is away, or letters are still being counted: ask again."),
}


def document(app: FastAPI) -> None:
    """Let the app's document say what its routes may answer; call it when all routes are there."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(generate())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it


def _completed(found: dict[str, Any]) -> dict[str, Any]:
    components = found["components"]
    components["schemas"] |= {"Sentence": _SENTENCE, "Faults": _FAULTS}
    components["schemas"].pop("HTTPValidationError", None)
    components["responses"] = {name: _answer(code, words) for code, (name, words) in _ANSWERS.items()}
    components["responses"]["NoToken"]["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    components["responses"]["Away"]["headers"] = {"Retry-After": {"schema": {"type": "string"}}}
    found["servers"] = [{"url": "/", "description": "Where this document is."}]
    for path, methods in found["paths"].items():
        for method in methods.keys() & _METHODS:
            methods[method].setdefault("security", [])
            for code in _codes(path, method, methods[method]):
                methods[method]["responses"][code] = {"$ref": f"#/components/responses/{_ANSWERS[code][0]}"}
    return found


def _answer(code: str, words: str) -> dict[str, Any]:
    schema = "Faults" if code == "422" else "Sentence"
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": words, "content": content}


def _codes(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    """Yield what a route may answer beside its own."""
    yield from operation["responses"].keys() & {"422", "502"}
    if not operation.get("security"):
        return
    yield from ("401", "403", "503")
    if "{" in path:
        yield "404"
    if method != "get":
        yield from ("409", "422")
