from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from decoder.folder import SessionFolder
from decoder.verified import keep_verdict, kept_verdict
from decoder.verify import Verdict
from tests.decoder.sessions import lay_out
from tests.decoder.tiny import SPEC


@pytest.fixture
def folder(tmp_path: Path) -> SessionFolder:
    return lay_out(tmp_path / "S", SPEC, np.zeros((3, 5), np.float32), [])


def test_a_verdict_holds_until_the_files_are_others(folder: SessionFolder) -> None:
    assert kept_verdict(folder).startswith("not yet")
    keep_verdict(folder, Verdict(12, "", cut_short=False))
    assert kept_verdict(folder).startswith("yes, on 2")
    assert "12 events came out again, bit for bit" in kept_verdict(folder)
    with folder.events.open("a") as log:
        log.write("one more\n")
    assert kept_verdict(folder).startswith("not as it is now")


def test_what_was_found_is_said(folder: SessionFolder) -> None:
    keep_verdict(folder, Verdict(3, "event 4 differs in label", cut_short=False))
    assert kept_verdict(folder).endswith("event 4 differs in label")
    keep_verdict(folder, Verdict(3, "", cut_short=True, n_close=2, environment="another cpu"))
    assert "5 events came out again, 2 within the tolerances" in kept_verdict(folder)
    assert "as after a crash" in kept_verdict(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"when": "now", "of": {}, "by": "me"}'])
def test_a_verdict_that_cannot_be_read_is_none(folder: SessionFolder, text: str) -> None:
    (folder.path / "verified.json").write_text(text)
    assert kept_verdict(folder).startswith("unknown: ")
