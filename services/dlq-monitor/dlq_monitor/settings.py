"""Settings of the dlq-monitor service."""

from __future__ import annotations

from pydantic import Field

from dlq_monitor.alerting.settings import AlertSettings
from dlq_monitor.replaying.settings import ReplaySettings
from dlq_monitor.watching.settings import WatchSettings

MEBIBYTE = 1024 * 1024


class DlqSettings(WatchSettings, AlertSettings, ReplaySettings):
    """What dlq-monitor needs beyond the shared settings. Dead letters may be large, so few are held at once."""

    service: str = "dlq-monitor"
    port: int = Field(default=8084, ge=0, le=65535)
    batch_size: int = Field(default=50, ge=1)
    prefetch: int = Field(default=50, ge=1)

    dlq_queues: str = ""
    """Names, with commas, of further dead queues: of services outside of this topology."""

    dlq_body_limit: int = Field(default=8 * MEBIBYTE, ge=1, le=14 * MEBIBYTE)
    """Bytes of a body that are kept; the store takes no document above 16 MiB. A longer body is cut, and says so."""

    dlq_keep_days: float = Field(default=30, ge=0)
    """Days that letters are kept which are dealt with (replayed, resolved, discarded); 0: for ever."""

    dlq_keep: int = Field(default=100_000, ge=0)
    """Letters above which those that are dealt with go, the oldest first; 0: no limit. Open ones stay."""

    dlq_keep_open_days: float = Field(default=0, ge=0)
    """Days after which letters are removed that nobody has dealt with, which is then said; 0: they stay for ever."""

    dlq_rules: str = ""
    """Path of the file of rules (see `rules.yaml` beside this file, which holds where none is given)."""

    trace_url: str = Field(default="", pattern=r"^(https?://.*\{trace\}.*)?$")
    """Where the page's links to a trace lead, as in `http://127.0.0.1:16686/trace/{trace}`; none: no links."""

    dlq_tokens: str = ""
    """Path of the file of tokens, one person a line (see `access/tokens.py`); empty: the service token alone."""

    dlq_record_days: float = Field(default=365, ge=0)
    """Days that the record of allowed and denied changes is kept; 0: for ever."""

    dlq_record: int = Field(default=100_000, ge=0)
    """Entries of the record that are kept at the most, the oldest go first; 0: no limit."""

    @property
    def extra_queues(self) -> tuple[str, ...]:
        """Return the names in `dlq_queues`."""
        return tuple(dict.fromkeys(name.strip() for name in self.dlq_queues.split(",") if name.strip()))
