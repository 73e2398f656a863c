from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import sosfreqz

from models.choose import choose_encoder, discrimination
from models.riemann import RiemannEncoder, filter_bank
from tests.models.problems import evoked_trials, flicker_trials, window


def test_a_bank_passes_what_flickers_and_its_double() -> None:
    bank = filter_bank((10.0, 13.0), 128.0)
    assert bank.shape == (4, 2, 6)
    for sos, rate in zip(bank, (10.0, 13.0, 20.0, 26.0), strict=True):
        _, gains = sosfreqz(sos, [rate - 4, rate, rate + 4], fs=128.0)
        assert abs(gains[1]) > 0.9
        assert max(abs(gains[0]), abs(gains[2])) < 0.1
    assert len(filter_bank((50.0,), 120.0)) == 1  # 100 Hz cannot be in it
    assert len(filter_bank((), 256.0)) == 20


@pytest.mark.parametrize("rates", [(), (9.0, 13.0)])
def test_flicker_without_a_fixed_phase_is_told_apart(rates: tuple[float, ...]) -> None:
    both = flicker_trials(90, rates)
    encoder = RiemannEncoder.fit(both.take(np.arange(90) < 60))
    assert len(encoder.bank) == (20 if not rates else 4)
    vectors = np.array([encoder.encode(window(w, 100.0)) for w in both.windows[60:]])
    assert discrimination(vectors, both.targets[60:].argmax(axis=1)) > 0.9
    assert choose_encoder(both)[0] == "riemann"


def test_responses_with_a_fixed_course_are_seen_as_such() -> None:
    encoder = RiemannEncoder.fit(evoked_trials())
    assert len(encoder.bank) == 0
    assert len(encoder.prototypes) == 3 * 4  # the mean, and two differences among three


def test_many_channels_are_reduced() -> None:
    encoder = RiemannEncoder.fit(evoked_trials(n_channels=12))
    assert encoder.spatial.shape == (8, 12)
    never = evoked_trials(60, n_channels=12)
    rng = np.random.default_rng(0)
    unique = replace(never, targets=rng.standard_normal((60, 5)).astype(np.float32))
    assert RiemannEncoder.fit(unique).spatial.shape == (8, 12)


def test_parts_that_do_not_fit_are_refused() -> None:
    encoder = RiemannEncoder.fit(evoked_trials())
    with pytest.raises(ValueError, match="mean must have shape"):
        replace(encoder, mean=encoder.mean[1:])
    with pytest.raises(ValueError, match="prototype rows; they must match"):
        replace(encoder, prototypes=encoder.prototypes[1:])
