from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.errors import ConfigError, SourceError
from streaming.outlet import Outlet, describe_signal, source_id_for
from streaming.replay import play, publish
from streaming.signal import Chunk, Gap, Marker, SourceState
from streaming.sources.lsl import LslSource
from tests.streaming.loopback import receive
from tests.streaming.replays import (
    DATA,
    LONG,
    SPEC,
    ListSource,
    Receiver,
    faults,
    piece,
    recorded,
)


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


def test_samples_and_markers_arrive_as_they_are_at_their_time() -> None:
    marker = Marker("face", 7.0 + 37 / 200, 0, 37)
    got = Receiver([marker, piece(0, 60), piece(60, 100)]).receive(100, 1)
    np.testing.assert_array_equal(got.data, DATA)
    np.testing.assert_allclose(np.diff(got.stamps), 1 / 200, atol=1e-9)
    ((label, t),) = got.markers
    assert label == "face"
    assert t == pytest.approx(got.stamps[37], abs=1e-9)
    late = got.arrived - got.stamps
    assert late[15:].min() > 0  # nothing arrives before it was taken


def test_a_replay_at_another_speed_is_the_same_stream_faster() -> None:
    marker = Marker("face", 7.0 + 37 / 200, 0, 37)
    receiver = Receiver([marker, piece(0, 100)], speed=4.0)
    got = receiver.receive(100, 1)
    np.testing.assert_array_equal(got.data, DATA)
    np.testing.assert_allclose(np.diff(got.stamps), 1 / 200, atol=1e-9)
    assert got.markers[0][1] == pytest.approx(got.stamps[37], abs=1e-9)
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
    got = Receiver([piece(0, 40), gap, after, piece(40, 100, 1, 0)]).receive(100, 1)
    steps = np.diff(got.stamps)
    assert steps[39] == pytest.approx(0.5 + 1 / 200, abs=1e-9)
    np.testing.assert_allclose(np.delete(steps, 39), 1 / 200, atol=1e-9)
    assert got.markers[0][1] == pytest.approx(got.stamps[50], abs=1e-9)


def test_the_description_names_channels_types_and_units() -> None:
    receiver = Receiver([piece(0, 16)])
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
    receiver = Receiver([piece(0, 16)])
    with pytest.raises(SourceError, match="already sent"):
        publish(ListSource([]), name=receiver.name)
    receiver.stop.set()
    receiver._thread.join(10)


def test_a_stop_ends_a_wait_at_once() -> None:
    receiver = Receiver([piece(0, 16), Chunk(DATA[:, :1], SPEC, first=10**6, t_anchor=7.0)])
    receiver.signal.open_stream(10)
    receiver.stop.set()
    receiver._thread.join(5)
    assert not receiver._thread.is_alive()


@pytest.mark.parametrize("options", [{"speed": 0.0}, {"chunk_size": 0}])
def test_a_speed_or_size_of_nothing_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="must be positive"):
        publish(ListSource([]), name="x", **options)  # type: ignore[arg-type]


def test_another_output_gets_the_signal_and_its_markers_in_order(tmp_path: Path) -> None:
    output = Nowhere()
    drop = faults("drop@1:1s")
    assert play([recorded("a")], output, speed=math.inf, schedule=drop) == 1400
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
        play([recorded("a"), recorded("b")], output)
    with pytest.raises(ConfigError, match="disconnect"):
        play([recorded("a")], output, schedule=faults("disconnect@1:2s"))


def test_at_full_speed_a_recording_of_8_s_arrives_whole_and_sooner() -> None:
    name = uuid4().hex
    source_id = source_id_for(name, "signal")
    got = receive(
        lambda: play([recorded(name)], speed=math.inf, wait_for_consumer=20), {source_id: 1600}
    )[source_id]
    np.testing.assert_array_equal(got.data, LONG.T.astype(float))
    assert got.arrived[-1] - got.arrived[0] < 8.0


def test_what_takes_time_is_refused_at_full_speed_and_no_log_is_overwritten(
    tmp_path: Path,
) -> None:
    playable = [recorded(uuid4().hex)]
    with pytest.raises(ConfigError, match="at speed max"):
        play(playable, speed=math.inf, schedule=faults("stall@1:1s"))
    (tmp_path / "log").touch()
    with pytest.raises(ConfigError, match="exists"):
        play(playable, truth=tmp_path / "log")
    with pytest.raises(ConfigError, match="cannot be written"):
        play(playable, truth=tmp_path / "none" / "log")
    with pytest.raises(SourceError, match="two of the streams"):
        play(playable * 2)


def test_nothing_leaves_before_it_is_let_go() -> None:
    output, had = Nowhere(), list[int]()
    play([recorded("a")], output, speed=math.inf, hold=lambda: had.append(len(output.got)))
    assert had == [0]
    assert output.got
