from __future__ import annotations

import threading

import numpy as np
import pylsl
import pytest

from streaming.errors import SourceError, StreamNotFound, UnitError
from streaming.lsl_streams import MARKER_TYPES, is_signal, list_streams
from streaming.replay import publish
from streaming.rows import to_si
from streaming.signal import Chunk, Gap, Marker, SignalSpec, SourceState
from streaming.sources.lsl import LslSource
from streaming.sources.source import ClockOffset, Item, RawSamples, StreamHeader
from tests.streaming.lslstreams import (
    SFREQ,
    count,
    marker_outlet,
    only,
    read_until,
    signal_info,
    states,
    unique,
)


@pytest.fixture
def name() -> str:
    return unique()


@pytest.mark.parametrize("fmt", ["float32", "double64", "int16"])
def test_samples_come_in_volts_as_they_were_sent(name: str, fmt: str) -> None:
    outlet = pylsl.StreamOutlet(signal_info(name, fmt=fmt))
    seen: list[StreamHeader | RawSamples | ClockOffset] = []
    source = LslSource.open(name=name, markers=[], tap=seen.append)
    assert outlet.wait_for_consumers(10)
    sent = np.arange(200).reshape(100, 2)
    t = pylsl.local_clock()
    outlet.push_chunk(sent, list(t + np.arange(100) / SFREQ))
    items = read_until(source, lambda items: count(items) == 100)
    data = np.concatenate([i.data for i in items if isinstance(i, Chunk)], axis=-1)
    np.testing.assert_array_equal(data, (sent.T * 1e-6).astype(np.float32))
    chunk = next(i for i in items if isinstance(i, Chunk))
    assert chunk.spec == SignalSpec(SFREQ, ("Cz", "Pz"))
    assert chunk.t0 == pytest.approx(t, abs=1e-3)  # the clocks are measured to 0.2 ms
    rows = [s for s in seen if isinstance(s, RawSamples)]
    raw = np.concatenate([np.asarray(r.data) for r in rows])
    assert raw.dtype == np.dtype({"double64": "float64"}.get(fmt, fmt))
    np.testing.assert_array_equal(raw, sent)
    np.testing.assert_array_equal(
        np.concatenate([r.timestamps for r in rows]), t + np.arange(100) / SFREQ
    )
    assert isinstance(seen[0], StreamHeader)
    assert "<label>Cz</label>" in seen[0].info_xml
    assert [type(s) for s in seen[:2]] == [StreamHeader, ClockOffset]
    source.close()
    source.close()


@pytest.mark.filterwarnings("error")
def test_a_double_that_is_too_much_for_float32_is_infinite() -> None:
    assert to_si(np.array([[1e300, -1e300]]), (1.0, 1.0)).tolist() == [[np.inf], [-np.inf]]


def test_a_predicate_chooses_a_stream(name: str) -> None:
    outlets = [
        pylsl.StreamOutlet(signal_info(f"{name}-{end}")) for end in "xy"
    ]  # no digits of names
    predicate = f"starts-with(name,'{name}') and contains(source_id,'-y')"
    source = LslSource.open(predicate=predicate, markers=[])
    (live,) = read_until(source, lambda items: len(items) == 1)
    assert isinstance(live, SourceState)
    assert live.detail.startswith(f"{name}-y: 2 channels (Cz, Pz) at 250 Hz")
    del outlets


def test_a_predicate_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(SourceError, match="name= is not understood by LSL"):
        LslSource.open(predicate="name=", markers=[], timeout=60)


@pytest.mark.parametrize("kind", MARKER_TYPES)
def test_markers_are_found_by_any_type_that_programs_write(name: str, kind: str) -> None:
    signal = pylsl.StreamOutlet(signal_info(name))
    markers = pylsl.StreamInfo(f"{name} markers", kind, 1, 0.0, "string", f"{name}-m")
    sender = pylsl.StreamOutlet(markers)
    source = LslSource.open(name=name)
    assert sender.wait_for_consumers(10)
    assert signal.wait_for_consumers(10)
    now = pylsl.local_clock()
    signal.push_chunk(np.zeros((500, 2)), list(now + np.arange(500) / SFREQ))
    sender.push_sample([f"of {name}"], now + 0.5)

    def is_there(items: list[Item]) -> bool:
        return any(isinstance(item, Marker) and item.label == f"of {name}" for item in items)

    read_until(source, is_there)


@pytest.mark.parametrize("rate", [np.inf, np.nan])
def test_a_rate_that_is_none_is_no_signal(rate: float) -> None:
    assert is_signal(pylsl.StreamInfo("a", "EEG", 2, 250.0))
    assert not is_signal(pylsl.StreamInfo("a", "EEG", 2, rate))


