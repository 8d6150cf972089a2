"""The broker's management API: not needed for parking, but people are half blind without it.

It is asked for the columns that are used and no others. Its counts lag by up to ten seconds, and so do the alarms it
lists by node: they are asked for at the health check, which knows them at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx

from dlq_monitor.watching.samples import Alarm, Flow, Node, Sample, Traits
from warren.errors import DependencyDownError

MANAGEMENT = "management"
_QUEUE = (
    "name,type,exclusive,arguments,messages_ready,messages_unacknowledged,consumers,head_message_timestamp,"
    "message_stats.publish,message_stats.ack,message_stats.deliver_no_ack,message_stats.get_no_ack"
)
_NODE = "name,running,mem_used,mem_limit,disk_free,disk_free_limit"
_EXCHANGE = "name,message_stats.publish_in,message_stats.publish_out"
_TAKEN = ("ack", "deliver_no_ack", "get_no_ack")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the management API knows."""

    queues: Mapping[str, tuple[Traits, Sample]]
    nodes: tuple[Node, ...]
    alarms: tuple[Alarm, ...]
    blocked: tuple[str, ...]
    flows: Mapping[str, Flow]
    version: str


class Management:
    """A client for the management API at `url`, which holds user and password; an empty `url` is no neighbour.

    `vhost` is the virtual host whose queues, exchanges and connections are looked at.
    """

    def __init__(self, url: str, vhost: str = "/") -> None:
        parts = urlsplit(url)
        self.known = bool(parts.hostname)
        self._vhost = quote(vhost, safe="")
        self._http = httpx.AsyncClient(
            base_url=f"{parts.scheme}://{parts.hostname}:{parts.port or 15672}" if self.known else "",
            auth=(unquote(parts.username or ""), unquote(parts.password or "")),
            timeout=2,
        )

    async def probe(self) -> None:
        """Return when it answers and lets us in; raise `DependencyDownError` when not."""
        await self._get("/api/overview", columns="rabbitmq_version")

    async def look(self, time: float) -> Answer:
        """Ask for all that is watched, at `time`; raises `DependencyDownError`, also for what is no RabbitMQ."""
        try:
            overview = await self._get("/api/overview", columns="rabbitmq_version,disable_stats")
            version = str(overview["rabbitmq_version"])
            if overview.get("disable_stats"):
                raise DependencyDownError(MANAGEMENT, "its statistics are switched off")
            queues = await self._get(f"/api/queues/{self._vhost}", columns=_QUEUE)
            nodes = await self._get("/api/nodes", columns=_NODE)
            exchanges = await self._get(f"/api/exchanges/{self._vhost}", columns=_EXCHANGE)
            connections = await self._get(
                f"/api/vhosts/{self._vhost}/connections", columns="name,state,client_properties.connection_name"
            )
            alarms = await self._alarms()
            return Answer(
                queues={q["name"]: (_traits(q), _sample(q, time)) for q in queues},
                nodes=tuple(_node(n) for n in nodes),
                alarms=alarms,
                blocked=tuple(sorted(_name(c) for c in connections if c.get("state") in {"blocked", "blocking"})),
                flows={e["name"]: _flow(e.get("message_stats") or {}) for e in exchanges},
                version=version,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            raise DependencyDownError(MANAGEMENT, f"it does not answer like RabbitMQ ({type(e).__name__}: {e})") from e

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def _alarms(self) -> tuple[Alarm, ...]:
        answer = await self._ask("/api/health/checks/alarms")
        if answer.status_code == httpx.codes.OK:
            return ()
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            raise DependencyDownError(MANAGEMENT, f"it answers {answer.status_code} when asked for alarms")
        return tuple(Alarm(str(a["node"]), str(a["resource"])) for a in answer.json()["alarms"])

    async def _get(self, path: str, **query: str) -> Any:
        answer = await self._ask(path, **query)
        if answer.status_code != httpx.codes.OK:
            raise DependencyDownError(MANAGEMENT, f"it answers {answer.status_code}")
        try:
            return answer.json()
        except ValueError:
            raise DependencyDownError(MANAGEMENT, "it does not answer in JSON") from None

    async def _ask(self, path: str, **query: str) -> httpx.Response:
        try:
            return await self._http.get(path, params=query)
        except httpx.HTTPError as e:
            raise DependencyDownError(MANAGEMENT, str(e) or type(e).__name__) from None


def _traits(queue: Mapping[str, Any]) -> Traits:
    arguments = queue.get("arguments") or {}
    delay = "x-message-ttl" in arguments and "x-dead-letter-exchange" in arguments
    return Traits(str(queue.get("type", "")), delay=delay, exclusive=bool(queue.get("exclusive")))


def _sample(queue: Mapping[str, Any], time: float) -> Sample:
    """Read a queue; before its first message it has no counters, which then stand at nothing."""
    stats = queue.get("message_stats") or {}
    head = queue.get("head_message_timestamp")
    return Sample(
        time=time,
        ready=_count(queue.get("messages_ready")),
        consumers=_count(queue.get("consumers")),
        unacked=_count(queue.get("messages_unacknowledged")),
        published=_count(stats.get("publish")),
        taken=sum(_count(stats.get(name)) for name in _TAKEN),
        head=float(head) if isinstance(head, int) else None,
    )


def _node(node: Mapping[str, Any]) -> Node:
    numbers = (node.get(k) for k in ("mem_used", "mem_limit", "disk_free", "disk_free_limit"))
    known = [n if isinstance(n, int) else None for n in numbers]
    return Node(str(node["name"]), bool(node.get("running")), *known)


def _flow(stats: Mapping[str, Any]) -> Flow:
    return Flow(_count(stats.get("publish_in")), _count(stats.get("publish_out")))


def _name(connection: Mapping[str, Any]) -> str:
    given = (connection.get("client_properties") or {}).get("connection_name")
    return str(given or connection.get("name", "?"))


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
