"""A running service: ingest and decoding in threads, the network on the event loop."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from decoder.config import Config, SourceConfig
from decoder.console import stop_signals
from decoder.folder import SessionFolder, create_folder, new_session_id, write_manifest
from decoder.journal import Journal
from decoder.log import EventLog
from decoder.runtime import Runtime
from decoder.server.app import build_app
from decoder.server.auth import Access
from decoder.server.connection import Backend
from decoder.server.hub import Hub, Message
from decoder.server.wire import PROTOCOL
from decoder.session import Session
from models.checkpoint import load_model
from streaming.errors import ConfigError
from streaming.fieldtrip_protocol import Address
from streaming.ingest import FeedQueue, Ingest
from streaming.lsl_clock import Clock, lsl_clock
from streaming.record import XdfWriter
from streaming.sources.lsl import LslSource
from streaming.sources.source import Source, Tap
from streaming.timing import TimedSource

__all__ = ["Service", "listen", "live_source"]

SEND_BUFFER = 65536
"""Bytes the kernel may hold for a client; its default hides seconds of stale messages."""

SHUTDOWN = 5
"""Seconds that threads and clients get to end."""

HANG_UP = 50
"""How often, 20 ms apart, it is looked whether all clients took what was sent to them."""


class _Server(uvicorn.Server):
    """Uvicorn without its handling of signals, which would end us before the recording is."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say goodbye to all clients, and hang up on those that take nothing."""
        connections = self.server_state.connections
        for connection in list(connections):
            connection.shutdown()
        for _ in range(HANG_UP):
            if not connections:
                break
            await asyncio.sleep(0.02)
        for connection in list(connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)  # in which they are gone
        await super().shutdown(sockets)


