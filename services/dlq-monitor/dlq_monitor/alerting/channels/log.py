"""The service's own log, for whoever collects it."""

from __future__ import annotations

import logging

from dlq_monitor.alerting.channels.base import FOR_PEOPLE
from dlq_monitor.alerting.model import Notice

log = logging.getLogger("dlq_monitor.alerts")

_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}


class LogChannel:
    """One line per alert."""

    name = "log"
    kinds = FOR_PEOPLE

    async def send(self, notice: Notice) -> None:
        """Write it."""
        for alert in notice.alerts:
            c = alert.condition
            level = logging.INFO if alert.cleared else _LEVELS[c.severity]
            fields = {
                "notice": notice.kind,
                "id": alert.id,
                "alert": c.alert,
                "severity": c.severity,
                "summary": c.summary,
                **dict(c.labels),
            }
            log.log(level, "alert", extra={"fields": fields})
