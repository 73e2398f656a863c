from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streaming.clock import Stretch
from streaming.join import Join, join_specs
from streaming.joined import join_recorded, join_row
from streaming.joiner import Joiner
from streaming.rows import Piece, RowClock
from streaming.signal import Chunk, Gap, Revision, SignalSpec
from tests.examples import examples
from tests.streaming.held import Held

SFREQ = 250.0
A = SignalSpec(SFREQ, ("A1", "A2"))
B = SignalSpec(SFREQ, ("B1", "TRIG"), ("eeg", "stim"))


def _truth(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sin(2 * np.pi * 10 * t))


class _Amplifiers:
    """Two amplifiers whose clocks differ, and what is made of their samples."""

    def __init__(
        self,
        drift: float = 0.0,
        start: float = 0.0,
        specs: tuple[SignalSpec, SignalSpec] = (A, B),
    ) -> None:
        self.specs = specs
        self.clocks = [RowClock(spec.sfreq, (1.0, 1.0)) for spec in specs]
        clocks = [rows.clock for rows in self.clocks]
        self.joiner = Joiner(specs, clocks, join_specs("ab", specs))
        self.rates = (SFREQ, SFREQ * (1 + drift))
        self.starts = (100.0, 100.0 + start)
        self.n = [0, 0]
        self.raw: list[list[NDArray[np.float32]]] = [[], []]
        self.joins: list[Join] = []
        self.items: list[Gap | Chunk] = []

    def send(self, which: int, n_times: int, *, lose: bool = False) -> None:
        n = self.n[which] + np.arange(n_times)
        self.n[which] += n_times
        if lose:
            return
        t = self.starts[which] + n / self.rates[which]
        step = np.floor(t - 100) if which else _truth(t)
        rows = np.stack([_truth(t), step], axis=1).astype(np.float32)
        pieces = self.clocks[which].feed(rows, t)
        self.raw[which] += [piece.data for piece in pieces]
        for joined in self.joiner.feed(which, pieces):
            assert joined.join is not None
            self.joins.append(joined.join)
            self.items += [joined.gap] if joined.gap is not None else []
            self.items.append(joined.chunk)

    def both(self, seconds: float, block: int = 10) -> None:
        for _ in range(round(seconds * SFREQ / block)):
            self.send(0, block)
            self.send(1, block)

    @property
    def chunks(self) -> list[Chunk]:
        return [item for item in self.items if isinstance(item, Chunk)]

    @property
    def gaps(self) -> list[Gap]:
        return [item for item in self.items if isinstance(item, Gap)]


def _instants(chunk: Chunk) -> NDArray[np.float64]:
    return chunk.t0 + np.arange(chunk.n_times) / chunk.spec.sfreq


@pytest.mark.parametrize("drift", [0.0, 1e-4, -1e-4])
def test_two_amplifiers_tell_the_same_at_the_same_instant(drift: float) -> None:
    amplifiers = _Amplifiers(drift, start=0.0013)
    amplifiers.both(30)
    assert not amplifiers.gaps
    late = [chunk for chunk in amplifiers.chunks if chunk.t0 > 102]
    for chunk in late:
        within = 2 * np.pi * 10 * 1e-3  # 1 ms of a sine at 10 Hz
        assert np.abs(chunk.data[2] - chunk.data[0]).max() < within
        np.testing.assert_allclose(
            chunk.data[0], _truth(_instants(chunk)), atol=2 * np.pi * 10 * 1e-3
        )
    n_times = sum(chunk.n_times for chunk in amplifiers.chunks)
    assert 30 * SFREQ - n_times < 15


def test_triggers_are_whole_numbers_and_at_their_sample() -> None:
    amplifiers = _Amplifiers(1e-4, start=0.0013)
    amplifiers.both(10)
    steps = np.concatenate([chunk.data[3] for chunk in amplifiers.chunks])
    t = np.concatenate([_instants(chunk) for chunk in amplifiers.chunks])
    assert set(steps.tolist()) == set(range(10))
    rises = t[1:][np.diff(steps) > 0] - 100
    assert np.abs(rises - np.arange(1, 10)).max() <= 1.1 / SFREQ


