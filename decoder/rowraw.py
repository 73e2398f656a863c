"""A file of samples as a recording of MNE's, which reads what it needs."""

from __future__ import annotations

from typing import Any

import mne
import numpy as np
from mne.io import BaseRaw
from numpy.typing import NDArray

from decoder.rowfile import RowFile

__all__ = ["rows_as_raw"]


def rows_as_raw(rows: RowFile, info: mne.Info) -> BaseRaw:
    """Return a recording of samples in SI units that is not loaded into memory.

    Parameters
    ----------
    rows : RowFile
        The samples.
    info : mne.Info
        What they are.
    """
    return _RowRaw(rows, info)


class _RowRaw(BaseRaw):  # type: ignore[misc]  # mne has no types
    def __init__(self, rows: RowFile, info: mne.Info) -> None:
        super().__init__(
            info,
            preload=False,
            last_samps=[rows.n_rows - 1],
            filenames=[rows.path],
            raw_extras=[{"rows": rows}],
            orig_format="single",
            verbose="error",
        )

    def _read_segment_file(
        self,
        data: NDArray[np.float64],
        idx: Any,
        fi: int,
        start: int,
        stop: int,
        cals: Any,  # noqa: ARG002 - all are 1
        mult: NDArray[np.float64] | None,
    ) -> None:
        rows = self._raw_extras[fi]["rows"].read(start, stop).astype(np.float64)
        data[:] = rows[idx] if mult is None else mult @ rows
