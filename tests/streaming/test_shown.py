from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streaming.errors import ConfigError
from streaming.signal import Chunk, Marker
from streaming.sources.shown import Shown
from streaming.sources.simulated import SimulatedSettings, SimulatedSource, record_source

THINGS = ("tree", "house")
VECTORS = np.eye(2, dtype=np.float32)
WHO = SimulatedSettings(n_channels=4, sfreq=125.0)
SCRIPT = [
    Shown(0.0, "run_start"),
    Shown(2.0, '{"marker": "t"}', "tree"),
    Shown(3.0, "h", "house"),
    Shown(4.0, "run_end"),
]


def source(script: list[Shown], who: SimulatedSettings = WHO) -> SimulatedSource:
    return SimulatedSource(THINGS, VECTORS, who, script=script)


def test_markers_come_as_the_experiment_sends_them() -> None:
    items, seen = [], source(SCRIPT)
    while (item := seen.read(0.0)) is not None:
        items.append(item)
    markers = [item for item in items if isinstance(item, Marker)]
    assert [m.label for m in markers] == [each.label for each in SCRIPT]
    assert [m.t for m in markers] == [3.0 + each.t for each in SCRIPT]
    assert sum(item.n_times for item in items if isinstance(item, Chunk)) == 9 * 125 + 25


def test_what_is_seen_evokes_a_response_and_markers_alone_do_not() -> None:
    blank = [replace(each, concept="") for each in SCRIPT[:3]]
    seen, nothing = (record_source(source(script)).get_data() for script in (SCRIPT[:3], blank))
    onset = round(5.0 * 125)
    np.testing.assert_array_equal(seen[:, :onset], nothing[:, :onset])
    late = slice(onset + 12, onset + 60)
    assert abs(seen - nothing)[:, late].max() > 2e-6


def test_another_day_sees_the_same_with_another_cap() -> None:
    turned = record_source(source(SCRIPT, replace(WHO, turned=30.0))).get_data()
    straight = record_source(source(SCRIPT)).get_data()
    assert not np.array_equal(turned, straight)
    with pytest.raises(ConfigError, match="turned must be from 0 to 180 degrees, got 200"):
        replace(WHO, turned=200)


def test_what_nobody_knows_is_not_shown() -> None:
    with pytest.raises(ConfigError, match="not among the concepts: dog"):
        source([Shown(0.0, "d", "dog")])