def test_a_gap_in_the_second_is_a_gap_of_both() -> None:
    amplifiers = _Amplifiers()
    amplifiers.both(15)
    for _ in range(50):
        amplifiers.send(0, 10)
        amplifiers.send(1, 10, lose=True)
    amplifiers.both(5)
    (gap,) = amplifiers.gaps
    assert gap.reason == "lost"
    assert gap.duration == pytest.approx(2, abs=0.05)
    assert gap.t == pytest.approx(115, abs=0.05)
    after = [chunk for chunk in amplifiers.chunks if chunk.segment == 1]
    assert after[0].first == 0
    assert after[0].t0 == pytest.approx(gap.t + gap.duration)
    assert sum(c.n_times for c in after) > 4.9 * SFREQ
    assert {chunk.segment for chunk in amplifiers.chunks} == {0, 1}


def test_a_gap_in_the_first_is_one_too() -> None:
    amplifiers = _Amplifiers()
    amplifiers.both(15)
    for _ in range(50):
        amplifiers.send(0, 10, lose=True)
        amplifiers.send(1, 10)
    amplifiers.both(5)
    (gap,) = amplifiers.gaps
    assert gap.duration == pytest.approx(2, abs=0.02)


def test_it_does_not_wait_forever_for_one_that_sends_nothing() -> None:
    amplifiers = _Amplifiers()
    amplifiers.both(15)
    for _ in range(250):
        amplifiers.send(0, 10)
    amplifiers.n[1] += 2500
    assert not amplifiers.gaps
    amplifiers.both(5)
    (gap,) = amplifiers.gaps
    assert gap.duration == pytest.approx(10, abs=0.1)


def test_markers_are_placed_in_the_joined_signal() -> None:
    amplifiers = _Amplifiers(start=1.0)
    assert not amplifiers.joiner.started
    amplifiers.both(10)
    first = amplifiers.chunks[0]
    assert first.t0 == pytest.approx(101 + 1 / SFREQ, abs=0.01)
    assert amplifiers.joiner.locate(first.t0 + 2) == (0, 500)


@examples(20)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=30), st.randoms())
def test_the_recording_holds_what_was_decoded_bit_for_bit(sizes: list[int], random) -> None:  # type: ignore[no-untyped-def]
    amplifiers = _Amplifiers(5e-5, start=0.0017)
    for size in sizes:
        amplifiers.send(random.randrange(2), size, lose=random.random() < 0.1)
    amplifiers.both(1)
    decoded = np.concatenate([chunk.data for chunk in amplifiers.chunks], axis=1)
    rows = np.concatenate([join_row(join) for join in amplifiers.joins])
    data = [np.concatenate(parts, axis=1) for parts in amplifiers.raw]
    again = join_recorded(rows, list(map(Held, data)), amplifiers.specs)
    np.testing.assert_array_equal(again, decoded)


def test_when_the_first_stops_for_good_memory_stays_bounded() -> None:
    amplifiers = _Amplifiers()
    amplifiers.both(15)
    for _ in range(200):
        amplifiers.send(1, 250)
    (segments,) = amplifiers.joiner._others
    (segment,) = segments
    assert segment.rows.stop == 15 * SFREQ + 200 * 250
    assert segment.rows.stop - segment.rows.start <= 6 * SFREQ


def test_when_the_first_is_gone_one_that_comes_and_goes_is_not_kept() -> None:
    amplifiers = _Amplifiers()
    amplifiers.both(15)
    for _ in range(40):
        amplifiers.send(1, 500)
        amplifiers.n[1] += 500
        amplifiers.clocks[1].reconnect()
    (segments,) = amplifiers.joiner._others
    assert len(segments) <= 4
    amplifiers.n[0] = amplifiers.n[1]
    amplifiers.both(5)
    (gap,) = amplifiers.gaps
    assert (gap.reason, round(gap.duration)) == ("reconnect", 160)
    assert sum(c.n_times for c in amplifiers.chunks if c.segment == 1) > 4.9 * SFREQ


def test_what_the_first_sent_before_another_started_is_left_out() -> None:
    amplifiers = _Amplifiers()
    for _ in range(500):
        amplifiers.send(0, 10)
    assert not amplifiers.items
    amplifiers.n[1] = amplifiers.n[0]
    amplifiers.both(5)
    assert not amplifiers.gaps
    assert amplifiers.chunks[0].t0 == pytest.approx(100 + 5000 / SFREQ, abs=0.02)
    assert sum(c.n_times for c in amplifiers.chunks) > 4.9 * SFREQ


