"""A real server on a free port, without a decoder behind it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from decoder.server.app import build_app
from decoder.server.auth import Access
from decoder.server.backend import Backend
from decoder.server.hub import Hub, Message
from decoder.server.protocol import HttpProtocol, WebSocketProtocol

TOKEN = "token-of-the-test"


@dataclass
class Serving:
    port: int
    hub: Hub
    server: uvicorn.Server
    publish: Any

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/#token={TOKEN}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/ws"


@contextmanager
def serving(*, open_viewer: bool = False, not_ready: str = "") -> Iterator[Serving]:
    import asyncio

    hub = Hub()
    backend = Backend(
        hub=hub,
        access=Access(TOKEN, open_viewer=open_viewer),
        session_id="S",
        describe=lambda: {"session": "S"},
        candidates=lambda: [{"id": "cat"}],
        not_ready=lambda: not_ready,
        mark_bad=lambda control: "" if "Cz" in control.ch_names else "no such channel",
        clock=lambda: 1.0,
    )
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    config = uvicorn.Config(
        build_app(backend),
        log_level="warning",
        lifespan="off",
        http=HttpProtocol,
        ws=WebSocketProtocol,
    )
    server = uvicorn.Server(config)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(server.serve(sockets=[sock]),)
    )
    thread.start()

    def publish(message: Message) -> None:
        loop.call_soon_threadsafe(hub.publish, message)

    try:
        yield Serving(sock.getsockname()[1], hub, server, publish)
    finally:
        server.should_exit = True
        thread.join(20)
        loop.close()
        sock.close()
