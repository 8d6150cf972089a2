"""REST beside the socket: guest tokens, rooms, history, members, posting."""

# Without `from __future__ import annotations`: FastAPI must see the local name `someone` itself, not its text.

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, StringConstraints

from gateway import answers
from gateway.auth import AuthError, Identity, Tokens, origin_allowed
from gateway.handlers import Frames, RefusalError
from gateway.limits import Rates
from gateway.neighbours import Chat, Presence
from gateway.reading import Reading
from gateway.settings import GatewaySettings
from warren.contracts import User, rfc3339
from warren.contracts.base import MessageId, RoomName, UserName
from warren.contracts.frames import MAX_SEQ
from warren.errors import DependencyDownError

_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="A user's token, or a guest's")


class TokenRequest(BaseModel):
    """A guest's wish for a name."""

    model_config = ConfigDict(extra="forbid")
    name: UserName | None = None


class Post(BaseModel):
    """A message; the same `id` again is the same message."""

    model_config = ConfigDict(extra="forbid")
    id: MessageId
    body: Annotated[str, StringConstraints(min_length=1)]


def router(settings: GatewaySettings, frames: Frames, chat: Chat, presence: Presence, reading: Reading) -> APIRouter:
    """Return the routes under `/api`."""
    routes = APIRouter(prefix="/api", tags=["chat"])
    tokens = Tokens(settings.jwt_secret.get_secret_value(), settings.guest_token_seconds)
    rates = Rates(settings.connect_rate, 2 * settings.connect_rate)

    def address(request: Request) -> str:
        return request.client.host if request.client else "unknown"

    def check_origin(request: Request) -> None:
        if not origin_allowed(request.headers.get("origin"), request.headers.get("host"), settings.origins):
            raise HTTPException(403, "pages of this origin may not use this server")

    def identify(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Identity:
        check_origin(request)
        try:
            return tokens.verify(given.credentials if given else None)
        except AuthError as e:
            raise HTTPException(401, str(e), {"WWW-Authenticate": "Bearer"}) from None

    someone = Annotated[Identity, Depends(identify)]

    @routes.post(
        "/token",
        summary="A token for a guest",
        dependencies=[Depends(check_origin)],
        responses={200: {"model": answers.Token}},
    )
    async def token(request: Request, wish: TokenRequest | None = None) -> dict[str, Any]:
        if not settings.guests:
            raise HTTPException(403, "guests are not allowed here: bring a token")
        if wait := rates.take(address(request)):
            raise HTTPException(429, "too many tokens for this address", {"Retry-After": str(max(1, round(wait)))})
        made, identity = tokens.guest(wish.name if wish else None)
        return {"token": made, "user": identity.user.model_dump(), "expires": rfc3339(identity.expires)}

    @routes.get("/rooms", summary="Rooms, the most recently active first", responses={200: {"model": answers.Rooms}})
    async def rooms(who: someone, limit: Annotated[int, Query(ge=1, le=200)] = 100) -> dict[str, Any]:
        found, user = await chat.rooms(limit), who.user.id
        stored = await asyncio.gather(*[chat.read((user, row["room"])) for row in found])
        reads = [max(seq, reading.known(user, row["room"])) for seq, row in zip(stored, found, strict=True)]
        return {
            "rooms": [
                {**row, "read": read, "unread": max(0, row["seq"] - read)}
                for row, read in zip(found, reads, strict=True)
            ]
        }

    @routes.get(
        "/rooms/{room:path}/entries", summary="A page of a room's log", responses={200: {"model": answers.Page}}
    )
    async def entries(
        room: RoomName,
        _: someone,
        after: Annotated[int | None, Query(ge=0, le=MAX_SEQ)] = None,
        before: Annotated[int | None, Query(ge=1, le=MAX_SEQ)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> dict[str, Any]:
        page = await chat.page(room, after=after, before=before, limit=limit)
        return {"entries": page.entries, "seq": page.seq, "truncated": page.truncated}

    @routes.get("/rooms/{room:path}/members", summary="Who is in a room", responses={200: {"model": answers.Members}})
    async def members(room: RoomName, _: someone) -> dict[str, Any]:
        found = await presence.members(room)
        return {"members": found.members, "count": found.count, "rev": found.rev}

    @routes.post(
        "/rooms/{room:path}/messages",
        status_code=202,
        summary="Say something",
        responses={202: {"model": answers.Posted}},
    )
    async def post(room: RoomName, message: Post, who: someone) -> Response:
        try:
            frames.check_body(message.body)
            frames.check_rate(who.user.id)
            await frames.post(await _present(presence, who.user), room, message.id, message.body)
        except RefusalError as e:
            status = 429 if e.retry_after else 413
            retry = {"Retry-After": str(max(1, round(e.retry_after)))} if e.retry_after else {}
            return JSONResponse({"detail": str(e), "code": e.why.code}, status, retry)
        return JSONResponse({"id": message.id, "room": room}, 202)

    return routes


async def _present(presence: Presence, user: User) -> User:
    try:
        name = await presence.name_of(user.id)
    except DependencyDownError:
        return user
    return User(id=user.id, name=name) if name else user
