"""An asynchronous client of Warren: websocket protocol and REST. See `warren.client.client.Client`."""

from warren.client.client import Client
from warren.client.errors import ClientError, ClosedError, DeadlineError, RefusedError, UnreachableError
from warren.client.events import Events
from warren.client.raw import RawSocket
from warren.client.rest import Guest, Rest
from warren.client.state import Frame, Room

__all__ = [
    "Client",
    "ClientError",
    "ClosedError",
    "DeadlineError",
    "Events",
    "Frame",
    "Guest",
    "RawSocket",
    "RefusedError",
    "Rest",
    "Room",
    "UnreachableError",
]
