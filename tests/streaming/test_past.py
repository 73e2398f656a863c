from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.past import PastBlocks
from streaming.signal import Chunk, SignalSpec

SPEC = SignalSpec(10.0, ("Cz", "Pz"))
DATA = np.arange(200, dtype=np.float32).reshape(2, 100)


def told(
    past: PastBlocks, size: int, segment: int = 0, t_anchor: float = 0.0
) -> list[tuple[int, NDArray[np.float32] | None, bool]]:
    """Return where each block or reason to forget was told, in chunks of `size` samples."""
    found: list[tuple[int, NDArray[np.float32] | None, bool]] = []
    for first in range(0, 100, size):
        chunk = Chunk(DATA[:, first : first + size], SPEC, segment, first, t_anchor)
        covered = 0
        for piece in past.pieces(chunk):
            assert piece.at.start == covered
            covered = piece.at.stop
            if piece.past is not None or piece.forget:
                block = None if piece.past is None else piece.past.copy()
                found.append((first + piece.at.start, block, piece.forget))
        assert covered == chunk.n_times
    return found


@pytest.mark.parametrize("size", [1, 3, 7, 30, 31, 100])
@pytest.mark.parametrize("stride", [1, 2, 4, 7])
def test_blocks_are_the_same_however_the_stream_is_cut(size: int, stride: int) -> None:
    found = told(PastBlocks(2, 30, np.inf, stride), size)
    blocks = [(at, block) for at, block, _ in found if block is not None]
    assert [at for at, _ in blocks] == [30, 60, 90]
    for at, block in blocks:
        np.testing.assert_array_equal(block, DATA[:, at - 30 : at : stride])


def test_a_block_that_a_segment_cuts_off_is_left_out() -> None:
    past = PastBlocks(2, 30, np.inf)
    told(past, 7)  # leaves 10 samples of a fourth block
    assert [at for at, block, _ in told(past, 7, segment=1) if block is not None] == [
        30,
        60,
        90,
    ]


@pytest.mark.parametrize(("t_anchor", "forgets"), [(12.0, False), (12.1, True), (2.0, True)])
def test_only_a_long_gap_is_a_reason_to_forget(t_anchor: float, forgets: bool) -> None:
    past = PastBlocks(2, 30, max_gap=2.0)
    told(past, 10)  # ends at 10 s
    assert any(forget for _, _, forget in told(past, 10, 1, t_anchor)) is forgets
