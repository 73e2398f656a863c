from __future__ import annotations

from pathlib import Path

from decoder.control import MarkBad
from decoder.folder import SessionFolder
from decoder.journal import Journal
from decoder.resume import Resumption, resume
from decoder.session import FRESH_START, Start
from tests.decoder.tiny import chunk, signal


def text(seq: int, decode_id: str, truth: str = "null", stale: str = "false") -> str:
    params = (
        f'{{"seq":{seq},"decode_id":"S/locked/{decode_id}","truth":{truth},"stale":{stale}}}'
    )
    return f'{{"jsonrpc":"2.0","method":"text","params":{params}}}\n'


def truth(rank: int, trained: str) -> str:
    return f'{{"rank":{rank},"trained":{trained}}}'


def test_a_new_session_starts_afresh(tmp_path: Path) -> None:
    assert resume(SessionFolder(tmp_path)) == Resumption()


def test_what_was_said_is_gone_on_from_and_torn_lines_are_cut(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path)
    lines = [
        text(1, "0", truth(3, "true")),
        text(2, "7", truth(1, "false")),
        text(3, "5", truth(2, "true"), stale="true"),
        text(4, "6"),
    ]
    folder.events.write_text("".join(lines) + '{"jsonrpc":"2.0","met')
    journal = Journal(folder.inputs)
    journal.start(FRESH_START, 0.0)
    journal.write(chunk(signal(), 0, 100), 0, 1.0)
    journal.write(MarkBad(("Cz", "Pz"), bad=True), 0, 1.5)
    journal.write(chunk(signal(), 100, 130), 100, 2.0)
    journal.write(MarkBad(("Cz",), bad=False), 0, 2.5)
    journal.abandon()
    with folder.inputs.open("a") as file:
        file.write('["chunk", 3.0, 0, 130')
    before = resume(folder)
    assert before.start == Start(8, {"closed_set": [3], "zero_shot": [1]})
    assert before.last_seq == 4
    assert before.next_row == 130
    assert before.controls == (MarkBad(("Pz",), bad=True),)
    assert folder.events.read_text() == "".join(lines)
    assert folder.inputs.read_text().endswith("]\n")
