"""The tables of `docs/protocol.md`: frames, errors, close codes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence

from warren.contracts.closing import CLOSE_CODES, CloseCode
from warren.contracts.frames import CLIENT_FRAMES, SERVER_FRAMES, ClientFrame, Frame, Limits
from warren.contracts.refusing import ERRORS, REJECTIONS, Refusal


def tables() -> dict[str, str]:
    """Return every table by its name."""
    return {name: make() for name, make in _TABLES.items()}


def with_tables(page: str) -> str:
    """Return a page with its marked sections as they should be: between `<!-- table: name -->` and `<!-- end -->`.

    Raises `ValueError` if a table has no section.
    """
    for name, table in tables().items():
        section = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->\n)", re.DOTALL)
        if not section.search(page):
            raise ValueError(f"the page has no section for the table {name}")
        page = section.sub(lambda found, table=table: found[1] + table + found[2], page)  # type: ignore[misc]
    return page


def described(model: type) -> str:
    """Return a model's docstring as one line."""
    return " ".join((inspect.getdoc(model) or "").split())


def come_back(code: CloseCode) -> str:
    """Say whether a client may come back after a close code."""
    if not code.reconnect:
        return "no"
    return f"yes, after {code.after:g} s" if code.after else "yes"


def _client_frames() -> str:
    rows = [(f"`{kind}`", _fields(frame), described(frame), _answer(frame)) for kind, frame in CLIENT_FRAMES.items()]
    return _table(("frame", "fields", "what", "answer"), rows)


def _server_frames() -> str:
    rows = [(f"`{kind}`", _fields(frame), described(frame)) for kind, frame in SERVER_FRAMES.items()]
    return _table(("frame", "fields", "what"), rows)


def _errors() -> str:
    return _refusals(ERRORS)


def _rejections() -> str:
    return _refusals(REJECTIONS)


def _limits() -> str:
    return _table(("limit", "what"), [(f"`{n}`", f.description or "") for n, f in Limits.model_fields.items()])


def _close_codes() -> str:
    rows = [(str(c.code), c.name, c.meaning, come_back(c)) for c in CLOSE_CODES]
    return _table(("code", "name", "meaning", "come back?"), rows)


def _refusals(refusals: Sequence[Refusal]) -> str:
    rows = [(f"`{r.code}`", r.meaning, r.advice, "yes" if r.again else "no") for r in refusals]
    return _table(("code", "meaning", "what to do", "again?"), rows)


def _fields(frame: type[Frame]) -> str:
    """Name a frame's fields, without `type` and a client's `ref`, which all have."""
    hidden = {"type", "ref"} if issubclass(frame, ClientFrame) else {"type"}
    shown = {name: field for name, field in frame.model_fields.items() if name not in hidden}
    absent = {n for n, f in shown.items() if not f.is_required() and f.default is None}
    needed = ", ".join(n for n in shown if n not in absent)
    optional = ", ".join(n for n in shown if n in absent)
    parts = [f"`{needed}`" if needed else "", f"optional `{optional}`" if optional else ""]
    return "; ".join(p for p in parts if p)


def _answer(frame: type[ClientFrame]) -> str:
    return f"`{frame.ANSWER}`" if frame.ANSWER else "none"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


_TABLES: dict[str, Callable[[], str]] = {
    "client-frames": _client_frames,
    "server-frames": _server_frames,
    "limits": _limits,
    "errors": _errors,
    "rejections": _rejections,
    "close-codes": _close_codes,
}
