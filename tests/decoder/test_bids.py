"""What was recorded is what other people's tools read."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import mne_bids
import numpy as np
import pytest
import pyxdf
from numpy.typing import NDArray

from decoder.bids import export_bids
from decoder.cli import main
from decoder.folder import SessionFolder
from decoder.reading import read_recorded
from streaming.errors import ConfigError, SessionError
from streaming.signal import Chunk, Gap, Marker, SignalSpec
from tests.decoder.sessions import lay_out, record

MEG = SignalSpec(200.0, ("MEG0111", "MEG0112", "STI101"), ("mag", "grad", "stim"))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> SessionFolder:
    return record(tmp_path_factory.mktemp("bids"))[0]


def validate(root: Path) -> None:
    """Run the BIDS validator over a dataset and its derivatives, where there is one."""
    validator = shutil.which("bids-validator-deno", path=Path(sys.executable).parent)
    if validator is None:
        pytest.skip("no BIDS validator: pip install bids-validator-deno")
    run = subprocess.run(
        [validator, "--recursive", "--json", str(root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    said = json.loads(run.stdout)
    found = [*said["issues"]["issues"]]
    for derivative in said.get("derivativesSummary", {}).values():
        found += derivative["issues"]["issues"]
    assert [issue for issue in found if issue["severity"] == "error"] == []
    assert run.returncode == 0


def read(root: Path, **labels: str) -> mne_bids.BIDSPath:
    kind = "meg" if list(root.glob("**/*_meg.fif")) else "eeg"
    return mne_bids.BIDSPath(root=root, task="decoding", datatype=kind, **labels)


def table(path: Path) -> list[dict[str, str]]:
    first, *rest = [line.split("\t") for line in path.read_text().splitlines()]
    return [dict(zip(first, row, strict=True)) for row in rest]


def test_places_that_nobody_measured_are_not_exported(
    session: SessionFolder, tmp_path: Path
) -> None:
    export_bids(session.path, tmp_path, {})
    assert not list(tmp_path.rglob("*_electrodes.tsv"))
    assert not list(tmp_path.rglob("*_coordsystem.json"))


def test_signal_and_events_read_back_as_they_were(
    session: SessionFolder, tmp_path: Path
) -> None:
    done = export_bids(session.path, tmp_path, {})
    raw = mne_bids.read_raw_bids(read(tmp_path, subject="01"), verbose="error")
    rows = read_recorded(session).data
    assert raw.ch_names == ["Cz", "Pz", "Oz"]
    np.testing.assert_allclose(raw.get_data(), rows, rtol=3e-7)
    events = table(tmp_path / "sub-01/eeg/sub-01_task-decoding_events.tsv")
    samples = np.round(np.arange(8, 58, 0.8) * 100).astype(int)
    sent = [e for e in events if e["trial_type"] != "EDGE boundary"]
    assert [int(e["sample"]) for e in sent] == samples.tolist()
    assert [e["trial_type"] for e in sent][:3] == ["face", "house", "cough"]
    assert [e["sample"] for e in events if e not in sent] == ["3000"]
    assert done.n_events == len(events) == 64
    assert done.n_outside == 0
    recorded = tmp_path / "sourcedata/sub-01/eeg/sub-01_task-decoding_eeg.xdf"
    assert recorded.read_bytes() == session.raw.read_bytes()


def test_decodes_are_what_the_log_says(session: SessionFolder, tmp_path: Path) -> None:
    export_bids(session.path, tmp_path, {})
    root = tmp_path / "derivatives/braincast"
    rows = table(root / "sub-01/eeg/sub-01_task-decoding_desc-decodes_events.tsv")
    logged = [json.loads(line) for line in session.events.read_text().splitlines()]
    said = [m["params"] for m in logged if m["method"] == "text"]
    assert len(rows) == len(said) > 30
    for row, params in zip(rows, said, strict=True):
        assert row["decode_id"] == params["decode_id"]
        assert row["abstained"] == (params["abstained"] or "n/a")
        best = params["top"][0] if params["top"] else {"id": "n/a", "p": "n/a"}
        assert (row["top_1"], row["p_1"]) == (best["id"], str(best["p"]))
        assert row["truth"] == (params["truth"]["id"] if params["truth"] else "n/a")
        assert float(row["onset"]) == pytest.approx(int(row["sample"]) / 100)
    described = json.loads((root / "dataset_description.json").read_text())
    assert described["GeneratedBy"][0]["Name"] == "braincast"


def test_the_validator_finds_no_error(session: SessionFolder, tmp_path: Path) -> None:
    export_bids(session.path, tmp_path, {})
    export_bids(session.path, tmp_path, {"subject": "02", "run": "1"}, anonymise=True)
    validate(tmp_path)


def meg_session(path: Path) -> tuple[SessionFolder, NDArray[np.float32]]:
    """Make a session with a gap of 50 samples after 300, and a marker in it."""
    rng = np.random.default_rng(0)
    rows = (rng.standard_normal((3, 500)) * [[1e-12], [1e-11], [1]]).astype(np.float32)
    rows[2] = 5
    inputs: list[tuple[Chunk | Gap | Marker, int]] = [
        (Chunk(rows[:, :300], MEG, 0, 0, 0.0), 0),
        (Marker("5", 0.5, 0, 100), 0),
        (Gap(1.5, 0.25, "lost"), 0),
        (Chunk(rows[:, 300:], MEG, 1, 0, 1.75), 300),
        (Marker("lost", 1.6, 1, -30), 0),
        (Marker("late", 99.0, 1, 19450), 0),
    ]
    return lay_out(path, MEG, rows, inputs), rows


def test_meg_is_fif_and_a_gap_keeps_its_place(tmp_path: Path) -> None:
    folder, rows = meg_session(tmp_path / "s")
    done = export_bids(folder.path, tmp_path / "bids", {"session": "A", "run": "03"})
    assert done.path.name == "sub-01_ses-A_task-decoding_run-03_meg.fif"
    assert (done.n_times, done.n_gaps, done.n_outside) == (550, 1, 1)
    path = read(tmp_path / "bids", subject="01", session="A", run="03")
    raw = mne_bids.read_raw_bids(path, verbose="error")
    assert raw.get_channel_types() == ["mag", "grad", "stim"]
    data = raw.get_data()
    np.testing.assert_allclose(data[:, :300], rows[:, :300], rtol=3e-7)
    np.testing.assert_allclose(data[:, 350:], rows[:, 300:], rtol=3e-7)
    assert not data[:, 300:350].any()
    notes = {a["description"]: (a["onset"], a["duration"]) for a in raw.annotations}
    assert notes["BAD_ACQ_SKIP"] == pytest.approx((1.5, 0.25))
    assert notes["5"] == pytest.approx((0.5, 0))
    assert notes["lost"] == pytest.approx((1.6, 0))
    assert set(notes) == {"BAD_ACQ_SKIP", "5", "lost"}
    validate(tmp_path / "bids")


def test_a_session_cut_short_exports_what_is_there(
    session: SessionFolder, tmp_path: Path
) -> None:
    copy = SessionFolder(tmp_path / "S")
    shutil.copytree(session.path, copy.path)
    for path in (copy.raw, copy.inputs, copy.events):
        path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])
    done = export_bids(copy.path, tmp_path / "bids", {})
    rows = read_recorded(copy).data
    assert 0 < done.n_times == rows.shape[1] < 6000
    raw = mne_bids.read_raw_bids(read(tmp_path / "bids", subject="01"), verbose="error")
    np.testing.assert_allclose(raw.get_data(), rows, rtol=3e-7)


def test_recordings_of_one_session_become_one_signal_with_the_loss_between_them(
    tmp_path: Path,
) -> None:
    spec = SignalSpec(100.0, ("Cz",))
    rows = np.arange(1, 51, dtype=np.float32)[None] * 1e-6
    empty = np.zeros((1, 50), np.float32)
    folder = lay_out(tmp_path / "S", spec, rows, [(Chunk(empty, spec, 0, 0, 10.0), 0)])
    lines = folder.inputs.read_text().splitlines(keepends=True)
    second = lay_out(tmp_path / "T", spec, -rows, [(Chunk(empty, spec, 1, 0, 11.0), 0)])
    shutil.copyfile(second.raw, folder.path / "raw-2.xdf")
    added = ['["recording", 1.0, "raw-2.xdf"]\n', '["gap", 1.0, 10.5, 0.5, "ingest"]\n']
    chunk = second.inputs.read_text().splitlines(keepends=True)[1]
    folder.inputs.write_text("".join([*lines[:2], *added, chunk, *lines[2:]]))
    done = export_bids(folder.path, tmp_path / "bids", {})
    assert (done.n_times, done.n_gaps) == (150, 1)
    raw = mne_bids.read_raw_bids(read(tmp_path / "bids", subject="01"), verbose="error")
    expected = np.concatenate([rows, np.zeros((1, 50)), -rows], axis=1)
    np.testing.assert_allclose(raw.get_data(), expected, rtol=3e-7)
    source = tmp_path / "bids/sourcedata/sub-01/eeg"
    assert sorted(path.name for path in source.iterdir()) == [
        "sub-01_task-decoding_eeg-2.xdf",
        "sub-01_task-decoding_eeg.xdf",
    ]


def test_anonymised_nothing_names_a_machine_a_person_or_a_day(
    session: SessionFolder, tmp_path: Path
) -> None:
    folder, rows = meg_session(tmp_path / "20261123T085533Z-12ab")
    export_bids(folder.path, tmp_path / "bids", {}, anonymise=True)
    export_bids(session.path, tmp_path / "bids", {"subject": "02"}, anonymise=True)
    day = json.loads((folder.path / "manifest.json").read_text())["started"][:10]
    for path in (tmp_path / "bids").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for word in ("Lovelace", "20261123", "hostname", day):
                assert word.encode() not in content, (path, word)
    source = tmp_path / "bids/sourcedata/sub-01/meg/sub-01_task-decoding_meg.xdf"
    (stream,), _ = pyxdf.load_xdf(source, synchronize_clocks=False, dejitter_timestamps=False)
    assert np.array_equal(stream["time_series"], rows.T)
    channels = stream["info"]["desc"][0]["channels"][0]["channel"]
    assert [c["label"][0] for c in channels] == list(MEG.ch_names)
    raw = mne_bids.read_raw_bids(read(tmp_path / "bids", subject="01"), verbose="error")
    assert raw.info["meas_date"].year < 1925


def test_what_cannot_be_exported_is_refused(session: SessionFolder, tmp_path: Path) -> None:
    export_bids(session.path, tmp_path / "bids", {})
    with pytest.raises(SessionError, match="never overwritten"):
        export_bids(session.path, tmp_path / "bids", {})
    with pytest.raises(ConfigError, match="letters and digits"):
        export_bids(session.path, tmp_path / "bids", {"subject": "a-b"})
    with pytest.raises(SessionError, match="no samples"):
        export_bids(
            lay_out(tmp_path / "e", MEG, np.empty((3, 0), np.float32), []).path, tmp_path, {}
        )
    manifest = session.path / "manifest.json"
    nobody = SessionFolder(tmp_path / "nobody")
    shutil.copytree(session.path, nobody.path)
    content = json.loads(manifest.read_text())
    content["bids"]["subject"] = None
    (nobody.path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(SessionError, match="--subject"):
        export_bids(nobody.path, tmp_path / "bids", {})


def test_the_command(
    session: SessionFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", str(session.path), "--bids", str(tmp_path), "--run", "07"]
    assert main(arguments) == 0
    assert capsys.readouterr().out.strip().endswith("sub-01_task-decoding_run-07_eeg.vhdr")
    assert main(arguments) == 2
    assert main([*arguments[:-1], "x"]) == 2
    assert "--run" in capsys.readouterr().err
