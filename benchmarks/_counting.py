"""A stream whose last channel counts its samples, and its sender: a process of its own.

What was recorded can so be held against what was sent, sample by sample.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from streaming.lsl_clock import lsl_clock
from streaming.replay import publish
from streaming.signal import Chunk, SignalSpec, SourceState
from streaming.sources.faults import read_schedule
from streaming.sources.source import Item

__all__ = ["COUNTER", "CountingSource", "Sender", "counting_spec", "sending"]

COUNTER = "COUNT"

CHUNK = 10
"""Samples that are sent at once."""

_SPAWN = multiprocessing.get_context("spawn")


def counting_spec(spec: SignalSpec) -> SignalSpec:
    """Return a stream with one more channel, which counts."""
    return SignalSpec(spec.sfreq, (*spec.ch_names, COUNTER), (*spec.ch_types, "misc"))


class CountingSource:
    """Noise, and in the last channel the number of the sample: exact up to 2 ** 24.

    Parameters
    ----------
    spec : SignalSpec
        As from `counting_spec`.
    unit : float
        Standard deviation of the noise.
    n_times : int
        Number of samples.
    first : int
        Number of the first.
    go : Event or None
        What `read` waits for; None: nothing.
    """

    name = "counting"

    def __init__(
        self, spec: SignalSpec, unit: float, n_times: int, first: int = 0, go: Any = None
    ) -> None:
        self.spec = spec
        self.to_si = (1.0,) * len(spec.ch_names)
        rng = np.random.default_rng(first)
        noise = rng.standard_normal((100, len(spec.ch_names), CHUNK))
        self._noise = (unit * noise).astype(np.float32)
        self._n_times, self._first, self._n = n_times, first, 0
        self._go = go

    def read(self, timeout: float) -> Item | None:  # noqa: ARG002 - a source's
        """Return the next chunk; once let go, it does not wait."""
        if self._go is not None:
            self._go.wait()
        if self._n >= self._n_times:
            return SourceState("ended", self._n / self.spec.sfreq, "all was sent")
        data = self._noise[self._n // CHUNK % len(self._noise)].copy()
        data[-1] = self._first + self._n + np.arange(CHUNK)
        chunk = Chunk(data, self.spec, 0, self._n)
        self._n += CHUNK
        return chunk

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Somebody who sends.

    Parameters
    ----------
    process : Process
        To be waited for, or killed.
    t_there : shared float
        When its streams were there, in seconds on the LSL clock; 0 before.
    go : Event
        Lets it begin, if it is held.
    """

    process: BaseProcess
    t_there: Any
    go: Any


@contextmanager
def sending(  # noqa: PLR0913 - each with a default, and by name
    name: str,
    spec: SignalSpec,
    unit: float,
    seconds: float,
    *,
    faults: Sequence[str] = (),
    truth: Path | None = None,
    first: int = 0,
    wait: float = 60.0,
    held: bool = False,
) -> Iterator[Sender]:
    """Send in another process.

    Parameters
    ----------
    name : str
        Name of the stream.
    spec, unit, first
        See `CountingSource`.
    seconds : float
        How long.
    faults : sequence of str
        What goes wrong; see `streaming.sources.faults`.
    truth : Path or None
        Where that is logged.
    wait : float
        How long to wait for somebody to receive it, in seconds.
    held : bool
        Whether its first sample waits for `Sender.go`.
    """
    there = _SPAWN.Value("d", 0.0)
    go = _SPAWN.Event()
    if not held:
        go.set()
    source = CountingSource(spec, unit, spec.to_samples(seconds), first, go)
    arguments = (source, name, tuple(faults), truth, wait, there)
    process = _SPAWN.Process(target=_send, args=arguments, daemon=True)
    process.start()
    try:
        yield Sender(process, there, go)
    finally:
        process.kill()
        process.join()
        process.close()


def _send(
    source: CountingSource,
    name: str,
    faults: tuple[str, ...],
    truth: Path | None,
    wait: float,
    t_there: Any,
) -> None:
    def tell(sent: float) -> None:
        if sent == 0.0:
            t_there.value = lsl_clock()

    publish(
        source,
        name=name,
        chunk_size=CHUNK,
        wait_for_consumer=wait,
        schedule=read_schedule(None, faults),
        truth=truth,
        progress=tell,
    )
