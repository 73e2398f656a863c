from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import ConfigError
from streaming.outlet import describe_markers, describe_signal
from streaming.signal import SignalSpec
from streaming.sources.faults import KINDS, Schedule, parse_fault, read_schedule
from streaming.sources.injector import Injector, Piece, injectors
from streaming.sources.playable import Block
from tests.examples import examples

SPEC = SignalSpec(200.0, ("Cz", "VEOG", "TRIG"), ("eeg", "eog", "stim"))
STREAM = describe_signal(SPEC, "some")
N_TIMES = 1200
T = np.arange(N_TIMES) / 200.0
DATA = np.random.default_rng(0).standard_normal((N_TIMES, 3)).astype(np.float32)
ALL = (
    "drop@0.5:300ms",
    "nan@1:0.5s:channels=Cz",
    "line@1:end:1mV:channels=Cz,VEOG",
    "jitter@0:end:30ms",
    "bunch@1.5:1s:12",
    "step@2:-0.5s",
    "drift@2.2:1s:1000ppm",
    "stall@2.5:0.25s",
    "flat@3:200ms",
    "saturate@3.5:200ms:5mV:channels=VEOG",
    "pop@4:200ms:5mV:channels=Cz",
    "disconnect@4:1s:rate=50:n_channels=2",
)


def _pieces(texts: tuple[str, ...], cuts: list[int], chunk_size: int = 16) -> list[Piece]:
    schedule = Schedule(tuple(parse_fault(text) for text in texts), 3)
    injector = Injector(0, STREAM, schedule, chunk_size)
    edges = [0, *sorted(cuts), N_TIMES]
    pieces = []
    for start, stop in pairwise(edges):
        if stop > start:
            pieces += list(injector.feed(Block(0, T[start:stop], DATA[start:stop])))
    return [*pieces, *injector.flush()]


def _one(text: str, chunk_size: int = 16) -> list[Piece]:
    return _pieces((text,), [], chunk_size)


WHOLE = _pieces(ALL, [])


@examples(30)
@given(st.lists(st.integers(0, N_TIMES), max_size=30))
def test_cutting_the_stream_anywhere_changes_no_fault(cuts: list[int]) -> None:
    for one, other in zip(WHOLE, _pieces(ALL, cuts), strict=True):
        assert (one.first, one.due, one.hits) == (other.first, other.due, other.hits)
        np.testing.assert_array_equal(one.t, other.t)
        np.testing.assert_array_equal(one.stamps, other.stamps)
        np.testing.assert_array_equal(one.rows, other.rows)


def test_every_sample_is_taken_once_and_pieces_leave_in_order() -> None:
    np.testing.assert_array_equal(np.concatenate([p.t for p in WHOLE]), T)
    assert (np.diff([p.due for p in WHOLE]) >= 0).all()
    assert {p.first for p in WHOLE} == set(np.cumsum([0] + [len(p.t) for p in WHOLE[:-1]]))


def test_without_faults_pieces_are_the_samples_at_their_time() -> None:
    pieces = _pieces((), [])
    np.testing.assert_array_equal(np.concatenate([p.rows for p in pieces]), DATA)
    np.testing.assert_array_equal(np.concatenate([p.stamps for p in pieces]), T)
    assert [p.due for p in pieces] == pytest.approx([float(p.t[-1]) + 0.005 for p in pieces])
    assert {len(p.t) for p in pieces} == {16}


@pytest.mark.parametrize("chunk_size", [1, 7, 64])
def test_a_drop_is_of_exactly_its_samples(chunk_size: int) -> None:
    gone = [p for p in _one("drop@2:1s", chunk_size) if p.hits]
    taken = np.concatenate([p.t for p in gone])
    np.testing.assert_array_equal(taken, T[400:600])
    assert all(len(p.rows) == len(p.stamps) == 0 for p in gone)


