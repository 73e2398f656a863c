"""What people tell a session: inputs like the signal, so that they replay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from streaming.sources.source import Item

if TYPE_CHECKING:
    from models.candidates import Candidates  # what only serves has no models
    from models.checkpoint import Model

__all__ = [
    "Adaptation",
    "Adapted",
    "Blind",
    "Control",
    "Input",
    "MarkBad",
    "Mode",
    "Note",
    "Pause",
    "Recentre",
    "Refit",
    "Refused",
    "Resume",
    "SetCandidates",
    "Source",
    "Stop",
    "SwapModel",
    "Word",
]

Mode = Literal["replace", "add", "remove"]
"""What to do with the candidates that are named."""

Adaptation = Literal["recentre", "refit"]
"""Ways to follow slow drift."""

Source = Literal["labels", "decodes"]
"""What is learnt from."""


@dataclass(frozen=True, slots=True)
class Word:
    """A candidate that somebody asks for.

    Parameters
    ----------
    id, text, glyph : str
        Its name, what is embedded and shown, and an emoji. Without a text it is that of the
        candidate of this name, or the name.
    image : bytes
        A picture that is embedded in place of the text, in a space of pictures.
    """

    id: str
    text: str = ""
    glyph: str = ""
    image: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class MarkBad:
    """The operator says that channels are bad, or good again, from the next sample on.

    Parameters
    ----------
    ch_names : tuple of str
        Channels of the model.
    bad : bool
        Whether they are bad.
    """

    ch_names: tuple[str, ...]
    bad: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """The participant's stop: nothing is decoded any more until somebody resumes.

    Parameters
    ----------
    reason : str
        Who stopped, or how, in one line for a person.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Decode nothing for now; filters go on, so that `Resume` takes effect at once."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Resume:
    """Decode again, after a stop or a pause."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the experimenter wants to find again beside the decodes."""

    text: str


@dataclass(frozen=True, slots=True)
class Blind:
    """Whether pages hide what is decoded from whoever runs the experiment."""

    on: bool


@dataclass(frozen=True, slots=True)
class Recentre:
    """From the next window on, follow the mean of the latents, or decode them as they are."""

    on: bool


@dataclass(frozen=True, slots=True)
class Refit:
    """From now on, learn from trials beside decoding, or no longer.

    Parameters
    ----------
    on : bool
        Which of the two.
    learn_from : str
        ``"labels"``: what markers say was shown. ``"decodes"``: also what was decoded itself.
    """

    on: bool
    learn_from: Source = "labels"


@dataclass(frozen=True, slots=True)
class Adapted:
    """What became of a refit.

    Parameters
    ----------
    state : str
        ``"shadow"``, ``"swapped"``, ``"refused"``, ``"rolled back"`` or ``"stopped"``; or
        ``"started"`` with a model.
    detail : str
        One line for a person.
    """

    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class SetCandidates:
    """From now on, choose from these.

    Parameters
    ----------
    candidates : Candidates
        In the model's space; their `version` is the session's count.
    saved : str
        Where the session keeps them: from `models.candidate_file.save_candidates`.
    """

    candidates: Candidates
    saved: str


@dataclass(frozen=True, slots=True)
class SwapModel:
    """From the next window on another model decodes, with candidates of its own.

    Parameters
    ----------
    model : Model
        Which.
    version : int
        What its candidates count as in this session.
    back : bool
        Whether it is the one before, again.
    """

    model: Model
    version: int
    back: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Another model was asked for and does not fit; `reason` says why."""

    reason: str


Control = (
    MarkBad
    | Stop
    | Pause
    | Resume
    | Note
    | Blind
    | Recentre
    | Refit
    | Adapted
    | SetCandidates
    | SwapModel
    | Refused
)
"""What a person says."""

Input = Item | Control
"""All that a session can be fed."""
