"""The rules' file: its model, which is its schema, and what is wrong with it in plain words, with the line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from warren.errors import SettingsError

DEFAULT = Path(__file__).with_name("rules.yaml")

_SPAN = re.compile(r"(\d{1,6})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _span(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    found = _SPAN.fullmatch(str(value))
    if not found:
        raise ValueError("no time: say 30s, 15m, 2h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


Span = Annotated[timedelta, BeforeValidator(_span), WithJsonSchema({"type": "string", "pattern": _SPAN.pattern})]
Severity = Literal["info", "warning", "error"]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Match(_Strict):
    """Which letters; all that is given must hold."""

    queue: Name | None = None
    type: Name | None = None
    cause: Name | None = None
    transient: bool | None = None
    group: Annotated[str, Field(pattern="^[0-9a-f]{1,12}$")] | None = None
    older_than: Span | None = None
    count: Annotated[int, Field(ge=1)] | None = None


class _Rule(_Strict):
    name: Name
    match: Match = Match()
    alert: Severity | None = None


class Republish(_Rule):
    """Send it again, at most `times`, after a delay that grows."""

    do: Literal["republish"]
    times: Annotated[int, Field(ge=1, le=100)] = 3
    delay: Span = timedelta(minutes=1)
    factor: Annotated[float, Field(ge=1, le=100)] = 5
    max_delay: Span = timedelta(hours=1)
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.2


class Hold(_Rule):
    """Leave it to people."""

    do: Literal["hold"]


class Discard(_Rule):
    """Give it up after a time."""

    do: Literal["discard"]
    after: Span


Rule = Annotated[Republish | Hold | Discard, Field(discriminator="do")]


class Rules(_Strict):
    """All rules, in the order in which they are tried."""

    rules: tuple[Rule, ...]


class RulesError(SettingsError):
    """A file of rules is wrong; one line of text for each fault."""


def load(path: Path) -> Rules:
    """Read a file; raises `RulesError`."""
    try:
        return parse(path.read_text())
    except (OSError, UnicodeDecodeError) as e:
        raise RulesError(f"it cannot be read: {e}") from None


def parse(text: str) -> Rules:
    """Read rules from YAML; raises `RulesError` with a line number for each fault."""
    try:
        content, tree = yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        raise RulesError(f"line {line}: {e.problem or 'no YAML'}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        raise RulesError(f"no YAML: {e}") from None
    try:
        found = Rules.model_validate(content)
    except ValidationError as e:
        faults = e.errors(include_url=False, include_input=False)
        raise RulesError("\n".join(_fault(tree, f["loc"], f["msg"], f["type"]) for f in faults)) from None
    names = [r.name for r in found.rules]
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise RulesError(f"two rules have the name {twice!r}")
    return found


def _fault(tree: Any, loc: Sequence[int | str], message: str, kind: str) -> str:
    """Tell a fault by the line of the innermost part of the file that it is in."""
    line, words = 1, list[str]()
    for step in loc:
        below = _below(tree, step)
        if below is not None:
            tree, line = below
        if below is not None or step not in {"republish", "hold", "discard"}:
            words.append(f"rule {step + 1}" if isinstance(step, int) else step)
    said = {"extra_forbidden": "there is no such word", "missing": "it is missing"}.get(kind, message)
    return f"line {line}: {' → '.join(w for w in words if w != 'rules') or 'the file'}: {said}"


def _below(tree: Any, step: int | str) -> tuple[Any, int] | None:
    if isinstance(tree, yaml.SequenceNode) and isinstance(step, int) and step < len(tree.value):
        return tree.value[step], tree.value[step].start_mark.line + 1
    if isinstance(tree, yaml.MappingNode):
        return next(((v, k.start_mark.line + 1) for k, v in tree.value if k.value == step), None)
    return None
