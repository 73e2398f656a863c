from __future__ import annotations

import importlib
import json
import socket
from typing import Any

import pytest

from decoder import listening
from decoder.cli import main
from decoder.commands_decode import describe
from streaming.errors import ConfigError
from tests.decoder.complaining import complaint
from tests.decoder.mocking import mocking


@pytest.mark.parametrize(
    ("options", "port"),
    [
        ([], 8000),
        (["--port", "0"], 0),
        (["--json"], 0),
        (["--json", "--port", "8123"], 8123),
    ],
)
def test_the_demo_listens_where_it_is_told(
    options: list[str],
    port: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def listen(host: str, asked: int) -> Any:
        raise ConfigError(f"{host} {asked}")

    importlib.import_module("decoder.demo")  # else its modules would keep what follows
    monkeypatch.setattr(listening, "listen", listen)
    assert complaint(capfd, "demo", *options) == f"braincast: 127.0.0.1 {port}"


def test_what_is_listened_to_is_printed_for_people_or_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with mocking() as (_, url):
        assert main(["listen", url, "-n", "2", "--json"]) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["stream"] for line in lines] == ["text", "text"]
        assert lines[0]["seq"] < lines[1]["seq"]


def decode(**changes: Any) -> dict[str, Any]:
    top = [{"id": "cat", "text": "[a] cat", "p": 0.421}]
    event: dict[str, Any] = {"abstained": "", "stale": False, "top": top, "truth": None}
    return event | changes


@pytest.mark.parametrize(
    ("stream", "params", "words"),
    [
        ("text", decode(), "[a] cat 42%"),
        ("text", decode(stale=True), "STALE"),
        ("text", decode(abstained="gap", top=[]), "no decode (gap)"),
        ("text", decode(truth={"rank": 3, "text": "dog"}), "wrong (was dog, rank 3)"),
        ("text", decode(truth={"rank": 1, "text": "cat"}), "right (was cat, rank 1)"),
        ("markers", {"text": "", "label": "7"}, "7"),
        ("state", {"what": "source"}, '{"what": "source"}'),
    ],
)
def test_an_event_is_one_line_for_a_person(
    stream: str, params: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    Console(width=200).print(describe(stream, params), highlight=False)
    said = capsys.readouterr().out
    assert words in said
    assert len(said.splitlines()) == 1


def test_listen_where_nobody_is(capfd: pytest.CaptureFixture[str]) -> None:
    said = complaint(capfd, "listen", "http://127.0.0.1:1/#token=secret")
    assert "braincast serve" in said
    assert "secret" not in said


def test_a_demo_of_a_participant_that_is_none_is_refused(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert "huge" in complaint(capfd, "demo", "--snr", "huge")


def test_a_demo_where_another_listens_names_the_port(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = complaint(capfd, "demo", "--port", port)
    assert port in said
    assert "--port" in said
