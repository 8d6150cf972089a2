"""The document store: one client per process, every write durable before it is acked.

Motor behind this module and each `repository.py`; only calls whose shape PyMongo's `AsyncMongoClient` shares (ADR 3).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo import WriteConcern
from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    NotPrimaryError,
    PyMongoError,
    WriteConcernError,
    WTimeoutError,
)

from warren.errors import DependencyDownError

STORE = "store"
"""The store's name among dependencies, in health reports and in errors."""

DURABLE = WriteConcern(w="majority", j=True, wtimeout=5000)
"""Acknowledged means journalled: with less, a killed store loses what it had acknowledged."""

Document = dict[str, Any]
Database = AsyncIOMotorDatabase[Document]

_DOWN = (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    NotPrimaryError,
    WTimeoutError,
    WriteConcernError,
)


class Mongo:
    """A connection to the store and one service's own database."""

    def __init__(self, url: str, database: str, app: str) -> None:
        self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            url,
            appname=app,
            serverSelectionTimeoutMS=2000,
            connectTimeoutMS=2000,
            socketTimeoutMS=10000,
            heartbeatFrequencyMS=2000,
            maxPoolSize=20,
            retryWrites=False,  # whoever writes is ready for a doubtful write in any case: its event is redelivered
        )
        self.database: Database = self._client.get_database(
            database,
            codec_options=CodecOptions(tz_aware=True),
            write_concern=DURABLE,
        )

    async def ping(self) -> None:
        """Return when the store answers; raise `DependencyDownError` when it does not."""
        with store_errors():
            await self.database.command("ping")

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


@contextlib.contextmanager
def store_errors() -> Iterator[None]:
    """Turn the driver's ways of saying that the store is away into `DependencyDownError`."""
    try:
        yield
    except _DOWN as e:
        raise DependencyDownError(STORE, _reason(e)) from e


def _reason(error: PyMongoError) -> str:
    return f"{type(error).__name__}: {str(error).split(',', 1)[0][:200]}"
