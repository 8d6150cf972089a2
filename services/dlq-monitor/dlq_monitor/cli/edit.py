"""`warren dlq edit`. Exit code 1: refused, nothing changed, or the edit is wrong; the file with it is kept."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Annotated, Any

import click
import orjson
import typer

from dlq_monitor.cli import showing
from dlq_monitor.cli.options import Actor, actor_name, asked, client, letter_id
from warren.cli.console import err, fail, out, print_json, uncut
from warren.cli.examples import examples
from warren.cli.options import DEFAULT_DATA, Data, Json, Url
from warren.cli.service_client import ServiceClient, ServiceError

BYTES = "$bytes"
_PARTS = ("type", "content_type", "headers", "body")


@examples(
    (
        "warren dlq edit 3f9a --reason 'a wrong room'",
        "in your editor ($EDITOR); then its plan, and a question",
    ),
    ("warren dlq edit 3f9a --print > mended.json", "what there is to edit, as a file"),
    ("warren dlq edit 3f9a --file mended.json --dry-run", "check it, and show what would go where"),
    ("warren dlq edit 3f9a --file mended.json --yes --json", "for scripts"),
)
def edit(
    id: Annotated[str, typer.Argument(metavar="ID", help="The letter's id, or as much of it as is its own.")],  # noqa: A002 - the argument's name
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", exists=True, dir_okay=False, help="Take the edit from it.")
    ] = None,
    print_it: Annotated[bool, typer.Option("--print", help="Only print what there is to edit.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check it, and show what would go where.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")] = "",
    actor: Actor = None,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Send an edited copy of a letter in its place, under a new message id, once its contract takes it.

    The letter itself can't be sent after that; the record shows both. A body that is JSON is edited as JSON, other text
    as a string, any other bytes as {"$bytes": base64}.
    """
    service = client(data, url)
    path = f"/letters/{letter_id(id)}"
    letter = asked(lambda: service.get(path))
    if not letter["body"]["complete"]:
        err.print("[yellow]only the beginning of its body was kept: give the whole body[/]")
    before = editable(letter)
    if print_it:
        typer.echo(_pretty(before))
        return
    source = file or _written(before, letter["id"])
    change = _change(before, _read(source), source)
    if not change:
        fail("nothing was changed, nothing was sent", 1)
    wanted = {"actor": actor_name(actor), "reason": reason, **change}
    plan = _ask(service, f"{path}/edit", {**wanted, "dry_run": True}, source)["plan"]
    if not as_json:
        _show(plan)
    if dry_run:
        if as_json:
            print_json(plan)
        return
    if not yes and not typer.confirm("Send it in the letter's place?", err=True):
        fail(f"nothing was sent; what you wrote is in {source}", 1)
    done = _ask(service, f"{path}/edit", wanted, source)
    if as_json:
        print_json(done)
    else:
        copy = done["letter"]["id"][: showing.SHORT]
        out.print(f"[green]✓[/] letter {letter['id'][: showing.SHORT]}: sent as letter {copy}", soft_wrap=True)


def editable(letter: dict[str, Any]) -> dict[str, Any]:
    """Return what of a letter can be edited, as it is edited."""
    body, properties = letter["body"], letter["properties"]
    if body["encoding"] == "base64":
        content: Any = {BYTES: body["data"]}
    else:
        try:
            content = orjson.loads(body["data"])
        except orjson.JSONDecodeError:
            content = body["data"]
    return {
        "type": letter["type"],
        "content_type": properties.get("content_type"),
        "headers": letter["editable"]["headers"],
        "body": content,
    }


def _written(before: dict[str, Any], id: str) -> Path:  # noqa: A002 - the letter's
    """Let the user edit it in an editor; returns the file."""
    source = Path(tempfile.mkdtemp(prefix="warren-")) / f"letter-{id[: showing.SHORT]}.json"
    source.write_text(_pretty(before))
    try:
        click.edit(filename=str(source))
    except click.ClickException as e:
        fail(f"{e.format_message()}: set EDITOR, or give the edit with --file {source}", 1)
    return source


def _read(source: Path) -> dict[str, Any]:
    try:
        found = orjson.loads(source.read_bytes())
    except orjson.JSONDecodeError as e:
        fail(f"{source} is no JSON: {e}\nmend it, and give it with --file {source}", 1)
    if not isinstance(found, dict) or set(found) != set(_PARTS):
        fail(f"{source} must have {', '.join(_PARTS)}, and nothing else", 1)
    return found


def _change(before: dict[str, Any], after: dict[str, Any], source: Path) -> dict[str, Any]:
    """Return what is to be otherwise; a body that means the same stays byte by byte as it was."""
    properties = {k: after[k] for k in ("type", "content_type") if after[k] != before[k]}
    found: dict[str, Any] = {"properties": properties} if properties else {}
    if after["headers"] != before["headers"]:
        found["headers"] = after["headers"]
    if after["body"] != before["body"]:
        found["body"] = _body(after["body"], source, was_text=isinstance(before["body"], str))
    return found


def _body(content: Any, source: Path, *, was_text: bool) -> dict[str, str]:
    if isinstance(content, dict) and set(content) == {BYTES}:
        try:
            base64.b64decode(content[BYTES], validate=True)
        except (ValueError, TypeError) as e:
            fail(f"{source}: the body is no base64: {e}", 1)
        return {"encoding": "base64", "data": content[BYTES]}
    text = content if was_text and isinstance(content, str) else orjson.dumps(content).decode()
    return {"encoding": "utf-8", "data": text}


def _ask(service: ServiceClient, path: str, wanted: dict[str, Any], source: Path) -> dict[str, Any]:
    try:
        return asked(lambda: service.post(path, wanted))
    except ServiceError as e:
        fail(f"{e}\nwhat you wrote is in {source}; mend it, and give it with --file {source}", 1)


def _show(plan: dict[str, Any]) -> None:
    uncut()
    err.print(showing.plan([{**plan, "count": 1}]))
    if plan["checked"]:
        err.print(f"[green]✓[/] it is a valid {plan['checked']}; its new message id is {plan['message_id']}")
    else:
        err.print("[yellow]no contract is known for it: nothing was checked[/]")
    if plan["at_least_once"]:
        err.print("[yellow]it goes to a consumer that Warren does not know: at least once[/]")


def _pretty(content: Any) -> str:
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()
