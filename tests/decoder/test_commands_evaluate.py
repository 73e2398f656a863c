"""What `evaluate` refuses in a line; what it finds: test_evaluating.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from decoder.commands_evaluate import tell_warnings
from models.checkpoint import save_model
from tests.decoder.complaining import complaint
from tests.decoder.tiny import tiny_model


@pytest.mark.parametrize(
    "option",
    [("--pictures-from", "."), ("--pictures-by", "clip:x"), ("--pictures-on", "cuda")],
)
def test_how_to_picture_means_nothing_without_a_generator(
    option: tuple[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "e"
    said = complaint(capfd, "evaluate", "x.fif", "--events", "a", "b", "-o", output, *option)
    assert "name a generator with --pictures" in said
    assert not output.exists()


def test_what_the_model_says_is_not_asked_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    save_model(tiny_model(), tmp_path / "model")
    test = ("evaluate", "x.fif", "--model", tmp_path / "model", "-o", tmp_path / "e")
    said = complaint(capfd, *test, "--events", "face", "house", "--space", "labels")
    assert "--events, --space: the model says it itself; leave it out with --model" in said


def test_a_folder_that_is_no_model_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    test = ("evaluate", "x.fif", "--model", tmp_path, "-o", tmp_path / "e")
    assert "not a model folder" in complaint(capfd, *test)


def test_warnings_are_said_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    tell_warnings(["runs [1] and [2] are of one person", "p is wide"])
    assert capsys.readouterr().err.splitlines() == [
        "warning: runs [1] and [2] are of one person",
        "warning: p is wide",
    ]
