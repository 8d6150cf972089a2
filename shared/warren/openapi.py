"""OpenAPI documents: what a service's routes may answer is said once, and every route refers to it.

A service brings a table of its answers and a rule that says which of its routes may give which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastapi import FastAPI

Operation = dict[str, Any]

Codes = Callable[[str, str, Operation], Iterable[str]]
"""Returns the codes that a route may answer beside its own: of its path, its method and what FastAPI knows of it."""

_METHODS = frozenset({"get", "post", "put", "patch", "delete"})

_SENTENCE = {
    "type": "object",
    "required": ["detail"],
    "properties": {
        "detail": {"type": "string", "description": "One sentence for people."},
        "code": {"type": "string", "description": "For programs, where there is one."},
    },
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
_HEADERS = {"401": ("WWW-Authenticate",), "429": ("Retry-After",), "503": ("Retry-After",)}


def document(app: FastAPI, answers: Mapping[str, tuple[str, str]], codes: Codes) -> None:
    """Let the app's document say what its routes may answer; call it when all routes are there.

    `answers` has the name and the meaning of each code.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(generate(), answers, codes)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it


def _completed(found: dict[str, Any], answers: Mapping[str, tuple[str, str]], codes: Codes) -> dict[str, Any]:
    components = found["components"]
    components["schemas"] |= {"Sentence": _SENTENCE, "Faults": _FAULTS}
    components["schemas"].pop("HTTPValidationError", None)
    components["responses"] = {name: _answer(code, words) for code, (name, words) in answers.items()}
    found["servers"] = [{"url": "/", "description": "Where this document is."}]
    for path, methods in found["paths"].items():
        for method in methods.keys() & _METHODS:
            methods[method].setdefault("security", [])
            for code in (*codes(path, method, methods[method]),):
                methods[method]["responses"][code] = {"$ref": f"#/components/responses/{answers[code][0]}"}
    return found


def _answer(code: str, words: str) -> dict[str, Any]:
    schema = "Faults" if code == "422" else "Sentence"
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    headers = {name: {"schema": {"type": "string"}} for name in _HEADERS.get(code, ())}
    return {"description": words, "content": content, **({"headers": headers} if headers else {})}
