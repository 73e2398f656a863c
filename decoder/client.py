"""A client in one file: copy it into your project; it needs `websockets` and nothing else.

Works on Python 3.8 and newer. Example::

    from client import connect

    with connect("http://127.0.0.1:8000/#token=...") as decodes:
        for event in decodes:
            print(event.stream, event.params)

License: BSD-3-Clause, see https://opensource.org/license/bsd-3-clause.
"""

from __future__ import annotations

import json
import struct
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_websocket

__all__ = ["Client", "Event", "RequestError", "connect", "split_url"]


_ENDED = (1000, 1001, 1012)  # done, going away, and how uvicorn says that it is stopped


class Event(NamedTuple):
    """What the service said.

    `stream` is its stream, `params` its fields. For a `signal`, `data` holds little-endian
    float32 values, channel after channel: ``params["n_channels"]`` times ``params["n_times"]``.
    """

    stream: str
    params: Dict[str, Any]
    data: bytes = b""


class RequestError(Exception):
    """The service answered a request with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def split_url(url: str) -> Tuple[str, str]:
    """Make the websocket's address and the token out of the address printed at start.

    >>> split_url("http://127.0.0.1:8000/#token=abc")
    ('ws://127.0.0.1:8000/v1/ws', 'abc')
    """
    parts = urlsplit(url if "//" in url else "http://" + url)
    scheme = "wss" if parts.scheme in ("https", "wss") else "ws"
    path = parts.path if parts.path.endswith("/v1/ws") else "/v1/ws"
    token = parse_qs(parts.fragment).get("token", [""])[0]
    return "{}://{}{}".format(scheme, parts.netloc, path), token


class Client:
    """A connection that is authorized. Iterating over it gives events as they come.

    `session` is what the service answered to `authorize`.
    """

    def __init__(self, ws: ClientConnection, token: str) -> None:
        self._ws = ws
        self._next_id = 0
        self._waiting: List[Event] = []
        params = {"token": token} if token else {}
        self.session: Dict[str, Any] = self.request("authorize", params)

    def request(self, method: str, params: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Send a request and return its result; events that come meanwhile are kept."""
        self._next_id += 1
        message = {
            "jsonrpc": "2.0",
            "id": self._next_id,
            "method": method,
            "params": params or {},
        }
        self._ws.send(json.dumps(message))
        while True:
            frame = self._ws.recv()
            answer = json.loads(frame) if isinstance(frame, str) else {}
            if "method" in answer or not isinstance(frame, str):
                self._waiting.append(_event(frame))
            elif "error" in answer:
                raise RequestError(answer["error"]["code"], answer["error"]["message"])
            elif answer.get("id") == self._next_id:
                result: Dict[str, Any] = answer["result"]
                return result

    def __iter__(self) -> Iterator[Event]:
        """Give events until the service ends the connection.

        Raises `websockets.exceptions.ConnectionClosedError` if it broke or was refused.
        """
        while True:
            while self._waiting:
                yield self._waiting.pop(0)
            try:
                frame = self._ws.recv()
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code in _ENDED:
                    return
                raise
            yield _event(frame)


def _event(frame: "str | bytes") -> Event:
    if isinstance(frame, str):
        message = json.loads(frame)
        return Event(message["method"], message["params"])
    (n,) = struct.unpack(">I", frame[:4])
    header = json.loads(frame[4 : 4 + n])
    return Event(header["stream"], header, frame[4 + n :])


@contextmanager
def connect(
    url: str,
    streams: Sequence[str] = ("text",),
    policy: str = "lossless",
    timeout: float = 10.0,
) -> Iterator[Client]:
    """Connect, authorize and subscribe; the connection closes at the end of the `with` block.

    `url` is the address printed at start, with its token. Raises `RequestError` if the token is
    wrong or a stream does not exist, and `OSError` if nothing listens there.
    """
    address, token = split_url(url)
    with open_websocket(
        address, open_timeout=timeout, compression=None, max_size=2**24
    ) as websocket:
        client = Client(websocket, token)
        answer = client.request("subscribe", {"streams": list(streams), "policy": policy})
        for failure in answer["failure"]:
            raise RequestError(failure["code"], "{stream}: {message}".format(**failure))
        yield client
