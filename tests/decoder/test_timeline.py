from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoder.journal import place
from decoder.timeline import Missing, Stretch, Timeline

SFREQ = 100.0


def chunk(segment: int, first: int, n_times: int, row: int) -> list[Any]:
    return ["chunk", 0.0, segment, first, n_times, 0.0, row]


def gap(samples: int) -> list[Any]:
    return ["gap", 0.0, 0.0, samples / SFREQ, "lost"]


@given(
    segments=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 30)), min_size=1),
    size=st.integers(1, 17),
    data=st.data(),
)
def test_every_sample_is_where_it_was_taken_also_if_the_decoder_dropped_some(
    segments: list[tuple[int, int]], size: int, data: st.DataObject
) -> None:
    """Gaps of known length; any chunks are dropped, but no segment as a whole."""
    entries: list[list[Any]] = []
    truth: list[int] = []
    row = at = 0
    for number, (n_times, lost) in enumerate(segments):
        if number:
            entries.append(gap(lost))
            at += lost
        firsts = list(range(0, n_times, size))
        kept = data.draw(st.sets(st.sampled_from(firsts), min_size=1))
        entries += [
            chunk(number, first, min(size, n_times - first), row + first)
            for first in firsts
            if first in kept
        ]
        truth += range(at, at + n_times)
        row, at = row + n_times, at + n_times
    timeline = Timeline.of(entries, row, SFREQ)
    laid = timeline.lay(np.arange(1, row + 1, dtype=np.float32)[None])[0]
    assert np.flatnonzero(laid).tolist() == truth
    assert laid[truth].tolist() == list(range(1, row + 1))
    skipped = [m.n_times for m in timeline.missing if m.label != "BAD_unplaced"]
    assert skipped == [lost for _, lost in segments[1:]]


def test_a_gap_of_no_length_is_an_edge() -> None:
    timeline = Timeline.of([chunk(0, 0, 5, 0), gap(0), chunk(1, 0, 5, 5)], 10, SFREQ)
    assert timeline.missing == (Missing(5, 0, "EDGE boundary"),)


def test_a_segment_that_was_never_decoded_is_said_to_be_unplaced() -> None:
    entries = [chunk(0, 0, 5, 0), gap(3), gap(4), chunk(2, 0, 5, 8)]
    timeline = Timeline.of(entries, 13, SFREQ)
    assert timeline.missing == (
        Missing(5, 3, "BAD_unplaced"),
        Missing(8, 7, "BAD_ACQ_SKIP"),
    )
    assert timeline.n_times == 20


def test_what_was_recorded_after_the_last_input_is_unplaced() -> None:
    timeline = Timeline.of([chunk(0, 0, 5, 0)], 9, SFREQ)
    assert timeline.missing == (Missing(5, 4, "BAD_unplaced"),)


def test_a_recording_that_ends_before_the_journal() -> None:
    entries = [chunk(0, 0, 5, 0), gap(2), chunk(1, 0, 5, 5), gap(2), chunk(2, 0, 5, 10)]
    timeline = Timeline.of(entries, 7, SFREQ)
    assert timeline.stretches == (Stretch(0, 0, 5, 0), Stretch(1, 5, 2, 7))
    assert timeline.n_times == 9
    assert Timeline.of(entries, 0, SFREQ).n_times == 0


@pytest.mark.parametrize(
    ("segment", "sample", "at"),
    [(0, 0, 0), (0, 6, 6), (1, 0, 8), (1, -1, 7), (1, 5, None), (0, -1, None), (2, 0, None)],
)
def test_a_place_on_it(segment: int, sample: int, at: int | None) -> None:
    timeline = Timeline.of([chunk(0, 0, 5, 0), gap(3), chunk(1, 0, 5, 5)], 10, SFREQ)
    assert timeline.locate(segment, sample) == at


def test_markers_are_in_the_order_of_time() -> None:
    entries = [
        chunk(0, 0, 5, 0),
        ["marker", 0.0, "later", 0.04, 0, 4],
        ["marker", 0.0, "sooner", 0.02, 0, 2],
        ["marker", 0.0, "before", -1.0, 0, -100],
    ]
    found, n_outside = Timeline.of(entries, 5, SFREQ).markers(entries)
    assert [(at, m.label) for at, m in found] == [(2, "sooner"), (4, "later")]
    assert n_outside == 1