def test_a_dropout_is_a_gap(name: str) -> None:
    outlet = pylsl.StreamOutlet(signal_info(name))
    source = LslSource.open(name=name, markers=[])
    assert outlet.wait_for_consumers(10)
    stamps = pylsl.local_clock() + np.arange(500) / SFREQ
    stamps[250:] += 0.6
    outlet.push_chunk(np.zeros((500, 2)), list(stamps))
    items = read_until(source, lambda items: count(items) == 500)
    (gap,) = only(Gap, items)
    assert isinstance(gap, Gap)
    assert gap.duration == pytest.approx(0.6, abs=1e-3)
    after = next(i for i in items if isinstance(i, Chunk) and i.segment == 1)
    assert items.index(gap) == items.index(after) - 1
    assert after.first == 0


def test_what_is_published_is_received(name: str) -> None:
    spec = SignalSpec(SFREQ, ("Cz", "VEOG", "TRIG"), ("eeg", "eog", "stim"))
    data = np.random.default_rng(0).standard_normal((3, 250)).astype(np.float32)

    class Made:
        def __init__(self) -> None:
            self.spec, self.to_si = spec, (1.0,) * 3
            self._items: list[Item] = [
                Marker("a", 0.3, 0, 75),
                Chunk(data, spec),
                SourceState("ended", 1.0, ""),
            ]

        def read(self, timeout: float) -> Item | None:
            return self._items.pop(0)

        def close(self) -> None:
            pass

    options = {"name": name, "wait_for_consumer": 20}
    thread = threading.Thread(target=publish, args=[Made()], kwargs=options)
    thread.start()
    source = LslSource.open(name=name, markers=[f"{name} markers"], timeout=20)
    items = read_until(source, lambda items: count(items) == 250)
    thread.join(10)
    assert source.spec == spec
    received = np.concatenate([i.data for i in items if isinstance(i, Chunk)], axis=-1)
    np.testing.assert_array_equal(received, data)
    (marker,) = only(Marker, items)
    assert isinstance(marker, Marker)
    assert (marker.label, marker.sample) == ("a", 75)


def test_no_stream_says_what_is_there(name: str) -> None:
    outlet = pylsl.StreamOutlet(signal_info(name))
    with pytest.raises(StreamNotFound) as error:
        LslSource.open(name=f"not-{name}", timeout=0.1)
    message = str(error.value)
    assert f"not-{name}" in message
    assert f"{name!r} (EEG, 2 channels, 250 Hz" in message
    assert "\n" not in message
    del outlet


def test_several_streams_ask_for_the_source_id(name: str) -> None:
    infos = [signal_info(name), signal_info(name)]
    outlets = [pylsl.StreamOutlet(info) for info in infos]
    assert len(pylsl.resolve_byprop("name", name, 2, timeout=20)) == 2
    with pytest.raises(SourceError, match=r"2 streams answer .* source_id"):
        LslSource.open(name=name, timeout=1)
    del outlets


def test_events_are_no_signal(name: str) -> None:
    outlet = marker_outlet(name)
    with pytest.raises(SourceError, match="no regular rate"):
        LslSource.open(name=name, timeout=0.1)
    del outlet


def test_an_unknown_unit_is_refused_and_can_be_stated(name: str) -> None:
    outlet = pylsl.StreamOutlet(signal_info(name, unit=""))
    with pytest.raises(UnitError, match="channel Cz"):
        LslSource.open(name=name, markers=[])
    source = LslSource.open(name=name, markers=[], unit="mV")
    assert source.spec.ch_names == ("Cz", "Pz")
    del outlet


def test_streams_are_listed(name: str) -> None:
    outlet = pylsl.StreamOutlet(signal_info(name))
    (summary,) = [s for s in list_streams() if s.name == name]
    assert (summary.type, summary.n_channels, summary.sfreq) == ("EEG", 2, SFREQ)
    assert summary.source_id == f"id-{name}"
    del outlet


def test_samples_are_rounded_once() -> None:
    rows = np.random.default_rng(0).integers(-(2**31), 2**31, (50, 2))
    expected = (rows.T * np.array([[1e-6], [1.0]])).astype(np.float32)
    np.testing.assert_array_equal(to_si(rows, (1e-6, 1.0)), expected)


def test_a_rate_that_is_not_as_said_is_said_with_both_numbers_and_loses_nothing(
    name: str,
) -> None:
    outlet = pylsl.StreamOutlet(signal_info(name))
    source = LslSource.open(name=name, markers=[])
    assert outlet.wait_for_consumers(10)
    t = pylsl.local_clock()
    for block in range(0, 1800, 8):  # 8 s at 225 Hz, at once
        outlet.push_chunk(np.zeros((8, 2)), list(t + (block + np.arange(8)) / 225))
    items = read_until(source, lambda items: count(items) == 1800)
    (said,) = [i for i in items if isinstance(i, SourceState) and i.what == "clock"]
    assert said.state == "rate"
    assert said.detail.startswith(
        f"{name}: 225.0 samples come a second and not 250, as is said"
    )
    assert not only(Gap, items)
    assert states(items)[0] == "live"
    source.close()
