"""What a MEG sensor would have measured, from the others: fields that sources can have.

Outside of sources a magnetic field is a sum of few functions, those of sources within the head
and those of sources far away (signal space separation: Taulu & Kajola 2005, J. Appl. Phys. 97,
124905). Fitted to the good sensors they say what the bad ones would show, background included.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streaming.layout import centre

if TYPE_CHECKING:
    import mne

__all__ = ["N_COIL", "coils_of", "field_basis", "field_interpolation"]

N_COIL = 13
"""Numbers that describe a coil: its type as MNE numbers them, its place in meters and its three
axes, in the device's frame."""

_ENOUGH = 90
"""Sensors, below which the functions cannot be told from each other."""

_INSIDE, _OUTSIDE = 8, 3
"""Orders of the functions: 80 of sources within, 15 of sources outside."""

_MAG = 100.0
"""A magnetometer's tesla count as so many of a gradiometer's per meter."""

_SMALLEST = 1e-2
"""Patterns that are weaker than this, by the strongest, are left out: they would be noise."""


def coils_of(ch_names: tuple[str, ...], info: mne.Info) -> tuple[float, ...]:
    """Return where the MEG sensors among some channels are.

    Parameters
    ----------
    ch_names : tuple of str
        Channels of `info`.
    info : mne.Info
        Of a recording.

    Returns
    -------
    tuple of float
        `N_COIL` numbers for each magnetometer and gradiometer; empty if there are too few to
        stand in for each other, or the place of one is not known.
    """
    types = dict(zip(info["ch_names"], info.get_channel_types(), strict=True))
    known = {ch["ch_name"]: ch for ch in info["chs"]}
    sensors = [known[name] for name in ch_names if types[name] in {"mag", "grad"}]
    places = np.array([ch["loc"][:12] for ch in sensors], float).reshape(-1, 12)
    if len(sensors) < _ENOUGH or not (np.isfinite(places).all() and places.any(axis=1).all()):
        return ()
    rows = [[int(ch["coil_type"]), *ch["loc"][:12]] for ch in sensors]
    return tuple(round(float(x), 6) for row in rows for x in row)


@lru_cache(maxsize=4)
def field_basis(coils: tuple[float, ...], ch_types: tuple[str, ...]) -> NDArray[np.float64]:
    """Return what sensors show of each function.

    For 306 sensors it takes 0.7 s.

    Parameters
    ----------
    coils : tuple of float
        From `coils_of`.
    ch_types : tuple of str
        ``"mag"`` or ``"grad"`` for each sensor.

    Returns
    -------
    array of shape (n_sensors, 95)
        Each function of length 1, in units in which both kinds of sensors weigh alike.
    """
    import mne

    rows = np.reshape(coils, (-1, N_COIL))
    info = mne.create_info([str(n) for n in range(len(rows))], 1.0, list(ch_types))
    with info._unlock():  # noqa: SLF001 - MNE has no other way
        for channel, (coil, *place) in zip(info["chs"], rows.tolist(), strict=True):
            channel["coil_type"], channel["loc"] = int(coil), np.array(place)
    basis, *_ = mne.preprocessing.compute_maxwell_basis(
        info,
        origin=centre(rows[:, 1:4]),
        int_order=_INSIDE,
        ext_order=_OUTSIDE,
        coord_frame="meg",
        regularize=None,
        ignore_ref=True,
        bad_condition="ignore",  # of what is too weak `field_interpolation` makes no use
        verbose="ERROR",
    )
    basis = basis * _weights(ch_types)[:, None]
    found: NDArray[np.float64] = basis / np.linalg.norm(basis, axis=0)
    return found


def field_interpolation(
    basis: NDArray[np.float64], ch_types: tuple[str, ...], bad: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return how bad sensors follow from good ones.

    Parameters
    ----------
    basis : array of shape (n_sensors, n_functions)
        From `field_basis`.
    ch_types : tuple of str
        Types of the sensors.
    bad : array of shape (n_bad,)
        Which sensors.

    Returns
    -------
    array of shape (n_bad, n_good)
        Weights of the good sensors.
    """
    good = np.setdiff1d(np.arange(len(basis)), bad)
    weights = basis[bad] @ np.linalg.pinv(basis[good], rcond=_SMALLEST)
    scale = _weights(ch_types)
    return np.ascontiguousarray(weights * scale[good] / scale[bad][:, None])


def _weights(ch_types: tuple[str, ...]) -> NDArray[np.float64]:
    return np.where(np.array(ch_types) == "mag", _MAG, 1.0)
