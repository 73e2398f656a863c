"""A generic MEG helmet: where its sensors are, what they pick up of a head and of the room.

102 places on a sphere of 12 cm around the head's centre, 3 cm from the scalp (as with SQUIDs:
Iivanainen et al. 2017), from the vertex down to 20 degrees below the equator. They lie in the
directions of MNE's layout of the Vectorview, whose names they bear. At each are a magnetometer
along the radius and two planar gradiometers, along the meridian and across it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import mne
import numpy as np
from numpy.typing import NDArray

from streaming.signal import SignalSpec
from streaming.sources.coloured import Coloured, wanders

__all__ = ["HELMET", "ShieldedRoom", "helmet_info", "magnetic_field"]

_RADIUS = 0.12  # m, of the helmet
_HEAD = 0.09  # m
_LOWEST = 110.0  # degrees from the vertex
_MAG_COIL, _GRAD_COIL = 3024, 3012  # of the Vectorview, as MNE numbers them

_TESLA_PER_VOLT = 2e-8
"""What a source gives, over all magnetometers, that gives a volt over all electrodes: evoked
responses of 8 uV become 160 fT; Hamalainen et al. 1993 (Rev. Mod. Phys. 65, 413) name 50 to
500 fT."""

_NOISE = {"mag": 3e-15, "grad": 3e-13}
"""Of a sensor: T and T/m for the root of a Hz (3 fT and 3 fT/cm; Hamalainen et al. 1993)."""

# What is in the room; ours, of the size that raw recordings in shielded rooms have.
_DRIFT = 3e-12  # T, rms of each component below 1 Hz
_LINE = 4e-13  # T, rms of each component at 50 Hz
_STEEPNESS = 0.6  # 1/m: of a source 5 m away, whose field falls with its third power
_OFFSET = {"mag": 2e-11, "grad": 1.2e-9}  # T, T/m: SD of a SQUID's arbitrary zero

_TENSORS = np.array(
    [
        [[0, 1, 0], [1, 0, 0], [0, 0, 0]],
        [[0, 0, 1], [0, 0, 0], [1, 0, 0]],
        [[0, 0, 0], [0, 0, 1], [0, 1, 0]],
        [[1, 0, 0], [0, -1, 0], [0, 0, 0]],
        [[1, 0, 0], [0, 1, 0], [0, 0, -2]],
    ]
) / np.sqrt([2, 2, 2, 2, 6]).reshape(5, 1, 1)
"""The gradients that a field without sources in the helmet can have."""


@dataclass(frozen=True, slots=True)
class _Helmet:
    """Names and types of the 306 sensors, three at each place."""

    ch_names: tuple[str, ...]
    ch_types: tuple[str, ...]


def _places() -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the name of each place (``MEG011``), and its direction, shape (102, 3)."""
    layout = mne.channels.read_layout("Vectorview-mag")
    flat = (
        layout.pos[:, :2] - (layout.pos[:, :2].min(axis=0) + layout.pos[:, :2].max(axis=0)) / 2
    )
    flat /= np.abs(flat).max(axis=0)
    radius = np.linalg.norm(flat, axis=1)
    angle = np.deg2rad(_LOWEST) * radius / radius.max()
    ring = flat / np.maximum(radius, 1e-9)[:, None] * np.sin(angle)[:, None]
    names = tuple(name.replace(" ", "")[:-1] for name in layout.names)
    return names, np.column_stack([ring, np.cos(angle)])


def _make_helmet() -> _Helmet:
    names, _ = _places()
    return _Helmet(
        tuple(f"{name}{n}" for name in names for n in (1, 2, 3)),
        ("mag", "grad", "grad") * len(names),
    )


HELMET = _make_helmet()


