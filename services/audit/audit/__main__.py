"""Start the audit service: `python -m audit`."""

from audit.app import build
from audit.settings import AuditSettings
from warren.runtime import main

if __name__ == "__main__":
    main(AuditSettings, build)
