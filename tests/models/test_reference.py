from __future__ import annotations

import numpy as np
import pytest

from models.reference import BLOCK, Reference, block_means, far_off, make_reference

RNG = np.random.default_rng(0)
MIXING = RNG.standard_normal((12, 12)) * np.geomspace(1, 30, 12)
GROUPS = np.repeat([1, 0, 2], 10 * BLOCK)
LATENTS = (RNG.standard_normal((len(GROUPS), 12)) @ MIXING.T + 5).astype(np.float32)
LOSSES = RNG.random(len(GROUPS))


def test_scatter_along_the_axes_has_variance_one_and_blocks_are_about_one_off() -> None:
    made = make_reference(LATENTS, LOSSES, GROUPS)
    assert made is not None
    along = (LATENTS - made.mean) @ made.axes.T
    np.testing.assert_allclose(along.T @ along / len(along), np.eye(8), atol=1e-6)
    assert len(made.blocks) == len(made.losses) == 30
    assert 0.7 < made.blocks.mean() < 1.3
    again = Reference.from_arrays(made.arrays())
    np.testing.assert_array_equal(again.axes, made.axes)


def test_a_mean_that_has_moved_is_far_off() -> None:
    made = make_reference(LATENTS, LOSSES, GROUPS)
    assert made is not None
    moved = made.axes @ (LATENTS[:BLOCK].mean(axis=0) + MIXING[:, -1] - made.mean)
    assert far_off(moved) > made.blocks.max()


def test_no_block_is_of_two_runs() -> None:
    values = np.arange(2 * BLOCK + 5.0)[:, None]
    groups = np.array([7] * (BLOCK + 5) + [3] * BLOCK)
    np.testing.assert_allclose(
        block_means(values, groups)[:, 0], [(BLOCK - 1) / 2, BLOCK + 5 + (BLOCK - 1) / 2]
    )
    assert block_means(values[:3], groups[:3]).shape == (0, 1)


def test_what_is_too_short_or_all_alike_makes_none() -> None:
    few = 7 * BLOCK
    assert make_reference(LATENTS[:few], LOSSES[:few], np.zeros(few, np.intp)) is None
    assert make_reference(np.ones_like(LATENTS), LOSSES, GROUPS) is None


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="axes have shape"):
        Reference(np.zeros(3), np.zeros((2, 4)), np.zeros(9), np.zeros(9))
    with pytest.raises(ValueError, match="9 blocks but 8 losses"):
        Reference(np.zeros(4), np.zeros((2, 4)), np.zeros(9), np.zeros(8))
