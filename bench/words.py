"""What the tables' words mean."""

from __future__ import annotations

STAGES = {
    "gateway in": "message frames → acks",
    "publish": "gateways → broker",
    "chat": "commands, by partition",
    "store": "chat's durable writes",
    "fact": "chat → broker",
    "gateway out": "entries given to rooms",
    "audit": "all events; gathers them",
    "audit's store": "documents of records",
    "presence": "signals of gateways",
}
WAY = {
    "generator": "due → sent: our own delay",
    "to gateway": "sent → accepted",
    "to chat": "→ in a batch of chat",
    "turn": "→ its write begins",
    "write": "→ it is stored",
    "fact out": "→ delivered: the rest",
}
LEGEND = {
    "messages/s": "acked (raw broker, accepted), else delivered to every member; until the last one",
    "× raw": "beside raw-many; latency: p50 beside raw-one",
    "ack, delivery": "ms from when the message was due; a sender's own delivery is not counted",
    "µs/message": "CPU per message sent, from the first send until audit has recorded the last",
    "at once": "events in one AMQP message, batch or durable write, on average",
    "waited": "an event's mean time before: for its batch (chat, audit, presence), for the write before (store)",
    "took": "mean time of one batch or write, audit's gathering included; gateway in: of one message",
    "·": "not measured",
}
