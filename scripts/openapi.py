"""Print the OpenAPI document of dlq-monitor; nothing has to run for it."""

from __future__ import annotations

import json
import sys

from dlq_monitor.app import build
from dlq_monitor.settings import DlqSettings

sys.stdout.write(json.dumps(build(DlqSettings()).app.openapi(), indent=2))  # type: ignore[attr-defined]  # FastAPI's
