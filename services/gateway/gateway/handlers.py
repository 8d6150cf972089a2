"""What becomes of each frame from a client: one function per type, in the table at the end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gateway.auth import AuthError
from gateway.expiry import Expiry
from gateway.hub import Hub
from gateway.limits import Rates
from gateway.metrics import ACCEPTING
from gateway.reading import Reading
from gateway.rights import Right, Rights
from gateway.session import Session
from gateway.settings import GatewaySettings
from gateway.signals import Signals
from gateway.snapshots import Snapshots
from gateway.submitting import Submitting
from warren.contracts import User, frames, now
from warren.contracts.closing import UNAVAILABLE
from warren.contracts.commands import DeleteMessage, EditMessage, PostMessage
from warren.contracts.events import UserTyping
from warren.contracts.refusing import (
    AWAY,
    BAD_TOKEN,
    BUSY,
    NO_RIGHT,
    NOT_JOINED,
    RATE_LIMITED,
    TOO_LONG,
    TOO_MANY_ROOMS,
    Refusal,
)
from warren.contracts.signals import RenameUser
from warren.envelope import event
from warren.errors import WarrenError
from warren.messaging import Publisher
from warren.observability.tracing import root_span
from warren.topology import EPHEMERAL, EVENTS, room_key

log = logging.getLogger(__name__)

RETRY_AFTER = 1.0


class RefusalError(WarrenError):
    """A frame can't be followed; `why` is for programs, the text for people. `retry_after` is in seconds."""

    def __init__(self, why: Refusal, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.why = why
        self.retry_after = retry_after


class Frames:
    """Follows the frames of all sessions."""

    def __init__(
        self,
        settings: GatewaySettings,
        hub: Hub,
        snapshots: Snapshots,
        submitting: Submitting,
        commands: Publisher,
        signals: Signals,
        expiry: Expiry,
        reading: Reading,
    ) -> None:
        self._settings = settings
        self._hub = hub
        self._snapshots = snapshots
        self._submitting = submitting
        self._commands = commands
        self._signals = signals
        self._expiry = expiry
        self._reading = reading
        self._rates = Rates(settings.message_rate, settings.message_burst)
        self._handlers: dict[type[frames.ClientFrame], Callable[[Session, Any], None]] = {
            frames.Join: self._join,
            frames.Leave: self._leave,
            frames.Message: self._change,
            frames.Edit: self._change,
            frames.Delete: self._change,
            frames.Rename: self._rename,
            frames.Status: self._status,
            frames.Typing: self._typing,
            frames.Token: self._token,
            frames.Read: self._read,
            frames.Ping: self._ping,
        }

    def follow(self, session: Session, frame: frames.ClientFrame) -> None:
        """Follow one frame: its answer, or an error frame, comes now or later."""
        try:
            self._handlers[type(frame)](session, frame)
        except RefusalError as e:
            self._refuse(session, frame, e)

    def leave_all(self, session: Session) -> None:
        """Take a session out of all its rooms, without telling presence of each."""
        for name in tuple(session.rooms):
            self._forget(session, name)

    def check_rate(self, user: str) -> None:
        """Take one of the user's tokens, or raise `RefusalError`."""
        if wait := self._rates.take(user):
            raise RefusalError(RATE_LIMITED, "too fast: wait a moment", wait)

    @staticmethod
    def check_right(rights: Rights, room: str, needed: Right) -> Right:
        """Return someone's right to a room if it is as much as is needed, or raise `RefusalError`."""
        right = rights.of(room)
        if right < needed:
            raise RefusalError(NO_RIGHT, f"your token does not let you {needed.name.lower()} here")
        return right

    def check_body(self, body: str) -> None:
        """Raise `RefusalError` for a body above the limit."""
        limit = self._settings.body_limit
        if limit and len(body.encode()) > limit:
            raise RefusalError(TOO_LONG, f"a message has at most {limit} bytes")

    # ------------------------------------------------------------------ frames

    def _join(self, session: Session, frame: frames.Join) -> None:
        self.check_rate(session.user.id)
        self.check_right(session.rights, frame.room, Right.READ)
        limit = self._settings.rooms_per_session
        if limit and frame.room not in session.rooms and len(session.rooms) >= limit:
            raise RefusalError(TOO_MANY_ROOMS, f"a session has at most {limit} rooms: leave one first")
        if running := session.rooms.get(frame.room):
            running.cancel()
        known = frame.room in session.rooms
        self._hub.enter(frame.room, session)
        if not known:
            self._signals.joined(session.id, session.user, frame.room, session.status)
        task = asyncio.get_running_loop().create_task(self._snapshot(session, frame))
        session.rooms[frame.room] = task

    async def _snapshot(self, session: Session, frame: frames.Join) -> None:
        """Subscribe first, then fetch: what comes in between is held back by the room."""
        try:
            async with asyncio.timeout(self._settings.join_seconds):
                await self._hub.subscribe(frame.room)
                joined = await self._snapshots.of(frame, session.user.id)
        except (WarrenError, TimeoutError) as e:
            self._forget(session, frame.room)
            self._signals.left(session.id, session.user, frame.room)
            log.warning("a join failed", extra={"fields": {"room": frame.room, "reason": str(e) or type(e).__name__}})
            away = RefusalError(AWAY, "this room cannot be read just now: try again", RETRY_AFTER)
            self._refuse(session, frame, away)
            return
        session.rooms[frame.room] = None
        self._hub.snapshot(session, joined)

    def _leave(self, session: Session, frame: frames.Leave) -> None:
        self._check_joined(session, frame.room)
        self._forget(session, frame.room)
        self._signals.left(session.id, session.user, frame.room)
        session.say(frames.Left(ref=frame.ref, room=frame.room))

    def _change(self, session: Session, frame: frames.Change) -> None:
        """Post, edit or delete: all become entries of the room's log, and are accepted alike."""
        self._check_joined(session, frame.room)
        right = self.check_right(session.rights, frame.room, Right.WRITE)
        if not isinstance(frame, frames.Delete):
            self.check_body(frame.body)
        self.check_rate(session.user.id)
        if session.pending >= self._settings.pending_messages:
            raise RefusalError(BUSY, "too many of your messages wait for the broker", RETRY_AFTER)
        session.begin()
        began = time.perf_counter()
        confirmed = self._submitting.submit(_command(session.user, frame, moderator=right >= Right.MODERATE))
        confirmed.add_done_callback(partial(self._accepted, session, frame, began))

    def _accepted(self, session: Session, frame: frames.Change, began: float, done: asyncio.Future[None]) -> None:
        session.end()
        if done.cancelled():
            return
        if done.exception() is None:
            ACCEPTING.observe(time.perf_counter() - began)
            session.say(frames.Ack(ref=frame.ref, id=frame.id, room=frame.room))
        else:
            away = RefusalError(AWAY, "the message was not taken: send it again with the same id", RETRY_AFTER)
            self._refuse(session, frame, away)

    def _rename(self, session: Session, frame: frames.Rename) -> None:
        self.check_rate(session.user.id)
        before = session.user
        session.rename(frame.name)  # it holds for what this socket sends next
        with root_span("rename", **{"enduser.id": before.id}) as traceparent:
            wanted = RenameUser(user=before, name=frame.name, rooms=tuple(session.rooms), time=now())
            confirmed = self._commands.submit(event(wanted, EVENTS, "user.rename", traceparent=traceparent))

        def done(result: asyncio.Future[None]) -> None:
            if result.cancelled():
                return
            if result.exception() is None:
                session.say(frames.Ack(ref=frame.ref))
            else:
                session.keep_name(before.name)
                self._refuse(session, frame, RefusalError(AWAY, "the name was not taken: try again", RETRY_AFTER))

        confirmed.add_done_callback(done)

    def _status(self, session: Session, frame: frames.Status) -> None:
        self.check_rate(session.user.id)
        if frame.status != session.status:
            session.status = frame.status
            self._signals.status(session.id, session.user, frame.status)
        session.say(frames.Ack(ref=frame.ref))

    def _typing(self, session: Session, frame: frames.Typing) -> None:
        self._check_joined(session, frame.room)
        self.check_right(session.rights, frame.room, Right.WRITE)
        self.check_rate(session.user.id)
        key = room_key("room", frame.room, self._settings.partitions)
        typing = event(UserTyping(room=frame.room, user=session.user), EPHEMERAL, key)
        session.run(self._commands.publish_transient(typing))

    def _token(self, session: Session, frame: frames.Token) -> None:
        self.check_rate(session.user.id)
        session.run(self._renew(session, frame))

    async def _renew(self, session: Session, frame: frames.Token) -> None:
        """Take a fresh token, and leave the rooms that it does not let its user read."""
        try:
            await self._expiry.renew(session, frame.token)
        except AuthError as e:
            away = e.close is UNAVAILABLE
            self._refuse(
                session,
                frame,
                RefusalError(AWAY, str(e), RETRY_AFTER) if away else RefusalError(BAD_TOKEN, str(e)),
            )
            return
        session.say(frames.Ack(ref=frame.ref))
        for room in tuple(session.rooms):
            try:
                self.check_right(session.rights, room, Right.READ)
            except RefusalError as e:
                self._forget(session, room)
                self._signals.left(session.id, session.user, room)
                session.error(frames.Error(code=e.why.code, message=str(e), room=room))

    def _read(self, session: Session, frame: frames.Read) -> None:
        self._check_joined(session, frame.room)
        self.check_rate(session.user.id)
        seq = min(frame.seq, self._hub.head(frame.room))  # what is to come cannot be read
        if self._reading.moved(session.user.id, frame.room, seq):
            self._hub.tell_read(session.user.id, frame.room, seq, but=session)

    @staticmethod
    def _ping(session: Session, frame: frames.Ping) -> None:
        session.say(frames.Pong(ref=frame.ref))

    # ----------------------------------------------------------------- helpers

    @staticmethod
    def _check_joined(session: Session, room: str) -> None:
        if room not in session.rooms:
            raise RefusalError(NOT_JOINED, "join the room first")

    def _forget(self, session: Session, name: str) -> None:
        if name not in session.rooms:
            return
        joining = session.rooms.pop(name)
        if joining is not None and joining is not asyncio.current_task():
            joining.cancel()
        self._hub.leave(name, session)

    @staticmethod
    def _refuse(session: Session, frame: frames.ClientFrame, error: RefusalError) -> None:
        session.error(
            frames.Error(
                ref=frame.ref,
                code=error.why.code,
                message=str(error),
                retry_after=error.retry_after,
                id=getattr(frame, "id", None),
                room=getattr(frame, "room", None),
            )
        )


def _command(user: User, frame: frames.Change, *, moderator: bool) -> PostMessage | EditMessage | DeleteMessage:
    """Return what a frame asks chat for; the frame was checked, so its fields are not checked again."""
    about: dict[str, Any] = {"room": frame.room, "id": frame.id, "user": user, "time": now()}
    match frame:
        case frames.Message():
            return PostMessage.model_construct(**about, body=frame.body)
        case frames.Edit():
            return EditMessage.model_construct(**about, target=frame.target, body=frame.body, moderator=moderator)
        case frames.Delete():
            return DeleteMessage.model_construct(**about, target=frame.target, moderator=moderator)
