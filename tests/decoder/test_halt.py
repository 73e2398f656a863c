from __future__ import annotations

from pathlib import Path

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
