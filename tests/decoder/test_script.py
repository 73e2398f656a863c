from __future__ import annotations

import json
from pathlib import Path

import pytest

from decoder.cli import main
from decoder.script import GOLDEN, read_script
from decoder.server.wire import STREAMS

LOGGED = [line for line in read_script(GOLDEN).lines if line.seq]


def test_the_golden_files_have_every_stream_and_kind_of_state() -> None:
    stop = GOLDEN.with_name("stop.jsonl")
    lines = (*read_script(GOLDEN).lines, *read_script(stop).lines)
    assert {line.stream for line in lines} == set(STREAMS) - {"image"}
    said = [json.loads(line.body)["params"] for line in lines if line.stream == "state"]
    assert {(p["what"], p["state"]) for p in said} >= {
        ("source", "live"), ("source", "stalled"), ("source", "ended"),
        ("decoder", "settling"), ("decoder", "ready"), ("overrun", "overrun"),
        ("gap", "gap"), ("gap", "filled"), ("gap", "revised"), ("candidates", "changed"),
        ("model", "swapped"), ("model", "rolled back"), ("note", "taken"),
        ("blind", "on"), ("blind", "off"),
        ("session", "paused"), ("session", "stopped"), ("session", "decoding"),
    }  # fmt: skip
    decodes = [json.loads(line.body)["params"] for line in lines if line.stream == "text"]
    reasons = {p["abstained"] for p in decodes}
    assert reasons >= {"", "settling", "gap", "bad samples", "paused"}
    assert len({p["candidates_version"] for p in decodes}) > 3


def test_the_bytes_are_those_of_the_file() -> None:
    lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    script = read_script(GOLDEN)
    kept = [line for line in lines if '"base64"' not in line][1:]
    assert [line.body for line in script.lines if isinstance(line.body, str)] == kept


def test_gaps_are_told_with_what_follows_from_them() -> None:
    script = read_script(GOLDEN, "gap")
    said = [json.loads(line.body) for line in script.lines if line.seq]
    assert [message["params"]["seq"] for message in said] == [*range(1, len(said) + 1)]
    at = next(n for n, m in enumerate(said) if m["params"].get("reason") == "lost")
    assert [m["params"].get("abstained", m["params"].get("state")) for m in said[at:]][:4] == [
        "gap",
        "settling",
        "gap",
        "ready",
    ]


def test_a_session_folder_or_its_log_alone_will_do(tmp_path: Path) -> None:
    log = tmp_path / "S" / "events.jsonl"
    log.parent.mkdir()
    text = "".join(f"{line.body!s}\n" for line in LOGGED)
    log.write_text(text + '{"torn', encoding="utf-8")
    for path in (log.parent, log):
        script = read_script(path)
        assert script.session_id == "S"
        assert len(script.lines) == len(LOGGED)
        named = {c["id"] for c in script.candidates}
        top = json.loads(next(line for line in LOGGED if line.stream == "text").body)["params"]
        assert {c["id"] for c in top["top"]} <= named


@pytest.mark.parametrize(
    ("content", "match"),
    [(None, "cannot read"), ("", "says nothing"), ("[]\n", "line 1 is no event"),
     ('{"method":"text","params":{}}\n', "line 1 is no event")],
)  # fmt: skip
def test_what_is_no_log_is_refused_in_a_line(
    tmp_path: Path, content: str | None, match: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.jsonl"
    if content is not None:
        path.write_text(content)
    assert main(["mock", str(path)]) == 2
    assert match in capsys.readouterr().err
    assert main(["mock", "--fault", "fire"]) == 2
    assert "stale, gap, abstain, drop, 1013" in capsys.readouterr().err
