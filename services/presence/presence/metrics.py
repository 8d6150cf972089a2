"""Metrics of presence; they hold in the active process."""

from prometheus_client import Gauge

SESSIONS = Gauge("warren_presence_sessions", "Sessions that are in some room")
ROOMS = Gauge("warren_presence_rooms", "Rooms with members")
GATEWAYS = Gauge("warren_presence_gateways", "Gateway incarnations with a lease")
