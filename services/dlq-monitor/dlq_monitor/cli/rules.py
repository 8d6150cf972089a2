"""`warren dlq rules check|show|schema`. Exit code 1: the file is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import yaml

from dlq_monitor import rules
from dlq_monitor.cli.options import client
from warren.cli.console import complain, out, print_json
from warren.cli.examples import examples
from warren.cli.options import DEFAULT_DATA, Data, Json, Url

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="What becomes of dead letters by themselves.")


@examples(("warren dlq rules check rules.yaml", "say what is wrong with a file, and in which line"))
def check(file: Annotated[Path, typer.Argument(metavar="FILE")]) -> None:
    """Check a file of rules."""
    try:
        found = rules.load(file)
    except rules.RulesError as e:
        for fault in str(e).splitlines():
            complain(f"{file}: {fault}")
        raise typer.Exit(1) from None
    out.print(f"[green]✓[/] {len(found.rules)} rules", soft_wrap=True)


@examples(
    ("warren dlq rules show", "the rules in force"),
    ("warren dlq rules show --default", "the built-in file, to begin your own with"),
)
def show(
    default: Annotated[bool, typer.Option("--default", help="Print the built-in file instead.")] = False,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Print the rules that the running service goes by."""
    if default:
        typer.echo(rules.DEFAULT.read_text(), nl=False)
        return
    found = client(data, url).get("/rules")
    if as_json:
        print_json(found)
    else:
        typer.echo(yaml.safe_dump(found, sort_keys=False, allow_unicode=True), nl=False)


@examples(("warren dlq rules schema > rules.schema.json", "for editors that check YAML while you write"))
def schema() -> None:
    """Print the JSON schema of the file."""
    print_json(rules.Rules.model_json_schema())


for _command in (check, show, schema):
    app.command(_command.__name__, epilog=getattr(_command, "epilog", None))(_command)
