"""A letter as one line of JSON that keeps every byte, and back. Pure.

Values of AMQP types that JSON has not are tagged (see `tagging`), the body is base64. Number, group and version are not
part of it: the desk that takes it in gives them anew.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    model_validator,
)

from dlq_monitor.model import Body, Cause, Letter, Status, Step
from dlq_monitor.tagging import tagged, untagged


def _untagged(value: dict[str, Any]) -> dict[str, Any]:
    try:
        found = untagged(value)
    except (ValueError, TypeError, ArithmeticError, RecursionError):
        raise ValueError("a tagged value does not fit its tag") from None
    if not isinstance(found, dict):
        raise ValueError("no table")  # noqa: TRY004 - what pydantic takes for a fault
    return found


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("no base64")  # noqa: TRY004 - what pydantic takes for a fault
    return base64.b64decode(value, validate=True)


Base64 = Annotated[bytes, BeforeValidator(_bytes)]
Table = Annotated[dict[str, Any], AfterValidator(_untagged)]
Hex = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Cause(_Strict):
    type: str
    message: str = ""
    where: str = ""


class _Step(_Strict):
    action: str
    actor: str
    reason: str
    time: AwareDatetime
    letter: str = ""


class Line(_Strict):
    """One letter in a file."""

    format: Literal["warren.letter.v1"]
    id: Hex
    queue: str
    dead_queue: str
    service: str
    message_id: str
    type: str
    cause: _Cause
    attempt: int
    replays: int
    died_at: AwareDatetime
    exchange: str
    routing_key: str
    properties: Table
    headers: Table
    body: Base64
    body_kept: int
    body_size: int
    body_sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    trace: str
    status: Status
    due: AwareDatetime | None
    first: AwareDatetime
    last: AwareDatetime
    seen: int
    history: tuple[_Step, ...]

    @model_validator(mode="after")
    def _whole(self) -> Line:
        if len(self.body) != self.body_kept or self.body_kept > self.body_size:
            raise ValueError("the body has not the size that it had")
        if len(self.body) == self.body_size and hashlib.sha256(self.body).hexdigest() != self.body_sha256:
            raise ValueError("the body is not the one that was exported: its SHA-256 differs")
        return self

    @property
    def letter(self) -> Letter:
        """Return the letter."""
        same = {k: getattr(self, k) for k in type(self).model_fields if k not in _OTHERWISE}
        return Letter(
            **same,
            cause=Cause(**self.cause.model_dump()),
            body=Body(self.body, self.body_size, self.body_sha256),
            history=tuple(Step(**s.model_dump()) for s in self.history),
        )


_OTHERWISE = frozenset({"format", "cause", "body", "body_kept", "body_size", "body_sha256", "history"})


def exported(letter: Letter) -> dict[str, Any]:
    """Return what `Line` reads."""
    same = {k: getattr(letter, k) for k in Line.model_fields if k not in _OTHERWISE}
    return {
        "format": "warren.letter.v1",
        **same,
        "cause": {"type": letter.cause.type, "message": letter.cause.message, "where": letter.cause.where},
        "properties": tagged(dict(letter.properties)),
        "headers": tagged(dict(letter.headers)),
        "body": base64.b64encode(letter.body.data).decode(),
        "body_kept": len(letter.body.data),
        "body_size": letter.body.size,
        "body_sha256": letter.body.sha256,
        "history": [asdict(s) for s in letter.history],
    }
