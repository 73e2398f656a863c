from __future__ import annotations

import numpy as np

from models.spatial import MAX_FILTERS, principal_components, spatial_filters


def test_principal_components_are_uncorrelated_and_leave_dead_channels_out() -> None:
    rng = np.random.default_rng(2)
    mixing = rng.standard_normal((40, 4))
    windows = (mixing @ rng.standard_normal((50, 4, 30))).astype(np.float32) * 1e-13
    windows[:, 7] = 0
    filters = principal_components(windows, 9)
    assert filters.shape == (4, 40)  # no more than there is
    np.testing.assert_array_equal(filters[:, 7], 0)
    flat = (filters @ windows).transpose(1, 0, 2).reshape(4, -1)
    np.testing.assert_allclose(np.corrcoef(flat), np.eye(4), atol=1e-5)
    np.testing.assert_allclose(flat.std(axis=1), 1, rtol=1e-4)


def test_spatial_filters_find_what_the_stimulus_moves() -> None:
    rng = np.random.default_rng(5)
    topography, shown = rng.standard_normal(24), np.arange(90) % 3
    courses = rng.standard_normal((3, 30))[shown]  # one time course for each stimulus
    noise = rng.standard_normal((24, 24)) @ rng.standard_normal((90, 24, 30))
    windows = (noise + topography[:, None] * courses[:, None]).astype(np.float32)
    filters = spatial_filters(windows, np.eye(3, dtype=np.float32)[shown])
    assert filters.shape == (MAX_FILTERS, 24)
    found = np.abs(np.corrcoef((filters[0] @ windows).ravel(), courses.ravel())[0, 1])
    oracle = np.linalg.solve(np.cov(windows.transpose(1, 0, 2).reshape(24, -1)), topography)
    best = np.abs(np.corrcoef((oracle @ windows).ravel(), courses.ravel())[0, 1])
    assert found > 0.95 * best
    each_its_own = rng.standard_normal((90, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        spatial_filters(windows, each_its_own), principal_components(windows, 32)
    )
    np.testing.assert_array_equal(spatial_filters(windows[:, :3], each_its_own), np.eye(3))
