from __future__ import annotations

import json
from pathlib import Path

import pytest

from decoder import doctor, verify
from decoder.check import Check
from decoder.cli import main
from decoder.verify import Verdict
from tests.decoder.complaining import complaint


def test_the_doctor_is_content_or_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [Check("disk", "go", "[fast]"), Check("clock", "note", "slow")]
    monkeypatch.setattr(doctor, "checks", lambda _: found)
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0] == {
        "what": "disk",
        "verdict": "go",
        "found": "[fast]",
    }
    found.append(Check("stream", "no", "there is none"))
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "[fast]" in said
    assert "NO" in said


@pytest.mark.parametrize(
    ("verdict", "code", "words"),
    [
        (Verdict(7, "", cut_short=False), 0, "7 events came out again, bit for bit"),
        (Verdict(7, "", cut_short=True), 0, "as after a crash"),
        (Verdict(5, "", False, 2, "torch 1, not 2"), 0, "2 came out within the tolerances"),
        (Verdict(5, "event 6 differs", cut_short=False), 1, "event 6 differs"),
    ],
)
def test_what_verify_found_is_said_and_kept(
    verdict: Verdict,
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(verify, "verify_session", lambda _: verdict)
    assert main(["verify", str(tmp_path)]) == code
    said = capsys.readouterr()
    assert words in (said.out + said.err)
    kept = json.loads((tmp_path / "verified.json").read_text())
    assert kept["difference"] == verdict.difference


def test_folders_that_are_no_sessions_are_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for command, *options in (["verify"], ["report"], ["export", "--bids", "bids"]):
        assert "session" in complaint(capfd, command, tmp_path, *options)
