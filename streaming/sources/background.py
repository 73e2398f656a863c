"""What a simulated participant's electrodes pick up when nothing is shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt, zpk2sos

from streaming.sources.coloured import Coloured, power_law, resonator, wanders
from streaming.sources.headmodel import Dipoles, lead_field
from streaming.sources.helmet import HELMET, ShieldedRoom

__all__ = ["Background", "random_dipoles"]

# Rms over the scalp, in volts, of each part; together 10-20 uV rms from 1 to 40 Hz, as at rest.
_BRAIN = 9e-6
_ALPHA = 5e-6
_LINE = 3e-6
_DRIFT = 60e-6
_AMPLIFIER = 0.7e-6
_BLINK = 60e-6  # at its peak, over the whole scalp: about 200 uV at Fp1
_OFFSET = 8e-3
_BLINKS_PER_MINUTE = 12.0  # Bentivoglio et al. 1997: 17 at rest, 4.5 when reading
_EXPONENT = 1.2  # of the power, f**-x; Donoghue et al. 2020 find 0.5 to 2, mostly 1 to 1.5
_N_BRAIN = 150
_SETTLE = 60.0  # s until a drift has forgotten where it began


def random_dipoles(rng: np.random.Generator, n_dipoles: int) -> Dipoles:
    """Scatter dipoles of random direction in the outer half of the brain."""
    direction = rng.standard_normal((n_dipoles, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    depth = rng.uniform(0.5, 0.85, (n_dipoles, 1))
    return Dipoles(direction * depth, rng.standard_normal((n_dipoles, 3)))


class Background:
    """Ongoing activity and artefacts of one person in one session, block after block.

    - brain: 150 dipoles, each with 1/f power, so that neighbouring electrodes agree;
    - alpha: occipital and parietal sources near 10 Hz (Klimesch 1999), waxing and waning;
    - blinks: two dipoles at the eyes, at random times, no two of the same size;
    - 50 Hz of the mains, slow drift and offset of each electrode, and the amplifier's noise;
      for MEG, what is in the room instead (`streaming.sources.helmet.ShieldedRoom`).

    Parameters
    ----------
    ch_names : tuple of str
        Electrodes, as in standard_1005, or the sensors of the helmet.
    sfreq : float
        Rate, in Hz.
    person : numpy.random.Generator
        Decides what stays with the person: where sources are, the frequency of alpha.
    session : numpy.random.Generator
        Decides the rest.
    """

    def __init__(
        self,
        ch_names: tuple[str, ...],
        sfreq: float,
        person: np.random.Generator,
        session: np.random.Generator,
    ) -> None:
        n_channels = len(ch_names)
        self._sfreq, self._rng, self._now = sfreq, session, 0
        self._n_channels = n_channels

        mixing = lead_field(random_dipoles(person, _N_BRAIN), ch_names)
        self._brain_mixing = mixing * _BRAIN / np.sqrt(_N_BRAIN)
        self._brain = Coloured(power_law(sfreq, _EXPONENT), _N_BRAIN)

        back = np.array(
            [[-0.3, -0.7, 0.1], [0.3, -0.7, 0.1], [-0.3, -0.6, 0.4], [0.3, -0.6, 0.4]]
        )
        alpha_dipoles = Dipoles(back, back + 0.3 * person.standard_normal(back.shape))
        self._alpha_mixing = lead_field(alpha_dipoles, ch_names) * _ALPHA / np.sqrt(len(back))
        self._alpha = Coloured(resonator(person.uniform(9, 11), 1.0, sfreq), len(back))

        eyes = Dipoles(
            np.array([[-0.3, 0.62, -0.4], [0.3, 0.62, -0.4]]), np.tile([0, 1, 0.4], (2, 1))
        )
        self._blink_topography = lead_field(eyes, ch_names).mean(axis=1) * _BLINK
        # Three equal poles: the impulse response t**2 exp(-t / 40 ms) peaks after 80 ms.
        pole = np.exp(-1 / (0.04 * sfreq))
        sos = zpk2sos([], [pole, pole, pole], 1.0)
        impulse = np.zeros(int(sfreq))
        impulse[0] = 1.0
        sos[0, :3] /= sosfilt(sos, impulse).max()
        self._blinks = Coloured(sos, 1)

        kind = ShieldedRoom if ch_names == HELMET.ch_names else _Electrodes
        self._sensors = kind(n_channels, sfreq, session)
        self._brain.burn_in(session, round(10 * sfreq))
        self._alpha.burn_in(session, round(10 * sfreq))
        self._sensors.drift.burn_in(session, round(_SETTLE * sfreq))

    def __call__(self, n_times: int) -> NDArray[np.float64]:
        """Return the next block, of shape (n_channels, n_times), in SI units."""
        rng = self._rng
        time = np.arange(self._now, self._now + n_times)
        self._now += n_times
        brain = self._brain(rng.standard_normal((_N_BRAIN, n_times)))
        alpha = self._alpha(rng.standard_normal((self._alpha_mixing.shape[1], n_times)))
        hits = rng.random((1, n_times)) < _BLINKS_PER_MINUTE / 60 / self._sfreq
        blinks = self._blinks(hits * rng.lognormal(0, 0.3, (1, n_times)))
        block = self._brain_mixing @ brain + self._alpha_mixing @ alpha
        block += self._blink_topography[:, None] * blinks
        block += self._sensors(time, rng)
        return np.asarray(block)


class _Electrodes:
    """What each electrode adds: offset, drift, mains and the amplifier's noise."""

    def __init__(self, n_channels: int, sfreq: float, session: np.random.Generator) -> None:
        self._sfreq, self._n_channels = sfreq, n_channels
        self.drift = Coloured(wanders(sfreq), n_channels)
        self._offset = session.normal(0, _OFFSET, (n_channels, 1))
        self._line = _LINE * np.sqrt(2) * session.lognormal(0, 0.5, (n_channels, 1))
        self._line_phase = session.uniform(0, 0.2, (n_channels, 1))

    def __call__(self, time: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the block with these samples, in volts."""
        drift = self.drift(rng.standard_normal((self._n_channels, len(time))))
        turns = (time * (50 / self._sfreq)) % 1.0 + self._line_phase  # mod 1: exact for days
        block = _DRIFT * drift + self._offset + self._line * np.sin(2 * np.pi * turns)
        return np.asarray(block + _AMPLIFIER * rng.standard_normal(block.shape))
