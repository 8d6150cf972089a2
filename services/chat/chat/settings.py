"""Settings of the chat service."""

from warren.settings import Settings


class ChatSettings(Settings):
    """Nothing beyond the shared settings so far."""

    service: str = "chat"
    port: int = 8081
