"""How well pictures of braincast-preview are told apart, by what was held out of its training.

The 843 pictures come from npm. A generated picture counts as identified where its own picture
is the nearest of a pool, by what EfficientNet-Lite0 sees in both or by their pixels. Those of
trained concepts are looked for among all, those of held-out ones among the held-out: there
nearest-neighbour retrieval, which shows a picture of training, has a chance. Latents are the
embedded names, or decodes of the simulated participant. Run with
``python -m benchmarks preview [--pictures FOLDER]``; it takes about three minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import mne
import numpy as np
import torch
from numpy.typing import NDArray

from decoder.simulation import RECORDING, STIMULI, save_calibration
from models.candidates import demo_concepts
from models.dataset import read_dataset
from models.fit import EVOKED_WINDOWS, evoked_chain, fit_model
from models.preview import WEIGHTS, BraincastPreview, load_preview
from models.preview_pictures import (
    Concept,
    concepts_of,
    fetch,
    looks_of,
    pictures_of,
    read_split,
)
from models.spaces import open_space
from models.stimuli import StimulusTable
from streaming.errors import BraincastError
from streaming.sources.simulated import SimulatedSettings, Snr, simulate_recording

__all__ = ["Scores", "decodes_of", "main", "scores_of"]

CONCEPTS = WEIGHTS / "concepts.tsv"
N_TESTED = 300
N_DRAWN = 2000


@dataclass(frozen=True, slots=True)
class Scores:
    """What each picture achieved.

    Parameters
    ----------
    top1, top5 : array of shape (n,)
        Whether its own picture was the nearest of the pool, or among five.
    two_way : array of shape (n,)
        The share of other pictures that are farther than its own.
    """

    top1: NDArray[np.float64]
    top5: NDArray[np.float64]
    two_way: NDArray[np.float64]


def scores_of(
    made: NDArray[np.floating], pool: NDArray[np.floating], own: NDArray[np.intp]
) -> Scores:
    """Return how well pictures are identified by the cosine of what is seen in them.

    Parameters
    ----------
    made : array of shape (n, n_features)
        Of the pictures; features are centred to the mean of the pool.
    pool : array of shape (n_pool, n_features)
        Of those to choose from.
    own : array of shape (n,)
        The row of the pool that each is of.
    """
    centre = pool.mean(axis=0)
    one, all_ = (
        (rows - centre) / np.linalg.norm(rows - centre, axis=1, keepdims=True).clip(1e-9)
        for rows in (made, pool)
    )
    near = one @ all_.T
    mine = near[np.arange(len(made)), own][:, None]
    nearer = (near > mine).sum(axis=1) + ((near == mine).sum(axis=1) - 1) / 2
    return Scores(
        (nearer < 1).astype(float), (nearer < 5).astype(float), 1 - nearer / (len(pool) - 1)
    )


def decodes_of(snr: Snr, seed: int) -> tuple[list[str], NDArray[np.float32]]:
    """Return glyphs shown to a simulated participant, and decodes seen from their centre.

    Parameters
    ----------
    snr : str
        Signal-to-noise of the participant.
    seed : int
        Who.
    """
    concepts, trained = demo_concepts(), np.array(demo_concepts().trained)
    settings = replace(SimulatedSettings(snr=snr), subject_seed=seed)
    ids = np.array(concepts.ids)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_calibration(settings, 1000, folder)
        table = StimulusTable.read(folder / STIMULI)
        first = read_dataset([folder / RECORDING], EVOKED_WINDOWS, table, evoked_chain)
        model = fit_model(first, concepts).model
        later = simulate_recording(
            concepts.ids,
            concepts.vectors,
            settings,
            n_trials=N_TESTED,
            shown=[ids[trained].tolist(), ids[~trained].tolist()],
        )
        later.save(folder / "later_raw.fif", verbose="error")
        test = read_dataset([folder / "later_raw.fif"], EVOKED_WINDOWS, table, evoked_chain)
    latents = np.stack(
        [model.encode(test.window(n)).vector - model.centre for n in range(len(test.ids))]
    )
    glyphs = dict(zip(concepts.ids, concepts.glyphs, strict=True))
    return [glyphs[name] for name in test.ids], latents


def _interval(values: NDArray[np.float64], groups: NDArray[np.intp]) -> str:
    """Return a mean in per cent, with the 95 % interval when concepts are drawn anew."""
    rng = np.random.default_rng(0)
    _, groups = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(groups, values), np.bincount(groups)
    drawn = rng.integers(len(sums), size=(N_DRAWN, len(sums)))
    low, high = np.percentile(sums[drawn].sum(1) / counts[drawn].sum(1), [2.5, 97.5])
    return f"{100 * values.mean():.0f} [{100 * low:.0f}, {100 * high:.0f}]"


class _Test:
    """All pictures, and what is seen in them."""

    def __init__(self, folder: Path, generator: BraincastPreview) -> None:
        fetch(folder)
        self.concepts: list[Concept] = concepts_of(folder)
        self.pictures = pictures_of(folder, self.concepts)
        self.looks = looks_of(self.pictures)
        split = read_split(CONCEPTS)
        self.held = np.array([split[concept.label] for concept in self.concepts])
        self.generator = generator
        vectors = open_space(generator.space).embed([c.label for c in self.concepts])
        self.names = vectors - generator.centre

    def made(self, offsets: NDArray[np.float32], n_steps: int = 4) -> NDArray[np.uint8]:
        """Return pictures of latents, each with a seed of its own."""
        codes = [
            self.generator.codes(
                torch.from_numpy(offsets[n : n + 64]),
                list(range(n, min(n + 64, len(offsets)))),
                n_steps,
            )
            for n in range(0, len(offsets), 64)
        ]
        return np.concatenate([self.generator.pixels(part) for part in codes])

    def retrieved(self, offsets: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return, for each latent, the picture of training whose name is nearest."""
        known = np.flatnonzero(~self.held)
        rows = self.names[known] / np.linalg.norm(self.names[known], axis=1, keepdims=True)
        return np.asarray(self.pictures[known[(offsets @ rows.T).argmax(axis=1)]])

    def rows(self, latents: str, own: NDArray[np.intp], offsets: NDArray[np.float32]) -> None:
        """Print how well pictures of some latents are identified."""
        ways: dict[str, Callable[[NDArray[np.float32]], NDArray[np.uint8]]] = {
            "4 steps": self.made,
            "1 step": lambda x: self.made(x, 1),
            "nothing (prior)": lambda x: self.made(np.zeros_like(x)),
            "retrieval": self.retrieved,
        }
        for held in (False, True):
            here = self.held[own] == held
            pool = np.flatnonzero(self.held) if held else np.arange(len(self.concepts))
            mine = np.searchsorted(pool, own[here])
            for way, draw in ways.items():
                pixels = draw(offsets[here])
                sides = (
                    scores_of(looks_of(pixels), self.looks[pool], mine),
                    scores_of(_flat(pixels), _flat(self.pictures[pool]), mine),
                )
                cells = [
                    _interval(values, own[here])
                    for side in sides
                    for values in (side.top1, side.top5, side.two_way)
                ]
                what = "held out" if held else "trained"
                chance = f"{100 / len(pool):.1f} / {500 / len(pool):.1f} / 50"
                start = (
                    f"| {latents} | {what} | {way} | {here.sum()} | {len(pool)} | {chance} |"
                )
                print(start, " | ".join(cells), "|", flush=True)


