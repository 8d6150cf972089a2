"""What dlq-monitor's OpenAPI document promises of every route."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dlq_monitor.access.door import DRY_RUNS
from dlq_monitor.app import build
from dlq_monitor.settings import DlqSettings

OPEN = {"/livez", "/readyz", "/health", "/lb", "/metrics", "/info"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = build(DlqSettings()).app.openapi()  # type: ignore[attr-defined]  # it is FastAPI's
    return found


def test_every_route_is_behind_the_door_and_says_what_it_may_answer(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            codes = set(operation["responses"])
            if path in OPEN:
                assert operation["security"] == []
                continue
            assert operation["security"], f"{method} {path} lets everybody in"
            assert {"401", "403", "503"} <= codes, f"{method} {path}"
            assert ("404" in codes) == ("{" in path), f"{method} {path}"
            assert ("409" in codes) == (method != "get"), f"{method} {path}"
            assert ("502" in codes) == path.startswith("/alerts/test"), f"{method} {path}"


def test_answers_are_said_once_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in _references(document):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    refusals = [
        answer
        for methods in document["paths"].values()
        for operation in methods.values()
        if operation["security"]
        for code, answer in operation["responses"].items()
        if code >= "400"
    ]
    assert refusals
    assert all(answer.keys() == {"$ref"} for answer in refusals)


def test_dry_runs_are_of_routes_that_know_them(document: dict[str, Any]) -> None:
    for path in DRY_RUNS & document["paths"].keys():
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert "dry_run" in document["components"]["schemas"][body.rpartition("/")[2]]["properties"]


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
