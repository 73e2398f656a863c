"""Streams before a session: each alone, and several together."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from decoder.config import SourceConfig
from decoder.stream_checks import check_streams, query_for
from streaming.lsl_clock import lsl_clock
from streaming.lsl_streams import StreamSummary
from streaming.outlet import MarkerOutlet, SignalOutlet
from streaming.preflight import Probe, probe_streams
from streaming.signal import SignalSpec


def _probe(name: str, ch_names: tuple[str, ...], sfreq: float = 100.0) -> Probe:
    summary = StreamSummary(name, "EEG", len(ch_names), sfreq, f"id {name}", "host")
    spec = SignalSpec(sfreq, ch_names)
    return Probe(summary, spec, "", 0.0, 0.0, 1, sfreq, round(6 * sfreq), 0.02)


LEFT, RIGHT = _probe("left", ("C3",)), _probe("right", ("C4",))
BOTH = SourceConfig(streams=("left", "id right"))


@pytest.mark.parametrize(
    ("probes", "verdict", "said"),
    [
        ([LEFT, RIGHT], "go", "2 channels at 100 Hz, at the instants of left; one comes 0 ms"),
        ([LEFT, replace(RIGHT, age=0.32)], "go", "300 ms after another"),
        ([LEFT, replace(RIGHT, age=500.0)], "no", "of right come with instants 500.0 s before"),
        ([LEFT, _probe("right", ("C3",))], "no", "left and right both have channels C3"),
        ([LEFT, _probe("right", ("C4",), 250.0)], "no", "left has 100 Hz and right 250 Hz"),
        ([LEFT, replace(RIGHT, spec=None, problem="no unit")], "no", "not there or no signal"),
        ([LEFT, replace(RIGHT, n_times=0)], "no", "sends nothing"),
        ([LEFT], "no", "not there or no signal"),
    ],
)
def test_several_are_judged_together(probes: list[Probe], verdict: str, said: str) -> None:
    found = {check.what: check for check in check_streams(probes, BOTH, 6.0, asked=True)}
    check = found["streams together"]
    assert (check.verdict, said in check.found) == (verdict, True), check
    assert "\n" not in check.found


def test_each_that_is_named_and_not_there_is_said() -> None:
    source = BOTH.model_copy(update={"aux": ("eyes",), "markers": ("psychopy",)})
    checks = list(check_streams([LEFT], source, 6.0, asked=True))
    missing = [check.what for check in checks if "it is not there" in check.found]
    assert missing == ["stream id right", "stream eyes", "stream psychopy"]
    assert {check.verdict for check in checks[1:]} == {"no"}


def test_one_alone_is_not_judged_together() -> None:
    (check,) = check_streams([LEFT], SourceConfig(streams=("left",)), 6.0, asked=True)
    assert (check.what, check.verdict) == ("stream left", "go")


def test_what_is_named_is_looked_at_with_its_age() -> None:
    name = f"test-{uuid4().hex}"
    a, b = (SignalOutlet(SignalSpec(100.0, (ch,)), f"{name}-{ch}") for ch in "AB")
    others = MarkerOutlet(f"{name}-markers"), SignalOutlet(SignalSpec(100.0, ("C",)), name)
    source = SourceConfig(streams=(f"{name}-A", f"{name}-B"), markers=(f"{name}-markers",))

    def clock() -> float:  # asked before each look: a sample of now, and one of 5 s ago
        now = lsl_clock()
        a.push(np.zeros((1, 1), np.float32), np.array([now]))
        b.push(np.zeros((1, 1), np.float32), np.array([now - 5.0]))
        return now

    probes = probe_streams(query_for(source), 0.5, None, clock)
    assert [p.summary.name for p in probes] == [f"{name}-A", f"{name}-B", f"{name}-markers"]
    assert -0.2 < probes[0].age < 0.4
    assert 4.8 < probes[1].age < 5.4
    del others
