"""A way between client and server that is cut again and again."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Proxy", "cutting"]


class Proxy:
    """Passes bytes on, and cuts each connection after so many from the server.

    Parameters
    ----------
    port : int
        Of the server.
    n_cuts : int
        Connections to cut, at random places; those after stay.
    seed : int
        Of where.
    longest : int
        Bytes that a connection may carry at most before it is cut.
    """

    def __init__(self, port: int, n_cuts: int, seed: int, longest: int) -> None:
        self.n_cut = 0
        self.port = 0
        self._server_port = port
        self._n_cuts = n_cuts
        self._random = random.Random(seed)
        self._longest = longest

    async def serve(self, started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stop.wait()
        server.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
        cut = self.n_cut < self._n_cuts
        left = self._random.randrange(self._longest) if cut else 10**12
        up = asyncio.create_task(_copy(reader, back))
        try:
            while left > 0 and (data := await there.read(4096)):
                writer.write(data[:left])
                left -= len(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            self.n_cut += left <= 0
            for way in (writer, back):
                way.transport.abort()
            up.cancel()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
        writer.close()


@contextmanager
def cutting(port: int, n_cuts: int, seed: int = 0, longest: int = 2500) -> Iterator[Proxy]:
    """Run a `Proxy` in a thread."""
    proxy = Proxy(port, n_cuts, seed, longest)
    started = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(proxy.serve(started)))
    thread.start()
    started.wait()
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join()
