from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from decoder.pictures import correlations, grey, pix_corr, square, ssim, two_way


def pair(side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    one = rng.random((side, side))
    return one, np.clip(one + 0.3 * rng.standard_normal((side, side)), 0, 1)


def test_ssim_is_that_of_scikit_image() -> None:
    """What `skimage.metrics.structural_similarity` 0.26 gives: gaussian_weights, sigma 1.5."""
    i, j = np.mgrid[0:16, 0:16]
    x, y = ((7 * i + 3 * j) % 17) / 16, ((5 * i + 11 * j) % 13) / 12
    assert ssim(x, y) == pytest.approx(-0.03986701793001481, abs=1e-12)


def test_ssim_is_what_the_paper_defines() -> None:
    """Window by window: weighted means, spreads and covariance of 11 x 11 pixels."""
    x, y = pair(20)
    steps = np.arange(-5, 6)
    line = np.exp(-(steps**2) / 4.5)
    weights = np.outer(line, line) / line.sum() ** 2
    found = []
    for a, b in zip(
        sliding_window_view(x, (11, 11)).reshape(-1, 11, 11),
        sliding_window_view(y, (11, 11)).reshape(-1, 11, 11),
        strict=True,
    ):
        ma, mb = (weights * a).sum(), (weights * b).sum()
        va, vb = (weights * (a - ma) ** 2).sum(), (weights * (b - mb) ** 2).sum()
        cov = (weights * (a - ma) * (b - mb)).sum()
        c1, c2 = 1e-4, 9e-4
        found.append(
            (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
        )
    assert ssim(x, y) == pytest.approx(np.mean(found), abs=1e-12)


def test_ssim_of_plain_pictures_is_known() -> None:
    dark, light = np.full((16, 16), 0.2), np.full((16, 16), 0.8)
    assert ssim(dark, light) == pytest.approx((0.32 + 1e-4) / (0.68 + 1e-4))
    x, y = pair()
    assert ssim(x, x) == pytest.approx(1)
    assert ssim(x, y) == pytest.approx(ssim(y, x))
    assert ssim(x, 1 - x) < 0


def test_pictures_of_other_sizes_are_not_compared() -> None:
    with pytest.raises(ValueError, match="of one size"):
        ssim(np.zeros((16, 16)), np.zeros((16, 17)))
    with pytest.raises(ValueError, match="11 pixels"):
        ssim(np.zeros((10, 10)), np.zeros((10, 10)))


def test_pix_corr_is_pearsons() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.random((2, 8, 8, 3)).astype(np.float32)
    assert pix_corr(x, y) == pytest.approx(np.corrcoef(x.ravel(), y.ravel())[0, 1], abs=1e-6)
    assert pix_corr(x, 0.5 * x + 0.2) == pytest.approx(1)
    assert pix_corr(x, np.full_like(x, 0.3)) == 0


def test_correlations_are_those_of_numpy() -> None:
    rng = np.random.default_rng(2)
    one, other = rng.random((3, 50)).astype(np.float32), rng.random((4, 50)).astype(np.float32)
    expected = np.corrcoef(one, other)[:3, 3:]
    np.testing.assert_allclose(correlations(one, other), expected, atol=1e-6)


def test_two_way_is_the_share_of_others_that_are_beaten() -> None:
    seen = np.eye(4, dtype=np.float32)
    made = np.array([[4, 3, 2, 1], [1, 1, 1, 1]], np.float32)
    all_of_them = np.ones((2, 4), bool)
    found = two_way(made, seen, all_of_them)
    np.testing.assert_allclose(found[0], [1, 2 / 3, 1 / 3, 0])
    np.testing.assert_allclose(found[1], 0.5)  # it goes with none, so that all are ties
    of_two = np.array([[True, False, True, False]] * 2)
    assert two_way(made, seen, of_two)[0, 0] == 1
    assert two_way(made, seen, of_two)[0, 2] == 0


def test_a_picture_is_cut_to_its_middle() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    assert (square(wide, 16) > 0.9).mean() > 0.8
    assert square(wide, 16).shape == (16, 16, 3)
    assert grey(square(np.full((9, 9, 3), 255, np.uint8), 12)) == pytest.approx(1)
