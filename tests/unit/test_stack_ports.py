from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from warren.stack import ports
from warren.stack.ports import NoFreePortError, Port, is_free, listens

HOST = "127.0.0.1"


@pytest.fixture
def stranger() -> Iterator[socket.socket]:
    """Somebody else's server, where no other test's stack looks for ports."""
    with socket.socket() as server:
        for number in range(30_000, 31_000):
            if is_free(HOST, number):
                server.bind((HOST, number))
                server.listen()
                break
        yield server


def test_a_taken_port_leads_to_a_later_one(stranger: socket.socket) -> None:
    number: int = stranger.getsockname()[1]
    port = Port(HOST, number)
    port.claim()
    assert port.number > number
    assert is_free(HOST, port.number)


def test_a_port_stays_the_same_while_it_can_be_had(stranger: socket.socket) -> None:
    port = Port(HOST, stranger.getsockname()[1])
    port.claim()
    first = port.number
    port.claim()
    assert port.number == first


def test_two_stacks_that_look_at_the_same_time_get_different_ports(stranger: socket.socket) -> None:
    number: int = stranger.getsockname()[1]
    one, two = Port(HOST, number), Port(HOST, number)
    one.claim()
    two.claim()
    assert one.number != two.number
    one.release()
    three = Port(HOST, number)
    three.claim()
    assert three.number == one.number


def test_a_held_port_is_given_up_when_a_stranger_took_it(stranger: socket.socket) -> None:
    port = Port(HOST, stranger.getsockname()[1])
    port.claim()
    first = port.number
    with socket.socket() as thief:
        thief.bind((HOST, first))
        thief.listen()
        port.claim()
    assert port.number != first


def test_no_port_above_the_ceiling_is_given(stranger: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    number: int = stranger.getsockname()[1]
    monkeypatch.setattr(ports, "CEILING", number + 1)
    with pytest.raises(NoFreePortError, match="no free port"):
        Port(HOST, number).claim()


def test_listening_is_told_of_the_process_that_does(stranger: socket.socket) -> None:
    number: int = stranger.getsockname()[1]
    assert listens(os.getpid(), [number])
    assert not listens(os.getpid(), [number, number + 1])
    assert not listens(os.getppid(), [number])
