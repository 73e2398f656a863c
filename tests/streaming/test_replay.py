from __future__ import annotations

import json
import math
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pylsl
import pytest
from numpy.typing import NDArray

from streaming.errors import ConfigError, SourceError
from streaming.outlet import Outlet, StreamDescription, describe_signal, source_id_for
from streaming.replay import play, publish
from streaming.signal import Chunk, Gap, Marker, SignalSpec, SourceState
from streaming.sources.faults import Schedule, parse_fault
from streaming.sources.lsl import LslSource
from streaming.sources.playable import Block, SourcePlayable
from streaming.sources.source import Item
from tests.streaming.loopback import Received as Stream
from tests.streaming.loopback import receive

SPEC = SignalSpec(200.0, ("Cz", "VEOG", "TRIG"), ("eeg", "eog", "stim"))
DATA = np.random.default_rng(0).standard_normal((3, 100)).astype(np.float32)


class ListSource:
    """A source of prepared items."""

    def __init__(self, items: list[Item]) -> None:
        self.name, self.spec, self.to_si = "list", SPEC, (1.0,)
        self._items = [*items, SourceState("ended", 0.0, "")]

    def read(self, timeout: float) -> Item | None:
        return self._items.pop(0)

    def close(self) -> None:
        pass


class Nowhere:
    """An output that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def push(self, data: NDArray[np.float32], timestamps: NDArray[np.float64]) -> None:
        self.got.append((data, timestamps))

    def push_marker(self, label: str, t: float) -> None:
        self.got.append((label, t))

    def wait_for_consumer(self, timeout: float) -> bool:
        return True

    def close(self) -> None:
        pass


class Receiver:
    """Publishes in a thread and receives both streams with a plain pylsl inlet."""

    def __init__(self, items: list[Item], speed: float = 1.0, chunk_size: int = 16) -> None:
        self.name = uuid4().hex
        self.progress: list[float] = []
        self.n_sent = 0
        self.rate = 0.0
        self.stop = threading.Event()
        self._up = threading.Event()
        self._options = {"speed": speed, "chunk_size": chunk_size}
        self._thread = threading.Thread(target=self._publish, args=[ListSource(items)])
        self._thread.start()
        assert self._up.wait(10)
        self.signal = self._inlet(self.name)
        self.markers = self._inlet(f"{self.name} markers")

    def _publish(self, source: ListSource) -> None:
        self.n_sent = publish(
            source,
            name=self.name,
            wait_for_consumer=20,
            stop=self.stop,
            progress=self._progress,
            **self._options,  # type: ignore[arg-type]
        )

    def _progress(self, seconds: float) -> None:
        self.progress.append(seconds)
        self._up.set()

    def _inlet(self, name: str) -> pylsl.StreamInlet:
        (info,) = pylsl.resolve_byprop("name", name, timeout=10)
        self.rate = info.nominal_srate() or self.rate
        return pylsl.StreamInlet(info, recover=False)

    def receive(self, n_times: int, n_markers: int) -> Received:
        # markers first: the signal's inlet is what starts the sending
        self.markers.open_stream(10)
        self.signal.open_stream(10)
        rows: list[list[float]] = []
        stamps: list[float] = []
        arrived: list[float] = []
        while len(rows) < n_times:
            row, stamp = self.signal.pull_sample(10)
            assert row is not None
            rows.append(row)
            stamps.append(stamp)
            arrived.append(pylsl.local_clock())
        markers = [self.markers.pull_sample(10) for _ in range(n_markers)]
        self._thread.join(10)
        return Received(
            np.array(rows, np.float32).T,
            np.array(stamps),
            np.array(arrived),
            [(label[0], t) for label, t in markers],
        )


class Received:
    def __init__(
        self,
        data: NDArray[np.float32],
        stamps: NDArray[np.float64],
        arrived: NDArray[np.float64],
        markers: list[tuple[str, float]],
    ) -> None:
        self.data, self.stamps, self.arrived, self.markers = data, stamps, arrived, markers


def _chunk(start: int, stop: int, segment: int = 0, first: int | None = None) -> Chunk:
    first = start if first is None else first
    return Chunk(DATA[:, start:stop], SPEC, segment, first, 7.0 + (start - first) / 200.0)


def test_samples_and_markers_arrive_as_they_are_at_their_time() -> None:
    marker = Marker("face", 7.0 + 37 / 200, 0, 37)
    got = Receiver([marker, _chunk(0, 60), _chunk(60, 100)]).receive(100, 1)
    np.testing.assert_array_equal(got.data, DATA)
    np.testing.assert_allclose(np.diff(got.stamps), 1 / 200, atol=1e-9)
    ((label, t),) = got.markers
    assert label == "face"
    assert t == pytest.approx(got.stamps[37], abs=1e-9)
    late = got.arrived - got.stamps
    assert late[15:].min() > 0  # nothing arrives before it was taken
    assert np.median(late) < 0.15  # 16 samples are 80 ms


def test_a_replay_at_another_speed_is_the_same_stream_faster() -> None:
    marker = Marker("face", 7.0 + 37 / 200, 0, 37)
    receiver = Receiver([marker, _chunk(0, 100)], speed=4.0)
    got = receiver.receive(100, 1)
    np.testing.assert_array_equal(got.data, DATA)
    np.testing.assert_allclose(np.diff(got.stamps), 1 / 200, atol=1e-9)
    assert got.markers[0][1] == pytest.approx(got.stamps[37], abs=1e-9)
    assert got.arrived[-1] - got.arrived[0] < 0.4  # 0.5 s at speed 1
    assert receiver.rate == 200.0
    assert receiver.n_sent == 100
    assert receiver.progress[0] == 0.0
    assert receiver.progress[-1] == pytest.approx(0.5)


@pytest.mark.parametrize(("speed", "is_timed"), [(1.0, True), (4.0, False)])
def test_a_source_says_whether_timestamps_tell_the_age(speed: float, is_timed: bool) -> None:
    name = uuid4().hex
    outlet = Outlet(describe_signal(SPEC, name).replayed(speed))
    source = LslSource.open(name=name, timeout=10)
    item = source.read(1.0)
    assert isinstance(item, SourceState)
    assert (item.state, item.timed) == ("live", is_timed)
    assert ("4 times its speed" in item.detail) != is_timed
    source.close()
    outlet.close()


def test_a_recorded_replay_does_not_go_on_saying_so() -> None:
    description = describe_signal(SPEC, "x")
    fast = description.replayed(4.0)
    assert not fast.is_timed
    assert fast.replayed(1.0) == description


def test_a_boundary_is_heard_as_a_pause() -> None:
    gap = Gap(7.2, 0.0, "lost")
    after = Marker("b", 7.0 + 50 / 200, 1, 10)
    got = Receiver([_chunk(0, 40), gap, after, _chunk(40, 100, 1, 0)]).receive(100, 1)
    steps = np.diff(got.stamps)
    assert steps[39] == pytest.approx(0.5 + 1 / 200, abs=1e-9)
    np.testing.assert_allclose(np.delete(steps, 39), 1 / 200, atol=1e-9)
    assert got.markers[0][1] == pytest.approx(got.stamps[50], abs=1e-9)


def test_the_description_names_channels_types_and_units() -> None:
    receiver = Receiver([_chunk(0, 16)])
    info = receiver.signal.info(5)
    assert info.type() == "EEG"
    assert info.get_channel_labels() == ["Cz", "VEOG", "TRIG"]
    assert info.get_channel_types() == ["EEG", "EOG", "STIM"]
    assert info.get_channel_units() == ["V", "V", "none"]
    markers = receiver.markers.info(5)
    assert (markers.type(), markers.nominal_srate()) == ("Markers", 0.0)
    assert info.source_id() != markers.source_id()
    receiver.stop.set()
    receiver._thread.join(10)


def test_a_name_that_is_taken_is_refused() -> None:
    receiver = Receiver([_chunk(0, 16)])
    with pytest.raises(SourceError, match="already sent"):
        publish(ListSource([]), name=receiver.name)
    receiver.stop.set()
    receiver._thread.join(10)


def test_a_stop_ends_a_wait_at_once() -> None:
    receiver = Receiver([_chunk(0, 16), Chunk(DATA[:, :1], SPEC, first=10**6, t_anchor=7.0)])
    receiver.signal.open_stream(10)
    receiver.stop.set()
    receiver._thread.join(5)
    assert not receiver._thread.is_alive()


@pytest.mark.parametrize("options", [{"speed": 0.0}, {"chunk_size": 0}])
def test_a_speed_or_size_of_nothing_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="must be positive"):
        publish(ListSource([]), name="x", **options)  # type: ignore[arg-type]


# -- faults, and several at once: what a receiver gets is what the log of the truth says --

LONG = np.random.default_rng(1).standard_normal((3, 1600)).astype(np.float32)
LONG[2] = np.arange(1600)  # a counter: which sample it was


def _long(name: str) -> SourcePlayable:
    chunks: list[Item] = [
        Chunk(LONG[:, n : n + 100], SPEC, 0, n, 3.0) for n in range(0, 1600, 100)
    ]
    markers: list[Item] = [Marker(f"m{n}", 3.0 + n / 200.0, 0, n) for n in range(5, 1600, 200)]
    items = sorted(
        [*chunks, *markers], key=lambda i: i.t0 if isinstance(i, Chunk) else i.t - 0.5
    )
    return SourcePlayable(SPEC, lambda: ListSource(items), name, 8.0)


def _schedule(*texts: str) -> Schedule:
    return Schedule(tuple(parse_fault(text) for text in texts), seed=5)


def _truth(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _range(line: dict[str, Any]) -> slice:
    return slice(line["first"], line["first"] + line["n_samples"])


def test_what_is_received_is_what_the_log_says(  # noqa: C901 - a case for each kind
    tmp_path: Path,
) -> None:
    name = uuid4().hex
    schedule = _schedule(
        *(
            "drop@1:300ms",
            "drop@7:50ms",
            "nan@1.5:0.5s:channels=Cz",
            "flat@2.5:200ms:channels=VEOG",
        ),
        *("saturate@3:200ms:5mV:channels=Cz", "line@3.5:1s:2V:hz=60:channels=VEOG"),
        *("jitter@4:1s:40ms", "bunch@5:0.6s:12", "step@5.7:-0.5s", "drift@6:1s:2000ppm"),
        "stall@6.2:0.4s",
    )
    ids = source_id_for(name, "signal"), source_id_for(f"{name} markers", "markers")
    got = receive(
        lambda: play(
            [_long(name)],
            speed=4.0,
            schedule=schedule,
            truth=tmp_path / "truth.jsonl",
            wait_for_consumer=20,
        ),
        {ids[0]: 1600 - 60 - 10, ids[1]: 8},
    )
    signal, markers = got[ids[0]], got[ids[1]]
    lines = _truth(tmp_path / "truth.jsonl")
    total = lines[-1]
    assert total["kind"] == "total"
    t_0 = total["t_0"]
    # the expected stream, from the log alone
    rows, stamps = LONG.T.astype(np.float32).copy(), t_0 + np.arange(1600) / 200.0
    kept = np.ones(1600, bool)
    for line in lines[:-1]:
        at = _range(line)
        t = np.arange(1600)[at] / 200.0
        columns = [SPEC.ch_names.index(c) for c in line.get("channels", [])]
        assert line["t_first"] == pytest.approx(t_0 + t[0], abs=1e-6)
        assert line["t_last"] == pytest.approx(t_0 + t[-1], abs=1e-6)
        match line["kind"]:
            case "drop":
                kept[at] = False
            case "nan":
                rows[at, columns] = np.nan
            case "flat":
                rows[at, columns] = 0
            case "saturate":
                rows[at, columns] = line["levels"]
            case "line":
                wave = line["levels"][0] * np.sin(2 * np.pi * line["hz"] * t)
                rows[at, columns[0]] = rows[at, columns[0]].astype(float) + wave
            case "jitter":
                firsts = [first for first, _ in line["delays"]] + [at.stop]
                for (_, delay), (start, stop) in zip(
                    line["delays"], pairwise(firsts), strict=True
                ):
                    stamps[start:stop] += delay
            case "bunch":
                n = np.arange(1600)[at]
                last = n + line["n_bunch"] - 1 - n % line["n_bunch"]
                stamps[at] = t_0 + np.minimum(last, at.stop) / 200.0
            case "step":
                stamps[at] += line["step"]
            case "drift":
                begun = np.arange(1600)[at] / 200.0 - 6.0
                stamps[at] += np.minimum(begun, 1.0) * line["ppm"] * 1e-6
                assert line["shift"] == pytest.approx(2e-3)
            case "stall":
                held = (signal.data[:, 2] >= at.start) & (signal.data[:, 2] < at.stop)
                arrived = np.array(signal.arrived)[held]
                assert arrived.min() >= t_0 + (line["t_sent"] - t_0) / 4 - 1e-3
                assert np.ptp(arrived) < 0.05  # 0.1 s at this speed
    assert {line["kind"] for line in lines} == {f.kind for f in schedule.faults} | {"total"}
    assert [total["n_taken"], total["n_sent"]] == [1600, kept.sum()]
    np.testing.assert_array_equal(signal.data, rows[kept].astype(float))
    np.testing.assert_allclose(signal.stamps, stamps[kept], atol=1e-9)
    np.testing.assert_allclose(markers.stamps, t_0 + np.arange(5, 1600, 200) / 200.0, atol=1e-9)


@pytest.mark.slow
def test_a_stream_goes_and_comes_back_under_its_id(tmp_path: Path) -> None:
    name = uuid4().hex
    source_id = source_id_for(name, "signal")
    after: list[Stream] = []

    def come_back() -> None:
        play(
            [_long(name)],
            schedule=_schedule("disconnect@1:2s", "disconnect@4:2s:rate=100:n_channels=2"),
            truth=tmp_path / "truth.jsonl",
            wait_for_consumer=20,
        )

    def follow() -> None:  # receives all that comes under the id, one stream after the other
        known: set[str] = set()
        while len(after) < 3:
            for info in pylsl.resolve_byprop("source_id", source_id, timeout=1):
                if info.uid() not in known:
                    known.add(info.uid())
                    after.append(Stream(info, 10**6))
                    after[-1].start()
                    if len(after) < 3:
                        after[-1].join()

    threads = [threading.Thread(target=target) for target in (come_back, follow)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    after[-1].inlet.close_stream()
    lines = _truth(tmp_path / "truth.jsonl")
    t_0 = lines[-1]["t_0"]
    outages = [line for line in lines if line["kind"] == "disconnect"]
    assert [(line["first"], line["n_samples"]) for line in outages] == [(200, 400), (800, 400)]
    assert [line["t_back"] - t_0 for line in outages] == pytest.approx([3.0, 6.0])
    assert [(s.info.nominal_srate(), s.info.channel_count()) for s in after] == [
        *((200.0, 3), (200.0, 3), (100.0, 2))
    ]
    first, second, third = (s.data.astype(np.float32) for s in after)
    np.testing.assert_array_equal(first, LONG.T[:200])  # none is lost before an outage
    n = int(second[0, 2])
    assert n >= 600
    np.testing.assert_array_equal(second, LONG.T[n:800])
    assert second.shape[0] > 0
    k = round((after[2].stamps[0] - t_0) * 200)
    assert k % 2 == 0
    np.testing.assert_array_equal(third, LONG.T[k::2, :2][: len(third)])
    assert len(third) >= 100
    assert lines[-1]["n_sent"] == 200 + 200 + 200


def test_the_live_source_finds_what_the_log_says_was_lost(tmp_path: Path) -> None:
    name, stop = uuid4().hex, threading.Event()
    options: dict[str, Any] = {
        "wait_for_consumer": 20,
        "schedule": _schedule("drop@1.2:1s"),
        "truth": tmp_path / "truth.jsonl",
        "stop": stop,
    }
    thread = threading.Thread(target=play, args=[[_long(name)]], kwargs=options)
    thread.start()
    source = LslSource.open(name=name, markers=[f"{name} markers"], timeout=20)
    items: list[Item] = []
    while thread.is_alive():
        if (item := source.read(0.1)) is not None:
            items.append(item)
            if isinstance(item, Chunk) and item.n_times and item.data[2, -1] >= 600:
                stop.set()
    source.close()
    drop = _truth(tmp_path / "truth.jsonl")[0]
    chunks = [i for i in items if isinstance(i, Chunk)]
    data = np.concatenate([c.data for c in chunks], axis=1)
    kept = np.delete(LONG, _range(drop), axis=1)
    np.testing.assert_array_equal(data, kept[:, : data.shape[1]])
    (gap,) = (i for i in items if isinstance(i, Gap))
    assert gap.reason == "lost"
    assert gap.t == pytest.approx(drop["t_first"], abs=0.001)
    assert gap.duration == pytest.approx(drop["n_samples"] / 200, abs=0.001)
    (after,) = {c.segment: c for c in reversed(chunks) if c.segment == 1}.values()
    assert after.first == 0
    assert after.data[2, 0] == drop["first"] + drop["n_samples"]


class Made:
    """Two streams of different rates, formats and beginnings, and one without samples."""

    def __init__(self) -> None:
        tag, desc = uuid4().hex, (("cap", (("name", "some"), ("size", "54"))),)
        self.streams = (
            StreamDescription("fast", "EEG", 2, 100.0, "double64", f"fast-{tag}", desc),
            StreamDescription("slow", "Gaze", 1, 10.0, "int16", f"slow-{tag}"),
            StreamDescription("words", "Markers", 2, 0.0, "string", f"words-{tag}"),
            StreamDescription("empty", "Audio", 1, 50.0, "float32", f"empty-{tag}"),
        )
        self.duration = 2.0
        self.fast = np.random.default_rng(2).standard_normal((200, 2))
        self.slow = np.arange(-10, 10, dtype=np.int16)[:, None]

    def blocks(self) -> Any:
        for n in range(2):
            yield Block(0, n + np.arange(100) / 100, self.fast[100 * n : 100 * n + 100])
            yield Block(1, n + 0.03 + np.arange(10) / 10, self.slow[10 * n : 10 * n + 10])
            yield Block(2, np.array([n + 0.5]), [["go", f"é{n}"]])


@pytest.mark.parametrize("loop", [False, True])
def test_several_streams_keep_names_formats_descriptions_and_relative_timing(
    loop: bool,
) -> None:
    made, other, stop = Made(), Made(), threading.Event()
    ids = [d.source_id for d in [*made.streams[:3], *other.streams[:1]]]
    others = [d.source_id for d in [*made.streams, *other.streams] if d.source_id not in ids]
    times = 2 if loop else 1

    def progress(seconds: float) -> None:
        if seconds > 4.4:
            stop.set()

    got = receive(
        lambda: play(
            [made, other],
            speed=4.0,
            loop=loop,
            wait_for_consumer=20,
            stop=stop,
            progress=progress,
        ),
        dict(zip(ids, [200 * times, 20 * times, 2 * times, 200 * times], strict=True))
        | dict.fromkeys(others, 0),
    )
    fast, slow, words, same = (got[source_id] for source_id in ids)
    np.testing.assert_array_equal(fast.data[: 200 * times], np.tile(made.fast, (times, 1)))
    np.testing.assert_array_equal(slow.data[: 20 * times], np.tile(made.slow, (times, 1)))
    assert words.rows[:2] == [["go", "é0"], ["go", "é1"]]
    t_0, period = fast.stamps[0], 2.03
    t_fast = np.concatenate([n * period + np.arange(200) / 100 for n in range(times)])
    t_slow = np.concatenate([n * period + 0.03 + np.arange(20) / 10 for n in range(times)])
    np.testing.assert_allclose(fast.stamps[: 200 * times] - t_0, t_fast, atol=1e-9)
    np.testing.assert_allclose(slow.stamps[: 20 * times] - t_0, t_slow, atol=1e-9)
    np.testing.assert_allclose(words.stamps[:2] - t_0, [0.5, 1.5], atol=1e-9)
    np.testing.assert_allclose(same.stamps[0], t_0, atol=1e-9)
    info = fast.info
    assert (info.name(), info.type(), info.channel_format()) == (
        "fast",
        "EEG",
        pylsl.cf_double64,
    )
    assert slow.info.channel_format() == pylsl.cf_int16
    assert info.desc().child("cap").child_value("size") == "54"
    assert words.info.channel_count() == 2


def test_another_output_gets_the_signal_and_its_markers_in_order(tmp_path: Path) -> None:
    output = Nowhere()
    faults = _schedule("drop@1:1s")
    assert play([_long("a")], output, speed=math.inf, schedule=faults) == 1400
    signals = [got for got in output.got if not isinstance(got[0], str)]
    data = np.concatenate([data for data, _ in signals], axis=1)
    np.testing.assert_array_equal(data, np.delete(LONG, np.s_[200:400], axis=1))
    n_seen = 0.0
    for what, t in output.got:
        if isinstance(what, str):  # comes before the samples of its instant
            assert n_seen <= int(what[1:])
        else:
            n_seen = what[2, -1]
            assert len(t) == what.shape[1]
    assert len(output.got) - len(signals) == 8
    with pytest.raises(SourceError, match="2 signals"):
        play([_long("a"), _long("b")], output)
    with pytest.raises(ConfigError, match="disconnect"):
        play([_long("a")], output, schedule=_schedule("disconnect@1:2s"))


def test_at_full_speed_a_recording_arrives_whole_and_sooner() -> None:
    name = uuid4().hex
    source_id = source_id_for(name, "signal")
    got = receive(
        lambda: play([_long(name)], speed=math.inf, wait_for_consumer=20), {source_id: 1600}
    )[source_id]
    np.testing.assert_array_equal(got.data, LONG.T.astype(float))
    assert got.arrived[-1] - got.arrived[0] < 1.0  # of 8 s


def test_what_takes_time_is_refused_at_full_speed_and_no_log_is_overwritten(
    tmp_path: Path,
) -> None:
    playable = [_long(uuid4().hex)]
    with pytest.raises(ConfigError, match="at speed max"):
        play(playable, speed=math.inf, schedule=_schedule("stall@1:1s"))
    (tmp_path / "log").touch()
    with pytest.raises(ConfigError, match="exists"):
        play(playable, truth=tmp_path / "log")
    with pytest.raises(ConfigError, match="cannot be written"):
        play(playable, truth=tmp_path / "none" / "log")
    with pytest.raises(SourceError, match="two of the streams"):
        play(playable * 2)
