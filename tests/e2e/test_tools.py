"""Measure onsets, serve with them, kill the service, and export what it left."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import mne
import mne_bids
import numpy as np
import pytest

from decoder.cli import main
from decoder.folder import SessionFolder
from decoder.journal import read_entries
from decoder.verify import verify_session
from models.checkpoint import save_model
from tests.decoder.tiny import SPEC, tiny_model
from tests.e2e.processes import braincast

N_DECODES = 4


@pytest.mark.slow
def test_onsets_from_a_trigger_line_and_a_session_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    markers = 3 + 0.7 * np.arange(80)
    pulses = np.round(100 * markers).astype(int) + rng.choice([3, 4], len(markers))
    data = 1e-5 * rng.standard_normal((4, 6000))
    data[3] = 0
    for at in pulses:
        data[3, at : at + 10] = 5
    info = mne.create_info([*SPEC.ch_names, "TTL"], 100.0, ["eeg"] * 3 + ["stim"])
    raw = mne.io.RawArray(data, info, verbose="error")
    labels = [("face", "house")[n % 2] for n in range(len(markers))]
    raw.set_annotations(mne.Annotations(markers, 0.0, labels))
    raw.save(tmp_path / "run_raw.fif", verbose="error")
    save_model(tiny_model(), tmp_path / "model")

    monkeypatch.chdir(tmp_path)
    assert main(["timing", "run_raw.fif", "--channel", "TTL", "-o", "timing.json"]) == 0
    name = f"test-{uuid4().hex}"
    stream = ["--name", name, "--markers", f"{name} markers", "--timeout", "240"]
    options = ["--timing", "timing.json", "--onsets", "trigger", "--subject", "7"]
    replay = ["replay", "run_raw.fif", "--name", name, "--wait", "240"]
    serve = ["serve", "-m", "model", *stream, "--port", "0", *options]
    with braincast(*replay, cwd=tmp_path), braincast(*serve, cwd=tmp_path) as serving:
        with braincast("listen", serving.line(), "-n", str(N_DECODES)) as listening:
            for _ in range(N_DECODES):
                listening.line()
        serving.kill()
        serving.wait()
    (path,) = (tmp_path / "sessions").iterdir()
    assert verify_session(path).difference == ""
    entries = list(read_entries(SessionFolder(path).inputs))
    fed = [rest for kind, _, *rest in entries if kind == "marker"]
    placed = np.array([sample for _, _, _, sample in fed])
    assert len(placed) >= N_DECODES
    # the amplifier's first sample is that of the recording: onsets are the pulses', exactly
    assert np.array_equal(placed, pulses[: len(placed)])

    assert main(["export", str(path), "--bids", "bids", "--task", "faces"]) == 0
    assert "sub-7_task-faces_eeg.vhdr" in capsys.readouterr().out
    bids_path = mne_bids.BIDSPath(
        root=tmp_path / "bids", subject="7", task="faces", datatype="eeg"
    )
    written = mne_bids.read_raw_bids(bids_path, verbose="error")
    events = (tmp_path / "bids/sub-7/eeg/sub-7_task-faces_events.tsv").read_text()
    samples = [int(line.split("\t")[4]) for line in events.splitlines()[1:]]
    assert set(samples) & set(pulses.tolist())
    n_times = written.n_times
    np.testing.assert_allclose(written.get_data(), data[:, :n_times], rtol=1e-6, atol=1e-12)
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["timing"]["trigger"]["channel"] == "TTL"
