"""Known delays, jitter, misses and extra pulses are measured as they are."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from uuid import uuid4

import mne
import numpy as np
import pytest
from numpy.typing import NDArray

from decoder.cli import main
from decoder.rehearsal import read_for
from decoder.timing import Held, collect, match, measure
from decoder.verify import verify_session
from streaming.errors import ConfigError, RecordingError
from streaming.lsl_clock import lsl_clock
from streaming.outlet import MarkerOutlet, SignalOutlet
from streaming.signal import Chunk, Gap, Marker, SignalSpec
from streaming.sources.lsl import LslSource
from streaming.sources.source import Item
from streaming.timing import Timing, read_timing
from tests.decoder.sessions import lay_out, record
from tests.streaming.test_pulses import photodiode

SFREQ = 1000.0
SPEC = SignalSpec(SFREQ, ("Cz", "photo"), ("eeg", "misc"))


def held(x: NDArray[np.float64], markers: NDArray[np.float64], kind: str = "misc") -> Held:
    t = 100 + np.arange(len(x)) / SFREQ
    return Held("photo", kind, SFREQ, (x,), (t,), 100 + markers)


def shown(n: int = 80, seed: int = 0) -> NDArray[np.float64]:
    """Instants of markers, in seconds, at an uneven pace."""
    return 0.5 + 0.7 * np.arange(n) + np.random.default_rng(seed).uniform(0, 0.2, n)


@pytest.mark.parametrize("offset", [-0.012, 0.0, 0.0473, 0.21])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("jitter", [0.0003, 0.003, 0.012])
def test_offset_and_jitter(offset: float, sign: int, jitter: float) -> None:
    markers = shown()
    rng = np.random.default_rng(1)
    delays = offset + jitter * rng.standard_normal(len(markers))
    x = sign * photodiode(1000 * (markers + delays), drift=3.0)
    found = measure(held(x, markers))
    assert found.offset == pytest.approx(np.median(delays), abs=1e-4)
    assert found.jitter == pytest.approx(np.std(delays, ddof=1), abs=1e-4)
    assert (found.n_missed, found.n_extra) == (0, 0)
    assert found.good is (jitter < 0.005)
    assert found.trigger is None  # the baseline wanders


def test_misses_and_extra_pulses_are_counted() -> None:
    markers = shown()
    flashes = np.delete(markers + 0.04, [3, 30, 31, 77])
    extra = markers[[10, 50]] + 0.4
    x = photodiode(1000 * np.sort([*flashes, *extra]))
    found = measure(held(x, markers))
    assert found.offset == pytest.approx(0.04, abs=1e-4)
    assert (len(found.t), found.n_missed, found.n_extra) == (76, 4, 2)
    assert found.jitter < 1e-4
    assert found.trigger is not None
    assert found.trigger.threshold == pytest.approx(2.5, rel=0.1)


def test_stimuli_at_a_steady_pace_are_not_mistaken_for_their_neighbours() -> None:
    markers = np.arange(1.0, 55, 0.3)
    pulses = markers + 0.06
    pairs = match(markers, pulses)
    assert np.array_equal(pairs[:, 0], pairs[:, 1])
    assert len(pairs) == len(markers)


def test_a_trigger_channel_with_codes_of_any_size() -> None:
    markers = shown()
    codes = np.random.default_rng(0).integers(1, 256, len(markers))
    x = np.zeros(60_000)
    for at, code in zip(np.round(1000 * (markers + 0.02)).astype(int), codes, strict=True):
        x[at : at + 8] = code
    found = measure(held(x, markers, "stim"))
    assert found.offset == pytest.approx(0.02, abs=1e-3)
    assert (found.n_missed, found.n_extra) == (0, 0)


def test_gaps_markers_outside_and_other_markers_are_left_out() -> None:
    markers = shown()
    x = photodiode(1000 * (markers + 0.03)).astype(np.float32)
    data = np.stack([np.zeros_like(x), x])
    items: list[Item] = [
        Chunk(data[:, :25_000], SPEC, 0, 0, 0.0),
        Gap(25.0, 5.0, "lost"),
        Chunk(data[:, 30_000:], SPEC, 1, 0, 30.0),
        *(Marker("face", t, 0, 0) for t in [*markers.tolist(), 500.0]),
        *(Marker("pause", t, 0, 0) for t in (2.0, 33.0)),
    ]
    found = measure(collect(items, SPEC, "photo", ["face"]))
    assert found.offset == pytest.approx(0.03, abs=1e-4)
    assert len(found.t) == np.sum((markers < 24.999) | (markers >= 30))
    assert (found.n_missed, found.n_extra) == (0, 0)


@pytest.mark.parametrize(
    ("x", "markers", "said"),
    [
        (np.zeros(60_000), shown(), "no pulses"),
        (photodiode(1000 * shown()), np.empty(0), "none of 0 markers"),
        (photodiode(1000 * shown()), shown() + 900, "none of 80 markers"),
        (photodiode(1000 * shown(5)), shown(5), "record longer"),
    ],
)
def test_what_cannot_be_measured_is_said(
    x: NDArray[np.float64], markers: NDArray[np.float64], said: str
) -> None:
    with pytest.raises(RecordingError, match=said):
        measure(held(x, markers))


def test_a_channel_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="Cz, photo"):
        collect([], SPEC, "light")


def recording(path: Path, jitter: float) -> None:
    markers = shown()
    delays = 0.0333 + jitter * np.random.default_rng(2).standard_normal(len(markers))
    x = photodiode(1000 * (markers + delays))
    eeg = 1e-5 * np.random.default_rng(0).standard_normal(len(x))
    raw = mne.io.RawArray(np.stack([eeg, x]), SPEC.to_info(), verbose="error")
    raw.set_annotations(mne.Annotations(markers, 0.0, "face"))
    raw.save(path, verbose="error")


def test_the_command_with_a_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good_raw.fif", tmp_path / "bad_raw.fif"
    recording(good, 0.001)
    recording(bad, 0.009)
    output = tmp_path / "t.json"
    command = ["--channel", "photo", "--events", "face", "-o", str(output)]
    assert main(["timing", str(good), *command]) == 0
    timing = read_timing(output)
    assert timing.onset_offset == pytest.approx(0.0333, abs=6e-4)
    assert timing.trigger is not None
    assert timing.device_delay is None
    assert output.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert main(["timing", str(good), *command, "--loop"]) == 0
    assert read_timing(output).device_delay == pytest.approx(0.0333, abs=6e-4)
    output.unlink()
    capsys.readouterr()
    assert main(["timing", str(bad), *command]) == 1
    assert "no go" in capsys.readouterr().err
    assert not output.exists()
    assert main(["timing", str(good), "--channel", "light"]) == 2


def test_the_command_with_a_session(tmp_path: Path) -> None:
    markers = shown()
    x = photodiode(1000 * (markers + 0.05)).astype(np.float32)
    rows = np.stack([np.zeros_like(x), x])
    inputs: list[tuple[Chunk | Gap | Marker, int]] = [(Chunk(rows, SPEC, 0, 0, 7.0), 0)]
    inputs += [(Marker("face", 7 + t, 0, round(1000 * t)), 0) for t in markers.tolist()]
    folder = lay_out(tmp_path / "s", SPEC, rows, inputs)
    output = tmp_path / "t.json"
    command = ["timing", str(folder.path), "--channel", "photo", "-o", str(output)]
    assert main(command) == 0
    assert read_timing(output).onset_offset == pytest.approx(0.05, abs=1e-4)
    manifest = json.loads((folder.path / "manifest.json").read_text())
    manifest["timing"] = {"onset_offset": 0.05}
    (folder.path / "manifest.json").write_text(json.dumps(manifest))
    assert main(command) == 2  # its markers were moved already


def test_over_real_lsl() -> None:
    """Pulses 25 ms after their markers, sent as an amplifier and an experiment would."""
    name = f"test-{uuid4().hex}"
    signal, markers = SignalOutlet(SPEC, name), MarkerOutlet(f"{name} markers")
    source = LslSource.open(name=name, markers=[f"{name} markers"])
    stop = threading.Event()

    def send() -> None:
        start, n, shown = lsl_clock(), 0, 0
        while not stop.wait(0.01):
            now = int((lsl_clock() - start) * SFREQ)
            at = np.arange(n, now)
            photo = np.where((at % 250 >= 125) & (at % 250 < 165), 4.0, 0.1)
            if now > n:
                data = np.stack([np.zeros(len(at)), photo]).astype(np.float32)
                signal.push(data, start + at / SFREQ)
            while shown * 250 + 100 < now:
                markers.push("flash", start + (shown * 250 + 100) / SFREQ)
                shown += 1
            n = now

    sender = threading.Thread(target=send)
    sender.start()
    try:
        found = measure(collect(read_for(source, 5.0, lsl_clock), SPEC, "photo"))
    finally:
        stop.set()
        sender.join()
        source.close()
    assert found.offset == pytest.approx(0.025, abs=1.5e-3)
    assert found.jitter < 1e-3
    assert len(found.t) > 12
    assert found.n_missed <= 1


def test_a_session_with_moved_markers_verifies_and_its_latency_begins_at_the_electrode(
    tmp_path: Path,
) -> None:
    folder, sent = record(tmp_path, Timing(0.06, device_delay=2.0))
    verdict = verify_session(folder.path)
    assert verdict.difference == ""
    said = [json.loads(m.body)["params"] for m in sent if m.stream == "markers"]
    assert [m["t"] for m in said] == pytest.approx(np.arange(8, 58, 0.8) + 0.06)
    decodes = [json.loads(m.body)["params"] for m in sent if m.stream == "text"]
    for ms in (d["latency_ms"] for d in decodes):
        assert ms["device"] == 2000
        stages = sum(ms[name] for name in ("device", "acquire", "queue", "decode"))
        # Sent later than decoded, by as much as the machine is busy; the delay counts once.
        assert stages - 0.01 <= ms["total"] < stages + 1900
    assert decodes[0]["first"] == 806
