"""What `fit` refuses in a line, what it leaves out and says, and the chain it would use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from decoder.cli import main
from streaming.chain_file import read_chain
from tests.decoder.complaining import complaint
from tests.decoder.faces import record_faces


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_faces(tmp_path_factory.mktemp("recordings") / "one_raw.fif")


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


def test_the_chain_that_is_printed_is_the_one_that_is_fitted(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--drop", "flat", "--band", "1-20")
    assert main(["chain", str(recording), *asked]) == 0
    (file := tmp_path / "chain.yaml").write_text(capsys.readouterr().out)
    output = tmp_path / "model"
    fit = ("fit", str(recording), "--events", "face", "house", "--no-report", *asked)
    assert main([*fit, "--encoder", "ridge", "-o", str(output)]) == 0
    fitted = json.loads((output / "model.json").read_text())["transforms"]
    assert json.loads(json.dumps(read_chain(file).to_json())) == fitted
