"""Make `decoder/golden/things.jsonl`, which `braincast mock` serves: `python -m docs.golden`.

A real service decodes a simulated participant whose signal suffers all that can happen to one;
what a client gets is written down as it comes, with the service's description before it.
"""

from __future__ import annotations

import base64
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from decoder.config import Config
from decoder.demo import Demo
from decoder.folder import create_folder
from decoder.listening import listen
from decoder.script import GOLDEN
from decoder.server.auth import Access
from decoder.service import Service
from decoder.simulation import live_participant
from streaming.ingest import Fed
from streaming.link import Hello
from streaming.link_feed import LinkFeed
from streaming.signal import Chunk, Gap, Impedance, Marker, Revision, SourceState
from streaming.sources.simulated import SimulatedSettings
from streaming.sources.source import Item

SETTINGS = SimulatedSettings(n_channels=16, soa=1.2)
N_CALIBRATION = 1000
N_TRIALS = 32
SIGNAL_SECONDS = 3.0
TOKEN = "golden"
T0 = 1000.0
"""What the clock reads at the start, in seconds."""


def troubled(  # noqa: C901, PLR0912 - one for each kind of trouble
    items: Iterator[Item], t0: float
) -> Iterator[Item]:
    """Let happen to a signal what can; its own times are from 0, those given from `t0`."""
    segment, lost, anchor = (
        0,
        0,
        0,
    )  # samples that its segments began with, and that are missing
    sfreq = SETTINGS.sfreq
    at = {name: round(t * sfreq) for name, t in TROUBLES.items()}
    for item in items:
        if isinstance(item, SourceState):
            yield replace(item, t=item.t + t0)
        elif isinstance(item, Marker):
            place = item.sample - anchor
            yield Marker(item.label, item.t + t0, segment, max(place, 0))
        elif isinstance(item, Chunk):
            first, stop = item.first, item.first + item.n_times
            here = {name for name, sample in at.items() if first <= sample < stop}
            t = t0 + item.t0
            if at["lost"] <= first < at["found"]:
                lost += item.n_times
                continue
            if lost:
                yield Gap(t - lost / sfreq, lost / sfreq, "lost")
                segment, anchor, lost = segment + 1, first, 0
            if "impedance" in here:
                names = item.spec.ch_names
                yield Impedance(names, tuple(4000.0 + 500 * i for i in range(len(names))), t)
            if "unknown marker" in here:
                yield Marker("cough", t, segment, first - anchor)
            if "revision" in here:
                place = first - anchor
                yield Revision(segment, place - 200, place - 180, t - 200 / sfreq, 2)
            if "filled" in here:
                yield Gap(t, 3 / sfreq, "filled")
            if "stalled" in here:
                yield SourceState("stalled", t, "no samples for 2 s")
                yield SourceState("live", t, "samples come again")
            if "overrun" in here:
                continue
            data = item.data
            if "no number" in here:
                data = np.where(np.arange(data.shape[0])[:, None] == 0, np.nan, data)
            yield Chunk(
                data.astype(np.float32), item.spec, segment, first - anchor, t0 + anchor / sfreq
            )


TROUBLES = {
    "impedance": 4.0,
    "unknown marker": 9.0,
    "no number": 14.0,
    "filled": 17.0,
    "lost": 20.0,
    "found": 20.4,
    "revision": 24.0,
    "stalled": 31.0,
    "overrun": 34.0,
}
"""What happens, and when, in seconds from the first sample."""


class Feed:
    """Hands a service the items when they are due, from when it is let begin."""

    n_dropped = 0

    def __init__(self) -> None:
        self._source = live_participant(SETTINGS, n_trials=N_TRIALS)
        self._began = time.monotonic()
        self._items: Iterator[Item] | None = None
        self._row = 0
        self.ended = False
        self.begin = threading.Event()
        self.hello = Hello(self._source.name, self._source.spec, self._source.to_si)

    def clock(self) -> float:
        """Return the time, in seconds."""
        return T0 + time.monotonic() - self._began

    def get(self, timeout: float) -> Fed | None:
        """Return the next item once it is due."""
        if not self.begin.wait(timeout):
            return None
        if self._items is None:
            raw = iter(lambda: self._source.read(0.0), None)
            self._items = troubled(cast("Iterator[Item]", raw), self.clock())
        item = next(self._items, None)
        if item is None:
            self.ended = True
            return None
        due = item.t_end if isinstance(item, Chunk) else item.t
        time.sleep(max(0.0, due - self.clock()))
        row, self._row = self._row, self._row + (item.n_times if isinstance(item, Chunk) else 0)
        return Fed(item, row, self.clock())


def ask(ws: ClientConnection, method: str, **params: Any) -> None:
    """Send a request."""
    ws.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))


def about(url: str) -> str:
    """Return the line that describes the session."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    session = httpx.get(f"{url}/v1/session", headers=headers).raise_for_status().json()
    candidates = httpx.get(f"{url}/v1/candidates", headers=headers).raise_for_status().json()
    params = {"about": session, "candidates": candidates}
    return _dumps({"jsonrpc": "2.0", "method": "session", "params": params})


def _dumps(message: object) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def lines(url: str, feed: Feed) -> Iterator[str]:
    """Yield what a client gets, as lines."""
    yield about(url)
    with connect(f"ws://{url.removeprefix('http://')}/v1/ws", compression=None) as ws:
        ask(ws, "authorize", token=TOKEN)
        streams = ["text", "markers", "quality", "state", "latency", "signal"]
        ask(ws, "subscribe", streams=streams)
        ws.recv(), ws.recv()
        feed.begin.set()
        signal_until = marked = None
        try:
            for frame in ws:
                if isinstance(frame, str):
                    if '"method"' in frame:
                        yield frame
                    if marked is None and '"method":"quality"' in frame:
                        marked = True
                        name = feed.hello.spec.ch_names[-1]
                        ask(ws, "markBad", ch_names=[name], bad=True)
                        ask(ws, "markBad", ch_names=[name], bad=False)
                    continue
                n = int.from_bytes(frame[:4], "big")
                header = json.loads(frame[4 : 4 + n])
                signal_until = signal_until or header["t0"] + SIGNAL_SECONDS
                if header["t0"] < signal_until:
                    data = base64.b64encode(frame[4 + n :]).decode()
                    params = {**header, "base64": data}
                    yield _dumps({"jsonrpc": "2.0", "method": "signal", "params": params})
        except ConnectionClosed as closed:
            if closed.rcvd is None or closed.rcvd.code != 1012:
                raise


def main() -> None:
    """Make the file."""
    with tempfile.TemporaryDirectory() as temporary, closing(listen("127.0.0.1", 0)) as sock:
        root = Path(temporary)
        evaluation = Demo(SETTINGS, N_CALIBRATION, root).calibrate(lambda *_: None)
        print(evaluation)
        config = Config(
            simulated={"snr": SETTINGS.snr, "subject_seed": 1, "session_seed": 1},
        )
        folder = create_folder(root / "sessions", "golden-things", config, root / "model")
        feed = Feed()
        service = Service(config, folder, cast("LinkFeed", feed), Access(TOKEN), sock)
        thread = threading.Thread(target=service.run)
        thread.start()
        GOLDEN.write_text("".join(f"{line}\n" for line in lines(service.url, feed)), "utf-8")
        thread.join()
    print(GOLDEN, GOLDEN.stat().st_size)


if __name__ == "__main__":
    main()
