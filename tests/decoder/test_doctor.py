"""A preflight that finds what would spoil a session."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pylsl
import pytest

from decoder import doctor
from decoder.check import Check
from decoder.cli import main
from decoder.config import SourceConfig
from decoder.doctor import Plan
from decoder.pace import measure_pace
from decoder.rehearsal import Rehearsal
from decoder.stream_checks import check_streams, judge
from models.checkpoint import save_model
from streaming.lsl_clock import lsl_clock
from streaming.lsl_streams import StreamQuery, StreamSummary
from streaming.outlet import MarkerOutlet, SignalOutlet
from streaming.preflight import Probe, probe_multicast, probe_streams
from streaming.signal import SignalSpec
from streaming.window import SlidingWindows
from tests.decoder.tiny import SPEC, tiny_model


@contextmanager
def amplifier(spec: SignalSpec = SPEC, slower: float = 1.0) -> Iterator[str]:
    """Send zeros over LSL, at a share of the declared rate."""
    name = f"test-{uuid4().hex}"
    outlet, stop = SignalOutlet(spec, name), threading.Event()

    def send() -> None:
        start, n, sfreq = lsl_clock(), 0, spec.sfreq * slower
        while not stop.wait(0.02):
            now = int((lsl_clock() - start) * sfreq)
            if now > n:
                data = np.zeros((len(spec.ch_names), now - n), np.float32)
                outlet.push(data, start + np.arange(n, now) / sfreq)
            n = now

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield name
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_model(tiny_model(), tmp_path / "model")
    return tmp_path / "model"


def test_what_streams_do_is_measured() -> None:
    with amplifier() as good, amplifier(slower=0.9) as slow:
        silent = f"test-{uuid4().hex}"
        kept = SignalOutlet(SPEC, silent), MarkerOutlet(f"{silent} markers")
        query = f"name='{good}' or name='{slow}' or starts-with(name, '{silent}')"
        probes = probe_streams(StreamQuery(predicate=query), 2.0, None, lsl_clock)
        del kept
    found = {p.summary.name: p for p in probes}
    judged = {name: judge(p, 2.0) for name, p in found.items()}
    assert found[good].sfreq == pytest.approx(100, rel=0.005)
    assert found[good].spec == SPEC
    assert abs(found[good].offset) < 0.05  # it is this machine's clock
    assert found[good].n_offsets >= 1
    assert judged[slow][0] == "no"
    assert "samples are lost" in judged[slow][1]
    assert judged[silent][0] == "no"
    assert "no samples within 2 s" in judged[silent][1]
    assert "irregular, 0 came" in judged[f"{silent} markers"][1]


def test_a_signal_whose_unit_is_not_known() -> None:
    name = f"test-{uuid4().hex}"
    kept = pylsl.StreamOutlet(pylsl.StreamInfo(name, "EEG", 2, 100.0, "float32", name))
    (found,) = probe_streams(StreamQuery(name=name), 0.1, None, lsl_clock)
    assert "--unit" in found.problem
    (found,) = probe_streams(StreamQuery(name=name), 0.1, "uV", lsl_clock)
    assert found.problem == ""
    del kept


SUMMARY = StreamSummary("amplifier", "EEG", 3, 100.0, "id", "host")


def test_an_unsteady_clock_is_no_go() -> None:
    unsteady = Probe(SUMMARY, SPEC, "", 12.0, 0.004, 3, 100.0, 200)
    verdict, said = judge(unsteady, 2.0)
    assert verdict == "no"
    assert "wired" in said
    assert judge(replace(unsteady, drift=0.0001), 2.0)[0] == "go"


def test_multicast_says_nothing_or_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(probe_multicast(), str)
    monkeypatch.setattr(doctor, "probe_multicast", lambda: "239.255.172.215 (timed out)")
    check = doctor._multicast()
    assert check.verdict == "note"
    assert "KnownPeers" in check.found


@pytest.mark.parametrize("sliding", [True, False])
def test_the_time_of_a_decode(sliding: bool) -> None:
    windowing = {"windowing": SlidingWindows(0.5, 0.1)} if sliding else {}
    pace = measure_pace(tiny_model(**windowing))
    assert pace.n == 50
    assert 0 < pace.median <= pace.p95 < 0.1
    assert pace.hop == pytest.approx(0.1 if sliding else 0.2)
    assert 0 < pace.load < 0.8


def test_a_disk_that_cannot_be_written_to_or_is_full(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert doctor._write_speed(tmp_path / "not/yet").verdict in {"go", "no"}
    assert doctor._write_speed(Path("/proc")).verdict == "no"
    assert doctor._space(tmp_path).found.endswith(str(tmp_path.resolve()))
    monkeypatch.setattr(doctor, "LITTLE_SPACE", 1e18)
    assert doctor._space(tmp_path).verdict == "no"


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "NEEDED", ("numpy", "brain-reader"))
    check = doctor._packages()
    assert check.verdict == "no"
    assert "brain-reader" in check.found


@pytest.mark.slow
def test_the_command(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with amplifier() as name:
        command = ["doctor", "-m", str(model), "--name", name, "--seconds", "2", "--json"]
        code = main([*command, "--record", str(model.parent)])
    said = {c["what"]: c for c in json.loads(capsys.readouterr().out)}
    assert said["model and stream"]["verdict"] == "go"
    # how fast this machine is, and whether it holds up senders, is not the test's business
    assert {"time per decode", f"stream {name}", "source"} <= set(said)
    assert {"packages", "LSL multicast", "disk space", "disk speed", "model"} <= set(said)
    assert code == any(c["verdict"] == "no" for c in said.values())


def test_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = [Check("disk", "go", "full speed"), Check("source", "note", "[there]")]
    monkeypatch.setattr(doctor, "checks", lambda _: iter(found))
    assert main(["doctor"]) == 0
    found.append(Check("model", "no", "of another person"))
    assert main(["doctor"]) == 1
    table = capsys.readouterr().out
    for said in ("go", "note", "[there]", "NO", "of another person"):
        assert said in table


def test_the_model_against_the_stream() -> None:
    model = tiny_model()
    other = SignalSpec(250.0, ("Cz", "Pz"))
    for spec, verdict, said in (
        (SPEC, "go", "(V)"),
        (other, "no", "250 Hz"),
        (SignalSpec(100.0, ("Cz",)), "no", "Pz"),
        (None, "note", "nothing was taken in"),
    ):
        taken_in = None if spec is None else Rehearsal("amplifier", spec, 1.0, 1, 0, 0, 0.0)
        check = doctor._match(model, taken_in)
        assert check.verdict == verdict
        assert said in check.found


def test_a_stream_that_was_asked_for_and_is_not_there_is_no_go() -> None:
    for asked, verdict in ((SourceConfig(name="x"), "no"), (SourceConfig(), "note")):
        (check,) = check_streams([], asked, 6.0, asked=Plan(source=asked).asked)
        assert check.verdict == verdict


@pytest.mark.parametrize(
    ("came", "verdict", "said"),
    [
        (Rehearsal("it", SPEC, 100.2, 500, 3, 0, 0.0), "go", "3 markers came, 100.20 Hz"),
        (Rehearsal("it", SPEC, 0.0, 0, 0, 0, 0.0), "no", "is the amplifier running"),
        (Rehearsal("it", SPEC, 90.0, 500, 0, 0, 0.0), "no", "declared wrongly"),
        (Rehearsal("it", SPEC, 100.0, 500, 0, 2, 0.3), "no", "300 ms in 2 gaps were lost"),
        (Rehearsal("it", SPEC, 100.0, 500, 0, 9, 5.0), "no", "50.00 samples came a second"),
        (Rehearsal("it", SPEC, 100.0, 500, 0, 0, 0.0, ("in steps of 1 s",)), "no", "of 1 s"),
    ],
)
def test_what_was_taken_in_is_judged(
    monkeypatch: pytest.MonkeyPatch, came: Rehearsal, verdict: str, said: str
) -> None:
    monkeypatch.setattr(doctor, "rehearse", lambda *_: came)
    check, rehearsal = doctor._source(Plan())
    assert rehearsal is came
    assert check.verdict == verdict
    assert said in check.found


def test_a_source_that_is_not_there_is_no_go_if_it_was_asked_for() -> None:
    buffer = SourceConfig(address="fieldtrip://127.0.0.1:1", timeout=0.1)
    check, rehearsal = doctor._source(Plan(source=buffer))
    assert check.verdict == "no"
    assert rehearsal is None


def test_a_stream_that_begins_while_it_is_waited_for_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    came = list[str]()

    def rehearse(*_: object) -> Rehearsal:
        came.append("amplifier")
        return Rehearsal("amplifier", SPEC, 100.0, 500, 3, 0, 0.0)

    def probe(*_: object) -> list[Probe]:
        return [Probe(SUMMARY, SPEC, n_times=200, sfreq=100.0) for _ in came]

    for name in ("_encoder", "_loopback", "_multicast"):
        monkeypatch.setattr(doctor, name, lambda: Check("other", "go", ""))
    monkeypatch.setattr(doctor, "rehearse", rehearse)
    monkeypatch.setattr(doctor, "probe_streams", probe)
    said = {c.what: c.verdict for c in doctor.checks(Plan(source=SourceConfig(name="it")))}
    assert said["source"] == said["stream amplifier"] == "go"
    assert "LSL streams" not in said
