"""How much of what can be decoded each encoder decodes, where the truth is known.

Responses of 300 things follow their embedding by two thirds of their variance, in noise that is
correlated in space and time; 200 things are trained on, 100 never seen. Who knows the response
to each thing and the noise's covariance decodes all that can be decoded: *attainable*. A trial
takes 1.2 s. Covariances are for few channels and classes, and are tested with 4 things and 8
channels, beside the ridge. Run with ``python -m benchmarks.recovered [name ...]``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.encoder import ENCODERS, Encoder
from models.retrieval import directions, similarities
from models.trials import Trials
from streaming.signal import Chunk, SignalSpec, Window

__all__ = ["World", "attainable", "main", "recovered"]

SFREQ, N_TIMES = 100.0, 80
TRIAL = 1.2  # s
N_TEST = 400


@dataclass(frozen=True, eq=False)
class World:
    """What a simulated brain answers to each thing, and the noise in which it does.

    Parameters
    ----------
    vectors : array of shape (n_things, n_dims)
        Embeddings.
    responses : array of shape (n_things, n_channels, n_times)
        Without noise; their variance over things, channels and times is the SNR.
    space, time : array of shape (n_channels, n_channels) and (n_times, n_times)
        Cholesky factors of the noise's covariances.
    """

    vectors: NDArray[np.float32]
    responses: NDArray[np.float64]
    space: NDArray[np.float64]
    time: NDArray[np.float64]

    @classmethod
    def draw(cls, n_things: int, n_channels: int, snr: float) -> World:
        """Draw one; the same sizes give the same but for the strength of responses."""
        rng = np.random.default_rng([n_things, n_channels])
        vectors = rng.standard_normal((n_things, 64))
        shape = (n_channels, N_TIMES)
        smooth = np.exp(-0.5 * ((np.arange(N_TIMES)[:, None] - np.arange(N_TIMES)) / 4) ** 2)
        follows = vectors @ rng.standard_normal((64, n_channels * N_TIMES)) / 8
        own = rng.standard_normal((n_things, n_channels * N_TIMES))
        mixed = np.sqrt(2 / 3) * follows + np.sqrt(1 / 3) * own
        mixing = rng.standard_normal((n_channels, 6))  # six sources, seen by all channels
        sources = mixed.reshape(n_things, *shape)[:, :6] @ smooth
        responses = mixing @ sources
        responses *= np.sqrt(snr) / responses.std()
        far = np.abs(np.arange(n_channels)[:, None] - np.arange(n_channels))
        late = np.abs(np.arange(N_TIMES)[:, None] - np.arange(N_TIMES))
        return cls(
            vectors.astype(np.float32),
            responses,
            np.linalg.cholesky(0.8**far),
            np.linalg.cholesky(0.9**late),
        )

    def windows(self, shown: NDArray[np.intp], seed: int) -> NDArray[np.float32]:
        """Return windows (n, n_channels, n_times) in which things were shown."""
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((len(shown), *self.responses.shape[1:]))
        noise = self.space @ noise @ self.time.T
        return (self.responses[shown] + noise).astype(np.float32)


def attainable(
    world: World, windows: NDArray[np.float32], pool: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the log-likelihood of each thing of the pool, of shape (n, n_pool)."""

    def whiten(data: NDArray[np.floating]) -> NDArray[np.float64]:
        over_space = np.linalg.solve(world.space, data.astype(np.float64))
        over_time = np.linalg.solve(world.time, over_space.transpose(0, 2, 1))
        return np.asarray(over_time.reshape(len(data), -1))

    x, r = whiten(windows), whiten(world.responses[pool])
    return np.asarray(x @ r.T - 0.5 * (r**2).sum(axis=1))


def recovered(
    encoder: Encoder,
    trials: Trials,
    windows: NDArray[np.float32],
    vectors: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Return the similarity of each window to each of `vectors`, by an encoder of `trials`."""
    centre = trials.targets.mean(axis=0, dtype=np.float64).astype(np.float32)
    toward = directions(vectors, centre)
    spec = SignalSpec(SFREQ, tuple(f"c{k}" for k in range(windows.shape[1])))
    found = [encoder.encode(Window(Chunk(data, spec), "locked/0")) for data in windows]
    return np.array([similarities(toward, centre, vector) for vector in found], np.float64)


def _top1(scores: NDArray[np.float64], truth: NDArray[np.intp]) -> tuple[float, float]:
    """Return the share that is right, and two-way accuracy; those that tie share a place."""
    own = scores[np.arange(len(truth)), truth][:, None]
    better, equal = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
    two_way = 1 - (better + 0.5 * (equal - 1)) / (scores.shape[1] - 1)
    return float(((better == 0) / equal).mean()), float(two_way.mean())


def _rows(names: list[str], n_things: int, n_channels: int, minutes: list[int]) -> None:
    """Print a row for each SNR, length of calibration and encoder."""
    n_trained = n_things if n_things < 10 else n_things * 2 // 3
    for snr in (0.0, 0.01, 0.05):
        world = World.draw(n_things, n_channels, snr)
        for length in minutes:
            n = round(60 * length / TRIAL)
            rng = np.random.default_rng([length])
            shown = rng.permutation(np.arange(n) % n_trained)
            targets, groups = world.vectors[shown], np.arange(n) * 5 // n
            trials = Trials(world.windows(shown, length), targets, groups, SFREQ)
            for name in names:
                encoder = ENCODERS[name].fit(trials)
                cells = [name, f"{n_things}, {n_channels}", f"{snr:g}", str(length)]
                for pool in (np.arange(n_trained), np.arange(n_trained, n_things)):
                    cells += _scores(world, encoder, trials, pool) if len(pool) else ["", ""]
                print("| " + " | ".join(cells) + " |", flush=True)


def _scores(
    world: World, encoder: Encoder, trials: Trials, pool: NDArray[np.intp]
) -> list[str]:
    """Return recovered and attainable accuracy among some things."""
    truth = np.random.default_rng(0).integers(len(pool), size=N_TEST)
    windows = world.windows(pool[truth], seed=10_000)
    best = _top1(attainable(world, windows, pool), truth)
    ours = _top1(recovered(encoder, trials, windows, world.vectors[pool]), truth)
    return [f"{ours[0]:.3f} of {best[0]:.3f}", f"{ours[1]:.3f} of {best[1]:.3f}"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(ENCODERS))
    parser.add_argument("--minutes", nargs="+", type=int, default=[5, 20])
    arguments = parser.parse_args()
    print("| encoder | things, channels | SNR | minutes | trained: top-1 | two-way | ", end="")
    print("never seen: top-1 | two-way |")
    print("|---|---|---|---|---|---|---|---|")
    few = [name for name in arguments.names if name in ("ridge", "riemann")]
    _rows(few, 4, 8, arguments.minutes)
    many = [name for name in arguments.names if name != "riemann"]
    _rows(many, 300, 32, arguments.minutes)


if __name__ == "__main__":
    main()
