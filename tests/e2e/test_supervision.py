"""A decoder that is killed or hangs is started again, and no sample is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import pyxdf

from decoder.client import Client, connect
from decoder.folder import open_folder
from decoder.journal import place, read_entries
from decoder.reading import read_recorded
from decoder.server.wire import LOGGED
from decoder.timeline import Timeline
from decoder.verify import verify_session
from models.checkpoint import save_model
from streaming.errors import SessionError
from streaming.lsl_clock import lsl_clock
from streaming.outlet import MarkerOutlet, SignalOutlet
from streaming.window import SlidingWindows
from tests.decoder.tiny import SPEC, tiny_model
from tests.e2e.processes import PATIENCE, Process, braincast, children_of, wait_until_gone

N_TIMES = 10


class Amplifier:
    """Sends samples that count: channel 0 of sample n is n."""

    def __init__(self, name: str) -> None:
        self.n_sent = 0
        self._outlet = SignalOutlet(SPEC, name)
        self._markers = MarkerOutlet(f"{name} markers")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        rng = np.random.default_rng(0)
        t0 = lsl_clock()
        self._outlet.wait_for_consumer(60.0)
        while not self._stop.wait(max(0.0, t0 + self.n_sent / SPEC.sfreq - lsl_clock())):
            numbers = np.arange(self.n_sent, self.n_sent + N_TIMES)
            data = rng.standard_normal((3, N_TIMES)).astype(np.float32)
            data[0] = numbers
            self._outlet.push(data, t0 + numbers / SPEC.sfreq)
            self.n_sent += N_TIMES

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def amplifier() -> Iterator[tuple[str, Amplifier]]:
    name = f"test-{uuid4().hex}"
    amplifier = Amplifier(name)
    yield name, amplifier
    amplifier.close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_model(tiny_model(SlidingWindows(duration=0.5, hop=0.2)), tmp_path / "model")
    return tmp_path / "model"


def ingest_of(serve: Process) -> int:
    """Return the process that takes in; another waits to be the next."""
    return children_of(serve.pid, "ingest")[0]


def decoder_of(serve: Process) -> int:
    return children_of(serve.pid, "decode")[0]


def until_decoded(events: Client) -> int:
    """Wait for a decode that is none of the withheld ones; return its seq."""
    for event in events:
        if event.stream == "text" and not event.params["abstained"]:
            return int(event.params["seq"])
    pytest.fail("the connection ended without a decode")


def until_ready(events: Client) -> list[str]:
    """Wait until filters have settled again; return what was said until then."""
    said = []
    for event in events:
        if event.stream == "state":
            said.append(event.params["detail"])
            if event.params["state"] == "ready":
                return said
    pytest.fail("the connection ended")


def reconnect(url: str) -> tuple[int, bool]:
    """Connect to the next decoder, and wait for a decode; say whether a restart was told."""
    told = False
    with connect(url, ["text", "state"], timeout=PATIENCE) as events:
        for event in events:
            told |= "while decoding was restarted" in event.params.get("detail", "")
            if event.stream == "text" and not event.params["abstained"]:
                return int(event.params["seq"]), told
    pytest.fail("the connection ended without a decode")


def recorded_numbers(session: Path, name: str = "raw.xdf") -> np.ndarray:
    streams, _ = pyxdf.load_xdf(session / name, dejitter_timestamps=False, verbose=False)
    (found,) = (s for s in streams if s["info"]["type"][0] == "EEG")
    return np.asarray(found["time_series"])[:, 0]


@pytest.mark.slow
def test_decoding_goes_on_after_decoders_that_are_killed_or_hang(
    amplifier: tuple[str, Amplifier], model: Path, tmp_path: Path
) -> None:
    name, _ = amplifier
    arguments = ("--name", name, "--markers", f"{name} markers", "--port", "0")
    with braincast("serve", "-m", model, *arguments, cwd=tmp_path) as serve:
        url = serve.line()
        staying = connect(url, LOGGED, from_seq=1)
        with connect(url, ["text", "state"]) as events:
            last = until_decoded(events)
        for how in (signal.SIGKILL, signal.SIGSTOP):
            decoder = decoder_of(serve)
            os.kill(decoder, how)
            assert wait_until_gone([decoder])
            seq, told = reconnect(url)
            assert seq > last
            assert told
            assert decoder_of(serve) != decoder
            last = seq
        decoders = children_of(serve.pid, "decode")
        for pid in reversed(decoders):  # the next one, too, if it is there already
            os.kill(pid, signal.SIGKILL)
        assert wait_until_gone(decoders)
        seq, _ = reconnect(url)
        assert seq > last
        with staying:  # it has all that was said, once and in order, across all of this
            got = [event.params["seq"] for event in islice(staying, seq)]
            assert got == [*range(1, seq + 1)]
            assert staying.n_connections > 1
        assert serve.interrupt() == 0, serve.errors
    (session,) = (tmp_path / "sessions").iterdir()
    numbers = recorded_numbers(session)
    np.testing.assert_array_equal(numbers, numbers[0] + np.arange(len(numbers)))
    logged = [json.loads(line) for line in (session / "events.jsonl").read_text().splitlines()]
    assert [m["params"]["seq"] for m in logged] == list(range(1, len(logged) + 1))
    details = [m["params"]["detail"] for m in logged if m["method"] == "state"]
    assert sum("while decoding was restarted" in detail for detail in details) == 3
    ids = [m["params"]["decode_id"] for m in logged if m["method"] == "text"]
    assert len(set(ids)) == len(ids)
    verdict = verify_session(session)
    assert verdict.difference == ""
    assert verdict.n_equal == len(logged)


def on_timeline(session: Path) -> tuple[Timeline, np.ndarray]:
    """Return how a session's samples lie, and the number of each."""
    folder = open_folder(session)
    recorded = read_recorded(folder)
    entries = place(read_entries(folder.inputs), recorded.rows)
    timeline = Timeline.of(entries, recorded.data.shape[1], SPEC.sfreq)
    return timeline, timeline.lay(recorded.data)[0]


