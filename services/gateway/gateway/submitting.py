"""Commands on their way to chat: published with a trace of their own, and what became of them in the log."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from warren.contracts import User, now
from warren.contracts.commands import DeleteMessage, EditMessage, PostMessage
from warren.envelope import event
from warren.messaging import Publisher
from warren.observability.tracing import root_span
from warren.topology import COMMANDS, room_key

log = logging.getLogger(__name__)


class Submitting:
    """Publishes what is to become an entry of a room's log."""

    def __init__(self, commands: Publisher, partitions: int) -> None:
        self._commands = commands
        self._partitions = partitions
        self._noted: list[str] = []

    def post(self, user: User, room: str, message_id: str, body: str) -> asyncio.Future[None]:
        """Publish a message; the future ends when the broker has it."""
        return self.submit(PostMessage.model_construct(room=room, id=message_id, user=user, time=now(), body=body))

    def submit(self, command: PostMessage | EditMessage | DeleteMessage) -> asyncio.Future[None]:
        """Publish a command; the future ends when the broker has it."""
        room = command.room
        with root_span("message", **{"warren.room": room, "enduser.id": command.user.id}) as traceparent:
            key = room_key("chat", room, self._partitions)
            wrapped = event(command, COMMANDS, key, traceparent=traceparent)
            confirmed = self._commands.submit(wrapped)
        confirmed.add_done_callback(partial(self._note, wrapped.trace_id, room))
        return confirmed

    def _note(self, trace: str, room: str, done: asyncio.Future[None]) -> None:
        """Log what became of a message; those accepted in one turn (a bundle) share a line."""
        if done.cancelled():
            return
        if error := done.exception():
            fields = {"trace": trace, "room": room, "reason": str(error)}
            log.warning("message not accepted", extra={"fields": fields})
            return
        if not self._noted:
            asyncio.get_running_loop().call_soon(self._say_accepted)
        self._noted.append(trace)

    def _say_accepted(self) -> None:
        traces, self._noted = self._noted, []
        log.info("messages accepted", extra={"fields": {"count": len(traces), "traces": traces}})
