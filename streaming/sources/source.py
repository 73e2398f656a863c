"""What every source of samples is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.signal import Chunk, Gap, Impedance, Marker, Revision, SignalSpec, SourceState

__all__ = ["ClockOffset", "Item", "RawSamples", "Source", "StreamHeader", "Tap"]

Item = Chunk | Gap | Impedance | Revision | Marker | SourceState


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """What a recorder must know of a stream before its first sample.

    Parameters
    ----------
    stream_id : int
        Number of the stream in the recording, from 1.
    info_xml : str
        The stream's description as LSL gives it (``StreamInfo.as_xml()``).
    """

    stream_id: int
    info_xml: str


@dataclass(frozen=True, slots=True, eq=False)
class RawSamples:
    """Samples as they came: native type and units, unconverted timestamps.

    Parameters
    ----------
    stream_id : int
        Which stream.
    timestamps : array of shape (n_times,)
        The sender's timestamps, in seconds on the sender's clock.
    data : array of shape (n_times, n_channels) or list of str
        Rows as sent; strings for a marker stream.
    """

    stream_id: int
    timestamps: NDArray[np.float64]
    data: NDArray[np.generic] | list[str]


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """One measurement of a sender's clock: ``local = sender + offset``.

    Parameters
    ----------
    stream_id : int
        Which stream.
    t : float
        When it was measured, on our clock, in seconds.
    offset : float
        Seconds to add to the sender's timestamps.
    """

    stream_id: int
    t: float
    offset: float


Tap = Callable[[StreamHeader | RawSamples | ClockOffset], None]
"""Where a source sends everything it receives before it interprets any of it (a recorder)."""


class Source(Protocol):
    """Where samples and markers come from.

    A signal sample is given to the tap exactly once and before the chunk that carries it is
    returned, and rows reach the tap in the order in which their samples are returned: that
    is what lets a session be fed again from its recording.
    """

    @property
    def name(self) -> str:
        """What to call it in front of a person."""

    @property
    def spec(self) -> SignalSpec:
        """Rate and channels of the chunks that `read` returns."""

    @property
    def to_si(self) -> tuple[float, ...]:
        """What the samples that the tap gets are multiplied with, for each channel."""

    def read(self, timeout: float) -> Item | None:
        """Return the next item, waiting up to `timeout` seconds, or None if there is none."""

    def close(self) -> None:
        """Let go of what the source holds; more than once is fine."""
