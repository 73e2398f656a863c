from __future__ import annotations

from collections import deque
from itertools import pairwise
from pathlib import Path

import mne
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streaming.errors import ConfigError
from streaming.signal import Chunk, Gap, Marker, SignalSpec
from streaming.sources.opening import open_recording
from streaming.sources.source import Item, Source
from streaming.triggers import TriggerChannel, TriggerSource, find_onsets, with_triggers

SPEC = SignalSpec(1000.0, ("MEG0111", "STI 014"), ("mag", "stim"))


class _Source:
    """Items that were made ready."""

    name, to_si = "made", (1.0, 1.0)

    def __init__(self, items: list[Item], spec: SignalSpec = SPEC) -> None:
        self.spec, self.items = spec, deque(items)

    def read(self, timeout: float) -> Item | None:
        return self.items.popleft() if self.items else None

    def close(self) -> None:
        self.items.clear()


def _chunks(
    values: NDArray[np.float64], cuts: list[int], segment: int = 0, t: float = 5.0
) -> list[Item]:
    data = np.stack([np.zeros(len(values)), values]).astype(np.float32)
    edges = sorted({0, *(cut % len(values) for cut in cuts), len(values)})
    return [Chunk(data[:, a:b], SPEC, segment, a, t) for a, b in pairwise(edges)]


def _all(source: Source) -> list[Item]:
    items = []
    while (item := source.read(0.0)) is not None:
        items.append(item)
    return items


def _markers(items: list[Item]) -> list[Marker]:
    return [item for item in items if isinstance(item, Marker)]


@given(
    st.lists(st.sampled_from([0, 0, 0, 1, 3, 255, 256, 1027]), min_size=2, max_size=200),
    st.lists(st.integers(0, 1000), max_size=20),
    st.sampled_from([None, 255, 1]),
)
def test_they_are_what_mne_finds_however_the_stream_is_cut(
    values: list[int], cuts: list[int], mask: int | None
) -> None:
    x = np.array(values, float)
    source = TriggerSource(_Source(_chunks(x, cuts)), TriggerChannel("STI014", mask))
    found = [(m.sample, int(m.label)) for m in _markers(_all(source))]
    raw = mne.io.RawArray(
        x[None], mne.create_info(["STI 014"], 1000.0, "stim"), verbose="error"
    )
    expected = mne.find_events(
        raw,
        consecutive="increasing",
        shortest_event=0,
        mask=None if mask is None else mask,
        mask_type="and",
        verbose="error",
    )
    # MNE masks with what is kept set; events that the mask leaves at 0 it drops
    assert found == [(int(n), int(v)) for n, _, v in expected]


def test_a_marker_has_the_very_sample_and_comes_before_it() -> None:
    x = np.zeros(100)
    x[40:60] = 7
    items = _all(TriggerSource(_Source(_chunks(x, [30, 50])), TriggerChannel("sti_014")))
    kinds = [type(item) for item in items]
    assert kinds == [Chunk, Marker, Chunk, Chunk]
    assert _markers(items) == [Marker("7", 5.0 + 40 / 1000, 0, 40)]


def test_what_is_on_when_a_segment_begins_did_not_begin_there() -> None:
    x = np.full(50, 3.0)
    items = [*_chunks(x, []), Gap(5.05, 1.0, "lost"), *_chunks(x, [], segment=1)]
    assert not _markers(_all(TriggerSource(_Source(items), TriggerChannel("STI 014"))))


def test_samples_that_were_not_measured_are_no_trigger() -> None:
    assert find_onsets(np.array([0.0, np.nan, 0, 2]), None, None) == ([(3, 2)], 2)
    assert find_onsets(np.empty(0), 4, None) == ([], 4)


def test_a_channel_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="no trigger channel 'STI 101' among MEG0111, STI"):
        TriggerSource(_Source([]), TriggerChannel("STI 101"))
    with pytest.raises(ConfigError, match="MEG0111 is a channel of type mag, in T, and not of"):
        TriggerSource(_Source([]), TriggerChannel("MEG0111"))
    with pytest.raises(ConfigError, match="--trigger-mask must be a positive number"):
        TriggerChannel("STI 014", 0)


def test_recordings_have_them_too(tmp_path: Path) -> None:
    x = np.zeros((2, 5000))
    x[1, [1000, 1001, 2500, 4000]] = [1, 1, 258, 2]
    info = mne.create_info(["Cz", "STI 014"], 1000.0, ["eeg", "stim"])
    path = tmp_path / "one_raw.fif"
    mne.io.RawArray(x, info, verbose="error").save(path, verbose="error")
    source = with_triggers(open_recording(path), TriggerChannel("STI014", 0xFF))
    found = [(m.label, m.sample) for m in _markers(_all(source))]
    assert found == [("1", 1000), ("2", 2500), ("2", 4000)]
    plain = open_recording(path)
    assert with_triggers(plain, None) is plain
    plain.close()
    source.close()
    with pytest.raises(ConfigError, match="holds one signal: leave out --stream"):
        open_recording(path, streams=["A"])
