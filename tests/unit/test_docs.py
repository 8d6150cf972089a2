"""The documents say what the code does."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from typer.main import get_command

from warren.cli.main import app
from warren.contracts.closing import CLOSE_CODES, TOKEN
from warren.documents import asyncapi
from warren.documents.tables import with_tables
from warren.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("bench/*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_tables_of_the_protocol_are_those_of_the_contracts() -> None:
    page = (ROOT / "docs/protocol.md").read_text()
    assert with_tables(page) == page, "run `make docs`"


def test_the_page_knows_every_close_code() -> None:
    source = (ROOT / "services/gateway/gateway/web/protocol/closing.js").read_text()
    found = {int(code): rest for code, rest in re.findall(r"^  (\d{4}): \{(.*)\},$", source, re.MULTILINE)}
    for c in CLOSE_CODES:
        after = re.search(r"after: (\d+)", found[c.code])
        assert float(after[1] if after else 0) == c.after, c
        assert c.reconnect == ("reconnect: false" not in found[c.code] and c is not TOKEN), c


def test_the_asyncapi_document_is_that_of_the_contracts() -> None:
    assert (ROOT / "docs/asyncapi.yaml").read_text() == asyncapi.as_yaml(), "run `make docs`"


def test_every_setting_is_documented_and_nothing_else() -> None:
    page = (ROOT / "docs/settings.md").read_text()
    documented = set(re.findall(r"^\| `WARREN_(\w+)`", page, re.MULTILINE))
    known = set()
    for service in entry_points(group="warren.services"):
        module = __import__(f"{service.value}.settings", fromlist=["settings"])
        classes = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Settings)]
        known |= {name.upper() for cls in classes for name in cls.model_fields if name != "service"}
    assert documented == known


def test_make_targets_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"(?:`|^    )make ([a-z][\w-]*)", page.read_text(), re.MULTILINE):
            assert target in targets, f"{page.name}: make {target}"


def test_warren_commands_in_documents_exist() -> None:
    commands = get_command(app)
    found = set()
    for page in PAGES:
        found |= set(re.findall(r"(?:`|^    |\n)(?:\.venv/bin/)?warren ([a-z]+)((?: [a-z]+)?)", page.read_text()))
    assert found
    for name, sub in sorted(found):
        command = commands.get_command(None, name)  # type: ignore[attr-defined, arg-type]  # click finds it by name
        assert command is not None, f"warren {name}"
        if sub.strip() and hasattr(command, "get_command") and name in {"dlq", "audit", "import"}:
            assert command.get_command(None, sub.strip()), f"warren {name}{sub}"