def test_gaps_while_the_decoder_was_away_are_known_by_when_segments_begin() -> None:
    """Segments 1 and 2, and their gaps of 3 and 4 samples, fell into its absence."""
    entries = [
        ["chunk", 0.0, 0, 0, 5, 100.0, 0],
        ["start", 0.0, 0, []],
        ["chunk", 0.0, 2, 2, 3, 100.15, 10],
    ]
    timeline = Timeline.of(entries, 13, SFREQ)
    assert timeline.stretches == (Stretch(0, 0, 8, 0), Stretch(2, 8, 5, 15))
    assert timeline.missing == (
        Missing(5, 3, "BAD_unplaced"),
        Missing(8, 7, "BAD_ACQ_SKIP"),
    )


def test_a_second_recording_follows_the_first_at_its_own_time() -> None:
    """Of a killed ingest the last rows were recorded and never fed; the gap is after them."""
    entries = [
        ["chunk", 0.0, 0, 0, 50, 10.0, 0],
        ["recording", 0.0, "raw-2.xdf"],
        ["gap", 0.0, 10.5, 1.5, "ingest"],
        ["chunk", 0.0, 1, 0, 20, 12.0, 0],
        ["chunk", 0.0, 1, 20, 20, 12.0, 20],  # on a disk that was full
    ]
    rows = {"raw.xdf": range(57), "raw-2.xdf": range(57, 57 + 25)}
    timeline = Timeline.of(place(entries, rows), 57 + 25, SFREQ)
    assert timeline.stretches == (Stretch(0, 0, 57, 0), Stretch(1, 57, 25, 200))
    assert timeline.missing[0] == Missing(57, 143, "BAD_ACQ_SKIP")


def test_what_was_filled_in_is_lost_on_the_timeline() -> None:
    filled = ["gap", 0.0, 0.05, 2 / SFREQ, "filled"]
    entries = [chunk(0, 0, 5, 0), filled, chunk(0, 7, 5, 5), gap(3), chunk(1, 0, 4, 10)]
    timeline = Timeline.of(entries, 14, SFREQ)
    assert timeline.stretches == (
        Stretch(0, 0, 5, 0),
        Stretch(0, 5, 5, 7, 7),
        Stretch(1, 10, 4, 15),
    )
    assert timeline.missing == (Missing(5, 2, "BAD_ACQ_SKIP"), Missing(12, 3, "BAD_ACQ_SKIP"))
    assert [timeline.locate(0, sample) for sample in (0, 6, 7)] == [0, 6, 7]
    assert timeline.locate(1, 0) == 15


def test_a_loss_that_was_found_late_moves_what_came_after_it() -> None:
    """Two samples were lost before one of 3 to 5; a marker came before that was told."""
    entries = [
        chunk(0, 0, 8, 0),
        ["marker", 0.0, "by time", 0.07, 0, 7],
        ["revision", 0.0, 0, 3, 6, 0.03, 2],
        ["marker", 0.0, "counted", 0.1, 0, 8],
        chunk(0, 8, 2, 8),
    ]
    timeline = Timeline.of(entries, 10, SFREQ)
    assert timeline.stretches == (Stretch(0, 0, 3, 0), Stretch(0, 3, 7, 5, 3))
    assert timeline.missing == (Missing(3, 2, "BAD_ACQ_SKIP"), Missing(5, 3, "BAD_unplaced"))
    assert [timeline.locate(0, sample) for sample in (2, 3, 9)] == [2, 5, 11]
    found, _ = timeline.markers(entries)
    assert [(at, m.label) for at, m in found] == [(7, "by time"), (10, "counted")]


def test_a_gap_whose_length_was_revised() -> None:
    entries = [
        chunk(0, 0, 5, 0),
        gap(3),
        chunk(1, 0, 5, 5),
        ["revision", 0.0, 1, 0, 1, 0.08, -1],
    ]
    timeline = Timeline.of(entries, 10, SFREQ)
    assert timeline.missing == (Missing(5, 2, "BAD_ACQ_SKIP"),)
    assert timeline.locate(1, 0) == 7