@pytest.mark.slow
def test_taking_in_goes_on_after_an_ingest_that_is_killed(
    amplifier: tuple[str, Amplifier], model: Path, tmp_path: Path
) -> None:
    name, _ = amplifier
    arguments = ("--name", name, "--markers", f"{name} markers", "--port", "0")
    with braincast("serve", "-m", model, *arguments, cwd=tmp_path) as serve:
        url = serve.line()
        with connect(url, ["text", "state"]) as events:
            for _ in range(2):
                until_decoded(events)
                os.kill(ingest_of(serve), signal.SIGKILL)
                told = until_ready(events)
                assert any("waiting for it" in detail for detail in told), told
                assert any("taking in was restarted" in detail for detail in told), told
            last = until_decoded(events)
            # the decoder dies, too: it goes on in the third recording
            os.kill(decoder_of(serve), signal.SIGKILL)
        seq, told_restart = reconnect(url)
        assert seq > last
        assert told_restart
        assert serve.interrupt() == 0, serve.errors
    (session,) = (tmp_path / "sessions").iterdir()
    names = ["raw.xdf", "raw-2.xdf", "raw-3.xdf"]
    parts = [recorded_numbers(session, name) for name in names]
    for numbers in parts:
        np.testing.assert_array_equal(numbers, numbers[0] + np.arange(len(numbers)))
    timeline, laid = on_timeline(session)
    there = np.flatnonzero(laid)
    np.testing.assert_array_equal(laid[there], parts[0][0] + there)
    labels = [m.label for m in timeline.missing]  # what came while it ended was not decoded
    assert [label for label in labels if label != "BAD_unplaced"] == ["BAD_ACQ_SKIP"] * 2
    verdict = verify_session(session)
    assert verdict.difference == ""
    assert verdict.n_equal == len((session / "events.jsonl").read_text().splitlines())
    assert not verdict.cut_short


@pytest.mark.slow
def test_when_serve_is_killed_its_processes_end_and_the_session_verifies(
    amplifier: tuple[str, Amplifier], model: Path, tmp_path: Path
) -> None:
    name, _ = amplifier
    arguments = ("--name", name, "--markers", f"{name} markers", "--port", "0")
    with braincast("serve", "-m", model, *arguments, cwd=tmp_path) as serve:
        with connect(serve.line(), ["text"]) as events:
            until_decoded(events)
            children = children_of(serve.pid)
            serve.kill()
        assert len(children) == 4  # ingest, a decoder, and the next of each
        assert wait_until_gone(children)
    (session,) = (tmp_path / "sessions").iterdir()
    verdict = verify_session(session)
    assert verdict.difference == ""
    assert verdict.n_equal > 0


@pytest.mark.slow
def test_decoding_on_another_machine_than_the_amplifiers(
    amplifier: tuple[str, Amplifier],
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, _ = amplifier
    monkeypatch.setenv("BRAINCAST_INGEST_TOKEN", "let-me-in")
    arguments = ("--name", name, "--markers", f"{name} markers")
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    with ExitStack() as stack:

        def take_in(address: str) -> Process:
            listen = ("ingest", *arguments, "--listen", address)
            return stack.enter_context(braincast(*listen, cwd=there))

        ingest = take_in("tcp://127.0.0.1:0")
        address = ingest.line()
        serving = ("serve", "-m", model, "--ingest", address, "--port", "0")
        serve = stack.enter_context(braincast(*serving, cwd=here))
        with connect(serve.line(), ["text", "state"]) as events:
            until_decoded(events)
            ingest.kill()  # and its own supervision starts it again
            ingest = take_in(address)
            told = until_ready(events)
            assert any("taking in was restarted" in detail for detail in told), told
            until_decoded(events)
        assert serve.interrupt() == 0, serve.errors
        assert ingest.interrupt() == 0, ingest.errors
    (decoded,) = (here / "sessions").iterdir()
    with pytest.raises(SessionError, match="copy the folder"):
        verify_session(decoded)
    for recorded in (there / "sessions").iterdir():
        numbers = recorded_numbers(recorded)
        np.testing.assert_array_equal(numbers, numbers[0] + np.arange(len(numbers)))
        shutil.copytree(recorded, decoded / recorded.name)
    verdict = verify_session(decoded)
    assert verdict.difference == ""
    assert verdict.n_equal > 0
    assert not verdict.cut_short


def test_an_ingest_needs_no_torch_and_no_web_server() -> None:
    import subprocess
    import sys

    code = (
        "import sys, decoder.ingesting, decoder.listening, streaming.sources.lsl\n"
        "print({'torch', 'fastapi', 'uvicorn', 'mne', 'models'} & set(sys.modules))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "set()"
