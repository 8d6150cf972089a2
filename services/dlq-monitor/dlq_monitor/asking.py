"""Asks the dlq-monitor service, for the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx

from warren.cli.local import stack_state
from warren.errors import WarrenError

TOKEN = "WARREN_SERVICE_TOKEN"  # noqa: S105 - the variable's name
TIMEOUT = httpx.Timeout(30, connect=5)

Content = dict[str, Any]


class AskingError(WarrenError):
    """The dlq-monitor service cannot be asked; the message says why and what to do."""


class NoError(WarrenError):
    """It was asked and says no: there is no such letter, or it cannot take this decision."""


class DlqMonitor:
    """The dlq-monitor of a local stack, or the one at `url` with the token from the environment."""

    def __init__(self, data: Path, url: str | None = None) -> None:
        token = os.environ.get(TOKEN, "")
        if url is None:
            state = stack_state(data)
            url, token = state.services.get("dlq-monitor"), state.service_token
            if url is None:
                raise AskingError(f"no dlq-monitor runs in {data}; `warren status` shows what does")
        elif not token:
            raise AskingError(f"set {TOKEN} to the service token that the dlq-monitor at {url} was given")
        self._url = url
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT)

    def letters(self, **query: str | int | None) -> Content:
        """Return `{"total", "items"}`; the query is that of `GET /letters`."""
        return self._ask("GET", "/letters", params={k: v for k, v in query.items() if v is not None})

    def letter(self, prefix: str) -> Content:
        """Return one letter, whole; raises `NoError`."""
        return self._ask("GET", f"/letters/{prefix}")

    def decide(self, prefix: str, decision: str, actor: str, reason: str) -> Content:
        """Replay or discard a letter and return it; raises `NoError`."""
        return self._ask("POST", f"/letters/{prefix}/{decision}", json={"actor": actor, "reason": reason})

    def _ask(self, method: str, path: str, **options: Any) -> Content:
        try:
            answer = self._http.request(method, path, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            raise AskingError(
                f"the dlq-monitor at {self._url} does not answer ({type(e).__name__}); is it running? `warren status`"
            ) from None
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise AskingError(f"the dlq-monitor at {self._url} refuses the service token")
        if answer.is_success:
            content: Content = answer.json()
            return content
        reason = _reason(answer)
        if answer.status_code in {httpx.codes.NOT_FOUND, httpx.codes.CONFLICT}:
            raise NoError(reason)
        raise AskingError(f"the dlq-monitor answers {answer.status_code}: {reason}")


def _reason(answer: httpx.Response) -> str:
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase
    if isinstance(detail, list):
        return "; ".join(f"{'.'.join(map(str, d.get('loc', [])))}: {d.get('msg')}" for d in detail)
    return str(detail)
