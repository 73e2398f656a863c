"""A running decoder: the session in a thread, the network on the event loop."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from decoder.config import Config
from decoder.console import stop_signals
from decoder.control import Recentre, Refit
from decoder.controller import Controller
from decoder.events import ImagePreview, LatentMade, State, TextDecoded
from decoder.finished import Sessions
from decoder.folder import SessionFolder, write_manifest
from decoder.journal import Journal
from decoder.listening import url_of
from decoder.log import EventLog
from decoder.previewer import Previewer
from decoder.previews import FOLDER
from decoder.readiness import not_alive, not_ready
from decoder.refitting import Learner
from decoder.resume import BEGINNING, Resumption
from decoder.runtime import Audience, Runtime
from decoder.server.audit import AuditLog
from decoder.server.auth import Access
from decoder.server.backend import Backend
from decoder.server.certificate import certificate_of
from decoder.server.hub import Hub, Message
from decoder.server.listener import Server
from decoder.server.metrics import Levels, Metrics
from decoder.server.wire import PROTOCOL
from decoder.session import Session
from decoder.shelf import Shelf
from decoder.uncertainty import uncertainty_of
from models.checkpoint import Model
from streaming.link_feed import LinkFeed
from streaming.scalp import on_scalp

__all__ = ["Service"]

SHUTDOWN = 5
"""Seconds that threads and clients get to end."""


class Service:
    """Decodes what an ingest delivers, and serves it.

    Parameters
    ----------
    config : Config
        All settings.
    folder : SessionFolder
        Of the session, with its model; if it was begun before, the session goes on.
    feed : LinkFeed
        Where samples come from.
    access : Access
        Who may connect.
    sock : socket
        Where to listen, from `decoder.listening.listen`.
    before : Resumption
        Where the session goes on from, from `decoder.resume.resume`.

    Raises
    ------
    BraincastError
        If the model cannot be used, or not with this stream.
    """

    def __init__(
        self,
        config: Config,
        folder: SessionFolder,
        feed: LinkFeed,
        access: Access,
        sock: socket.socket,
        before: Resumption = BEGINNING,
    ) -> None:
        self._config = config
        self._folder = folder
        self._source = feed
        self._device_delay = config.timing.device_delay if config.timing else None
        self._access = access
        self._started = time.time()
        self._socket = sock
        shelf = Shelf(folder)
        self._session = Session(
            shelf.first(),
            feed.hello.spec,
            folder.session_id,
            config.session.freshness,
            before.start,
            uncertainty_of(config.session),
            config.session.design,
        )
        self._places = on_scalp(self._session.markable, feed.hello.spec)
        self._hub = Hub(before.last_seq, before.purged)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._t_turn: float | None = None
        self._n_published = self._n_delivered = 0
        self._audit = AuditLog(folder.path / "audit.jsonl")
        self._metrics = Metrics(self._session.model.model_id, self._levels)
        self._learner: Learner | None = None
        self._previewer: Previewer | None = None
        self._error: BaseException | None = None
        write_manifest(folder, feed.hello, config)
        self.runtime = Runtime(
            self._session,
            feed,
            Journal(folder.inputs),
            EventLog(
                folder.events,
                self._publish,
                feed.clock,
                before.last_seq,
                observe=self._metrics.observe,
            ),
            Audience(
                self._hub.wants,
                self._on_session,
                self._on_decode,
                on_withheld=self._on_withheld,
                on_withdrawn=self._on_withdrawn,
                previews=self._previews,
            ),
            feed.clock,
            before.place,
            self._device_delay,
        )
        if config.preview.generator:
            model = self._session.model
            self._previewer = Previewer(
                config.preview,
                model.space,
                shelf.first().centre,
                folder.path / FOLDER,
                feed.clock,
                self.runtime.say,
            )
        self.runtime.begin(before.start)
        for control in before.controls:
            self.runtime.control(control, held=True)
        if before is BEGINNING and config.adaptation.recentre:
            self.runtime.control(Recentre(on=True))
        self._controller = Controller(
            self._session,
            self.runtime.control,
            feed,
            self._hub,
            folder,
            shelf,
            config.session,
            before.controls,
        )
        self._controller.learn_from = learn_from = config.adaptation.learn_from
        if before is BEGINNING and config.adaptation.refit:
            self._controller.set_refit(Refit(on=True, learn_from=learn_from))
        self._shelf = shelf
        self._backend = self._make_backend()
        self._server = Server(self._backend, certificate_of(config.server))

    @property
    def url(self) -> str:
        """Where the page is."""
        return url_of(self._socket)

    def run(
        self,
        on_start: Callable[[], None] = lambda: None,
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        """Serve until stopped, by `stop`, Ctrl-C, SIGTERM or SIGHUP, or until ingest ends.

        Parameters
        ----------
        on_start : callable
            Called once clients can connect: the socket has been listening since it was made.
        on_beat : callable
            Called about once a second as long as decoding and network both go on.
        """
        with self._signals():
            # With Python's own 5 ms the decoder waits up to 2 to 4 times as long for the
            # interpreter while the network has much to do (p95 of a wake-up).
            sys.setswitchinterval(0.0005)
            asyncio.run(self._run(on_start, on_beat))
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

    async def _run(self, on_start: Callable[[], None], on_beat: Callable[[], None]) -> None:
        self._loop = loop = asyncio.get_running_loop()
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))

        def beat() -> None:
            self._t_turn = time.monotonic()
            _call_soon(loop, on_beat)

        def decode() -> None:
            try:
                self.runtime.run(beat)
            except BaseException as error:  # noqa: BLE001 - raised again by run
                self._error = error
            finally:
                self.stop()

        self._controller.on_refit = self._begin_to_learn
        if self._controller.refits:
            self._begin_to_learn()
        thread = threading.Thread(target=decode, name="decode")
        thread.start()
        watching = asyncio.create_task(self._controller.watch_file())
        try:
            on_start()
            await serving
        finally:
            watching.cancel()
            self._controller.close()
            self.runtime.stop()
            await asyncio.to_thread(thread.join, SHUTDOWN)
            if self._learner is not None:
                await asyncio.to_thread(self._learner.close)
            if self._previewer is not None:
                await asyncio.to_thread(self._previewer.close)
                self.runtime.drop()
            self._audit.close()

    def _on_session(self, state: State) -> None:
        """Follow what the session is doing; called where the session is fed."""
        if self._previewer is not None and state.state == "decoding":
            self._previewer.go_on()
        elif self._previewer is not None:
            self._previewer.halt()
        self._on_loop(self._controller.follow, state)

    def _begin_to_learn(self) -> None:
        if self._learner is None:
            recorded = self._source.hello.recording.rpartition("/")[0]  # if elsewhere
            self._learner = Learner(
                self._folder,
                self._on_learnt,
                recorded or self._folder.session_id,
                decodes=self._config.adaptation.learn_from == "decodes",
            )

    def _on_decode(self, decoded: TextDecoded, made: LatentMade) -> None:
        if self._previewer is not None:
            # On the event loop, behind the text: that goes out first.
            self._on_loop(self._previewer.offer, decoded, made, self._source.clock())
        if self._learner is not None and self._controller.refits:
            self._learner.offer(decoded, made)

    def _on_withheld(self, _: TextDecoded) -> None:
        if self._previewer is not None:
            self._on_loop(self._previewer.supersede)

    def _on_withdrawn(self, event: ImagePreview) -> None:
        if self._previewer is not None:
            self._previewer.withdraw(event)

    def _previews(self) -> dict[str, int]:
        return {} if self._previewer is None else self._previewer.counts

    def _on_learnt(self, state: str, detail: str, model_id: str) -> None:
        """Pass on what a refit came to; called in a thread of its own, to load the model."""
        model = self._shelf.model(model_id) if model_id else None
        self._on_loop(self._controller.adapted, state, detail, model)

    def _on_loop(self, function: Callable[..., None], *args: Any) -> None:
        if self._loop is not None:
            _call_soon(self._loop, function, *args)

    def _publish(self, message: Message) -> None:
        self._n_published += 1  # by the decoder's thread; what is delivered, by the loop
        self._on_loop(self._deliver, message)

    def _deliver(self, message: Message) -> None:
        self._n_delivered += 1
        self._hub.publish(message)

    def _make_backend(self) -> Backend:
        return Backend(
            hub=self._hub,
            access=self._access,
            session_id=self._folder.session_id,
            describe=self.describe,
            candidates=self._candidates,
            picture=self._picture,
            not_ready=self._not_ready,
            steering=self._controller,
            clock=self._source.clock,
            events=self._folder.events,
            not_alive=lambda: not_alive(self._t_turn, time.monotonic()),
            models=self._models,
            sessions=Sessions(self._config.session.record, self._folder.session_id),
            scrape=self._metrics.render,
            audit=self._audit,
        )

    def _levels(self) -> Levels:
        peers = tuple(self._backend.peers)
        return Levels(
            ready=self.ready,
            clients=Counter(peer.role or "none" for peer in peers),
            queues={
                "ingest": self._source.n_waiting,
                "controls": self.runtime.n_controls,
                "events": self._n_published - self._n_delivered,
                "candidates": self._controller.n_waiting,
                "clients": max((peer.client.n_queued for peer in peers), default=0),
            }
            | ({} if self._learner is None else {"refit": self._learner.n_waiting})
            | ({} if self._previewer is None else {"previews": self._previewer.n_waiting}),
            samples_dropped={"overrun": self._source.n_dropped, **self.runtime.dropped},
            missed=self._hub.n_missed + sum(peer.client.n_missed for peer in peers),
            too_slow=self._hub.n_too_slow,
            previews=self._previews(),
        )

    def describe(self) -> dict[str, Any]:
        """Return what ``/v1/session`` answers."""
        candidates = self._session.candidates
        shown = self._session.signal_spec
        return {
            "session": self._folder.session_id,
            "protocol": PROTOCOL,
            "started": self._started,
            "source": {
                "name": self._source.hello.name,
                "sfreq": self._source.hello.spec.sfreq,
                "ch_names": list(self._source.hello.spec.ch_names),
            },
            "signal": {
                "sfreq": shown.sfreq,
                "ch_names": list(shown.ch_names),
                "units": list(shown.units),
            },
            "sensors": {
                "ch_names": list(self._session.markable),
                "places": list(self._places),
            },
            "clients": dict(
                sorted(Counter(peer.role for peer in self._backend.peers if peer.role).items())
            ),
            "simulated": self._config.simulated,
            "latency_from": "LSL timestamp" if self._device_delay is None else "electrode",
            "state": self._controller.state,
            "blind": self._controller.blind,
            "preview": self._previewer.describe() if self._previewer is not None else None,
            "uncertainty": asdict(self._session.doubt.asked)
            | {"no_set": self._session.doubt.no_set, "no_stop": self._session.doubt.no_stop},
            "model": _about(self._session.model),
            "candidates": {
                "n": len(candidates),
                "hash": candidates.hash,
                "version": candidates.version,
            },
        }

    def _models(self) -> list[dict[str, Any]]:
        return [
            _about(served.model)
            | {"name": served.name, "active": served.active, "refused": served.refused}
            for served in self._controller.models()
        ]

    def _candidates(self) -> list[dict[str, Any]]:
        c = self._session.candidates
        rows = zip(c.ids, c.texts, c.glyphs, c.trained, strict=True)
        keys = ("id", "text", "glyph", "trained")
        pictures = c.pictures or (b"",) * len(c)
        return [
            dict(zip(keys, row, strict=True)) | {"picture": bool(picture)}
            for row, picture in zip(rows, pictures, strict=True)
        ]

    def _picture(self, candidate_id: str) -> bytes:
        return self._session.candidates.picture(candidate_id)

    @property
    def simulated(self) -> dict[str, str | int] | None:
        """Who is simulated; None for a real participant."""
        return self._config.simulated

    @property
    def ready(self) -> bool:
        """Whether decodes can be expected now."""
        return not self._not_ready()

    def _not_ready(self) -> str:
        state = self._controller.state
        if state != "decoding":
            return f"the session is {state}"
        return not_ready(self.runtime.states)


def _call_soon(
    loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: Any
) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function, *args)


def _about(model: Model) -> dict[str, Any]:
    return {
        "id": model.model_id,
        "space": model.space,
        "protocol": model.protocol,
        "windowing": model.windowing.to_json(),
        "scores": model.scores,
    }
