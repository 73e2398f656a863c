"""What comes beside the signal."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from streaming.lsl_inlet import Inlet
from streaming.lsl_side import Taken

NOBODYS = cast("Inlet", None)


def test_markers_whose_time_no_clock_can_have_counted_are_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    t = np.array([5.0, np.nan, np.inf, 1.7e308, -1.7e308, 6.0])
    taken = Taken("markers", NOBODYS, t, ["face", "a", "b", "c", "d", "house"])
    assert taken.markers() == [(5.0, "face"), (6.0, "house")]
    assert len(caplog.records) == 4
