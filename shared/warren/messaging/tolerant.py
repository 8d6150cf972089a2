"""Read whatever a broker may deliver: RabbitMQ passes strings, times and tables on without looking into them.

pamqp, below aiormq, raises on a short string that is not UTF-8 and on a time beyond the year 9999. The connection is
then lost; as the broker delivers the same message on the next one, a single such message would keep its consumer away
from its queue. These decoders take the place of pamqp's in its own tables, as `fields` does for headers.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pamqp import decode, encode

from warren.messaging.fields import read_table, readable, write_table

_LATEST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def install() -> None:
    """Put these decoders in the place of pamqp's; idempotent."""
    decode.METHODS |= {"shortstr": _short_string, "timestamp": _timestamp, "table": read_table}
    encode.METHODS |= {"table": write_table}


def _short_string(value: bytes) -> tuple[int, str]:
    end = value[0] + 1
    return end, readable(value[1:end])


def _timestamp(value: bytes) -> tuple[int, datetime]:
    try:
        return decode.timestamp(value)
    except (ValueError, OverflowError, OSError):
        return 8, _LATEST
