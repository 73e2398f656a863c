"""What a user gets who does something wrong: one line, the fix, exit code 2, no traceback."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import mne
import numpy as np
import pytest
import typer

from decoder.cli import MANY, app, main, spread
from decoder.config import SourceConfig
from decoder.sources import open_source
from models.checkpoint import save_model
from streaming.errors import ConfigError
from streaming.outlet import SignalOutlet
from streaming.signal import SignalSpec
from tests.decoder.complaining import complaint
from tests.decoder.tiny import tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    save_model(tiny_model(), folder)
    return folder


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a recording of a minute with two kinds of events, and a flat channel."""
    rng = np.random.default_rng(0)
    data = rng.standard_normal((3, 6000)) * 1e-5
    data[2] = 0
    raw = mne.io.RawArray(
        data, mne.create_info(["Cz", "Pz", "flat"], 100.0, "eeg"), verbose="error"
    )
    onsets = np.arange(10, 58, 0.8)
    labels = ["face" if n % 2 else "house" for n in range(len(onsets))]
    raw.set_annotations(mne.Annotations(onsets, 0.0, labels))
    path = tmp_path_factory.mktemp("recordings") / "one_raw.fif"
    raw.save(path, verbose="error")
    return path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--speed", "fast"], "--speed must be a positive number or max, got 'fast'"),
        (["--speed", "0"], "--speed must be"),
        (["--start", "60"], "no sample from 60"),
        (["--fault", "drop@10"], "write it like drop@10:2s"),
        (["--fault", "dorp@10:2s"], "there is no kind 'dorp'"),
        (["--fault", "flat@1:1s:channels=Oz"], "no channel 'Oz'"),
        (["--faults", "none.yaml"], "none.yaml cannot be read"),
    ],
)
def test_a_replay_that_cannot_be(
    recording: Path, capfd: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert said in complaint(capfd, "replay", recording, *options)


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
        for command in (["serve", "-m", model], ["demo"]):
            said = complaint(capfd, *command, "--port", port)
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


def test_recordings_that_cannot_be_used(
    recording: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fit = ("fit", "--events", "face", "house", "-o", tmp_path / "model")

    def refused(path: Path) -> str:
        return complaint(capfd, "fit", path, *fit[1:])

    assert "no recording" in refused(tmp_path / "none_raw.fif")
    empty = tmp_path / "empty_raw.fif"
    empty.touch()
    assert "empty" in refused(empty)
    broken = tmp_path / "broken_raw.fif"
    broken.write_bytes(recording.read_bytes()[:3000])
    assert "broken_raw.fif" in refused(broken)
    prose = tmp_path / "letter.docx"
    prose.write_text("Dear reviewer")
    assert "letter.docx" in refused(prose)
    assert not (tmp_path / "model").exists()


def test_events_that_are_not_there(
    recording: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = complaint(
        capfd, "fit", recording, "--events", "cat", "dog", "-o", tmp_path / "model"
    )
    assert "cat, dog" in said
    assert "face" in said


def test_fit_without_events_or_with_two_accounts(
    recording: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = ("-o", tmp_path / "model")
    assert "--events face house" in complaint(capfd, "fit", recording, *output)
    said = complaint(
        capfd, "fit", recording, "--events", "face", "--stimuli", tmp_path / "s.tsv", *output
    )
    assert "either" in said


def test_a_flat_channel_is_left_out_and_named(
    recording: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "model"
    fit = ("fit", str(recording), "--events", "face", "house", "--no-report")
    assert main([*fit, "-o", str(output)]) == 0
    said = json.loads((output / "model.json").read_text())
    assert said["spec"]["ch_names"] == ["Cz", "Pz"]
    assert "flat" in said["training"]["dropped"]["flat"]


def test_listen_where_nobody_is(capfd: pytest.CaptureFixture[str]) -> None:
    said = complaint(capfd, "listen", "http://127.0.0.1:1/#token=secret")
    assert "braincast serve" in said
    assert "secret" not in said


def test_sample_and_verify_of_what_is_not_there(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "muse-n170" in complaint(capfd, "sample", "nothing", "-o", tmp_path)
    assert "session" in complaint(capfd, "verify", tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [["simulate", "--snr", "huge"], ["simulate", "--channels", "2"], ["demo", "--snr", "huge"]],
)
def test_simulations_that_make_no_sense(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert arguments[-1] in complaint(capfd, *arguments)


def test_an_unknown_option_is_told_by_name(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--modle", "x"]) == 2
    assert "--modle" in capfd.readouterr().err


def test_every_command_has_help(capfd: pytest.CaptureFixture[str]) -> None:
    names = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert set(names) >= {
        *("demo", "simulate", "sample", "streams", "replay"),
        *("fit", "serve", "listen", "doctor", "verify", "export", "timing"),
    }
    for name in names:
        assert main([name, "--help"]) == 0
        assert len(capfd.readouterr().out) > 200


def test_each_option_that_may_be_repeated_takes_several_values() -> None:
    commands = [typer.main.get_command(app)]
    repeated = set()
    while commands:
        command = commands.pop()
        commands += getattr(command, "commands", {}).values()
        repeated |= {
            tuple(option.opts)
            for option in command.params
            if option.param_type_name == "option" and option.multiple
        }
    assert ("--people",) in repeated
    said_anew = {"--model", "--allow-host", "--fault"}  # for each, as their help says
    assert not [names for names in repeated if not set(names) & {*MANY, *said_anew}]


def test_options_with_several_values() -> None:
    spread_out = spread(["fit", "a.fif", "--events", "a", "b", "--drop", "c", "-o", "m"])
    assert spread_out == [
        *("fit", "a.fif", "--events", "a", "--events", "b"),
        *("--drop", "c", "-o", "m"),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("demo --seconds -1", "invalid value for '--seconds': .* 0"),
        ("timing --seconds 0", "invalid value for '--seconds': .* 1"),
        ("streams --timeout -3", "invalid value for '--timeout'"),
        ("serve -m model --port 99999", "invalid value for '--port'"),
        ("serve -m model --timeout -1", "invalid value for '--timeout'"),
        ("replay x.xdf --start -2", "invalid value for '--start'"),
        ("simulate --channels 0", "invalid value for '--channels'"),
        ("listen http://x -n -1", "invalid value for '-n'"),
        ("serve --nope", "no such option: --nope"),
        ("replay", "missing argument 'recordings'"),
        ("nonsense", "no such command 'nonsense'"),
        ("serve -m model --trigger-mask zz", "--trigger-mask must be a positive number"),
        ("fit x.fif --events a b -o m --trigger-mask 1", "name it with --trigger-channel"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    arguments: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert re.search(said, complaint(capfd, *arguments.split()))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (SourceConfig(address="fieldtrip://x:1", streams=("a",)), "--stream is for LSL"),
        (SourceConfig(streams=("a",), name="b"), "--stream names the signals: leave out"),
        (SourceConfig(trigger_mask=1), "name it with --trigger-channel"),
    ],
)
def test_sources_that_contradict_themselves_are_refused(
    source: SourceConfig, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        open_source(source, None)


def test_help_is_what_no_command_means(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "serve" in capfd.readouterr().out


def test_another_address_than_loopback_is_refused_with_the_fix(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = complaint(capfd, "serve", "--model", tmp_path, "--host", "192.0.2.7")
    assert "--tls-cert" in said
    assert "--insecure" in said
