"""Senders over LSL that stall, die, come back, or do not answer."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pylsl
import pytest

from streaming import lsl_inlet
from streaming.signal import Chunk, Gap, SourceState
from streaming.sources.lsl import LslSource
from tests.streaming.lslstreams import (
    SFREQ,
    count,
    only,
    read_until,
    signal_info,
    states,
    unique,
)


@pytest.fixture
def name() -> str:
    return unique()


def test_a_stall_is_said_once_and_its_end(name: str) -> None:
    outlet = pylsl.StreamOutlet(signal_info(name))
    source = LslSource.open(name=name, markers=[])
    assert outlet.wait_for_consumers(10)
    outlet.push_chunk(np.zeros((20, 2)), pylsl.local_clock())
    items = read_until(source, lambda items: "stalled" in states(items))
    assert source.read(0.5) is None
    outlet.push_chunk(np.zeros((20, 2)), pylsl.local_clock())
    items += read_until(source, lambda items: "live" in states(items))
    assert states(items) == ["live", "stalled", "live"]


SENDER = """
import sys
import numpy as np, pylsl
from tests.streaming.lslstreams import SFREQ, signal_info
name, sfreq, labels = sys.argv[1], float(sys.argv[2]), sys.argv[3]
outlet = pylsl.StreamOutlet(signal_info(name, sfreq, labels=labels))
n_channels = len(labels.split())
start, n = pylsl.local_clock(), 0
import threading
while not threading.Event().wait(0.02):
    due = int((pylsl.local_clock() - start) * sfreq)
    if due > n:
        rows = np.zeros((due - n, n_channels))
        outlet.push_chunk(rows, list(start + np.arange(n, due) / sfreq))
        n = due
"""


class Sender:
    """Sends from a process of its own, which can be killed."""

    def __init__(self, name: str, sfreq: float = SFREQ, labels: str = "Cz Pz") -> None:
        command = [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, '.')\n{SENDER}"]
        self.process = subprocess.Popen([*command, name, str(sfreq), labels])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def senders() -> Iterator[list[Sender]]:
    started: list[Sender] = []
    yield started
    for sender in started:
        sender.kill()


@pytest.mark.slow
def test_a_sender_that_was_killed_is_taken_again(name: str, senders: list[Sender]) -> None:
    senders.append(Sender(name))
    source = LslSource.open(name=name, markers=[], timeout=20)
    read_until(source, lambda items: count(items) > 100)
    senders[-1].kill()
    read_until(source, lambda items: "lost" in states(items), 5)
    senders.append(Sender(name, 500.0))
    other_rate = read_until(source, lambda items: "lost" in states(items), 20)
    detail = next(i.detail for i in other_rate if isinstance(i, SourceState))
    assert "at 500 Hz, and not" in detail
    assert "at 250 Hz" in detail
    senders[-1].kill()
    senders.append(Sender(name, labels="Cz Oz"))
    other_names = read_until(source, lambda items: "lost" in states(items), 20)
    detail = next(i.detail for i in other_names if isinstance(i, SourceState))
    assert "Cz, Oz" in detail
    senders[-1].kill()
    senders.append(Sender(name))
    back = read_until(source, lambda items: count(items) > 50, 20)
    (gap,) = only(Gap, back)
    assert isinstance(gap, Gap)
    assert gap.reason == "reconnect"
    assert gap.duration > 0
    assert {i.segment for i in back if isinstance(i, Chunk)} == {1}
    assert states(back) == ["live"]
    source.close()


def test_a_stream_that_does_not_answer_holds_up_no_other(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    slow = pylsl.StreamOutlet(signal_info(f"{name}-slow"))

    def opened(info: pylsl.StreamInfo) -> lsl_inlet.Inlet:
        assert info.name() != f"{name}-slow" or answer.wait(30)
        return inlet(info)

    inlet = lsl_inlet.Inlet

    monkeypatch.setattr(lsl_inlet, "Inlet", opened)
    finder = lsl_inlet.Finder(f"starts-with(name,'{name}')", lambda _: True, set())
    pause = threading.Event()
    for _ in range(50):
        assert finder.poll() is None
        pause.wait(0.02)
    quick = pylsl.StreamOutlet(signal_info(f"{name}-quick"))
    first = opened_by(finder)
    assert first.summary.name == f"{name}-quick"
    answer.set()
    second = opened_by(finder)
    assert second.summary.name == f"{name}-slow"
    # An outlet that ends while it is being opened can take the process along (sccn/liblsl#218).
    finder.close()
    first.close()
    second.close()
    del slow, quick


def opened_by(finder: lsl_inlet.Finder) -> lsl_inlet.Inlet:
    pause = threading.Event()
    for _ in range(1500):
        if (found := finder.poll()) is not None:
            return found
        pause.wait(0.02)
    pytest.fail("nothing was opened within 30 s")
