"""What the gateway's OpenAPI document promises of every route under `/api`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.app import build
from gateway.settings import GatewaySettings

ALWAYS = {"401", "403", "413", "422", "429", "503"}
WANTED = {
    ("post", "/api/token"): {"200", "400", *ALWAYS},
    ("get", "/api/rooms"): {"200", *ALWAYS},
    ("get", "/api/rooms/{room}/entries"): {"200", "404", *ALWAYS},
    ("get", "/api/rooms/{room}/members"): {"200", "404", *ALWAYS},
    ("get", "/api/users/{user}"): {"200", "404", *ALWAYS},
    ("post", "/api/rooms/{room}/messages"): {"202", "400", "404", *ALWAYS},
}


@pytest.fixture
async def document() -> dict[str, Any]:
    app = build(GatewaySettings(jwt_secret="x" * 32)).app
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
        found: dict[str, Any] = (await http.get("/openapi.json")).json()
        return found


async def test_every_route_says_what_it_may_answer_and_refusals_are_said_once(document: dict[str, Any]) -> None:
    routes = {
        (method, path): operation["responses"]
        for path, methods in document["paths"].items()
        if path.startswith("/api/")
        for method, operation in methods.items()
    }
    assert {route: set(responses) for route, responses in routes.items()} == WANTED
    for responses in routes.values():
        for code, answer in responses.items():
            if code >= "400":
                name = answer["$ref"].removeprefix("#/components/responses/")
                assert name in document["components"]["responses"]
            else:
                assert answer["content"]["application/json"]["schema"]["$ref"]