def test_jitter_is_late_by_up_to_its_amount_and_never_early_nor_out_of_order() -> None:
    pieces = _one("jitter@0:end:30ms", 4)
    delays = np.array([float(p.stamps[0] - p.t[0]) for p in pieces])
    assert delays.min() >= 0
    assert 0.025 < delays.max() <= 0.03
    np.testing.assert_allclose([p.hits[0].value for p in pieces], delays, atol=1e-12)
    late = [p.due - (float(p.t[-1]) + 0.005) for p in pieces]
    np.testing.assert_allclose(late, delays, atol=1e-9)


def test_a_bunch_bears_the_timestamp_of_its_last_sample_and_leaves_when_it_is_whole() -> None:
    pieces = _one("bunch@0:end:12")
    stamps = np.concatenate([p.stamps for p in pieces])
    np.testing.assert_allclose(stamps, T[11::12].repeat(12))
    assert all(p.due >= p.stamps[-1] for p in pieces)


def test_a_step_moves_timestamps_and_not_the_delivery() -> None:
    for p in _one("step@2:-500ms"):
        shift = -0.5 if p.t[0] >= 2 else 0.0
        np.testing.assert_allclose(p.stamps, p.t + shift)
        assert p.due == pytest.approx(float(p.t[-1]) + 0.005)


def test_a_drift_moves_both_and_what_it_moved_stays() -> None:
    pieces = _one("drift@1:2s:1000ppm")
    stamps = np.concatenate([p.stamps for p in pieces])
    np.testing.assert_allclose(stamps - T, np.clip(T - 1, 0, 2) * 1e-3, atol=1e-12)
    assert pieces[-1].due == pytest.approx(T[-1] + 0.005 + 0.002)


def test_a_stall_ends_in_a_burst_of_what_was_held_back() -> None:
    pieces = _one("stall@2:0.5s")
    np.testing.assert_array_equal(np.concatenate([p.rows for p in pieces]), DATA)
    np.testing.assert_array_equal(np.concatenate([p.stamps for p in pieces]), T)
    held = [p for p in pieces if p.hits]
    np.testing.assert_array_equal(np.concatenate([p.t for p in held]), T[400:500])
    assert {p.due for p in held} == {2.5}


def test_faults_of_channels_change_those_alone_in_their_unit() -> None:
    def changed(text: str) -> np.ndarray:
        return np.concatenate([p.rows for p in _one(text)])

    nan = changed("nan@1:1s:channels=VEOG")
    assert np.isnan(nan[200:400, 1]).all()
    np.testing.assert_array_equal(nan[:, [0, 2]], DATA[:, [0, 2]])
    assert (changed("flat@1:1s")[200:400] == 0).all()
    saturated = changed("saturate@1:1s:5mV:channels=Cz")
    np.testing.assert_array_equal(saturated[200:400, 0], np.float32(5e-3))
    pop = changed("pop@1:1s:5mV:channels=Cz")[:, 0].astype(float) - DATA[:, 0]
    decay = 5e-3 * np.exp(-5 * (T[200:400] - 1))
    np.testing.assert_allclose(pop[200:400], decay, atol=1e-6)
    assert not pop[:200].any()
    assert not pop[400:].any()
    line = changed("line@1:1s:50uV:hz=60:channels=Cz")
    added = line[:, 0].astype(float) - DATA[:, 0]
    wave = 50e-6 * np.sin(2 * np.pi * 60 * T)
    np.testing.assert_allclose(added[200:400], wave[200:400], atol=1e-6)
    assert (added[:200] == 0).all()


def test_whole_numbers_are_limited_and_not_wrapped() -> None:
    stream = describe_signal(SPEC, "some")
    injector = Injector(0, stream, Schedule((parse_fault("saturate@0:end:1e9"),)), 16)
    (piece, *_) = injector.feed(Block(0, T, np.zeros((N_TIMES, 3), np.int16)))
    assert isinstance(piece.rows, np.ndarray)
    assert piece.rows.dtype == np.int16
    assert (piece.rows == 32767).all()


