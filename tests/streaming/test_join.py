from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streaming.errors import SourceError
from streaming.join import Join, Joiner, interpolate, join_data, join_specs
from streaming.joined import join_recorded, join_row
from streaming.rows import RowClock
from streaming.signal import Chunk, Gap, SignalSpec

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


def test_the_passband_is_as_it_is_said() -> None:
    n = np.arange(2000)
    for share, worst in ((0.1, 0.004), (0.2, 0.052)):
        x = np.sin(2 * np.pi * share * n)[None].astype(np.float32)
        at = np.arange(10, 1900).astype(np.float64) + 0.5
        got = interpolate(x, 0, at, [False])[0]
        want = np.sin(2 * np.pi * share * at)
        gain = float(got @ want / (want @ want))
        assert 1 - worst < gain < 1


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


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=30), st.randoms())
def test_the_recording_holds_what_was_decoded_bit_for_bit(sizes: list[int], random) -> None:  # type: ignore[no-untyped-def]
    amplifiers = _Amplifiers(5e-5, start=0.0017)
    for size in sizes:
        amplifiers.send(random.randrange(2), size, lose=random.random() < 0.1)
    amplifiers.both(1)
    decoded = np.concatenate([chunk.data for chunk in amplifiers.chunks], axis=1)
    rows = np.concatenate([join_row(join) for join in amplifiers.joins])
    data = [np.concatenate(parts, axis=1) for parts in amplifiers.raw]
    np.testing.assert_array_equal(join_recorded(rows, data, amplifiers.specs), decoded)


@given(st.integers(1, 40))
def test_cutting_changes_nothing(cut: int) -> None:
    rng = np.random.default_rng(0)
    data = [rng.standard_normal((2, 200)).astype(np.float32) for _ in range(2)]
    whole = join_data(Join(10, 80, (12.25,)), data, [0, 0], (A, B))
    parts = [
        join_data(Join(10, cut, (12.25,)), data, [0, 0], (A, B)),
        join_data(Join(10 + cut, 80 - cut, (12.25 + cut,)), data, [0, 0], (A, B)),
    ]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    slow = SignalSpec(500.0, ("C",))
    with pytest.raises(SourceError, match=r"amp1 has 250 Hz and amp2 500 Hz: .* same rate"):
        join_specs(["amp1", "amp2"], [A, slow])
    with pytest.raises(SourceError, match="amp1 and amp2 both have channels A1, A2: give them"):
        join_specs(["amp1", "amp2"], [A, A])


def test_positions_of_one_are_kept() -> None:
    placed = SignalSpec(SFREQ, ("C",), (), (0.1, 0.0, 0.0))
    assert join_specs(["a", "c"], [A, placed]).positions == (0.0,) * 6 + (0.1, 0.0, 0.0)
