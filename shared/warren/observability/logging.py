"""Logs: one JSON object a line on stdout, each with the trace id of what it is about.

    log.info("entries stored", extra={"fields": {"room": room, "trace": trace}})

A line about several events has `traces`, the list of their trace ids, instead of `trace`.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import orjson
from opentelemetry import trace

from warren.contracts.base import rfc3339

_QUIET = ("aio_pika", "aiormq", "pymongo", "httpx", "httpcore", "uvicorn.error", "uvicorn.access", "opentelemetry")


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON line."""

    def __init__(self, service: str, instance: str) -> None:
        super().__init__()
        self._who = {"service": service, "instance": instance}

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON; `extra={"fields": {…}}` becomes keys of the line."""
        line = {
            "time": _stamp(record.created),
            "level": record.levelname.lower(),
            **self._who,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if "trace" not in line and "traces" not in line:
            context = trace.get_current_span().get_span_context()
            line["trace"] = f"{context.trace_id:032x}" if context.is_valid else None
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def _stamp(created: float) -> str:
    return rfc3339(datetime.fromtimestamp(created, UTC))


def configure(service: str, instance: str, level: str = "info") -> None:
    """Send all logs of this process to stdout as JSON lines."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(service, instance))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel("WARNING")
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
    logging.getLogger("aiormq").setLevel("ERROR")  # it warns of each lost connection; the link says so already
    logging.captureWarnings(capture=True)
