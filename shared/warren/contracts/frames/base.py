"""What frames of both directions share."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict

MAX_SEQ = 2**53 - 1
"""The largest number that every JSON reader keeps exactly."""

PROTOCOL = "warren.v1"
"""The websocket sub-protocol that the server selects."""


def _needs_type(schema: dict[str, Any]) -> None:
    """Say that `type` is always there, though our own frames have it by default."""
    if "type" in schema.get("properties", {}):
        schema["required"] = ["type", *(name for name in schema.get("required", ()) if name != "type")]


class Frame(BaseModel):
    """Base of all frames."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_needs_type)


def type_of(frame: type[Frame]) -> str:
    """Return what a frame's `type` says."""
    return str(get_args(frame.model_fields["type"].annotation)[0])


def encode(frame: Frame, **dump: Any) -> str:
    """Write a frame for the wire; absent optional fields are left out."""
    return frame.model_dump_json(exclude_none=True, **dump)
