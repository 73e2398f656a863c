from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from decoder.control import MarkBad
from decoder.events import (
    Event,
    GapRevised,
    LatentMade,
    MarkerSeen,
    Overrun,
    Quality,
    Signal,
    State,
    TextDecoded,
)
from decoder.server.wire import encode
from decoder.session import FRESHNESS, Session
from models.usual import Usual, length_of, size_of
from streaming.errors import StreamMismatch
from streaming.signal import Chunk, Gap, Impedance, Marker, Revision, SignalSpec, SourceState
from streaming.sources.source import Item
from streaming.window import SlidingWindows
from tests.decoder.tiny import SPEC, chunk, marker, signal, tiny_model
from tests.examples import examples

MODEL = tiny_model()
DATA = signal()
MARKERS = [marker(n, "face" if n % 2 else "house") for n in range(1500, 2900, 61)]


def run(
    items: Sequence[Item], t: float | None = None, freshness: float = FRESHNESS
) -> list[Event]:
    """Feed a new session; each input at the time of its own last sample unless `t` is given."""
    session = Session(MODEL, SPEC, "S", freshness)
    events: list[Event] = []
    for item in items:
        now = item.t_end if isinstance(item, Chunk) else item.t
        events += session.feed(item, now if t is None else t)
    return events


def decodes(events: Sequence[Event]) -> list[TextDecoded]:
    return [e for e in events if isinstance(e, TextDecoded)]


def stream(cuts: Sequence[int], markers: Sequence[Marker] = MARKERS) -> list[Item]:
    """Cut the signal; each marker comes just before the chunk that holds it."""
    edges = [0, *sorted(set(cuts)), DATA.shape[1]]
    items: list[Item] = []
    left = list(markers)
    for start, stop in pairwise(edges):
        while left and left[0].sample < stop:
            items.append(left.pop(0))
        items.append(chunk(DATA, start, stop))
    return items


WHOLE = decodes(run(stream(range(0, 3000, 50)), t=130.0, freshness=1e9))


def test_each_stimulus_is_decoded_once_its_window_is_there() -> None:
    assert [d.decode_id for d in WHOLE] == [f"S/locked/{n}" for n in range(len(MARKERS))]
    assert not any(d.abstained for d in WHOLE)
    first = WHOLE[0]
    assert (first.segment, first.first, first.n_times) == (0, 1500, 20)
    assert first.t_start == pytest.approx(115.0)
    assert first.t_end == pytest.approx(115.19)  # its newest sample
    assert sum(ranked.p for ranked in first.top) == pytest.approx(1.0)
    assert first.truth is not None
    assert first.truth.id == MARKERS[0].label


@examples(30)
@given(cuts=st.lists(st.integers(1, 2999), max_size=60))
def test_how_the_stream_is_cut_changes_no_decode(cuts: list[int]) -> None:
    assert decodes(run(stream(cuts), t=130.0, freshness=1e9)) == WHOLE


@examples(20)
@given(labels=st.lists(st.sampled_from(["face", "house"]), min_size=23, max_size=23))
def test_scrambling_what_was_shown_changes_no_decode(labels: list[str]) -> None:
    scrambled = [marker(m.sample, name) for m, name in zip(MARKERS, labels, strict=True)]
    got = decodes(run(stream(range(0, 3000, 50), scrambled), t=130.0, freshness=1e9))
    assert [(d.decode_id, d.top) for d in got] == [(d.decode_id, d.top) for d in WHOLE]


def test_each_decode_that_is_not_withheld_is_followed_by_its_latent() -> None:
    events = run(stream(range(0, 3000, 50)), t=130.0, freshness=1e9)
    made = [e for e in events if isinstance(e, LatentMade)]
    decoded = [e for e in decodes(events) if not e.abstained]
    assert [(e.decode_id, e.t_end) for e in made] == [(e.decode_id, e.t_end) for e in decoded]
    assert len(made) == len(WHOLE)
    after = [events[events.index(e) + 1] for e in decoded]
    assert [id(e) for e in after] == [id(e) for e in made]
    model = tiny_model()
    assert {(e.space, e.model_id) for e in made} == {(model.space, model.model_id)}


def test_unknown_markers_are_shown_and_not_decoded() -> None:
    events = run([chunk(DATA, 0, 2000), marker(1500, "cough"), marker(1500, "pause")])
    seen = [e for e in events if isinstance(e, MarkerSeen)]
    assert [e.role for e in seen] == ["unknown", "pause"]
    assert decodes(events) == []


