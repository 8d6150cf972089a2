"""`warren dlq list|groups|show|replay|edit|discard|restore|…`. Exit code 1: refused, or none there; 2: wrong use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from dlq_monitor.access.cli import record, token
from dlq_monitor.cli import showing
from dlq_monitor.cli.edit import edit
from dlq_monitor.cli.options import (
    LOOK,
    Actor,
    Cause,
    DirectOption,
    GroupOption,
    Look,
    Queue,
    StatusOption,
    Token,
    Type,
    actor_name,
    asked,
    client,
    direct_choice,
    group_id,
    letter_id,
    login_name,
    straight,
    which,
)
from dlq_monitor.cli.page import page
from dlq_monitor.cli.replay import app as replays_app
from dlq_monitor.cli.replay import replay
from dlq_monitor.cli.rules import app as rules_app
from dlq_monitor.cli.transfer import export, import_letters
from dlq_monitor.live.cli import watch
from warren.cli.console import err, fail, out, print_json, uncut
from warren.cli.examples import examples
from warren.cli.options import DEFAULT_DATA, Data, Json, Since, Url, moment
from warren.cli.service_client import ServiceClient

MAX_LETTERS = 1000
Id = Annotated[str, typer.Argument(metavar="ID", help="The letter's id, or as much of it as no other begins with.")]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Dead letters: messages that could not be processed, with their causes, and what becomes of them.",
)


@examples(
    ("warren dlq list", "the newest dead letters"),
    ("warren dlq list --status open --since 2h", "what died in the last two hours and waits for a decision"),
    ("warren dlq list --queue 'chat.*' --cause Timeout", "of all queues of chat, whatever timed out"),
    ("warren dlq list --group 4be1 --json", "one group, for scripts"),
    ("warren dlq list --direct chat.dead", "straight from the queue, when dlq-monitor is down"),
)
def list_letters(
    queue: Queue = None,
    type: Type = None,  # noqa: A002 - the option's name
    cause: Cause = None,
    group: GroupOption = None,
    status: StatusOption = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LETTERS)] = 50,
    direct: DirectOption = None,
    look: Look = LOOK,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List letters, the newest first; all that is given must hold."""
    if direct:
        choice = direct_choice(queue, type, cause, group, status, since)
        straight(direct, look, data).list(choice, limit, as_json=as_json)
        return
    chosen = {"queue": queue, "type": type, "cause": cause, "status": status, "since": moment(since)}
    found = client(data, url).get("/letters", group=group_id(group), limit=limit, **chosen)
    if as_json:
        print_json({"total": found["total"], "items": found["items"]})
    elif found["items"]:
        uncut()
        out.print(showing.letters(found["items"]))
        if found["total"] > len(found["items"]):
            err.print(f"[dim]{len(found['items'])} of {found['total']}; --limit shows more[/]")
    else:
        err.print("no dead letters of that kind")


