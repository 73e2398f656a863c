"""The tutorial of a day, followed with fewer trials; `benchmarks/day.py` follows all of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks._day import TUTORIAL, Day, blocks
from decoder.accounting import read_account
from decoder.folder import SessionFolder
from tests.pages import commands

SHORTER = {
    "--trials 600": "--trials 100",
    "--trials 300": "--trials 70",
    "--minutes 7.5": "--minutes 1.2 --no-report",
    "flat@100:40s": "flat@20:end",
    "disconnect@200:5s": "disconnect@45:5s",
    "-n 20": "-n 2",
}
"""What is typed instead, so that it takes a minute."""


def test_the_page_has_every_command_in_a_block() -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    said = [line for page in blocks().values() for line in commands(page)]
    assert said == commands(text)
    labels = re.findall(r"<!-- day: ([\w-]+) -->", text)
    assert sorted(blocks()) == sorted(labels)
    for short in SHORTER:
        assert short in text


@pytest.mark.slow
def test_a_morning_in_the_lab(tmp_path: Path) -> None:
    day = Day(tmp_path, SHORTER)
    day.run("doctor")
    day.python("photodiode")
    for label in ("timing", "monday", "calibrate", "decode", "look"):
        day.run(label)
    timing = json.loads((tmp_path / "timing.json").read_text())
    assert 0.0005 < timing["onset_offset"] < 0.0035
    account = read_account(SessionFolder(day.session()))
    assert account.ending == "ended in good order"
    assert account.windows.count("decoded") > 0
    assert account.channels is not None
    dead = dict(zip(account.channels.ch_names, account.channels.interpolated, strict=True))
    assert {"Cz", "Pz"} <= {name for name, stood_in in dead.items() if stood_in.any()}
    assert ("source", "lost") in {(one.what, one.state) for one in account.happened}
    verified, report, exported = day.said["look"]
    assert "came out again, bit for bit" in verified[-1]
    assert Path(report[-1]).stat().st_size > 100_000
    assert "sub-01_ses-monday_task-things" in exported[-1]
