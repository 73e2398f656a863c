from __future__ import annotations

import numpy as np
import pytest

from decoder.patterns import Pattern
from decoder.scalp import plot_maps
from streaming.layout import positions_of
from streaming.sources.helmet import helmet_info


def pattern(names: tuple[str, ...], kinds: tuple[str, ...], places: np.ndarray) -> Pattern:
    values = np.random.default_rng(0).standard_normal((len(names), 12))
    return Pattern(
        "a rather than b",
        names,
        kinds,
        tuple((float(x), float(y), float(z)) for x, y, z in places),
        tuple(n / 100 for n in range(12)),
        tuple(tuple(float(v) for v in row) for row in values),
    )


def test_each_kind_of_sensor_of_a_helmet_has_its_maps() -> None:
    info = helmet_info(250.0)
    names, kinds = tuple(info["ch_names"]), tuple(info.get_channel_types())
    places = np.array(positions_of(names, info)).reshape(-1, 3)
    found = plot_maps(pattern(names, kinds, places))
    assert set(found) == {"magnetometers", "planar gradiometers"}
    for figure in found.values():
        maps = [axes for axes in figure.axes if axes.images]
        assert len(maps) == 6
        assert maps[0].get_title() == "0 to 10 ms"
    signed, size = (
        found[n].axes[0].images[0] for n in ("magnetometers", "planar gradiometers")
    )
    assert signed.norm.vmin == -signed.norm.vmax  # type: ignore[operator]
    assert size.norm.vmin == 0.0


def test_gradients_of_a_place_are_drawn_as_their_size() -> None:
    places = np.random.default_rng(1).uniform(-0.08, 0.08, (8, 3))
    names = tuple(f"{n}{part}" for n in range(8) for part in "xy")
    made = pattern(names, ("grad",) * 16, np.repeat(places, 2, axis=0))
    (figure,) = plot_maps(made).values()
    values = np.array(made.values).reshape(8, 2, 12)
    largest = np.sqrt((values**2).sum(axis=1)).max()
    assert figure.axes[0].images[0].norm.vmax == pytest.approx(largest)


def test_without_places_there_are_no_maps() -> None:
    names = ("A", "B", "C", "D")
    assert plot_maps(pattern(names, ("eeg",) * 4, np.zeros((0, 3)))) == {}
    known = ("TP9", "AF7", "AF8", "TP10")
    places = np.array(positions_of(known)).reshape(-1, 3)
    assert set(plot_maps(pattern(known, ("eeg",) * 4, places))) == {"electrodes"}
    line = ("Fz", "Cz", "Pz")
    midline = np.array(positions_of(line)).reshape(-1, 3)
    assert set(plot_maps(pattern(line, ("eeg",) * 3, midline))) == {"electrodes"}
    assert plot_maps(pattern(known[:2], ("eeg",) * 2, places[:2])) == {}
