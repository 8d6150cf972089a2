"""REST beside the socket: guest tokens, rooms, history, members, posting."""

# Without `from __future__ import annotations`: FastAPI must see the local name `someone` itself, not its text.

import asyncio
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, StringConstraints

from gateway.answers import Accepted, Entries, GuestToken, Person, RoomMembers, Rooms, success
from gateway.auth import HTTP_STATUS, AuthError, Identity, Tokens
from gateway.handlers import Frames, RefusalError
from gateway.limits import BURST_SECONDS, Rates
from gateway.neighbours import Chat, Presence
from gateway.origins import Origins
from gateway.reading import Reading
from gateway.rights import Right
from gateway.settings import GatewaySettings
from gateway.submitting import Submitting
from warren.contracts import User, rfc3339
from warren.contracts.base import MessageId, RoomName, UserId, UserName
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


def router(  # noqa: PLR0915 - one table of routes
    settings: GatewaySettings,
    tokens: Tokens,
    frames: Frames,
    submitting: Submitting,
    chat: Chat,
    presence: Presence,
    reading: Reading,
) -> APIRouter:
    """Return the routes under `/api`."""
    routes = APIRouter(prefix="/api", tags=["chat"])
    origins = Origins(settings.origins)
    rates = Rates(settings.connect_rate, BURST_SECONDS * settings.connect_rate)

    def address(request: Request) -> str:
        return request.client.host if request.client else "unknown"

    def check_origin(request: Request) -> None:
        if not origins.allows(request.headers.get("origin"), request.headers.get("host")):
            raise HTTPException(403, "pages of this origin may not use this server")

    async def identify(
        request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Identity:
        check_origin(request)
        try:
            return await tokens.verify(given.credentials if given else None)
        except AuthError as e:
            status = HTTP_STATUS[e.close]
            says = {"Retry-After": "2"} if status == 503 else {"WWW-Authenticate": "Bearer"}
            raise HTTPException(status, str(e), says) from None

    someone = Annotated[Identity, Depends(identify)]

    def check_right(who: Identity, room: str, needed: Right) -> None:
        try:
            frames.check_right(who.rights, room, needed)
        except RefusalError as e:
            raise HTTPException(403, str(e)) from None

    @routes.post(
        "/token",
        summary="A token for a guest, or a fresh one for the guest whose token is brought",
        responses=success(GuestToken),
        openapi_extra={"security": [{}]},  # it may be left out
    )
    async def token(
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
        wish: TokenRequest | None = None,
    ) -> dict[str, Any]:
        check_origin(request)
        if not settings.guests:
            raise HTTPException(403, "guests are not allowed here: bring a token")
        if wait := rates.take(address(request)):
            raise HTTPException(429, "too many tokens for this address", {"Retry-After": str(max(1, round(wait)))})
        known = await identify(request, given) if given else None
        if known is not None and not known.guest:
            raise HTTPException(403, "this token is no guest's: whoever gave it renews it")
        made, identity = tokens.guest(wish.name if wish else None, known.user if known else None)
        return {"token": made, "user": identity.user.model_dump(), "expires": rfc3339(identity.expires)}

    @routes.get(
        "/rooms",
        summary="Rooms, the most recently active first",
        responses=success(Rooms),
    )
    async def rooms(who: someone, limit: Annotated[int, Query(ge=1, le=200)] = 100) -> dict[str, Any]:
        known, user = await chat.rooms(), who.user.id
        found = list(islice((row for row in known if who.rights.of(row["room"]) >= Right.READ), limit))
        reads = await asyncio.gather(*[chat.read((user, row["room"])) for row in found])
        return {"rooms": [reading.with_unread(user, row, read) for row, read in zip(found, reads, strict=True)]}

    @routes.get(
        "/rooms/{room:path}/entries",
        summary="A page of a room's log",
        responses=success(Entries),
    )
    async def entries(
        room: RoomName,
        who: someone,
        after: Annotated[int | None, Query(ge=0, le=MAX_SEQ)] = None,
        before: Annotated[int | None, Query(ge=1, le=MAX_SEQ)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> dict[str, Any]:
        check_right(who, room, Right.READ)
        page = await chat.page(room, after=after, before=before, limit=limit)
        return {"entries": page.entries, "seq": page.seq, "truncated": page.truncated}

    @routes.get(
        "/rooms/{room:path}/members",
        summary="Who is in a room, page by page",
        responses=success(RoomMembers),
    )
    async def members(
        room: RoomName,
        who: someone,
        after: UserId | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> dict[str, Any]:
        check_right(who, room, Right.READ)
        return await presence.page(room, after, limit)

    @routes.get(
        "/users/{user:path}",
        summary="Whether a user is online or away, or when they were last seen",
        responses=success(Person),
    )
    async def person(user: UserId, _: someone) -> dict[str, Any]:
        if (found := await presence.person(user)) is None:
            raise HTTPException(404, "this user was in no room for a long time, or never")
        return found

    @routes.post(
        "/rooms/{room:path}/messages",
        status_code=202,
        summary="Say something",
        responses=success(Accepted, 202),
    )
    async def post(room: RoomName, message: Post, who: someone) -> Response:
        check_right(who, room, Right.WRITE)
        try:
            frames.check_body(message.body)
            frames.check_rate(who.user.id)
            await submitting.post(await _present(presence, who.user), room, message.id, message.body)
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
