from __future__ import annotations

import numpy as np
import pytest

from streaming.errors import ConfigError
from streaming.gate import Gate, GateSettings
from streaming.signal import Bad, Chunk, SignalSpec
from tests.laws import run

SPEC = SignalSpec(100.0, ("Cz", "Pz"))


def test_samples_that_are_too_large_or_too_steep_are_marked() -> None:
    data = np.zeros((2, 60), np.float32)
    data[0, 20:23] = 2e-4
    data[1, 40:] = 6e-5
    gate = Gate(GateSettings(amplitude=1e-4, gradient=5e-3))  # 50 uV from sample to sample
    (out,) = run(gate, [Chunk(data, SPEC)], [21, 40])
    assert np.flatnonzero(out.bad).tolist() == [20, 21, 22, 23, 40]
    assert set(out.bad[out.bad > 0]) == {Bad.ARTIFACT}
    np.testing.assert_array_equal(out.data, data)


def test_by_default_steepness_does_not_matter() -> None:
    data = np.zeros((2, 60), np.float32)
    data[:, 30:] = 9e-5
    (out,) = run(Gate(GateSettings(amplitude=1e-4)), [Chunk(data, SPEC)])
    assert not out.bad.any()


def test_a_gate_that_is_always_shut_is_refused() -> None:
    with pytest.raises(ConfigError, match="above 0"):
        GateSettings(amplitude=0.0)
