"""Settings of watching: how often, what, and from when on something is wrong."""

from __future__ import annotations

from pydantic import Field, SecretStr

from warren.settings import Settings


class WatchSettings(Settings):
    """What is watched; the defaults suit a deployment of any size."""

    management_url: SecretStr = SecretStr("")
    """The broker's management API, user and password included; without it only depths and consumers are seen."""

    watch_interval: float = Field(default=5, ge=0.5, le=60)
    """Seconds between two looks at the broker."""

    watch_ignore: str = ""
    """Names of queues that are not watched, with commas; `*` stands for anything."""

    watch_backlog: int = Field(default=500, ge=1)
    """Messages from which a queue that grows is a backlog."""

    watch_backlog_limit: int = Field(default=100_000, ge=1)
    """Messages in a queue that must not be reached: the estimate says when they will be."""

    watch_window: float = Field(default=30, ge=2, le=300)
    """Seconds over which rates are taken; a queue grows when it did in both halves."""

    watch_stuck: float = Field(default=60, ge=5, le=600)
    """Seconds without an ack, while messages are in the hands of consumers, after which these are stuck."""

    @property
    def ignored_queues(self) -> tuple[str, ...]:
        """Return the patterns in `watch_ignore`."""
        return tuple(p.strip() for p in self.watch_ignore.split(",") if p.strip())
