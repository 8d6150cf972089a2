"""Start the gateway: `python -m gateway`."""

from gateway.app import build
from gateway.settings import GatewaySettings
from warren.runtime import main

if __name__ == "__main__":
    main(GatewaySettings, build)
