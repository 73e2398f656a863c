"""Serves what a session said over the real wire, without a signal, LSL or a model."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from decoder.events import Event
from decoder.lines import LineFile
from decoder.listening import url_of
from decoder.log import purges, retained
from decoder.mock_steering import MockSteering
from decoder.previews import FOLDER, save
from decoder.script import Line, Script
from decoder.server.auth import Access
from decoder.server.backend import Backend
from decoder.server.hub import Hub, Message
from decoder.server.listener import Server
from decoder.server.wire import STREAMS, encode, stream_of

__all__ = ["LEAD", "Mock"]

LEAD = 0.3
"""Seconds from the first subscription to the first event, in which others may be made."""

LOOK = 0.01
"""Seconds between two looks at whether anybody has subscribed."""


class Mock:
    """Says the lines of a script, from the moment that a client subscribes.

    The app, the hub and the connections are those of a service, and the bytes of each event
    those that it sent. It goes on serving after the last line, until it is stopped.

    Parameters
    ----------
    script : Script
        What to say.
    sock : socket
        Where to listen, from `decoder.listening.listen`.
    access : Access
        Who may connect.
    speed : float
        How much faster than the session was.

    Attributes
    ----------
    n_said : int
        Lines that were said so far.
    """

    def __init__(
        self, script: Script, sock: socket.socket, access: Access, speed: float = 1.0
    ) -> None:
        self.n_said = 0
        self._script = script
        self._socket = sock
        self._access = access
        self._speed = speed
        self._hub = Hub()
        self._server: Server | None = None
        self._began: float | None = None
        self._stopped = False
        self._log: LineFile | None = None
        self._n_emitted = 0

    @property
    def url(self) -> str:
        """Where the page is."""
        return url_of(self._socket)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def clock(self) -> float:
        """Return the time of the session: it stands until somebody subscribes, then runs.

        So a client that subscribes at once knows how old each event is.
        """
        t0 = self._script.lines[0].t if self._script.lines else 0.0
        return t0 - LEAD if self._began is None else t0 + time.monotonic() - self._began

    def run(self, on_start: Callable[[], None] = lambda: None) -> None:
        """Serve until stopped; `on_start` is called once clients can connect."""
        with tempfile.TemporaryDirectory(prefix="braincast-mock-") as folder:
            asyncio.run(self._run(Path(folder) / "events.jsonl", on_start))

    def stop(self) -> None:
        """Make `run` return; any thread may call it."""
        self._stopped = True
        if self._server is not None:
            self._server.should_exit = True

    async def _run(self, log: Path, on_start: Callable[[], None]) -> None:
        script, hub = self._script, self._hub
        for line in script.lines:
            if line.file:  # given out again to clients that resume
                save(log.parent / FOLDER, line.file, line.pictures["png"])
        with closing(LineFile(log)) as file:
            self._log = file
            channels = script.about.get("source", {}).get("ch_names", ())
            steering = MockSteering(hub, self._emit, self.clock, script.candidates, channels)
            backend = Backend(
                hub=hub,
                access=self._access,
                session_id=script.session_id,
                describe=lambda: script.about | {"state": steering.state},
                candidates=lambda: list(steering.candidates.rows),
                not_ready=str,
                steering=steering,
                clock=self.clock,
                events=log,
            )
            self._server = Server(backend)
            self._server.should_exit = self._stopped
            playing = asyncio.create_task(self._play(steering.going))
            on_start()
            await self._server.serve(sockets=[self._socket])
            playing.cancel()
            await asyncio.wait([playing])

    async def _play(self, going: asyncio.Event) -> None:
        # Looked for, since the hub is the service's own, and tells nobody who comes.
        while not any(self._hub.wants(stream) for stream in STREAMS):  # noqa: ASYNC110
            await asyncio.sleep(LOOK)
        began = self._began = time.monotonic() + LEAD
        lines = self._script.lines
        for line in lines:
            due = began + (line.t - lines[0].t) / self._speed
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if not going.is_set():
                stopped = time.monotonic()
                await going.wait()
                began += time.monotonic() - stopped
            self._say(line)

    def _say(self, line: Line) -> None:
        body, seq = line.body, line.seq
        if seq and isinstance(body, str):
            seq += self._n_emitted
            body = body.replace(f'"seq":{line.seq},', f'"seq":{seq},', 1)
        self._publish(
            Message(
                line.stream,
                body,
                self.clock(),
                line.retain,
                seq,
                purges=line.purges,
                pictures=line.pictures,
            )
        )
        self.n_said += 1
        if line.breaks == "1013":
            for client in self._hub.clients:
                client.overflow()
        elif line.breaks == "drop" and self._server is not None:
            for connection in self._server.server_state.connections:
                if connection.transport is not None:
                    connection.transport.abort()

    def _emit(self, event: Event) -> None:
        """Say what is not in the script; what follows there is numbered on."""
        self._n_emitted += 1
        seq, now, stream = self._hub.last_seq + 1, self.clock(), stream_of(event)
        body, retain = encode(event, seq, now), retained(event)
        self._publish(Message(stream, body, now, retain, seq, purges=purges(event)))

    def _publish(self, message: Message) -> None:
        if message.seq and self._log is not None and isinstance(message.body, str):
            self._log.write(message.body)
        self._hub.publish(message)
