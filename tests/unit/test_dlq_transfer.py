"""Letters as lines of JSON, and back, with every byte."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dlq_monitor.autopsy import letters
from dlq_monitor.model import STATUSES, Body, Status, Step
from dlq_monitor.transfer import Line, exported
from tests.unit.test_dlq_letters import ONE, TOPOLOGY, _names, _values


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.binary(max_size=300),
    st.dictionaries(_names, _values, max_size=4),
    st.sampled_from(STATUSES),
    st.integers(1, 300),
)
def test_a_letter_comes_back_as_it_was(body: bytes, headers: dict[str, Any], status: Status, limit: int) -> None:
    (letter,) = letters(replace(ONE, headers=headers), "chat.dead", TOPOLOGY, 1000)
    step = Step("parked", "dlq-monitor", "", letter.first)
    letter = replace(letter, body=Body.of(body, limit), status=status, history=(step,), due=letter.first)
    line = orjson.dumps(exported(letter))
    assert Line.model_validate_json(line).letter == letter


@pytest.mark.parametrize(
    "change",
    [
        {"body": "e30x"},
        {"body": "%%%"},
        {"body": ""},
        {"body": "fX0="},
        {"id": "xyz"},
        {"status": "lost"},
        {"format": "other"},
        {"headers": {"t": {"$date": "soon"}}},
        {"headers": {"t": {"$table": 5}}},
        {"headers": {"t": {"$decimal": "much"}}},
        {"headers": []},
        {"extra": 1},
        {"died_at": "2026-01-01"},
    ],
)
def test_a_line_that_was_changed_is_refused(change: dict[str, Any]) -> None:
    (letter,) = letters(ONE, "chat.dead", TOPOLOGY, 1000)
    line = orjson.loads(orjson.dumps(exported(letter)))
    assert Line.model_validate_json(orjson.dumps(line)).letter == letter
    with pytest.raises(ValidationError):
        Line.model_validate_json(orjson.dumps({**line, **change}))
