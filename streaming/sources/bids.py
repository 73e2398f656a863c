"""Recordings of a BIDS dataset, with the events of their ``events.tsv``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from streaming.errors import RecordingError

if TYPE_CHECKING:
    import mne

__all__ = ["find_recordings", "has_events", "is_dataset", "read_bids"]

_KINDS = ("eeg", "meg")
_EXTENSIONS = (".vhdr", ".edf", ".bdf", ".set", ".fif", ".ds", ".sqd", ".con", ".mefd")


def is_dataset(path: Path) -> bool:
    """Tell whether a folder is the root of a BIDS dataset."""
    return (path / "dataset_description.json").is_file()


def find_recordings(
    root: Path,
    *,
    subject: str | None = None,
    session: str | None = None,
    task: str | None = None,
) -> list[Path]:
    """Return the recordings of a dataset, ordered by subject, session, task and run.

    Parameters
    ----------
    root : Path
        Of the dataset.
    subject, session, task : str, optional
        Only those with these labels; ``sub-01`` is the same as ``01``.

    Raises
    ------
    RecordingError
        If there is none; says which there are.
    """
    import mne_bids

    wanted = {
        "sub": (subject or "").removeprefix("sub-"),
        "ses": (session or "").removeprefix("ses-"),
        "task": (task or "").removeprefix("task-"),
    }
    everything = mne_bids.find_matching_paths(
        root, datatypes=_KINDS, suffixes=_KINDS, extensions=_EXTENSIONS, ignore_nosub=True
    )
    whole = [found for found in everything if found.split in (None, "01", "1")]
    chosen = [
        found
        for found in whole
        if wanted["sub"] in ("", found.subject)
        and wanted["ses"] in ("", found.session)
        and wanted["task"] in ("", found.task)
    ]
    if not chosen:
        there = "; ".join(
            f"{what} {', '.join(sorted({str(getattr(found, key)) for found in whole})[:8])}"
            for what, key in (
                ("subjects", "subject"),
                ("sessions", "session"),
                ("tasks", "task"),
            )
        )
        asked = " ".join(f"{key}-{value}" for key, value in wanted.items() if value)
        msg = (
            f"{root} has no recording {asked}; it has {there}"
            if whole
            else f"{root} is a BIDS dataset without EEG or MEG; name another folder"
        )
        raise RecordingError(msg)
    return [Path(found.fpath) for found in chosen]


def has_events(path: Path) -> bool:
    """Tell whether a recording lies in a BIDS dataset, with an ``events.tsv`` of its own."""
    name, _, suffix = path.stem.rpartition("_")
    return (
        path.name.startswith("sub-")
        and suffix in _KINDS
        and (path.parent / f"{name}_events.tsv").is_file()
    )


def read_bids(path: Path) -> mne.io.BaseRaw:
    """Open a recording for which `has_events` holds; annotations are those of its events."""
    import mne_bids

    found = mne_bids.get_bids_path_from_fname(path, check=False)
    return mne_bids.read_raw_bids(found, verbose="WARNING")
