"""The table that says what each marker means: the contract between experiment and decoder."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from streaming.errors import StimuliError

__all__ = ["Role", "Stimulus", "StimulusTable", "read_marker"]

Role = Literal[
    "stimulus", "run_start", "run_end", "pause", "resume", "stop", "response", "ignore"
]
_ROLES: tuple[str, ...] = get_args(Role)
_SPLITS = ("", "train", "test")
_INTEGER = re.compile(r"(-?(?:0|[1-9][0-9]*))(?:\.0+)?")


def read_marker(label: str) -> tuple[str, str]:
    """Return what a marker says, and which trial it belongs to; empty if it does not say.

    A marker may be JSON: ``{"marker": "face", "trial_id": 17}`` is the marker ``face``. Windows
    with the same `trial_id` are repeats of one stimulus; it must not tell which one it is, so
    number trials.

    Examples
    --------
    >>> read_marker('{"marker": "face", "trial_id": 17}')
    ('face', '17')
    >>> read_marker("face")
    ('face', '')
    """
    if not label.lstrip().startswith("{"):
        return label, ""
    try:
        said = json.loads(label)
    except (ValueError, RecursionError):  # thousands of brackets are no marker
        return label, ""
    if not isinstance(said, dict) or not isinstance(said.get("marker"), str | int):
        return label, ""
    trial = said.get("trial_id")
    return str(said["marker"]), "" if trial is None else str(trial)


def _normalise(label: str) -> str:
    """Return the spelling under which a marker is looked up.

    Triggers are integers that arrive as ``5``, or as ``5.0`` from a stream of floats; both are
    5. Everything else, ``05`` too, must be the same string, without the blanks around it.
    """
    label = read_marker(label)[0].strip()
    integer = _INTEGER.fullmatch(label)
    return integer.group(1) if integer else label


@dataclass(frozen=True, slots=True)
class Stimulus:
    """What one marker means.

    Parameters
    ----------
    marker : str
        The label as the experiment sends it. An integer matches however it is spelled:
        ``"5"`` and ``"5.0"`` are the same.
    role : str
        ``"stimulus"`` (something was shown), ``"run_start"``, ``"run_end"``, ``"pause"``,
        ``"resume"``, ``"stop"`` (the participant ends the session), ``"response"`` or
        ``"ignore"``.
    candidate_id : str
        Which candidate was shown; a stimulus without one takes its text.
    concept : str
        What it is an instance of, where several candidates share a concept.
    text : str
        What to show and to embed; a stimulus without one takes its candidate's id.
    stim_file : str
        The file that was shown or played, where known; relative to the table.
    prob : float or None
        Declared probability of being shown, from above 0 to 1.
    split : str
        ``"test"`` if the candidate is kept for a zero-shot test: nothing of its concept is
        trained on. ``"train"``, or empty, for all others.
    """

    marker: str
    role: Role
    candidate_id: str = ""
    concept: str = ""
    text: str = ""
    stim_file: str = ""
    prob: float | None = None
    split: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be looked up or decoded."""
        if not self.marker.strip():
            msg = "marker is empty; write the label that the experiment sends"
            raise StimuliError(msg)
        if self.role not in _ROLES:
            msg = f"role {self.role!r} is unknown; use one of {', '.join(_ROLES)}"
            raise StimuliError(msg)
        if self.role == "stimulus" and not (self.candidate_id or self.text):
            msg = (
                f"stimulus {self.marker!r} has neither candidate_id nor text; give one of them"
            )
            raise StimuliError(msg)
        if self.prob is not None and not 0 < self.prob <= 1:
            msg = f"prob must be above 0 and at most 1, got {self.prob}"
            raise StimuliError(msg)
        if self.split not in _SPLITS:
            msg = f"split {self.split!r} is unknown; use train, test or nothing"
            raise StimuliError(msg)
        if self.role == "stimulus":
            object.__setattr__(self, "candidate_id", self.candidate_id or self.text)
            object.__setattr__(self, "text", self.text or self.candidate_id)


_COLUMNS = tuple(f.name for f in fields(Stimulus))