@examples(
    ("warren dlq groups", "what keeps dying, and of what"),
    ("warren dlq groups --status open --queue 'chat.*'", "what something is still to be done about, in chat"),
    ("warren dlq groups 4be1", "one group: its hours, its note, its history"),
    ("warren dlq groups 4be1 --owner ann --note 'see ticket 7'", "say who looks after it"),
    ("warren dlq groups 4be1 --set resolved --reason 'fixed in 1.4.2'", "close it; it opens again if it comes back"),
)
def groups(
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="One group, or the beginning of its id.")] = None,  # noqa: A002 - the argument's name
    queue: Queue = None,
    type: Type = None,  # noqa: A002 - the option's name
    cause: Cause = None,
    status: StatusOption = None,
    since: Since = None,
    note: Annotated[str | None, typer.Option(help="Give the group a note.")] = None,
    owner: Annotated[str | None, typer.Option(help="Say who looks after it.")] = None,
    verdict: Annotated[
        Literal["new", "held", "resolved", "discarded"] | None,
        typer.Option("--set", help="Give it a status; its letters stay as they are. new: as its letters say."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")] = "",
    actor: Actor = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List groups of letters that died alike, the newest first; show one, or say something of it."""
    service = client(data, url)
    said = {k: v for k, v in {"note": note, "owner": owner, "status": verdict}.items() if v is not None}
    if id is None:
        if said:
            fail("say of which group: `warren dlq groups ID …`")
        found = service.get("/groups", queue=queue, type=type, cause=cause, status=status, since=moment(since))
        shown: Any = showing.groups(found["items"])
    else:
        path = f"/groups/{group_id(id)}"
        told = {"actor": actor_name(actor), "reason": reason, **said} if said else None
        found = asked(lambda: service.patch(path, told) if told else service.get(path))
        shown = showing.group(found)
    if as_json:
        print_json(found)
    elif id is None and not found["items"]:
        err.print("no groups of that kind")
    else:
        uncut()
        out.print(shown)


@examples(
    ("warren dlq show 3f9a", "why it died, its way, headers and history"),
    ("warren dlq show 3f9a --body", "the same with its body"),
)
def show(
    id: Id,  # noqa: A002 - the argument's name
    body: Annotated[bool, typer.Option("--body", help="Show the body too.")] = False,
    direct: DirectOption = None,
    look: Look = LOOK,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show one letter."""
    if direct:
        straight(direct, look, data).show(letter_id(id), body=body, as_json=as_json)
        return
    found = asked(lambda: client(data, url).get(f"/letters/{letter_id(id)}"))
    if as_json:
        print_json(found)
    else:
        uncut()
        out.print(showing.letter(found, body=body))


@examples(
    ("warren dlq discard 3f9a --reason 'a test of mine'", "give it up; it stays on record"),
    ("warren dlq discard --group 4be1 --reason 'all of a test'", "a whole group: how many first, then a question"),
    ("warren dlq discard 3f9a --reason 'a test' --direct chat.dead --json >> gone.ndjson", "without dlq-monitor"),
)
def discard(
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")],
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Letters, by as much of their ids as is their own.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All open letters.")] = False,
    queue: Queue = None,
    type: Type = None,  # noqa: A002 - the option's name
    cause: Cause = None,
    group: GroupOption = None,
    status: StatusOption = None,
    since: Since = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    actor: Actor = None,
    direct: DirectOption = None,
    look: Look = LOOK,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Give letters up: one, several, or all that have something in common. They stay on record with your reason."""
    if not reason.strip():
        fail("say why with --reason TEXT")
    wanted = which(ids, every=every, queue=queue, type=type, cause=cause, group=group, status=status, since=since)
    one = ids[0] if ids and len(ids) == 1 and not dry_run else None
    if direct:
        if one is None:
            fail("--direct discards one letter at a time: give its id")
        straight(direct, look, data).discard(letter_id(one), login_name(actor), reason, as_json=as_json)
        return
    service = client(data, url)
    if one:
        _done(_decide(service, one, "discard", actor, reason), "discarded", as_json)
        return
    told = {"actor": actor_name(actor), "reason": reason, "letters": wanted}
    plan = asked(lambda: service.post("/letters/discard", {**told, "dry_run": True}))
    if not dry_run and not yes and not typer.confirm(f"Discard {plan['total']} letters?", err=True):
        fail("nothing was discarded", 1)
    done = plan if dry_run else asked(lambda: service.post("/letters/discard", told))
    if as_json:
        print_json(done)
    else:
        words = f"{done['total']} would be discarded" if dry_run else f"{done['discarded']} discarded"
        out.print(f"[green]✓[/] {words}" + (f", {done['busy']} are part of a replay" if done["busy"] else ""))


@examples(("warren dlq restore 3f9a --reason 'needed after all'", "take a discarding back"))
def restore(
    id: Id,  # noqa: A002 - the argument's name
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")] = "",
    actor: Actor = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Take a discarding back, as long as the letter is kept."""
    _done(_decide(client(data, url), id, "restore", actor, reason), "restored", as_json)


def _decide(service: ServiceClient, id: str, decision: str, actor: str | None, reason: str) -> dict[str, Any]:  # noqa: A002
    told = {"actor": actor_name(actor), "reason": reason}
    return asked(lambda: service.post(f"/letters/{letter_id(id)}/{decision}", told))


def _done(letter: dict[str, Any], words: str, as_json: bool) -> None:
    if as_json:
        print_json(letter)
    else:
        out.print(f"[green]✓[/] letter {letter['id'][: showing.SHORT]}: {words}", soft_wrap=True)


@app.callback()
def root(token: Token = "") -> None:
    """Dead letters: messages that could not be processed, with their causes, and what becomes of them."""


_COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_letters,
    "groups": groups,
    "show": show,
    "replay": replay,
    "edit": edit,
    "discard": discard,
    "restore": restore,
    "export": export,
    "import": import_letters,
    "page": page,
    "watch": watch,
    "token": token,
    "record": record,
}
for _name, _command in _COMMANDS.items():
    app.command(_name, epilog=getattr(_command, "epilog", None))(_command)
app.add_typer(rules_app, name="rules")
app.add_typer(replays_app, name="replays")
