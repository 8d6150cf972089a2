"""The AsyncAPI 3 document: frames on the websocket, and what passes the exchanges, from the models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import yaml
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from warren import __version__
from warren.contracts import REGISTRY, Contract
from warren.contracts.closing import CLOSE_CODES
from warren.contracts.frames import CLIENT_FRAMES, PROTOCOL, SERVER_FRAMES, ClientFrame, Frame, type_of
from warren.contracts.refusing import ERRORS, REJECTIONS, Refusal
from warren.documents.tables import come_back, described
from warren.topology import COMMANDS

Document = dict[str, Any]

_SOCKET = "#/channels/socket"
_INFO = (
    "What clients and the gateway say on the websocket, and what the services say to each other on RabbitMQ. "
    "The same in prose: docs/protocol.md. Written by `make docs`."
)
_BUNDLE = (
    "Under load, a message carries several events of one routing key, in their order: each with its own AMQP "
    "properties and headers, its body as text."
)


def document() -> Document:
    """Return the document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Warren",
            "version": __version__,
            "description": _INFO,
            "tags": [{"name": "websocket"}, {"name": "exchanges"}],
        },
        "defaultContentType": "application/json",
        "servers": {
            "gateway": {"host": "127.0.0.1:8080", "protocol": "ws", "security": [_ref("securitySchemes", "token")]},
            "broker": {"host": "127.0.0.1:5672", "protocol": "amqp", "protocolVersion": "0-9-1"},
        },
        "channels": {"socket": _socket(), **_exchange_channels()},
        "operations": {**_asked(), "told": _told(), **_exchange_operations()},
        "components": {
            "messages": {**_frames(), **_contracts(), "bundle": _bundle()},
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def as_yaml() -> str:
    """Return the document's text."""
    return yaml.dump(document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


# ------------------------------------------------------------------ websocket


def _socket() -> Document:
    return {
        "address": "/ws",
        "description": f"Sub-protocol `{PROTOCOL}`, one JSON frame a text message.",
        "servers": [{"$ref": "#/servers/gateway"}],
        "messages": {m.__name__: _ref("messages", m.__name__) for m in _all_frames()},
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
        "tags": [{"name": "websocket"}],
        "x-close-codes": [
            {"code": c.code, "name": c.name, "meaning": c.meaning, "reconnect": come_back(c)} for c in CLOSE_CODES
        ],
        "x-error-codes": _codes(ERRORS),
        "x-rejected-codes": _codes(REJECTIONS),
    }


def _asked() -> Document:
    """Return an operation for each frame from clients, with what answers it."""
    error = SERVER_FRAMES["error"].__name__
    found: Document = {}
    for kind, frame in CLIENT_FRAMES.items():
        answers = [SERVER_FRAMES[frame.ANSWER].__name__, error] if frame.ANSWER else [error]
        found[kind] = {
            "action": "receive",
            "channel": {"$ref": _SOCKET},
            "summary": described(frame),
            "messages": [_on_socket(frame.__name__)],
            "reply": {"channel": {"$ref": _SOCKET}, "messages": [_on_socket(a) for a in answers]},
        }
    return found


def _told() -> Document:
    return {
        "action": "send",
        "channel": {"$ref": _SOCKET},
        "summary": "What the server says of its own accord, and its answers.",
        "messages": [_on_socket(f.__name__) for f in SERVER_FRAMES.values()],
    }


def _frames() -> Document:
    return {
        frame.__name__: {
            "name": type_of(frame),
            "title": f"{type_of(frame)} ({'to' if issubclass(frame, ClientFrame) else 'from'} the server)",
            "summary": described(frame),
            "payload": _ref("schemas", frame.__name__),
        }
        for frame in _all_frames()
    }


def _all_frames() -> list[type[Frame]]:
    return [*CLIENT_FRAMES.values(), *SERVER_FRAMES.values()]


# ------------------------------------------------------------------ exchanges


def _exchange_channels() -> Document:
    """Return a channel for each exchange and routing key."""
    found: Document = {}
    for contract in REGISTRY.values():
        channel = found.setdefault(_channel(contract), _exchange_channel(contract))
        channel["messages"][contract.TYPE] = _ref("messages", contract.TYPE)
    return found


def _exchange_channel(contract: type[Contract]) -> Document:
    partitioned = "{partition}" in contract.KEY
    number = {"description": "crc32 of the room's name in UTF-8, modulo WARREN_PARTITIONS"}
    return {
        "address": contract.KEY,
        "servers": [{"$ref": "#/servers/broker"}],
        "messages": {"bundle": _ref("messages", "bundle")},
        **({"parameters": {"partition": number}} if partitioned else {}),
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": contract.EXCHANGE, "type": "topic", "durable": True, "autoDelete": False},
                "bindingVersion": "0.3.0",
            }
        },
        "tags": [{"name": "exchanges"}],
    }


