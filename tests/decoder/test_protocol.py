"""What strangers hold open is closed; whoever floods waits."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

from benchmarks._crowd import request
from benchmarks._hostile import handshake
from decoder.server import connection, protocol
from decoder.server.hub import Message
from tests.decoder.certificates import make_certificate
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


def test_nobody_is_hung_up_on_who_is_gone_or_has_a_websocket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(protocol, "PATIENCE", 0.1)
    certificate = make_certificate(tmp_path / "one", "one")
    trust = ssl.create_default_context(cafile=str(certificate.cert))
    with serving(certificate=certificate) as server:
        url = server.ws_url.replace("ws:", "wss:")
        with connect(url, ssl=trust) as stays, connect(url, ssl=trust) as goes:
            goes.close()
            late = socket.create_connection(("127.0.0.1", server.port), 20)
            with trust.wrap_socket(late, server_hostname="127.0.0.1") as silent:
                assert silent.recv(100) == b""  # it was hung up on, after the others' time
            assert stays.ping().wait(20)
    assert "Exception" not in caplog.text


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


def wait_until_gone(server: Serving) -> None:
    deadline = time.monotonic() + 60
    while server.hub.clients and time.monotonic() < deadline:
        httpx.get(f"http://127.0.0.1:{server.port}/healthz", timeout=60)
    assert not server.hub.clients


def silent(server: Serving, policy: str) -> socket.socket:
    """Return a client that has subscribed, and does nothing more."""
    sock = socket.create_connection(("127.0.0.1", server.port), 60)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.sendall(handshake(f"127.0.0.1:{server.port}"))
    assert sock.recv(4096).startswith(b"HTTP/1.1 101")
    for method, params in (
        ("authorize", {"token": TOKEN}),
        ("subscribe", {"streams": ["text"], "policy": policy}),
    ):
        sock.sendall(request(method, **params))
    while not server.hub.wants("text"):
        httpx.get(f"http://127.0.0.1:{server.port}/healthz", timeout=60)
    return sock


def test_who_takes_nothing_is_hung_up_on(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SEND_TIMEOUT", 0.2)
    with silent(server, "lossless"):
        for _ in range(200):
            server.publish(Message("text", "x" * 10_000, 1.0))
        wait_until_gone(server)


def test_who_has_not_read_gets_one_message_at_a_time(server: Serving) -> None:
    with silent(server, "latest") as sock:
        for _ in range(100):
            server.publish(Message("text", "x" * 10, 1.0))
        (client,) = server.hub.clients
        while client.n_queued < 64:  # what waits of them: the first ping was not answered
            httpx.get(f"http://127.0.0.1:{server.port}/healthz", timeout=60)
        sock.settimeout(60)
        got = sock.recv(4096)
        assert got.count(b"x" * 10) <= 1


def masked(opcode: Opcode, data: bytes) -> bytes:
    return Frame(opcode, data).serialize(mask=True)


def test_pongs_that_nobody_asked_for_are_no_answers(server: Serving) -> None:
    """As .NET sends them; a client that does not answer must not be taken for one that has."""
    with silent(server, "latest") as sock:
        sock.sendall(masked(Opcode.PONG, b"") + masked(Opcode.PONG, b"beat"))
        sock.sendall(request("time"))
        sock.settimeout(60)
        got = b""
        while got.count(b"t_unix") < 2:  # of authorize, and of time: the pongs were read
            got += sock.recv(4096)
        server.publish(Message("text", "first", 1.0))
        (client,) = server.hub.clients
        while not client.n_queued:
            httpx.get(f"http://127.0.0.1:{server.port}/healthz", timeout=60)
        sock.sendall(masked(Opcode.PONG, protocol.MARK))
        while b"first" not in got:
            got += sock.recv(4096)
