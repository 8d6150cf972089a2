from __future__ import annotations

import os
from pathlib import Path

import pytest

from warren.stack.lock import AlreadyRunningError, Lock, holder
from warren.stack.logs import cut, tail
from warren.stack.state import NotRunningError, ProcessState, StackState, read_state, write_state

STATE = StackState(
    supervisor=1,
    ready=False,
    gateways=["http://127.0.0.1:8080"],
    balancer=None,
    services={"chat": "http://127.0.0.1:8081"},
    amqp="amqp://a",
    mongo="mongodb://m",
    management=None,
    service_token="token",
    processes=[
        ProcessState("chat", 7, "ready", 0.0, 0, "http://127.0.0.1:8081"),
        ProcessState("broker", None, "waiting", 0.0, 1),
    ],
)


def test_one_supervisor_per_directory(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    lock = Lock(tmp_path)
    assert holder(tmp_path) == os.getpid()
    with pytest.raises(AlreadyRunningError, match="already runs"):
        Lock(tmp_path)
    lock.release()
    assert holder(tmp_path) is None
    Lock(tmp_path).release()


def test_a_state_counts_only_while_its_supervisor_lives(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    write_state(tmp_path, STATE)
    assert read_state(tmp_path) == STATE
    assert (tmp_path / "run" / "state.json").stat().st_mode & 0o777 == 0o600
    lock.release()
    with pytest.raises(NotRunningError, match="warren up"):
        read_state(tmp_path)


def test_status_for_machines_has_these_keys_and_no_process_that_is_down() -> None:
    assert STATE.public() == {
        "gateways": ["http://127.0.0.1:8080"],
        "balancer": None,
        "services": {"chat": "http://127.0.0.1:8081"},
        "amqp": "amqp://a",
        "mongo": "mongodb://m",
        "management": None,
        "processes": [{"name": "chat", "pid": 7}],
    }


def test_a_log_is_cut_while_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    with path.open("ab") as writer:
        writer.write(b"old\n" * 10)
        writer.flush()
        assert not cut(path, limit=40)
        assert cut(path, limit=39)
        writer.write(b"new\n")
    assert path.read_text() == "new\n"
    assert tail(path.with_name("x.log.1"), lines=2) == "old\nold"
    assert tail(tmp_path / "none.log") == ""
