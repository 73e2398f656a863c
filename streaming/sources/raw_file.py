"""Opens a file that MNE reads, and says what is wrong or odd about it."""

from __future__ import annotations

import logging
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from streaming.description import guess_type
from streaming.errors import RecordingError
from streaming.sources.bids import has_events, read_bids
from streaming.sources.edfplus import read_notes
from streaming.sources.files import UNREADABLE, check_file, unreadable

if TYPE_CHECKING:
    import mne

__all__ = ["SIGNAL_TYPES", "open_raw"]

logger = logging.getLogger(__name__)

SIGNAL_TYPES = {"eeg", "mag", "grad", "seeg", "ecog", "dbs", "csd", "hbo", "hbr"}
"""MNE's types of channels that are decoded from."""

_PART = re.compile(r"^(?P<stem>.+)-\d+(?P<end>\.fif(\.gz)?)$|_split-(?!0*1_)\d+_")
"""Names of what MNE writes after the first part of a recording that is long, plain or BIDS."""

_VOLTS = {"V", "mV", "uV", "\N{MICRO SIGN}V", "\N{GREEK SMALL LETTER MU}V"}
"""Units of EDF and BDF that MNE reads as what they are."""

_HEADERS = {".eeg": ".vhdr", ".vmrk": ".vhdr", ".fdt": ".set"}
"""Files that lie beside the one to name."""

_FORMATS = "such as .fif, .edf, .bdf, .vhdr, .set, .cnt, .mff or a CTF .ds folder"


def open_raw(path: Path) -> mne.io.BaseRaw:
    """Open a recording: with its BIDS events or EDF notes, and types of channels by label.

    Formats without types of channels call all EEG; there labels such as ``VEOG`` say more, as
    in streams (`streaming.description.guess_type`). What is odd is logged.

    Raises
    ------
    RecordingError
        If there is no such file, it cannot be read, is no continuous recording, a later part
        of one, or empty.
    """
    import mne

    check_file(path)
    _check_first(path)
    try:
        # MNE says things twice, and prints them where our JSON goes
        with warnings.catch_warnings(), mne.utils.catch_logging() as said:
            warnings.simplefilter("ignore")
            if has_events(path):
                raw = read_bids(path)
            else:
                raw = mne.io.read_raw(path, preload=False, verbose="WARNING")
                if path.suffix.lower() in {".edf", ".bdf"} and (found := read_notes(path)):
                    raw.set_annotations(found.annotations(), verbose="ERROR")
    except UNREADABLE as error:
        raise _complaint(path, error) from error
    if path.suffix.lower() in {".edf", ".bdf"}:
        _check_units(raw, path)
    if path.suffix.lower() != ".fif" and not has_events(path):
        _set_types(raw)
    beside = path.with_suffix(".vmrk")
    if path.suffix.lower() == ".vhdr" and not (len(raw.annotations) or beside.exists()):
        logger.warning("%s has no markers without %s: copy that, too", path.name, beside.name)
    if raw.info["bads"]:
        logger.warning(
            "%s: %s marked as bad in the file are read like others; leave them out with --drop",
            path.name, ", ".join(raw.info["bads"]),
        )  # fmt: skip
    if notes := " ".join(said.getvalue().split()):
        logger.info("%s: %s", path.name, notes)
    if raw.n_times == 0:
        msg = f"{path} has no samples: it may be cut off; export or copy it again"
        raise RecordingError(msg)
    return raw


def _complaint(path: Path, error: Exception) -> RecordingError:
    """Return what to say of a file that MNE did not read: often another one is meant."""
    header = path.with_suffix(_HEADERS.get(path.suffix.lower(), path.suffix))
    if header != path and header.exists():
        return RecordingError(f"{path} is read with its header: name {header}")
    said = str(error).lower()
    if "no raw data in" in said:
        msg = f"{path} holds no continuous recording (epochs or averages?): name that instead"
        return RecordingError(msg)
    if "unsupported file type" in said or path.suffix.lower() == ".mat":
        msg = f"{path} has a format that MNE does not read: convert it to one {_FORMATS}"
        return RecordingError(msg)
    return unreadable(path, error)


def _set_types(raw: mne.io.BaseRaw) -> None:
    """Take the types of channels from their labels where the format has none: all are EEG."""
    kinds = zip(raw.ch_names, raw.get_channel_types(), strict=True)
    guessed = {name: guess_type(name) for name, kind in kinds if kind == "eeg"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units: numbers stay as they are
        raw.set_channel_types({n: kind for n, kind in guessed.items() if kind}, verbose="ERROR")


def _check_first(path: Path) -> None:
    """Refuse a later part of a recording: with the first, its samples would be there twice."""
    found = _PART.search(path.name)
    if found is None:
        return
    first = path.with_name(
        f"{found['stem']}{found['end']}"
        if found["stem"]
        else re.sub(r"_split-(0*)\d+_", r"_split-\g<1>1_", path.name)
    )
    if not first.exists():
        return
    import mne

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parts = mne.io.read_raw_fif(first, verbose="ERROR").filenames
    except UNREADABLE:
        return  # whatever it is, this is no part of it
    if path.resolve() in {Path(part).resolve() for part in parts if part is not None}:
        msg = (
            f"{path} is a part of {first.name}, which is read with all its parts: "
            f"name {first.name} alone"
        )
        raise RecordingError(msg)


def _check_units(raw: mne.io.BaseRaw, path: Path) -> None:
    """Warn of channels that MNE takes for volts, whatever they are."""
    units = raw._orig_units  # noqa: SLF001 - MNE says it nowhere else
    kinds = dict(zip(raw.ch_names, raw.get_channel_types(), strict=True))
    odd = [
        n for n, unit in units.items() if kinds.get(n) in SIGNAL_TYPES and unit not in _VOLTS
    ]
    if odd:
        found = sorted({units[name] for name in odd})
        logger.warning(
            "%s: %s (%d of %d channels) in %s, and not in uV, mV or V: read as volts, "
            "so that amplitudes are wrong; export it in uV",
            path.name, ", ".join(odd[:5]), len(odd), len(units), ", ".join(map(repr, found)),
        )  # fmt: skip
