"""Start the dlq-monitor service: `python -m dlq_monitor`."""

from dlq_monitor.app import build
from dlq_monitor.settings import DlqSettings
from warren.runtime import main

if __name__ == "__main__":
    main(DlqSettings, build)