def _axes() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the axes of each place: along the radius, along the meridian, and across it."""
    _, out = _places()
    across = np.cross([0.0, 0.0, 1.0], out)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    return out, np.cross(across, out), across


@cache
def helmet_info(sfreq: float) -> mne.Info:
    """Return the helmet as an `mne.Info`, with the place and orientation of each coil."""
    spec = SignalSpec(sfreq, HELMET.ch_names, HELMET.ch_types)
    info = spec.to_info()
    out, along, across = _axes()
    with info._unlock():  # noqa: SLF001 - MNE has no other way
        for n, channel in enumerate(info["chs"]):
            place, sensor = divmod(n, 3)
            # a coil lies in its x-y plane; a planar gradiometer measures along x
            x = across[place] if sensor == 2 else along[place]
            axes = (x, np.cross(out[place], x), out[place])
            channel["loc"] = np.concatenate([_RADIUS * out[place], *axes])
            channel["coil_type"] = _GRAD_COIL if sensor else _MAG_COIL
        info["dev_head_t"] = mne.transforms.Transform("meg", "head")
    return info


def magnetic_field(
    positions: NDArray[np.float64], moments: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute the fields of dipoles in a sphere (Sarvas 1987), by MNE.

    Each is scaled to `_TESLA_PER_VOLT` over the magnetometers, deep sources as shallow ones;
    the gradiometers follow by physics. The part of a dipole along the radius gives none.

    Parameters
    ----------
    positions, moments : array of shape (n_dipoles, 3)
        As in `streaming.sources.headmodel.Dipoles`.

    Returns
    -------
    array of shape (306, n_dipoles)
        Tesla and tesla per metre for each volt of the source's amplitude.
    """
    info = helmet_info(1000.0)
    sphere = mne.make_sphere_model((0.0, 0.0, 0.0), None, verbose="error")
    moments = moments / np.linalg.norm(moments, axis=1, keepdims=True)
    space = mne.setup_volume_source_space(
        pos={"rr": positions * _HEAD, "nn": moments}, verbose="error"
    )
    forward = mne.make_forward_solution(
        info, None, space, sphere, meg=True, eeg=False, verbose="error"
    )
    gains = forward["sol"]["data"].reshape(len(HELMET.ch_names), len(moments), 3)
    field = np.einsum("cdk,dk->cd", gains, moments)  # (306, n_dipoles)
    field *= _TESLA_PER_VOLT / np.sqrt((field[::3] ** 2).mean(axis=0))
    return np.asarray(field)


class ShieldedRoom:
    """What MEG sensors pick up when nobody is there.

    Fields from afar, homogeneous and with a gradient (magnetometers see both, gradiometers the
    gradient alone), drift slowly and swing at 50 Hz; each sensor has an offset and white noise
    of its own.

    Parameters
    ----------
    n_channels : int
        306.
    sfreq : float
        Rate, in Hz.
    session : numpy.random.Generator
        Decides what is there.
    """

    def __init__(self, n_channels: int, sfreq: float, session: np.random.Generator) -> None:
        self._sfreq = sfreq
        self._coupling = _coupling()  # (306, 8)
        self.drift = Coloured(wanders(sfreq), self._coupling.shape[1])
        types = HELMET.ch_types
        self._offset = session.standard_normal((n_channels, 1))
        self._offset *= np.array([[_OFFSET[kind]] for kind in types])
        self._noise = np.sqrt(sfreq / 2) * np.array([[_NOISE[kind]] for kind in types])
        self._line_phase = session.uniform(0, 1, (self._coupling.shape[1], 1))

    def __call__(self, time: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the block with these samples, in T and T/m."""
        n_components, n_times = len(self._line_phase), len(time)
        turns = (time * (50 / self._sfreq)) % 1.0 + self._line_phase
        field = _LINE * np.sqrt(2) * np.sin(2 * np.pi * turns)
        field += _DRIFT * self.drift(rng.standard_normal((n_components, n_times)))
        noise = self._noise * rng.standard_normal((len(self._noise), n_times))
        return np.asarray(self._coupling @ field + noise + self._offset)


def _coupling() -> NDArray[np.float64]:
    """Return what each sensor sees of three homogeneous fields and five gradients."""
    out, along, across = _axes()
    rows = np.zeros((len(out), 3, 8))
    rows[:, 0, :3] = out
    for sensor, toward in enumerate((_RADIUS * out, along, across)):
        rows[:, sensor, 3:] = _STEEPNESS * np.einsum("pi,kij,pj->pk", out, _TENSORS, toward)
    return rows.reshape(-1, 8)
