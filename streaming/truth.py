"""The truth about injected faults: what was done to which samples, in a line each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streaming.errors import ConfigError
from streaming.sources.injector import Injector, Piece

__all__ = ["TruthLog"]


@dataclass(slots=True)
class _Open:
    """A fault that goes on."""

    first: int
    t_first: float
    t_last: float
    n_samples: int = 0
    values: list[tuple[int, float]] = field(default_factory=list)


class TruthLog:
    """Write what faults did, as the samples leave; each line as soon as a fault is over.

    A line is a JSON object: ``fault`` as it was written, ``kind``, ``stream``, ``source_id``,
    ``first`` and ``n_samples`` (the samples affected, counted as they are taken, from 0),
    ``t_first`` and ``t_last`` (when the first and the last of them were taken, on the LSL
    clock), and what the kind adds. The last line of each stream has the kind ``total``.

    Parameters
    ----------
    path : Path or None
        The file to make; None: nothing is written.
    injectors : sequence of Injector
        Of each stream.

    Raises
    ------
    ConfigError
        If the file exists or cannot be made.
    """

    def __init__(self, path: Path | None, injectors: Sequence[Injector]) -> None:
        self._injectors = injectors
        self._open: dict[tuple[int, int], _Open] = {}
        self._totals = [[0, 0] for _ in injectors]
        self._start = 0.0
        try:
            self._file = path.open("x", encoding="utf-8") if path is not None else None
        except FileExistsError as error:
            msg = f"{path} exists, and no log is overwritten: choose another name"
            raise ConfigError(msg) from error
        except OSError as error:
            msg = f"{path} cannot be written ({error.strerror}): choose another folder"
            raise ConfigError(msg) from error

    def note(self, piece: Piece, start: float) -> None:
        """Take a piece that has just left.

        Parameters
        ----------
        piece : Piece
            What left.
        start : float
            When the replay began, in seconds on the LSL clock.
        """
        self._start = start
        total = self._totals[piece.stream]
        total[0] += len(piece.t)
        total[1] += len(piece.rows)
        hits = {hit.fault: hit.value for hit in piece.hits}
        for n in [n for stream, n in self._open if stream == piece.stream and n not in hits]:
            self._write(piece.stream, n)
        for n, value in hits.items():
            new = _Open(piece.first, float(piece.t[0]), 0.0)
            entry = self._open.setdefault((piece.stream, n), new)
            entry.n_samples += len(piece.t)
            entry.t_last = float(piece.t[-1])
            entry.values.append((piece.first, value))

    def close(self) -> None:
        """Write the faults that go on, and the totals."""
        for stream, n in list(self._open):
            self._write(stream, n)
        for (n_taken, n_sent), injector in zip(self._totals, self._injectors, strict=True):
            if injector.description.is_signal:
                line = {"fault": "", "kind": "total", **_who(injector)}
                self._line(line | {"n_taken": n_taken, "n_sent": n_sent, "t_0": self._start})
        if self._file is not None:
            self._file.close()

    def _write(self, stream: int, n: int) -> None:
        entry, injector = self._open.pop((stream, n)), self._injectors[stream]
        fault = injector.faults[n]
        line: dict[str, Any] = {"fault": fault.text, "kind": fault.kind, **_who(injector)}
        line |= {
            "first": entry.first,
            "n_samples": entry.n_samples,
            "t_first": self._start + entry.t_first,
            "t_last": self._start + entry.t_last,
        }
        labels = [label for label, _, _ in injector.description.channels()]
        channels = [labels[column] or column for column in injector.columns[n]]
        levels = injector.levels[n].tolist()
        more: dict[str, dict[str, Any]] = {
            "stall": {"t_sent": self._start + entry.values[-1][1]},
            "jitter": {"delays": entry.values},
            "bunch": {"n_bunch": fault.amount},
            "step": {"step": fault.amount},
            "drift": {"ppm": fault.amount, "shift": entry.values[-1][1]},
            "disconnect": {
                "t_back": self._start + fault.end,
                "sfreq": fault.rate or injector.description.sfreq,
                "n_channels": fault.n_channels or injector.description.n_channels,
            },
            "nan": {"channels": channels},
            "flat": {"channels": channels},
            "saturate": {"channels": channels, "levels": levels},
            "pop": {"channels": channels, "levels": levels},
            "line": {"channels": channels, "levels": levels, "hz": fault.hz},
        }
        self._line(line | more.get(fault.kind, {}))

    def _line(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()


def _who(injector: Injector) -> dict[str, str]:
    return {"stream": injector.description.name, "source_id": injector.description.source_id}
