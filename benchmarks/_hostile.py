"""What strangers may send: requests, frames, handshakes and paths that nobody should send."""

from __future__ import annotations

import json
import random
import struct
import zlib
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from decoder.server.methods import METHODS

__all__ = [
    "FRAMES",
    "HANDSHAKES",
    "PATHS",
    "drawn",
    "handshake",
    "mutate",
    "requests",
    "token_guesses",
]

NASTY = (
    "", "\0", "\ud800", "%00", "../../etc/passwd", "/etc/passwd", "..\\..\\windows",
    "~/.ssh/id_rsa", "file:///etc/passwd", "http://169.254.169.254/", "${jndi:ldap://x}",
    "{{7*7}}", "'; drop table x;--", "<script>alert(1)</script>", "\x1b[2J", "\u202e",
    "null", "__proto__", "__class__", "1e999", "NaN", "-0",
)  # fmt: skip
"""Strings that have hurt others."""

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**63, 2**90)
    | st.floats()
    | st.sampled_from(NASTY)
    | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(NASTY) | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=12,
)
"""Anything that is JSON, and some that is not (NaN)."""


_NAMES = sorted(METHODS.keys() - {"authorize"})
"""Tokens are guessed apart: a few wrong ones close a connection."""


def _of(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return requests of a method whose parameters have the right names and any values."""
    fields = METHODS[name].params.model_fields
    params = st.fixed_dictionaries({}, optional=dict.fromkeys(fields, _VALUES))
    return st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0"), "method": st.just(name), "params": params},
        optional={"id": st.integers(-5, 5) | _VALUES, "more": _VALUES},
    )


requests = (
    st.one_of([_of(name) for name in _NAMES])
    | st.fixed_dictionaries(
        {"jsonrpc": _VALUES, "method": _VALUES | st.sampled_from(_NAMES)},
        optional={"id": _VALUES, "params": _VALUES},
    )
    | _VALUES
).map(json.dumps)
"""Requests with something wrong in most of them: values, fields, or all."""

token_guesses: st.SearchStrategy[Any] = (
    st.sampled_from(NASTY)
    | st.text(max_size=300)
    | _VALUES.filter(lambda v: not isinstance(v, str))
)


def drawn(strategy: st.SearchStrategy[Any], n: int) -> list[Any]:
    """Return `n` examples; the same each time. Nothing else may run: it draws at random too."""
    found: list[Any] = []

    @settings(
        max_examples=n,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def take(example: Any) -> None:
        found.append(example)

    take()
    return found


def mutate(text: str, draw: random.Random) -> str | bytes:
    """Damage a message: what it says, as somebody with time would, or its bytes."""
    if draw.random() < 0.6:
        return _swap(json.loads(text), draw)
    text = text.encode("utf-8", "replace").decode()
    at, depth = draw.randrange(len(text) + 1), draw.choice((10, 1000, 20000))
    data = bytearray(text.encode())
    for _ in range(draw.randrange(1, 4) if data else 0):
        data[draw.randrange(len(data))] = draw.randrange(256)
    return draw.choice(
        (
            text[:at],
            text[:at] + draw.choice(NASTY[3:]) + text[at:],
            text.replace("1", "1" * draw.choice((2, 50, 5000))),
            "[" * depth + text + "]" * draw.choice((0, depth)),
            text + text,
            data.decode("utf-8", "replace"),
            bytes(data),  # a binary frame
        )
    )


_JUNK: tuple[Any, ...] = (
    *NASTY, "A" * 5000, "é" * 300, None, True, 0, -1, 2**63, 10**300, 1e308, float("nan"), [],
    {}, [[]], ["text"], ["text"] * 17, ["text", "text"], [None], [1], {"a": {}}, "lossless",
    "rate", 1, 0.5, "operator", ["Cz"] * 2000,
)  # fmt: skip


def _swap(message: Any, draw: random.Random) -> str:
    """Put other values into a request that is else well-formed."""
    method = draw.choice(_NAMES)
    fields = [*METHODS[method].params.model_fields, "more"]
    params = {name: draw.choice(_JUNK) for name in fields if draw.random() < 0.7}
    request = {
        "jsonrpc": "2.0",
        "id": draw.choice((1, "a")),
        "method": method,
        "params": params,
    }
    if isinstance(message, dict) and draw.random() < 0.3:
        request |= {name: message[name] for name in message.keys() & {"id", "params"}}
    if draw.random() < 0.2:
        request[draw.choice(("id", "params", "method", "jsonrpc"))] = draw.choice(_JUNK)
    return json.dumps(request)


def _frame(first: int, payload: bytes, *, mask: bool = True, size: int | None = None) -> bytes:
    n = len(payload) if size is None else size
    bit = 0x80 if mask else 0
    if n < 126:
        head = struct.pack(">BB", first, bit | n)
    elif n < 1 << 16:
        head = struct.pack(">BBH", first, bit | 126, n)
    else:
        head = struct.pack(">BBQ", first, bit | 127, n)
    return head + (b"\0\0\0\0" if mask else b"") + payload


_BOMB = zlib.compress(b"\0" * 10_000_000, 9)[2:-4]

FRAMES = {
    "a frame without a mask": _frame(0x81, b"{}", mask=False),
    "reserved bit 1, a compressed bomb of 10 MB": _frame(0xC1, _BOMB),
    "reserved bit 2": _frame(0xA1, b"{}"),
    "reserved bit 3": _frame(0x91, b"{}"),
    "unknown opcode": _frame(0x83, b"{}"),
    "unknown control opcode": _frame(0x8B, b"{}"),
    "a frame that says it has 2^62 bytes": _frame(0x81, b"", size=1 << 62),
    "a frame that says it has 2^63 bytes": _frame(0x81, b"", size=(1 << 63) + 1),
    "a message of 65,537 bytes": _frame(0x81, b" " * 65537),
    "a message of 1,000 pieces, 100 KB": _frame(0x01, b" " * 100)
    + _frame(0x00, b" " * 100) * 999,
    "a piece of nothing before": _frame(0x80, b"{}"),
    "a message within a message": _frame(0x01, b"{") + _frame(0x81, b"{}"),
    "a ping of 126 bytes": _frame(0x89, b" " * 126),
    "a ping in pieces": _frame(0x09, b"x"),
    "a close of 1 byte": _frame(0x88, b"x"),
    "a close with code 0": _frame(0x88, b"\0\0"),
    "a close with code 1006": _frame(0x88, struct.pack(">H", 1006)),
    "a close whose reason is no UTF-8": _frame(0x88, struct.pack(">H", 1000) + b"\xff"),
    "text that is no UTF-8": _frame(0x81, b"\xff\xfe"),
    "text that ends within a character": _frame(0x81, b"\xc3"),
    "HTTP instead of frames": b"GET / HTTP/1.1\r\n\r\n",
    "zeros": b"\0" * 4096,
}
"""Frames after which a connection must be closed, by what is wrong with them."""


def handshake(host: str, path: str = "/v1/ws", **headers: str | None) -> bytes:
    """Return what opens a websocket; a header of None is left out, others are added."""
    fields: dict[str, str | None] = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")


_OURS = "127.0.0.1"

HANDSHAKES = {
    "another host": handshake("evil.example"),
    "no host": handshake(_OURS, Host=None),
    "a host that begins like ours": handshake("127.0.0.1.evil.example"),
    "a host with another in its user part": handshake("127.0.0.1@evil.example"),
    "a host that is no host": handshake("[::1"),
    "another origin": handshake(_OURS, Origin="https://evil.example"),
    "an origin that begins like ours": handshake(_OURS, Origin="http://localhost.evil.example"),
    "the origin null": handshake(_OURS, Origin="null"),
    "the origin file": handshake(_OURS, Origin="file://"),
    "no key": handshake(_OURS, Sec_WebSocket_Key=None),
    "a bad key": handshake(_OURS, Sec_WebSocket_Key="short"),
    "version 0": handshake(_OURS, Sec_WebSocket_Version="0"),
    "another version of the protocol": handshake(_OURS, "/v2/ws"),
    "a path above": handshake(_OURS, "/v1/../v1/ws/../../etc/passwd"),
    "a path with a zero": handshake(_OURS, "/v1/ws%00"),
    "a header of 200 KB": handshake(_OURS, X_Long="x" * 200_000),
    "10,000 headers": b"GET /v1/ws HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
    "a line of 100 KB": b"GET /" + b"a" * 100_000,
}
"""Openings that must not lead to a websocket."""

PATHS = (
    "/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py",
    "/static//etc/passwd", "/static/....//app.py", "/static/..%5capp.py", "/static/%00",
    "/static/index.html%00.js", "/v1/sessions/../report",
    "/v1/sessions/..%2f..%2fetc%2fpasswd/report", "/v1/sessions/%2e%2e/report",
    "/v1/sessions/%00/report", "/v1/sessions/" + "a" * 5000 + "/report", "/v1/session/",
    "//v1/session", "/v1/session?token=x", "/V1/SESSION", "/v1/%73ession", "/docs", "/redoc",
    "/openapi.json", "/.git/config", "/.env", "/v1/session#", "/metrics/../v1/session",
    "http://evil.example/v1/session",
)  # fmt: skip
"""Paths that lead to nothing, or to nothing without a token."""
