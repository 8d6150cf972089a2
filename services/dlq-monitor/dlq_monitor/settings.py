"""Settings of the dlq-monitor service."""

from __future__ import annotations

from pydantic import Field

from dlq_monitor.alerting.settings import AlertSettings
from dlq_monitor.watching.settings import WatchSettings

MEBIBYTE = 1024 * 1024


class DlqSettings(WatchSettings, AlertSettings):
    """What dlq-monitor needs beyond the shared settings. Dead letters may be large, so few are held at once."""

    service: str = "dlq-monitor"
    port: int = Field(default=8084, ge=0, le=65535)
    batch_size: int = Field(default=50, ge=1)
    prefetch: int = Field(default=50, ge=1)

    dlq_queues: str = ""
    """Names, with commas, of further dead queues: of services outside of this topology."""

    dlq_body_limit: int = Field(default=8 * MEBIBYTE, ge=1, le=14 * MEBIBYTE)
    """Bytes of a body that are kept; the store takes no document above 16 MiB. A longer body is cut, and says so."""

    @property
    def extra_queues(self) -> tuple[str, ...]:
        """Return the names in `dlq_queues`."""
        return tuple(dict.fromkeys(name.strip() for name in self.dlq_queues.split(",") if name.strip()))
