"""Options that several `warren dlq` commands share."""

from __future__ import annotations

import getpass
import re
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dlq_monitor.groups import Choice
from warren.cli.console import fail
from warren.cli.options import moment
from warren.cli.service_client import RefusedError, ServiceClient
from warren.errors import WarrenError

if TYPE_CHECKING:
    from dlq_monitor.direct.cli import Direct

_GROUP = re.compile(r"[0-9a-f]{1,12}")
_ID = re.compile(r"[0-9a-f]{1,32}")

_token: ContextVar[str] = ContextVar("token", default="")
"""What the group of commands was given, for the command itself."""


def _keep(token: str) -> str:
    _token.set(token)
    return token


Token = Annotated[
    str,
    typer.Option(
        "--token",
        metavar="TOKEN",
        envvar="WARREN_DLQ_TOKEN",
        callback=_keep,
        help="Your token, see `warren dlq token`; in the variable, no list of processes shows it.",
    ),
]
Actor = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who decides; your token's name, else your login name.")
]
Queue = Annotated[str | None, typer.Option(help="Only what died in this queue; * stands for anything.")]
Type = Annotated[str | None, typer.Option(help="Only this type, as in message.post.v1 or message.*.")]
Cause = Annotated[str | None, typer.Option(help="Only causes with this in their name, as in Timeout.")]
GroupOption = Annotated[
    str | None, typer.Option("--group", metavar="ID", help="Only this group, see `warren dlq groups`.")
]
StatusOption = Annotated[
    Literal["open", "new", "held", "retrying", "replayed", "resolved", "returned", "discarded", "edited", "replaced"]
    | None,
    typer.Option("--status", help="Only letters of this status; open: new, held or retrying."),
]


DirectOption = Annotated[
    str | None,
    typer.Option("--direct", metavar="QUEUE", help="Straight on this dead queue, when dlq-monitor is down."),
]
Look = Annotated[
    int,
    typer.Option(
        min=1, max=65_535, metavar="N", help="With --direct: messages of the queue that are looked at, at the most."
    ),
]
LOOK = 10_000


def straight(queue: str, look: int, data: Path) -> Direct:
    """Return the dead queue to work on without dlq-monitor."""
    from dlq_monitor.direct.cli import Direct  # noqa: PLC0415 - the broker's library takes its time, others need none

    return Direct(queue, look, data)


def direct_choice(
    queue: str | None,
    type: str | None,  # noqa: A002 - the option's name
    cause: str | None,
    group: str | None,
    status: str | None,
    since: str | None,
) -> Choice:
    """Return a choice of letters that are in a queue."""
    if status not in {None, "open", "new"}:
        fail("what lies in a queue has no status yet: leave --status out with --direct")
    return Choice(
        queue, type, cause, group_id(group), None, datetime.fromisoformat(when) if (when := moment(since)) else None
    )


def which(
    ids: list[str] | None,
    *,
    every: bool,
    queue: str | None,
    type: str | None,  # noqa: A002 - the option's name
    cause: str | None,
    group: str | None,
    status: str | None,
    since: str | None,
) -> dict[str, Any]:
    """Return which letters are meant, as the API takes it; ends the command with exit code 2 if that is not clear."""
    common = {"queue": queue, "type": type, "cause": cause, "group": group_id(group), "status": status}
    given = {k: v for k, v in {**common, "since": moment(since)}.items() if v is not None}
    if bool(ids) + bool(given) + every != 1:
        fail("say which letters: IDs, or what they have in common (--group, --queue …), or --all")
    return {"ids": [letter_id(i) for i in ids]} if ids else {"all": True} if every else given


def group_id(given: str | None) -> str | None:
    """Check a group's id, or the beginning of one; ends the command with exit code 1 if it is none."""
    if given is None:
        return None
    if not _GROUP.fullmatch(given.lower()):
        fail(f"{given!r} is no group's id: up to 12 of 0-9 and a-f, see `warren dlq groups`", 1)
    return given.lower()


def letter_id(given: str) -> str:
    """Check a letter's id, or the beginning of one; ends the command with exit code 1 if it is none."""
    if not _ID.fullmatch(given.lower()):
        fail(f"{given!r} is no letter's id: up to 32 of 0-9 and a-f, see `warren dlq list`", 1)
    return given.lower()


def asked(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the service's answer; ends the command with exit code 1 if it says no."""
    try:
        return ask()
    except RefusedError as e:
        fail(str(e), 1)


def client(data: Path, url: str | None) -> ServiceClient:
    """Return the running dlq-monitor, asked with the token that was given, else with the service token."""
    return ServiceClient("dlq-monitor", data, url, token=_token.get())


def actor_name(given: str | None) -> str | None:
    """Return who decides; None if it is the one whose token was given."""
    return given if given or _token.get() else login_name(None)


def login_name(given: str | None) -> str:
    """Return the name that was given, else the one of whoever is logged in here."""
    if given:
        return given
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise WarrenError("your login name is not known here: give --actor NAME") from None
