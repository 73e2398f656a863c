"""What an evaluation says of real recordings: the verdict, and what stands beside the score.

All that `braincast evaluate` does, with its defaults, on the recordings of `benchmarks.real`.
Run with ``python -m benchmarks evaluation [name ...]``.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from pathlib import Path

from benchmarks.real import DATA, RECORDINGS
from decoder.assessment import Assessment
from decoder.evaluating import evaluate_recordings
from decoder.fitting import FitSettings

__all__ = ["main", "row_of"]


def row_of(a: Assessment) -> list[str]:
    """Return verdict, score, p, controls, averages, calibration error and ceiling as text."""
    main = a.scores.main
    controls = max(a.controls, key=lambda c: c.main.value - c.main.chance)
    best = max(a.averaging, key=lambda point: point.n_averaged)
    first, last = (a.learning[n] for n in (0, -1)) if len(a.learning) > 1 else (None, None)
    when = [point.t for point in a.time_course if (point.q_value or 1.0) < 0.05]
    return [
        a.verdict,
        f"{a.scores.statistic} {main.value:.3f} [{main.low:.3f}, {main.high:.3f}]",
        "none" if a.scores.p_value is None else f"{a.scores.p_value:.4f}",
        f"{controls.name} {controls.main.value:.3f}",
        f"{best.main.value:.3f} of {best.n_averaged}",
        f"{first.main.value:.3f} to {last.main.value:.3f}" if first and last else "",
        f"{1000 * when[0]:.0f} to {1000 * when[-1]:.0f} ms" if when else "",
        f"{a.calibration.error:.3f}",
        "" if a.ceiling is None else f"{a.ceiling.ceiling:.2f}",
    ]


def main() -> None:
    """Print a row for each recording."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(RECORDINGS))
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    if not DATA.is_dir():
        print(f"no recordings in {DATA}: set BRAINCAST_DATA")
        return
    print("| recordings | verdict | score [95 %] | p | highest control | averages | ", end="")
    print("least to all calibration | q < .05 | calibration error | noise ceiling | CPU [s] |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name in arguments.names:
        recordings, started = RECORDINGS[name], time.process_time()
        settings = FitSettings(events=recordings.labels, drop=recordings.drop)
        files = sorted(DATA.glob(recordings.pattern))
        with tempfile.TemporaryDirectory() as folder:
            found = evaluate_recordings(files, Path(folder), settings)
        cells = [name, *row_of(found), f"{time.process_time() - started:.0f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
