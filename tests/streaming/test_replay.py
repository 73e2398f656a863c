from __future__ import annotations

import threading
from uuid import uuid4

import numpy as np
import pylsl
import pytest
from numpy.typing import NDArray

from streaming.errors import ConfigError, SourceError
from streaming.outlet import LslOutput
from streaming.replay import publish
from streaming.signal import Chunk, Gap, Marker, SignalSpec, SourceState
from streaming.sources.source import Item

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
    """An output that sends nothing."""

    def push(self, data: NDArray[np.float32], timestamps: NDArray[np.float64]) -> None:
        pass

    def push_marker(self, label: str, t: float) -> None:
        pass

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
            LslOutput(source.spec, self.name),
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
        LslOutput(SPEC, receiver.name)
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
        publish(ListSource([]), Nowhere(), **options)  # type: ignore[arg-type]