def test_samples_one_by_one_are_the_same_signal() -> None:
    amplifiers = _Amplifiers(1e-4, start=0.0013)
    amplifiers.both(12, block=1)
    assert not amplifiers.gaps
    assert {chunk.n_times for chunk in amplifiers.chunks[10:]} == {1}
    late = [chunk for chunk in amplifiers.chunks if chunk.t0 > 102]
    got = np.concatenate([chunk.data for chunk in late], axis=1)
    np.testing.assert_allclose(got[2], got[0], atol=0.01)


def _piece(t: float, first: int, n_times: int, *revisions: Revision) -> Piece:
    """Return samples 0, 1, 2 ... of a stream that began at `t`, without a loss."""
    n = first + np.arange(n_times)
    stretch = Stretch(n_times, 0, first, t, None, revisions)
    return Piece(np.stack([n, n]).astype(np.float32), first, stretch)


def _joiner() -> Joiner:
    clocks = [RowClock(SFREQ, (1.0, 1.0)).clock for _ in range(2)]
    return Joiner((A, B), clocks, join_specs("ab", (A, B)))


def test_drift_for_hours_leaves_the_precision_of_a_sample() -> None:
    joiner, ppm = _joiner(), 1e-4
    n = 4 * 3600 * round(SFREQ)
    # four hours on, with clocks that count from 1970
    t = 1.8e9
    drifted = t + n / SFREQ * ppm  # what the other's clock says of its anchor by now
    joiner.feed(1, [_piece(drifted, n - 500, 1000)])
    (joined,) = joiner.feed(0, [_piece(t, n - 100, 200)])
    want = n - 100 + np.arange(200) - n * ppm
    np.testing.assert_allclose(joined.chunk.data[2], want, atol=0.3)  # float32 of 3.6 million
    assert joined.join is not None
    assert joined.join.positions[0] == pytest.approx(n - 100 - n * ppm, abs=1e-3)


def test_losses_that_are_found_late_are_told_also_of_the_second() -> None:
    joiner, found = _joiner(), []
    for n in range(0, 4000, 50):
        own = [Revision(0, 1000, 1010, 104.0, 2)] if n == 2000 else []
        other = [Revision(0, 1500, 1520, 106.0, 3)] if n == 3000 else []
        for which, revisions in enumerate((own, other)):
            for joined in joiner.feed(which, [_piece(100.0, n, 50, *revisions)]):
                found += joined.news
    start = 1  # the first sample that has another before it
    assert found == [
        Revision(0, 1000 - start, 1010 - start, 104.0, 2),
        Revision(0, 1500 - start, 1520 - start, 106.0, 0),
    ]


def test_a_late_finding_before_there_is_a_second_concerns_nothing() -> None:
    joiner = _joiner()
    assert not joiner.feed(0, [_piece(100.0, 0, 500)])
    assert not joiner.feed(0, [_piece(100.0, 500, 50, Revision(0, 100, 101, 100.4, 2))])
    joined = joiner.feed(1, [_piece(101.0, 0, 400)])
    assert joined
    assert not any(j.revisions for j in joined)


def test_a_clock_that_was_set_counts_what_could_not_be_joined() -> None:
    joiner = _joiner()
    joiner.feed(0, [_piece(100.0, 0, 500)])
    joiner.feed(1, [_piece(100.0, 0, 500)])
    set_ahead = Stretch(1000, 1, 0, 103.0, Gap(102.0, 0.0, "clock"))
    joiner.feed(1, [Piece(np.zeros((2, 1000), np.float32), 500, set_ahead)])
    (joined,) = joiner.feed(0, [_piece(100.0, 500, 750)])[-1:]
    assert joined.gap is not None
    assert joined.gap.reason == "clock"
    assert joined.gap.duration == pytest.approx(1.0, abs=4 / SFREQ)


def test_clocks_that_are_set_together_lose_nothing() -> None:
    joiner = _joiner()
    joiner.feed(0, [_piece(100.0, 0, 500)])
    joiner.feed(1, [_piece(100.0, 0, 500)])
    hour = Stretch(500, 1, 0, 3702.0, Gap(102.0, 0.0, "clock"))
    gaps = []
    for which in range(2):
        piece = Piece(np.zeros((2, 500), np.float32), 500, hour)
        gaps += [joined.gap for joined in joiner.feed(which, [piece])]
    (gap,) = gaps
    assert gap is not None
    assert gap.reason == "clock"
    assert gap.duration < 5 / SFREQ
