"""Where sensors are on a map of the head, for pages that show how each of them is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.layout import centre
from streaming.signal import SignalSpec
from streaming.spatial import normal_name

__all__ = ["Place", "on_scalp"]

Place = tuple[float, float]
"""x to the right and y to the front, on the map."""

_ENOUGH = 10
"""Places that it takes to tell where the middle of the head is."""

_OLDER = {"t3": "t7", "t4": "t8", "t5": "p7", "t6": "p8", "m1": "tp9", "m2": "tp10"}
"""Names that the 10-05 system changed; the mastoids are next to its TP9 and TP10."""


def on_scalp(
    ch_names: tuple[str, ...], spec: SignalSpec | None = None
) -> tuple[Place | None, ...]:
    """Return where sensors are on the head, as it is seen from above.

    Electrodes are where the 10-05 system has their names, MEG sensors where MNE's layout of the
    Vectorview has theirs, and others where the amplifier says.

    Parameters
    ----------
    ch_names : tuple of str
        Channels.
    spec : SignalSpec, optional
        What the amplifier says of them.

    Returns
    -------
    tuple of (float, float) or None
        0 is the top of the head, and at 1 from there is its widest circumference, in equal
        angles (azimuthal equidistant projection). Electrodes below it lie outside. None where
        a place is not known.

    Examples
    --------
    >>> on_scalp(("Cz", "T8", "X1"))
    ((0.0, 0.0), (1.0, 0.0), None)
    """
    named = _named()
    said = _said(spec) if spec is not None and spec.positions else {}
    middle = np.array(centre(np.array([*said.values()]))) if len(said) >= _ENOUGH else None
    places: list[Place | None] = []
    for ch_name in ch_names:
        name = normal_name(ch_name)
        found = named.get(_OLDER.get(name, name))
        if found is None and middle is not None and ch_name in said:
            found = _flat(said[ch_name] - middle)
        places.append(found)
    return tuple(places)


def _said(spec: SignalSpec) -> dict[str, NDArray[np.float64]]:
    """Return the places that are known, in meters."""
    places = np.reshape(spec.positions, (-1, 3))
    return {name: p for name, p in zip(spec.ch_names, places, strict=True) if p.any()}


def _named() -> dict[str, Place]:
    """Return the places that follow from a channel's name alone."""
    found: dict[str, Place] = {}
    for layout in ("Vectorview-all", "EEG1005"):
        names, middle = _layout(layout)
        if layout == "EEG1005":
            top = middle[names.index("cz")]
            widest = middle[names.index("t8"), 0] - top[0]
        else:
            top = (middle.min(axis=0) + middle.max(axis=0)) / 2
            widest = (middle[:, 0].max() - middle[:, 0].min()) / 2
        at = (((middle - top) / widest).round(2) + 0.0).tolist()  # no -0.0
        found |= {name: (x, y) for name, (x, y) in zip(names, at, strict=True)}
    return found


def _layout(name: str) -> tuple[list[str], NDArray[np.float64]]:
    """Return the names in one of MNE's layouts, and the middle of each sensor's box."""
    import mne

    layout = mne.channels.read_layout(name)
    return [normal_name(n) for n in layout.names], layout.pos[:, :2] + layout.pos[:, 2:] / 2


def _flat(direction: NDArray[np.float64]) -> Place:
    """Project a direction from the middle of the head."""
    x, y, z = direction
    ring = np.hypot(x, y)
    stretch = np.arctan2(ring, z) / (np.pi / 2) / ring if ring else 0.0
    return round(float(x * stretch), 2), round(float(y * stretch), 2)
