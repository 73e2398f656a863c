from __future__ import annotations

import numpy as np

from decoder.recentre import MEMORY, Recentring

MEAN = np.array([1.0, -2.0, 0.5])
SHIFT = np.array([3.0, 0.0, -1.0])
RNG = np.random.default_rng(0)


def test_the_first_latent_is_left_alone_and_a_lasting_shift_is_taken_off() -> None:
    recentring = Recentring(MEAN)
    vectors = (MEAN + SHIFT + RNG.standard_normal((800, 3))).astype(np.float32)
    moved = np.stack([recentring(vector) for vector in vectors])
    np.testing.assert_array_equal(moved[0], vectors[0])
    np.testing.assert_allclose(recentring.shift, SHIFT, atol=0.4)
    np.testing.assert_allclose(moved[300:].mean(axis=0), MEAN, atol=0.1)


def test_without_drift_it_moves_by_no_more_than_the_mean_of_its_memory() -> None:
    recentring = Recentring(MEAN)
    shifts = []
    for vector in MEAN + RNG.standard_normal((4000, 3)):
        recentring(vector.astype(np.float32))
        shifts.append(recentring.shift)
    expected = 1 / np.sqrt(2 * MEMORY - 1)  # of an exponential mean of unit noise
    assert np.std(shifts[500:]) < 1.3 * expected


def test_the_future_changes_nothing() -> None:
    vectors = RNG.standard_normal((50, 3)).astype(np.float32)
    whole, part = Recentring(MEAN), Recentring(MEAN)
    moved = [whole(vector) for vector in vectors]
    np.testing.assert_array_equal([part(vector) for vector in vectors[:20]], moved[:20])


def test_one_far_off_moves_the_mean_no_more_than_the_longest_that_is_usual() -> None:
    near, far = Recentring(MEAN, longest=2.0), Recentring(MEAN, longest=2.0)
    near((MEAN + np.array([0.0, 2.0, 0.0])).astype(np.float32))
    far((MEAN + np.array([0.0, 1e6, 0.0])).astype(np.float32))
    np.testing.assert_allclose(far.shift, near.shift, rtol=1e-6)
