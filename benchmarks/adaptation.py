"""What following slow drift is worth, and how often the alarm sounds with and without drift.

Simulated people are calibrated, then decoded in a later session in which every source turns
slowly (`streaming.sources.simulated`). The same samples go to sessions that adapt in different
ways, through the real session, its controls and what refits: only processes are left out. Run
with ``python -m benchmarks adaptation [--people 1 2 3] [--drift 0 4] [--minutes 10]``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import mne
import numpy as np
from numpy.typing import NDArray

from decoder.config import AdaptationConfig
from decoder.control import Recentre, SwapModel
from decoder.events import Event, LatentMade, State, TextDecoded
from decoder.folder import SessionFolder
from decoder.refitter import Refitter, Trial
from decoder.refitting import Learner
from decoder.session import Session
from models.candidates import Candidates, demo_concepts
from models.checkpoint import Model, save_model
from models.dataset import read_dataset
from models.fit import EVOKED_WINDOWS, evoked_chain, fit_model
from models.stimuli import Stimulus, StimulusTable
from streaming.signal import Chunk
from streaming.sources.simulated import SimulatedSettings, SimulatedSource, simulate_recording
from streaming.sources.source import Source

__all__ = ["ARMS", "TASKS", "Arm", "Task", "adapted", "calibrated", "later", "main", "offered"]

ARMS = ("", "recentre", "refit", "recentre,refit")
"""Ways to adapt, as `serve --adapt` has them."""

_CALIBRATION = 1_000_000


@dataclass(frozen=True, slots=True)
class Task:
    """What is decoded.

    Parameters
    ----------
    n_things : int
        Things to choose from, of which calibration shows those that the demo's does.
    n_trials : int
        Trials of calibration.
    """

    n_things: int
    n_trials: int

    @property
    def concepts(self) -> Candidates:
        """The things."""
        all_of_them = demo_concepts()
        if self.n_things == len(all_of_them):
            return all_of_them
        n = self.n_things
        return Candidates(
            all_of_them.ids[:n],
            all_of_them.texts[:n],
            all_of_them.glyphs[:n],
            (True,) * n,
            all_of_them.vectors[:n],
            all_of_them.space,
        )


TASKS = {"300 things": Task(300, 1000), "20 things": Task(20, 400)}


@dataclass(slots=True)
class Arm:
    """A session that adapts in a way, and what it said.

    Parameters
    ----------
    session : Session
        That decodes.
    refitter : Refitter or None
        What learns beside it.
    decodes : list of TextDecoded
        With a truth.
    states : list of State
        Of ``drift`` and ``adaptation``.
    """

    session: Session
    refitter: Refitter | None
    decodes: list[TextDecoded] = field(default_factory=list)
    states: list[State] = field(default_factory=list)

    def take(self, events: Sequence[Event], t: float) -> None:
        """Note what was said, and learn from it."""
        for event in events:
            if isinstance(event, TextDecoded) and event.truth is not None:
                self.decodes.append(event)
            elif isinstance(event, LatentMade) and self.refitter is not None:
                self._learn(self.refitter, event, t)
            elif isinstance(event, State) and event.what in {"drift", "adaptation"}:
                self.states.append(event)

    def _learn(self, refitter: Refitter, made: LatentMade, t: float) -> None:
        truth = self.decodes[-1].truth
        if truth is None or made.data is None:
            return
        for outcome in refitter.take(
            Trial(made.data, truth.id, truth.rank, recentred=made.recentred)
        ):
            self.states.append(State("adaptation", outcome.state, t, outcome.detail))
            if outcome.model is not None:
                version = self.session.candidates.version + 1
                self.take(self.session.feed(SwapModel(outcome.model, version), t), t)

    def top(self, k: int, start: float, stop: float) -> float:
        """Return how often a seen thing was among the best `k`, between two instants."""
        hits = [
            decode.truth.rank <= k
            for decode in self.decodes
            if decode.truth and decode.truth.trained and start <= decode.t_start < stop
        ]
        return float(np.mean(hits))


def calibrated(task: Task, settings: SimulatedSettings) -> Model:
    """Return a model of a person, fitted to a session of its own."""
    things = task.concepts
    shown = [name for name, seen in zip(things.ids, things.trained, strict=True) if seen]
    raw = simulate_recording(
        things.ids,
        things.vectors,
        replace(settings, session_seed=settings.session_seed + _CALIBRATION, drift=0.0),
        n_trials=task.n_trials,
        shown=[shown],
    )
    table = StimulusTable(
        Stimulus(name, "stimulus", candidate_id=name, concept=name, text=text)
        for name, text in zip(things.ids, things.texts, strict=True)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calibration_raw.fif"
        raw.save(path, verbose="error")
        dataset = read_dataset([path], EVOKED_WINDOWS, table, evoked_chain)
    return fit_model(dataset, things).model


def later(task: Task, settings: SimulatedSettings, minutes: float) -> SimulatedSource:
    """Return a later session of the person, as fast as it is read."""
    things = task.concepts
    pools = [
        [name for name, seen in zip(things.ids, things.trained, strict=True) if seen is trained]
        for trained in (True, False)
    ]
    return SimulatedSource(
        things.ids,
        things.vectors,
        settings,
        shown=[pool for pool in pools if pool],
        n_trials=round(60 * minutes / settings.soa),
        chunk_size=125,
    )


def adapted(model: Model, source: Source, arms: Sequence[str] = ARMS) -> dict[str, Arm]:
    """Decode a source in several ways at once.

    Parameters
    ----------
    model : Model
        That decodes first.
    source : Source
        Is read to its end.
    arms : sequence of str
        Ways to adapt, as `serve --adapt` has them.

    Returns
    -------
    dict of str to Arm
        What each of them came to.
    """
    found = {}
    for name in arms:
        wanted = AdaptationConfig.of(name)
        refitter = Refitter(model) if wanted.refit else None
        found[name] = Arm(Session(model, source.spec, "S", freshness=1e9), refitter)
        if wanted.recentre:
            found[name].take(found[name].session.feed(Recentre(on=True), 0.0), 0.0)
    while (item := source.read(0)) is not None:
        t = item.t_end if isinstance(item, Chunk) else item.t
        for arm in found.values():
            arm.take(arm.session.feed(item, t), t)
    return found


def _interval(differences: NDArray[np.float64]) -> str:
    """Return the mean with a 95 % bootstrap interval over people."""
    rng = np.random.default_rng(0)
    draws = rng.choice(differences, (9999, len(differences))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{differences.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def _rows(runs: Sequence[Mapping[str, Arm]], minutes: float, k: int) -> list[str]:
    third = 60 * minutes / 3
    rows = []
    off = np.array([run[""].top(k, 2 * third, 1e9) for run in runs])
    for name in ARMS:
        before = np.array([run[name].top(k, 0.0, third) for run in runs])
        after = np.array([run[name].top(k, 2 * third, 1e9) for run in runs])
        swaps = np.mean([_count(run[name], "swapped") for run in runs])
        gain = "" if not name else _interval(after - off)
        scores = f"{before.mean():.3f} | {after.mean():.3f}"
        rows.append(f"{name or 'off'} | {scores} | {gain} | {swaps:.1f} |")
    return rows


def _count(arm: Arm, state: str) -> int:
    return sum(s.what == "adaptation" and s.state == state for s in arm.states)


def _alarms(runs: Sequence[Mapping[str, Arm]], name: str) -> str:
    """Return in how many sessions the alarm sounded, and when at first."""
    first = [
        min((s.t for s in run[name].states if s.state == "alarm"), default=np.inf)
        for run in runs
    ]
    n_all = sum(s.state == "alarm" for run in runs for s in run[name].states)
    heard = [t / 60 for t in first if np.isfinite(t)]
    when = f", first after {np.median(heard):.1f} min (median)" if heard else ""
    return f"{n_all} in {len(runs)} sessions{when}"


def offered(
    model: Model, source: Source, folder: SessionFolder
) -> dict[str, NDArray[np.float64]]:
    """Return how long inputs with a decode take that is offered to a process that learns.

    Every other one is; what offers is the thread that decodes, as in the service.

    Parameters
    ----------
    model : Model
        That decodes.
    source : Source
        Is read to its end.
    folder : SessionFolder
        Gets the models.

    Returns
    -------
    dict of str to array of shape (n,)
        Seconds, by whether the decode was ``"offered"`` or ``"not offered"``.
    """
    save_model(model, folder.model_path(model.model_id))
    session = Session(model, source.spec, "S", freshness=1e9)
    learner = Learner(folder, lambda *_: None, "S", decodes=False)
    taken: dict[str, list[float]] = {"offered": [], "not offered": []}
    while (item := source.read(0)) is not None:
        t = item.t_end if isinstance(item, Chunk) else item.t
        begun = time.perf_counter()
        events = session.feed(item, t)
        pairs = [
            (decoded, made)
            for decoded, made in pairwise(events)
            if isinstance(decoded, TextDecoded) and isinstance(made, LatentMade)
        ]
        name = min(taken, key=lambda name: len(taken[name]))
        for decoded, made in pairs if name == "offered" else ():
            learner.offer(decoded, made)
        if pairs:
            taken[name].append(time.perf_counter() - begun)
            time.sleep(0.05)  # what learns has its turn, as it has between stimuli
    learner.close()
    return {name: np.array(values) for name, values in taken.items()}


def _cost(minutes: float) -> None:
    task, person = TASKS["300 things"], SimulatedSettings()
    with tempfile.TemporaryDirectory() as folder:
        source = later(task, person, minutes)
        taken = offered(calibrated(task, person), source, SessionFolder(Path(folder)))
    print("| decode | n | median [ms] | p95 [ms] |\n|---|---|---|---|")
    for name, seconds in taken.items():
        p50, p95 = np.percentile(1000 * seconds, [50, 95])
        print(f"| {name} | {len(seconds)} | {p50:.2f} | {p95:.2f} |")


def main() -> None:
    """Print tables of accuracy and of alarms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--drift", nargs="+", type=float, default=[0.0, 4.0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--cost", action="store_true", help="Of offering decodes, alone.")
    arguments = parser.parse_args()
    mne.set_log_level("ERROR")
    if arguments.cost:
        _cost(arguments.minutes)
        return
    minutes = arguments.minutes
    print("| task | degrees/min | adapt | top-1 in first third | in last third | ", end="")
    print("against off [95 %] | swaps |\n|---|---|---|---|---|---|---|")
    alarms = []
    for name in arguments.tasks:
        task = TASKS[name]
        people = [SimulatedSettings(subject_seed=seed) for seed in arguments.people]
        models = [calibrated(task, person) for person in people]
        for drift in arguments.drift:
            runs = [
                adapted(model, later(task, replace(person, drift=drift), minutes))
                for person, model in zip(people, models, strict=True)
            ]
            for row in _rows(runs, minutes, 1):
                print(f"| {name} | {drift:g} | {row}", flush=True)
            for arm in ("", "recentre"):
                said = f"| {name} | {drift:g} | {arm or 'off'} | {_alarms(runs, arm)} |"
                alarms.append(said)
    print("\n| task | degrees/min | adapt | alarms |\n|---|---|---|---|")
    print("\n".join(alarms))


if __name__ == "__main__":
    main()
