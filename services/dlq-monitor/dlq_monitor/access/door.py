"""Who comes in, and what they may do: one door for all routes.

Two kinds of tokens open it: the service token, which is an operator without a name, and those of people (`tokens`).
Readers may ask (GET), and see what a change would do (a dry run); all else is for operators.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from dlq_monitor.access.tokens import Role, Tokens

DRY_RUNS = frozenset({"/replays", "/letters/discard", "/letters/{prefix}/edit"})
"""Routes where `"dry_run": true` changes nothing. A list, not a rule: elsewhere the words might mean nothing."""

CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})

_bearer = HTTPBearer(auto_error=False, description="A person's token (`warren dlq token`), or WARREN_SERVICE_TOKEN")
_scheme = "bearer "


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls; `name` is None for holders of the service token, who say themselves who they are."""

    name: str | None
    role: Role

    def actor(self, given: str | None) -> str:
        """Return the name that goes on record; `given` is the body's. A named token acts for nobody else."""
        if self.name is None:
            if given is None:
                raise HTTPException(422, "say who does it: the service token has no name, so `actor` is needed")
            return given
        if given not in {None, self.name}:
            raise HTTPException(422, f"this token is {self.name}'s: leave `actor` out, or use the token of {given}")
        return self.name


class Door:
    """Tells callers by their tokens, and lets in who may."""

    def __init__(self, service_token: str, tokens: Tokens) -> None:
        self._service_token = service_token
        self._tokens = tokens

    def caller(self, authorization: str) -> Caller | None:
        """Return who holds the token of an `Authorization` header."""
        token = authorization[len(_scheme) :].strip() if authorization.lower().startswith(_scheme) else ""
        if not token:
            return None
        if self._service_token and hmac.compare_digest(token.encode(), self._service_token.encode()):
            return Caller(None, "operator")
        holder = self._tokens.holder(token)
        return Caller(holder.name, holder.role) if holder else None

    def refusal(self) -> HTTPException:
        """Return the answer to a stranger."""
        if not self._service_token and not self._tokens.known:
            return HTTPException(403, "nobody may come in: set WARREN_SERVICE_TOKEN, or WARREN_DLQ_TOKENS")
        return HTTPException(401, "a valid token is needed", {"WWW-Authenticate": "Bearer"})

    async def check(
        self, request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> None:
        """Let a request in or refuse it: the dependency of every router."""
        caller = self.caller(request.headers.get("authorization", ""))
        if caller is None:
            raise self.refusal()
        request.state.caller = caller
        if request.method not in CHANGES:
            return
        said = await _said(request)
        request.state.said = said
        request.state.dry_run = said.get("dry_run") is True and request.scope["route"].path in DRY_RUNS
        if caller.role != "operator" and not request.state.dry_run:
            raise HTTPException(403, f"{caller.name} is a reader: changes are for operators")


async def _said(request: Request) -> dict[str, Any]:
    """Return the body, as far as it is a JSON object; whatever else is wrong with it is the route's to say."""
    try:
        found = await request.json()
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


Calling = Annotated[Caller, Depends(_caller)]
"""The caller, for routes behind the door."""
