from __future__ import annotations

import numpy as np
import pytest

from streaming.sources.effects import jitter_delay


def test_jitter_is_another_with_another_seed_and_uniform_where_pieces_are_rare() -> None:
    draws = [jitter_delay((1, 0, 0), n, 0.02, 1.0) for n in range(2000)]
    assert draws != [jitter_delay((2, 0, 0), n, 0.02, 1.0) for n in range(2000)]
    assert np.mean(draws) == pytest.approx(0.01, abs=0.0005)
    assert np.std(draws) == pytest.approx(0.02 / np.sqrt(12), abs=0.0005)
