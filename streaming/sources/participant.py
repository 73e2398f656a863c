"""How a simulated participant's brain answers to what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from streaming.sources.headmodel import Dipoles, lead_field

__all__ = ["RESPONSE_DURATION", "Participant", "respond"]

# When, for how long (SD, in s), around where (on the right; mirrored on the left), and how
# strong the part is that all stimuli share. Early visual areas first, then the ventral
# stream, then parietal cortex (Cichy et al. 2014): P1, N170 (Bentin et al. 1996), N250, P300
# (Polich 2007), and a late positivity.
_STAGES = (
    (0.10, 0.018, (0.25, -0.75, 0.05), 0.8),
    (0.17, 0.025, (0.50, -0.60, -0.15), 1.0),
    (0.26, 0.040, (0.70, -0.35, -0.15), 0.7),
    (0.38, 0.060, (0.35, -0.50, 0.50), 1.2),
    (0.52, 0.080, (0.45, -0.40, 0.50), 0.6),
)
_DIPOLES_PER_STAGE = 40
# Share of the stimulus-driven variance that follows the embedding; the rest is the
# stimulus's own. At most a half, by the definition of this participant.
_EMBEDDING_SHARE = 0.48
_HIDDEN = 512
_COMMON = 8e-6  # V, rms over the scalp at the height of a stage; N170 and P300 reach 5-15 uV
# The same for what tells stimuli apart, set with benchmarks/simulated.py.
_SPECIFIC = {"easy": 6.5e-6, "realistic": 1.65e-6, "none": 0.0}
RESPONSE_DURATION = 1.2  # s; the slowest sources have died away by then


def _codes_from_embeddings(
    embeddings: NDArray[np.float32], n_codes: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Map embeddings through a fixed random network with one hidden layer.

    A hidden unit is tuned to a random mixture of concepts, and so most to what sets concepts
    apart: units tuned to random directions of the space halve the score on concepts never
    seen, because 200 concepts do not span 384 directions.
    """
    centred = embeddings.astype(np.float64) - embeddings.mean(axis=0)
    tuning = centred.T @ rng.standard_normal((len(centred), _HIDDEN))  # (n_dims, n_hidden)
    drive = centred @ tuning
    return np.asarray(np.tanh(drive / drive.std()) @ rng.standard_normal((_HIDDEN, n_codes)))


def _own_codes(concepts: Sequence[str], n_codes: int, seed: int) -> NDArray[np.float64]:
    """Draw what a person has for a concept alone: from the id, whatever else is shown."""
    rows = []
    for concept in concepts:
        digest = int.from_bytes(sha256(concept.encode()).digest()[:8], "little")
        rows.append(np.random.default_rng([seed, digest]).standard_normal(n_codes))
    return np.array(rows)


@dataclass(frozen=True, slots=True, eq=False)
class Participant:
    """What makes the evoked responses of one person.

    Parameters
    ----------
    topographies : array of shape (n_channels, n_sources)
        What each source gives at each electrode.
    turned : array of shape (n_channels, n_sources)
        The same once each source has turned by 90 degrees, see `topographies_at`.
    latencies, widths : array of shape (n_sources,)
        When a source is most active after the onset, and the SD of its Gaussian time course, in
        seconds.
    common : array of shape (n_sources,)
        Amplitude that all stimuli share, in volts.
    shared, own : array of shape (n_concepts, n_sources)
        Amplitude by which a concept differs: through its embedding, and beside it, in volts.
    """

    topographies: NDArray[np.float64]
    turned: NDArray[np.float64]
    latencies: NDArray[np.float64]
    widths: NDArray[np.float64]
    common: NDArray[np.float64]
    shared: NDArray[np.float64]
    own: NDArray[np.float64]

    @classmethod
    def draw(
        cls,
        concepts: Sequence[str],
        embeddings: NDArray[np.float32],
        ch_names: tuple[str, ...],
        snr: str,
        seed: int,
    ) -> Participant:
        """Draw a person; the same seed is the same person, whatever the electrodes."""
        rng = np.random.default_rng([seed, 1])
        stages = np.repeat(np.arange(len(_STAGES)), _DIPOLES_PER_STAGE)
        n_sources = len(stages)
        centre = np.array([s[2] for s in _STAGES])[stages]
        centre[::2, 0] *= -1  # every other source on the left
        place = centre + 0.12 * rng.standard_normal(centre.shape)
        place *= np.minimum(1, 0.85 / np.linalg.norm(place, axis=1, keepdims=True))
        moments = place + 0.5 * rng.standard_normal(place.shape)
        spread = rng.lognormal(0, 0.12, n_sources)
        common = np.array([s[3] for s in _STAGES])[stages]
        shared = _codes_from_embeddings(embeddings, n_sources, rng)
        shared *= np.sqrt(_EMBEDDING_SHARE) / shared.std(axis=0)
        own = _own_codes(concepts, n_sources, seed) * np.sqrt(1 - _EMBEDDING_SHARE)
        size = _SPECIFIC[snr] / np.sqrt(_DIPOLES_PER_STAGE)
        across = _across(moments, np.random.default_rng([seed, 5]))
        return cls(
            topographies=lead_field(Dipoles(place, moments), ch_names),
            turned=lead_field(Dipoles(place, across), ch_names),
            latencies=np.array([s[0] for s in _STAGES])[stages] * spread,
            widths=np.array([s[1] for s in _STAGES])[stages] * spread,
            common=_COMMON
            / np.sqrt(_DIPOLES_PER_STAGE)
            * common
            * rng.choice([-1, 1], n_sources),
            shared=size * shared,
            own=size * own,
        )

    def topographies_at(self, angle: float) -> NDArray[np.float64]:
        """Return what each source gives at each electrode once all have turned.

        The field of a dipole is linear in its moment, so that one that turns in a plane gives
        a mixture of two.

        Parameters
        ----------
        angle : float
            By how much, in radians, each about an axis of its own.

        Returns
        -------
        array of shape (n_channels, n_sources)
        """
        turning = np.cos(angle) * self.topographies + np.sin(angle) * self.turned
        return np.asarray(turning)


def _across(moments: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return for each moment a random one at a right angle to it."""
    unit = moments / np.linalg.norm(moments, axis=1, keepdims=True)
    other = rng.standard_normal(moments.shape)
    return np.asarray(other - (other * unit).sum(axis=1, keepdims=True) * unit)


def respond(
    participant: Participant, concept: int, stretch: float, times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute the activity of each source after one stimulus.

    Parameters
    ----------
    concept : int
        Which of the concepts the participant was drawn with.
    stretch : float
        How much later than usual everything happens, as a factor: late sources vary by tens of
        milliseconds from trial to trial, early ones by a few.
    times : array of shape (n_times,)
        Seconds since the onset.

    Returns
    -------
    array of shape (n_sources, n_times)
        In volts, before `Participant.topographies`.
    """
    p = participant
    amplitude = p.common + p.shared[concept] + p.own[concept]
    z = (times / stretch - p.latencies[:, None]) / p.widths[:, None]
    return np.asarray(amplitude[:, None] * np.exp(-0.5 * z**2))
