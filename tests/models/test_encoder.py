"""Laws that every encoder keeps; a new one is tested the moment it is listed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from models.choose import discrimination
from models.encoder import ENCODERS, Encoder
from models.trials import Trials
from tests.models.networks import quick_networks
from tests.models.problems import evoked_trials, window

TEST = 30


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with quick_networks():
        yield


def training(signal: float) -> tuple[Trials, NDArray[np.float32], NDArray[np.intp]]:
    """Return trials to fit to, and windows that follow them with what was shown."""
    both = evoked_trials(150, signal=signal)
    train = both.take(np.arange(150) < 150 - TEST)
    return train, both.windows[-TEST:], both.targets[-TEST:].argmax(axis=1)


@cache
def fitted(name: str, signal: float = 1.0) -> Encoder:
    return ENCODERS[name].fit(training(signal)[0])


@pytest.mark.parametrize("name", ENCODERS)
def test_what_is_there_is_found(name: str) -> None:
    _, windows, shown = training(1.0)
    vectors = np.array([fitted(name).encode(window(w, 100.0)) for w in windows])
    assert discrimination(vectors, shown) > 0.9


@pytest.mark.parametrize("name", ENCODERS)
def test_in_noise_there_is_nothing_to_find(name: str) -> None:
    scores = []
    for seed in range(2):
        both = evoked_trials(360, signal=0.0, seed=seed)
        encoder = ENCODERS[name].fit(both.take(np.arange(360) < 120))
        vectors = np.array([encoder.encode(window(w, 100.0)) for w in both.windows[120:]])
        scores.append(discrimination(vectors, both.targets[120:].argmax(axis=1)))
    # 480 trials of three classes: the area scatters by about 0.019
    assert abs(np.mean(scores) - 0.5) < 4 * 0.019


@pytest.mark.parametrize("name", ENCODERS)
def test_only_the_samples_count(name: str) -> None:
    _, windows, _ = training(1.0)
    encoder = fitted(name)
    one = window(windows[0], 100.0, label="face")
    expected = encoder.encode(one)
    later = replace(one.chunk, first=10_000, segment=3, t_anchor=99.0)
    for other in (
        replace(one, marker=None),
        window(windows[0], 100.0, label="house"),
        replace(one, chunk=later, decode_id="locked/9", quality=0.5),
    ):
        np.testing.assert_array_equal(encoder.encode(other), expected)


@pytest.mark.parametrize("name", ENCODERS)
def test_nothing_is_kept_between_windows_and_nothing_written(name: str) -> None:
    _, windows, _ = training(1.0)
    encoder = fitted(name)
    first = encoder.encode(window(windows[0], 100.0))
    before = windows[1].copy()
    encoder.encode(window(windows[1], 100.0))
    np.testing.assert_array_equal(windows[1], before)
    np.testing.assert_array_equal(encoder.encode(window(windows[0], 100.0)), first)


@pytest.mark.parametrize("name", ENCODERS)
def test_arrays_carry_all_that_was_learnt(name: str) -> None:
    _, windows, _ = training(1.0)
    encoder = fitted(name)
    arrays = {key: np.array(value) for key, value in encoder.arrays().items()}
    again = ENCODERS[name].from_arrays(arrays)
    for data in windows[:3]:
        np.testing.assert_array_equal(
            again.encode(window(data, 100.0)), encoder.encode(window(data, 100.0))
        )


@pytest.mark.parametrize("name", ENCODERS)
def test_fitting_again_gives_the_same(name: str) -> None:
    one, other = fitted(name).arrays(), ENCODERS[name].fit(training(1.0)[0]).arrays()
    assert one.keys() == other.keys()
    for key, value in one.items():
        np.testing.assert_array_equal(other[key], value)


@pytest.mark.parametrize("name", ENCODERS)
def test_silence_has_a_place_too(name: str) -> None:
    vector = fitted(name).encode(window(np.zeros((4, 50), np.float32), 100.0))
    assert vector.shape == (3,)
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()


@pytest.mark.parametrize("name", ENCODERS)
def test_a_wrong_shape_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"shape \(4, 50\), got \(4, 49\)"):
        fitted(name).encode(window(np.zeros((4, 49), np.float32), 100.0))


@pytest.mark.parametrize("name", ENCODERS)
def test_a_name_is_what_a_model_folder_stores(name: str) -> None:
    assert ENCODERS[name].kind == name
