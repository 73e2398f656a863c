from __future__ import annotations

from pathlib import Path

import pytest

from decoder.halt import Halt, file_stops


def test_a_stop_is_kept_for_the_next_process(tmp_path: Path) -> None:
    halt = Halt(tmp_path / "stopped")
    assert halt.reason == ""
    halt.end()  # nothing to end
    halt.begin("enough")
    assert Halt(tmp_path / "stopped").reason == "enough"
    halt.end()
    assert Halt(tmp_path / "stopped").reason == ""
    Halt(tmp_path / "gone" / "stopped").begin("on a full disk it holds for this process alone")


def test_a_file_stops_by_being_there(tmp_path: Path) -> None:
    assert file_stops(None) == ""
    assert file_stops(tmp_path / "stop") == ""
    (tmp_path / "stop").touch()
    assert file_stops(tmp_path / "stop") == "the file stop stopped the session"


def test_a_folder_that_cannot_be_looked_into_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", denied)
    assert file_stops(None) == ""
    assert file_stops(tmp_path / "stop") == (
        "it cannot be seen whether the file stop is there (Permission denied)"
    )
