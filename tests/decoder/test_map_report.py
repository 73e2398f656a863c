from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from decoder.map_report import plot_course, plot_decoding, plot_peaks, write_map_report
from models.layer_map import LayerMap

TIMES = np.arange(0.01, 0.3, 0.02)


def found(*, recurs: bool = True) -> LayerMap:
    """Give two layers that are like two of four sensors, at 0.11 and 0.21 s."""
    encoding = np.zeros((2, len(TIMES), 4))
    encoding[0, 5, 0], encoding[1, 10, 1] = 0.4, 0.6
    decoding = np.full((2, len(TIMES)), 0.5)
    return LayerMap(
        layers=("0", "6"),
        times=TIMES,
        ch_names=("TP9", "AF7", "AF8", "TP10"),
        encoding=encoding,
        encoding_q=np.where(encoding > 0, 0.01, 1.0),
        ceiling=np.full((len(TIMES), 4), 0.8) if recurs else None,
        decoding=decoding,
        decoding_q=np.ones_like(decoding),
        n_stimuli=60,
        n_trials=180,
        n_folds=5,
    )


def test_peaks_are_drawn_on_the_time_of_the_window() -> None:
    """Of layers that peak together, no axis makes an order."""
    (axes,) = plot_peaks(found()).axes
    assert axes.get_ylim() == pytest.approx((0.0, 290.0))
    (line,) = axes.lines
    assert np.asarray(line.get_ydata(), float) == pytest.approx([110.0, 210.0])


def test_axes_have_units_and_chance() -> None:
    for figure, what in (
        (plot_course(found()), "variance explained,\nmean over sensors"),
        (plot_decoding(found()), "two-way accuracy\n(chance 0.5)"),
    ):
        axes, bar = figure.axes
        assert axes.get_xlabel() == "time after the stimulus [ms], the chain's delay taken off"
        assert bar.get_ylabel() == what


@pytest.mark.parametrize(
    ("recurs", "said"),
    [
        (True, "where encoding is best, it is 0.75 of what its ceiling allows"),
        (False, "Stimuli do not recur"),
    ],
)
def test_the_page_says_what_the_ceiling_allows(recurs: bool, said: str, tmp_path: Path) -> None:
    write_map_report(
        found(recurs=recurs), "net", np.zeros((0, 3)), "meg", tmp_path / "map.html"
    )
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert said in page
    assert "than another of 60" in page
