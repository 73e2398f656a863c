from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

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
from decoder.shelf import Shelf, control_line
from models.candidate_file import save_candidates
from models.checkpoint import save_model
from streaming.errors import SessionError
from tests.decoder.tiny import tiny_model

MODEL = tiny_model()


@pytest.mark.parametrize(
    "control",
    [
        MarkBad(("Cz", "Pz"), bad=False),
        Stop("enough"),
        Pause("a break"),
        Resume(""),
        Note("he\nmoved"),
        Blind(on=True),
        Recentre(on=True),
        Refit(on=True, learn_from="decodes"),
        Adapted("shadow", "a model decodes in the shadow"),
        Refused("too few channels"),
    ],
)
def test_what_is_plain_comes_back(control: Control, tmp_path: Path) -> None:
    line = json.loads(json.dumps(control_line(control)))
    assert Shelf(SessionFolder(tmp_path)).control(line) == control


def test_candidates_and_models_come_back_from_where_they_are_kept(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path)
    save_model(MODEL, folder.model_path(MODEL.model_id))
    shelf = Shelf(folder)
    swapped = shelf.control(control_line(SwapModel(MODEL, 3, back=True)))
    assert isinstance(swapped, SwapModel)
    assert (swapped.model.model_id, swapped.version, swapped.back) == (MODEL.model_id, 3, True)
    assert shelf.model(MODEL.model_id) is swapped.model
    candidates = replace(MODEL.candidates, version=5)
    saved = save_candidates(candidates, folder.candidates)
    found = shelf.control(control_line(SetCandidates(candidates, saved)))
    assert isinstance(found, SetCandidates)
    assert (found.candidates.hash, found.candidates.version) == (candidates.hash, 5)


def test_another_model_in_its_place_is_refused(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path)
    other = replace(MODEL, temperature=0.5)
    save_model(other, folder.model_path(other.model_id))
    shutil.move(folder.model_path(other.model_id), folder.model_path(MODEL.model_id))
    with pytest.raises(SessionError, match="holds another model than the session named"):
        Shelf(folder).model(MODEL.model_id)


@pytest.mark.parametrize("line", [[], ["explode"], ["stop"], ["stop", 1], ["blind", "on"]])
def test_what_is_no_control_is_refused(line: list[object], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no control"):
        Shelf(SessionFolder(tmp_path)).control(line)


def test_the_first_model_of_an_older_session_is_where_it_was(tmp_path: Path) -> None:
    save_model(MODEL, tmp_path / "model")
    assert Shelf(SessionFolder(tmp_path)).first().model_id == MODEL.model_id
