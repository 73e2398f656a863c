"""Where electrodes are, and what follows from it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streaming.signal import SignalSpec
from streaming.spatial import normal_name

if TYPE_CHECKING:
    import mne

__all__ = ["centre", "info_of", "interpolation", "is_template", "positions_of"]

_MONTAGE = "colin27_1005"

_TEMPLATE = f"places of electrodes: template {_MONTAGE} by name, not measured"
"""What `mne.Info` says of them in its description."""


def info_of(spec: SignalSpec) -> mne.Info:
    """Return an `mne.Info` with places: the stream's, or by names those of the 10-05 system.

    Where the stream says of any channel where it is, nothing is added. Template places are in
    the head's frame, with its fiducials; `is_template` tells them from measured ones. What is
    exported takes `SignalSpec.to_info`, which has what was measured alone.

    Examples
    --------
    >>> info = info_of(SignalSpec(250.0, ("EEG FP1-REF", "left ear")))
    >>> is_template(info), info["chs"][0]["loc"][:3].round(2), info["chs"][1]["loc"][:3]
    (True, array([-0.03,  0.11,  0.03]), array([nan, nan, nan]))
    """
    import mne

    info = spec.to_info()
    if any(spec.positions):
        return info
    template = _template().get_positions()
    places = {normal_name(name): place for name, place in template["ch_pos"].items()}
    known = {
        name: places[normal_name(name)]
        for name, kind in zip(spec.ch_names, spec.ch_types, strict=True)
        if kind == "eeg" and normal_name(name) in places
    }
    if known:
        ends = {end: template[end] for end in ("nasion", "lpa", "rpa")}
        frame = template["coord_frame"]
        montage = mne.channels.make_dig_montage(known, coord_frame=frame, **ends)
        info.set_montage(montage, on_missing="ignore", verbose="ERROR")
        info["description"] = _TEMPLATE
    return info


def is_template(info: mne.Info) -> bool:
    """Return whether electrodes are where their names put them, and were not measured."""
    return bool(info["description"] == _TEMPLATE)


@cache
def _template() -> mne.channels.DigMontage:
    import mne

    return mne.channels.make_standard_montage(_MONTAGE)


def positions_of(ch_names: tuple[str, ...], info: mne.Info | None = None) -> tuple[float, ...]:
    """Return where electrodes are, in meters in the head's frame.

    Parameters
    ----------
    ch_names : tuple of str
        Channels; all EEG.
    info : mne.Info, optional
        Of a recording with these channels. If it has no positions, they are those of the
        10-05 system for the channels' names.

    Returns
    -------
    tuple of float
        x, y, z of one after the other; empty if any of them is unknown.
    """
    known: dict[str, NDArray[np.float64]] = {}
    if info is not None and not is_template(info):
        places = {ch["ch_name"]: np.array(ch["loc"][:3], float) for ch in info["chs"]}
        known = {n: p for n, p in places.items() if np.isfinite(p).all() and p.any()}
    if not set(ch_names) <= set(known):
        template = _template().get_positions()["ch_pos"]
        by_name = {normal_name(n): p for n, p in template.items()}
        known = {n: by_name[normal_name(n)] for n in ch_names if normal_name(n) in by_name}
    if not set(ch_names) <= set(known):
        return ()
    return tuple(round(float(x), 6) for name in ch_names for x in known[name])


def interpolation(positions: NDArray[np.float64], bad: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return how bad channels follow from good ones, by MNE's spherical splines.

    Parameters
    ----------
    positions : array of shape (n_channels, 3)
        Of the electrodes, in meters.
    bad : array of shape (n_bad,)
        Which channels.

    Returns
    -------
    array of shape (n_bad, n_good)
        Weights of the good channels.
    """
    import mne

    n_channels = len(positions)
    names = [str(n) for n in range(n_channels)]
    good = np.setdiff1d(np.arange(n_channels), bad)
    info = mne.create_info(names, 1.0, "eeg")
    info.set_montage(
        mne.channels.make_dig_montage(
            dict(zip(names, positions, strict=True)), coord_frame="head"
        ),
        verbose="ERROR",
    )
    info["bads"] = [names[n] for n in bad]
    identity = np.zeros((n_channels, len(good)))
    identity[good, np.arange(len(good))] = 1.0
    evoked = mne.EvokedArray(identity, info, verbose="ERROR")
    evoked.interpolate_bads(origin=centre(positions), verbose="ERROR")
    return np.ascontiguousarray(evoked.data[bad])


def centre(positions: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the centre of the sphere that fits electrodes best.

    Parameters
    ----------
    positions : array of shape (n_channels, 3)
        Of the electrodes, in meters.
    """
    # |p|^2 = 2 p.c + (r^2 - |c|^2) is linear in c and the bracket.
    design = np.column_stack([2 * positions, np.ones(len(positions))])
    x, y, z, _ = np.linalg.lstsq(design, (positions**2).sum(axis=1), rcond=None)[0].tolist()
    return x, y, z
