"""Many websocket clients in one process, some of which read slowly or never.

They parse frames themselves and look at `seq` and `t_emit` alone, so that 6,000 messages a
second leave their process idle and what is measured is the service.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks._watching import cpu_of
from streaming.lsl_clock import lsl_clock

__all__ = ["Crowd", "Group", "gather", "request"]

SMALL = 4096
"""Receive buffer of clients that read slowly, in bytes: theirs must not hide what is old."""

_FIELDS = re.compile(rb'"seq":([0-9]+).*"t_emit":([0-9.]+)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Group:
    """Clients that are alike.

    Parameters
    ----------
    name : str
        What the table calls them.
    n : int
        How many.
    subscribe : dict
        Parameters of `subscribe`; None for a server that has no such method.
    bytes_a_second : int or None
        How fast they read; None: as fast as they can, 0: never.
    """

    name: str
    n: int
    subscribe: dict[str, Any] | None
    bytes_a_second: int | None = None


@dataclass(slots=True)
class _Client:
    """What one client got, and what is left of the last bytes."""

    seqs: list[int] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    closed: int | None = None
    upgraded: bool = False
    answers: int = 0
    _rest: bytes = b""

    def feed(self, data: bytes, t: float) -> bytes:
        """Take what was read at `t`; returns what has to be sent (pongs)."""
        self._rest += data
        if not self.upgraded:
            head, found, rest = self._rest.partition(b"\r\n\r\n")
            if not found:
                return b""
            assert head.startswith(b"HTTP/1.1 101"), head
            self.upgraded, self._rest = True, rest
        pongs = b""
        for opcode, payload in self._frames():
            if opcode == 9:
                pongs += _frame(payload, 0x8A)
            elif opcode == 8:
                self.closed = struct.unpack(">H", payload[:2])[0] if payload else 1005
            else:
                found_fields = _FIELDS.search(payload)
                if found_fields is None:
                    self.answers += 1
                else:
                    self.seqs.append(int(found_fields[1]))
                    self.ages.append(t - float(found_fields[2]))
        return pongs

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        place, data = 0, self._rest
        while len(data) >= place + 2:
            size, start = data[place + 1] & 0x7F, place + 2
            if size == 126:
                if len(data) < start + 2:
                    break
                (size,) = struct.unpack_from(">H", data, start)
                start += 2
            if len(data) < start + size:
                break
            yield data[place] & 0x0F, data[start : start + size]
            place = start + size
        self._rest = data[place:]


def _frame(payload: bytes, first: int = 0x81) -> bytes:
    """Return a client's frame, with a mask of zeros, which changes nothing."""
    size = struct.pack(">B", 0x80 | len(payload))
    if len(payload) > 125:
        size = struct.pack(">BH", 0x80 | 126, len(payload))
    return bytes([first]) + size + b"\0\0\0\0" + payload


def request(method: str, **params: Any) -> bytes:
    """Return a request as a client's frame."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return _frame(json.dumps(message).encode())


class _Fast(asyncio.Protocol):
    """A client that reads what comes."""

    def __init__(self, client: _Client) -> None:
        self.client = client
        self.news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        pongs = self.client.feed(data, lsl_clock())
        if pongs:
            self.transport.write(pongs)
        self.news.set()


@dataclass(slots=True)
class Crowd:
    """What the clients of each group got.

    Parameters
    ----------
    t_begin, t_first, t_last : float
        When the first connected, and between which the crowd was complete, in seconds on the
        LSL clock.
    cpu : tuple of float
        How long the service had computed at these instants, in seconds.
    n_early : dict of str to list of int
        Of each group and client: how many events it had when the crowd was complete.
    seqs, ages : dict of str to list of list
        Of each group and client: which events, and how old they were when they were read.
    closed : dict of str to list of int
        Of each group: the codes with which clients were closed.
    """

    t_begin: float = 0.0
    t_first: float = 0.0
    t_last: float = 0.0
    cpu: tuple[float, ...] = ()
    n_early: dict[str, list[int]] = field(default_factory=dict)
    seqs: dict[str, list[list[int]]] = field(default_factory=dict)
    ages: dict[str, list[list[float]]] = field(default_factory=dict)
    closed: dict[str, list[int]] = field(default_factory=dict)


async def _open(port: int, *, small: bool) -> socket.socket:
    sock = socket.socket()
    if small:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return sock


async def _join(port: int, token: str, group: Group, client: _Client) -> Any:
    """Connect a client, and return what keeps it connected."""
    loop = asyncio.get_running_loop()
    handshake = (
        f"GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    requests = b""
    if group.subscribe is not None:
        requests = request("authorize", token=token)
        requests += request("subscribe", **group.subscribe)
    n_answers = 0 if group.subscribe is None else 2
    sock = await _open(port, small=group.bytes_a_second is not None)
    if group.bytes_a_second is None:
        _, reader = await loop.create_connection(lambda: _Fast(client), sock=sock)
        reader.transport.write(handshake)
        while not client.upgraded:
            reader.news.clear()
            await reader.news.wait()
        reader.transport.write(requests)
        while client.answers < n_answers:
            reader.news.clear()
            await reader.news.wait()
        return reader
    await loop.sock_sendall(sock, handshake)
    pongs = b""
    while not client.upgraded:
        pongs += client.feed(await loop.sock_recv(sock, 256), lsl_clock())
    await loop.sock_sendall(sock, pongs + requests)
    if group.bytes_a_second:
        return asyncio.create_task(_read_slowly(sock, client, group.bytes_a_second))
    return sock


async def _read_slowly(sock: socket.socket, client: _Client, bytes_a_second: int) -> None:
    loop = asyncio.get_running_loop()
    try:
        while data := await loop.sock_recv(sock, bytes_a_second // 8):
            pongs = client.feed(data, lsl_clock())
            if pongs:
                await loop.sock_sendall(sock, pongs)
            await asyncio.sleep(1 / 8)
    except OSError:  # it was hung up on
        client.closed = client.closed or 1006


async def _gather(
    port: int, pid: int, token: str, groups: list[Group], seconds: float
) -> Crowd:
    crowd, clients, kept = Crowd(), dict[str, list[_Client]](), []
    crowd.t_begin, cpu = lsl_clock(), [cpu_of(pid)]
    for group in groups:
        clients[group.name] = [_Client() for _ in range(group.n)]
        kept += [await _join(port, token, group, client) for client in clients[group.name]]
    crowd.t_first = lsl_clock()
    cpu.append(cpu_of(pid))
    crowd.n_early = {name: [len(c.seqs) for c in clients[name]] for name in clients}
    await asyncio.sleep(seconds)
    crowd.t_last = lsl_clock()
    crowd.cpu = (*cpu, cpu_of(pid))
    for name, members in clients.items():
        crowd.seqs[name] = [client.seqs for client in members]
        crowd.ages[name] = [client.ages for client in members]
        crowd.closed[name] = [c.closed for c in members if c.closed is not None]
    for one in kept:
        if isinstance(one, asyncio.Task):
            one.cancel()
        elif isinstance(one, socket.socket):
            one.close()
        else:
            one.transport.abort()
    return crowd


def gather(
    port: int, pid: int, token: str, groups: list[Group], seconds: float, out: Any
) -> None:
    """Connect all groups, listen for a while, and put a `Crowd` into the queue `out`.

    Parameters
    ----------
    port, pid : int
        Of the service, and of its process that computes.
    token : str
        Lets them in.
    groups : list of Group
        Who they are.
    seconds : float
        How long they listen once all are there.
    out : Queue
        Gets what they got.
    """
    out.put(asyncio.run(_gather(port, pid, token, groups, seconds)))
