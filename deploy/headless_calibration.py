"""Rehearse a calibration without person, screen or amplifier: the twin of the experiment.

What ``psychopy_calibration.py`` would show, by the same code, a simulated participant sees. The
EEG and the markers are sent over LSL, for ``braincast calibrate`` to record. Run it with
braincast's Python: ``.venv/bin/python deploy/headless_calibration.py stimuli.tsv``.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import threading
from pathlib import Path
from types import ModuleType

from models.candidates import embed_candidates
from models.spaces import PACKAGED_SPACE, open_space
from models.stimuli import StimulusTable
from streaming.replay import publish
from streaming.sources.shown import Shown
from streaming.sources.simulated import SimulatedSettings, SimulatedSource

__all__ = ["experiment", "main", "participant", "script"]


def experiment() -> ModuleType:
    """Load the PsychoPy script that lies beside this one; it opens no window."""
    path = Path(__file__).with_name("psychopy_calibration.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - it is there
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def script(table: Path, n_blocks: int, n_repeats: int, rest: float, seed: int) -> list[Shown]:
    """Return what is shown when, and which markers are sent.

    Parameters
    ----------
    table : Path
        Of the stimuli.
    n_blocks, n_repeats : int
        Runs, and how often each stimulus is shown in each.
    rest : float
        Length of a pause between runs, in seconds.
    seed : int
        Decides the order.
    """
    psychopy, meanings = experiment(), StimulusTable.read(table)
    t, shown = 0.0, []
    rng = random.Random(seed)
    for step in psychopy.schedule(psychopy.read_stimuli(table), n_blocks, n_repeats, rng):
        stimulus = meanings.find(step.row["marker"]) if step.row else None
        name = stimulus.candidate_id if stimulus else ""
        shown.append(Shown(t, psychopy.marker_of(step), name))
        t += rest if step.kind == "pause" else step.seconds
    return shown


def participant(
    table: Path, settings: SimulatedSettings, shows: list[Shown], space: str = PACKAGED_SPACE
) -> SimulatedSource:
    """Return somebody who sees what the experiment shows.

    Parameters
    ----------
    table : Path
        Of the stimuli.
    settings : SimulatedSettings
        Who, and how.
    shows : list of Shown
        What they see.
    space : str
        In which what is alike evokes what is alike.
    """
    texts = StimulusTable.read(table).texts
    things = embed_candidates(list(texts), list(texts.values()), open_space(space))
    return SimulatedSource(things.ids, things.vectors, settings, script=shows)


def main() -> None:
    """Send the session over LSL."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--name", default="twin", help="of the stream; markers: 'NAME markers'")
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rest", type=float, default=5.0, help="length of a pause [s]")
    parser.add_argument("--snr", default="easy")
    parser.add_argument("--subject-seed", type=int, default=1)
    parser.add_argument("--session-seed", type=int, default=1)
    parser.add_argument("--turned", type=float, default=0.0, help="how the cap sits [degrees]")
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--sfreq", type=float, default=250.0)
    parser.add_argument("--wait", type=float, default=0.0, help="for somebody to listen [s]")
    parser.add_argument("--speed", type=float, default=1.0, help="for tests: faster than time")
    parser.add_argument("--space", default=PACKAGED_SPACE)
    said = parser.parse_args()
    settings = SimulatedSettings(
        snr=said.snr,
        subject_seed=said.subject_seed,
        session_seed=said.session_seed,
        turned=said.turned,
        n_channels=said.channels,
        sfreq=said.sfreq,
    )
    shows = script(said.table, said.blocks, said.repeats, said.rest, said.session_seed)
    source = participant(said.table, settings, shows, said.space)
    publish(
        source,
        name=said.name,
        speed=said.speed,
        chunk_size=10,
        wait_for_consumer=said.wait,
        stop=threading.Event(),
    )


if __name__ == "__main__":
    main()
