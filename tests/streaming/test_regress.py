from __future__ import annotations

import numpy as np
import pytest

from streaming.errors import ConfigError
from streaming.regress import Regress, RegressSettings
from streaming.signal import Chunk, SignalSpec
from tests.laws import run

SPEC = SignalSpec(100.0, ("VEOG", "Fz", "HEOG", "Pz"), ("eog", "eeg", "eog", "eeg"))


def test_blinks_go_and_the_brain_stays() -> None:
    rng = np.random.default_rng(0)
    n_times = 3000
    blinks = np.convolve(rng.random(n_times) < 0.01, 1e-4 * np.hanning(40), "same")
    glances = np.convolve(rng.random(n_times) < 0.01, 1e-4 * np.hanning(70), "same")
    brain = 1e-5 * rng.standard_normal((2, n_times))
    data = np.stack(
        [
            blinks,
            brain[0] + 0.4 * blinks - 0.1 * glances,
            glances,
            brain[1] + 0.05 * blinks + 0.1 * glances,
        ]
    ).astype(np.float32)
    step = Regress(RegressSettings(ch_names=("VEOG", "HEOG")))
    assert step.prepare(SPEC).ch_names == ("Fz", "Pz")
    (out,) = run(step, [Chunk(data, SPEC)], [201, 1000])
    np.testing.assert_array_equal(out.data[:, :200], data[[1, 3], :200])
    late = out.data[:, 2000:]
    assert (
        np.abs(late - brain[:, 2000:]).max()
        < 0.1 * np.abs(data[1, 2000:] - brain[0, 2000:]).max()
    )
    assert np.corrcoef(late[0], brain[0, 2000:])[0, 1] > 0.99


@pytest.mark.parametrize(
    ("ch_names", "match"), [((), "at least one eye"), (("VEOG", "Cz"), "channels Cz")]
)
def test_eyes_that_are_not_there_are_refused(ch_names: tuple[str, ...], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        Regress(RegressSettings(ch_names=ch_names)).prepare(SPEC)
