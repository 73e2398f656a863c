"""Whatever `serve` takes in, the preflight does: here a buffer, that of MEG."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from decoder.cli import main
from decoder.config import SourceConfig
from decoder.rehearsal import rehearse
from streaming.description import Described
from streaming.fieldtrip_protocol import Address
from streaming.fieldtrip_server import FieldTripServer
from streaming.lsl_clock import lsl_clock
from streaming.signal import SignalSpec

pytest.importorskip("mne_realtime")

SPEC = SignalSpec(100.0, ("MEG0111", "MEG0112", "STI101"), ("mag", "grad", "stim"))


@pytest.fixture
def buffer() -> Iterator[str]:
    """Fill a buffer as an amplifier does: a pulse each half second, its marker 20 ms before."""
    server = FieldTripServer(Described(SPEC, (1.0,) * 3), Address("127.0.0.1", 0))
    stop = threading.Event()

    def send() -> None:
        start, n = lsl_clock(), 0
        while not stop.wait(0.02):
            now = int((lsl_clock() - start) * SPEC.sfreq)
            for pulse in range(n - n % -50, now, 50):
                server.push_marker("flash", start + (pulse - 2) / SPEC.sfreq)
            data = np.zeros((3, now - n), np.float32)
            data[2] = np.arange(n, now) % 50 < 5
            server.push(data, start + np.arange(n, now) / SPEC.sfreq)
            n = now

    thread = threading.Thread(target=send)
    thread.start()
    yield f"fieldtrip://127.0.0.1:{server.address.port}"
    stop.set()
    thread.join()
    server.close()


def test_a_buffer_is_taken_in_for_a_while(buffer: str) -> None:
    found = rehearse(SourceConfig(address=buffer), 2.0, lsl_clock)
    assert found.spec.ch_names == SPEC.ch_names
    assert found.sfreq == pytest.approx(100, rel=0.05)
    assert found.n_times > 100
    assert found.n_markers >= 2
    assert (found.n_gaps, found.lost) == (0, 0.0)


@pytest.mark.slow
def test_the_timing_of_a_buffer_is_measured(
    buffer: str, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    output = f"{tmp_path}/timing.json"
    command = ["timing", "--source", buffer, "--channel", "STI101", "--seconds", "8"]
    assert main([*command, "-o", output]) == 0
    assert output in capsys.readouterr().out
