"""The real server with a script behind it instead of a session.

It shows the page what a healthy session cannot be made to say on demand: losses, late decodes,
refusals, hostile text. `python -m tests.e2e.pagemock` runs trials for a look at it.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from decoder.control import MarkBad
from decoder.events import (
    Event,
    ImagePreview,
    Latency,
    MarkerSeen,
    Quality,
    Ranked,
    Running,
    Signal,
    State,
    TextDecoded,
    Truth,
)
from decoder.finished import Sessions
from decoder.preview_worker import encodings
from decoder.server.auth import Access
from decoder.server.backend import Backend
from decoder.server.hub import Hub, Message
from decoder.server.listener import Server
from decoder.server.wire import encode, encode_signal, stream_of
from decoder.tokens import TokenFile
from streaming.lsl_clock import lsl_clock
from streaming.signal import ChannelQuality, Marker
from tests.decoder.controlled import Controlled

__all__ = ["POOL", "THINGS", "PageMock", "main"]

SFREQ = 125.0
FRAME = 0.048
"""Seconds of each frame of the signal; six samples."""

POOL = 300
THINGS = [
    ("dog", "🐕"), ("cat", "🐈"), ("rocket", "🚀"), ("apple", "🍎"), ("violin", "🎻"),
    ("bicycle", "🚲"), ("mushroom", "🍄"), ("umbrella", "☂️"), ("elephant", "🐘"),
    ("hot air balloon", "🎈"), ("key", "🔑"), ("whale", "🐋"),
]  # fmt: skip


@dataclass
class PageMock:
    """What a session would say, said by a test.

    Parameters
    ----------
    session : str
        Name of the session.
    n_channels : int
        Channels of the signal.
    open_viewer : bool
        Whether the page is let in without the token, as in the demo.
    signal : bool
        Whether the signal flows; may be switched while serving.
    token : str
        Makes the page the operator.
    tokens : TokenFile or None
        Others.
    marked : list of MarkBad
        What the page said of channels.
    sessions : Sessions
        Those that are over.
    """

    session: str = "S1"
    n_channels: int = 32
    open_viewer: bool = True
    signal: bool = True
    token: str = "token-of-the-test"
    tokens: TokenFile | None = None
    marked: list[MarkBad] = field(default_factory=list)
    sessions: Sessions = field(default_factory=lambda: Sessions(None, ""))
    _hub: Hub = field(default_factory=Hub)
    _seq: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _loop: asyncio.AbstractEventLoop | None = None

    def about(self) -> dict[str, Any]:
        """Return the description of the session."""
        names = [f"E{i + 1}" for i in range(self.n_channels)]
        turns = 2.4 * np.arange(self.n_channels)  # as the seeds of a sunflower
        radius = np.sqrt(np.linspace(0.02, 1.0, self.n_channels))
        places = np.stack([radius * np.sin(turns), radius * np.cos(turns)], axis=1)
        return {
            "session": self.session,
            "protocol": "1",
            "started": 0.0,
            "source": {"name": "mock", "sfreq": 250.0, "ch_names": names},
            "signal": {"sfreq": SFREQ, "ch_names": names, "units": ["V"] * len(names)},
            "sensors": {"ch_names": names, "places": places.round(2).tolist()},
            "simulated": {"snr": "easy", "subject_seed": 1},
            "latency_from": "LSL timestamp",
            "model": {
                "id": "m",
                "space": "labels",
                "protocol": "closed_set",
                "windowing": {},
                "scores": {},
            },
            "candidates": {"n": POOL, "hash": "c"},
        }

    def emit(self, event: Event, t_emit: float | None = None) -> None:
        """Publish an event; `t_emit` pretends that it was sent at another time."""
        now = lsl_clock()
        body = encode(event, next(self._seq), now if t_emit is None else t_emit)
        retain = event.what if isinstance(event, State) else ""
        self._publish(Message(stream_of(event), body, now, retain))

    def picture(self, number: int, *, step: int = 4, kind: str = "generated") -> None:
        """Say that a decode was pictured."""
        colour = np.zeros((64, 64, 3), np.uint8) + np.array([40 * step, 90, 160], np.uint8)
        name = f"{self.session}/locked/{number}"
        about = (
            "braincast-preview",
            "c0ffee",
            "braincast-preview" if kind != "retrieved" else "dog",
        )
        size = 64, 64, "sha"
        event = ImagePreview(
            name, step - 1, kind, step, 4, step == 4, 1, *about, *size, 0.0, 1.0, 1.1, None
        )
        now = lsl_clock()
        body = encode(event, next(self._seq), now)
        self._publish(Message("image", body, now, pictures=encodings(colour)))

    def state(self, what: str, state: str, detail: str = "") -> None:
        """Say how the source, the recorder or the decoder is."""
        self.emit(State(what, state, lsl_clock(), detail))

    def judge(self, *verdicts: str) -> None:
        """Say how the first channels are."""
        names = tuple(self.about()["signal"]["ch_names"][: len(verdicts)])
        ones = (1e-6,) * len(verdicts)
        channels = ChannelQuality(verdicts, ones, ones)
        self.emit(Quality(0, 0, lsl_clock(), names, channels, (), refused=False))

    def _mark(self, control: MarkBad) -> str:
        self.marked.append(control)
        return ""

    def show(self, i: int, **changes: Any) -> None:
        """Show `THINGS[i]` to the participant."""
        text, glyph = THINGS[i]
        seen = MarkerSeen(Marker(text, lsl_clock(), 0, 0), "stimulus", text, text, glyph)
        self.emit(replace(seen, **changes))

    def decode(
        self, shown: int, ranked: list[int], t_emit: float | None = None, **changes: Any
    ) -> None:
        """Decode a trial: `THINGS[shown]` was shown, `ranked` are the best, best first."""
        now = lsl_clock()
        text, glyph = THINGS[shown]
        rank = ranked.index(shown) + 1 if shown in ranked else 37
        decoded = TextDecoded(
            decode_id=f"{self.session}/locked/{next(self._seq)}",
            top=tuple(
                Ranked(THINGS[i][0], THINGS[i][0], 0.42 / 2**k, THINGS[i][1])
                for k, i in enumerate(ranked)
            ),
            n_candidates=POOL,
            calibrated=True,
            candidates_hash="c",
            model_id="m",
            segment=0,
            first=0,
            n_times=200,
            t_start=now - 0.81,
            t_end=now - 0.01,
            truth=Truth(text, text, glyph, rank, trained=True),
        )
        self.emit(replace(decoded, **changes), t_emit)

    def _publish(self, message: Message) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._hub.publish, message)

    async def _flow(self) -> None:
        """Send the signal as it would come: noise with alpha, twenty frames a second."""
        rng = np.random.default_rng(0)
        rows = np.arange(self.n_channels)[:, None]
        t0 = lsl_clock()
        while True:
            await asyncio.sleep(max(0.0, t0 + FRAME - lsl_clock()))
            t = t0 + np.arange(round(FRAME * SFREQ)) / SFREQ
            alpha = (1 + np.sin(t0 + rows)) * np.sin(2 * np.pi * 10 * t + rows / 5)
            data = 5e-6 * alpha + rng.normal(scale=3e-6, size=alpha.shape)
            if self.signal:
                body = encode_signal(Signal(data.astype(np.float32), t0, SFREQ))
                self._hub.publish(Message("signal", body, lsl_clock()))
            t0 += FRAME

    def wait(self) -> None:
        """Wait until a page has subscribed."""
        deadline = time.monotonic() + 60
        while not (self._hub.wants("text") and self._hub.wants("signal")):
            assert time.monotonic() < deadline, "no page subscribed"
            time.sleep(0.01)

    @contextmanager
    def serving(self, port: int = 0) -> Iterator[str]:
        """Serve in a thread, on a free port if none is named; gives the page's address."""
        listening = socket.create_server(("127.0.0.1", port))
        port = listening.getsockname()[1]
        controller = Controlled(self._hub).controller
        controller.mark_bad = self._mark  # type: ignore[method-assign]
        backend = Backend(
            hub=self._hub,
            access=Access(self.token, open_viewer=self.open_viewer, tokens=self.tokens),
            session_id=self.session,
            describe=self.about,
            candidates=list,
            not_ready=str,
            steering=controller,
            clock=lsl_clock,
            events=Path("no-log"),
            sessions=self.sessions,
        )
        server = Server(backend)
        started = threading.Event()

        async def run() -> None:
            self._loop = asyncio.get_running_loop()
            flow = asyncio.create_task(self._flow())
            started.set()
            await server.serve(sockets=[listening])
            flow.cancel()

        thread = threading.Thread(target=lambda: asyncio.run(run()))
        thread.start()
        started.wait()
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.should_exit = True
            thread.join()


def main() -> None:
    """Run trials for ever."""
    mock, rng = PageMock(), random.Random(1)
    stages = {"acquire": (8.2, 12.0, 14.0), "queue": (0.2, 0.4, 1.0), "decode": (1.4, 2.0, 3.0)}
    with mock.serving(8123) as url:
        print(url)
        for n in itertools.count(1):
            mock.wait()
            shown = rng.randrange(len(THINGS))
            mock.show(shown)
            time.sleep(0.8)
            running = (
                Running("closed_set", n, POOL, 0.2, 0.1, 0.35, 0.5, 6.0),
                Running("zero_shot", n, POOL, 0.03, 0.01, 0.08, 0.12, 40.0),
            )
            mock.decode(shown, rng.sample(range(len(THINGS)), 5), running=running)
            mock.emit(Latency(stages | {"total": (10.4, 15.0, 19.0)}, n, 0, 0))
            time.sleep(0.5)


if __name__ == "__main__":
    main()
