"""The demo's participant: 300 things to look at, 200 of them seen in calibration."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

from models.candidates import Candidates, demo_concepts
from models.stimuli import Stimulus, StimulusTable
from streaming.sources.simulated import (
    SimulatedSettings,
    SimulatedSource,
    record_source,
    simulate_recording,
)

__all__ = [
    "CANDIDATES",
    "LIVE",
    "RECORDING",
    "STIMULI",
    "live_participant",
    "save_calibration",
    "save_live",
]

RECORDING = "calibration_raw.fif"
LIVE = "live_raw.fif"
STIMULI = "stimuli.tsv"
CANDIDATES = "candidates.tsv"

_CALIBRATION = 1_000_000
"""Added to a session's seed for its calibration: another order of stimuli, and other noise."""


def live_participant(
    settings: SimulatedSettings, *, n_trials: int | None = None
) -> SimulatedSource:
    """Return the participant as a source: half of what is shown was not seen in calibration.

    Each stimulus is drawn anew, by the column ``prob`` of the table of `save_calibration`.

    Parameters
    ----------
    settings : SimulatedSettings
        Who, and how.
    n_trials : int or None
        How many stimuli before the session ends; None goes on forever.
    """
    concepts = demo_concepts()
    pools = [_ids(concepts, trained=True), _ids(concepts, trained=False)]
    return SimulatedSource(
        concepts.ids,
        concepts.vectors,
        settings,
        shown=pools,
        independent=True,
        n_trials=n_trials,
    )


def save_calibration(settings: SimulatedSettings, n_trials: int, folder: Path) -> None:
    """Record a calibration session of the participant, faster than real time.

    Parameters
    ----------
    settings : SimulatedSettings
        As for the live session, of which this is another one.
    n_trials : int
        How many stimuli, all from the trained concepts.
    folder : Path
        Gets the recording, the table of stimuli and the list of candidates. The table's
        ``prob`` is that of the live session.
    """
    concepts = demo_concepts()
    raw = simulate_recording(
        concepts.ids,
        concepts.vectors,
        replace(settings, session_seed=settings.session_seed + _CALIBRATION),
        n_trials=n_trials,
        shown=[_ids(concepts, trained=True)],
    )
    folder.mkdir(parents=True, exist_ok=True)
    raw.save(folder / RECORDING, overwrite=True, verbose="error")
    n_like = Counter(concepts.trained)
    StimulusTable(
        Stimulus(
            name,
            "stimulus",
            candidate_id=name,
            concept=name,
            text=text,
            prob=0.5 / n_like[seen],
        )
        for name, text, seen in zip(concepts.ids, concepts.texts, concepts.trained, strict=True)
    ).write(folder / STIMULI)
    with (folder / CANDIDATES).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(("candidate_id", "text", "glyph", "trained"))
        c = concepts
        writer.writerows(zip(c.ids, c.texts, c.glyphs, map(int, c.trained), strict=True))


def save_live(settings: SimulatedSettings, n_trials: int, folder: Path) -> None:
    """Record what the participant would send live, faster than real time.

    Parameters
    ----------
    settings : SimulatedSettings
        Who, and how.
    n_trials : int
        How many stimuli.
    folder : Path
        Gets the recording.
    """
    raw = record_source(live_participant(settings, n_trials=n_trials))
    folder.mkdir(parents=True, exist_ok=True)
    raw.save(folder / LIVE, overwrite=True, verbose="error")


def _ids(concepts: Candidates, *, trained: bool) -> list[str]:
    pairs = zip(concepts.ids, concepts.trained, strict=True)
    return [name for name, was_trained in pairs if was_trained is trained]
