"""A socket that comes back: connects, reads, and after a loss connects again, elsewhere if it can."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from warren.client.backoff import Backoff
from warren.client.errors import ClientError, TokenExpiredError, UnreachableError
from warren.client.state import Frame
from warren.client.wire import closing_error, open_socket

WELCOME_SECONDS = 10.0
STEADY_SECONDS = 2.0
"""A connection that held this long ends the counting of failures."""


class Link:
    """The connection of one client to the first of `urls` that answers; each reconnect tries the next one.

    `fetch_token` is asked when there is none or it has expired, None where the token is all there is.
    `receive` gets every frame, `lost` the reason and the seconds until the next try.
    """

    def __init__(
        self,
        urls: Sequence[str],
        token: str | None,
        fetch_token: Callable[[], Awaitable[str]] | None,
        receive: Callable[[Frame], None],
        lost: Callable[[ClientError, float], None],
    ) -> None:
        self.token = token
        self.url = ""
        self.error: ClientError | None = None
        """Why the latest try or connection came to its end."""
        self.pause = 0.0
        """Seconds the server asks to stay away after this connection (`goodbye`)."""
        self._urls = itertools.cycle(urls)
        self._fetch_token, self._receive, self._lost = fetch_token, receive, lost
        self._socket: ClientConnection | None = None

    async def fresh_token(self) -> str | None:
        """Return another token before the present one has expired, None where the present one is all there is."""
        return None if self._fetch_token is None else await self._fetch_token()

    async def send(self, frame: Frame) -> None:
        """Send a frame if there is a connection; whoever needs an answer asks again on the next one."""
        if self._socket is None:
            return
        try:
            await self._socket.send(orjson.dumps(frame), text=True)
        except ConnectionClosed:
            return  # the reader sees it too

    async def close(self) -> None:
        """Close the present connection in good order."""
        if self._socket is not None:
            await self._socket.close()

    async def run(self, *, recover: bool) -> ClientError:
        """Stay connected until the server refuses for good, or, without `recover`, for one connection."""
        backoff = Backoff()
        while True:
            begun, self.pause = time.monotonic(), 0.0
            self.error = error = await self._serve()
            if not isinstance(error, UnreachableError) or not recover:
                return error
            if isinstance(error, TokenExpiredError):
                if self._fetch_token is None:
                    return error
                self.token = None
            if time.monotonic() - begun > STEADY_SECONDS:
                backoff.reset()
            wait = backoff.delay(max(self.pause, error.retry_after))
            self._lost(error, wait)
            await asyncio.sleep(wait)

    async def _serve(self) -> ClientError:
        """Serve one connection and return why it ended."""
        self.url = next(self._urls)
        try:
            if self.token is None and self._fetch_token is not None:
                self.token = await self._fetch_token()
            self._socket = socket = await open_socket(self.url, self.token)
        except ClientError as e:
            return e
        try:
            async with asyncio.timeout(WELCOME_SECONDS) as limit:
                while True:
                    frame: Frame = orjson.loads(await socket.recv(decode=False))
                    if frame["type"] == "welcome":
                        limit.reschedule(None)
                    self._receive(frame)
        except ConnectionClosed:
            return closing_error(socket.close_code, socket.close_reason)
        except orjson.JSONDecodeError:
            return UnreachableError(f"{self.url} does not speak the protocol")
        except TimeoutError:
            return UnreachableError(f"{self.url} sent no welcome within {WELCOME_SECONDS:g} s")
        finally:
            self._socket = None
            if socket.close_code is None:
                socket.transport.abort()
