from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.signal import Chunk, Marker, SourceState
from streaming.sources.simulated import SimulatedSettings, SimulatedSource
from streaming.sources.source import Item

CONCEPTS = tuple(f"thing-{n}" for n in range(40))
EMBEDDINGS = np.random.default_rng(0).standard_normal((40, 16)).astype(np.float32)
SMALL = SimulatedSettings(n_channels=8, sfreq=125.0)


class FakeClock:
    """A clock that moves only when someone sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def read_all(source: SimulatedSource) -> list[Item]:
    items = []
    while (item := source.read(0)) is not None:
        items.append(item)
    return items


def signal(items: list[Item]) -> NDArray[np.float32]:
    return np.concatenate([i.data for i in items if isinstance(i, Chunk)], axis=1)


@pytest.mark.parametrize("chunk_size", [1, 7, 25, 100_000])
def test_the_size_of_chunks_changes_nothing(chunk_size: int) -> None:
    one = read_all(SimulatedSource(CONCEPTS, EMBEDDINGS, SMALL, n_trials=5))
    other = read_all(
        SimulatedSource(CONCEPTS, EMBEDDINGS, SMALL, n_trials=5, chunk_size=chunk_size)
    )
    np.testing.assert_array_equal(signal(one), signal(other))
    assert [i for i in one if isinstance(i, Marker)] == [
        i for i in other if isinstance(i, Marker)
    ]


def test_the_clock_changes_when_samples_come_and_not_what_they_are() -> None:
    clock = FakeClock()
    source = SimulatedSource(
        CONCEPTS, EMBEDDINGS, SMALL, n_trials=3, clock=clock, sleep=clock.sleep
    )
    items: list[Item] = []
    while True:
        item = source.read(0.013)
        if item is None:
            continue
        due = item.t_end if isinstance(item, Chunk) else item.t
        assert due <= clock.now + 1e-9 < due + 0.013 + 1e-9
        items.append(item)
        if isinstance(item, SourceState) and item.state == "ended":
            break
    assert isinstance(items[0], SourceState)
    assert items[0].t == 1000.0
    fast = read_all(SimulatedSource(CONCEPTS, EMBEDDINGS, SMALL, n_trials=3))
    np.testing.assert_array_equal(signal(items), signal(fast))
