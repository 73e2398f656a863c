"""Sources to replay, and receivers of what is replayed."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pylsl
from numpy.typing import NDArray

from streaming.replay import publish
from streaming.signal import Chunk, Marker, SignalSpec, SourceState
from streaming.sources.faults import Schedule, parse_fault
from streaming.sources.playable import SourcePlayable
from streaming.sources.source import Item

__all__ = [
    "DATA",
    "LONG",
    "SPEC",
    "ListSource",
    "Received",
    "Receiver",
    "faults",
    "piece",
    "read_truth",
    "recorded",
]

SPEC = SignalSpec(200.0, ("Cz", "VEOG", "TRIG"), ("eeg", "eog", "stim"))
DATA = np.random.default_rng(0).standard_normal((3, 100)).astype(np.float32)
LONG = np.random.default_rng(1).standard_normal((3, 1600)).astype(np.float32)
LONG[2] = np.arange(1600)  # a counter: which sample it was


class ListSource:
    """A source of prepared items."""

    def __init__(self, items: list[Item]) -> None:
        self.name, self.spec, self.to_si = "list", SPEC, (1.0,)
        self._items = [*items, SourceState("ended", 0.0, "")]

    def read(self, timeout: float) -> Item | None:
        return self._items.pop(0)

    def close(self) -> None:
        pass


class Receiver:
    """Publishes in a thread and receives both streams with a plain pylsl inlet."""

    def __init__(self, items: list[Item], speed: float = 1.0, chunk_size: int = 16) -> None:
        self.name = uuid4().hex
        self.progress: list[float] = []
        self.n_sent = 0
        self.rate = 0.0
        self.stop = threading.Event()
        self._up = threading.Event()
        self._options = {"speed": speed, "chunk_size": chunk_size}
        self._thread = threading.Thread(target=self._publish, args=[ListSource(items)])
        self._thread.start()
        assert self._up.wait(10)
        self.signal = self._inlet(self.name)
        self.markers = self._inlet(f"{self.name} markers")

    def _publish(self, source: ListSource) -> None:
        self.n_sent = publish(
            source,
            name=self.name,
            wait_for_consumer=20,
            stop=self.stop,
            progress=self._progress,
            **self._options,  # type: ignore[arg-type]
        )

    def _progress(self, seconds: float) -> None:
        self.progress.append(seconds)
        self._up.set()

    def _inlet(self, name: str) -> pylsl.StreamInlet:
        (info,) = pylsl.resolve_byprop("name", name, timeout=10)
        self.rate = info.nominal_srate() or self.rate
        return pylsl.StreamInlet(info, recover=False)

    def receive(self, n_times: int, n_markers: int) -> Received:
        # markers first: the signal's inlet is what starts the sending
        self.markers.open_stream(10)
        self.signal.open_stream(10)
        rows: list[list[float]] = []
        stamps: list[float] = []
        arrived: list[float] = []
        while len(rows) < n_times:
            row, stamp = self.signal.pull_sample(10)
            assert row is not None
            rows.append(row)
            stamps.append(stamp)
            arrived.append(pylsl.local_clock())
        markers = [self.markers.pull_sample(10) for _ in range(n_markers)]
        self._thread.join(10)
        return Received(
            np.array(rows, np.float32).T,
            np.array(stamps),
            np.array(arrived),
            [(label[0], t) for label, t in markers],
        )


class Received:
    def __init__(
        self,
        data: NDArray[np.float32],
        stamps: NDArray[np.float64],
        arrived: NDArray[np.float64],
        markers: list[tuple[str, float]],
    ) -> None:
        self.data, self.stamps, self.arrived, self.markers = data, stamps, arrived, markers


def piece(start: int, stop: int, segment: int = 0, first: int | None = None) -> Chunk:
    first = start if first is None else first
    return Chunk(DATA[:, start:stop], SPEC, segment, first, 7.0 + (start - first) / 200.0)


def recorded(name: str) -> SourcePlayable:
    chunks: list[Item] = [
        Chunk(LONG[:, n : n + 100], SPEC, 0, n, 3.0) for n in range(0, 1600, 100)
    ]
    markers: list[Item] = [Marker(f"m{n}", 3.0 + n / 200.0, 0, n) for n in range(5, 1600, 200)]
    items = sorted(
        [*chunks, *markers], key=lambda i: i.t0 if isinstance(i, Chunk) else i.t - 0.5
    )
    return SourcePlayable(SPEC, lambda: ListSource(items), name, 8.0)


def faults(*texts: str) -> Schedule:
    return Schedule(tuple(parse_fault(text) for text in texts), seed=5)


def read_truth(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
