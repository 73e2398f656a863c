"""Several signals over real LSL, sent by pylsl outlets, into one source."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import numpy as np
import pylsl
import pytest
import pyxdf

from streaming.errors import SourceError
from streaming.joined import TYPE, join_recorded
from streaming.lsl_streams import is_signal
from streaming.record import XdfWriter
from streaming.rows import to_si
from streaming.signal import Chunk, Gap, Impedance, Marker, SignalSpec, SourceState
from streaming.sources.lsl import LslSource
from streaming.sources.source import Item, RawSamples, Tap
from tests.streaming.held import Held

SFREQ = 250.0


class _Rig:
    """Amplifiers that send what they are told to."""

    def __init__(self) -> None:
        self.name = f"test-{uuid4().hex[:12]}"
        self.outlets: dict[str, pylsl.StreamOutlet] = {}
        self.t = pylsl.local_clock()
        self.n: dict[str, int] = {}
        self.source: LslSource | None = None
        self.items: list[Item] = []

    def add(
        self,
        key: str,
        labels: str,
        sfreq: float = SFREQ,
        kind: str = "EEG",
        unit: str = "uV",
        lag: str = "",
    ) -> None:
        names = labels.split()
        info = pylsl.StreamInfo(
            f"{self.name}-{key}", kind, len(names), sfreq, "float32", f"id-{self.name}-{key}"
        )
        if lag:
            info.desc().append_child("synchronization").append_child_value("offset_mean", lag)
        channels = info.desc().append_child("channels")
        for label in names:
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
            channel.append_child_value("type", kind)
        self.outlets[key] = pylsl.StreamOutlet(info)
        self.n[key] = 0

    def open(self, *keys: str, tap: Tap | None = None, **more: object) -> LslSource:
        names = [f"{self.name}-{key}" for key in keys]
        markers = [f"{self.name}-m"] if "m" in self.outlets else []
        self.source = LslSource.open(streams=names, markers=markers, tap=tap, **more)  # type: ignore[arg-type]
        return self.source

    def send(self, key: str, n_times: int) -> None:
        n = self.n[key] + np.arange(n_times)
        self.n[key] += n_times
        t = self.t + n / SFREQ
        outlet = self.outlets[key]
        rows = np.repeat((n % 1000)[:, None], outlet.channel_count, axis=1).astype(np.float32)
        outlet.push_chunk(rows, list(t))

    def read(self, until: object, seconds: float = 20) -> None:
        assert self.source is not None
        deadline = pylsl.local_clock() + seconds
        while not until():  # type: ignore[operator]
            assert pylsl.local_clock() < deadline, f"not within {seconds} s: {self.items[-3:]}"
            item = self.source.read(0.1)
            if item is not None:
                self.items.append(item)

    @property
    def chunks(self) -> list[Chunk]:
        return [item for item in self.items if isinstance(item, Chunk)]

    @property
    def n_times(self) -> int:
        return sum(chunk.n_times for chunk in self.chunks)

    @property
    def states(self) -> list[SourceState]:
        return [item for item in self.items if isinstance(item, SourceState)]


@pytest.fixture
def rig() -> Iterator[_Rig]:
    rig = _Rig()
    yield rig
    if rig.source is not None:
        rig.source.close()


def test_two_amplifiers_are_one_signal_and_recorded_as_they_were_sent(
    rig: _Rig, tmp_path: Path
) -> None:
    rig.add("a", "Cz Pz")
    rig.add("b", "HEOG VEOG")
    rig.add("m", "code", 0.0, "Markers")
    path = tmp_path / "raw.xdf"
    recorder = XdfWriter(path)
    source = rig.open("a", "b", tap=recorder)
    assert source.spec == SignalSpec(
        SFREQ, ("Cz", "Pz", "HEOG", "VEOG"), ("eeg", "eeg", "eog", "eog")
    )
    assert source.to_si == (1e-6,) * 4
    assert source.name == f"{rig.name}-a + {rig.name}-b"
    for n in range(40):
        rig.send("a", 25)
        rig.send("b", 25)
        if n == 20:
            rig.outlets["m"].push_sample([7.0], rig.t + 600 / SFREQ)
    rig.read(lambda: rig.n_times >= 990)
    rig.read(lambda: any(isinstance(item, Marker) for item in rig.items))
    data = np.concatenate([chunk.data for chunk in rig.chunks], axis=1)
    # sent at the same instants: a wave that rises by 1 uV a sample is the same in both
    late = slice(500, 980)
    np.testing.assert_allclose(data[2:, late], data[:2, late], atol=0.1e-6)
    first = round(data[0, 0] * 1e6)  # the joined signal begins where there are both
    (marker,) = (item for item in rig.items if isinstance(item, Marker))
    assert (marker.label, marker.segment) == ("7", 0)
    assert abs(marker.sample + first - 600) <= 1
    source.close()
    recorder.close()
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    a, b = (
        next(s for s in streams if s["info"]["name"] == [f"{rig.name}-{key}"]) for key in "ab"
    )
    np.testing.assert_array_equal(a["time_series"][:, 0], np.arange(1000) % 1000)
    np.testing.assert_array_equal(b["time_stamps"], rig.t + np.arange(1000) / SFREQ)
    (joined,) = (s for s in streams if s["info"]["type"] == [TYPE])
    specs = [SignalSpec(SFREQ, ("Cz", "Pz")), SignalSpec(SFREQ, ("HEOG", "VEOG"))]
    again = join_recorded(
        joined["time_series"],
        [Held(to_si(s["time_series"], (1e-6, 1e-6))) for s in (a, b)],
        specs,
    )
    np.testing.assert_array_equal(again, data)


def test_a_gap_in_one_is_a_gap_and_its_stall_is_said(rig: _Rig) -> None:
    rig.add("a", "Cz Pz")
    rig.add("b", "X1 X2")
    rig.open("a", "b")
    for _ in range(20):
        rig.send("a", 25)
        rig.send("b", 25)
    rig.read(lambda: rig.n_times >= 490)
    assert [s.state for s in rig.states] == ["live"] * 2
    rig.n["b"] += 500
    rig.send("a", 500)
    rig.read(lambda: rig.states[-1].state == "stalled")
    rig.send("b", 200)
    rig.send("a", 200)
    rig.read(lambda: rig.n_times >= 680)
    gaps = [item for item in rig.items if isinstance(item, Gap)]
    assert [gap.reason for gap in gaps] == ["lost"]
    assert gaps[0].duration == pytest.approx(2, abs=0.05)
    assert rig.states[-1].state == "live"


def test_one_that_restarts_is_taken_again_and_until_then_said_to_be_lost(rig: _Rig) -> None:
    rig.add("a", "Cz Pz")
    rig.add("b", "X1 X2")
    rig.open("a", "b")
    for _ in range(20):
        rig.send("a", 25)
        rig.send("b", 25)
    rig.read(lambda: rig.n_times >= 490)
    n = rig.n["b"]
    del rig.outlets["b"]
    rig.read(lambda: rig.states[-1].state == "lost")
    assert rig.states[-1].detail == f"{rig.name}-b is gone; looking for it"
    rig.add("b", "X1 X2")
    rig.n["b"] = n + 500
    rig.send("a", 500)
    rig.read(rig.outlets["b"].have_consumers)
    rig.send("b", 200)
    rig.send("a", 200)
    rig.read(lambda: rig.n_times >= 680)
    gaps = [item for item in rig.items if isinstance(item, Gap)]
    assert gaps[-1].reason == "reconnect"
    rig.read(lambda: rig.states[-1].state == "live")


def test_one_that_comes_back_otherwise_is_refused(rig: _Rig) -> None:
    rig.add("a", "Cz Pz")
    rig.add("b", "X1 X2")
    rig.open("a", "b")
    rig.send("a", 50)
    rig.send("b", 50)
    rig.read(lambda: rig.n_times >= 40)
    del rig.outlets["b"]
    rig.read(lambda: rig.states[-1].state == "lost")
    rig.add("b", "X1 X2 X3")
    rig.read(lambda: "3 channels (X1, X2, X3)" in rig.states[-1].detail)


@pytest.mark.parametrize(
    ("labels", "sfreq", "keys", "message"),
    [
        ("Cz X", SFREQ, ("a", "b"), "both have channels Cz: give them different labels"),
        ("X Y", 500.0, ("a", "b"), "has 250 Hz and .* 500 Hz: .* set both amplifiers"),
        ("X Y", SFREQ, ("a", "a"), "one signal is named twice"),
        ("X Y", 0.0, ("a", "b"), "has no regular rate: .* record this one with --aux"),
    ],
)
def test_what_cannot_be_joined_is_refused_in_one_line(
    rig: _Rig, labels: str, sfreq: float, keys: tuple[str, ...], message: str
) -> None:
    rig.add("a", "Cz Pz")
    rig.add("b", labels, sfreq)
    with pytest.raises(SourceError, match=message) as error:
        rig.open(*keys, timeout=0.5)
    assert "\n" not in str(error.value)


def test_what_has_no_rate_is_recorded_and_not_decoded(rig: _Rig) -> None:
    rig.add("a", "Cz Pz")
    rig.add("eye", "x y", 0.0, "Gaze")
    seen: list[object] = []
    rig.open("a", tap=seen.append, aux=[f"{rig.name}-eye"])
    rig.outlets["eye"].push_sample([1.0, 2.0])
    rig.send("a", 50)
    rig.read(lambda: rig.n_times == 50 and any(_is_eye(item) for item in seen))
    assert rig.chunks[0].spec.ch_names == ("Cz", "Pz")


def _is_eye(item: object) -> bool:
    return isinstance(item, RawSamples) and np.array_equal(item.data, [[1.0, 2.0]])


def test_what_a_sender_says_it_is_late_is_taken_off(rig: _Rig) -> None:
    rig.add("a", "Cz Pz", lag="0.25")
    rig.add("m", "code", 0.0, "Markers", lag="0.1")
    seen: list[object] = []
    rig.open("a", tap=seen.append)
    rig.outlets["m"].push_sample([3.0], rig.t + 0.1)
    rig.send("a", 250)
    rig.read(lambda: any(isinstance(item, Marker) for item in rig.items))
    assert rig.chunks[0].t0 == pytest.approx(rig.t - 0.25, abs=1e-3)
    (marker,) = (item for item in rig.items if isinstance(item, Marker))
    assert marker.t == pytest.approx(rig.t, abs=1e-3)
    assert abs(marker.sample - 0.25 * SFREQ) <= 1
    assert "250 ms are taken off its timestamps (offset_mean)" in rig.states[0].detail
    # what is recorded is what was sent
    rows = [item for item in seen if isinstance(item, RawSamples) and item.stream_id == 1]
    assert rows[0].timestamps[0] == rig.t


@pytest.mark.parametrize(("unit", "factor"), [("kOhm", 1e3), ("ohms", 1.0), ("", 1e3)])
def test_impedances_come_with_the_names_of_the_signal(
    rig: _Rig, unit: str, factor: float
) -> None:
    rig.add("a", "Cz Pz")
    rig.add("z", "CZ pz GND", 0.0, "Impedance", unit)
    rig.add("other", "E1 E2", 0.0, "Impedance", unit)
    rig.open("a")

    def told() -> bool:  # a search may have to open a stream twice on a busy machine
        rig.outlets["other"].push_sample([1.0, 2.0])
        rig.outlets["z"].push_sample([5.0, -1.0, 2.0])
        return any(isinstance(item, Impedance) for item in rig.items)

    rig.read(told, 60)
    (found,) = (item for item in rig.items if isinstance(item, Impedance))
    assert found.ch_names == ("Cz", "Pz")
    assert found.ohms == (5.0 * factor, None)


def test_of_impedances_that_come_often_the_newest_is_told(rig: _Rig) -> None:
    rig.add("a", "Cz Pz")
    rig.add("z", "Cz Pz", SFREQ, "Impedance", "kOhm")
    (info,) = pylsl.resolve_byprop("name", f"{rig.name}-z", timeout=10)
    assert not is_signal(info)  # so it is not taken for the one that is there
    rig.open("a")
    told: list[Impedance] = []

    def enough() -> bool:
        rig.send("z", 50)
        told[:] = [item for item in rig.items if isinstance(item, Impedance)]
        return len(told) == 3

    rig.read(enough, 60)
    assert rig.n["z"] > 3 * 50
    # 0.25 s lie between two that are told; each is of the newest sample then
    assert all(b.t > a.t for a, b in pairwise(told))
