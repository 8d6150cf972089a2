"""Settings of the presence service."""

from pydantic import Field

from warren.settings import Settings


class PresenceSettings(Settings):
    """Adds the lease of gateways."""

    service: str = "presence"
    port: int = 8082

    lease: float = Field(default=8, gt=0)
    """Seconds without a beat (they come about every two) after which all sessions of a gateway are gone."""
