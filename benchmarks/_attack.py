"""Attacks on a running service, each of which says what it tried and what came of it."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from http.client import HTTPConnection, HTTPException
from itertools import cycle
from typing import Any

import schemathesis
from schemathesis import GenerationMode
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from benchmarks._hostile import (
    FRAMES,
    HANDSHAKES,
    PATHS,
    drawn,
    handshake,
    mutate,
)
from decoder.server.rpc import Code

__all__ = [
    "BATCH",
    "described",
    "frames",
    "handshakes",
    "hold_open",
    "messages",
    "paths",
    "tokens",
]

PATIENCE = 60.0

BATCH = 20
"""Variants of each message."""

_LAST = '{"jsonrpc":"2.0","id":"the last one","method":"time"}'


def _open(port: int) -> ClientConnection:
    url = f"ws://127.0.0.1:{port}/v1/ws"
    return connect(url, compression=None, open_timeout=PATIENCE, close_timeout=1, max_size=None)


def _ask(ws: ClientConnection, method: str, params: dict[str, Any]) -> dict[str, Any]:
    ws.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    answer: dict[str, Any] = json.loads(ws.recv(PATIENCE))
    return answer


def _check_unknown(answer: dict[str, Any]) -> None:
    """Refuse anything but the time and errors for one who has not said who it is."""
    assert set(answer.get("result", {})) <= {"t_lsl", "t_unix"}, answer


def _send_all(port: int, token: str | None, batch: Sequence[str | bytes]) -> Counter[str]:
    """Send a batch over one connection, and hold each answer to the protocol."""
    came: Counter[str] = Counter()
    with _open(port) as ws:
        if token is not None:
            assert "result" in _ask(ws, "authorize", {"token": token})
        for message in batch:
            ws.send(message)
        ws.send(_LAST)
        while True:
            frame = ws.recv(PATIENCE)
            if isinstance(frame, bytes):
                assert token is not None, frame[:80]
                continue
            answer = json.loads(frame)
            if token is None:
                _check_unknown(answer)
            if answer.get("id") == "the last one":
                return came
            if "method" in answer:
                assert token is not None, answer
            elif "error" in answer:
                came[Code(answer["error"]["code"]).name] += 1
            else:
                came["answered"] += bool(answer["result"])


def messages(
    port: int, tokens: Sequence[str | None], texts: Iterable[str], seed: int = 0
) -> Counter[str]:
    """Send messages and what becomes of them, in turn as each role; None has no token."""
    draw = random.Random(seed)
    came: Counter[str] = Counter()
    waiting: list[str | bytes] = []
    roles = cycle(tokens)
    for text in texts:
        variants: list[str | bytes] = [text, *(mutate(text, draw) for _ in range(BATCH - 1))]
        waiting.extend(variant[:60_000] for variant in variants)
        if len(waiting) >= 5 * BATCH:
            came.update(_send_all(port, next(roles), waiting))
            came["sent"] += len(waiting)
            waiting.clear()
    return came


def tokens(port: int, guesses: Sequence[Any]) -> Counter[str]:
    """Guess tokens, five on each connection."""
    came: Counter[str] = Counter()
    for start in range(0, len(guesses), 5):
        with _open(port) as ws:
            for guess in guesses[start : start + 5]:
                answer = _ask(ws, "authorize", {"token": guess})
                assert "error" in answer, guess
                came[Code(answer["error"]["code"]).name] += 1
            with contextlib.suppress(ConnectionClosed):  # after five wrong ones
                assert "error" in _ask(ws, "subscribe", {"streams": ["text"]})
    return came


def _raw(port: int, opening: bytes, then: bytes = b"") -> tuple[bytes, bytes]:
    """Send bytes, and more after the answer; return the answer and what comes until the end."""
    got = b""
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as sock,
        contextlib.suppress(ConnectionError),
    ):
        sock.sendall(opening)
        while piece := sock.recv(65536):
            got += piece
            if then and b"\r\n\r\n" in got:
                sock.sendall(then)
                then = b""
    head, _, rest = got.partition(b"\r\n\r\n")
    return head, rest


def frames(port: int) -> Counter[str]:
    """Send each malformed frame; the server has to close each connection."""
    came: Counter[str] = Counter()
    for name, frame in FRAMES.items():
        head, rest = _raw(port, handshake(f"127.0.0.1:{port}"), frame)
        assert b" 101 " in head.partition(b"\r\n")[0], name
        while rest[:1] == b"\x89":  # pings ask whether this client reads
            rest = rest[2 + rest[1] :]
        code = int.from_bytes(rest[2:4], "big") if rest[:1] == b"\x88" else None
        assert rest[:1] in {b"", b"\x88"}, (name, rest)
        came[f"closed with {code}" if code else "hung up on"] += 1
    return came


def handshakes(port: int) -> Counter[str]:
    """Open websockets in ways that must not lead to one."""
    came: Counter[str] = Counter()
    for name, opening in HANDSHAKES.items():
        line = _raw(port, opening)[0].partition(b"\r\n")[0].decode()
        assert " 101 " not in line, name
        came[f"HTTP {line.split()[1]}" if line else "hung up on"] += 1
    return came


def paths(port: int, wrong: Iterable[str]) -> Counter[str]:
    """Ask for paths that lead nowhere, and with wrong tokens, hosts and methods."""
    came: Counter[str] = Counter()
    tries: list[tuple[str, str, dict[str, str]]] = [("GET", path, {}) for path in PATHS]
    known = ("/v1/session", "/v1/candidates", "/v1/models", "/v1/sessions", "/metrics")
    for path in known:
        tries += [("GET", path, {"Authorization": token}) for token in wrong]
        tries += [(m, path, {}) for m in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT")]
        tries += [("GET", path, {"Host": host}) for host in ("evil.example", "", "[::1")]
    for method, path, headers in tries:
        http = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            http.putrequest(method, path, skip_host="Host" in headers)
            for header, value in headers.items():
                http.putheader(header, value.encode("latin-1", "replace"))
            http.endheaders()
            answer = http.getresponse()
            body = answer.read()
            status = answer.status
        except (HTTPException, ValueError, ConnectionError):
            came["refused"] += 1
            continue
        finally:
            http.close()
        page = path.startswith("/static/index.html")
        assert 300 <= status < 500 or page, (method, path, headers, status, body[:100])
        assert b"import" not in body, (path, body[:100])
        came[f"HTTP {status}"] += 1
    return came


def described(port: int, token: str, n: int) -> Counter[str]:
    """Ask all that the OpenAPI document describes, rightly and wrongly; it has to be true.

    Parameters
    ----------
    port : int
        Of the service.
    token : str
        Lets in.
    n : int
        How many requests of each path at most, of each of the two kinds.
    """
    came: Counter[str] = Counter()
    url, headers = (
        f"http://127.0.0.1:{port}/v1/openapi.json",
        {"Authorization": f"Bearer {token}"},
    )
    for found in schemathesis.openapi.from_url(url, headers=headers).get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # else it raises
        modes = [GenerationMode.POSITIVE]
        if list(operation.security.iter_parameters()):  # else nothing in it can be wrong
            modes.append(GenerationMode.NEGATIVE)
        for mode in modes:
            given = headers if mode is GenerationMode.POSITIVE else None
            for case in drawn(operation.as_strategy(generation_mode=mode), n):
                answer = case.call_and_validate(headers=given, timeout=PATIENCE)
                came[f"HTTP {answer.status_code}"] += 1
    return came


def hold_open(port: int, n: int, seconds: float) -> Counter[str]:
    """Open connections and send little or nothing; a good client must still get in."""
    came: Counter[str] = Counter()
    opening = handshake(f"127.0.0.1:{port}")
    socks = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(n)]
    ends = time.monotonic() + seconds
    try:
        place = 0
        while time.monotonic() < ends:
            for k, sock in enumerate(socks):
                with contextlib.suppress(OSError):
                    if k % 2:
                        sock.send(opening[place % 40 : place % 40 + 1])
            place += 1
            with _open(port) as ws:
                came["good clients in between"] += "result" in _ask(ws, "time", {})
            time.sleep(0.2)
        for sock in socks:
            sock.settimeout(PATIENCE)
            with contextlib.suppress(OSError):
                while sock.recv(4096):
                    pass
            came["hung up on"] += 1
    finally:
        for sock in socks:
            sock.close()
    return came
