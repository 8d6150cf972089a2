"""The commands of the local stack. Their work is imported when they run, so that help comes at once."""

from __future__ import annotations

from typing import Annotated

import typer

from warren.cli.examples import examples
from warren.cli.options import DEFAULT_DATA, Data, Json


@examples(
    ("warren up", "two gateways, Ctrl-C stops all"),
    ("warren up --gateways 4 --detach", "four, in the background; returns when all is ready"),
    ("warren up --gateways 3 --balancer", "three behind HAProxy, at one address"),
    ("warren up --chat 2 --audit 2", "two processes each, which share the work"),
    ("warren up --data /tmp/second", "a second stack beside the first"),
    ("WARREN_AMQP_URL=amqp://… warren up", "with a broker that already runs"),
)
def up(
    gateways: Annotated[int, typer.Option(min=1, max=64, help="How many gateways.")] = 2,
    chat: Annotated[int, typer.Option(min=1, max=16, help="How many chat processes.")] = 1,
    audit: Annotated[int, typer.Option(min=1, max=16, help="How many audit processes.")] = 1,
    balancer: Annotated[bool, typer.Option("--balancer", help="Put HAProxy before the gateways.")] = False,
    data: Data = DEFAULT_DATA,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Run in the background; return when all is ready.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to be reached at; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    notify: Annotated[int | None, typer.Option("--notify-fd", hidden=True)] = None,
) -> None:
    """Start the whole suite on this machine: broker, store and all services."""
    from warren.cli import stack_up  # noqa: PLC0415 - only when it runs

    counts = {"gateway": gateways, "chat": chat, "audit": audit}
    options = stack_up.Options(counts, data=data.resolve(), host=host, balancer=balancer)
    if detach:
        stack_up.in_background(options)
    elif notify is not None:
        stack_up.as_background(options, notify)
    else:
        stack_up.in_foreground(options)


@examples(
    ("warren down", "stop the stack in .warren, in order"),
    ("warren down --data /tmp/second", "another one"),
)
def down(data: Data = DEFAULT_DATA) -> None:
    """Stop the suite in order: gateways, services, then store and broker. Data is kept."""
    from warren.cli import stack_down  # noqa: PLC0415 - only when it runs

    stack_down.down(data.resolve())


@examples(
    ("warren restart gateways", "one by one, each when all are ready: clients reconnect, and lose nothing"),
    ("warren restart chat", "one process, by the name that `warren status` shows"),
)
def restart(
    what: Annotated[str, typer.Argument(help="`gateways`, or a process's name.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Restart processes in good order: each finishes what it has begun and is back before the next one goes."""
    from warren.cli import stack_restart  # noqa: PLC0415 - only when it runs

    stack_restart.restart(data.resolve(), what)


@examples(
    ("warren status", "a table; exit code 1 unless all is ready"),
    ("warren status --json | jq -r '.gateways[0]'", "for scripts; holds passwords"),
)
def status(json: Json = False, data: Data = DEFAULT_DATA) -> None:
    """Show what runs, whether it is ready, and where."""
    from warren.cli import stack_status  # noqa: PLC0415 - only when it runs

    stack_status.status(data.resolve(), as_json=json)


@examples(
    ("warren doctor", "what is missing, and the command that mends it"),
    ("warren doctor --json", "the same for scripts"),
)
def doctor(json: Json = False, data: Data = DEFAULT_DATA) -> None:
    """Check that this machine has all that Warren needs."""
    from warren.cli import stack_doctor  # noqa: PLC0415 - only when it runs

    stack_doctor.doctor(data.resolve(), as_json=json)
