from __future__ import annotations

import itertools
import queue
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pylsl
import pytest

from streaming.description import Described
from streaming.errors import SourceError, StreamNotFound, UnitError
from streaming.fieldtrip_protocol import CHANNEL_NAMES, NEUROMAG_HEADER, RESOLUTIONS, Address
from streaming.fieldtrip_server import FieldTripServer
from streaming.fif_header import write_fif_header
from streaming.signal import Chunk, Gap, Marker, SignalSpec, SourceState
from streaming.sources.fieldtrip_client import BufferClient
from streaming.sources.source import ClockOffset, Item, RawSamples, StreamHeader
from streaming.triggers import TriggerChannel, TriggerSource
from tests.streaming.buffers import Header, announced, open_source

SPEC = SignalSpec(500.0, ("MEG0111", "MEG0112", "STI101"), ("mag", "grad", "stim"))
DATA = np.random.default_rng(0).standard_normal((3, 10_000)).astype(np.float32)
FREE = Address("127.0.0.1", 0)


class Sender:
    """A server, filled by hand."""

    def __init__(self, address: Address = FREE, spec: SignalSpec = SPEC) -> None:
        self.server = FieldTripServer(Described(spec, (1.0,) * len(spec.ch_names)), address)
        self.address, self._t0, self.n = self.server.address, pylsl.local_clock(), 0

    def send(self, n_times: int, marker: str = "") -> None:
        """Send samples; a marker is at the fourth of them."""
        stamps = self._t0 + np.arange(self.n, self.n + n_times) / SPEC.sfreq
        if marker:
            self.server.push_marker(marker, float(stamps[3]))
        self.server.push(DATA[:, self.n : self.n + n_times], stamps)
        self.n += n_times


@pytest.fixture
def sender() -> Iterator[Sender]:
    sender = Sender()
    yield sender
    sender.server.close()


def _read_until(
    source: object, enough: Callable[[list[Item]], bool], seconds: float = 15
) -> list[Item]:
    items: list[Item] = []
    deadline = pylsl.local_clock() + seconds
    while not enough(items):
        assert pylsl.local_clock() < deadline, f"not within {seconds} s: {items[-5:]}"
        item = source.read(0.2)  # type: ignore[attr-defined]
        if item is not None:
            items.append(item)
    return items


def _n_times(items: list[Item]) -> int:
    return sum(i.n_times for i in items if isinstance(i, Chunk))


def _data(items: list[Item]) -> np.ndarray:
    return np.concatenate([i.data for i in items if isinstance(i, Chunk)], axis=-1)


def _states(items: list[Item]) -> list[str]:
    return [i.state for i in items if isinstance(i, SourceState)]


def test_samples_and_markers_come_as_they_were_sent(sender: Sender) -> None:
    sender.send(10)
    seen: list[StreamHeader | RawSamples | ClockOffset] = []
    source = open_source(sender.address, tap=seen.append)
    assert source.spec == SPEC
    assert source.spec.units == ("T", "T/m", "")
    sender.send(100)
    sender.send(50, "face")
    t_sent = pylsl.local_clock()
    items = _read_until(source, lambda items: any(isinstance(i, Marker) for i in items))
    np.testing.assert_array_equal(_data(items), DATA[:, 10:160])
    (marker,) = (i for i in items if isinstance(i, Marker))
    assert (marker.label, marker.segment, marker.sample) == ("face", 0, 103)
    last = [i for i in items if isinstance(i, Chunk)][-1]
    assert marker.t == pytest.approx(last.t_anchor + 103 / 500)
    assert abs(last.t_end - t_sent) < 0.1  # when they came is all there is to know
    rows = [s for s in seen if isinstance(s, RawSamples) and s.stream_id == 1]
    np.testing.assert_array_equal(np.concatenate([r.data for r in rows]).T, DATA[:, 10:160])
    assert [s.data for s in seen if isinstance(s, RawSamples) and s.stream_id == 2] == [
        ["face"]
    ]
    assert "<channel_format>float32<" in seen[0].info_xml  # type: ignore[union-attr]
    source.close()
    source.close()


class _EnoughError(Exception):
    """Ends a source that would read on."""


