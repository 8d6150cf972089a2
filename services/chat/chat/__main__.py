"""Start the chat service: `python -m chat`."""

from chat.app import build
from chat.settings import ChatSettings
from warren.runtime import main

if __name__ == "__main__":
    main(ChatSettings, build)
