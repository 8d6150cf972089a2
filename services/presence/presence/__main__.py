"""Start the presence service: `python -m presence`."""

from presence.app import build
from presence.settings import PresenceSettings
from warren.runtime import main

if __name__ == "__main__":
    main(PresenceSettings, build)
