"""Settings of the presence service."""

from pydantic import Field

from warren.settings import Settings


class PresenceSettings(Settings):
    """Adds the lease of gateways and how long it is known when users were last seen."""

    service: str = "presence"
    port: int = 8082

    lease: float = Field(default=8, gt=0)
    """Seconds without a beat (they come about every two) after which all sessions of a gateway are gone."""

    seen_days: int = Field(default=30, ge=1)
    """Days for which it is kept when a user who is gone was last online."""

    unique_names: bool = False
    """Whether no two users in a room show the same name: the second Ann becomes `Ann (2)`."""
