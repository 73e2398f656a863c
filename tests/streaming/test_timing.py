"""Markers are moved to where their stimuli began, before anything else sees them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streaming.errors import ConfigError
from streaming.signal import Chunk, Gap, Marker, SignalSpec, SourceState
from streaming.sources.source import Item
from streaming.timing import (
    TimedSource,
    Timing,
    Trigger,
    choose_timing,
    read_timing,
    write_timing,
)

SPEC = SignalSpec(1000.0, ("Cz", "photo"), ("eeg", "misc"))
TRIGGER = Trigger("photo", 2.5, rising=True)
SNAP = Timing(0.030, trigger=TRIGGER)


class Listed:
    """A source of given items."""

    name, spec, to_si = "listed", SPEC, (1.0, 1.0)

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = deque(items)

    def read(self, timeout: float) -> Item | None:
        return self._items.popleft() if self._items else None

    def close(self) -> None:
        self._items.clear()


def through(items: Sequence[Item], timing: Timing) -> list[Item]:
    source = TimedSource(Listed(items), timing)
    return list(iter(lambda: source.read(0.0), None))


def chunk(data: NDArray[np.float32], start: int, stop: int, segment: int = 0) -> Chunk:
    return Chunk(data[:, start:stop], SPEC, segment, start, 50.0)


def marker(sample: int, segment: int = 0) -> Marker:
    return Marker("face", 50 + sample / SPEC.sfreq, segment, sample)


def pulses(*onsets: int, n_times: int = 4000) -> NDArray[np.float32]:
    data = np.zeros((2, n_times), np.float32)
    for onset in onsets:
        data[1, onset : onset + 40] = 5.0
    return data


def test_markers_move_by_the_offset_and_nothing_else_changes() -> None:
    data = pulses()
    items: list[Item] = [chunk(data, 0, 100), marker(50)]
    items += [Gap(1.0, 1.0, "lost"), chunk(data, 0, 9, 1)]
    out = through(items, Timing(0.0304))
    assert [out[0], *out[2:]] == [items[0], *items[2:]]
    assert isinstance(out[1], Marker)
    assert (out[1].label, out[1].segment, out[1].sample) == ("face", 0, 80)
    assert out[1].t == pytest.approx(50.0804)


@given(cuts=st.sets(st.integers(1, 3999), max_size=40))
def test_onsets_come_from_the_trigger_channel_however_samples_are_cut(cuts: set[int]) -> None:
    data = pulses(137, 1024, 2055, 3600)  # the third marker has none
    edges = [0, *sorted(cuts), 4000]
    items: list[Item] = []
    for start, stop in pairwise(edges):
        items += [marker(n) for n in (100, 1000, 1500, 2000) if start <= n < stop]
        items.append(chunk(data, start, stop))
    items.append(SourceState("ended", 54.0, ""))
    out = through(items, SNAP)
    moved = [item for item in out if isinstance(item, Marker)]
    assert [m.sample for m in moved] == [137, 1024, 1530, 2055]
    assert [m.t for m in moved] == pytest.approx([50.137, 51.024, 51.530, 52.055])
    assert [i for i in out if not isinstance(i, Marker)] == [
        i for i in items if not isinstance(i, Marker)
    ]


def test_pulses_of_another_segment_are_none_of_ours() -> None:
    data = pulses(130)
    items: list[Item] = [
        chunk(data, 0, 1000),
        Gap(51.0, 1.0, "lost"),
        marker(100, segment=1),
        chunk(pulses(124), 0, 1000, 1),
        marker(900, segment=1),
        SourceState("stalled", 53.0, ""),
    ]
    out = through(items, SNAP)
    assert [m.sample for m in out if isinstance(m, Marker)] == [124, 930]
    assert isinstance(out[-1], SourceState)  # what waits is let go before it


def test_falling_pulses_and_bouncing_contacts() -> None:
    data = 5.0 - pulses(130)
    data[1, 145:150] = 5.0
    timing = replace(SNAP, trigger=replace(TRIGGER, rising=False))
    out = through([marker(100), marker(120), chunk(data, 0, 1000)], timing)
    assert [m.sample for m in out if isinstance(m, Marker)] == [130, 150]


def test_a_channel_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="Cz, photo"):
        TimedSource(Listed([]), Timing(trigger=Trigger("light", 0, rising=True)))


def test_the_file(tmp_path: Path) -> None:
    path = tmp_path / "timing.json"
    for timing in (SNAP, Timing(0.012, 0.012)):
        write_timing(path, timing, {"jitter_sd_ms": 0.4})
        assert read_timing(path) == timing
    assert json.loads(path.read_text())["measured"] == {"jitter_sd_ms": 0.4}
    for content in ("", "[]", '{"format": 1}', '{"format": 9}'):
        path.write_text(content)
        with pytest.raises(ConfigError, match="braincast"):
            read_timing(path)
    with pytest.raises(ConfigError, match="--output"):
        write_timing(tmp_path / "none" / "t.json", SNAP, {})


def test_what_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "timing.json"
    write_timing(path, SNAP, {})
    assert choose_timing(None, "markers") is None
    assert choose_timing(None, "markers", 0.02) == Timing(device_delay=0.02)
    assert choose_timing(path, "markers") == Timing(0.030)
    assert choose_timing(path, "trigger", 0.02) == replace(SNAP, device_delay=0.02)
    with pytest.raises(ConfigError, match="--timing"):
        choose_timing(None, "trigger")
    with pytest.raises(ConfigError, match="say markers or trigger"):
        choose_timing(path, "both")
