"""A session is recorded without LSL or a server, then fed again, whole and after a crash."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decoder.equivalence import ADDED
from decoder.events import State
from decoder.folder import SessionFolder
from decoder.server.hub import Message
from decoder.server.wire import encode
from decoder.verify import verify_session
from streaming.errors import SessionError
from streaming.record import XdfWriter
from streaming.sources.recording import RecordingSource
from tests.decoder.sessions import record
from tests.examples import examples


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[SessionFolder, list[Message]]:
    return record(tmp_path_factory.mktemp("verify"))


def test_what_was_published_is_what_was_logged(
    recorded: tuple[SessionFolder, list[Message]],
) -> None:
    folder, sent = recorded
    logged = folder.events.read_text().splitlines()
    assert [m.body for m in sent if m.stream != "latency"] == logged
    methods = [json.loads(line)["method"] for line in logged]
    assert methods.count("text") > 30
    assert set(methods) == {"text", "markers", "evidence", "quality", "state"}
    assert [json.loads(line)["params"]["seq"] for line in logged] == list(
        range(1, len(logged) + 1)
    )


def test_a_session_comes_out_again_bit_for_bit(
    recorded: tuple[SessionFolder, list[Message]],
) -> None:
    folder, sent = recorded
    verdict = verify_session(folder.path)
    assert verdict.difference == ""
    assert verdict.n_equal == sum(m.stream != "latency" for m in sent)
    assert not verdict.cut_short


def altered(folder: SessionFolder, to: Path, name: str, old: str, new: str) -> Path:
    copy = to / "copy"
    shutil.copytree(folder.path, copy)
    path = copy / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return copy


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("events.jsonl", '"n_candidates":2', '"n_candidates":3', "differs in n_candidates"),
        ("events.jsonl", '"label":"house"', '"label":"face"', "differs in label"),
        ("inputs.jsonl", '"house"', '"face"', "differs in label"),
        ("manifest.json", '"to_si": [\n    1.0', '"to_si": [\n    -9.0', "differs in spread"),
    ],
)
def test_any_alteration_is_found_and_named(
    recorded: tuple[SessionFolder, list[Message]],
    tmp_path: Path,
    name: str,
    old: str,
    new: str,
    said: str,
) -> None:
    copy = altered(recorded[0], tmp_path, name, old, new)
    assert said in verify_session(copy).difference


def test_a_missing_event_is_found(
    recorded: tuple[SessionFolder, list[Message]], tmp_path: Path
) -> None:
    copy = SessionFolder(tmp_path / "copy")
    shutil.copytree(recorded[0].path, copy.path)
    lines = copy.events.read_bytes().splitlines(keepends=True)
    copy.events.write_bytes(b"".join(lines[:-9]))
    assert "is not in the log" in verify_session(copy.path).difference
    copy.events.write_bytes(b"".join(lines[:-1]))
    assert "is not in the log" in verify_session(copy.path).difference
    inputs = copy.inputs.read_bytes().splitlines(keepends=True)
    copy.inputs.write_bytes(b"".join(inputs[:-1]))  # no end: killed between input and event
    assert verify_session(copy.path).cut_short


@settings(
    examples(25),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seconds=st.floats(0, 59), torn=st.integers(1, 40))
def test_after_a_crash_what_is_there_verifies(
    recorded: tuple[SessionFolder, list[Message]],
    tmp_path_factory: pytest.TempPathFactory,
    seconds: float,
    torn: int,
) -> None:
    """Samples of the last second are gone, and each file ends in the middle of a line."""
    folder = recorded[0]
    copy = SessionFolder(tmp_path_factory.mktemp("crash") / "S")
    shutil.copytree(folder.path, copy.path)
    copy.raw.unlink()
    recorder = XdfWriter(copy.raw)
    source = RecordingSource(folder.path.parents[1] / "one_raw.fif", tap=recorder)
    for _ in range(round(seconds)):
        source.read()
    source.close()
    recorder.close()
    copy.events.write_bytes(copy.events.read_bytes()[:-torn])
    copy.inputs.write_bytes(copy.inputs.read_bytes()[:-torn])
    verdict = verify_session(copy.path)
    assert verdict.difference == ""
    assert verdict.cut_short


def test_a_folder_that_is_no_session_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="not a session folder"):
        verify_session(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(SessionError, match="file is not a session folder"):
        verify_session(tmp_path / "file")
    (tmp_path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(SessionError, match="format 99"):
        verify_session(tmp_path)


def on_another_machine(folder: SessionFolder, to: Path) -> SessionFolder:
    copy = SessionFolder(to / "elsewhere")
    shutil.copytree(folder.path, copy.path)
    manifest = copy.manifest()
    manifest["machine"]["cpu"] = "another"
    (copy.path / "manifest.json").write_text(json.dumps(manifest))
    return copy


def perturbed(folder: SessionFolder, factor: float) -> int:
    """Change the probability of the best candidate in each decode; return their number."""
    lines = [json.loads(line) for line in folder.events.read_text().splitlines()]
    decodes = [m["params"] for m in lines if m["method"] == "text" and m["params"]["top"]]
    for params in decodes:
        params["top"][0]["p"] *= factor
    folder.events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return len(decodes)


def test_on_another_machine_last_digits_may_differ(
    recorded: tuple[SessionFolder, list[Message]], tmp_path: Path
) -> None:
    copy = on_another_machine(recorded[0], tmp_path)
    verdict = verify_session(copy.path)
    assert verdict.n_close == 0
    assert verdict.environment.startswith("cpu another -> ")
    n_decodes = perturbed(copy, 1 + 1e-4)
    verdict = verify_session(copy.path)
    assert verdict.difference == ""
    assert verdict.n_close == n_decodes > 10
    perturbed(copy, 1 + 1e-2)
    assert "differs in top" in verify_session(copy.path).difference


def test_on_the_same_machine_no_digit_may(
    recorded: tuple[SessionFolder, list[Message]], tmp_path: Path
) -> None:
    copy = SessionFolder(tmp_path / "copy")
    shutil.copytree(recorded[0].path, copy.path)
    perturbed(copy, 1 + 1e-9)
    verdict = verify_session(copy.path)
    assert "differs in top" in verdict.difference
    assert verdict.environment == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"top":[{"id":"face"', '"top":[{"id":"house"'),
        ('"abstained":""', '"abstained":"gap"'),
        ('"first":', '"first":1'),
        ('"stale":false', '"stale":true'),
    ],
)
def test_another_decision_is_a_difference_everywhere(
    recorded: tuple[SessionFolder, list[Message]], tmp_path: Path, old: str, new: str
) -> None:
    copy = on_another_machine(recorded[0], tmp_path)
    text = copy.events.read_text()
    assert old in text
    copy.events.write_text(text.replace(old, new, 1))
    assert "differs in" in verify_session(copy.path).difference


def test_a_session_whose_disk_was_full_verifies_as_far_as_it_was_recorded(
    recorded: tuple[SessionFolder, list[Message]], tmp_path: Path
) -> None:
    copy = SessionFolder(tmp_path / "copy")
    shutil.copytree(recorded[0].path, copy.path)
    inputs = copy.inputs.read_text().splitlines(keepends=True)
    events = copy.events.read_text().splitlines(keepends=True)
    failed = ["state", 1.0, "failed", 1.0, "the disk is full", "recorder"]
    said = State("recorder", "failed", 1.0, "the disk is full")
    at = next(n for n, line in enumerate(inputs) if line.startswith('["chunk"'))
    inputs.insert(at, json.dumps(failed) + "\n")
    events.insert(0, encode(said, 1, 1.0) + "\n")
    copy.inputs.write_text("".join(inputs))
    copy.events.write_text("".join(events))
    verdict = verify_session(copy.path)
    assert verdict.difference == ""
    assert verdict.n_equal == len(events) - 1


def test_a_recording_that_the_disk_did_not_take_ends_what_can_be_compared(
    recorded: tuple[SessionFolder, list[Message]], tmp_path: Path
) -> None:
    copy = SessionFolder(tmp_path / "copy")
    shutil.copytree(recorded[0].path, copy.path)
    inputs = copy.inputs.read_text().splitlines(keepends=True)
    chunks = [n for n, line in enumerate(inputs) if line.startswith('["chunk"')]
    inputs.insert(chunks[len(chunks) // 2], '["recording", 1.0, "raw-2.xdf"]\n')
    copy.inputs.write_text("".join(inputs))
    verdict = verify_session(copy.path)
    assert verdict.difference == ""
    assert verdict.cut_short
    for name in ("../raw.xdf", "/raw.xdf", "a/../raw.xdf", "raw.xdf.gz"):
        copy.inputs.write_text("".join([f'["recording", 1.0, "{name}"]\n', *inputs]))
        with pytest.raises(SessionError, match="it was altered"):
            verify_session(copy.path)


def test_a_session_from_before_fields_were_added_is_verified(
    recorded: tuple[SessionFolder, list[Message]], tmp_path: Path
) -> None:
    folder, sent = recorded
    copy = tmp_path / "copy"
    shutil.copytree(folder.path, copy)
    lines = (copy / "events.jsonl").read_text().splitlines()

    def older(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: older(each) for name, each in value.items() if name not in ADDED}
        return [older(each) for each in value] if isinstance(value, list) else value

    kept = [older(json.loads(line)) for line in lines]
    (copy / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in kept))
    assert not set(kept[-1]["params"]) & ADDED
    for name, section in (("manifest.json", ("design",)), ("config.yaml", ())):
        assert (copy / name).is_file()
        if section:
            said = json.loads((copy / name).read_text())
            for key in section:
                said.pop(key, None)
            (copy / name).write_text(json.dumps(said))
    verdict = verify_session(copy)
    assert verdict.difference == ""
    assert verdict.n_equal == sum(m.stream != "latency" for m in sent)


def test_what_an_older_session_did_say_must_come_out_again(
    recorded: tuple[SessionFolder, list[Message]], tmp_path: Path
) -> None:
    folder, _ = recorded
    path = altered(folder, tmp_path, "events.jsonl", '"n_repeats":1', '"n_repeats":2')
    assert "differs in n_repeats" in verify_session(path).difference
