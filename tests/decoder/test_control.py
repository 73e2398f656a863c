"""What people say is an input: laws of stop, pause, candidates and models, and their replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoder.control import (
    Blind,
    Input,
    MarkBad,
    Note,
    Pause,
    Refused,
    Resume,
    SetCandidates,
    Stop,
    SwapModel,
)
from decoder.events import Event, GapFound, MarkerSeen, State, TextDecoded
from decoder.session import AHEAD, Session
from models.candidates import Candidates
from models.checkpoint import Model
from models.stimuli import Stimulus, StimulusTable
from streaming.signal import Gap, SourceState
from streaming.window import SlidingWindows
from tests.decoder.tiny import SPEC, chunk, marker, signal, tiny_model
from tests.examples import examples

DATA = signal()
MODEL = tiny_model(SlidingWindows(0.5, 0.1))
LOCKED = tiny_model()
OTHER_CHAIN = [
    {**step, "high": 15.0} if step["transform"] == "bandpass" else step
    for step in MODEL.transforms
]


def others(n: int = 3, version: int = 2) -> Candidates:
    names = tuple(f"thing {k}" for k in range(n - 1))
    vectors = np.random.default_rng(n).standard_normal((n, 2)).astype(np.float32)
    ids = ("face", *names)
    return Candidates(
        ids, ids, ("",) * n, (True, *[False] * (n - 1)), vectors, "labels", version
    )


def run(inputs: Sequence[Input], model: Model = MODEL) -> list[Event]:
    session = Session(model, SPEC, "S", freshness=1e9)
    return [event for item in inputs for event in session.feed(item, 130.0)]


def decodes(events: Sequence[Event]) -> list[TextDecoded]:
    return [e for e in events if isinstance(e, TextDecoded)]


def states(events: Sequence[Event], what: str) -> list[str]:
    return [e.state for e in events if isinstance(e, State) and e.what == what]


def pieces(start: int, stop: int, size: int = 50) -> list[Input]:
    return [chunk(DATA, n, min(n + size, stop)) for n in range(start, stop, size)]


WHOLE = decodes(run(pieces(0, 3000)))


@examples(20)
@given(at=st.integers(0, 2500), length=st.integers(0, 400), size=st.integers(7, 200))
def test_after_a_stop_nothing_is_said_of_the_signal_and_nothing_reaches_back(
    at: int, length: int, size: int
) -> None:
    session = Session(MODEL, SPEC, "S", freshness=1e9)
    before = [e for item in pieces(0, at, size) for e in session.feed(item, 130.0)]
    assert states(session.feed(Stop("enough"), 130.0), "session") == ["stopped"]
    during: list[Input] = [*pieces(at, at + length, size), marker(at), Gap(120.0, 1.0, "lost")]
    assert [e for item in during for e in session.feed(item, 130.0)] == []
    assert session.feed(Stop("again"), 130.0) == []
    assert session.feed(Pause(), 130.0) == []
    assert states(session.feed(Resume(), 130.0), "session") == ["decoding"]
    after = [e for item in pieces(at + length, 3000, size) for e in session.feed(item, 130.0)]
    assert all(d.first >= at + length for d in decodes(after))
    good = [d for d in decodes(after) if not d.abstained]
    assert all(d.first >= at + length + 100 for d in good)  # settled anew
    ids = [d.decode_id for d in decodes(before) + decodes(after)]
    assert len(set(ids)) == len(ids)


def test_a_marker_from_before_the_stop_decodes_nothing_after_it() -> None:
    session = Session(LOCKED, SPEC, "S", freshness=1e9)
    session.feed(chunk(DATA, 0, 1000), 110.0)
    session.feed(marker(995), 110.0)  # waits for its samples
    session.feed(Stop("enough"), 110.0)
    session.feed(Resume(), 110.0)
    assert not decodes(session.feed(marker(900), 110.0))
    events = session.feed(chunk(DATA, 1000, 1500), 115.0)
    assert [d.abstained for d in decodes(events)] == ["late"]
    (decode,) = decodes(session.feed(marker(1400), 115.0))
    assert (decode.first, decode.abstained) == (1400, "")


@pytest.mark.parametrize("label", ["braincast.stop", " braincast.stop ", "9", "9.0"])
def test_a_marker_may_stop_and_none_resumes(label: str) -> None:
    table = StimulusTable(
        [*LOCKED.stimuli.rows, Stimulus("9", "stop"), Stimulus("10", "resume")]
    )
    session = Session(replace(LOCKED, stimuli=table), SPEC, "S")
    session.feed(chunk(DATA, 0, 1000), 110.0)
    seen, state = session.feed(marker(1000, label), 110.0)
    assert isinstance(seen, MarkerSeen)
    assert isinstance(state, State)
    assert (seen.role, state.what, state.state) == ("stop", "session", "stopped")
    for other in ("10", "braincast.resume", "face"):
        assert session.feed(marker(1010, other), 110.0) == []
    assert session.state == "stopped"


def test_the_word_of_ingest_stops_too() -> None:
    session = Session(MODEL, SPEC, "S")
    said = SourceState("stopped", 1.0, "the file stop stopped the session", "session")
    assert states(session.feed(said, 2.0), "session") == ["stopped"]
    assert session.feed(said, 3.0) == []
    live = SourceState("live", 1.0, "back")
    assert states(session.feed(live, 4.0), "source") == [
        "live"
    ]  # of the source one still hears


def test_pausing_withholds_windows_and_changes_no_other_decode() -> None:
    inputs = [*pieces(0, 1500), Pause("a break"), *pieces(1500, 2000), Resume()]
    paused = decodes(run([*inputs, *pieces(2000, 3000)]))
    assert [d.decode_id for d in paused] == [d.decode_id for d in WHOLE]
    within = [1500 < d.first + d.n_times <= 2000 for d in paused]
    assert [d.abstained == "paused" for d in paused] == within
    assert [d for d in paused if d.abstained != "paused"] == [
        d for d, inside in zip(WHOLE, within, strict=True) if not inside
    ]


def test_other_candidates_are_chosen_from_from_the_next_window_on() -> None:
    wanted = SetCandidates(others(), "f")
    inputs = [*pieces(0, 1500), wanted, *pieces(1500, 3000)]
    events = run(inputs)
    assert states(events, "candidates") == ["changed"]
    said = decodes(events)
    before = [d for d in said if d.first + d.n_times <= 1500]
    after = said[len(before) :]
    assert before == WHOLE[: len(before)]
    assert {(d.candidates_version, d.candidates_hash, d.calibrated) for d in after} == {
        (2, others().hash, False)
    }
    assert {d.n_candidates for d in after} == {3}
    again = run([*inputs, SetCandidates(replace(MODEL.candidates, version=3), "f")])
    assert "calibrated" not in [e for e in again if isinstance(e, State)][-1].detail


def test_each_pool_has_a_score_of_its_own() -> None:
    shown: list[Input] = [marker(n) for n in range(1200, 1500, 60)]
    later: list[Input] = [marker(n) for n in range(2000, 2300, 60)]
    inputs = [
        chunk(DATA, 0, 1600),
        *shown,
        SetCandidates(others(), "f"),
        chunk(DATA, 1600, 2400),
    ]
    scored = [d.running[0] for d in decodes(run([*inputs, *later], LOCKED)) if d.running]
    assert [(score.n, score.pool) for score in scored] == [
        *[(n, 2) for n in range(1, 6)],
        *[(n, 3) for n in range(1, 6)],
    ]


def test_candidates_of_another_space_are_refused() -> None:
    with pytest.raises(Exception, match="candidates are in clip:other"):
        run([SetCandidates(replace(others(), space="clip:other"), "f")])


def test_a_model_with_the_same_chain_decodes_from_the_next_window_on() -> None:
    sharper = replace(MODEL, temperature=0.05)
    inputs = [*pieces(0, 1500), SwapModel(sharper, 2), *pieces(1500, 3000)]
    events = run(inputs)
    alone = decodes(run(pieces(0, 3000), sharper))
    said = decodes(events)
    assert states(events, "decoder") == ["settling", "ready"]
    assert [d.top for d in said if d.first + d.n_times > 1500] == [
        d.top for d in alone if d.first + d.n_times > 1500
    ]
    assert {(d.model_id, d.candidates_version) for d in said} == {
        (MODEL.model_id, 1),
        (sharper.model_id, 2),
    }
    back = run([*inputs, SwapModel(MODEL, 3, back=True)])
    assert states(back, "model") == ["swapped", "rolled back"]


def test_a_model_with_another_chain_settles_first_and_no_id_comes_twice() -> None:
    other = replace(MODEL, transforms=OTHER_CHAIN)
    marks = MarkBad(("Pz",), bad=True)
    inputs = [*pieces(0, 1510), SwapModel(other, 2), *pieces(1510, 3000)]
    events = run(inputs)
    assert states(events, "decoder") == ["settling", "ready", "settling", "ready"]
    assert not [e for e in events if isinstance(e, GapFound)]
    said = decodes(events)
    assert len({d.decode_id for d in said}) == len(said)
    fresh = [d for d in said if d.model_id == other.model_id]
    assert fresh[0].abstained == "settling"
    assert fresh[-1].abstained == ""
    assert fresh[0].first == 1510  # by samples of the recording
    marked = decodes(run([*pieces(0, 1000), marks, *inputs[20:]]))
    assert {d.abstained for d in marked[-10:]} == {"bad channels"}  # what was marked stays so


def test_markers_that_wait_for_another_chain_are_told_why_nothing_comes() -> None:
    chain = [
        {**s, "high": 15.0} if s["transform"] == "bandpass" else s for s in LOCKED.transforms
    ]
    other = replace(LOCKED, transforms=chain)
    events = run([chunk(DATA, 0, 1000), marker(995), SwapModel(other, 2)], LOCKED)
    assert [d.abstained for d in decodes(events)] == ["settling"]


def test_a_window_given_up_before_its_samples_are_there_is_not_stale() -> None:
    other = replace(MODEL, transforms=OTHER_CHAIN)
    session = Session(LOCKED, SPEC, "S")
    samples, t = chunk(DATA, 0, 1000), 109.8
    for item in (samples, marker(999)):
        session.feed(item, t)
    (given_up,) = decodes(session.feed(SwapModel(other, 2), t))
    assert given_up.abstained
    assert given_up.t_end > t + AHEAD
    assert not given_up.stale


def test_notes_and_blind_are_said() -> None:
    events = run([Note("he is tired"), Blind(on=True), Blind(on=False), Refused("too few")])
    assert [(e.what, e.state) for e in events if isinstance(e, State)] == [
        ("note", "taken"),
        ("blind", "on"),
        ("blind", "off"),
        ("model", "refused"),
    ]


SAID = st.sampled_from(
    [
        Stop("enough"),
        Pause(),
        Resume(),
        Note("n"),
        Blind(on=True),
        MarkBad(("Pz",), bad=True),
        SetCandidates(others(), "f"),
        SetCandidates(others(4), "g"),
        SwapModel(replace(MODEL, transforms=OTHER_CHAIN), 4),
        SwapModel(replace(MODEL, temperature=0.3), 5, back=True),
    ]
)


@examples(25)
@given(
    said=st.lists(st.tuples(st.integers(0, 29), SAID), max_size=6),
    cuts=st.lists(st.integers(1, 99), max_size=4),
)
def test_how_the_stream_is_cut_changes_no_decode_whatever_is_said(
    said: list[tuple[int, Input]], cuts: list[int]
) -> None:
    """Controls come between samples; how those between two of them arrive changes nothing."""

    def fed(cuts: list[int]) -> list[TextDecoded]:
        items: list[Input] = []
        for n in range(30):
            items += [control for at, control in said if at == n]
            edges = sorted({0, *cuts, 100})
            items += [chunk(DATA, 100 * n + a, 100 * n + b) for a, b in pairwise(edges)]
        return decodes(run(items))

    assert fed(cuts) == fed([])
