"""What every step of the signal path is."""

from __future__ import annotations

from typing import Protocol

from streaming.signal import Chunk, SignalSpec

__all__ = ["Transform"]


class Transform(Protocol):
    """A causal step from chunk to chunk.

    For each of them, how the stream is cut changes nothing, the future does not change the
    past, and the input is not written to; `tests/laws.py` checks it for every entry of
    `streaming.chain.TRANSFORMS`. A chunk of another segment than the one before starts
    short memory afresh.
    """

    @property
    def settling(self) -> float:
        """How long after the start of a segment the output cannot be trusted, in seconds."""

    @property
    def delay(self) -> float:
        """How much later a wave of 10 Hz comes out than it went in, in seconds.

        That is the group delay at `streaming.sections.DELAY_FREQ`, known once prepared. A
        causal filter delays each frequency by another amount.
        """

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Make fresh state for a stream and return the spec of the output."""

    def __call__(self, chunk: Chunk) -> Chunk:
        """Return what `chunk` adds to the output; it may be empty."""
