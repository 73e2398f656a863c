"""Receive what a replay sends, with plain pylsl inlets in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pylsl
from numpy.typing import NDArray
from pylsl.util import LostError

__all__ = ["Received", "receive"]


class Received:
    """Everything that came through one inlet, until `n_times` samples or the stream is lost."""

    def __init__(self, info: pylsl.StreamInfo, n_times: int) -> None:
        self.inlet = pylsl.StreamInlet(info, recover=False)
        self.info = self.inlet.info(10)
        self.rows: list[list[float] | list[str]] = []
        self.t: list[float] = []
        self.arrived: list[float] = []
        self._n_times = n_times
        self._thread = threading.Thread(target=self._receive)

    def start(self) -> None:
        self.inlet.open_stream(10)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()

    @property
    def data(self) -> NDArray[np.float64]:
        return np.array(self.rows)

    @property
    def stamps(self) -> NDArray[np.float64]:
        return np.array(self.t)

    def _receive(self) -> None:
        try:
            while len(self.rows) < self._n_times:
                rows, stamps = self.inlet.pull_chunk(10, 4096, min_samples=1)
                if not stamps:
                    return
                now = pylsl.local_clock()
                self.rows += rows
                self.t += stamps
                self.arrived += [now] * len(stamps)
        except LostError:
            pass


def receive(play: Callable[[], object], n_times: dict[str, int]) -> dict[str, Received]:
    """Run `play` in a thread and receive so many samples of each stream, by its source_id.

    `play` must wait for receivers; streams without a rate are opened first.
    """
    thread = threading.Thread(target=play)
    thread.start()
    got = {}
    for source_id, n in n_times.items():
        (info,) = pylsl.resolve_byprop("source_id", source_id, timeout=20)
        got[source_id] = Received(info, n)
    for received in sorted(got.values(), key=lambda r: r.info.nominal_srate()):
        received.start()
    thread.join(60)
    assert not thread.is_alive()
    for received in got.values():
        received.join()
    return got
