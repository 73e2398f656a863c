from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from uuid import uuid4

import numpy as np
import pylsl
import pytest

from streaming import lsl_inlet
from streaming.errors import SourceError, StreamNotFound, UnitError
from streaming.lsl_streams import list_streams
from streaming.replay import publish
from streaming.rows import to_si
from streaming.signal import Chunk, Gap, Marker, SignalSpec, SourceState
from streaming.sources.lsl import LslSource
from streaming.sources.source import ClockOffset, Item, RawSamples, StreamHeader

SFREQ = 250.0


@pytest.fixture
def name() -> str:
    return f"test-{uuid4().hex[:12]}"


def _info(
    name: str,
    sfreq: float = SFREQ,
    fmt: str = "float32",
    labels: str = "Cz Pz",
    unit: str = "uV",
) -> pylsl.StreamInfo:
    names = labels.split()
    info = pylsl.StreamInfo(name, "EEG", len(names), sfreq, fmt, f"id-{name}")
    channels = info.desc().append_child("channels")
    for label in names:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
        channel.append_child_value("type", "EEG")
    return info


def _markers(name: str, fmt: str = "string") -> pylsl.StreamOutlet:
    info = pylsl.StreamInfo(name, "Markers", 1, 0.0, fmt, f"id-{name}")
    return pylsl.StreamOutlet(info)


def _read_until(
    source: LslSource, enough: Callable[[list[Item]], bool], seconds: float = 20
) -> list[Item]:
    items: list[Item] = []
    deadline = pylsl.local_clock() + seconds
    while not enough(items):
        assert pylsl.local_clock() < deadline, f"not within {seconds} s: {items[-5:]}"
        item = source.read(0.2)
        if item is not None:
            items.append(item)
    return items


def _n_times(items: list[Item]) -> int:
    return sum(i.n_times for i in items if isinstance(i, Chunk))


def _of(kind: type, items: list[Item]) -> list[Item]:
    return [i for i in items if isinstance(i, kind)]


def _states(items: list[Item]) -> list[str]:
    return [i.state for i in items if isinstance(i, SourceState)]


@pytest.mark.parametrize("fmt", ["float32", "double64", "int16"])
def test_samples_come_in_volts_as_they_were_sent(name: str, fmt: str) -> None:
    outlet = pylsl.StreamOutlet(_info(name, fmt=fmt))
    seen: list[StreamHeader | RawSamples | ClockOffset] = []
    source = LslSource.open(name=name, markers=[], tap=seen.append)
    sent = np.arange(200).reshape(100, 2)
    t = pylsl.local_clock()
    outlet.push_chunk(sent, list(t + np.arange(100) / SFREQ))
    items = _read_until(source, lambda items: _n_times(items) == 100)
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


@pytest.mark.parametrize("t", [np.nan, np.inf])
def test_a_marker_without_an_instant_is_passed_over(
    name: str, t: float, caplog: pytest.LogCaptureFixture
) -> None:
    signal, markers = pylsl.StreamOutlet(_info(name)), _markers(f"{name}-m")
    source = LslSource.open(name=name, markers=[f"{name}-m"])
    markers.push_sample(["nowhere"], t)
    markers.push_sample(["here"], pylsl.local_clock())
    signal.push_chunk(np.zeros((50, 2)), list(pylsl.local_clock() + np.arange(50) / SFREQ))
    items = _read_until(source, lambda items: bool(_of(Marker, items)))
    assert [i.label for i in items if isinstance(i, Marker)] == ["here"]
    assert "'nowhere' has the timestamp" in caplog.text
    source.close()


@pytest.mark.parametrize("fmt", ["string", "int32", "float32", "double64"])
def test_a_marker_is_placed_at_its_sample_when_that_has_come(name: str, fmt: str) -> None:
    signal, markers = pylsl.StreamOutlet(_info(name)), _markers(f"{name}-m", fmt)
    source = LslSource.open(name=name, markers=[f"{name}-m"])
    t = pylsl.local_clock()
    label = "7"
    markers.push_sample([label if fmt == "string" else 7], t + 30 / SFREQ)
    signal.push_chunk(np.zeros((20, 2)), list(t + np.arange(20) / SFREQ))
    before = _read_until(source, lambda items: _n_times(items) == 20)
    signal.push_chunk(np.zeros((20, 2)), list(t + np.arange(20, 40) / SFREQ))
    after = _read_until(source, lambda items: bool(_of(Marker, items)))
    assert not _of(Marker, before)
    (marker,) = _of(Marker, after)
    assert isinstance(marker, Marker)
    assert (marker.label, marker.segment, marker.sample) == (label, 0, 30)
    assert marker.t == pytest.approx(t + 30 / SFREQ, abs=1e-3)


