"""The pages on clients, followed to the letter against a mock."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from decoder.script import FAULTS, GOLDEN, read_script
from tests.decoder.mocking import TOKEN, mocking
from tests.pages import ROOT, block, commands

CLIENTS, CONNECT = "docs/reference/clients.md", "docs/how-to/connect.md"
SCRIPT = read_script(GOLDEN)
DECODES = [line for line in SCRIPT.lines if line.stream == "text"]
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


@contextmanager
def running(
    command: list[str], cwd: Path | None = None, stdin: str = ""
) -> Iterator[Iterator[str]]:
    """Run a client, and give what it prints."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        child.stdin.write(stdin)
        child.stdin.flush()
        yield iter(child.stdout)
    finally:
        child.kill()
        child.stdin.close()
        child.stdout.close()
        child.wait()


def at(port: int, code: str) -> str:
    """Put the mock's address and token into an example."""
    for said in ("TOKEN", "secret"):
        code = code.replace(said, TOKEN)
    return code.replace("127.0.0.1:8000", f"127.0.0.1:{port}")


def found(lines: Iterator[str], *words: str) -> bool:
    """Whether there is a line with all these words."""
    return any(all(word in line for word in words) for line in lines)


def test_the_client_by_hand_in_python() -> None:
    with mocking(speed=5) as (mock, _):
        code = at(mock.port, block(CLIENTS, "by-hand"))
        with running([sys.executable, "-c", code]) as lines:
            assert found(lines, "'p': 0.", "'glyph': ")


@needs_node
def test_the_client_by_hand_in_javascript(tmp_path: Path) -> None:
    with mocking(speed=5) as (mock, _):
        script = tmp_path / "app.mjs"
        script.write_text(at(mock.port, block(CLIENTS, "by-hand-javascript")))
        command = ["node", "--experimental-websocket", str(script)]
        with running(command) as lines:
            assert found(lines, "p: 0.")


def test_the_client_by_hand_in_a_terminal() -> None:
    first, *typed = block(CLIENTS, "by-hand-terminal").splitlines()
    assert first.startswith("$ python ")
    with mocking(speed=5) as (mock, _):
        said = "".join(line.removeprefix("> ") + "\n" for line in typed)
        command = [sys.executable, *at(mock.port, first).split()[2:]]
        with running(command, stdin=at(mock.port, said)) as lines:
            assert found(lines, '"method":"text"', '"top":[{"id":')


@needs_node
def test_our_client_in_javascript_needs_no_flag(tmp_path: Path) -> None:
    module = ROOT / "decoder" / "server" / "static" / "client.js"
    (tmp_path / "client.mjs").write_text(module.read_text(encoding="utf-8"))
    with mocking() as (mock, _):
        (tmp_path / "app.mjs").write_text(at(mock.port, block(CONNECT, "connect-javascript")))
        with running(["node", "app.mjs"], tmp_path) as lines:
            said = [next(lines).strip() for _ in DECODES]
    assert all(said)


def test_our_client_in_python(tmp_path: Path) -> None:
    shutil.copy(ROOT / "decoder" / "client.py", tmp_path)
    with mocking() as (mock, _):
        code = at(mock.port, block(CONNECT, "connect-python"))
        (tmp_path / "app.py").write_text(code)
        with running([sys.executable, "app.py"], tmp_path) as lines:
            said = [next(lines).strip() for _ in DECODES]
    assert all(said)


def test_the_test_of_an_app(tmp_path: Path) -> None:
    shutil.copy(ROOT / "decoder" / "client.py", tmp_path)
    ours = f'"{sys.executable}", "-m", "decoder"'
    code = block(CONNECT, "connect-pytest").replace('"braincast"', ours)
    (tmp_path / "test_app.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_faults_of_the_page_are_all_that_there_are() -> None:
    named = [arguments[-1] for arguments in commands(block(CONNECT, "connect-faults"))]
    assert sorted(named) == sorted(FAULTS)


def dumped(label: str) -> bytes:
    """Return the bytes of a hex dump of the page; each line ends with them as text."""
    lines = [line for line in block(CLIENTS, label).splitlines() if line != "..."]
    return b"".join(bytes.fromhex(line[:47]) for line in lines)


def test_the_bytes_of_the_page_are_what_it_says() -> None:
    frame = dumped("bytes-authorize")
    mask, masked = frame[2:6], frame[6:]
    assert (frame[0], frame[1]) == (0x81, 0x80 | len(masked))
    text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked))
    assert json.loads(text)["params"] == {"token": "secret"}
    answer = dumped("bytes-answer")
    assert answer[:2] == b"\x81\x7e"
    assert int.from_bytes(answer[2:4], "big") == len(answer[4:])
    assert json.loads(answer[4:])["result"]["session"] == "golden-things"


def test_the_frame_of_signal_in_the_page_is_the_first_that_a_mock_sends() -> None:
    first = next(line.body for line in SCRIPT.lines if line.stream == "signal")
    assert isinstance(first, bytes)
    shown = dumped("bytes-signal")
    assert first.startswith(shown[4:])
    assert shown[:2] == b"\x82\x7e"
    assert int.from_bytes(shown[2:4], "big") == len(first)