class Service:
    """One session with its server.

    Parameters
    ----------
    config : Config
        All settings.
    model : Path
        The model folder.
    open_source : callable
        Opens the source, given the tap that records it.
    access : Access
        Who may connect.
    sock : socket
        Where to listen, from `listen`.
    clock : Clock
        LSL's.

    Raises
    ------
    BraincastError
        If the model, the session's folder or the source cannot be used.
    """

    def __init__(
        self,
        config: Config,
        model: Path,
        open_source: Callable[[Tap | None], Source],
        access: Access,
        sock: socket.socket,
        clock: Clock = lsl_clock,
    ) -> None:
        self.session_id = new_session_id()
        self._config = config
        self._device_delay = config.timing.device_delay if config.timing else None
        self._access = access
        self._clock = clock
        self._started = time.time()
        self._model = load_model(model)
        self._socket = sock
        host, port = sock.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self.folder: SessionFolder | None = None
        recorder: XdfWriter | None = None
        root, freshness = config.session.record, config.session.freshness
        with ExitStack() as undo:  # what was begun, if a later step fails
            if root is not None:
                self.folder = create_folder(root, self.session_id, config, model)
                undo.callback(shutil.rmtree, self.folder.path)
                recorder = XdfWriter(self.folder.raw)
                undo.callback(recorder.close)
            source = open_source(recorder)
            undo.callback(source.close)
            if config.timing is not None:
                source = TimedSource(source, config.timing)
            self._source_name, self._spec = source.name, source.spec
            self._session = Session(self._model, source.spec, self.session_id, freshness)
            if self.folder is not None:
                write_manifest(self.folder, source.spec, source.to_si, config)
            undo.pop_all()
        queue = FeedQueue(source.spec.to_samples(config.session.max_lag))
        self._ingest = Ingest(source, recorder, queue, clock)
        self._hub = Hub()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server = _Server(self._uvicorn_config())
        self._error: BaseException | None = None
        self.runtime = Runtime(
            self._session,
            queue,
            Journal(self.folder.inputs) if self.folder else None,
            EventLog(self.folder.events if self.folder else None, self._publish, clock),
            lambda: self._hub.wants("signal"),
            clock,
            self._device_delay,
        )

    def run(self, on_start: Callable[[], None] = lambda: None) -> None:
        """Serve until stopped, by `stop`, Ctrl-C, SIGTERM or SIGHUP.

        Parameters
        ----------
        on_start : callable
            Called once clients can connect: the socket has been listening since it was made.
        """
        with self._signals():
            asyncio.run(self._run(on_start))
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Make `run` return; any thread may call it."""
        self._server.should_exit = True

    @contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = stop_signals()
        before = [signal.signal(number, lambda *_: self.stop()) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    async def _run(self, on_start: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        threads = [
            threading.Thread(target=self._guard, args=(work,), name=name)
            for name, work in (("ingest", self._ingest.run), ("decode", self.runtime.run))
        ]
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        for thread in threads:
            thread.start()
        try:
            on_start()
            await serving
        finally:
            self._ingest.stop()
            for thread in threads:
                await asyncio.to_thread(thread.join, SHUTDOWN)

    def _guard(self, work: Callable[[], None]) -> None:
        """Run a thread's work; when one ends, by an error or not, the service ends."""
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again by run
            self._error = self._error or error
        finally:
            self._ingest.stop()
            self.stop()

    def _publish(self, message: Message) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._hub.publish, message)

    def _uvicorn_config(self) -> uvicorn.Config:
        backend = Backend(
            hub=self._hub,
            access=self._access,
            session_id=self.session_id,
            describe=self.describe,
            candidates=self._candidates,
            not_ready=self._not_ready,
            clock=self._clock,
        )
        return uvicorn.Config(
            build_app(backend),
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=65536,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=2,
            server_header=False,
        )

    def describe(self) -> dict[str, Any]:
        """Return what ``/v1/session`` answers."""
        model = self._model
        shown = self._session.signal_spec
        return {
            "session": self.session_id,
            "protocol": PROTOCOL,
            "started": self._started,
            "source": {
                "name": self._source_name,
                "sfreq": self._spec.sfreq,
                "ch_names": list(self._spec.ch_names),
            },
            "signal": {"sfreq": shown.sfreq, "ch_names": list(shown.ch_names), "unit": "V"},
            "simulated": self._config.simulated,
            "latency_from": "LSL timestamp" if self._device_delay is None else "electrode",
            "model": {
                "id": model.model_id,
                "space": model.space,
                "protocol": model.protocol,
                "windowing": model.windowing.to_json(),
                "scores": model.scores,
            },
            "candidates": {"n": len(model.candidates), "hash": model.candidates.hash},
        }

    def _candidates(self) -> list[dict[str, Any]]:
        c = self._model.candidates
        rows = zip(c.ids, c.texts, c.glyphs, c.trained, strict=True)
        keys = ("id", "text", "glyph", "trained")
        return [dict(zip(keys, row, strict=True)) for row in rows]

    @property
    def simulated(self) -> dict[str, str | int] | None:
        """Who is simulated; None for a real participant."""
        return self._config.simulated

    @property
    def ready(self) -> bool:
        """Whether decodes can be expected now."""
        return not self._not_ready()

    def _not_ready(self) -> str:
        for what, good in (("source", "live"), ("decoder", "ready")):
            state = self.runtime.states.get(what)
            if state is None:
                return f"no word from the {what} yet"
            if state.state != good:
                return f"{what} is {state.state}: {state.detail}"
        return ""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; 0 takes a free port.

    Raises
    ------
    ConfigError
        If the address is taken, or is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    try:
        sock.bind((host, port))
        sock.listen()
    except OSError as error:
        sock.close()
        msg = f"cannot listen on {host} port {port} ({error.strerror}); choose with --port"
        raise ConfigError(msg) from error
    return sock


def live_source(config: SourceConfig) -> Callable[[Tap | None], Source]:
    """Return what opens the source of a configuration: LSL streams, or a FieldTrip buffer.

    Raises
    ------
    ConfigError
        If both are meant, the address is none, or a package is missing.
    """
    if config.address is not None:
        return _buffer_source(config, Address.parse(config.address))
    return lambda tap: LslSource.open(
        name=config.name,
        type=config.type,
        source_id=config.source_id,
        markers=config.markers or None,
        unit=config.unit,
        timeout=config.timeout,
        tap=tap,
    )


def _buffer_source(config: SourceConfig, address: Address) -> Callable[[Tap | None], Source]:
    if config.name or config.type or config.source_id or config.markers:
        msg = (
            f"{address} is a buffer: --name, --type, --source-id and --markers are for LSL; "
            f"leave them out"
        )
        raise ConfigError(msg)
    from streaming.sources.fieldtrip import FieldTripSource

    return lambda tap: FieldTripSource.open(
        address, unit=config.unit, timeout=config.timeout, tap=tap
    )
