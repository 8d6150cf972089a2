"""Asks the audit service, for the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson

from warren.cli.local import stack_state
from warren.errors import WarrenError

TOKEN = "WARREN_SERVICE_TOKEN"  # noqa: S105 - the variable's name
SLOW = httpx.Timeout(120, connect=5)
"""Seconds: a search may have to read far back."""


class AuditError(WarrenError):
    """The audit service cannot be asked; the message says why and what to do."""


class Audit:
    """The audit service of a local stack, or the one at `url` with the token from the environment."""

    def __init__(self, data: Path, url: str | None = None) -> None:
        token = os.environ.get(TOKEN, "")
        if url is None:
            state = stack_state(data)
            url, token = state.services.get("audit"), state.service_token
            if url is None:
                raise AuditError(f"no audit service runs in {data}; `warren status` shows what does")
        elif not token:
            raise AuditError(f"set {TOKEN} to the service token that the audit service at {url} was given")
        self._url = url
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=SLOW)

    def records(self, **query: str | int | None) -> list[dict[str, Any]]:
        """Return records; the query is that of `GET /records`."""
        wanted = {k: v for k, v in query.items() if v is not None}
        answer = self._checked(lambda: self._http.get("/records", params=wanted))
        found: list[dict[str, Any]] = answer.json()["records"]
        return found

    def verify(self, chain: str | None) -> Iterator[dict[str, Any]]:
        """Yield progress while the record is verified, at last the result, which has `ok`."""
        query = {"progress": "true", **({"chain": chain} if chain else {})}
        last: dict[str, Any] = {}
        try:
            with self._http.stream("GET", "/verify", params=query) as answer:
                self._check(answer)
                for line in answer.iter_lines():
                    last = orjson.loads(line)
                    yield last
        except httpx.HTTPError as e:
            raise self._away(e) from None
        if "ok" not in last:
            raise AuditError("the verification was cut short; see the log of the audit service")

    def _checked(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        try:
            answer = ask()
        except httpx.HTTPError as e:
            raise self._away(e) from None
        self._check(answer)
        return answer

    def _check(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise AuditError(f"the audit service at {self._url} refuses the service token")
        answer.read()
        try:
            reason = answer.json()["detail"]
        except (ValueError, KeyError, TypeError):
            reason = answer.reason_phrase
        raise AuditError(f"the audit service answers {answer.status_code}: {reason}")

    def _away(self, error: httpx.HTTPError) -> AuditError:
        return AuditError(
            f"the audit service at {self._url} does not answer ({type(error).__name__}); is it running? `warren status`"
        )