def _exchange_operations() -> Document:
    """Say of each channel whether it brings what is asked of Warren or what Warren tells."""
    return {
        name: {
            "action": "receive" if channel["bindings"]["amqp"]["exchange"]["name"] == COMMANDS else "send",
            "channel": {"$ref": f"#/channels/{name}"},
        }
        for name, channel in _exchange_channels().items()
    }


def _channel(contract: type[Contract]) -> str:
    return f"{contract.EXCHANGE}.{contract.KEY}".replace("{", "").replace("}", "")


def _contracts() -> Document:
    return {
        kind: {
            "name": kind,
            "summary": described(contract),
            "headers": _headers(),
            "payload": _ref("schemas", contract.__name__),
            "bindings": {"amqp": {"messageType": kind, "bindingVersion": "0.3.0"}},
        }
        for kind, contract in REGISTRY.items()
    }


def _bundle() -> Document:
    item = {"type": "object", "required": ["properties", "headers", "body"]}
    parts = {"properties": {"type": "object"}, "headers": _headers(), "body": {"type": "string"}}
    return {
        "name": "bundle",
        "summary": _BUNDLE,
        "contentType": "application/vnd.warren.bundle+json",
        "payload": {"type": "array", "items": {**item, "properties": parts}},
    }


def _headers() -> Document:
    trace = {
        "type": "string",
        "description": "W3C trace context: one trace from the client's frame to the last consumer",
    }
    return {"type": "object", "properties": {"traceparent": trace}}


# ------------------------------------------------------------------ helpers


def _schemas() -> Document:
    """Return the schemas of all payloads: as they are read from clients, and as they are written by us."""
    read: Iterable[tuple[type[BaseModel], Literal["validation"]]] = [(f, "validation") for f in CLIENT_FRAMES.values()]
    written: Iterable[tuple[type[BaseModel], Literal["serialization"]]] = [
        (model, "serialization") for model in (*SERVER_FRAMES.values(), *REGISTRY.values())
    ]
    _, found = models_json_schema([*read, *written], ref_template="#/components/schemas/{model}")
    return {name: _plain(schema) for name, schema in found["$defs"].items()}


def _plain(schema: Any) -> Any:
    """Return a schema without what AsyncAPI means otherwise (`discriminator`) and what says nothing (`title`)."""
    if isinstance(schema, list):
        return [_plain(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    useless = {"discriminator", "title"} if isinstance(schema.get("title"), str) else {"discriminator"}
    kept = {k: _plain(v) for k, v in schema.items() if k not in useless}
    if isinstance(kept.get("description"), str):
        kept["description"] = " ".join(kept["description"].split())
    return kept


def _codes(refusals: Iterable[Refusal]) -> list[Document]:
    return [{"code": r.code, "meaning": r.meaning, "advice": r.advice, "again": r.again} for r in refusals]


def _ref(kind: str, name: str) -> Document:
    return {"$ref": f"#/components/{kind}/{name}"}


def _on_socket(name: str) -> Document:
    return {"$ref": f"{_SOCKET}/messages/{name}"}
