"""Samples in a file: of an hour they are more than fits into memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["RowFile", "RowWriter"]

_BLOCK = 2**20
"""Numbers that are read at once."""


@dataclass(frozen=True, slots=True)
class RowFile:
    """A file of float32, sample after sample, channel after channel in each.

    Parameters
    ----------
    path : Path
        The file.
    n_channels : int
        Numbers in each sample.
    """

    path: Path
    n_channels: int

    @property
    def n_rows(self) -> int:
        """How many samples it holds."""
        return self.path.stat().st_size // (4 * self.n_channels)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return samples `start` up to, but not including, `stop`.

        Returns
        -------
        array of shape (n_channels, n_rows)
            Fewer at the end of the file.
        """
        start, stop = max(0, start), min(stop, self.n_rows)
        size = self.n_channels * max(0, stop - start)
        found = np.fromfile(self.path, "<f4", size, offset=4 * self.n_channels * start)
        return found.reshape(-1, self.n_channels).T

    def blocks(self, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the same in blocks, each with the index of its first sample."""
        step = max(1, _BLOCK // self.n_channels)
        for first in range(start, stop, step):
            yield first, self.read(first, min(first + step, stop))


class RowWriter:
    """Writes a `RowFile`; what is not written is zero.

    Parameters
    ----------
    path : Path
        Is made.
    n_channels : int
        Numbers in each sample.
    """

    def __init__(self, path: Path, n_channels: int) -> None:
        self._file = path.open("wb")
        self._n_channels = n_channels
        self._at = 0

    def append(self, data: NDArray[np.float32]) -> None:
        """Add samples, of shape (n_channels, n_rows)."""
        self.put(self._at, data)

    def put(self, row: int, data: NDArray[np.float32]) -> None:
        """Write samples where the index of the first is `row`."""
        if row != self._at:
            self._file.seek(4 * self._n_channels * row)
        self._file.write(np.ascontiguousarray(data.T, "<f4").data)
        self._at = row + data.shape[1]

    def close(self) -> RowFile:
        """Return what was written; more than once is fine."""
        self._file.close()
        return RowFile(Path(self._file.name), self._n_channels)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it, also after an error."""
        self._file.close()
