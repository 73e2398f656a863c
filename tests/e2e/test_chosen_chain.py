"""A chain that the user chose: fit with it, replay over LSL, serve, verify."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import mne
import numpy as np
import pytest

from decoder.cli import main
from decoder.verify import verify_session
from tests.e2e.processes import braincast
from tests.pages import block

NAMES = ["F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "VEOG"]
SFREQ = 250.0
N_SECONDS = 60


def record(path: Path, seed: int) -> Path:
    """Faces and houses that differ over the occiput, with blinks and a loose electrode."""
    rng = np.random.default_rng(seed)
    n_times = int(N_SECONDS * SFREQ)
    data = 5e-6 * rng.standard_normal((9, n_times))
    onsets = np.arange(7.0, N_SECONDS - 2, 1.0)
    labels = rng.permutation(["face", "house"] * (len(onsets) // 2 + 1))[: len(onsets)]
    wave = 1e-5 * np.hanning(50)
    blink = 4e-4 * np.hanning(75)
    for onset, label in zip(onsets, labels, strict=True):
        at = round((onset + 0.1) * SFREQ)
        data[4:8, at : at + 50] += wave if label == "face" else -wave
    for onset in rng.uniform(1, N_SECONDS - 2, 20):
        at = round(onset * SFREQ)
        data[8, at : at + 75] += blink
        data[:4, at : at + 75] += 0.5 * blink
    for onset in (20.3, 30.3, 40.3):
        at = round(onset * SFREQ)
        data[2, at : at + 25] += 2e-3
    raw = mne.io.RawArray(
        data, mne.create_info(NAMES, SFREQ, ["eeg"] * 8 + ["eog"]), verbose="error"
    )
    raw.set_annotations(mne.Annotations(onsets, 0.0, labels.tolist()))
    raw.save(path, verbose="error")
    return path


def fit(runs: list[Path], folder: Path) -> dict[str, dict[str, float]]:
    chain = folder / "chain.yaml"
    chain.write_text(block("docs/how-to/chain.md", "chain"), encoding="utf-8")
    what = ["--events", "face", "house", "--encoder", "ridge", "--no-report"]
    files = [*map(str, runs), "--chain", str(chain), "-o", str(folder / "model")]
    assert main(["fit", *files, *what]) == 0
    model: dict[str, dict[str, float]] = json.loads(
        (folder / "model" / "model.json").read_text()
    )
    return model


@pytest.mark.slow
def test_a_chosen_chain_fits_serves_and_verifies(tmp_path: Path) -> None:
    runs = [record(tmp_path / f"run{n}_raw.fif", n) for n in range(3)]
    model = fit(runs[:2], tmp_path)
    assert [step["transform"] for step in model["transforms"]][6:8] == ["regress", "gate"]  # type: ignore[index]
    assert model["spec"]["ch_names"][-1] == "VEOG"  # type: ignore[index]
    training = model["training"]
    assert training["withheld"]["artifact"] > 0  # type: ignore[index]
    name = f"test-{uuid4().hex}"
    replay = ("replay", runs[2], "--name", name, "--wait", "240")
    serve = ("serve", "--model", tmp_path / "model", "--name", name, "--port", "0")
    with (
        braincast(*replay, cwd=tmp_path) as replaying,
        braincast(
            *serve, "--markers", f"{name} markers", "--timeout", "240", cwd=tmp_path
        ) as s,
    ):
        with braincast("listen", s.line(), "--json", "-n", "16") as listening:
            live = [json.loads(listening.line()) for _ in range(16)]
            assert listening.wait() == 0
        assert s.interrupt() == 0, s.errors
        assert replaying.interrupt() == 0, replaying.errors
    made = [event for event in live if not event["abstained"]]
    assert len(made) > 5
    right = [event["truth"]["rank"] == 1 for event in made]
    assert np.mean(right) > 0.7  # measured 1.0
    assert {event["abstained"] for event in live} <= {"", "artifact", "settling"}
    assert "artifact" in {event["abstained"] for event in live}
    assert all(abs(event["delay"] - training["delay"]) < 1e-4 for event in live)
    (session,) = (tmp_path / "sessions").iterdir()
    verdict = verify_session(session)
    assert verdict.difference == ""
    assert verdict.n_equal > 16