def test_before_the_filters_have_settled_there_is_no_decode() -> None:
    events = run([chunk(DATA, 0, 10), marker(2), chunk(DATA, 10, 3000)])
    (decode,) = decodes(events)
    assert (decode.abstained, decode.top, decode.truth) == ("settling", (), None)
    states = [e.state for e in events if isinstance(e, State)]
    assert states == ["settling", "ready"]


def test_an_old_decode_is_stale_and_not_scored() -> None:
    (decode,) = decodes(run([marker(1500), chunk(DATA, 0, 3000)], t=200.0))
    assert decode.stale
    assert decode.truth is not None
    assert decode.running == ()


@pytest.mark.parametrize("t", [100.0, 200.0])
def test_nothing_of_a_replay_at_another_speed_is_stale(t: float) -> None:
    said = SourceState("live", t, "a replay", timed=False)
    failed = SourceState("failed", t, "the disk is full", "recorder")
    events = run([said, failed, marker(1500), chunk(DATA, 0, 3000)], t=t)
    (decode,) = decodes(events)
    assert not decode.stale
    assert [score.n for score in decode.running] == [1]
    assert not [e for e in events if isinstance(e, State) and e.state == "ahead"]


def test_the_score_keeps_to_decodes_that_were_made() -> None:
    (running,) = WHOLE[-1].running
    assert (running.protocol, running.n, running.pool) == ("closed_set", len(MARKERS), 2)
    right = sum(d.truth.rank == 1 for d in WHOLE if d.truth)
    assert running.top1 == right / len(MARKERS)


def test_dropped_samples_are_said_and_nothing_spans_them() -> None:
    items: list[Item] = [chunk(DATA, 0, 1500), marker(1490), marker(1700)]
    items += [chunk(DATA, 1600, 3000), marker(2500)]
    events = run(items)
    (overrun,) = [e for e in events if isinstance(e, Overrun)]
    assert overrun.n_times == 100
    assert [d.abstained for d in decodes(events)] == ["gap", "gap", ""]
    good = decodes(events)[-1]
    assert (good.segment, good.first) == (0, 2500)
    assert good.t_start == pytest.approx(125.0)


def test_after_a_gap_decoding_starts_afresh() -> None:
    data = DATA[:, :2100]
    after, alone = Chunk(data, SPEC, 1, 0, 200.0), Chunk(data, SPEC, 0, 0, 200.0)
    gap = Gap(115.0, 85.0, "lost")
    items: list[Item] = [chunk(DATA, 0, 1500), marker(1495), gap, after]
    events = run([*items, marker(2000, segment=1)])
    assert [d.abstained for d in decodes(events)] == ["gap", ""]
    fresh = run([alone, marker(2000)])
    assert decodes(events)[-1].top == decodes(fresh)[-1].top


def test_a_marker_may_come_before_its_segment() -> None:
    events = run([marker(2000), chunk(DATA, 0, 3000)])
    assert [d.abstained for d in decodes(events)] == [""]


def test_the_signal_for_the_page_is_in_volts_and_unbroken() -> None:
    frames = [e for e in run(stream(range(0, 3000, 7))) if isinstance(e, Signal)]
    assert sum(f.data.shape[1] for f in frames) == 1500
    assert {f.sfreq for f in frames} == {50.0}
    assert max(abs(f.data).max() for f in frames) < 1e-4


def test_the_source_speaks_through_the_session() -> None:
    (state,) = run([SourceState("stalled", 5.0, "no sample for 2 s")])
    assert state == State("source", "stalled", 5.0, "no sample for 2 s")


def test_sliding_windows_need_no_marker() -> None:
    model = tiny_model(SlidingWindows(duration=0.5, hop=0.1))
    session = Session(model, SPEC, "S")
    events = session.feed(chunk(DATA, 0, 3000), 130.0) + session.feed(marker(2000), 130.0)
    made = [d for d in decodes(events) if not d.abstained]
    assert made[0].n_times == 50
    assert made[1].first - made[0].first == 10
    assert made[0].truth is None


def test_another_rate_is_refused_with_both_values() -> None:
    with pytest.raises(StreamMismatch, match=r"stream has 250 Hz .* made for 100 Hz"):
        Session(MODEL, SignalSpec(250.0, SPEC.ch_names), "S")


def test_missing_channels_are_named() -> None:
    with pytest.raises(StreamMismatch, match="Pz"):
        Session(MODEL, SignalSpec(100.0, ("Cz", "Oz")), "S")


def test_a_rate_within_a_thousandth_keeps_time() -> None:
    spec = SignalSpec(100.05, SPEC.ch_names)
    session = Session(MODEL, spec, "S")
    events = session.feed(Chunk(DATA, spec, 0, 0, 100.0), 130.0)
    for at in range(100_000, 100_003):
        events = session.feed(Chunk(DATA[:, :100], spec, 0, at * 100, 100.0), 130.0)
    (frame,) = [e for e in events if isinstance(e, Signal)]
    assert frame.t0 == pytest.approx(100.0 + 100_002 * 100 / 100.05, abs=0.02)


