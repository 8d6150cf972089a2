"""The gateway's own metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from warren.observability.metrics import SECONDS

SESSIONS = Gauge("warren_gateway_sessions", "Open sockets")
ROOMS = Gauge("warren_gateway_rooms", "Rooms with members on this gateway")
FRAMES_IN = Counter("warren_gateway_frames_received", "Frames from clients", ["type"])
FRAMES_OUT = Counter("warren_gateway_frames_sent", "Frames to clients")
FANNED_OUT = Counter("warren_gateway_facts", "Entries given out to rooms")
BACKFILLED = Counter("warren_gateway_backfilled_entries", "Entries fetched from chat to fill gaps")
ERRORS = Counter("warren_gateway_error_frames", "Error frames sent", ["code"])
CLOSED = Counter("warren_gateway_closed", "Sockets closed by the server", ["name"])
ACCEPTING = Histogram("warren_gateway_accept_seconds", "From a message frame to its ack", buckets=SECONDS)
