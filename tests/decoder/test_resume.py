from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from decoder.config import Config
from decoder.control import MarkBad
from decoder.events import Evidence, MarkerSeen, State
from decoder.folder import SessionFolder, write_manifest
from decoder.journal import Journal
from decoder.resume import Resumption, resume
from decoder.runtime import Place
from decoder.server.wire import encode
from decoder.start import FRESH_START, Start
from streaming.link import Hello
from streaming.link_feed import Position
from tests.decoder.tiny import SPEC, chunk, marker, signal

HELLO = Hello("amplifier", SPEC, (1.0, 1.0, 1.0))


def text(seq: int, decode_id: str, truth: str = "null", stale: str = "false") -> str:
    params = (
        f'{{"seq":{seq},"decode_id":"S/locked/{decode_id}","truth":{truth},"stale":{stale},'
        '"model_id":"m","candidates_hash":"c"}'
    )
    return f'{{"jsonrpc":"2.0","method":"text","params":{params}}}\n'


def truth(rank: int, trained: str) -> str:
    return f'{{"rank":{rank},"trained":{trained}}}'


EVIDENCE = (
    Evidence("S/0", "closed_set", "shuffled", 1, 0.1, 0.1, 0.8, log10_bets=(0.1, 0.2)),
    Evidence("S/1", "closed_set", "shuffled", 2, 0.0, 0.1, 0.8, log10_bets=(0.0, 0.1)),
    Evidence("", "", "shuffled", 0, 0.0, 0.0, 1.0, available=False, reason="r", over=True),
)
BETS = {
    "stakes": {"closed_set": [2, [0.0, 0.1], 0.1]},
    "reason": "r",
    "over": True,
    "warning": "",
}


def test_a_new_session_starts_afresh(tmp_path: Path) -> None:
    assert resume(SessionFolder(tmp_path)) == Resumption()


def test_what_was_said_is_gone_on_from_and_torn_lines_are_cut(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path)
    lines = [
        text(1, "0", truth(3, "true")),
        text(2, "7", truth(1, "false")),
        text(3, "5", truth(2, "true"), stale="true"),
        text(4, "6"),
        *(encode(event, seq, 1.0) + "\n" for seq, event in enumerate(EVIDENCE, 5)),
    ]
    folder.events.write_text("".join(lines) + '{"jsonrpc":"2.0","met')
    write_manifest(folder, HELLO, Config())
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
    ranks = {"closed_set": [3], "zero_shot": [1]}
    assert before.start == Start(8, ranks, "m/c", evidence=BETS)
    assert before.last_seq == 7
    assert before.place == Place("raw.xdf", 130, 101.3)
    assert before.position == Position(HELLO, 0, 0)
    assert before.controls == (MarkBad(("Pz",), bad=True),)
    assert folder.events.read_text() == "".join(lines)
    assert folder.inputs.read_text().endswith("]\n")


def test_the_last_stop_is_known(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path)
    states = [State("session", state, 1.0, "") for state in ("stopped", "decoding")]
    lines = [encode(state, seq, 1.0) + "\n" for seq, state in enumerate(states * 2, 1)]
    folder.events.write_text("".join(lines))
    write_manifest(folder, HELLO, Config())
    Journal(folder.inputs).abandon()
    assert resume(folder).purged == 3


def test_after_another_recording_segments_go_on_counting(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path)
    folder.events.touch()
    write_manifest(folder, HELLO, Config())
    journal = Journal(folder.inputs)
    journal.start(FRESH_START, 0.0)
    journal.write(chunk(signal(), 0, 100, segment=0), 0, 1.0)
    journal.write(chunk(signal(), 0, 100, segment=2), 100, 2.0)
    journal.recording("raw-2.xdf", 3.0)
    journal.write(marker(20, segment=3), 0, 3.0)
    assert resume(folder).position == Position(replace(HELLO, recording="raw-2.xdf"), 3, 3)
    assert resume(folder).place == Place("raw.xdf", 200, 101.0)
    journal.write(chunk(signal(), 0, 30, segment=4), 50, 4.0)
    journal.abandon()
    before = resume(folder)
    assert before.place == Place("raw-2.xdf", 80, 100.3)
    assert before.position == Position(replace(HELLO, recording="raw-2.xdf"), 3, 4)


def test_sets_are_counted_on_from_the_newest_score(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path)
    score = {"protocol": "closed_set", "n_sets": 4, "coverage": 0.75, "set_size": 2.5}
    lines = [json.loads(text(n, str(n), truth(1, "true"))) for n in (1, 2)]
    lines[0]["params"]["running"] = [score | {"n_sets": 3, "coverage": 2 / 3}]
    lines[1]["params"]["running"] = [score]
    folder.events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_manifest(folder, HELLO, Config())
    Journal(folder.inputs).abandon()
    start = resume(folder).start
    assert start.sets == {"closed_set": [4, 3, 10]}
    journal = Journal(folder.inputs)
    journal.start(start, 5.0)
    journal.abandon()
    entry = json.loads(folder.inputs.read_text().splitlines()[-1])
    assert Start(*entry[2:]) == start


def test_numbered_trials_are_known(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path)
    labels = [f'{{"marker": "face", "trial_id": {n}}}' for n in (1, 1, 2)]
    seen = [MarkerSeen(marker(10, label), "stimulus") for label in [*labels, "face"]]
    seen.append(MarkerSeen(marker(20, labels[0].replace("1", "3")), "unknown"))
    lines = [encode(event, seq, 1.0) + "\n" for seq, event in enumerate(seen, 1)]
    folder.events.write_text("".join(lines))
    write_manifest(folder, HELLO, Config())
    Journal(folder.inputs).abandon()
    left = resume(folder).start.evidence
    assert left is not None
    assert left["trials"] == [labels[0], labels[2]]
