"""What `calibrate` says when the recording is there and the fit fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from decoder import calibrating, commands_fit
from decoder.cli import main
from decoder.folder import SessionFolder


class Recorded:
    """A calibration that is over."""

    def run(self, *_: object) -> str:
        return "run_end"

    def recordings(self) -> list[Path]:
        return [Path("sessions/S/raw.xdf")]


@pytest.mark.parametrize(
    ("error", "said"),
    [(OSError(28, "No space left on device"), "No space left"), (MemoryError(), "memory")],
)
def test_a_fit_that_finds_no_room_names_the_recording(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    said: str,
) -> None:
    @contextmanager
    def taking_in(*_: Any) -> Iterator[tuple[SessionFolder, Recorded]]:
        yield SessionFolder(tmp_path), Recorded()

    def fails(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(calibrating, "taking_in", taking_in)
    monkeypatch.setattr(commands_fit, "fit_and_tell", fails)
    model = str(tmp_path / "model")
    assert main(["calibrate", "--name", "x", "--events", "face", "house", "-o", model]) == 2
    found = capsys.readouterr().err
    assert "give sessions/S/raw.xdf to braincast fit" in found
    assert said in found
