"""Two amplifiers, triggers, markers and more over real LSL, served by real processes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pylsl
import pytest
import pyxdf

from decoder.verify import verify_session
from models.checkpoint import save_model
from tests.decoder.tiny import tiny_model
from tests.e2e.processes import braincast

SFREQ = 100.0
EVERY = 60
"""Samples from one stimulus to the next."""


class Laboratory(threading.Thread):
    """Two amplifiers; the second starts 3.7 ms after the first and runs 50 ppm fast."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.name_of = f"test-{uuid4().hex[:12]}"
        self.stop = threading.Event()
        self.a = self._outlet("a", "EEG", ["Cz", "TRIGGER"], ["uV", ""])
        self.b = self._outlet("b", "EEG", ["Pz", "VEOG"], ["uV", "mV"])
        self.z = self._outlet("z", "Impedance", ["Cz", "Pz"], ["kOhm"] * 2, 0.0)
        info = pylsl.StreamInfo(f"{self.name_of}-m", "Markers", 1, 0, "string", "")
        self.markers = pylsl.StreamOutlet(info)

    def _outlet(
        self, key: str, kind: str, labels: list[str], units: list[str], sfreq: float = SFREQ
    ) -> pylsl.StreamOutlet:
        name = f"{self.name_of}-{key}"
        info = pylsl.StreamInfo(name, kind, len(labels), sfreq, "float32", f"id-{name}")
        channels = info.desc().append_child("channels")
        for label, unit in zip(labels, units, strict=True):
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
            channel.append_child_value("type", kind)
        return pylsl.StreamOutlet(info)

    def run(self) -> None:
        rng = np.random.default_rng(0)
        rate_b = SFREQ * (1 + 5e-5)
        start = pylsl.local_clock()
        n_a = n_b = 0
        while not self.stop.wait(0.02):
            now = pylsl.local_clock() - start
            a = np.arange(n_a, int(now * SFREQ))
            b = np.arange(n_b, int((now - 0.0037) * rate_b))
            if len(a):
                n_a = int(a[-1]) + 1
                trigger = 7.0 * (a % EVERY < 5)
                self.a.push_chunk(
                    np.stack([20 * rng.standard_normal(len(a)), trigger], 1).astype("f4"),
                    list(start + a / SFREQ),
                )
                self.z.push_sample([4.0, 12.5])
                for n in a[a % EVERY == 0].tolist():
                    label = "face" if n // EVERY % 2 else "house"
                    self.markers.push_sample([label], start + n / SFREQ)
            if len(b):
                n_b = int(b[-1]) + 1
                self.b.push_chunk(
                    (20 * rng.standard_normal((len(b), 2))).astype("f4"),
                    list(start + 0.0037 + b / rate_b),
                )


@pytest.fixture
def lab() -> Iterator[Laboratory]:
    lab = Laboratory()
    lab.start()
    yield lab
    lab.stop.set()
    lab.join()


@pytest.mark.slow
def test_two_amplifiers_are_decoded_recorded_and_verify(
    lab: Laboratory, tmp_path: Path
) -> None:
    save_model(tiny_model(), tmp_path / "model")
    name = lab.name_of
    streams = ("--stream", f"{name}-a", f"{name}-b", "--markers", f"{name}-m")
    with braincast(
        *("serve", "--model", tmp_path / "model", *streams),
        *("--trigger-channel", "trigger", "--trigger-mask", "0xFF", "--port", "0"),
        cwd=tmp_path,
    ) as serving:
        url = serving.line()
        with braincast("listen", url, "--json", "-n", "6") as listening:
            live = [json.loads(listening.line()) for _ in range(6)]
            assert listening.wait() == 0
        assert serving.interrupt() == 0, serving.errors
    assert any(not event["abstained"] for event in live if event["stream"] == "text")
    (session,) = (tmp_path / "sessions").iterdir()
    manifest = json.loads((session / "manifest.json").read_text())
    assert manifest["signal"]["ch_names"] == ["Cz", "TRIGGER", "Pz", "VEOG"]
    assert manifest["signal"]["ch_types"] == ["eeg", "stim", "eeg", "eog"]
    assert manifest["source"] == f"{name}-a + {name}-b"
    inputs = [json.loads(line) for line in (session / "inputs.jsonl").read_text().splitlines()]
    shown = [line for line in inputs if line[0] == "marker" and line[2] in {"face", "house"}]
    triggers = [line for line in inputs if line[0] == "marker" and line[2] == "7"]
    assert len(triggers) > 2
    # the channel rises in the very sample of which the marker speaks
    samples = [line[5] for line in triggers]
    inside = [line[5] for line in shown if samples[0] - 5 < line[5] < samples[-1] + 5]
    assert len(inside) == len(samples)
    assert max(abs(a - b) for a, b in zip(inside, samples, strict=True)) <= 1, (inside, samples)
    config = (session / "config.yaml").read_text()
    assert "trigger_mask: 255" in config
    recorded, _ = pyxdf.load_xdf(session / "raw.xdf", dejitter_timestamps=False)
    assert {s["info"]["name"][0] for s in recorded} >= {f"{name}-{key}" for key in "abmz"}
    events = [json.loads(line) for line in (session / "events.jsonl").read_text().splitlines()]
    quality = [m["params"] for m in events if m["method"] == "quality"]
    assert quality[-1]["ch_names"] == ["Cz", "Pz"]
    assert quality[-1]["impedance_kohm"] == [4.0, 12.5]
    verdict = verify_session(session)
    assert verdict.difference == ""
    assert verdict.n_equal > 6
