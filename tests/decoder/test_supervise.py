"""Decoders that are started ahead; tests/e2e/test_supervision.py has real ones live."""

from __future__ import annotations

import os
import select
import socket
from contextlib import closing
from pathlib import Path

import pytest

from decoder.children import pipes
from decoder.ingesting import IngestAddress
from decoder.supervise import Orders, decoder_ahead


def test_orders_are_one_line_that_is_read_again() -> None:
    address = IngestAddress("127.0.0.1", 7799, "a token")
    orders = Orders(Path("sessions/line\nbreak and ü"), address, "another")
    line = orders.to_line()
    assert line.index(b"\n") == len(line) - 1
    assert Orders.from_line(line) == orders


@pytest.mark.slow
def test_a_decoder_started_ahead_waits_and_is_gone_when_serve_gives_up() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as sock, decoder_ahead(sock) as child:
        _, said = pipes(child)
        steps = b""
        while len(steps) < 4:  # all that it imports
            assert select.select([said], [], [], 120)[0], "it makes no step"
            steps += os.read(said.fileno(), 100)
        assert steps == b"...."
        assert child.poll() is None
    assert child.poll() is not None
