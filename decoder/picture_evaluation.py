"""From held-out decodes to pictures, their scores and a contact sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from decoder.contact_sheet import Strip, draw_sheet
from decoder.picture_scores import Pictures, score_pictures
from decoder.picturing import (
    Made,
    PictureSettings,
    Seen,
    choose_trials,
    make_pictures,
    read_seen,
)
from decoder.problem import Problem
from models.candidates import Candidates
from models.generator import open_generator
from models.heldout import HeldOut

__all__ = ["N_PICTURED", "N_SHEET", "SHEET", "ToPicture", "draw_pictures"]

SHEET = "pictures.png"
"""Name of the contact sheet beside the document."""

N_PICTURED = 96
"""Trials that are pictured at most: three pictures each, a minute or two on a CPU."""

N_SHEET = 24
"""Trials on it: the first of those that were drawn by lot."""

_ROWS = ("seen", "decoded", "true latent", "prior only")


@dataclass(frozen=True, slots=True, eq=False)
class ToPicture:
    """What decodes are to be compared with, found to be there before anything is decoded.

    Parameters
    ----------
    settings : PictureSettings
        What makes pictures.
    candidates : Candidates
        What was shown, and where it lies.
    centres : sequence of arrays of shape (n_dims,)
        Mean of the targets that the encoder of each fold is fitted to.
    seen : Seen
        The pictures that were shown.
    """

    settings: PictureSettings
    candidates: Candidates
    centres: Sequence[NDArray[np.float32]]
    seen: Seen

    @classmethod
    def open(
        cls,
        settings: PictureSettings,
        candidates: Candidates,
        centres: Sequence[NDArray[np.float32]],
        stim_files: Sequence[str],
        folder: Path,
    ) -> ToPicture:
        """Read what was shown, and see that the generator can be opened.

        Parameters
        ----------
        settings, candidates, centres
            As for the class.
        stim_files : sequence of str
            What each trial showed.
        folder : Path
            Of the table of stimuli.

        Raises
        ------
        ConfigError
            If there is nothing to compare with, or no such generator.
        """
        seen = read_seen(stim_files, settings, folder)
        open_generator(
            settings.generator,
            space=candidates.space,
            centre=centres[0],
            device=settings.device,
        )
        return cls(settings, candidates, centres, seen)

    @classmethod
    def of_problem(
        cls, settings: PictureSettings, problem: Problem, folder: Path | None
    ) -> ToPicture:
        """Return what held-out decodes of a problem are compared with.

        Parameters
        ----------
        settings : PictureSettings
            As for the class.
        problem : Problem
            What is decoded.
        folder : Path or None
            Of the table of stimuli; None for a track, of which there are no pictures.
        """
        targets = problem.candidates.vectors[problem.truth]
        centres = [
            np.asarray(targets[fold.train].mean(axis=0, dtype=np.float64), np.float32)
            for fold in problem.split.folds
        ]
        files = () if folder is None else problem.dataset.stim_files
        return cls.open(settings, problem.candidates, centres, files, folder or Path())

    def evaluate(
        self, held_out: HeldOut, output: Path, tell: Callable[[float], None] = lambda _: None
    ) -> Pictures:
        """Make pictures of some trials, score them, and write the contact sheet.

        Parameters
        ----------
        held_out : HeldOut
            Of all trials, with latents.
        output : Path
            Folder that gets the sheet.
        tell : callable
            Told the share that is done.
        """
        settings, seen = self.settings, self.seen
        rows = choose_trials(held_out, seen.files, N_PICTURED)
        made = make_pictures(
            held_out,
            self.candidates,
            self.centres,
            rows,
            settings,
            lambda share: tell(0.5 * share),
        )
        pictures = score_pictures(
            held_out, made, seen, settings, SHEET, lambda share: tell(0.5 + 0.5 * share)
        )
        output.mkdir(parents=True, exist_ok=True)
        draw_pictures(held_out, self.candidates, made, seen, output / SHEET)
        return pictures


def draw_pictures(
    held_out: HeldOut, candidates: Candidates, made: Made, seen: Seen, path: Path
) -> None:
    """Write the contact sheet of the first trials that were drawn, whatever they show.

    Parameters
    ----------
    held_out, candidates, made, seen
        As for `decoder.picture_scores.score_pictures`.
    path : Path
        The file, PNG.
    """
    strips = []
    for number, row in enumerate(made.rows[:N_SHEET].tolist()):
        shown = seen.pictures[seen.files.index(held_out.stim_files[row])]
        pixels = np.round(255 * shown).astype(np.uint8)
        own = made.decoded[number], made.true[number], made.prior[number]
        strips.append(Strip(candidates.texts[held_out.truth[row]], (pixels, *own)))
    draw_sheet(_ROWS, strips).save(path, "PNG", optimize=True)
