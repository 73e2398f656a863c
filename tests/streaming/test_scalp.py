"""The map of the head."""

from __future__ import annotations

import mne
import numpy as np

from streaming.scalp import on_scalp
from streaming.signal import SignalSpec
from streaming.sources.helmet import HELMET


def test_names_of_the_10_05_system_lie_where_it_says() -> None:
    top, right, front, left, older, unknown = on_scalp(
        ("Cz", "T8", "Fpz", "EEG T7-REF", "T3", "X")
    )
    assert top == (0.0, 0.0)
    assert right == (1.0, 0.0)
    assert front == (0.0, 1.0)
    assert left == older == (-1.0, 0.0)
    assert unknown is None


def test_all_sensors_of_a_helmet_have_a_place_of_their_own() -> None:
    places = on_scalp(HELMET.ch_names)
    assert len(set(places)) == len(HELMET.ch_names) == 306
    assert np.abs(np.array(places)).max() <= 1.0
    left, right = on_scalp(("MEG 0111", "MEG1421"))
    assert left is not None
    assert right is not None
    assert left[0] < -0.5
    assert right[0] > 0.5


def test_electrodes_without_such_a_name_lie_where_the_amplifier_says() -> None:
    montage = mne.channels.make_standard_montage("easycap-M1").get_positions()["ch_pos"]
    names = [name for name in montage if all(on_scalp((name,)))]
    shift = np.array([0.003, -0.01, 0.05])  # the middle of the sphere is nobody's origin
    said = tuple(float(x) for name in names for x in montage[name] + shift)
    numbers = tuple(f"E{n}" for n in range(len(names)))
    given = on_scalp(numbers, SignalSpec(250.0, numbers, positions=said))
    named = on_scalp(tuple(names))
    assert len(names) > 60
    np.testing.assert_allclose(np.array(given), np.array(named), atol=0.06)
    few = SignalSpec(250.0, ("E1", "E2"), positions=(0.0, 0.0, 0.1, 0.0, 0.0, 0.0))
    assert on_scalp(("E1", "E2", "E3"), few) == (None, None, None)
    assert on_scalp(()) == ()