class StimulusTable:
    """The meanings of all markers.

    Parameters
    ----------
    rows : sequence of Stimulus
        One for each marker.
    folder : Path
        What `stim_file` of the rows is relative to; where the experiment was, if not given.

    Examples
    --------
    >>> table = StimulusTable.from_labels(["face", "house"])
    >>> table.find("face").candidate_id
    'face'
    >>> table.find("blink") is None
    True
    """

    def __init__(self, rows: Iterable[Stimulus], folder: Path = Path()) -> None:
        self.rows = tuple(rows)
        self.folder = folder
        self._by_label: dict[str, Stimulus] = {}
        texts: dict[str, str] = {}
        for row in self.rows:
            label = _normalise(row.marker)
            if label in self._by_label:
                msg = f"marker {row.marker!r} is listed twice; give each marker one row"
                raise StimuliError(msg)
            self._by_label[label] = row
            if row.role == "stimulus":
                text = texts.setdefault(row.candidate_id, row.text)
                if text != row.text:
                    msg = (
                        f"candidate {row.candidate_id!r} has two texts, {text!r} and "
                        f"{row.text!r}; use one, or two candidate ids"
                    )
                    raise StimuliError(msg)
        self.texts = texts
        """Text of each candidate that is shown, by its id, in the order of the rows."""

    def files(self, candidate_id: str) -> tuple[Path, ...]:
        """Return the files that are shown of a candidate, in the order of the rows."""
        shown = (row.stim_file for row in self.rows if row.candidate_id == candidate_id)
        return tuple(self.folder / name for name in dict.fromkeys(shown) if name)

    def __eq__(self, other: object) -> bool:
        """Compare row by row."""
        return isinstance(other, StimulusTable) and self.rows == other.rows

    def __hash__(self) -> int:
        """Hash the rows."""
        return hash(self.rows)

    def find(self, label: str) -> Stimulus | None:
        """Return what a marker means, or None if the table does not list it."""
        return self._by_label.get(_normalise(label))

    @classmethod
    def from_labels(cls, labels: Sequence[str]) -> StimulusTable:
        """Make a table in which each label is a stimulus of its own."""
        if not labels:
            msg = "no events were named; name at least one, such as face house"
            raise StimuliError(msg)
        return cls(Stimulus(label, "stimulus", candidate_id=label) for label in labels)

    @classmethod
    def read(cls, path: str | Path) -> StimulusTable:
        """Read a tab-separated table; only the columns ``marker`` and ``role`` must be there.

        Parameters
        ----------
        path : str or Path
            The file, in UTF-8; its first line names the columns.

        Raises
        ------
        StimuliError
            With the line and the column at fault.
        """
        path = Path(path)
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                lines = [line for line in csv.reader(file, delimiter="\t") if any(line)]
        except OSError as error:
            msg = f"cannot read {path}: {error.strerror}; name a table of stimuli"
            raise StimuliError(msg) from error
        except UnicodeDecodeError as error:
            msg = f"{path} is not UTF-8 text; save it as tab-separated UTF-8"
            raise StimuliError(msg) from error
        if not lines:
            msg = f"{path} is empty; its first line must name the columns {', '.join(_COLUMNS)}"
            raise StimuliError(msg)
        header = [name.strip() for name in lines[0]]
        _check_header(path, header)
        rows: list[Stimulus] = []
        seen: dict[str, int] = {}
        for number, line in enumerate(lines[1:], start=2):
            row = _parse(f"{path} line {number}", header, line)
            first = seen.setdefault(_normalise(row.marker), number)
            if first != number:
                msg = (
                    f"{path} line {number}, column marker: {row.marker!r} is on line {first} "
                    "already; give each marker one row"
                )
                raise StimuliError(msg)
            rows.append(row)
        if not rows:
            msg = f"{path} names columns but no marker; add a row for each marker"
            raise StimuliError(msg)
        return cls(rows, path.parent)

    def write(self, path: str | Path) -> None:
        """Write the table so that `read` gives it back."""
        with Path(path).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(_COLUMNS)
            for row in self.rows:
                values = (getattr(row, name) for name in _COLUMNS)
                writer.writerow("" if value is None else value for value in values)

    def to_json(self) -> list[dict[str, str | float]]:
        """Return plain rows, without their empty fields."""
        return [
            {n: getattr(row, n) for n in _COLUMNS if getattr(row, n) not in ("", None)}
            for row in self.rows
        ]

    @classmethod
    def from_json(cls, rows: Iterable[dict[str, str | float]]) -> StimulusTable:
        """Undo `to_json`."""
        return cls(Stimulus(**row) for row in rows)  # type: ignore[arg-type]


def _check_header(path: Path, header: list[str]) -> None:
    """Refuse a table without the columns that it needs, or with ones that mean nothing."""
    for name in ("marker", "role"):
        if name not in header:
            msg = (
                f"{path} line 1: column {name} is missing, found {', '.join(header)}; the "
                f"columns are {', '.join(_COLUMNS)}, separated by tabs"
            )
            raise StimuliError(msg)
    for name in header:
        if name not in _COLUMNS or header.count(name) > 1:
            what = "unknown" if name not in _COLUMNS else "there twice"
            msg = (
                f"{path} line 1: column {name!r} is {what}; the columns are "
                f"{', '.join(_COLUMNS)}"
            )
            raise StimuliError(msg)


def _parse(where: str, header: list[str], line: list[str]) -> Stimulus:
    """Make a row of the table from one line of the file."""
    if len(line) > len(header):
        msg = f"{where}: {len(line)} values for {len(header)} columns; remove what is too much"
        raise StimuliError(msg)
    values = {name: value.strip() for name, value in zip(header, line, strict=False)}
    if values.get("role", "") not in _ROLES:
        msg = (
            f"{where}, column role: {values.get('role', '')!r} is unknown; use one of "
            f"{', '.join(_ROLES)}"
        )
        raise StimuliError(msg)
    prob = values.pop("prob", "")
    try:
        number = float(prob) if prob else None
    except ValueError as error:
        msg = f"{where}, column prob: {prob!r} is not a number; write one from 0 to 1"
        raise StimuliError(msg) from error
    try:
        return Stimulus(**values, prob=number)  # type: ignore[arg-type]
    except StimuliError as error:
        column = next(
            (n for n in ("prob", "marker", "split") if str(error).startswith(n)), "candidate_id"
        )
        msg = f"{where}, column {column}: {error}"
        raise StimuliError(msg) from error
