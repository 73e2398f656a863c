from __future__ import annotations

import io
import json
import logging

import pytest

from decoder import logs
from streaming.errors import ConfigError


def bare_root(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """The root logger without pytest's handlers; it is put back after the test."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", logging.WARNING)
    return root


def test_json_lines_hold_what_a_machine_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    bare_root(monkeypatch)
    said = io.StringIO()
    monkeypatch.setattr("sys.stderr", said)
    monkeypatch.setenv("BRAINCAST_LOG", "json")
    monkeypatch.setenv("BRAINCAST_LOG_LEVEL", "info")
    logs.configure()
    log = logging.getLogger("braincast.test")
    log.info("stream %r\nis there", "Fz")
    try:
        int("three")
    except ValueError:
        log.exception("it failed")
    log.debug("not this")
    first, second = map(json.loads, said.getvalue().splitlines())
    assert first["message"] == "stream 'Fz'\nis there"
    assert (first["level"], first["logger"]) == ("info", "braincast.test")
    assert first["time"].endswith("+00:00")
    assert first["process"] > 0
    assert "ValueError: invalid literal" in second["traceback"]


def test_people_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    root = bare_root(monkeypatch)
    logs.configure()
    assert type(root.handlers[0]).__name__ == "RichHandler"
    assert root.level == logging.WARNING


@pytest.mark.parametrize("variable", ["BRAINCAST_LOG", "BRAINCAST_LOG_LEVEL"])
def test_what_is_not_known_is_said(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "loud")
    with pytest.raises(ConfigError, match=f"{variable}=loud"):
        logs.configure()
