from __future__ import annotations

import numpy as np

from decoder.channels import Channels
from decoder.control import MarkBad
from decoder.events import Quality
from decoder.stretches import Stretches
from streaming.signal import Chunk, Impedance, SignalSpec
from streaming.watch import Watch, WatchSettings

SPEC = SignalSpec(100.0, ("Cz", "Pz", "Oz", "Fz"))
DATA = (1e-5 * np.random.default_rng(0).standard_normal((4, 200))).astype(np.float32)


def watch(max_held: float = 0.3) -> Watch:
    watch = Watch(WatchSettings(max_held=max_held))
    watch.prepare(SPEC)
    return watch


def after(channels: Channels, *watches: Watch) -> Quality:
    """Let watches see two seconds, and return what is said last."""
    stretches = Stretches(SPEC)
    chunk = Chunk(DATA, SPEC, 3, 0, 5.0)
    stretch, *_ = stretches.follow(chunk)
    chunk = stretches.renumber(chunk, stretch)
    for each in watches:
        each(chunk)
    return channels.reports(stretches)[-1]


def test_without_a_watch_nothing_can_be_marked_or_said() -> None:
    channels = Channels(None)
    assert channels.markable == ()
    channels.mark(MarkBad(("Cz",), bad=True))
    assert channels.reports(Stretches(SPEC)) == []


def test_what_was_marked_stays_marked_for_the_next_chain() -> None:
    first, other = watch(), watch()
    channels = Channels(first)
    assert channels.markable == SPEC.ch_names
    channels.mark(MarkBad(("Pz",), bad=True))
    assert after(channels, first).channels.verdicts == ("good", "marked", "good", "good")
    channels.watch_with(other)
    assert after(channels, other).channels.verdicts == ("good", "marked", "good", "good")
    channels.mark(MarkBad(("Pz",), bad=False))
    assert after(channels, other).channels.verdicts == ("good",) * 4


def test_a_report_is_of_the_newest_watch_and_taken_once() -> None:
    first, other = watch(), watch()
    channels = Channels(first)
    channels.watch_with(other)
    said = after(channels, first, other)
    assert (said.segment, said.sample, said.ch_names) == (3, 100, SPEC.ch_names)
    assert channels.reports(Stretches(SPEC)) == []


def test_impedances_come_by_the_names_that_the_amplifier_uses() -> None:
    seen = watch()
    channels = Channels(seen)
    assert after(channels, seen).impedance == ()
    channels.measured(Impedance(("CZ", "O1"), (4000.0, 9000.0), 1.0))
    channels.measured(Impedance(("oz",), (None,), 2.0))
    channels.measured(Impedance(("Pz",), (7000.0,), 3.0))
    assert after(channels, seen).impedance == (4000.0, 7000.0, None, None)
