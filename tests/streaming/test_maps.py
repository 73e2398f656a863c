from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given

from streaming.maps import apply_map
from tests.examples import examples
from tests.laws import cuts, noise

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(306, 306), (3, 306), (306, 3), (1, 64), (2, 1)])
@examples(15)
@given(where=cuts(100))
def test_a_map_does_not_depend_on_the_cut(shape: tuple[int, int], where: list[int]) -> None:
    matrix, data = RNG.standard_normal(shape), noise(shape[1], 100)
    whole = apply_map(matrix, data, 5)
    edges = [0, *where, 100]
    parts = [apply_map(matrix, data[:, a:b], 5 + a) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    np.testing.assert_allclose(whole, matrix @ data.astype(np.float64), rtol=1e-9, atol=1e-12)


def test_a_sample_that_is_no_number_stays_where_it_is() -> None:
    data = noise(4, 20)
    data[1, 7] = np.nan
    out = apply_map(np.ones((2, 4)), data, 0)
    assert np.flatnonzero(~np.isfinite(out).all(axis=0)).tolist() == [7]
