"""What strangers hold open is closed; whoever floods waits."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
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
from tests.decoder.asking import ask, authorized
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


def test_each_request_has_to_be_whole_soon(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte of the next one, or of what belongs to one that was answered, holds nothing."""
    monkeypatch.setattr(protocol, "PATIENCE", 0.1)
    for more in (b"", b"Content-Length: 1000000\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), 20) as slow:
            slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + more + b"\r\n")
            got = b""
            while not got.endswith(b"}"):
                got += slow.recv(4096)
            slow.sendall(b"G")
            assert slow.recv(100) == b""


def test_who_takes_no_answer_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "PATIENCE", 0.1)
    with (
        serving(scrape=lambda: b"x" * 20_000_000) as server,
        socket.create_connection(("127.0.0.1", server.port), 60) as never,
    ):
        ask = (
            f"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        )
        never.sendall(ask.encode())
        while not server.server.server_state.tasks:
            httpx.get(f"http://127.0.0.1:{server.port}/healthz", timeout=60)
        deadline = time.monotonic() + 60
        while len(server.server.server_state.connections) > 1 and time.monotonic() < deadline:
            httpx.get(f"http://127.0.0.1:{server.port}/healthz", timeout=60)
        assert len(server.server.server_state.connections) <= 1


def test_who_encrypts_nothing_is_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "PATIENCE", 0.1)
    certificate = make_certificate(tmp_path / "one", "one")
    with (
        serving(certificate=certificate) as server,
        socket.create_connection(("127.0.0.1", server.port), 20) as silent,
    ):
        assert silent.recv(100) == b""


def test_who_holds_too_many_connections_is_hung_up_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "crowded", lambda there, *_: len(there) > 3)
    with serving() as server, ExitStack() as stack:
        address = ("127.0.0.1", server.port)
        socks = [stack.enter_context(socket.create_connection(address, 20)) for _ in range(4)]
        with suppress(ConnectionError):
            assert socks[3].recv(100) == b""
        socks[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in socks[0].recv(100)


def test_what_is_no_http_fills_no_log(
    server: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade = (
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
    )
    for said in (b"no http\r\n\r\n", upgrade + b"\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), 20) as stranger:
            stranger.sendall(said)
            assert stranger.recv(100).startswith(b"HTTP/1.1 ")
    assert caplog.records == []


@pytest.mark.parametrize(
    ("first", "frame"),
    [
        (b"", Frame(Opcode.PING, b"")),
        (b"", Frame(Opcode.PONG, b"")),
        (Frame(Opcode.TEXT, b"{", fin=False).serialize(mask=True),
         Frame(Opcode.CONT, b"", fin=False)),
    ],
    ids=["ping", "pong", "pieces"],  # masks are drawn anew in each process
)  # fmt: skip
def test_who_sends_frames_without_end_waits_and_nobody_else_does(
    server: Serving, first: bytes, frame: Frame
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 60) as flood:
        flood.sendall(handshake(f"127.0.0.1:{server.port}"))
        assert flood.recv(4096).startswith(b"HTTP/1.1 101")
        flood.sendall(first)
        flood.setblocking(False)
        many, n = frame.serialize(mask=True) * 100_000, 0
        with suppress(BlockingIOError):
            while n < 50_000_000:  # a few megabytes fit into what systems keep
                n += flood.send(many[n % len(many) :])
        assert n < 50_000_000
        (found,) = (
            c
            for c in server.server.server_state.connections
            if isinstance(c, protocol.WebSocketProtocol)
        )
        assert len(found.frames) <= found._turns.burst + protocol.PIECE
        assert httpx.get(f"http://127.0.0.1:{server.port}/healthz", timeout=60).is_success


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


def silent(server: Serving, policy: str, stream: str = "text", **more: object) -> socket.socket:
    """Return a client that has subscribed, and does nothing more."""
    sock = socket.create_connection(("127.0.0.1", server.port), 60)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.sendall(handshake(f"127.0.0.1:{server.port}"))
    assert sock.recv(4096).startswith(b"HTTP/1.1 101")
    for method, params in (
        ("authorize", {"token": TOKEN}),
        ("subscribe", {"streams": [stream], "policy": policy, **more}),
    ):
        sock.sendall(request(method, **params))
    while not server.hub.wants(stream):
        httpx.get(f"http://127.0.0.1:{server.port}/healthz", timeout=60)
    return sock


def test_who_takes_nothing_is_hung_up_on(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SEND_TIMEOUT", 0.2)
    with silent(server, "lossless") as sock:
        # The answer to the first ping is the last that is heard of it.
        sock.sendall(masked(Opcode.PONG, protocol.MARK))
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


def test_what_waits_behind_a_long_message_needs_no_other_to_be_sent(server: Serving) -> None:
    """No ping was on the way then, whose answer would have said that there is room again."""
    with authorized(server) as line:
        ask(line, "subscribe", streams=["text"])
        for n in range(100):  # a client that keeps up is asked but once a second
            server.publish(Message("text", json.dumps({"n": n}), 1.0))
            assert line.receive() == {"n": n}
        server.publish(Message("text", json.dumps({"n": "x" * 900_000}), 1.0))
        server.publish(Message("text", json.dumps({"n": "last"}), 1.0))
        assert line.receive()["n"].startswith("x")
        assert line.receive() == {"n": "last"}
