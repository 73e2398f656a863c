from __future__ import annotations

import json
import struct
import subprocess
import sys
from itertools import islice
from pathlib import Path

import httpx
import pytest

from decoder import client
from decoder.cli import main
from decoder.script import EVERY, GOLDEN, read_script
from tests.decoder.mocking import TOKEN, mocking

EVERYTHING = ("text", "markers", "quality", "state")
LOGGED = [line for line in read_script(GOLDEN).lines if line.seq]


def bodies(url: str, n: int = len(LOGGED)) -> list[str]:
    """Return the first events of a mock, as they came."""
    with client.connect(url, EVERYTHING, from_seq=1) as events:
        return [json.dumps(event.params, sort_keys=True) for event in islice(events, n)]


def test_every_event_comes_as_it_was_said_and_each_time_the_same() -> None:
    said = [json.dumps(json.loads(line.body)["params"], sort_keys=True) for line in LOGGED]
    for _ in range(2):
        with mocking() as (_, url):
            assert bodies(url) == said


def test_the_bytes_are_those_of_the_file() -> None:
    lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    script = read_script(GOLDEN)
    kept = [line for line in lines if '"base64"' not in line][1:]
    assert [line.body for line in script.lines if isinstance(line.body, str)] == kept


def test_signal_comes_as_binary_frames() -> None:
    with mocking(speed=50) as (_, url), client.connect(url, ("signal",)) as events:
        event = next(iter(events))
    assert isinstance(event, client.Signal)
    said = event.params
    assert [len(channel) for channel in event.samples()] == [said["n_times"]] * said[
        "n_channels"
    ]
    assert struct.unpack("<f", event.data[:4])[0] == event.samples()[0][0]


def test_a_client_that_comes_later_gets_all_from_the_log() -> None:
    with mocking() as (_, url):
        first = bodies(url)
        assert bodies(url) == first


def test_rest_describes_the_session_and_its_candidates() -> None:
    with mocking() as (mock, _):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        about = httpx.get(f"{mock.url}/v1/session", headers=headers).json()
        candidates = httpx.get(f"{mock.url}/v1/candidates", headers=headers).json()
    assert about["simulated"]["snr"] == "easy"
    assert about["candidates"]["n"] == len(candidates) == 300


def decodes(fault: str) -> list[client.Decode]:
    with mocking(fault=fault) as (_, url), client.connect(url, from_seq=1) as events:
        n = sum(line.stream == "text" for line in LOGGED)
        found = [e.fields for e in islice(events, n) if isinstance(e, client.Text)]
    assert len(found) == n
    return found


def test_each_third_decode_can_be_stale() -> None:
    late = decodes("stale")[EVERY - 1 :: EVERY]
    assert all(decode["stale"] for decode in late)
    assert all(decode["t_emit"] - decode["t_end"] > 2 for decode in late)


def test_each_third_decode_can_be_withheld() -> None:
    withheld = decodes("abstain")[EVERY - 1 :: EVERY]
    assert all(decode["abstained"] and not decode["top"] for decode in withheld)
    assert len({decode["abstained"] for decode in withheld}) > 3


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


@pytest.mark.parametrize("fault", ["drop", "1013"])
def test_a_client_whose_connections_end_gets_every_event_once(fault: str) -> None:
    with (
        mocking(fault=fault) as (_, url),
        client.connect(url, EVERYTHING, from_seq=1) as events,
    ):
        seqs = [event.params["seq"] for event in islice(events, len(LOGGED))]
        assert events.n_connections > 1
    assert seqs == [*range(1, len(LOGGED) + 1)]


def test_what_an_operator_may_do_is_answered_and_said() -> None:
    with mocking(speed=50) as (_, url), client.connect(url, EVERYTHING, from_seq=1) as events:
        assert events.control("pause") == "paused"
        assert events.inject_marker("cough", 3.0) == 3.0
        things = [{"id": "cat", "text": "a cat"}, {"id": "sphinx", "text": "a sphinx"}]
        changed = events.set_candidates(things)
        assert (changed["candidates_version"], changed["n_candidates"]) == (2, 2)
        assert events.set_candidates(things[:1], "remove")["n_candidates"] == 1
        with pytest.raises(client.RequestError, match="sphynx"):
            events.set_candidates([{"id": "sphynx", "text": ""}], "remove")
        with pytest.raises(client.RequestError, match="no channel 'Xz'"):
            events.request("markBad", {"ch_names": ["Xz"]})
        with pytest.raises(client.RequestError, match="a mock has none"):
            events.control("swapModel", model="other")
        assert events.control("note", text="sneezed") == "paused"
        assert events.control("blind", on=True) == "paused"
        assert events.control("resume") == "decoding"
        n = len(LOGGED) + 7
        said = [event.params for event in islice(events, n)]
    assert [params["seq"] for params in said] == [*range(1, n + 1)]
    changes = [p for p in said if p.get("what") in {"session", "candidates", "note", "blind"}]
    assert [p["state"] for p in changes] == [
        "paused", "changed", "changed", "taken", "on", "decoding",
    ]  # fmt: skip
    assert any(p.get("label") == "cough" for p in said)


def test_after_a_stop_nothing_is_said_until_it_is_resumed_and_nothing_twice() -> None:
    with mocking(speed=50) as (_, url):
        with client.connect(url, EVERYTHING, from_seq=1) as events:
            for event in events:
                if event.stream == "text":
                    break
            assert events.control("stop", reason="enough") == "stopped"
            with pytest.raises(client.RequestError) as refused:
                events.control("pause")
            assert refused.value.code == -32004
            last = events.request("authorize", {"token": TOKEN})["last_seq"]
        with pytest.raises(client.RequestError) as purged, client.connect(url, from_seq=1):
            pass
        assert purged.value.code == -32005
        with client.connect(url, EVERYTHING, from_seq=last) as events:
            stopped = next(iter(events)).params
            assert (stopped["what"], stopped["state"]) == ("session", "stopped")
            events.control("resume")
            left = len(LOGGED) + 2 - last
            seqs = [event.params["seq"] for event in islice(events, left)]
        assert seqs == [*range(last + 1, last + left + 1)]


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


def test_the_command_needs_no_lsl_no_torch_and_no_model() -> None:
    code = """
import sys
from decoder import cli, mock, commands_mock
loaded = {"torch", "pylsl", "transformers", "mne", "sklearn", "PIL"} & set(sys.modules)
print(sorted(loaded))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
