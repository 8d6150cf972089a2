"""The websocket's door: who may come in, the loop of frames, and the way out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from fastapi import WebSocket
from fastapi.responses import PlainTextResponse

from gateway.auth import HTTP_STATUS, AuthError, Identity, Tokens, bearer, offered
from gateway.expiry import Expiry
from gateway.handlers import Frames
from gateway.hub import Hub
from gateway.leaving import Leaving
from gateway.limits import BURST_SECONDS, Places, Rates
from gateway.metrics import FRAMES_IN, SESSIONS
from gateway.neighbours import Presence
from gateway.origins import Origins
from gateway.protocol import GatewayProtocol
from gateway.session import Outbox, Session
from gateway.settings import GatewaySettings
from gateway.signals import Signals
from warren.contracts import User
from warren.contracts.closing import BAD_DATA, DRAIN, FLOOD, FORBIDDEN, INTERNAL, UNAVAILABLE, CloseCode
from warren.contracts.frames import CLIENT_FRAMES, PROTOCOL, Error, Welcome, parse_client_frame, ref_of
from warren.contracts.refusing import BAD_FRAME
from warren.contracts.signals import SessionRow
from warren.errors import ContractError, DependencyDownError, WarrenError
from warren.health import Health

log = logging.getLogger(__name__)

REFUSED_COST = 10
"""A frame that is refused counts as that many: it has cost an answer, and should not have come."""


class _RefusedError(WarrenError):
    def __init__(self, close: CloseCode, message: str) -> None:
        super().__init__(message)
        self.close = close


class Sessions:
    """All open sessions of this gateway."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}

    def add(self, session: Session) -> None:
        """Take a session in."""
        self._open[session.id] = session
        SESSIONS.set(len(self._open))

    def remove(self, session: Session) -> None:
        """Let a session go."""
        self._open.pop(session.id, None)
        SESSIONS.set(len(self._open))

    def table(self) -> list[SessionRow]:
        """Return all sessions as presence wants them."""
        return [
            SessionRow.model_construct(session=s.id, user=s.user, rooms=tuple(s.rooms), status=s.status)
            for s in self._open.values()
        ]

    def all(self) -> Sequence[Session]:
        """Return all sessions of this moment."""
        return tuple(self._open.values())

    def __len__(self) -> int:
        return len(self._open)


