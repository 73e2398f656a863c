from __future__ import annotations

import math

import pytest

from streaming.rows import marker_label


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (2.5, "2.5"),
        (2**60, "1152921504606846976"),
        (1e300, "1e+300"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_every_number_has_a_label(value: float, label: str) -> None:
    assert marker_label(value) == label
