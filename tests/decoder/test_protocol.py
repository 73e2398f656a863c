"""What strangers hold open is closed; whoever floods waits."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from decoder.server import connection, protocol
from tests.decoder.serving import TOKEN, Serving, serving


@pytest.fixture
def server() -> Iterator[Serving]:
    with serving() as running:
        yield running


def test_who_connects_and_asks_nothing_is_hung_up_on(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "PATIENCE", 0.1)
    for said in (b"", b"GET / HTTP/1.1\r\nHost: "):
        with socket.create_connection(("127.0.0.1", server.port), 20) as silent:
            silent.sendall(said)
            assert silent.recv(100) == b""


def test_who_does_not_say_who_it_is_is_closed(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PATIENCE", 0.1)
    with connect(server.ws_url) as ws:
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    with connect(server.ws_url) as ws:
        hello = {"jsonrpc": "2.0", "id": 1, "method": "authorize", "params": {"token": TOKEN}}
        ws.send(json.dumps(hello))
        ws.recv(timeout=20)
        with pytest.raises(TimeoutError):
            ws.recv(timeout=0.3)
