"""A TCP proxy that can stall or cut a link, as a network does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

_HOST = "127.0.0.1"


class Proxy:
    """Stands before a server; `url` is the server's with the proxy's port."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._pipes: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The way through the proxy."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        who, at, _ = self._target.netloc.rpartition("@")
        return urlunsplit(self._target._replace(netloc=f"{who}{at}{_HOST}:{port}"))

    @property
    def carries(self) -> bool:
        """Whether there is a connection."""
        return bool(self._pipes)

    def stall(self) -> None:
        """Let nothing through any more, without closing anything; new connections hang too."""
        self._flowing.clear()

    def flow(self) -> None:
        """Let all through again, also what was held back."""
        self._flowing.set()

    def cut(self) -> None:
        """Drop all connections."""
        for pipe in self._pipes:
            pipe.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
        except OSError:  # the server is away: so is what stands before it
            writer.close()
            return
        for pipe in (self._pipe(reader, back), self._pipe(there, writer)):
            task = asyncio.create_task(pipe)
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, _HOST, 0)
        try:
            yield self
        finally:
            self._server.close()
            self.cut()
