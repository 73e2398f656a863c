"""Commands around signals: what they send, list and record, and what they refuse in a line."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from decoder import simulation
from decoder.cli import main
from streaming import lsl_streams
from streaming.lsl_streams import StreamSummary
from streaming.sources.simulated import SimulatedSettings
from tests.decoder.complaining import complaint
from tests.decoder.faces import record_faces

STREAM = StreamSummary("[amp]", "EEG", 8, 0.0, "id-1", "here")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_faces(tmp_path_factory.mktemp("recordings") / "one_raw.fif")


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


def test_a_name_is_of_one_recording(recording: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = complaint(capfd, "replay", recording, recording, "--name", "x")
    assert "--name names one stream, but there are 2 recordings: leave it out" in said


def test_a_buffer_takes_one_signal(recording: Path, capfd: pytest.CaptureFixture[str]) -> None:
    to = ("--to", "fieldtrip://127.0.0.1:0")
    said = complaint(capfd, "replay", recording, recording, *to)
    assert "a buffer takes one signal, and there are 2: send over LSL" in said


@pytest.mark.parametrize(
    "arguments",
    [["simulate", "--snr", "huge"], ["simulate", "--channels", "2"]],
)
def test_simulations_that_make_no_sense(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert arguments[-1] in complaint(capfd, *arguments)


def test_a_recording_that_is_not_offered_is_refused_with_those_that_are(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "muse-n170" in complaint(capfd, "sample", "nothing", "-o", tmp_path)


@pytest.mark.parametrize("live", [False, True])
def test_a_participant_that_is_saved_is_the_one_that_was_asked_for(
    live: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    saved: list[tuple[SimulatedSettings, int, Path]] = []
    work = "save_live" if live else "save_calibration"
    monkeypatch.setattr(simulation, work, lambda *asked: saved.append(asked))
    how = ["--meg", "--drift", "0.5", "--soa", "1", *(["--live"] if live else [])]
    assert main(["simulate", "--save", str(tmp_path), *how]) == 0
    meg = SimulatedSettings(
        snr="easy", n_channels=306, sfreq=1000.0, meg=True, soa=1.0, drift=0.5
    )
    assert saved == [(meg, 1000, tmp_path)]
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path)


@pytest.mark.parametrize("found", [[], [STREAM]])
def test_streams_are_listed_for_people_and_for_programs(
    found: list[StreamSummary],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(lsl_streams, "list_streams", lambda _: found)
    assert main(["streams", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [asdict(stream) for stream in found]
    assert main(["streams"]) == 0
    told = capsys.readouterr()
    if found:
        assert "[amp]" in told.out
        assert "irregular" in told.out
    else:
        assert "No stream found" in told.err
