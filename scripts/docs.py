"""Write what is generated in `docs/`."""

from __future__ import annotations

from pathlib import Path

from warren.documents import asyncapi
from warren.documents.tables import with_tables

DOCS = Path(__file__).parents[1] / "docs"

protocol = DOCS / "protocol.md"
protocol.write_text(with_tables(protocol.read_text()))
(DOCS / "asyncapi.yaml").write_text(asyncapi.as_yaml())