def test_a_marker_that_fell_into_a_gap_says_so() -> None:
    lost = marker(-20, segment=1)
    events = run([*stream([1500], []), chunk(DATA, 0, 500, segment=1), lost])
    (decode,) = decodes(events)
    assert (decode.abstained, decode.segment, decode.first) == ("gap", 1, -20)


def test_quality_is_told_once_a_second_by_raw_sample() -> None:
    session = Session(MODEL, SPEC, "S")
    events = session.feed(chunk(DATA, 0, 120), 0.0)
    events += session.feed(Gap(101.2, 3.0, "lost"), 0.0)
    events += session.feed(Chunk(DATA[:, 120:450], SPEC, 1, 50, 104.0), 0.0)
    said = [e for e in events if isinstance(e, Quality)]
    # A stretch that is joined at sample 50 is counted from there.
    assert [(e.segment, e.sample) for e in said] == [(0, 100), (1, 150), (1, 250), (1, 350)]
    assert said[0].t == pytest.approx(101.0)
    assert said[1].t == pytest.approx(105.5)
    assert said[0].ch_names == ("Cz", "Pz")
    assert said[0].channels.verdicts == ("good", "good")


def test_impedances_come_with_the_quality_of_each_channel() -> None:
    session = Session(MODEL, SPEC, "S")
    before = session.feed(chunk(DATA, 0, 120), 0.0)
    assert session.feed(Impedance(("PZ", "Oz"), (5e3, 1e3), 101.0), 0.0) == []
    after = session.feed(chunk(DATA, 120, 250), 0.0)
    (first,), (second,) = (
        [e for e in events if isinstance(e, Quality)] for events in (before, after)
    )
    assert first.impedance == ()
    assert second.impedance == (None, 5e3)
    assert "impedance_kohm" not in encode(first, 1, 0.0)
    assert '"impedance_kohm":[null,5.0]' in encode(second, 2, 0.0).replace(": ", ":").replace(
        ", ", ","
    )


def test_what_the_operator_marks_withholds_windows_where_nothing_can_stand_in() -> None:
    session = Session(tiny_model(SlidingWindows(0.5, 0.5)), SPEC, "S")
    session.feed(chunk(DATA, 0, 1000), 0.0)
    (said,) = session.feed(MarkBad(("Pz",), bad=True), 0.0)
    assert isinstance(said, Quality)
    assert (said.sample, said.refused, said.channels.verdicts[1]) == (1000, True, "marked")
    events = session.feed(chunk(DATA, 1000, 1500), 0.0)
    assert {e.abstained for e in decodes(events)[1:]} == {"bad channels"}
    session.feed(MarkBad(("Pz",), bad=False), 0.0)
    events = session.feed(chunk(DATA, 1500, 2000), 0.0)
    assert decodes(events)[-1].abstained == ""


def test_each_decode_says_how_much_the_chain_delays() -> None:
    chain = MODEL.chain()
    chain.prepare(SPEC)
    (first, *_) = decodes(run(stream([1000])))
    assert first.delay == pytest.approx(chain.delay, abs=1e-6)
    assert 0.001 < first.delay < 0.2


@pytest.mark.parametrize("watched", [True, False], ids=["new model", "old model"])
@pytest.mark.parametrize("since", [0, 1000])
@pytest.mark.parametrize("how", ["flat", "saturated"])
def test_an_amplifier_that_is_dead_as_a_whole_is_not_decoded(
    how: str, since: int, watched: bool
) -> None:
    model = tiny_model(SlidingWindows(duration=0.5, hop=0.1))
    if not watched:
        steps = [step for step in model.transforms if step["transform"] != "watch"]
        model = replace(model, transforms=steps)
    data = signal()
    data[:, since:] = 0.0 if how == "flat" else 1e-3 * np.sign(data[:, since:] - 0.05)
    events = Session(model, SPEC, "S").feed(chunk(data, 0, 3000), 130.0)
    reasons = [(event.first + event.n_times, event.abstained) for event in decodes(events)]
    assert {why for stop, why in reasons if stop > since + 200} == {"bad channels"}
    assert {why for stop, why in reasons if stop < 200} == (
        {"settling", ""} if since else {"settling", "bad channels"}
    )
    assert any(isinstance(event, Quality) and event.refused for event in events)


