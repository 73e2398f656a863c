"""Models and candidates that a session keeps, by the names that its journal calls them."""

from __future__ import annotations

from decoder.control import (
    Adapted,
    Blind,
    Control,
    MarkBad,
    Note,
    Pause,
    Recentre,
    Refit,
    Refused,
    Resume,
    SetCandidates,
    Stop,
    SwapModel,
)
from decoder.folder import SessionFolder
from models.candidate_file import load_candidates
from models.checkpoint import Model, load_model
from streaming.errors import SessionError

__all__ = ["Shelf", "control_line"]


class Shelf:
    """Reads them, each model once.

    Parameters
    ----------
    folder : SessionFolder
        Of the session.
    """

    def __init__(self, folder: SessionFolder) -> None:
        self._folder = folder
        self._models: dict[str, Model] = {}

    def first(self) -> Model:
        """Return the model that the session begins with."""
        return self._keep(load_model(self._folder.model))

    def model(self, model_id: str) -> Model:
        """Return a model.

        Raises
        ------
        SessionError
            If it is not the one that was kept.
        """
        if model_id in self._models:
            return self._models[model_id]
        path = self._folder.model_path(model_id)
        model = load_model(path)
        if model.model_id != model_id:
            msg = f"{path} holds another model than the session named: copy the folder again"
            raise SessionError(msg)
        return self._keep(model)

    def _keep(self, model: Model) -> Model:
        return self._models.setdefault(model.model_id, model)

    def control(self, line: list[object]) -> Control:  # noqa: C901, PLR0911 - one for each kind
        """Undo `control_line`.

        Raises
        ------
        SessionError
            If what it names is missing.
        ValueError
            If it is none.
        """
        match line:
            case ["markBad", list() as names, bool() as bad]:
                return MarkBad(tuple(str(name) for name in names), bad)
            case ["stop", str() as reason]:
                return Stop(reason)
            case ["pause", str() as reason]:
                return Pause(reason)
            case ["resume", str() as reason]:
                return Resume(reason)
            case ["note", str() as text]:
                return Note(text)
            case ["blind", bool() as on]:
                return Blind(on)
            case ["recentre", bool() as on]:
                return Recentre(on)
            case ["refit", bool() as on, ("labels" | "decodes") as learn_from]:
                return Refit(on, learn_from)
            case ["adapted", str() as state, str() as detail]:
                return Adapted(state, detail)
            case ["setCandidates", str() as saved, int() as version]:
                found = load_candidates(self._folder.candidates, saved, version)
                return SetCandidates(found, saved)
            case ["swapModel", str() as model_id, int() as version, bool() as back]:
                return SwapModel(self.model(model_id), version, back)
            case ["refused", str() as reason]:
                return Refused(reason)
        msg = f"no control {line[:1]}"
        raise ValueError(msg)


def control_line(control: Control) -> list[object]:  # noqa: C901, PLR0911 - one for each kind
    """Return what a journal has of a control: plain data, and names of what is kept."""
    match control:
        case MarkBad():
            return ["markBad", list(control.ch_names), control.bad]
        case Stop():
            return ["stop", control.reason]
        case Pause():
            return ["pause", control.reason]
        case Resume():
            return ["resume", control.reason]
        case Note():
            return ["note", control.text]
        case Blind():
            return ["blind", control.on]
        case Recentre():
            return ["recentre", control.on]
        case Refit():
            return ["refit", control.on, control.learn_from]
        case Adapted():
            return ["adapted", control.state, control.detail]
        case SetCandidates():
            return ["setCandidates", control.saved, control.candidates.version]
        case SwapModel():
            return ["swapModel", control.model.model_id, control.version, control.back]
        case Refused():
            return ["refused", control.reason]
