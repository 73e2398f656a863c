from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path

import mne
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoder.config import Config, SessionConfig
from decoder.control import Pause, Resume, Stop, SwapModel
from decoder.events import Event, LatentMade, TextDecoded
from decoder.session import Session
from decoder.uncertainty import CERTAIN, Uncertainty
from decoder.verify import verify_session
from models.checkpoint import load_model, save_model
from streaming.signal import Marker
from streaming.sources.recording import RecordingSource
from tests.decoder.sessions import record_source
from tests.decoder.sharpening import GROWING, LATENCIES, growing_model
from tests.decoder.tiny import SPEC, chunk, marker, signal, tiny_model
from tests.examples import examples

MODEL = growing_model()
DATA = signal()
MARKERS = [marker(n, "face" if n % 2 else "house") for n in range(1500, 2900, 61)]
STOPS = Uncertainty(risk=0.2, stop_at_risk=0.1)


def run(
    cuts: Sequence[int], markers: Sequence[Marker] = MARKERS, asked: Uncertainty = CERTAIN
) -> list[TextDecoded]:
    session = Session(MODEL, SPEC, "S", 1e9, asked=asked)
    events: list[Event] = []
    left = list(markers)
    for start, stop in pairwise([0, *sorted(set(cuts)), DATA.shape[1]]):
        while left and left[0].sample < stop:
            events += session.feed(left.pop(0), 130.0)
        events += session.feed(chunk(DATA, start, stop), 130.0)
    return decodes(events)


def decodes(events: Sequence[Event]) -> list[TextDecoded]:
    return [e for e in events if isinstance(e, TextDecoded)]


def by_id(found: Sequence[TextDecoded]) -> dict[str, list[TextDecoded]]:
    ordered = sorted(found, key=lambda d: int(d.decode_id.rpartition("/")[2]))
    return {k: list(v) for k, v in groupby(ordered, key=lambda d: d.decode_id)}


WHOLE, STOPPED = run([]), run([], asked=STOPS)


def test_a_decode_comes_again_and_only_the_last_is_final_and_scored() -> None:
    found = by_id(WHOLE)
    assert len(found) == len(MARKERS)
    for revisions in found.values():
        assert [d.revision for d in revisions] == [0, 1, 2]
        assert [d.final for d in revisions] == [False, False, True]
        assert [d.latency for d in revisions] == list(LATENCIES)
        assert [d.truth is not None for d in revisions] == [False, False, True]
        assert {d.first for d in revisions} == {revisions[0].first}
        ends = [d.t_end - d.t_start for d in revisions]
        assert ends == pytest.approx([0.05, 0.11, 0.19])
    scored = [d.running[0].n for d in WHOLE if d.final]
    assert scored == list(range(1, len(MARKERS) + 1))


@examples(20)
@given(cuts=st.lists(st.integers(1, 2999), max_size=60), stop=st.booleans())
def test_how_the_stream_is_cut_changes_no_revision(cuts: list[int], stop: bool) -> None:
    assert run(cuts, asked=STOPS if stop else CERTAIN) == (STOPPED if stop else WHOLE)


@examples(20)
@given(labels=st.lists(st.sampled_from(["face", "house"]), min_size=23, max_size=23))
def test_scrambling_what_was_shown_changes_no_revision(labels: list[str]) -> None:
    scrambled = [marker(m.sample, name) for m, name in zip(MARKERS, labels, strict=True)]
    got = run([], scrambled, STOPS)
    assert [(d.decode_id, d.revision, d.final, d.top, d.conformal) for d in got] == [
        (d.decode_id, d.revision, d.final, d.top, d.conformal) for d in STOPPED
    ]


def test_the_stopping_rule_ends_a_decode_where_it_is_sure_and_nowhere_else() -> None:
    early = 0
    for name, revisions in by_id(STOPPED).items():
        assert [d.final for d in revisions] == [False] * (len(revisions) - 1) + [True]
        p = [d.top[0].p for d in by_id(WHOLE)[name]]
        # All held-out trials were right: the lowest threshold is taken.
        expected = next((n for n, best in enumerate(p[:2]) if best >= 0.5), 2)
        assert len(revisions) == expected + 1
        assert revisions[-1].truth is not None
        early += len(revisions) < 3
    assert early > 0
    assert STOPPED[-1].running[0].n == len(MARKERS)


def test_without_a_known_threshold_every_latency_is_waited_for() -> None:
    session = Session(growing_model(sure=False), SPEC, "S", 1e9, asked=STOPS)
    assert "no threshold is known" in session.doubt.no_stop
    single = Session(tiny_model(), SPEC, "S", asked=STOPS)
    assert single.doubt.no_stop != ""


