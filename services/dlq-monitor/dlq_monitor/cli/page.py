"""`warren dlq page`: where the page is, with the token to enter it."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from dlq_monitor.cli.options import client
from warren.cli.console import err, print_json
from warren.cli.examples import examples
from warren.cli.options import DEFAULT_DATA, Data, Json, Url


@examples(
    ("warren dlq page --open", "open the page in your browser"),
    ("warren dlq page", "print its address; whoever has it may do all that you may"),
)
def page(
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser of this machine.")] = False,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Print the address of the page, with a token that lets one in."""
    service = client(data, url)
    service.get("/session")
    if as_json:
        print_json({"url": service.page})
    else:
        typer.echo(service.page)
    if open_it and not webbrowser.open(service.page):
        err.print("no browser could be opened here: open the address above")
