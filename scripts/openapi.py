"""Print the OpenAPI document of a service: `python scripts/openapi.py gateway`. Nothing has to run for it."""

from __future__ import annotations

import asyncio
import os
import sys
from importlib import import_module

import httpx


async def document(package: str) -> str:
    """Return the document of the service in this package."""
    main = import_module(f"{package}.__main__")
    settings = next(value for name, value in vars(main).items() if name.endswith("Settings"))
    app = main.build(settings()).app
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as http:
        return (await http.get("/openapi.json")).raise_for_status().text


os.environ.setdefault("WARREN_JWT_SECRET", "no secret: nothing is signed here")
sys.stdout.write(asyncio.run(document(sys.argv[1])))