def test_a_marker_does_not_wait_for_samples_for_ever(name: str) -> None:
    signal, markers = pylsl.StreamOutlet(_info(name)), _markers(f"{name}-m")
    source = LslSource.open(name=name, markers=[f"{name}-m"])
    t = pylsl.local_clock()
    markers.push_sample(["a"], t + 1.0)
    items = _read_until(source, lambda items: len(items) == 1)
    assert source.read(0.7) is None  # there is no sample to count from
    signal.push_chunk(np.zeros((20, 2)), list(t + np.arange(20) / SFREQ))
    items = _read_until(source, lambda items: bool(_of(Marker, items)))
    (marker,) = _of(Marker, items)
    assert isinstance(marker, Marker)
    assert marker.sample == 250


def test_streams_of_markers_that_appear_later_are_found(name: str) -> None:
    signal = pylsl.StreamOutlet(_info(name))
    source = LslSource.open(source_id=f"id-{name}")
    late = f"{name}-late"
    signal.push_chunk(np.zeros((20, 2)), pylsl.local_clock())
    _read_until(source, lambda items: _n_times(items) == 20)
    markers = _markers(f"{name}-m")

    def is_heard(items: list[Item]) -> bool:
        markers.push_sample([late])  # who takes it first may be somebody else's source
        return any(isinstance(i, Marker) and i.label == late for i in items)

    _read_until(source, is_heard)


def test_a_stream_of_markers_that_is_restarted_is_taken_again(name: str) -> None:
    signal, markers = pylsl.StreamOutlet(_info(name)), _markers(f"{name}-m")
    source = LslSource.open(name=name, markers=[f"{name}-m"])
    signal.push_chunk(np.zeros((20, 2)), pylsl.local_clock())
    _read_until(source, lambda items: _n_times(items) == 20)
    del markers
    assert source.read(0.3) is None
    markers = _markers(f"{name}-m")

    def is_heard(items: list[Item]) -> bool:
        markers.push_sample(["again"])
        return bool(_of(Marker, items))

    _read_until(source, is_heard)


def test_a_predicate_chooses_a_stream(name: str) -> None:
    outlets = [pylsl.StreamOutlet(_info(f"{name}-{end}")) for end in "ab"]
    predicate = f"starts-with(name,'{name}') and contains(source_id,'-b')"
    source = LslSource.open(predicate=predicate, markers=[])
    (live,) = _read_until(source, lambda items: len(items) == 1)
    assert isinstance(live, SourceState)
    assert live.detail.startswith(f"{name}-b: 2 channels (Cz, Pz) at 250 Hz")
    del outlets


def test_a_dropout_is_a_gap(name: str) -> None:
    outlet = pylsl.StreamOutlet(_info(name))
    source = LslSource.open(name=name, markers=[])
    stamps = pylsl.local_clock() + np.arange(500) / SFREQ
    stamps[250:] += 0.6
    outlet.push_chunk(np.zeros((500, 2)), list(stamps))
    items = _read_until(source, lambda items: _n_times(items) == 500)
    (gap,) = _of(Gap, items)
    assert isinstance(gap, Gap)
    assert gap.duration == pytest.approx(0.6, abs=1e-3)
    after = next(i for i in items if isinstance(i, Chunk) and i.segment == 1)
    assert items.index(gap) == items.index(after) - 1
    assert after.first == 0


def test_a_stall_is_said_once_and_its_end(name: str) -> None:
    outlet = pylsl.StreamOutlet(_info(name))
    source = LslSource.open(name=name, markers=[])
    outlet.push_chunk(np.zeros((20, 2)), pylsl.local_clock())
    items = _read_until(source, lambda items: "stalled" in _states(items))
    assert source.read(0.5) is None
    outlet.push_chunk(np.zeros((20, 2)), pylsl.local_clock())
    items += _read_until(source, lambda items: "live" in _states(items))
    assert _states(items) == ["live", "stalled", "live"]


SENDER = """
import sys
import numpy as np, pylsl
from tests.streaming.test_lsl import SFREQ, _info
name, sfreq, labels = sys.argv[1], float(sys.argv[2]), sys.argv[3]
outlet = pylsl.StreamOutlet(_info(name, sfreq, labels=labels))
n = len(labels.split())
import threading
while not threading.Event().wait(0.02):
    outlet.push_chunk(np.zeros((round(0.02 * sfreq), n)), pylsl.local_clock())
"""


class Sender:
    """Sends from a process of its own, which can be killed."""

    def __init__(self, name: str, sfreq: float = SFREQ, labels: str = "Cz Pz") -> None:
        command = [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, '.')\n{SENDER}"]
        self.process = subprocess.Popen([*command, name, str(sfreq), labels])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def senders() -> Iterator[list[Sender]]:
    started: list[Sender] = []
    yield started
    for sender in started:
        sender.kill()


