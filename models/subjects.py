"""Whose recordings are whose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from streaming.errors import ConfigError

__all__ = ["subjects_of"]

_BIDS = re.compile(r"(?:^|[_/\\])sub-([0-9A-Za-z]+)(?=[_/\\]|$)")


def subjects_of(recordings: Sequence[str | Path], names: Sequence[str] = ()) -> tuple[str, ...]:
    """Return who each recording is of.

    Parameters
    ----------
    recordings : sequence of path
        The recordings.
    names : sequence of str
        One for each. If empty, what BIDS paths say, and without that all are of one person,
        whose name is empty.

    Raises
    ------
    ConfigError
        If there are too few or too many names.

    Examples
    --------
    >>> subjects_of(["sub-01/eeg/sub-01_run-1_eeg.vhdr", "sub-02_eeg.vhdr"])
    ('01', '02')
    """
    if names and len(names) != len(recordings):
        msg = (
            f"there are {len(recordings)} recordings but {len(names)} people; name one for "
            "each recording, in the same order"
        )
        raise ConfigError(msg)
    if names:
        return tuple(names)
    found = [_BIDS.findall(str(path)) for path in recordings]
    return tuple(labels[-1] if labels else "" for labels in found)