def run_with_a_filled_loss(cut: int, size: int) -> list[TextDecoded]:
    """Feed the signal without samples 1500 and 1501, cut at `cut` and every `size` samples."""
    session = Session(tiny_model(SlidingWindows(0.5, 0.25)), SPEC, "S")
    events: list[Event] = []
    for start, stop in pairwise([*range(0, 1500, size), 1500]):
        events += session.feed(chunk(DATA, start, stop), 130.0)
    events += session.feed(Gap(115.0, 0.02, "filled"), 130.0)
    for start, stop in pairwise([1502, 1502 + cut, 3000]):
        events += session.feed(chunk(DATA, start, stop), 130.0)
    assert not [e for e in events if isinstance(e, Overrun)]
    return decodes(events)


FILLED = run_with_a_filled_loss(1000, 1500)


def test_what_was_filled_in_lowers_the_quality_of_the_decodes_over_it() -> None:
    over = [d.first < 1502 and d.first + d.n_times > 1500 for d in FILLED]
    assert [d.quality < 1 for d in FILLED] == over
    assert {d.quality for d in FILLED} == {1.0, 0.96}  # 1 of 25 samples at 50 Hz


@examples(10)
@given(cut=st.integers(1, 1200), size=st.integers(1, 300))
def test_cutting_changes_nothing_where_samples_were_filled_in(cut: int, size: int) -> None:
    assert run_with_a_filled_loss(cut, size) == FILLED


def test_a_revision_names_the_decodes_since_then() -> None:
    session = Session(tiny_model(SlidingWindows(0.5, 0.5)), SPEC, "S")
    found = decodes(session.feed(chunk(DATA, 0, 2000), 120.0))
    (event,) = session.feed(Revision(0, 1025, 1100, 110.25, 2), 120.0)
    assert isinstance(event, GapRevised)
    after = [d.decode_id for d in found if d.first + d.n_times > 1025 and not d.abstained]
    assert list(event.decode_ids) == after
    (event,) = session.feed(Revision(1, 0, 1, 120.0, -1), 120.0)
    assert event == GapRevised(Revision(1, 0, 1, 120.0, -1), ())


def test_decodes_of_samples_from_the_future_are_never_fresh() -> None:
    session = Session(tiny_model(SlidingWindows(0.5, 0.5)), SPEC, "S")
    events = session.feed(chunk(DATA, 0, 500), 105.0)
    assert not [e for e in events if isinstance(e, State) and e.what == "source"]
    events = session.feed(chunk(DATA, 500, 1000), 108.0) + session.feed(
        chunk(DATA, 1000, 1100), 109.0
    )
    (said,) = [e for e in events if isinstance(e, State) and e.what == "source"]
    assert (said.state, said.t) == ("ahead", 108.0)
    assert "2.0 s in the future" in said.detail
    stale = {d.t_end > 108.25: d.stale for d in decodes(events)}
    assert stale == {True: True, False: False}
    events = session.feed(chunk(DATA, 1100, 1200), 112.0)
    assert [e.state for e in events if isinstance(e, State)] == ["live"]
    assert not any(d.stale for d in decodes(events))


def test_what_is_unlike_calibration_is_withheld_and_nothing_follows_from_it() -> None:
    """A pop in some windows: the limits are those of the clean ones, which all pass."""
    popped = DATA.copy()
    popped[0, 2000:2400] += 5e-3 * np.exp(-np.arange(400) / 20).astype(np.float32)

    def fed(usual: tuple[Usual, ...], data: NDArray[np.float32]) -> list[Event]:
        session = Session(replace(MODEL, usual=usual), SPEC, "S", 1e9)
        events: list[Event] = []
        for start in range(0, data.shape[1], 50):
            for due in (m for m in MARKERS if start <= m.sample < start + 50):
                events += session.feed(due, 130.0)
            events += session.feed(chunk(data, start, start + 50), 130.0)
        return events

    latents = [event for event in fed((), DATA) if isinstance(event, LatentMade)]
    lengths = [length_of(event.vector, MODEL.centre) for event in latents]
    sizes = [size_of(event.data) for event in latents if event.data is not None]
    usual = (Usual(max(lengths), max(sizes), len(lengths)),)
    assert [d.abstained for d in decodes(fed(usual, DATA))] == [""] * len(MARKERS)
    said = fed(usual, popped)
    found = decodes(said)
    unusual = [d for d in found if d.abstained]
    assert {d.abstained for d in unusual} == {"unusual"}
    assert 0 < len(unusual) < len(MARKERS) / 2
    assert all(d.final and not d.top and d.truth is None for d in unusual)
    made = {event.decode_id for event in said if isinstance(event, LatentMade)}
    assert made == {d.decode_id for d in found if not d.abstained}
    assert found[-1].running[0].n == len(made)
