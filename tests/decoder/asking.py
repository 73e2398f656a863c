"""A client that asks one thing after another, and sees every frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.decoder.serving import TOKEN, Serving

PATIENCE = 60.0


class Line:
    def __init__(self, ws: ClientConnection) -> None:
        self.ws = ws

    def request(self, method: str, request_id: int, **params: Any) -> None:
        message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        self.ws.send(json.dumps(message))

    def receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.ws.recv(PATIENCE))
        return message


def ask(line: Line, method: str, **params: Any) -> dict[str, Any]:
    line.request(method, 1, **params)
    return line.receive()


@contextmanager
def authorized(server: Serving, token: str = TOKEN) -> Iterator[Line]:
    with connect(server.ws_url, compression=None) as ws:
        line = Line(ws)
        assert "result" in ask(line, "authorize", token=token)
        yield line
