"""Asks one service over its HTTP API, for the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from warren.errors import WarrenError
from warren.stack.state import read_state

TOKEN = "WARREN_SERVICE_TOKEN"  # noqa: S105 - the variable's name


class ServiceError(WarrenError):
    """The service cannot be asked; the message says why and what to do."""


class RefusedError(WarrenError):
    """It was asked and says no (404, 409): there is no such thing, or not in this state."""


class ServiceClient:
    """The service `name` of the stack in `data`, or the one at `url`.

    `token` is a person's; without it, it is the service token: that of the stack, or from the environment. `timeout` is
    in seconds, for an answer; a connection gets five.
    """

    def __init__(self, name: str, data: Path, url: str | None = None, *, token: str = "", timeout: float = 30) -> None:
        if url is None:
            state = read_state(data)
            urls, token = state.addresses(name), token or state.service_token
            if not urls:
                raise ServiceError(f"no {name} runs in {data}; `warren status` shows what does")
            url = _first_that_answers(urls)
        elif not (token := token or os.environ.get(TOKEN, "")):
            raise ServiceError(f"set {TOKEN} to the service token that the {name} service at {url} was given")
        self._name, self._url, self._token = name, url, token
        headers = {"Authorization": f"Bearer {token}"}
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=httpx.Timeout(timeout, connect=5))
        except httpx.InvalidURL as e:
            raise ServiceError(f"{url!r} is no address of a service: {e}") from None

    @property
    def page(self) -> str:
        """The address of the service's page, with the token in the part that browsers keep to themselves."""
        return f"{self._url.rstrip('/')}/#token={quote(self._token, safe='')}"

    def get(self, path: str, **query: str | int | None) -> dict[str, Any]:
        """GET what is at `path`; parts of the query that are None are left out."""
        return self._ask("GET", path, params=_given(query))

    def post(self, path: str, content: object) -> dict[str, Any]:
        """POST `content` as JSON."""
        return self._ask("POST", path, json=content)

    def patch(self, path: str, content: object) -> dict[str, Any]:
        """PATCH `content` as JSON."""
        return self._ask("PATCH", path, json=content)

    def lines(self, path: str, **query: str | int | None) -> Iterator[str]:
        """GET an answer that comes line by line."""
        with self._spoken(), self._http.stream("GET", path, params=_given(query)) as answer:
            self._check(answer)
            yield from answer.iter_lines()

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        with self._spoken():
            answer = self._http.request(method, path, **options)
        self._check(answer)
        content: dict[str, Any] = answer.json()
        return content

    @contextmanager
    def _spoken(self) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            raise ServiceError(
                f"the {self._name} service at {self._url} does not answer ({type(e).__name__}); "
                "is it running? `warren status`"
            ) from None

    def _check(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        answer.read()
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise ServiceError(f"the {self._name} service at {self._url} refuses: {_reason(answer)}")
        if answer.status_code in {httpx.codes.NOT_FOUND, httpx.codes.CONFLICT}:
            raise RefusedError(_reason(answer))
        raise ServiceError(f"the {self._name} service answers {answer.status_code}: {_reason(answer)}")


def _first_that_answers(urls: list[str]) -> str:
    """Choose among the processes of a service; one that is alone is not asked, nor the last."""
    for url in urls[:-1]:
        try:
            if httpx.get(f"{url}/readyz", timeout=2).is_success:
                return url
        except httpx.HTTPError:
            continue
    return urls[-1]


def _given(query: dict[str, str | int | None]) -> dict[str, str | int]:
    return {k: v for k, v in query.items() if v is not None}


def _reason(answer: httpx.Response) -> str:
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase
    if isinstance(detail, list):
        return "; ".join(f"{'.'.join(map(str, d.get('loc', [])))}: {d.get('msg')}" for d in detail)
    return str(detail)
