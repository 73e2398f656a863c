"""A real server on a free port, without a decoder behind it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from decoder.server.auth import Access
from decoder.server.backend import Backend
from decoder.server.certificate import Certificate
from decoder.server.hub import Hub, Message
from decoder.server.listener import Server
from decoder.tokens import TokenFile
from tests.decoder.controlled import Controlled

TOKEN = "token-of-the-test"

ABOUT: dict[str, Any] = {
    "session": "S",
    "protocol": "1",
    "started": 1.0,
    "source": {"name": "test", "sfreq": 100.0, "ch_names": ["Cz"]},
    "signal": {"sfreq": 100.0, "ch_names": ["Cz"], "units": ["V"]},
    "simulated": None,
    "latency_from": "LSL timestamp",
    "model": {
        "id": "m", "space": "labels", "protocol": "closed_set", "windowing": {}, "scores": {},
    },
    "candidates": {"n": 1, "hash": "c"},
}  # fmt: skip


@dataclass
class Serving:
    port: int
    hub: Hub
    server: Server
    publish: Any
    cut: Callable[[], None]
    """Breaks all connections."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/#token={TOKEN}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/ws"


@contextmanager
def serving(
    *,
    open_viewer: bool = False,
    not_ready: str = "",
    events: Path = Path("no-log"),
    last_seq: int = 0,
    certificate: Certificate | None = None,
    tokens: TokenFile | None = None,
    **more: Any,
) -> Iterator[Serving]:
    """Serve; `more` is what else a `Backend` takes."""
    import asyncio

    hub = Hub(last_seq)
    backend = Backend(
        hub=hub,
        access=Access(TOKEN, open_viewer=open_viewer, tokens=tokens),
        session_id="S",
        describe=lambda: ABOUT,
        candidates=lambda: [{"id": "cat", "text": "a cat", "glyph": "", "trained": True}],
        not_ready=lambda: not_ready,
        steering=Controlled(hub).controller,
        clock=lambda: 1.0,
        events=events,
        **more,
    )
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    server = Server(backend, certificate)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(server.serve(sockets=[sock]),)
    )
    thread.start()

    def publish(message: Message) -> None:
        loop.call_soon_threadsafe(hub.publish, message)

    def abort() -> None:
        for connection in list(server.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()

    def cut() -> None:
        loop.call_soon_threadsafe(abort)

    try:
        yield Serving(sock.getsockname()[1], hub, server, publish, cut)
    finally:
        server.should_exit = True
        thread.join(20)
        loop.close()
        sock.close()
