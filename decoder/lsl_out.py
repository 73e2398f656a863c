"""Decodes on LSL, from a process of their own.

It is a client of the service like any other, so that nothing of liblsl runs where decoding
does: if liblsl crashes here, decoding does not notice, and the process is started again and
goes on with what is decoded then. LSL has no authentication: all in the network can read.
"""

from __future__ import annotations

import asyncio
import json
import math
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np

from decoder.children import START, Child, keep, spawn
from decoder.client import AsyncClient, Event, Latent, Text, connect_async
from streaming.decode_outlet import DecodeOutlet
from streaming.lsl_clock import lsl_clock

__all__ = ["URL_VARIABLE", "outlet_process", "run_outlet", "shift_of"]

URL_VARIABLE = "BRAINCAST_OUTLET_URL"
"""Where the process is told the address, with its token, which others may not see."""

HANG = 10.0
"""Seconds without a sign of life that mean it hangs. It gives one a second."""

DONE = (0, 2)
"""Exit codes that would come again: it was stopped, or there is something to mend."""

BEAT = 1.0

MEMORY = 15
"""Measurements of the service's clock; the one with the shortest way counts."""


def shift_of(measured: list[tuple[float, float]]) -> float:
    """Return what to subtract from the service's instants to have ours.

    Parameters
    ----------
    measured : list of tuple of float
        How long each question for the time was under way, and by how much the answer was
        ahead of the middle of that, in seconds.

    Returns
    -------
    float
        In seconds; 0 if both can be the same clock.
    """
    way, ahead = min(measured, default=(0.0, 0.0))
    return ahead if abs(ahead) > way else 0.0


async def run_outlet(
    url: str,
    name: str,
    stop: threading.Event,
    beat: Callable[[], None] = lambda: None,
    certificate: Path | None = None,
) -> None:
    """Send what a service decodes to LSL until stopped.

    Parameters
    ----------
    url : str
        Its address, with a token.
    name : str
        Name of the streams.
    stop : threading.Event
        Ends it.
    beat : callable
        Called about once a second, as long as all is well.
    certificate : Path or None
        The service's own certificate, if it encrypts; a new one in this file is trusted too.
    """
    trust = None if certificate is None else _Trust(certificate)
    measured: deque[tuple[float, float]] = deque(maxlen=MEMORY)
    with closing(DecodeOutlet(name)) as outlet:
        living = asyncio.create_task(_live(stop, beat, trust))
        context = None if trust is None else trust.context
        sending = asyncio.create_task(_send(url, outlet, measured, context))
        done, left = await asyncio.wait([living, sending], return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.wait(left)
        for task in done:
            task.result()


async def _live(stop: threading.Event, beat: Callable[[], None], trust: _Trust | None) -> None:
    while not stop.is_set():
        beat()
        if trust is not None:
            trust.renew()
        await asyncio.sleep(BEAT)


async def _send(
    url: str,
    outlet: DecodeOutlet,
    measured: deque[tuple[float, float]],
    trust: ssl.SSLContext | None,
) -> None:
    streams = ("text", "latent")
    # The first connection waits for the decoder; later ones for the next decoder, for ever.
    async with connect_async(
        url, streams, timeout=START, patience=math.inf, ssl=trust
    ) as events:
        await _measure(events, measured)
        asking = asyncio.create_task(_go_on(events, measured))
        try:
            async for event in events:
                push(outlet, event, shift_of(list(measured)))
        finally:
            asking.cancel()


async def _measure(events: AsyncClient, measured: deque[tuple[float, float]]) -> None:
    """Measure the service's clock: with an ingest elsewhere it is that of another machine."""
    sent = lsl_clock()
    answer = await events.request("time")
    way = lsl_clock() - sent
    measured.append((way, answer["t_lsl"] - sent - way / 2))


async def _go_on(events: AsyncClient, measured: deque[tuple[float, float]]) -> None:
    while True:
        await asyncio.sleep(BEAT)
        with suppress(ConnectionError):
            await _measure(events, measured)


def push(outlet: DecodeOutlet, event: Event, shift: float) -> None:
    """Send an event, `shift` seconds earlier than it says."""
    if isinstance(event, Text):
        top, t = event.fields["top"], event.fields["t_end"] - shift
        line = json.dumps(event.params, ensure_ascii=False)
        outlet.push_decode(top[0]["text"] if top else "", line, t)
    elif isinstance(event, Latent):
        said = event.params
        vector = np.frombuffer(event.data, "<f4")
        outlet.push_latent(vector, said["space"], said["model_id"], said["t_end"] - shift)


class _Trust:
    """Trusts the service's own certificate, whatever name it is for: it is on this machine."""

    def __init__(self, certificate: Path) -> None:
        self.context = ssl.create_default_context(cafile=certificate)
        self.context.check_hostname = False
        self.context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        self._certificate = certificate
        self._seen = certificate.stat().st_mtime_ns

    def renew(self) -> None:
        """Trust what is in the file now; one that cannot be read is looked at again."""
        with suppress(OSError):
            seen = self._certificate.stat().st_mtime_ns
            if seen != self._seen:
                self.context.load_verify_locations(self._certificate)
                self._seen = seen


@contextmanager
def outlet_process(url: str, name: str, certificate: Path | None = None) -> Iterator[None]:
    """Run an outlet beside us, and start it again when it dies or hangs.

    Parameters
    ----------
    url : str
        The address of the service, with a token.
    name : str
        Name of the streams.
    certificate : Path or None
        The service's own certificate, if it encrypts.
    """
    stop = threading.Event()
    arguments = ["outlet", "--name", name]
    if certificate is not None:
        arguments += ["--certificate", str(certificate)]

    def start(_: int) -> Child:
        return spawn(*arguments, environment={URL_VARIABLE: url})

    def run() -> None:
        keep(
            start,
            "sending decodes to LSL",
            patience=START,
            hang=HANG,
            done=DONE,
            begun=lambda: None,
            stop=stop,
        )

    keeping = threading.Thread(target=run, name="keep outlet")
    keeping.start()
    try:
        yield
    finally:
        stop.set()
        keeping.join()
