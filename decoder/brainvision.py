"""Write BrainVision files without holding the signal in memory.

The format is plain, see `BrainVision Core Data Format 1.0
<https://www.brainproducts.com/support-resources/brainvision-core-data-format-1-0/>`_. Samples
are float32, channel after channel in each, which is what a `RowWriter` writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from streaming.signal import SignalSpec

__all__ = ["MICROVOLTS", "write_header"]

MICROVOLTS = 1e6
"""In a volt: channels in volts are written in microvolts."""


def write_header(
    base: Path,
    spec: SignalSpec,
    notes: Iterable[tuple[int, float, str]],
    started: datetime,
) -> Path:
    """Write what makes a recording of the samples in ``base.eeg``.

    Parameters
    ----------
    base : Path
        The files' path, without ending.
    spec : SignalSpec
        Rate and channels; those in volts are in microvolts in the file, others as they are.
    notes : iterable of (int, float, str)
        First sample, duration in seconds and text of each marker.
    started : datetime
        When the first sample was taken.

    Returns
    -------
    Path
        ``base.vhdr``.
    """
    name = base.name
    channels = [
        f"Ch{n}={_escaped(ch_name)},,1,{'µV' if unit == 'V' else 'n/a'}"
        for n, (ch_name, unit) in enumerate(zip(spec.ch_names, spec.units, strict=True), 1)
    ]
    header = [
        "Brain Vision Data Exchange Header File Version 1.0",
        "",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={name}.eeg",
        f"MarkerFile={name}.vmrk",
        "DataFormat=BINARY",
        "DataOrientation=MULTIPLEXED",
        f"NumberOfChannels={len(spec.ch_names)}",
        f"SamplingInterval={1e6 / spec.sfreq!r}",
        "",
        "[Binary Infos]",
        "BinaryFormat=IEEE_FLOAT_32",
        "",
        "[Channel Infos]",
        *channels,
    ]
    markers = [
        "Brain Vision Data Exchange Marker File, Version 1.0",
        "",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={name}.eeg",
        "",
        "[Marker Infos]",
        f"Mk1=New Segment,,1,1,0,{started:%Y%m%d%H%M%S%f}",
        *(
            f"Mk{n}=Comment,{_escaped(text)},{first + 1},{spec.to_samples(duration)},0"
            for n, (first, duration, text) in enumerate(notes, 2)
        ),
    ]
    base.with_suffix(".vmrk").write_text("\n".join(markers) + "\n", encoding="utf-8")
    path = base.with_suffix(".vhdr")
    path.write_text("\n".join(header) + "\n", encoding="utf-8")
    return path


def _escaped(text: str) -> str:
    r"""Return a text as a field: one line, and ``\1`` for a comma."""
    return " ".join(text.split()).replace(",", r"\1")
