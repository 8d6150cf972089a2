"""`warren dlq export|import`. Exit code 1: a line of the file is wrong; those before it were taken in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import orjson
import typer

from dlq_monitor.cli.options import (
    LOOK,
    Actor,
    Cause,
    DirectOption,
    GroupOption,
    Look,
    Queue,
    StatusOption,
    Type,
    actor_name,
    client,
    direct_choice,
    group_id,
    straight,
)
from warren.cli.console import err, fail, print_json
from warren.cli.examples import examples
from warren.cli.options import DEFAULT_DATA, Data, Json, Since, Url, moment
from warren.cli.service_client import ServiceError

MAX_LINES = 100
MAX_BYTES = 4 * 1024 * 1024
"""Of one request, unless a single line is longer."""


@examples(
    ("warren dlq export > letters.ndjson", "all letters, whole, one line of JSON each"),
    ("warren dlq export --queue 'chat.*' --status open --output chat.ndjson", "the open ones of chat"),
)
def export(
    queue: Queue = None,
    type: Type = None,  # noqa: A002 - the option's name
    cause: Cause = None,
    group: GroupOption = None,
    status: StatusOption = None,
    since: Since = None,
    direct: DirectOption = None,
    look: Look = LOOK,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Instead of standard output.")] = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
) -> None:
    """Write letters with every byte of them, the oldest first."""
    count = 0
    with output.open("w") if output else nullcontext(sys.stdout) as target:
        if direct:
            choice = direct_choice(queue, type, cause, group, status, since)
            count = straight(direct, look, data).export(choice, target.write)
        else:
            chosen = {"queue": queue, "type": type, "cause": cause, "status": status, "since": moment(since)}
            for line in client(data, url).lines("/letters/export", group=group_id(group), **chosen):
                target.write(line + "\n")
                count += 1
    err.print(f"[dim]{count} letters[/]")


@examples(("warren dlq import letters.ndjson", "take them in; those that are here already stay as they are"))
def import_letters(
    file: Annotated[typer.FileBinaryRead, typer.Argument(metavar="FILE", help="- for standard input")],
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")] = "",
    actor: Actor = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Take letters in that were exported, here or elsewhere."""
    service = client(data, url)
    who = {"actor": actor_name(actor), "reason": reason}
    total = {"imported": 0, "known": 0}
    for first, letters in _requests(file):
        try:
            done = service.post("/letters/import", {**who, "letters": letters})
        except ServiceError as e:
            fail(f"in lines {first} to {first + len(letters) - 1}: {e}", 1)
        total = {k: n + done[k] for k, n in total.items()}
    if as_json:
        print_json(total)
    else:
        err.print(f"[green]✓[/] {total['imported']} letters taken in, {total['known']} were here already")


def _requests(file: BinaryIO) -> Iterator[tuple[int, list[Any]]]:
    """Yield lines by as many as one request holds, with the number of the first."""
    some, size, first = list[Any](), 0, 1
    for number, line in enumerate(file, 1):
        try:
            content = orjson.loads(line)
        except orjson.JSONDecodeError as e:
            fail(f"line {number} is no JSON: {e}", 1)
        if some and (len(some) == MAX_LINES or size + len(line) > MAX_BYTES):
            yield first, some
            some, size, first = [], 0, number
        some.append(content)
        size += len(line)
    if some:
        yield first, some
