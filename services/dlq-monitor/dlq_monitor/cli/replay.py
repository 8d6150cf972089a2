"""`warren dlq replay` and `warren dlq replays`.

Exit codes: 0 all did their work (or, with `--no-wait`, it was begun); 1 refused, or no such letter; 3 some died again
or could not be sent; 4 it was cancelled or stopped by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dlq_monitor.cli import showing
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
    asked,
    client,
    direct_choice,
    straight,
    which,
)
from warren.cli.console import err, fail, out, print_json, uncut
from warren.cli.examples import examples
from warren.cli.options import DEFAULT_DATA, Data, Json, Since, Url
from warren.cli.service_client import ServiceClient

FAILED = 3
CUT_OFF = 4
INTERRUPTED = 130
INTERVAL = 0.2
"""Seconds between two looks at how far it is."""

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Wait = Annotated[bool, typer.Option(help="Show how far it is until outcomes are known.")]
End = Annotated[str, typer.Argument(metavar="REPLAY", help="The end of its id, see `warren dlq replays list`.")]

app = typer.Typer(no_args_is_help=True, help="Replays of many letters: those that are under way, and those that were.")


@examples(
    ("warren dlq replay 3f9a --reason 'fixed in 1.4.2'", "send one letter again to the queue it died in"),
    ("warren dlq replay --group 4be1 --dry-run", "what would go where"),
    ("warren dlq replay --group 4be1 --rate 100", "the whole group: one first, then up to 100 a second"),
    ("warren dlq replay --queue 'chat.*' --cause Timeout --yes --json", "for scripts"),
    ("warren dlq replay --all --to-exchange '' --to-key test.in", "into another queue"),
    ("warren dlq replay --all --direct chat.dead", "straight from the queue, when dlq-monitor is down"),
)
def replay(
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
    to_exchange: Annotated[str | None, typer.Option(help="To this exchange, instead of the queue it died in.")] = None,
    to_key: Annotated[str | None, typer.Option(help="With this routing key.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.01, help="Letters a second; full speed if not given.")] = None,
    canary: Annotated[bool, typer.Option(help="Send one first, and go on when its effect was seen.")] = True,
    max_failures: Annotated[int, typer.Option(min=0, help="Stop when more letters than this fail.")] = 10,
    direct: DirectOption = None,
    look: Look = LOOK,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go where.")] = False,
    yes: Yes = False,
    wait: Wait = True,
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")] = "",
    actor: Actor = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Send letters again, under their message ids: one, several, or all that have something in common.

    Exit code 3: some died again or could not be sent; 4: cancelled, or stopped by itself. After Ctrl-C (130) the
    replay goes on unwatched.
    """
    letters = which(ids, every=every, queue=queue, type=type, cause=cause, group=group, status=status, since=since)
    if (to_exchange is None) != (to_key is None):
        fail("--to-exchange and --to-key belong together")
    if direct:
        if rate is not None or not canary:
            fail("--rate and the canary need dlq-monitor, which sees what becomes of letters: not with --direct")
        straight(direct, look, data).replay(
            letters.get("ids", []),
            direct_choice(queue, type, cause, group, status, since),
            None if to_key is None else (to_exchange or "", to_key),
            dry_run=dry_run,
            confirmed=yes or len(ids or []) == 1,
            as_json=as_json,
        )
        return
    service = client(data, url)
    who = {"actor": actor_name(actor), "reason": reason}
    if len(letters.get("ids", ())) == 1 and to_key is None and not dry_run:
        one = asked(lambda: service.post(f"/letters/{letters['ids'][0]}/replay", who))
        if as_json:
            print_json(one)
        else:
            words = f"sent to {one['queue']} again"
            out.print(f"[green]✓[/] letter {one['id'][: showing.SHORT]}: {words}", soft_wrap=True)
        return
    wanted = {
        **who,
        "letters": letters,
        "to": None if to_key is None else {"exchange": to_exchange, "key": to_key},
        "rate": rate,
        "canary": canary,
        "max_failures": max_failures,
    }
    plan = asked(lambda: service.post("/replays", {**wanted, "dry_run": True}))["plan"]
    if dry_run and as_json:
        print_json(plan)
        return
    if not as_json:
        _show_plan(plan)
    if dry_run:
        return
    if not plan["total"]:
        fail("no open letters of that kind can be sent", 1)
    if not yes and not typer.confirm(f"Send {plan['total']} letters?", err=True):
        fail("nothing was sent", 1)
    begun = asked(lambda: service.post("/replays", wanted))["replay"]
    _follow(service, begun, wait=wait, as_json=as_json)