class Door:
    """Serves `/ws`."""

    def __init__(
        self,
        settings: GatewaySettings,
        health: Health,
        sessions: Sessions,
        tokens: Tokens,
        expiry: Expiry,
        frames: Frames,
        hub: Hub,
        presence: Presence,
        signals: Signals,
    ) -> None:
        self._settings = settings
        self._health = health
        self._sessions = sessions
        self._leaving = Leaving(settings, health, sessions.all)
        self._frames = frames
        self._hub = hub
        self._presence = presence
        self._signals = signals
        self._tokens = tokens
        self._expiry = expiry
        self._origins = Origins(settings.origins)
        self._handshakes = Rates(settings.connect_rate, BURST_SECONDS * settings.connect_rate)
        self._heard = Rates(settings.frame_rate, 2 * settings.frame_rate)
        self._addresses = Places(settings.sessions_per_address)
        self._users = Places(settings.sessions_per_user)
        self._outbox = Outbox()
        self._count = {kind: FRAMES_IN.labels(kind) for kind in (*CLIENT_FRAMES, "bad")}
        self._empty = asyncio.Event()
        self._empty.set()

    async def run(self) -> None:
        """Sockets run by themselves; what is left is to see whether this gateway is still wanted."""
        await self._leaving.run()

    async def drain(self) -> None:
        """Send all clients elsewhere and wait until they have gone."""
        await self._leaving.drain()
        await self._empty.wait()

    async def serve(self, socket: WebSocket) -> None:
        """Serve one socket from handshake to close."""
        protocols, token = offered(socket.headers.get("sec-websocket-protocol"))
        if protocols and PROTOCOL not in protocols:  # selecting none would tell a browser just as little
            await socket.send_denial_response(PlainTextResponse(f"this server speaks {PROTOCOL}", 400))
            return
        address = socket.client.host if socket.client else "unknown"
        try:
            identity = await self._let_in(socket, token or bearer(socket.headers.get("authorization")), address)
        except (_RefusedError, AuthError) as e:
            await self._turn_away(socket, protocols, e.close, str(e))
            return
        try:
            identity = await self._with_present_name(identity)
            await socket.accept(subprotocol=PROTOCOL if PROTOCOL in protocols else None)
        except BaseException:  # whatever it was: the places are free again
            self._give_back(address, identity.user.id)
            raise
        wire = GatewayProtocol.of(socket)
        self._open(wire, Session(wire, identity, address, self._settings, self._outbox))

    async def _let_in(self, socket: WebSocket, token: str | None, address: str) -> Identity:
        """Return who it is and take their places, or raise."""
        headers = socket.headers
        if not self._origins.allows(headers.get("origin"), headers.get("host")):
            raise _RefusedError(FORBIDDEN, "pages of this origin may not connect")
        if self._handshakes.take(address):
            raise _RefusedError(FLOOD, "too many connections from this address: come back later")
        identity = await self._tokens.verify(token)
        if self._leaving.closed:
            raise _RefusedError(DRAIN, "the gateway is going away: others are there")
        if not self._health.well:
            raise _RefusedError(UNAVAILABLE, "the gateway is not ready: come back soon")
        if not self._addresses.take(address):
            raise _RefusedError(FLOOD, "too many sessions at once: close one first")
        if not self._users.take(identity.user.id):
            self._addresses.give_back(address)
            raise _RefusedError(FLOOD, "too many sessions at once: close one first")
        return identity

    def _give_back(self, address: str, user: str) -> None:
        self._addresses.give_back(address)
        self._users.give_back(user)

    @staticmethod
    async def _turn_away(socket: WebSocket, protocols: list[str], close: CloseCode, why: str) -> None:
        """Close with a code where the client can read it (browsers can't read a refused handshake), else HTTP."""
        if PROTOCOL in protocols:
            await socket.accept(subprotocol=PROTOCOL)
            await socket.close(close.code, close.name)
        else:
            await socket.send_denial_response(PlainTextResponse(why, HTTP_STATUS[close]))

    async def _with_present_name(self, identity: Identity) -> Identity:
        try:
            name = await self._presence.name_of(identity.user.id)
        except DependencyDownError:
            return identity  # the token's name will do
        return replace(identity, user=User(id=identity.user.id, name=name)) if name else identity

    def _open(self, wire: GatewayProtocol, session: Session) -> None:
        self._sessions.add(session)
        self._empty.clear()
        self._hub.welcome(session.user.id, session)
        self._signals.opened(session.id, session.user)
        fields = {"session": session.id, "user": session.user.id, "address": session.address}
        log.info("session opened", extra={"fields": fields})
        session.say(Welcome(session=session.id, user=session.user, limits=self._settings.limits))
        self._expiry.watch(session)
        wire.attach(partial(self._hear, session), partial(self._close, session), partial(self._pay, session))
        if self._leaving.closed:  # meanwhile
            self._leaving.send_away(session)

    def _pay(self, session: Session, count: int) -> float:
        """Count frames that came; returns for how many seconds its address shall not be heard."""
        refused, session.refused = session.refused, 0
        return self._heard.spend(session.address, count + (REFUSED_COST - 1) * refused)

    def _close(self, session: Session) -> None:
        self._frames.leave_all(session)
        self._hub.farewell(session.user.id, session)
        self._signals.closed(session.id, session.user)
        self._sessions.remove(session)
        self._give_back(session.address, session.user.id)
        if not len(self._sessions):
            self._empty.set()

    def _hear(self, session: Session, message: str | bytes) -> None:
        if session.closing is not None:
            return  # what a client says to a closed door
        try:
            if isinstance(message, str):
                self._follow(session, message)
            else:
                session.close(BAD_DATA)
        except Exception:  # a bug of ours: it ends this session, and no other
            log.exception("a session failed", extra={"fields": {"session": session.id}})
            session.close(INTERNAL)

    def _follow(self, session: Session, text: str) -> None:
        try:
            frame = parse_client_frame(text)
        except ContractError as e:
            self._count["bad"].inc()
            session.bad_frames += 1
            limit = self._settings.bad_frames
            if limit and session.bad_frames > limit:
                session.close(FLOOD)
            else:
                session.error(Error(ref=ref_of(text), code=BAD_FRAME.code, message=str(e)))
            return
        session.bad_frames = 0
        self._count[frame.type].inc()
        self._frames.follow(session, frame)
