"""The report of a session that was recorded here, whole, cut short, empty and running."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from decoder.accounting import read_account
from decoder.cli import main
from decoder.finished import Sessions
from decoder.folder import SessionFolder
from decoder.journal import Journal
from decoder.session_report import report_session
from streaming.errors import SessionError
from tests.decoder.relog import add, forget_evidence, messages, rewrite
from tests.decoder.sessions import CONFIG, lay_out, record
from tests.decoder.tiny import SPEC


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> SessionFolder:
    return record(tmp_path_factory.mktemp("report"))[0]


@pytest.fixture
def copy(recorded: SessionFolder, tmp_path: Path) -> SessionFolder:
    shutil.copytree(recorded.path, tmp_path / "S")
    return SessionFolder(tmp_path / "S")


def words(path: Path) -> str:
    """Return what a page says, without its marks and styles."""
    page = re.sub(r"(?s)<(style|script).*?</\1>", "", path.read_text(encoding="utf-8"))
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_the_report_is_where_the_page_finds_it(
    copy: SessionFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(copy.path)]) == 0
    assert main(["report", str(copy.path)]) == 0
    path = copy.path / "report.html"
    assert capsys.readouterr().out.splitlines()[-1] == str(path)
    assert Sessions(copy.path.parent, "another").report("S") == path.resolve()
    said = words(path)
    (score,) = read_account(copy).scores
    assert f"{score.hits} of {len(score.rank)}" in said
    assert "yes, on 2" in said  # it was verified
    assert "unavailable: " in said.lower()  # no design was declared
    assert "What was taken for what" in said
    assert "subject 01" in said
    assert path.read_text().count("<svg") >= 3


def test_what_came_later_is_shown_where_it_is_there(copy: SessionFolder) -> None:
    """Fields that sessions of another kind have: refined decodes, sets, evidence, swaps."""

    def refine(message: dict[str, Any]) -> None:
        params = message["params"]
        if message["method"] == "text" and not params["abstained"]:
            ids = [one["id"] for one in params["top"]]
            said = {"ids": ids, "risk": 0.1, "n_calibration": 40}
            params |= {"revision": 1, "final": True, "latency": 0.4, "conformal": said}

    rewrite(copy, refine)
    found = messages(copy)
    first = next(n for n, m in enumerate(found) if m["params"].get("conformal"))
    earlier = json.loads(json.dumps(found[first]))
    wrong = "house" if earlier["params"]["truth"]["id"] == "face" else "face"
    earlier["params"] |= {"final": False, "revision": 0, "latency": 0.2, "truth": None}
    earlier["params"]["top"][0]["id"] = wrong
    found.insert(first, earlier)
    copy.events.write_text("".join(json.dumps(message) + "\n" for message in found))
    forget_evidence(copy)
    bet = {"n": 9, "log10_e_max": 2.5, "p": 0.003, "available": True, "reason": ""}
    bet |= {"decode_id": "d", "design": "independent", "protocol": "closed_set"}
    add(copy, "evidence", log10_e=2.5, **bet)
    add(copy, "evidence", log10_e=1.5, **bet)
    reason = {"available": False, "reason": "the order is blocked", "protocol": "zero_shot"}
    add(copy, "evidence", log10_e=0.0, **(bet | reason))
    add(copy, "state", what="drift", state="alarm", t=1.0, detail="the spread rose")
    add(copy, "state", what="adaptation", state="swapped", t=1.0, detail="to <b>another</b>")

    account = read_account(copy)
    (score,) = account.scores
    (coverage,) = account.coverage
    assert coverage.held.all()  # both candidates are in each set
    assert (coverage.risk, set(coverage.size)) == (0.1, {2})
    (by_latency,) = account.by_latency.values()
    assert by_latency[0.2] == (0, 1)
    assert by_latency[0.4] == (score.hits, len(score.rank))
    bets = {one.protocol: one for one in account.evidence}
    assert (bets["closed_set"].n, bets["closed_set"].reason) == (9, "")
    assert (bets["zero_shot"].n, bets["zero_shot"].reason) == (0, "the order is blocked")
    np.testing.assert_array_equal(bets["closed_set"].log10_e, [2.5, 1.5])
    said = words(report_session(copy.path))
    for text in ("0.003", "unavailable: the order is blocked", "the spread rose", "90.0%"):
        assert text in said
    assert "to &lt;b&gt;another&lt;/b&gt;" in said


def test_another_choice_begins_another_score(copy: SessionFolder) -> None:
    seen = [0]

    def other(message: dict[str, Any]) -> None:
        if message["method"] == "text" and message["params"]["truth"]:
            seen[0] += 1
            if seen[0] > 10:
                message["params"] |= {"candidates_hash": "other", "candidates_version": 2}

    rewrite(copy, other)
    account = read_account(copy)
    assert [score.version for score in account.scores] == [1, 2]
    assert len(account.scores[0].rank) == 10
    assert "version 2" in words(report_session(copy.path))


@pytest.mark.parametrize("kept", [1, 60])
def test_a_session_that_was_cut_short_has_one(copy: SessionFolder, kept: int) -> None:
    lines = copy.events.read_bytes().splitlines(keepends=True)
    copy.events.write_bytes(b"".join(lines[:kept]) + b'{"torn')
    copy.inputs.write_bytes(copy.inputs.read_bytes()[:-9])
    assert "the session was cut short" in words(report_session(copy.path)).lower()


def test_a_session_without_a_decode_has_one(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "S", SPEC, np.zeros((3, 5), np.float32), [])
    with pytest.raises(SessionError, match=r"no config\.yaml"):
        report_session(folder.path)
    (folder.path / "config.yaml").write_text(CONFIG.to_yaml())
    said = words(report_session(folder.path, tmp_path / "page.html"))
    assert "No decode has a truth" in said
    assert not (folder.path / "report.html").exists()


def test_recordings_and_decoders_after_the_first_are_told(copy: SessionFolder) -> None:
    lines = copy.inputs.read_text().splitlines()
    start, t = json.loads(lines[0]), json.loads(lines[len(lines) // 2])[1]
    more = [json.dumps(["recording", t, "raw-2.xdf"]), json.dumps(["start", t, *start[2:]])]
    half = len(lines) // 2
    copy.inputs.write_text("\n".join([*lines[:half], *more, *lines[half:]]) + "\n")
    account = read_account(copy)
    assert [name for _, name in account.recordings] == ["raw-2.xdf"]
    assert account.n_decoders == 2
    assert "recordings 2" in words(report_session(copy.path))


def test_there_is_none_while_it_runs(
    copy: SessionFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = Journal(copy.inputs)  # as the decoder has it
    assert main(["report", str(copy.path)]) == 2
    assert "still runs" in capsys.readouterr().err
    journal.abandon()
    report_session(copy.path)


def test_what_cannot_be_is_said_in_a_line(copy: SessionFolder, tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="not a session folder"):
        report_session(tmp_path)
    with pytest.raises(SessionError, match="name another file"):
        report_session(copy.path, tmp_path / "none" / "report.html")
    copy.events.write_text("nonsense\n" + copy.events.read_text())
    with pytest.raises(SessionError, match="line 1 is not an event"):
        report_session(copy.path)
    copy.events.unlink()
    with pytest.raises(SessionError, match=r"no events\.jsonl"):
        report_session(copy.path)


def test_evidence_that_was_withdrawn_is_none(copy: SessionFolder) -> None:
    bet = {"n": 9, "log10_e": 2.5, "log10_e_max": 2.5, "p": 0.003, "design": "shuffled"}
    bet |= {"decode_id": "d", "reason": "", "available": True, "protocol": "closed_set"}
    add(copy, "evidence", **bet)
    gone = {"available": False, "reason": "the order is another", "protocol": "", "over": True}
    add(copy, "evidence", **(bet | gone))
    evidence = read_account(copy).evidence
    said = {one.protocol: (one.n, one.reason) for one in evidence}
    assert said["closed_set"] == said[""] == (0, "the order is another")
    assert "unavailable: the order is another" in words(report_session(copy.path))


def test_evidence_that_was_interrupted_is_drawn(copy: SessionFolder) -> None:
    forget_evidence(copy)
    bet = {"n": 9, "log10_e": 2.5, "log10_e_max": 2.5, "p": 0.003, "design": "shuffled"}
    bet |= {"decode_id": "d", "reason": "", "available": True, "protocol": "closed_set"}
    away = {"available": False, "reason": "stimuli may have been missed", "protocol": ""}
    add(copy, "evidence", **(bet | away | {"over": False}))
    add(copy, "evidence", **bet)
    said = words(report_session(copy.path))
    assert "p = 0.003" in said
    assert "unavailable: stimuli may have been missed" in said


def test_names_are_no_formulas(copy: SessionFolder) -> None:
    """Of matplotlib, where two dollars enclose one."""

    def rename(message: dict[str, Any]) -> None:
        params = message["params"]
        for one in params.get("top") or ():
            one["id"] = f"${one['id']}_$"
        if params.get("truth"):
            params["truth"]["id"] = f"${params['truth']['id']}_$"
        if message["method"] == "quality":
            params["ch_names"] = [f"${name}_$" for name in params["ch_names"]]
            params["interpolated"] = [f"${name}_$" for name in params["interpolated"]]

    rewrite(copy, rename)
    assert "$face_$" in words(report_session(copy.path))


def test_latencies_of_two_protocols_are_not_put_together(copy: SessionFolder) -> None:
    seen = [0]

    def refine(message: dict[str, Any]) -> None:
        params = message["params"]
        if message["method"] == "text" and params["truth"]:
            seen[0] += 1
            params |= {"revision": 1, "final": True, "latency": 0.2 + 0.2 * (seen[0] % 2)}
            params["truth"]["trained"] = seen[0] <= 10

    rewrite(copy, refine)
    account = read_account(copy)
    assert set(account.by_latency) == {("closed_set", 2), ("zero_shot", 2)}
    for (protocol, _), found in account.by_latency.items():
        scores = [score for score in account.scores if score.protocol == protocol]
        n = sum(len(score.rank) for score in scores)
        assert sum(times for _, times in found.values()) == n
    said = words(report_session(copy.path))
    assert "With how much of the response, closed set" in said
    assert "With how much of the response, zero shot" in said
