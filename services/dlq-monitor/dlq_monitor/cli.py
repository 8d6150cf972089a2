"""`warren dlq list|show|replay|discard`. Exit code 1: there is no such letter, or it was refused; 2: wrong use."""

from __future__ import annotations

import getpass
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from dlq_monitor import showing
from warren.cli.console import err, fail, out, print_json
from warren.cli.examples import examples
from warren.cli.options import DEFAULT_DATA, Data, Json, Since, Url, moment
from warren.cli.service_client import RefusedError, ServiceClient
from warren.errors import WarrenError

MAX_LETTERS = 1000
UNCUT = 200
"""Columns where there is no terminal, and nothing is to be cut."""

_ID = re.compile(r"[0-9a-f]{1,32}")

Id = Annotated[str, typer.Argument(metavar="ID", help="The letter's id, or as much of it as no other begins with.")]
Actor = Annotated[str | None, typer.Option(metavar="NAME", help="Who decides; your login name if not given.")]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Dead letters: messages that could not be processed, with their causes, and what becomes of them.",
)


@examples(
    ("warren dlq list", "the newest dead letters"),
    ("warren dlq list --status new --since 2h", "what died in the last two hours and waits for a decision"),
    ("warren dlq list --cause ContractError --json", "one kind of cause, for scripts"),
)
def list_letters(
    queue: Annotated[str | None, typer.Option(help="Only what died in this queue.")] = None,
    type: Annotated[str | None, typer.Option(help="Only this type, as in message.post.v1.")] = None,  # noqa: A002 - the option's name
    cause: Annotated[str | None, typer.Option(help="Only this cause, as in ContractError.")] = None,
    status: Annotated[Literal["new", "replayed", "discarded"] | None, typer.Option(help="Only these.")] = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LETTERS)] = 50,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List letters, the newest first; all that is given must hold."""
    found = _service(data, url).get(
        "/letters", queue=queue, type=type, cause=cause, status=status, since=moment(since), limit=limit
    )
    if as_json:
        print_json(found)
    elif found["items"]:
        _uncut()
        out.print(showing.letters(found["items"]))
        if found["total"] > len(found["items"]):
            err.print(f"[dim]{len(found['items'])} of {found['total']}; --limit shows more[/]")
    else:
        err.print("no dead letters of that kind")


@examples(
    ("warren dlq show 3f9a", "why it died, its way, headers and history"),
    ("warren dlq show 3f9a --body", "the same with its body"),
)
def show(
    id: Id,  # noqa: A002 - the argument's name
    body: Annotated[bool, typer.Option("--body", help="Show the body too.")] = False,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show one letter."""
    found = _asked(lambda: _service(data, url).get(f"/letters/{_checked(id)}"))
    if as_json:
        print_json(found)
    else:
        _uncut()
        out.print(showing.letter(found, body=body))


@examples(
    ("warren dlq replay 3f9a", "send it again to the queue it died in"),
    ("warren dlq replay 3f9a --reason 'fixed in 1.4.2'", "and say why"),
)
def replay(
    id: Id,  # noqa: A002 - the argument's name
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")] = "",
    actor: Actor = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Send a letter again to the queue it died in, under the same message id."""
    found = _decide(_service(data, url), id, "replay", actor, reason)
    _done(found, f"sent to {found['queue']} again", as_json)


@examples(("warren dlq discard 3f9a --reason 'a test of mine'", "give it up; it stays on record"))
def discard(
    id: Id,  # noqa: A002 - the argument's name
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")],
    actor: Actor = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Give a letter up. It stays on record with your reason."""
    if not reason.strip():
        fail("say why with --reason TEXT")
    found = _decide(_service(data, url), id, "discard", actor, reason)
    _done(found, "discarded", as_json)


def _service(data: Path, url: str | None) -> ServiceClient:
    return ServiceClient("dlq-monitor", data, url)


def _decide(service: ServiceClient, id: str, decision: str, actor: str | None, reason: str) -> dict[str, Any]:  # noqa: A002
    told = {"actor": _actor(actor), "reason": reason}
    return _asked(lambda: service.post(f"/letters/{_checked(id)}/{decision}", told))


def _asked(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return ask()
    except RefusedError as e:
        fail(str(e), 1)


def _checked(id: str) -> str:  # noqa: A002 - the argument's name
    if not _ID.fullmatch(id.lower()):
        fail(f"{id!r} is no letter's id: up to 32 of 0-9 and a-f, see `warren dlq list`", 1)
    return id.lower()


def _actor(given: str | None) -> str:
    if given:
        return given
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise WarrenError("your login name is not known here: give --actor NAME") from None


def _done(letter: dict[str, Any], words: str, as_json: bool) -> None:
    if as_json:
        print_json(letter)
    else:
        out.print(f"[green]✓[/] letter {letter['id'][: showing.SHORT]}: {words}", soft_wrap=True)


def _uncut() -> None:
    if not out.is_terminal:
        out.width = max(out.width, UNCUT)


@app.callback()
def root() -> None:
    """Dead letters: messages that could not be processed, with their causes, and what becomes of them."""


_COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_letters,
    "show": show,
    "replay": replay,
    "discard": discard,
}
for _name, _command in _COMMANDS.items():
    app.command(_name, epilog=getattr(_command, "epilog", None))(_command)
