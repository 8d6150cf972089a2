"""The gateway answers as its OpenAPI document says, whatever it is asked: schemathesis asks."""

from __future__ import annotations

import asyncio
import os
import secrets

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.stack import Stack, enter

SEED = int(os.environ.get("WARREN_SEED", "7"))
EXAMPLES = int(os.environ.get("WARREN_EXAMPLES", "10"))
"""Requests for each operation and kind of data."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def base(stack: Stack) -> str:
    """The first gateway."""
    return stack.gateways[0]


@pytest.fixture(scope="module")
def headers(stack: Stack) -> dict[str, str]:
    """Somebody's token."""
    return {"Authorization": f"Bearer {stack.token(f'fuzzer-{secrets.token_hex(4)}')}"}


def ask(operation: APIOperation, mode: GenerationMode, base: str, headers: dict[str, str], **given_: object) -> None:
    """Ask one operation many things, and see that no answer is one it does not document."""
    brought = {} if operation.path == "/api/token" else headers

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode, **given_))
    def asked(case: Case) -> None:
        case.call_and_validate(base_url=base, headers=brought, checks=CHECKS)

    asked()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["sound", "unsound"])
def test_no_answer_is_undocumented(base: str, headers: dict[str, str], mode: GenerationMode) -> None:
    document = httpx.get(f"{base}/openapi.json").json()
    operations = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    assert len(operations) == sum(len(methods) for methods in document["paths"].values())
    for operation in operations:
        try:
            ask(operation, mode, base, headers)
        except Unsatisfiable:  # what takes nothing can't be asked anything unsound
            assert mode is GenerationMode.NEGATIVE
            assert not operation.query
            assert not operation.body


async def test_nor_are_answers_about_a_room_that_has_entries(
    base: str, headers: dict[str, str], room: str, http: httpx.AsyncClient
) -> None:
    async with await enter(base, "", room, headers["Authorization"].split()[1]) as socket:
        for n, change in enumerate(
            ({"type": "message"}, {"type": "edit", "target": 1}, {"type": "delete", "target": 1})
        ):
            body = {} if change["type"] == "delete" else {"body": "x"}
            await socket.send_json({**change, **body, "id": str(n), "room": room})
            await socket.expect(("message", "edited", "deleted")[n])
    document = (await http.get(f"{base}/openapi.json")).json()
    for found in (
        schemathesis.openapi.from_dict(document).include(path_regex="{room}", method="GET").get_all_operations()
    ):
        await asyncio.to_thread(ask, found.ok(), GenerationMode.POSITIVE, base, headers, path_parameters={"room": room})
