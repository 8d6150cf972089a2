"""`warren dlq token|record`. Exit code 1: it cannot be added; 2: wrong use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from dlq_monitor.access import showing
from dlq_monitor.access.tokens import Role, TokensError, made, read
from dlq_monitor.cli.options import client
from warren.cli.console import err, fail, out, print_json, uncut
from warren.cli.examples import examples
from warren.cli.options import DEFAULT_DATA, Data, Json, Url
from warren.stack.secrets import tokens_file


@examples(
    ("warren dlq token ann --role operator", "a token for ann, on the local stack"),
    ("warren dlq token wall --role reader --file /etc/warren/dlq-tokens", "into the file of WARREN_DLQ_TOKENS"),
)
def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is; it goes on record.")],
    role: Annotated[Role, typer.Option(help="reader: sees everything; operator: may do everything.")],
    file: Annotated[Path | None, typer.Option(metavar="PATH", help="Add it to this file.", dir_okay=False)] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Make a token for a person and print it, this one time; the file keeps its hash.

    Without --file it goes into the file of the local stack; where there is none, the line to add is printed.
    A running dlq-monitor reads the file again by itself. To take a token back, delete its line.
    """
    try:
        secret, holder = made(name, role)
    except TokensError as e:
        fail(str(e).removeprefix("line 1: "))
    path = file or tokens_file(data)
    if file or path.exists():
        _append(path, holder.line)
        err.print(f"[dim]added to {path}; the token is shown only now:[/]", soft_wrap=True)
    else:
        err.print(f"no stack is in {data}: add this line to the file of WARREN_DLQ_TOKENS", soft_wrap=True)
        err.print(holder.line, soft_wrap=True)
        err.print("[dim]the token is shown only now:[/]")
    typer.echo(secret)


@examples(
    ("warren dlq record", "who changed what, and who was refused"),
    ("warren dlq record --limit 1000 --json", "the same for scripts"),
)
def record(
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    before: Annotated[int | None, typer.Option(metavar="NEXT", help="Older ones: `next` of the JSON before.")] = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List changes that were allowed or denied, the newest first."""
    found = client(data, url).get("/record", limit=limit, before=before)
    if as_json:
        print_json(found)
    elif found["items"]:
        uncut()
        out.print(showing.record(found["items"]))
    else:
        err.print("nothing is on record")


def _append(path: Path, line: str) -> None:
    """Add a line in one write, so that nobody reads half of it; the file is its owner's alone."""
    try:
        before = path.read_text() if path.exists() else ""
        read(f"{before}\n{line}")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w") as target:
            os.fchmod(target.fileno(), 0o600)
            target.write(("" if not before or before.endswith("\n") else "\n") + line + "\n")
    except OSError as e:
        fail(f"{path} cannot be written: {e.strerror}", 1)
    except (TokensError, UnicodeDecodeError) as e:
        fail(f"{path}: {e}", 1)
