"""Golden samples: what was once published must be read for ever, and is written the same way today."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import ValidationError

from warren.contracts import REGISTRY, commands, signals
from warren.topology import Topology

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.json"))


def test_every_contract_has_a_sample_and_every_sample_a_contract() -> None:
    assert {p.stem for p in SAMPLES} == set(REGISTRY)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda p: p.stem)
def test_a_sample_is_read_and_written_the_same(sample: Path) -> None:
    data = REGISTRY[sample.stem].model_validate_json(sample.read_bytes())
    assert json.loads(data.model_dump_json()) == json.loads(sample.read_text())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda p: p.stem)
def test_a_newer_services_extra_fields_are_ignored(sample: Path) -> None:
    contract = REGISTRY[sample.stem]
    body = json.loads(sample.read_text())
    assert contract.model_validate(body | {"added_later": {"a": 1}}) == contract.model_validate(body)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda p: p.stem)
def test_a_missing_required_field_is_refused(sample: Path) -> None:
    contract = REGISTRY[sample.stem]
    body = json.loads(sample.read_text())
    required = [name for name, field in contract.model_fields.items() if field.is_required()]
    assert required
    for name in required:
        with pytest.raises(ValidationError):
            contract.model_validate({k: v for k, v in body.items() if k != name})


@pytest.mark.parametrize("module", [commands, signals], ids=["commands", "signals"])
def test_what_services_are_told_passes_where_their_queues_are_bound(module: ModuleType) -> None:
    bound = {(b.exchange, b.key) for q in Topology(1).queues for b in q.bindings if q.service != "audit"}
    told = [c for c in REGISTRY.values() if c.__module__ == module.__name__]
    assert told
    for contract in told:
        key = contract.KEY.format(partition=0)
        subject = key.partition(".")[0]
        assert {(contract.EXCHANGE, key), (contract.EXCHANGE, f"{subject}.#")} & bound, contract.TYPE


def test_contracts_are_frozen() -> None:
    sample = SAMPLES[0]
    data = REGISTRY[sample.stem].model_validate_json(sample.read_bytes())
    with pytest.raises(ValidationError):
        data.__setattr__(next(iter(type(data).model_fields)), "other")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_beyond_the_calendar_is_refused_and_not_a_crash(moment: str) -> None:
    body = json.loads((Path(__file__).parent / "samples" / "message.post.v1.json").read_text())
    with pytest.raises(ValidationError):
        REGISTRY["message.post.v1"].model_validate({**body, "time": moment})
