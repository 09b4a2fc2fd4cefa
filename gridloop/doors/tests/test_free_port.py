"""A port we listen on stays ours while the process behind it is away for a moment."""

from __future__ import annotations

import socket

from gridloop.doors.cli.deployment import free_port, outgoing_from


def test_no_outgoing_connection_can_take_it() -> None:
    assert all(free_port() < outgoing_from() for _ in range(50))


def test_the_wanted_one_is_given_while_it_is_free() -> None:
    wanted = free_port()
    assert free_port(wanted) == wanted
    with socket.socket() as other:
        other.bind(("127.0.0.1", wanted))
        other.listen()
        assert free_port(wanted) not in (0, wanted)
