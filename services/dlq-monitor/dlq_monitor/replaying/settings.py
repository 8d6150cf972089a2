"""Settings of replays."""

from __future__ import annotations

from pydantic import Field

from warren.settings import Settings


class ReplaySettings(Settings):
    """When it counts as seen that a letter did its work."""

    dlq_settle: float = Field(default=10, ge=0)
    """Seconds without another death, after its queue was seen empty, that resolve a letter of which no fact tells."""

    dlq_canary_wait: float = Field(default=120, ge=1)
    """Seconds a canary's outcome may take; retries alone take 36."""
