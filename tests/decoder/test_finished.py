from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from decoder.events import TextDecoded
from decoder.finished import Sessions
from decoder.folder import SessionFolder
from decoder.server.wire import encode
from decoder.verified import keep_verdict
from decoder.verify import Verdict
from tests.decoder.sessions import lay_out
from tests.decoder.tiny import SPEC


def decode(n: int, t: float, abstained: str = "") -> str:
    made = TextDecoded(f"S/locked/{n}", (), 2, True, "c", "m", 0, n, 10, t, t, abstained)
    return encode(made, n, t) + "\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a", "b", "running"):
        folder = lay_out(tmp_path / name, SPEC, np.zeros((3, 5), np.float32), [])
        folder.events.write_text(
            decode(1, 10.0) + decode(2, 11.0, "settling") + decode(3, 12.5) + '{"torn'
        )
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").touch()
    return tmp_path


def test_sessions_that_are_over_are_listed_newest_first(root: Path) -> None:
    found = Sessions(root, "running").finished()
    assert [one.id for one in found] == ["b", "a"]
    assert (found[0].n_decodes, found[0].duration, found[0].source) == (2, 2.5, "test")
    assert not found[0].report


def test_it_says_whether_a_session_was_verified(root: Path) -> None:
    sessions = Sessions(root, "running")
    assert [one.verified[:8] for one in sessions.finished()] == ["not yet:"] * 2
    keep_verdict(SessionFolder(root / "b"), Verdict(3, "", cut_short=False))
    assert sessions.finished()[0].verified.startswith("yes, on ")
    (root / "b" / "events.jsonl").write_text(decode(1, 10.0))
    assert sessions.finished()[0].verified.startswith("not as it is now")


def test_a_log_that_grew_is_read_again(root: Path) -> None:
    sessions = Sessions(root, "running")
    assert sessions.finished()[1].n_decodes == 2
    (root / "a" / "events.jsonl").write_text(decode(1, 10.0))
    assert sessions.finished()[1].n_decodes == 1
    (root / "a" / "events.jsonl").write_text("")
    assert sessions.finished()[1].duration == 0.0


def test_a_manifest_that_cannot_be_read_hides_one_session_only(root: Path) -> None:
    (root / "a" / "manifest.json").write_text(json.dumps({"format": 99}))
    assert [one.id for one in Sessions(root, "running").finished()] == ["b"]


def test_only_reports_within_the_folder_are_given(root: Path, tmp_path: Path) -> None:
    sessions = Sessions(root, "running")
    for name in ("a", "running"):
        (root / name / "report.html").write_text("<p>")
    (root / "b" / "report.html").symlink_to(root / "a" / "manifest.json")
    (root / "report.html").write_text("above")
    (root / "link").symlink_to("/etc")
    assert sessions.report("a") == (root / "a" / "report.html").resolve()
    for name in ("b", "running", ".", "..", "a/..", "../a", "", "link", "/etc", "none"):
        assert sessions.report(name) is None
    assert [one.report for one in sessions.finished()] == [False, True]


def test_nothing_is_listed_where_nothing_is_kept(tmp_path: Path) -> None:
    assert Sessions(None, "S").finished() == []
    assert Sessions(tmp_path / "none", "S").finished() == []
    assert Sessions(None, "S").report("a") is None