@examples(("warren dlq replays list", "the newest first"))
def list_replays(data: Data = DEFAULT_DATA, url: Url = None, as_json: Json = False) -> None:
    """List replays, the newest first."""
    found = client(data, url).get("/replays")
    if as_json:
        print_json(found)
    elif found["items"]:
        uncut()
        out.print(showing.replays(found["items"]))
    else:
        err.print("no replays")


@examples(("warren dlq replays show 6c01f2", "how far it is"))
def show(id: End, data: Data = DEFAULT_DATA, url: Url = None, as_json: Json = False) -> None:  # noqa: A002 - the argument's name
    """Show one replay."""
    found = asked(lambda: client(data, url).get(f"/replays/{id}"))
    if as_json:
        print_json(found)
    else:
        uncut()
        out.print(showing.replays([found]))


@examples(("warren dlq replays cancel 6c01f2 --reason 'too many die'", "send no more of it"))
def cancel(
    id: End,  # noqa: A002 - the argument's name
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")] = "",
    actor: Actor = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Send no more of a replay; what was sent is sent."""
    who = {"actor": actor_name(actor), "reason": reason}
    found = asked(lambda: client(data, url).post(f"/replays/{id}/cancel", who))
    if as_json:
        print_json(found)
    else:
        err.print(f"[green]✓[/] cancelled after {found['sent']} of {found['total']} letters")


@examples(("warren dlq replays resume 6c01f2", "go on where it was cancelled, or stopped by itself"))
def resume(
    id: End,  # noqa: A002 - the argument's name
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")] = "",
    wait: Wait = True,
    actor: Actor = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Go on with a replay that was cancelled, or stopped by itself."""
    who = {"actor": actor_name(actor), "reason": reason}
    service = client(data, url)
    found = asked(lambda: service.post(f"/replays/{id}/resume", who))
    _follow(service, found, wait=wait, as_json=as_json)


def _follow(service: ServiceClient, found: dict[str, Any], *, wait: bool, as_json: bool) -> None:
    """Show a replay until it is over, and end the command with its exit code. After Ctrl-C it goes on unwatched."""
    path = f"/replays/{found['id']}"
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[green]{task.fields[resolved]} resolved[/] [red]{task.fields[failed]} failed[/]"),
    )
    end = found["id"][-showing.SHORT :]
    try:
        if wait:
            err.print("[dim]Ctrl-C ends the watching; the replay goes on[/]")
        with Progress(*columns, console=err, disable=as_json or not wait or not err.is_terminal) as bar:
            task = bar.add_task("sending", total=found["total"], resolved=0, failed=0)
            while wait and not found["ended"]:
                failed = found["returned"] + found["refused"]
                words = {"running": "sending", "settling": "watching"}.get(found["state"], found["state"])
                bar.update(task, completed=found["sent"], resolved=found["resolved"], failed=failed, description=words)
                time.sleep(INTERVAL)
                found = service.get(path)
    except KeyboardInterrupt:
        err.print(f"it goes on: `warren dlq replays show {end}` says how far it is, `… cancel {end}` ends it")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(found)
    elif not wait:
        err.print(f"[green]✓[/] begun: `warren dlq replays show {end}`")
    else:
        uncut()
        out.print(showing.replays([found]))
        if found["why"]:
            err.print(f"{found['state']}: {found['why']}", markup=False)
    if wait and found["state"] != "done":
        raise typer.Exit(CUT_OFF)
    if wait and (found["returned"] or found["refused"]):
        raise typer.Exit(FAILED)


def _show_plan(plan: dict[str, Any]) -> None:
    uncut()
    err.print(showing.plan(plan["parts"]))
    err.print(f"{plan['total']} letters; what dies from now on is not among them")
    if plan["at_least_once"]:
        err.print(f"[yellow]{plan['at_least_once']} go to consumers that Warren does not know: at least once[/]")
    if plan["busy"]:
        err.print(f"[dim]{plan['busy']} more are part of another replay[/]")
    if plan["unsendable"]:
        err.print(f"[dim]{plan['unsendable']} more can't go back: it is not known which queue they died in[/]")


_COMMANDS: dict[str, Callable[..., None]] = {"list": list_replays, "show": show, "cancel": cancel, "resume": resume}
for _name, _command in _COMMANDS.items():
    app.command(_name, epilog=getattr(_command, "epilog", None))(_command)
