"""A spherical head: where electrodes are, and what dipoles in it give at each of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import mne
import numpy as np
from numpy.typing import NDArray

from streaming.errors import ConfigError
from streaming.sources.helmet import HELMET, magnetic_field

__all__ = ["Dipoles", "lead_field", "montage", "spread_channels"]

# Other names for T7, T8, P7 and P8, and the ears, which are no place on the scalp.
_LEFT_OUT = {"T3", "T4", "T5", "T6", "A1", "A2", "M1", "M2"}


@dataclass(frozen=True, slots=True, eq=False)
class Dipoles:
    """Current dipoles in the head.

    Parameters
    ----------
    positions : array of shape (n_dipoles, 3)
        Place from the centre of the head, in radii of the head: x to the right, y to the front,
        z up. The brain ends at 0.9.
    moments : array of shape (n_dipoles, 3)
        Direction of the current; its length does not matter.
    """

    positions: NDArray[np.float64]
    moments: NDArray[np.float64]


@cache
def montage() -> mne.channels.DigMontage:
    """Return standard_1005, by whichever name the installed MNE knows it (renamed in 1.13)."""
    new = "colin27_1005"
    known = new in mne.channels.get_builtin_montages()
    return mne.channels.make_standard_montage(new if known else "standard_1005")


@cache
def spread_channels(n_channels: int) -> tuple[str, ...]:
    """Choose electrodes that are spread well over the head.

    They are nested: the 16, 32 and 64 of BioSemi's caps, which follow the 10-20 and 10-10
    systems, then the rest of standard_1005; between those numbers, always the electrode
    farthest from all before it. So a cap with fewer channels is part of one with more.

    Parameters
    ----------
    n_channels : int
        How many, from 4 to 335.

    Returns
    -------
    tuple of str
        Their names, from front to back.
    """
    position = montage().get_positions()["ch_pos"]
    all_names = [n for n in montage().ch_names if n not in _LEFT_OUT]
    if not 4 <= n_channels <= len(all_names):
        msg = f"n_channels must be from 4 to {len(all_names)}, got {n_channels}"
        raise ConfigError(msg)
    caps = [mne.channels.make_standard_montage(f"biosemi{n}").ch_names for n in (16, 32, 64)]
    chosen = ["Oz"]
    for cap in [*caps, all_names]:
        left = [n for n in cap if n not in chosen]
        places = np.array([position[n] for n in left])
        nearest = np.full(len(left), np.inf)
        for name in chosen:
            nearest = np.minimum(nearest, np.linalg.norm(places - position[name], axis=1))
        while len(chosen) < n_channels and nearest.max(initial=0) > 0:
            farthest = int(nearest.argmax())
            chosen.append(left[farthest])
            steps = np.linalg.norm(places - places[farthest], axis=1)
            nearest = np.minimum(nearest, steps)
    return tuple(n for n in all_names if n in chosen)


def lead_field(dipoles: Dipoles, ch_names: tuple[str, ...]) -> NDArray[np.float64]:
    """Compute the potentials of dipoles in a sphere of brain, fluid, skull and skin.

    Each topography is scaled to an rms of 1 over the whole of standard_1005, deep sources as
    shallow ones, so that amplitudes do not depend on which electrodes are worn.

    Parameters
    ----------
    dipoles : Dipoles
        The sources.
    ch_names : tuple of str
        Electrodes, or the sensors of the helmet: see `streaming.sources.helmet`.

    Returns
    -------
    array of shape (n_channels, n_dipoles)
        For electrodes, volts for each volt of the source's amplitude.
    """
    if ch_names == HELMET.ch_names:
        return magnetic_field(dipoles.positions, dipoles.moments)
    names = [n for n in montage().ch_names if n not in _LEFT_OUT]
    info = mne.create_info(names, 1000.0, "eeg").set_montage(montage())
    sphere = mne.make_sphere_model("auto", "auto", info, verbose="error")
    moments = dipoles.moments / np.linalg.norm(dipoles.moments, axis=1, keepdims=True)
    place = sphere["r0"] + dipoles.positions * sphere.radius
    source_space = mne.setup_volume_source_space(
        pos={"rr": place, "nn": moments}, verbose="error"
    )
    forward = mne.make_forward_solution(
        info, None, source_space, sphere, meg=False, eeg=True, verbose="error"
    )
    n_dipoles = len(moments)
    gains = forward["sol"]["data"].reshape(len(names), n_dipoles, 3)
    field = np.einsum("cdk,dk->cd", gains, moments)  # (n_channels, n_dipoles)
    field /= np.sqrt((field**2).mean(axis=0))
    rows = [names.index(n) for n in ch_names]
    return np.asarray(field[rows])
