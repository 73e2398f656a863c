"""Markers over LSL: when and where they come, late streams, restarted ones."""

from __future__ import annotations

import numpy as np
import pylsl
import pytest

from streaming.errors import StreamNotFound
from streaming.signal import Marker
from streaming.sources.lsl import LslSource
from streaming.sources.source import Item
from tests.streaming.lslstreams import (
    SFREQ,
    count,
    marker_outlet,
    only,
    read_until,
    signal_info,
    unique,
)


@pytest.fixture
def name() -> str:
    return unique()


@pytest.mark.parametrize("t", [np.nan, np.inf])
def test_a_marker_without_an_instant_is_passed_over(
    name: str, t: float, caplog: pytest.LogCaptureFixture
) -> None:
    signal, markers = pylsl.StreamOutlet(signal_info(name)), marker_outlet(f"{name}-m")
    source = LslSource.open(name=name, markers=[f"{name}-m"])
    assert signal.wait_for_consumers(10)
    assert markers.wait_for_consumers(10)
    markers.push_sample(["nowhere"], t)
    markers.push_sample(["here"], pylsl.local_clock())
    signal.push_chunk(np.zeros((50, 2)), list(pylsl.local_clock() + np.arange(50) / SFREQ))
    items = read_until(source, lambda items: bool(only(Marker, items)))
    assert [i.label for i in items if isinstance(i, Marker)] == ["here"]
    assert "'nowhere' has the timestamp" in caplog.text
    source.close()


@pytest.mark.parametrize("fmt", ["string", "int32", "float32", "double64"])
def test_a_marker_is_placed_at_its_sample_when_that_has_come(name: str, fmt: str) -> None:
    signal, markers = pylsl.StreamOutlet(signal_info(name)), marker_outlet(f"{name}-m", fmt)
    source = LslSource.open(name=name, markers=[f"{name}-m"])
    assert signal.wait_for_consumers(10)
    assert markers.wait_for_consumers(10)
    t = pylsl.local_clock()
    label = "7"
    markers.push_sample([label if fmt == "string" else 7], t + 30 / SFREQ)
    signal.push_chunk(np.zeros((20, 2)), list(t + np.arange(20) / SFREQ))
    before = read_until(source, lambda items: count(items) == 20)
    signal.push_chunk(np.zeros((20, 2)), list(t + np.arange(20, 40) / SFREQ))
    after = read_until(source, lambda items: bool(only(Marker, items)))
    assert not only(Marker, before)
    (marker,) = only(Marker, after)
    assert isinstance(marker, Marker)
    assert (marker.label, marker.segment, marker.sample) == (label, 0, 30)
    assert marker.t == pytest.approx(t + 30 / SFREQ, abs=1e-3)


def test_a_marker_does_not_wait_for_samples_for_ever(name: str) -> None:
    signal, markers = pylsl.StreamOutlet(signal_info(name)), marker_outlet(f"{name}-m")
    source = LslSource.open(name=name, markers=[f"{name}-m"])
    assert signal.wait_for_consumers(10)
    assert markers.wait_for_consumers(10)
    t = pylsl.local_clock()
    markers.push_sample(["a"], t + 1.0)
    items = read_until(source, lambda items: len(items) == 1)
    assert source.read(0.7) is None  # there is no sample to count from
    signal.push_chunk(np.zeros((20, 2)), list(t + np.arange(20) / SFREQ))
    items = read_until(source, lambda items: bool(only(Marker, items)))
    (marker,) = only(Marker, items)
    assert isinstance(marker, Marker)
    assert marker.sample == 250


def test_streams_of_markers_that_appear_later_are_found(name: str) -> None:
    signal = pylsl.StreamOutlet(signal_info(name))
    source = LslSource.open(source_id=f"id-{name}")
    assert signal.wait_for_consumers(10)
    late = f"{name}-late"
    signal.push_chunk(np.zeros((20, 2)), pylsl.local_clock())
    read_until(source, lambda items: count(items) == 20)
    markers = marker_outlet(f"{name}-m")

    def is_heard(items: list[Item]) -> bool:
        markers.push_sample([late])  # who takes it first may be somebody else's source
        return any(isinstance(i, Marker) and i.label == late for i in items)

    read_until(source, is_heard)


def test_a_stream_of_markers_that_is_restarted_is_taken_again(name: str) -> None:
    signal, markers = pylsl.StreamOutlet(signal_info(name)), marker_outlet(f"{name}-m")
    source = LslSource.open(name=name, markers=[f"{name}-m"])
    assert signal.wait_for_consumers(10)
    assert markers.wait_for_consumers(10)
    signal.push_chunk(np.zeros((20, 2)), pylsl.local_clock())
    read_until(source, lambda items: count(items) == 20)
    del markers
    assert source.read(0.3) is None
    markers = marker_outlet(f"{name}-m")

    def is_heard(items: list[Item]) -> bool:
        markers.push_sample(["again"])
        return bool(only(Marker, items))

    read_until(source, is_heard)


def test_missing_markers_are_named(name: str) -> None:
    outlet = pylsl.StreamOutlet(signal_info(name))
    with pytest.raises(StreamNotFound, match=rf"name='{name}-m'"):
        LslSource.open(name=name, markers=[f"{name}-m"], timeout=0.1)
    del outlet