def test_sets_are_calibrated_for_each_revision_and_for_the_final_one() -> None:
    for d in WHOLE:
        assert d.conformal is None  # not asked for
    for revisions in by_id(STOPPED).values():
        for d in revisions:
            # of those that held-out trials went on after, there is none: all were sure
            assert (d.conformal is not None) == d.final


def test_a_pause_between_two_revisions_withholds_the_later_one_and_ends_it() -> None:
    session = Session(MODEL, SPEC, "S", 1e9)
    events = session.feed(chunk(DATA, 0, 1500), 115.0) + session.feed(marker(1500), 115.0)
    events += session.feed(chunk(DATA, 1500, 1508), 115.1)
    events += session.feed(Pause(), 115.1)
    events += session.feed(chunk(DATA, 1508, 1514), 115.2)
    events += session.feed(Resume(), 115.2)
    events += session.feed(chunk(DATA, 1514, 3000), 130.0)
    assert [(d.revision, d.abstained, d.final) for d in decodes(events)] == [
        (0, "", False),
        (1, "paused", True),
    ]


def test_another_model_ends_what_it_cannot_go_on_with() -> None:
    session = Session(MODEL, SPEC, "S", 1e9)
    session.feed(chunk(DATA, 0, 1500), 115.0)
    session.feed(marker(1500), 115.0)
    session.feed(chunk(DATA, 1500, 1508), 115.1)
    events = session.feed(SwapModel(tiny_model(), 2), 115.1)
    assert [(d.revision, d.abstained, d.final) for d in decodes(events)] == [
        (1, "settling", True)
    ]
    events = session.feed(chunk(DATA, 1508, 2500), 125.0) + session.feed(marker(2450), 125.0)
    assert [(d.decode_id, d.final) for d in decodes(events)] == [("S/locked/1", True)]


def test_after_a_stop_nothing_of_a_decode_comes() -> None:
    session = Session(MODEL, SPEC, "S", 1e9)
    session.feed(chunk(DATA, 0, 1500), 115.0)
    session.feed(marker(1500), 115.0)
    session.feed(chunk(DATA, 1500, 1508), 115.1)
    session.feed(Stop("enough"), 115.1)
    session.feed(Resume(), 116.0)
    events = session.feed(chunk(DATA, 1508, 3000), 130.0)
    assert decodes(events) == []


def test_latents_say_which_revision_they_are_of() -> None:
    session = Session(MODEL, SPEC, "S", 1e9)
    events = session.feed(chunk(DATA, 0, 2000), 130.0) + session.feed(marker(1500), 130.0)
    made = [e for e in events if isinstance(e, LatentMade)]
    assert [(e.decode_id, e.revision) for e in made] == [("S/locked/0", n) for n in range(3)]


def test_a_model_folder_keeps_its_stages(tmp_path: Path) -> None:
    save_model(MODEL, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.model_id == MODEL.model_id
    assert again.windowing == GROWING
    assert [s.temperature for s in again.stages] == [0.3, 0.2]
    np.testing.assert_array_equal(
        again.conformal["closed_set"].truth, MODEL.conformal["closed_set"].truth
    )
    found = []
    for model in (MODEL, again):
        session = Session(model, SPEC, "S", 1e9)
        session.feed(chunk(DATA, 0, 2000), 130.0)
        found.append(session.feed(marker(1500), 130.0)[1:])
    assert decodes(found[0]) == decodes(found[1])


def test_stages_must_fit_the_windows() -> None:
    with pytest.raises(ValueError, match="2 latencies"):
        replace(MODEL, stages=MODEL.stages[:1])


def test_a_session_that_sharpens_stops_and_pools_is_fed_again_bit_for_bit(
    tmp_path: Path,
) -> None:
    raw = mne.io.RawArray(signal(6000), SPEC.to_info(), verbose="error")
    onsets = np.arange(8, 58, 0.8)
    labels = [
        json.dumps({"marker": ("face", "house")[n // 2 % 2], "trial_id": n // 2})
        for n in range(len(onsets))
    ]
    raw.set_annotations(mne.Annotations(onsets, 0.0, labels))
    raw.save(tmp_path / "one_raw.fif", verbose="error")
    config = Config(session=SessionConfig(freshness=1e9, risk=0.2, max_set=1, stop_at_risk=0.1))
    folder, sent = record_source(
        tmp_path,
        lambda tap: RecordingSource(tmp_path / "one_raw.fif", tap=tap),
        model=MODEL,
        config=config,
    )
    said = [json.loads(message.body)["params"] for message in sent if message.stream == "text"]
    assert {p["revision"] for p in said} == {0, 1, 2}
    assert {p["n_repeats"] for p in said if p["final"]} == {1, 2}
    assert any(p["final"] and p["revision"] < 2 for p in said)
    assert any(p["conformal"] for p in said)
    verdict = verify_session(folder.path)
    assert (verdict.difference, verdict.cut_short) == ("", False)
    assert verdict.n_equal >= len(said)
