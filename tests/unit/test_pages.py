"""What a visit to a page costs."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import httpx
import pytest
from fastapi import FastAPI

import dlq_monitor
import gateway
from warren.pages import SHARED, add_page

LIMIT = 100_000  # bytes over the wire


@pytest.mark.parametrize("service", [gateway, dlq_monitor])
async def test_a_first_visit_brings_less_than_100_kb(service: ModuleType) -> None:
    web = Path(str(service.__file__)).parent / "web"
    app = FastAPI()
    add_page(app, web)
    paths = ["/"]
    for root, prefix in ((web, "/web"), (SHARED, "/web/shared")):
        paths += [f"{prefix}/{file.relative_to(root)}" for file in root.rglob("*") if file.is_file()]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page") as client:
        answers = [await client.get(path, headers={"Accept-Encoding": "gzip"}) for path in paths]
    assert all(a.is_success for a in answers)
    assert 10_000 < sum(int(a.headers["content-length"]) for a in answers) < LIMIT
