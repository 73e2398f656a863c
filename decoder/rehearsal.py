"""Take a source in for a few seconds, as `serve` will, and see what comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from decoder.config import SourceConfig
from decoder.sources import open_source
from streaming.lsl_clock import Clock
from streaming.signal import Chunk, Gap, Marker, SignalSpec, SourceState
from streaming.sources.source import Item, Source

__all__ = ["Rehearsal", "read_for", "rehearse"]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a source gave.

    Parameters
    ----------
    name : str
        What it is called.
    spec : SignalSpec
        Its rate and channels.
    sfreq : float
        Samples a second by their instants, without the gaps; 0 if too few came.
    n_times, n_markers, n_gaps : int
        Samples, markers and gaps that came.
    lost : float
        Length of the gaps, in seconds.
    remarks : tuple of str
        What is odd about its timestamps, as `serve` says it.
    """

    name: str
    spec: SignalSpec
    sfreq: float
    n_times: int
    n_markers: int
    n_gaps: int
    lost: float
    remarks: tuple[str, ...] = ()


def read_for(source: Source, seconds: float, clock: Clock) -> Iterator[Item]:
    """Yield what a source delivers within some seconds."""
    end = clock() + seconds
    while clock() < end:
        item = source.read(0.1)
        if item is not None:
            yield item


def rehearse(config: SourceConfig, seconds: float, clock: Clock) -> Rehearsal:
    """Open a source, take in what comes, and close it.

    Parameters
    ----------
    config : SourceConfig
        What to take in.
    seconds : float
        How long.
    clock : Clock
        The LSL clock.

    Raises
    ------
    BraincastError
        If it is not there, or cannot be used.
    """
    with closing(open_source(config, None)) as source:
        items = list(read_for(source, seconds, clock))
        name, spec = source.name, source.spec
    chunks = [item for item in items if isinstance(item, Chunk) and item.n_times]
    gaps = [item for item in items if isinstance(item, Gap)]
    n_times = sum(chunk.n_times for chunk in chunks)
    lost = sum(gap.duration for gap in gaps)
    span = chunks[-1].t_end - chunks[0].t0 - lost if chunks else 0.0
    return Rehearsal(
        name=name,
        spec=spec,
        sfreq=n_times / span if span > 0 else 0.0,
        n_times=n_times,
        n_markers=sum(isinstance(item, Marker) for item in items),
        n_gaps=len(gaps),
        lost=lost,
        remarks=tuple(
            item.detail for item in items if isinstance(item, SourceState) and _is_odd(item)
        ),
    )


def _is_odd(state: SourceState) -> bool:
    return state.what == "clock" and state.state != "good"