def test_samples_are_read_by_the_request_that_waited_for_them(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So they come when they are there, on a machine of any load: nothing asks now and then."""
    n_requests = 10
    asked: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
    answered: queue.SimpleQueue[int] = queue.SimpleQueue()
    wait, count = BufferClient.wait, itertools.count()

    def waiting(
        client: BufferClient, n_samples: int, n_events: int, timeout: int
    ) -> tuple[int, int]:
        if next(count) == n_requests:
            raise _EnoughError
        asked.put((n_samples, timeout))
        there: tuple[int, int] = wait(client, n_samples, n_events, timeout)
        answered.put(there[0])
        return there

    def read_on() -> None:
        while True:
            source.read(600.0)

    sender.send(10)
    source = open_source(sender.address)
    monkeypatch.setattr(BufferClient, "wait", waiting)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_on)
        for n in range(10, 10 + 5 * n_requests, 5):
            n_samples, timeout = asked.get(timeout=60)
            assert (n_samples, timeout > 60_000) == (n, True)
            sender.send(5)
            assert answered.get(timeout=60) == n + 5
        with pytest.raises(_EnoughError):
            reading.result(60)
    source.close()


def test_what_was_overwritten_is_counted(sender: Sender) -> None:
    source = open_source(sender.address)
    sender.send(100)
    before = _read_until(source, lambda items: _n_times(items) == 100)
    for _ in range(3):  # 10 s are kept, 12 are sent
        sender.send(2000)
    assert source.read(0) is None  # what it would have read is gone
    sender.send(70)
    after = _read_until(source, lambda items: _n_times(items) >= 70)
    (gap,) = (i for i in after if isinstance(i, Gap))
    assert gap.duration == pytest.approx(6000 / 500)
    assert gap.reason == "lost"
    chunks = [i for i in after if isinstance(i, Chunk)]
    assert (chunks[0].segment, chunks[0].first) == (1, 0)
    np.testing.assert_array_equal(_data(after), DATA[:, 6100:6170])
    assert _n_times(before) + round(gap.duration * 500) + _n_times(after) == sender.n
    source.close()


def test_a_server_that_starts_anew_is_found_again(sender: Sender) -> None:
    sender.send(10)
    source = open_source(sender.address)
    sender.send(100)
    _read_until(source, lambda items: _n_times(items) == 100)
    sender.server.close()
    items = _read_until(source, lambda items: "lost" in _states(items))
    again = Sender(sender.address)
    again.send(40, "first")
    items += _read_until(source, lambda items: any(isinstance(i, Marker) for i in items))
    assert _states(items) == ["lost", "live"]
    (gap,) = (i for i in items if isinstance(i, Gap))
    assert gap.reason == "reconnect"
    np.testing.assert_array_equal(_data(items), DATA[:, :40])  # all it got since
    (marker,) = (i for i in items if isinstance(i, Marker))
    assert (marker.label, marker.segment, marker.sample) == ("first", 1, 3)
    source.close()
    again.server.close()


def test_a_connection_that_breaks_costs_no_sample(sender: Sender) -> None:
    sender.send(10)
    source = open_source(sender.address)
    sender.send(100)
    before = _read_until(source, lambda items: _n_times(items) == 100)
    t = pylsl.local_clock()
    sender.server._server.disconnect()  # the network, not the buffer
    items = _read_until(source, lambda items: "lost" in _states(items))
    sender.send(n := round((pylsl.local_clock() - t + 0.25) * 500))  # the amplifier goes on
    items += _read_until(source, lambda items: _n_times(items) == n)
    assert _states(items) == ["lost", "live"]
    assert not [i for i in items if isinstance(i, Gap)]
    np.testing.assert_array_equal(_data(before + items), DATA[:, 10 : 110 + n])
    assert {i.segment for i in items if isinstance(i, Chunk)} == {0}
    source.close()


def test_another_header_is_said_with_both(sender: Sender) -> None:
    sender.send(10)
    source = open_source(sender.address)
    sender.server.close()
    other = Sender(sender.address, SignalSpec(250.0, ("MEG0111",), ("mag",)))
    items = _read_until(
        source, lambda items: any("is back" in getattr(i, "detail", "") for i in items)
    )
    said = items[-1].detail  # type: ignore[union-attr]
    assert "250 Hz" in said
    assert "500 Hz" in said
    assert _states(items) == ["live", "lost", "lost"]
    assert source.read(0.6) is None  # it is said once
    other.server.close()
    right = Sender(sender.address)
    _read_until(source, lambda items: "live" in _states(items))
    source.close()
    right.server.close()


def test_a_source_without_samples_is_stalled(sender: Sender) -> None:
    sender.send(10)
    source = open_source(sender.address)
    items = _read_until(source, lambda items: "stalled" in _states(items))
    sender.send(10)
    items += _read_until(source, lambda items: _n_times(items) > 0)
    assert _states(items) == ["live", "stalled", "live"]
    source.close()


def test_no_server_is_said() -> None:
    gone = Sender()
    gone.server.close()
    with pytest.raises(StreamNotFound, match="no FieldTrip buffer at fieldtrip://127"):
        open_source(gone.address, timeout=0.1)


def _header(number: int, labels: str, **chunks: bytes) -> Header:
    header = Header()
    header.nChannels, header.fSample, header.dataType = len(labels.split()), 250.0, number
    header.labels = labels.split()
    header.chunks = {CHANNEL_NAMES: b""} | {int(k[1:]): v for k, v in chunks.items()}
    return header


def test_neuromag_sensors_are_known_by_their_names() -> None:
    found = announced(_header(9, "MEG0111 MEG0112 STI101"), None).described
    assert found.spec.ch_types == ("mag", "grad", "stim")
    assert found.to_si == (1.0, 1.0, 1.0)


def test_electrodes_need_a_unit() -> None:
    with pytest.raises(UnitError, match="--unit uV"):
        announced(_header(9, "Cz Pz"), None)
    assert announced(_header(9, "Cz Pz"), "uV").described.to_si == (1e-6, 1e-6)


def test_whole_numbers_are_scaled() -> None:
    resolutions = {f"_{RESOLUTIONS}": struct.pack("<2d", 0.5, 0.25)}
    found = announced(_header(7, "Cz Pz", **resolutions), "uV").described
    np.testing.assert_allclose(found.to_si, (0.5e-6, 0.25e-6))
    fif = write_fif_header(SignalSpec(250.0, ("MEG0111", "MEG0112"), ("mag", "grad")))
    at = fif.index(b"MEG0111") - 4 - 4 - 48 - 4 - 8  # range and calibration of the first
    fif = fif[:at] + struct.pack("<2f", 0.5, 4e-12) + fif[at + 8 :]
    header = _header(7, "MEG0111 MEG0112", **{f"_{NEUROMAG_HEADER}": fif})
    np.testing.assert_allclose(announced(header, None).described.to_si, (2e-12, 1.0), rtol=1e-6)
    header.dataType = 9  # neuromag2ft calibrates what it sends as float32
    assert announced(header, None).described.to_si == (1.0, 1.0)


def test_headers_that_contradict_themselves_are_refused() -> None:
    fif = write_fif_header(SPEC)
    header = _header(9, "MEG0111 MEG0112", **{f"_{NEUROMAG_HEADER}": fif})
    with pytest.raises(SourceError, match="has 2 channels, its Neuromag header 3"):
        announced(header, None)
    with pytest.raises(SourceError, match="none of FieldTrip's"):
        announced(_header(77, "Cz"), None)


@pytest.mark.parametrize("rate", [0.0, -250.0, np.nan, np.inf])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    header = _header(9, "MEG0111")
    header.fSample = rate
    with pytest.raises(SourceError, match="samples a second: check what fills it"):
        announced(header, None)


def test_a_channel_of_triggers_gives_markers_at_their_samples() -> None:
    spec = SignalSpec(250.0, ("Cz", "Input 8"))
    data = np.zeros((2, 200), np.float32)
    data[1, 100:110] = 0x0105
    server = FieldTripServer(Described(spec, (1.0, 1.0)), FREE)
    try:
        server.push(data[:, :10], pylsl.local_clock() + np.arange(10) / 250)
        source = open_source(server.address, unit="V", trigger="input8")
        assert source.spec.ch_types == ("eeg", "stim")
        triggers = TriggerSource(source, TriggerChannel("input8", 0xFF))
        server.push(data[:, 10:], pylsl.local_clock() + np.arange(190) / 250)
        items = _read_until(triggers, lambda items: _n_times(items) == 190)
        (marker,) = (item for item in items if isinstance(item, Marker))
        assert (marker.label, marker.sample) == ("5", 90)
        triggers.close()
    finally:
        server.close()
