"""Recordings as a command line names them: files, and BIDS datasets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from streaming.errors import ConfigError
from streaming.sources.bids import find_recordings, is_dataset

__all__ = ["listed"]


def listed(
    paths: Sequence[Path],
    *,
    subject: str | None = None,
    session: str | None = None,
    task: str | None = None,
) -> list[Path]:
    """Return files as they are, and of each BIDS dataset its recordings.

    Parameters
    ----------
    paths : sequence of Path
        What was named.
    subject, session, task : str, optional
        Which of a dataset's recordings; all if not given.

    Raises
    ------
    ConfigError
        If labels are given without a dataset.
    RecordingError
        If a dataset has no such recording.
    """
    files: list[Path] = []
    datasets = [path for path in paths if is_dataset(path)]
    if (subject or session or task) and not datasets:
        msg = (
            f"--subject, --session and --task choose from a BIDS dataset, and {paths[0]} is "
            "none; name its root, which holds dataset_description.json"
        )
        raise ConfigError(msg)
    for path in paths:
        if path in datasets:
            files += find_recordings(path, subject=subject, session=session, task=task)
        else:
            files.append(path)
    return files
