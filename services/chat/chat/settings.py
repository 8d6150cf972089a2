"""Settings of the chat service."""

from pydantic import Field

from warren.settings import Settings


class ChatSettings(Settings):
    """How chat processes learn of each other."""

    service: str = "chat"
    port: int = 8081

    chat_beat: float = Field(default=2, gt=0)
    """Seconds between two beats to the other chat processes; without four of them a process counts as gone."""
