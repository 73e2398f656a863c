from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from decoder.fitting import read_windows
from decoder.tally import Tally
from streaming.signal import Chunk, Gap, Marker
from tests.decoder.calibrations import WHO, live, record, settings


def test_it_counts_the_windows_that_a_fit_gets(tmp_path: Path) -> None:
    said = settings(tmp_path)
    path = record(tmp_path / "one_raw.fif", 30)
    dataset = read_windows([path], said, said.windows(said.table()), lambda _: None)
    tally = Tally(WHO.spec, said)
    for fed in live(30):
        tally.feed(fed.item)
    assert tally.shown == Counter(dataset.ids)
    assert tally.withheld == Counter(dataset.withheld)
    assert tally.n_windows == len(dataset)
    assert tally.runs == {0: len(dataset)}
    assert tally.n_ended == 1
    assert abs(tally.seconds - 29 * 0.8) < 3
    assert tally.bad == {}


def test_runs_pauses_and_unknown_markers_are_counted(tmp_path: Path) -> None:
    tally = Tally(WHO.spec, settings(tmp_path))
    n = 0
    for fed in live(20, ends=""):
        item = fed.item
        if isinstance(item, Marker):
            n += 1
            before = {6: "run_start", 11: "pause", 16: "resume", 18: "blink"}.get(n)
            if before:
                tally.feed(replace(item, label=before))
        tally.feed(item)
    assert tally.runs[1] == 10
    assert tally.unknown == 1
    assert not tally.paused
    assert tally.n_windows + tally.withheld.total() == 15


def test_losses_and_bad_channels_are_seen(tmp_path: Path) -> None:
    tally = Tally(WHO.spec, settings(tmp_path))
    tally.feed(Gap(1.0, 0.5, "lost"))
    for fed in live(8):
        item = fed.item
        if isinstance(item, Chunk):
            data = item.data.copy()
            data[2] = 0.0
            item = replace(item, data=data)
        tally.feed(item)
    assert tally.lost == 0.5
    assert tally.bad == {WHO.spec.ch_names[2]: "flat"}


def test_samples_that_never_came_begin_another_stretch(tmp_path: Path) -> None:
    tally = Tally(WHO.spec, settings(tmp_path))
    for number, fed in enumerate(live(20)):
        if not (isinstance(fed.item, Chunk) and number % 11 == 10):
            tally.feed(fed.item)
    assert tally.withheld.total() > 0
    assert np.isfinite(tally.newest)