def _flat(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return pixels.reshape(len(pixels), -1).astype(np.float32)


def _times(generator: BraincastPreview, n: int = 20) -> tuple[float, float]:
    """Return how long the coarse and the final picture take, in ms: medians."""
    times = np.zeros((n, 2))
    vector = np.random.default_rng(0).standard_normal(384).astype(np.float32)
    for k in range(n):
        start = time.perf_counter()
        for column, _ in enumerate(generator.preview(vector, k, lambda: False)):
            times[k, column] = 1000 * (time.perf_counter() - start)
    coarse, final = np.median(times, axis=0)
    return float(coarse), float(final)


def main() -> None:
    """Print a row for each kind of latent, concept and way to make a picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, help="where the packages of npm are or go")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    mne.set_log_level("ERROR")
    generator = load_preview()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            test = _Test(arguments.pictures or Path(scratch), generator)
        except BraincastError as error:
            print(f"not measured: {error}", file=sys.stderr)
            sys.exit(1)
    print(
        "| latents | concepts | pictures by | n | pool | chance top-1 / top-5 / 2-way [%] ",
        end="",
    )
    print("| EfficientNet: top-1 [%, 95 %] | top-5 | 2-way | pixels: top-1 | top-5 | 2-way |")
    print("|---" * 12 + "|")
    every = np.arange(len(test.concepts))
    test.rows("names", every, test.names)
    place = {c.glyph.replace("\ufe0f", ""): n for n, c in enumerate(test.concepts)}
    snrs: tuple[Snr, ...] = ("easy", "realistic")
    for snr in snrs:
        shown, offsets = decodes_of(snr, 1)
        known = [n for n, glyph in enumerate(shown) if glyph.replace("\ufe0f", "") in place]
        own = np.array([place[shown[n].replace("\ufe0f", "")] for n in known])
        cosines = (offsets[known] * test.names[own]).sum(1) / np.linalg.norm(
            offsets[known], axis=1
        )
        cosine = np.median(cosines / np.linalg.norm(test.names[own], axis=1))
        test.rows(f"decodes, {snr} (median cosine {cosine:.2f})", own, offsets[known])
    coarse, final = _times(generator)
    print(f"\ncoarse picture after {coarse:.0f} ms, final one after {final:.0f} ms (medians)")


if __name__ == "__main__":
    main()
