"""Composition of the gateway: what it is made of, and in which order it starts."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from gateway.auth import Tokens
from gateway.bounds import BoundedBodies, BoundedProtocol
from gateway.door import Door, Sessions
from gateway.expiry import Expiry
from gateway.handlers import Frames
from gateway.hub import Hub
from gateway.jwks import Keys
from gateway.limits import BURST_SECONDS, Places, Rates
from gateway.neighbours import Chat, Presence
from gateway.openapi import ANSWERS, codes
from gateway.origins import open_to
from gateway.pacing import PacedRequests
from gateway.protocol import GatewayProtocol
from gateway.reading import Reading
from gateway.routes import router
from gateway.settings import GatewaySettings
from gateway.signals import Signals
from gateway.snapshots import Snapshots
from gateway.submitting import Submitting
from warren.errors import DependencyDownError
from warren.health import Health
from warren.http import create_app
from warren.messaging import Link, Publisher
from warren.messaging.declare import publisher
from warren.openapi import document
from warren.pages import add_page
from warren.runtime import Service

WEB = Path(__file__).parent / "web"


def build(settings: GatewaySettings) -> Service:
    """Compose the service; nothing connects before it runs."""
    health = Health(settings.alive_file)
    chat, presence = Chat(settings), Presence(settings)
    out = Link(
        settings.amqp_url.get_secret_value(),
        f"{settings.name} commands",
        heartbeat=settings.amqp_heartbeat,
        setup=publisher(settings.topology, settings.service),
    )
    commands = Publisher(out, settings.service, timeout=settings.publish_timeout)
    reading = Reading(settings, commands)
    hub = Hub(settings, chat, presence, reading)
    sessions = Sessions()
    signals = Signals(settings, out, commands, sessions.table)
    keys = Keys(settings.jwt_jwks_url) if settings.jwt_jwks_url else None
    tokens = Tokens(settings, keys)
    expiry = Expiry(tokens, sessions.all)
    submitting = Submitting(commands, settings.partitions)
    snapshots = Snapshots(settings, chat, presence, reading)
    frames = Frames(settings, hub, snapshots, submitting, commands, signals, expiry, reading)
    door = Door(settings, health, sessions, tokens, expiry, frames, hub, presence, signals)

    async def broker() -> None:
        for link in (out, hub.feed.link):
            if not link.connected:
                raise DependencyDownError("broker", f"{link.name}: {link.reason}")
        await commands.probe()

    health.add("broker", broker)
    if keys is not None:
        health.add("keys", keys.check)
    health.add("chat", chat.ready, essential=False)
    health.add("presence", presence.ready, essential=False)

    app = create_app(settings, health)
    app.include_router(router(settings, tokens, frames, submitting, chat, presence, reading))
    document(app, ANSWERS, codes)
    add_page(app, WEB)
    open_to(app, settings.origins)
    requests = PacedRequests(BoundedBodies(app, settings.frame_limit), settings.request_rate)
    direct = not settings.trusted_proxies  # else all connections come from there
    places = Places(settings.connections_per_address if direct else 0)
    pace = Rates(settings.connect_rate if direct else 0, BURST_SECONDS * settings.connect_rate)

    async def entrance(scope: Scope, receive: Receive, send: Send) -> None:
        """Lead sockets straight to the door: FastAPI's way there costs a third of a handshake and 15 KB a socket."""
        if scope["type"] == "websocket" and scope["path"] == "/ws":
            await door.serve(WebSocket(scope, receive, send))
        else:
            await requests(scope, receive, send)

    return Service(
        settings,
        health,
        entrance,
        [*([keys] if keys is not None else []), out, hub.feed, hub, signals, reading, expiry, door],
        on_stop=[chat.close, presence.close],
        uvicorn_options={
            "http": partial(BoundedProtocol, places=places, pace=pace),
            "ws": GatewayProtocol,
            "ws_max_size": settings.frame_limit,
            "ws_per_message_deflate": False,
            "ws_ping_interval": settings.heartbeat_seconds or None,
            "ws_ping_timeout": settings.heartbeat_seconds or None,
            "proxy_headers": bool(settings.trusted_proxies),
            "forwarded_allow_ips": settings.trusted_proxies or None,
        },
    )
