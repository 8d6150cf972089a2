"""`warren audit …` and `warren trace ID`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from audit import showing
from audit.trail import Step, in_order, of_logs, of_record
from warren.cli.console import complain, err, fail, out, print_json
from warren.cli.examples import examples
from warren.cli.options import DEFAULT_DATA, Data, Json, Since, Until, Url, moment
from warren.cli.service_client import ServiceClient, ServiceError
from warren.errors import WarrenError

MAX_RECORDS = 1000
MAX_TRACES = 10
SLOW = 120
"""Seconds: a search may have to read far back."""
_TRACE = re.compile(r"(?:[0-9a-f]{2}-)?([0-9a-f]{32})(?:-[0-9a-f]{16}-[0-9a-f]{2})?")

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Search the record of all that passed, verify it.")


@examples(
    ("warren audit search --room general --since 1h", "what passed in a room during the last hour"),
    ("warren audit search --user ada --type message.post.v1", "the newest posts of one user"),
    ("warren audit search --message m-17 --json", "all records of one message"),
)
def search(
    room: Annotated[str | None, typer.Option(help="Name of a room.")] = None,
    user: Annotated[str | None, typer.Option(help="Id of a user.")] = None,
    type: Annotated[str | None, typer.Option(help="As in message.posted.v1.")] = None,  # noqa: A002 - the option's name
    trace: Annotated[str | None, typer.Option(help="A trace id.")] = None,
    message: Annotated[str | None, typer.Option(help="A client's id of a message, or an AMQP message_id.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_RECORDS)] = 100,
    oldest: Annotated[bool, typer.Option("--oldest", help="The oldest first instead of the newest.")] = False,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Find records; all that is given must hold."""
    found = _records(
        _service(data, url),
        room=room,
        user=user,
        type=type,
        trace=trace,
        message=message,
        since=moment(since),
        until=moment(until),
        limit=limit,
        order="oldest" if oldest else "newest",
    )
    if as_json:
        print_json({"records": found})
    elif found:
        out.print(showing.records(found, wide=showing.room_for_details()))
        if len(found) == limit:
            err.print(f"[dim]the first {limit}; --limit shows more, --since and --until narrow it[/]")
    else:
        err.print("nothing of that kind is on record")


@examples(
    ("warren audit verify", "walk every chain; exit code 1 if one byte was changed"),
    ("warren audit verify --chain audit-a206e0f332-7121 --json", "one chain, for scripts"),
)
def verify(
    chain: Annotated[str | None, typer.Option(help="Only this chain.")] = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Check that the record is whole: nothing changed, left out, replaced or cut off."""
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TextColumn("records"), TimeRemainingColumn())
    result: dict[str, Any] = {}
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("verify", total=None)
        for result in _verification(_service(data, url), chain):
            if "expected" in result:
                progress.update(task, total=result["expected"], completed=result["records"])
    if as_json:
        print_json(result)
    else:
        _say(result)
    if not result["ok"]:
        raise typer.Exit(1)


@examples(
    ("warren trace 4bf92f3577b34da6a3ce929d0e0e4736", "one message's way, with times"),
    ("warren trace --message m-17", "the same, by the id the client gave it"),
)
def trace(
    id: Annotated[str | None, typer.Argument(metavar="ID", help="A trace id: 32 hex digits.")] = None,  # noqa: A002
    message: Annotated[str | None, typer.Option(help="A client's id of a message, or an AMQP message_id.")] = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show a message's way through all services, from the audit's records and the services' logs."""
    if (id is None) == (message is None):
        fail("give either a trace id or --message ID")
    try:
        audit: ServiceClient | None = _service(data, url)
    except WarrenError as e:
        audit = None
        complain(f"no records: {e}")
    traces = _traces_of(audit, message) if message is not None else [_trace_id(id or "")]
    trails = {t: _steps(audit, data, t, message) for t in traces}
    known = {t: steps for t, steps in trails.items() if steps}
    if not known:
        what = f"message {message}" if message is not None else f"trace {traces[0]}"
        fail(f"nothing is known of {what}: it is neither on record nor in {data / 'logs'}", 1)
    if as_json:
        print_json({"traces": [{"trace": t, "steps": _plain(steps)} for t, steps in known.items()]})
        return
    for t, steps in known.items():
        out.print(showing.trail(t, steps, wide=showing.room_for_details()))


def _service(data: Path, url: str | None) -> ServiceClient:
    return ServiceClient("audit", data, url, timeout=SLOW)


def _records(audit: ServiceClient, **query: str | int | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = audit.get("/records", **query)["records"]
    return found


def _verification(audit: ServiceClient, chain: str | None) -> Iterator[dict[str, Any]]:
    """Yield progress while the record is verified, at last the result, which has `ok`."""
    last: dict[str, Any] = {}
    for line in audit.lines("/verify", progress="true", chain=chain):
        yield (last := orjson.loads(line))
    if "ok" not in last:
        raise ServiceError("the verification was cut short; see the log of the audit service")


def _trace_id(text: str) -> str:
    found = _TRACE.fullmatch(text.lower())
    if found is None:
        fail(f"{text!r} is no trace id (32 hex digits); for the id of a message use --message", 1)
    return found[1]


def _traces_of(audit: ServiceClient | None, message: str) -> list[str]:
    """Return the traces of a message; nothing stands for records without one."""
    if audit is None:
        fail("only the audit service knows the trace of a message", 1)
    found = _records(audit, message=message, order="oldest", limit=MAX_RECORDS)
    return list(dict.fromkeys(str(r.get("trace", "")) for r in found))[:MAX_TRACES]


def _steps(audit: ServiceClient | None, data: Path, trace: str, message: str | None) -> list[Step]:
    steps: list[Step] = []
    if audit is not None:
        query = {"trace": trace} if trace else {"message": message}
        try:
            found = _records(audit, **query, order="oldest", limit=MAX_RECORDS)
        except ServiceError as e:
            complain(f"no records: {e}")
            found = []
        steps += [s for r in found if trace or not r.get("trace") for s in of_record(r)]
    if trace:
        steps += of_logs(data / "logs", trace)
    return in_order(steps)


def _plain(steps: list[Step]) -> list[dict[str, Any]]:
    return [s.plain(steps[0].time) for s in steps]


def _say(result: dict[str, Any]) -> None:
    where = f"{result['records']} records in {result['batches']} documents of {result['chains']} chains"
    if result["ok"]:
        out.print(f"[green]✓[/] {where}: nothing was changed, left out or cut off")
        return
    for problem in result["problems"]:
        out.print(
            f"[red]✗[/] chain {escape(problem['chain'])}, document {problem['n']}: {escape(problem['problem'])}",
            soft_wrap=True,
        )
    if result["more_problems"]:
        out.print(f"… and {result['more_problems']} more")
    complain(f"the record is not whole; read {where}")


for _command in (search, verify):
    app.command(epilog=getattr(_command, "epilog", None))(_command)