@pytest.mark.slow
def test_a_sender_that_was_killed_is_taken_again(name: str, senders: list[Sender]) -> None:
    senders.append(Sender(name))
    source = LslSource.open(name=name, markers=[], timeout=20)
    _read_until(source, lambda items: _n_times(items) > 100)
    senders[-1].kill()
    _read_until(source, lambda items: "lost" in _states(items), 5)
    senders.append(Sender(name, 500.0))
    other_rate = _read_until(source, lambda items: "lost" in _states(items), 20)
    detail = next(i.detail for i in other_rate if isinstance(i, SourceState))
    assert "at 500 Hz, and not" in detail
    assert "at 250 Hz" in detail
    senders[-1].kill()
    senders.append(Sender(name, labels="Cz Oz"))
    other_names = _read_until(source, lambda items: "lost" in _states(items), 20)
    detail = next(i.detail for i in other_names if isinstance(i, SourceState))
    assert "Cz, Oz" in detail
    senders[-1].kill()
    senders.append(Sender(name))
    back = _read_until(source, lambda items: _n_times(items) > 50, 20)
    (gap,) = _of(Gap, back)
    assert isinstance(gap, Gap)
    assert gap.reason == "reconnect"
    assert gap.duration > 0
    assert {i.segment for i in back if isinstance(i, Chunk)} == {1}
    assert _states(back) == ["live"]
    source.close()


def test_a_stream_that_does_not_answer_holds_up_no_other(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    slow = pylsl.StreamOutlet(_info(f"{name}-slow"))

    def opened(info: pylsl.StreamInfo) -> lsl_inlet.Inlet:
        assert info.name() != f"{name}-slow" or answer.wait(30)
        return inlet(info)

    inlet = lsl_inlet.Inlet

    monkeypatch.setattr(lsl_inlet, "Inlet", opened)
    finder = lsl_inlet.Finder(f"starts-with(name,'{name}')", lambda _: True, set())
    pause = threading.Event()
    for _ in range(50):
        assert finder.poll() is None
        pause.wait(0.02)
    quick = pylsl.StreamOutlet(_info(f"{name}-quick"))
    found = None
    for _ in range(1000):
        found = found or finder.poll()
        if found:
            break
        pause.wait(0.02)
    assert found is not None
    assert found.summary.name == f"{name}-quick"
    answer.set()
    finder.close()
    del slow, quick


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
    items = _read_until(source, lambda items: _n_times(items) == 250)
    thread.join(10)
    assert source.spec == spec
    received = np.concatenate([i.data for i in items if isinstance(i, Chunk)], axis=-1)
    np.testing.assert_array_equal(received, data)
    (marker,) = _of(Marker, items)
    assert isinstance(marker, Marker)
    assert (marker.label, marker.sample) == ("a", 75)


def test_no_stream_says_what_is_there(name: str) -> None:
    outlet = pylsl.StreamOutlet(_info(name))
    with pytest.raises(StreamNotFound) as error:
        LslSource.open(name=f"not-{name}", timeout=0.1)
    message = str(error.value)
    assert f"not-{name}" in message
    assert f"{name!r} (EEG, 2 channels, 250 Hz" in message
    assert "\n" not in message
    del outlet


def test_missing_markers_are_named(name: str) -> None:
    outlet = pylsl.StreamOutlet(_info(name))
    with pytest.raises(StreamNotFound, match=rf"name='{name}-m'"):
        LslSource.open(name=name, markers=[f"{name}-m"], timeout=0.1)
    del outlet


def test_several_streams_ask_for_the_source_id(name: str) -> None:
    infos = [_info(name), _info(name)]
    outlets = [pylsl.StreamOutlet(info) for info in infos]
    assert len(pylsl.resolve_byprop("name", name, 2, timeout=20)) == 2
    with pytest.raises(SourceError, match=r"2 streams answer .* source_id"):
        LslSource.open(name=name, timeout=1)
    del outlets


def test_events_are_no_signal(name: str) -> None:
    outlet = _markers(name)
    with pytest.raises(SourceError, match="no regular rate"):
        LslSource.open(name=name, timeout=0.1)
    del outlet


def test_an_unknown_unit_is_refused_and_can_be_stated(name: str) -> None:
    outlet = pylsl.StreamOutlet(_info(name, unit=""))
    with pytest.raises(UnitError, match="channel Cz"):
        LslSource.open(name=name, markers=[])
    source = LslSource.open(name=name, markers=[], unit="mV")
    assert source.spec.ch_names == ("Cz", "Pz")
    del outlet


def test_streams_are_listed(name: str) -> None:
    outlet = pylsl.StreamOutlet(_info(name))
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
    outlet = pylsl.StreamOutlet(_info(name))
    source = LslSource.open(name=name, markers=[])
    t = pylsl.local_clock()
    for block in range(0, 1800, 8):  # 8 s at 225 Hz, at once
        outlet.push_chunk(np.zeros((8, 2)), list(t + (block + np.arange(8)) / 225))
    items = _read_until(source, lambda items: _n_times(items) == 1800)
    (said,) = [i for i in items if isinstance(i, SourceState) and i.what == "clock"]
    assert said.state == "rate"
    assert said.detail.startswith(
        f"{name}: 225.0 samples come a second and not 250, as is said"
    )
    assert not _of(Gap, items)
    assert _states(items)[0] == "live"
    source.close()