def test_a_stream_comes_back_with_another_rate_and_fewer_channels() -> None:
    fault = parse_fault("disconnect@1:2s:rate=50:n_channels=2")
    injector = Injector(0, STREAM, Schedule((fault,)), 16)
    pieces = [*injector.feed(Block(0, T, DATA)), *injector.flush()]
    ((gone, back, description),) = injector.outages
    assert (gone, back) == (1.0, 3.0)
    assert (description.sfreq, description.n_channels) == (50.0, 2)
    assert [label for label, _, _ in description.channels()] == ["Cz", "VEOG"]
    assert description.source_id == STREAM.source_id
    assert sum(len(p.rows) for p in pieces if 1 <= p.t[0] < 3) == 0
    after = [p for p in pieces if p.t[0] >= 3]
    np.testing.assert_array_equal(np.concatenate([p.rows for p in after]), DATA[600::4, :2])
    np.testing.assert_allclose(np.concatenate([p.stamps for p in after]), T[600::4])
    before = [p.due for p in pieces if p.t[0] < 1]
    assert max(before) <= 1.0


def test_faults_concern_the_signals_or_the_one_that_is_named() -> None:
    other = describe_signal(SPEC, "a:b")
    streams = [STREAM, describe_markers("m"), other]
    faults = parse_fault("drop@1:1s"), parse_fault("flat@1:1s:stream=a:b")
    made = injectors(streams, Schedule(faults), 16)
    assert [sorted(injector.faults) for injector in made] == [[0], [], [0, 1]]


@pytest.mark.parametrize(
    "text", [part for text in KINDS.values() for part in text.split(" or ")]
)
def test_the_examples_are_understood(text: str) -> None:
    assert parse_fault(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "drop", "drop@", "drop@10", "drop@x:2s", "drop@10:2s:3s"),
        *(
            "dorp@10:2s",
            "drop@10:2kg",
            "drop@-1:2s",
            "drop@10:0s",
            "drop@10:nan",
            "drop@1e999:2",
        ),
        *("stall@1:end", "disconnect@1:end", "disconnect@1:200ms", "disconnect@1:5s:rate=-5"),
        *(
            "jitter@1:2s",
            "jitter@1:2s:0ms",
            "jitter@1:2s:20s",
            "bunch@1:2s:1",
            "bunch@1:2s:2.5",
        ),
        *("step@1", "step@1:2s:3s", "drift@1:end:fast", "drift@1:end:1e9ppm", "step@1:inf"),
        *("line@1:2s:5kg", "line@1:2s:5uV:hz=0", "line@1:2s:5uV:hz=", "drop@1:2s:channels=Cz"),
        *("flat@1:2s:rate=5", "disconnect@1:2s:n_channels=2.5", "disconnect@1:2s:colour=red"),
    ],
)
def test_a_fault_that_is_not_understood_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_fault(text)
    assert "\n" not in str(error.value)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flat@1:1s:channels=Oz", "no channel 'Oz'; it has Cz, VEOG, TRIG"),
        ("drop@1:1s:stream=none", "no such signal; the signals are: some"),
        ("saturate@1:1s:5mV", "not in V, such as TRIG"),
        ("saturate@1:1s:5fT:channels=Cz", "not in T, such as Cz"),
        ("disconnect@1:2s:n_channels=9", "some has 3 channels"),
    ],
)
def test_a_fault_that_does_not_fit_the_stream_is_one_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        injectors([STREAM], Schedule((parse_fault(text),)), 16)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_outages_that_overlap_are_refused() -> None:
    faults = parse_fault("disconnect@1:2s"), parse_fault("disconnect@2:2s")
    with pytest.raises(ConfigError, match="overlap"):
        injectors([STREAM], Schedule(faults), 16)


def test_a_schedule_is_read_from_a_file_and_from_options(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text("seed: 7\nfaults:\n  - drop@10:2s\n  - jitter@0:end:20ms\n")
    schedule = read_schedule(path, ["nan@1:1s"])
    assert [fault.kind for fault in schedule.faults] == ["drop", "jitter", "nan"]
    assert schedule.seed == 7


@pytest.mark.parametrize(
    "content",
    [
        "",
        "- drop@1:2s",
        "fault: []",
        "faults: 3",
        "faults: [1]",
        "seed: -1",
        "seed: x",
        "a: [",
        "\0",
    ],
)
def test_a_file_that_is_no_schedule_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError) as error:
        read_schedule(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
