"""What `serve` refuses in a line, before anything is started."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from decoder.commands_serve import _session
from decoder.config import Config, SessionConfig
from models.checkpoint import save_model
from streaming.outlet import SignalOutlet
from streaming.signal import SignalSpec
from tests.decoder.complaining import complaint
from tests.decoder.tiny import tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    save_model(tiny_model(), folder)
    return folder


def test_a_stream_that_is_not_there(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name = f"none-{uuid4().hex}"
    said = complaint(
        capfd, "serve", "-m", model, "--name", name, "--timeout", "0.5", "--port", "0"
    )
    assert name in said


@pytest.fixture
def outlet() -> Iterator[tuple[str, SignalSpec]]:
    spec = SignalSpec(250.0, ("Cz", "Pz"))
    name = f"test-{uuid4().hex}"
    kept = SignalOutlet(spec, name)
    yield name, spec
    del kept


def test_a_stream_that_does_not_match(
    model: Path,
    outlet: tuple[str, SignalSpec],
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    said = complaint(
        capfd, "serve", "-m", model, "--name", outlet[0], "--port", "0", "--record", tmp_path
    )
    assert "250 Hz" in said
    assert "100 Hz" in said
    assert list(tmp_path.iterdir()) == []  # no session was begun


def test_a_port_in_use(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = complaint(capfd, "serve", "-m", model, "--port", port)
    assert port in said
    assert "--port" in said


def test_model_folders_that_are_none(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "not a model folder" in complaint(capfd, "serve", "-m", tmp_path, "--port", "0")
    text = json.loads((model / "model.json").read_text())
    weights = (model / "weights.safetensors").read_bytes()
    other, altered = tmp_path / "other", tmp_path / "altered"
    for folder in (other, altered):
        folder.mkdir()
        (folder / "weights.safetensors").write_bytes(weights)
    (other / "model.json").write_text(json.dumps(text | {"version": 99}))
    assert "99" in complaint(capfd, "serve", "-m", other, "--port", "0")
    (altered / "model.json").write_text(json.dumps(text))
    (altered / "weights.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    assert "altered" in complaint(capfd, "serve", "-m", altered, "--port", "0")


def test_another_address_than_loopback_is_refused_with_the_fix(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = complaint(capfd, "serve", "--model", tmp_path, "--host", "192.0.2.7")
    assert "--tls-cert" in said
    assert "--insecure" in said


def test_a_stop_file_that_is_there_already_is_refused(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (stop := tmp_path / "stop").touch()
    said = complaint(capfd, "serve", "-m", model, "--port", "0", "--stop-file", stop)
    assert "must not be there before a session" in said


@pytest.mark.parametrize("begun", [True, False])
def test_only_a_session_that_began_is_kept(begun: bool, model: Path, tmp_path: Path) -> None:
    config = Config(session=SessionConfig(record=tmp_path))
    with _session(config, [model]) as folder:
        if begun:
            folder.events.touch()
    assert folder.path.exists() == begun


def test_what_is_not_to_be_recorded_leaves_nothing(model: Path) -> None:
    with _session(Config(session=SessionConfig(record=None)), [model]) as folder:
        folder.events.touch()
    assert not folder.path.exists()
