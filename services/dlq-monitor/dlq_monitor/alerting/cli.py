"""`warren alerts list|test|silence|unsilence`. Exit code 1: it failed, or there is no such thing; 2: wrong use."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

import typer

from dlq_monitor.alerting import showing
from dlq_monitor.cli.options import Actor, Token, actor_name, asked, client
from warren.cli.console import err, fail, out, print_json, uncut
from warren.cli.examples import examples
from warren.cli.options import DEFAULT_DATA, Data, Json, Url, span
from warren.cli.service_client import RefusedError, ServiceError

_ID = re.compile(r"[0-9a-f-]{1,36}")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Alerts: what is wrong with queues, broker and letters, and who is told.",
)


@examples(
    ("warren alerts list", "what fires now, silences, and channels that fail"),
    ("warren alerts list --past", "what is over"),
    ("warren alerts list --json", "the same for scripts: alerts, silences, channels"),
)
def list_alerts(
    past: Annotated[bool, typer.Option("--past", help="Alerts that are over, the newest first.")] = False,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List alerts that fire, silences and channels."""
    service = client(data, url)
    alerts = service.get("/alerts", state="cleared" if past else "firing")
    silences, channels = service.get("/silences"), service.get("/alerts/channels")
    if as_json:
        print_json({**alerts, "silences": silences["items"], "channels": channels["items"]})
        return
    uncut()
    if alerts["items"]:
        out.print(showing.alerts(alerts["items"]))
    else:
        err.print("no alerts that are over" if past else "[green]✓[/] nothing fires")
    if silences["items"]:
        out.print(showing.silences(silences["items"]))
    if failing := [c for c in channels["items"] if c["status"] != "ok"]:
        out.print(showing.channels(failing))


@examples(
    ("warren alerts test mail", "send a test by mail now, and say whether it was taken"),
    ("warren alerts test alertmanager --json", "the same for scripts"),
)
def send_test(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="log, event, webhook, slack, mail, sentry …")],
    actor: Actor = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Send a test through a channel."""
    if not channel.isalpha():
        fail(f"{channel!r} is no channel", 1)
    try:
        told = client(data, url).post(f"/alerts/test/{channel}", {"actor": actor_name(actor)})
    except (RefusedError, ServiceError) as e:
        fail(str(e), 1)
    _done(told, f"{channel} took the test", as_json)


@examples(
    ("warren alerts silence queue_without_consumers --for 2h --reason 'new release'", "of every queue"),
    ("warren alerts silence '*' --label 'queue=chat.*' --for 30m --reason 'my test'", "all alerts of some queues"),
)
def silence(
    alert: Annotated[str, typer.Argument(metavar="ALERT", help="Name of the alert; * stands for anything.")],
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")],
    duration: Annotated[str, typer.Option("--for", metavar="TIME", help="30s, 15m, 2h, 7d.")],
    label: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Only with this label.")] = None,
    actor: Actor = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Keep alerts from being told for a time; what still fires at its end is told then."""
    wanted = {"alert": alert, "labels": _labels(label or []), "reason": reason, "seconds": _seconds(duration)}
    made = client(data, url).post("/silences", {**wanted, "actor": actor_name(actor)})
    _done(made, f"silence {made['id']} until {made['until']}", as_json)


@examples(("warren alerts unsilence 019a8b", "end a silence now; `warren alerts list` shows its id"))
def unsilence(
    id: Annotated[str, typer.Argument(metavar="ID", help="The silence's id, or its beginning.")],  # noqa: A002
    actor: Actor = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """End a silence."""
    if not _ID.fullmatch(id):
        fail(f"{id!r} is no silence's id, see `warren alerts list`", 1)
    ended = asked(lambda: client(data, url).post(f"/silences/{id}/end", {"actor": actor_name(actor)}))
    _done(ended, f"silence {ended['id']} is over", as_json)


def _seconds(text: str) -> int:
    if (found := span(text)) is None:
        fail(f"{text!r} is no span of time: say 30s, 15m, 2h, 7d")
    return int(found.total_seconds())


def _labels(given: list[str]) -> dict[str, str]:
    found = dict(text.partition("=")[::2] for text in given)
    if wrong := [name for name, value in found.items() if not name or not value]:
        fail(f"say --label NAME=VALUE, not {wrong[0]!r}")
    return found


def _done(told: dict[str, Any], words: str, as_json: bool) -> None:
    if as_json:
        print_json(told)
    else:
        out.print(f"[green]✓[/] {words}", soft_wrap=True, markup=True)


@app.callback()
def root(token: Token = "") -> None:
    """Alerts: what is wrong with queues, broker and letters, and who is told."""


_COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_alerts,
    "test": send_test,
    "silence": silence,
    "unsilence": unsilence,
}
for _name, _command in _COMMANDS.items():
    app.command(_name, epilog=getattr(_command, "epilog", None))(_command)
