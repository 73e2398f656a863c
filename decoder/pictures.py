"""How alike two pictures are, as the field measures it.

Pictures are cut to a square, brought to 425 x 425 pixels and compared there, as in Ozcelik and
VanRullen (2023, Sci. Rep. 13, 15666, "Results") and Scotti et al. (2023, MindEye, NeurIPS,
table 1); Benchetrit, Banville and King (2024, ICLR, "Evaluation") score MEG so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from decoder.metrics import beaten, ranks

__all__ = ["SIDE", "correlations", "grey", "pix_corr", "square", "ssim", "two_way"]

SIDE = 425
"""Side at which pictures are compared, in pixels; scores at other sides are other scores."""

_LUMA = np.array([0.2125, 0.7154, 0.0721])  # Rec. 709, what the field's code takes
_SIGMA, _REACH = 1.5, 5  # a window of 11 x 11 pixels
_C1, _C2 = 0.01**2, 0.03**2  # K1, K2 of the paper, for values from 0 to 1


def square(pixels: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.float32]:
    """Return the middle of a picture as a square.

    Parameters
    ----------
    pixels : array of shape (height, width, 3)
        Red, green and blue.
    side : int
        Of the square, in pixels.

    Returns
    -------
    array of shape (side, side, 3)
        From 0 to 1.
    """
    from PIL import Image, ImageOps

    image = ImageOps.fit(Image.fromarray(pixels), (side, side), Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32) / np.float32(255)


def grey(picture: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the luminance of a picture, of shape (height, width)."""
    return np.asarray(picture @ _LUMA)


def pix_corr(made: NDArray[np.float32], seen: NDArray[np.float32]) -> float:
    """Return PixCorr: Pearson's correlation of all pixels of all colours.

    Parameters
    ----------
    made, seen : array of shape (height, width, 3)
        The pictures.

    Returns
    -------
    float
        From -1 to 1; 0 where one of them is the same everywhere.
    """
    return float(correlations(made.reshape(1, -1), seen.reshape(1, -1))[0, 0])


def correlations(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return Pearson's correlation of each row with each row; 0 with what does not vary.

    Parameters
    ----------
    one, other : array of shape (n, n_values) and (m, n_values)
        Rows of numbers.

    Returns
    -------
    array of shape (n, m)
        From -1 to 1.
    """
    return np.clip(_standard(one) @ _standard(other).T, -1.0, 1.0)


def ssim(made: NDArray[np.float64], seen: NDArray[np.float64]) -> float:
    """Return the structural similarity of two grey pictures.

    Wang, Bovik, Sheikh and Simoncelli (2004), IEEE Trans. Image Process. 13, 600-612, section
    III.B: a Gaussian window of 11 x 11 pixels with a sigma of 1.5, K1 = 0.01, K2 = 0.03, and
    the mean over all windows that lie within the picture.

    Parameters
    ----------
    made, seen : array of shape (height, width)
        From 0 to 1, of 11 pixels a side at least.

    Returns
    -------
    float
        At most 1, which only equal pictures reach.
    """
    if made.shape != seen.shape or min(made.shape) <= 2 * _REACH:
        msg = f"pictures must be of one size, of 11 pixels or more: {made.shape}, {seen.shape}"
        raise ValueError(msg)
    mean_x, mean_y = _local(made), _local(seen)
    both = mean_x * mean_y
    squares = mean_x**2 + mean_y**2
    spread = _local(made**2 + seen**2) - squares
    together = _local(made * seen) - both
    index = (2 * both + _C1) * (2 * together + _C2) / ((squares + _C1) * (spread + _C2))
    return float(index.mean())


def two_way(
    made: NDArray[np.float32], seen: NDArray[np.float32], pools: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return how often each seen picture is told from another by what was made.

    Two-way identification (Ozcelik and VanRullen 2023; Scotti et al. 2023): the embedding of a
    picture that was made goes with that of the one that was seen more than with that of
    another, by Pearson's correlation. Ties count half.

    Parameters
    ----------
    made : array of shape (n, n_dims)
        Embeddings of what was made.
    seen : array of shape (m, n_dims)
        Embeddings of all that was seen, each once.
    pools : array of shape (n, m)
        Which of them each is compared with.

    Returns
    -------
    array of shape (n, m)
        For each seen picture, if it is the truth: the share of the others in the pool that it
        beats.
    """
    likeness = correlations(made, seen).astype(np.float32)
    return beaten(ranks(likeness, pools), pools.sum(axis=1, keepdims=True))


def _standard(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return rows of mean 0 and length 1; 0 throughout where nothing varies."""
    centred = rows - rows.mean(axis=1, keepdims=True, dtype=np.float64)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    varies = length > 1e-6 * np.sqrt(rows.shape[1])
    return np.asarray(np.where(varies, centred / np.where(varies, length, 1.0), 0.0))


def _local(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted mean of each window that lies within a picture."""
    steps = np.arange(-_REACH, _REACH + 1)
    weights = np.exp(-(steps**2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    rows = correlate1d(picture, weights, axis=0)[_REACH:-_REACH]
    return np.asarray(correlate1d(rows, weights, axis=1)[:, _REACH:-_REACH])
