"""What sets promise and hold, what each latency is worth, and what waiting no longer saves.

``python -m benchmarks sets`` takes minutes; ``--quick`` does the simulated participant only.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from decoder.coverage import CoveragePoint, LatencyPoint, coverage_of, latency_points
from decoder.fitting import FitSettings, fit_recordings, read_windows
from decoder.readout import Ranking
from decoder.resampling import bootstrap
from decoder.simulation import CANDIDATES, RECORDING, STIMULI, save_calibration
from decoder.uncertainty import Doubt, Uncertainty
from models.candidates import demo_concepts
from models.checkpoint import Model
from models.dataset import Dataset, read_through
from models.fit import fit_model
from models.heldout import HeldOut, predict
from models.retrieval import probabilities
from streaming.sources.simulated import SimulatedSettings, simulate_recording
from streaming.window import LockedWindows

__all__ = ["Stopping", "report_latencies", "report_sets", "stopping_of"]

DATA = Path(os.environ.get("BRAINCAST_DATA", "../shared/data"))


@dataclass(frozen=True, slots=True)
class Stopping:
    """What waiting no longer than needed gives.

    Parameters
    ----------
    risk : float
        Promised share of wrong ones among early answers.
    n, n_early : int
        Trials, and those that were answered before the last latency.
    wrong, low, high : float
        Share of wrong ones among early answers, and its 95 % interval; nan if there are none.
    accuracy, waited : float
        Share of right answers of all trials: with the rule, and at the last latency.
    latency : float
        Mean time after the stimulus, in seconds.
    coverage : float
        Share of sets at a risk of 0.2 with the truth, of what is final with the rule.
    """

    risk: float
    n: int
    n_early: int
    wrong: float
    low: float
    high: float
    accuracy: float
    waited: float
    latency: float
    coverage: float


def stopping_of(model: Model, found: Sequence[HeldOut], risk: float) -> Stopping | str:
    """Go through trials as a session would that waits no longer than needed.

    Parameters
    ----------
    model : Model
        Of several latencies.
    found : sequence of HeldOut
        The same trials at each of them.
    risk : float
        Promised share of wrong ones among early answers.

    Returns
    -------
    Stopping or str
        Or why no answer is early.
    """
    assert isinstance(model.windowing, LockedWindows)
    doubt = Doubt(model, model.candidates, Uncertainty(risk=0.2, stop_at_risk=risk))
    if doubt.no_stop:
        return doubt.no_stop
    whole = found[-1]
    temperatures = [*(stage.temperature for stage in model.stages), model.temperature]
    p = [probabilities(each.similarity, t) for each, t in zip(found, temperatures, strict=True)]
    last, n = len(found) - 1, len(whole.truth)
    stops, right, held = np.full(n, last), np.zeros(n, bool), np.zeros(n, bool)
    for row, truth in enumerate(whole.truth):
        for revision in range(last + 1):
            ranking = Ranking(p[revision][row])
            if revision == last or doubt.stops(ranking):
                stops[row] = revision
                right[row] = ranking.rank_of(int(truth)) == 1
                found_set = doubt.set_of(ranking, revision, final=True)
                held[row] = (
                    found_set is not None and model.candidates.ids[truth] in found_set.ids
                )
                break
    early = stops < last
    resamples = bootstrap(
        whole.truth, whole.groups, whole.t, whole.stim_files, cross_validated=False
    )
    weights = resamples.weights * early
    with np.errstate(invalid="ignore"):
        low, high = resamples.interval(weights @ ~right / weights.sum(axis=1))
    return Stopping(
        risk,
        n,
        int(early.sum()),
        float((~right)[early].mean()) if early.any() else float("nan"),
        low,
        high,
        float(right.mean()),
        float((p[-1].argmax(axis=1) == whole.truth).mean()),
        float(np.array(model.windowing.ends)[stops].mean()),
        float(held.mean()),
    )


def report_sets(name: str, points: Sequence[CoveragePoint]) -> str:
    """Return rows of a table: promised and measured coverage."""
    return "\n".join(
        f"| {name} | {1 - p.risk:.0%} | {p.coverage:.1%} [{p.low:.1%}, {p.high:.1%}] "
        f"| {p.set_size:.1f} | {p.n} | {p.n_calibration} |"
        for p in points
    )


def report_latencies(name: str, points: Sequence[LatencyPoint]) -> str:
    """Return rows of a table: scores by latency."""
    return "\n".join(
        f"| {name} | {1000 * p.latency:.0f} ms "
        f"| {p.top1.value:.3f} [{p.top1.low:.3f}, {p.top1.high:.3f}] "
        f"| {p.main.value:.3f} [{p.main.low:.3f}, {p.main.high:.3f}] |"
        for p in points
    )


def _report_stopping(name: str, found: Stopping | str) -> str:
    if isinstance(found, str):
        return f"| {name} | {found} | | | | | |"
    f = found
    wrong = f"{f.wrong:.1%} [{f.low:.1%}, {f.high:.1%}]" if f.n_early else "none"
    return (
        f"| {name} | {f.risk:.0%} | {wrong} | {f.n_early} of {f.n} | {1000 * f.latency:.0f} ms "
        f"| {f.accuracy:.3f}, waiting {f.waited:.3f} | {f.coverage:.1%} |"
    )


def _at_each(model: Model, dataset: Dataset, *, trained: bool) -> list[HeldOut]:
    """Predict trials among all candidates, as live: of what was trained, or of what was not."""
    was = dict(zip(model.candidates.ids, model.candidates.trained, strict=True))
    part = dataset.take(np.array([was[name] is trained for name in dataset.ids]))
    every = replace(model.candidates, trained=(True,) * len(model.candidates))
    return [predict(model, part, "closed_set", every, n) for n in range(len(model.stages) + 1)]


def _tell(name: str, model: Model, dataset: Dataset, *, trained: bool = True) -> None:
    """Print what a model gives on trials that it never saw."""
    assert isinstance(model.windowing, LockedWindows)
    found = _at_each(model, dataset, trained=trained)
    print(report_sets(name, coverage_of(found[-1], model)), flush=True)
    print(report_latencies(name, latency_points(model.windowing.ends, found)), flush=True)
    for risk in (0.05, 0.1, 0.2):
        print(_report_stopping(name, stopping_of(model, found, risk)), flush=True)


def _save_live(settings: SimulatedSettings, n_trials: int, path: Path) -> None:
    """Record a session of which half of the trials show what calibration never did."""
    concepts = demo_concepts()
    kinds = list(zip(concepts.ids, concepts.trained, strict=True))
    pools = [[name for name, was in kinds if was is trained] for trained in (True, False)]
    raw = simulate_recording(
        concepts.ids, concepts.vectors, settings, n_trials=n_trials, shown=pools
    )
    raw.save(path, verbose="error")


def simulated(n_trials: int) -> None:
    """Fit one session of the participant, and test another of the same day."""
    settings = SimulatedSettings()
    latencies = (0.2, 0.4, 0.6, 0.8)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        save_calibration(settings, n_trials, root / "first")
        _save_live(replace(settings, session_seed=7), n_trials, root / "second_raw.fif")
        first = root / "first"
        fitted = fit_recordings(
            [first / RECORDING],
            root / "model",
            FitSettings(
                stimuli=first / STIMULI, candidates=first / CANDIDATES, latencies=latencies
            ),
        )
        model = fitted.model
        assert isinstance(model.windowing, LockedWindows)
        later = read_through(
            [root / "second_raw.fif"],
            replace(model.windowing, latencies=()),
            model.stimuli,
            model.chain(),
            model.spec,
        )
        later = replace(later, groups=np.arange(len(later)) * 5 // len(later))
    _tell("simulated, of 300, seen in calibration", model, later)
    _tell("simulated, of 300, never seen", model, later, trained=False)


def recorded(
    name: str, pattern: str, events: tuple[str, ...], latencies: tuple[float, ...]
) -> None:
    """Fit all runs of a person but the last, and test that one."""
    paths = sorted(DATA.glob(pattern))
    if not paths:
        print(f"| {name} | no recordings in {DATA} |")
        return
    drop = ("Right AUX",) if pattern.startswith("muse") else ()
    settings = FitSettings(events=events, drop=drop, latencies=latencies)
    table = settings.table()
    candidates = settings.pool(table)
    whole = read_windows(paths, settings, settings.windows(table), lambda _: None)
    last = whole.groups == whole.groups.max()
    train, test = whole.take(~last), whole.take(last)
    fitted = fit_model(train, candidates, encoder="auto", latencies=latencies)
    crossed = coverage_of(fitted.held_out)
    print(report_sets(f"{name}, each run by the others", crossed), flush=True)
    _tell(f"{name}, last run", fitted.model, replace(test, hashes=("kept",)))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the simulated participant only")
    parser.add_argument("--trials", type=int, default=1000, help="of each simulated session")
    options = parser.parse_args()
    simulated(options.trials)
    if not options.quick:
        recorded(
            "faces, houses", "muse/N170_subject1_*", ("face", "house"), (0.2, 0.4, 0.6, 0.8)
        )
        recorded(
            "SSVEP, 2 classes",
            "muse/SSVEP_subject1_*",
            ("20 Hz", "30 Hz"),
            (1.0, 1.5, 2.0, 2.5, 3.0, 3.5),
        )
        recorded(
            "SSVEP, 4 classes",
            "ssvep/*sub12*",
            ("rest", "13 Hz", "17 Hz", "21 Hz"),
            (1.5, 2.0, 2.5, 3.0, 3.5),
        )


if __name__ == "__main__":
    main()
