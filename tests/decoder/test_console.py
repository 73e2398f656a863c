from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from decoder.console import progress_bar, stop_signals

STOPPED = """
from decoder.console import stopped_by_signals
stop = stopped_by_signals()
print("ready", flush=True)
print("stopped", stop.wait(60))
"""

LEFT = """
import threading
from decoder.console import when_input_ends
gone = threading.Event()
when_input_ends(gone.set)
print("ready", flush=True)
print("left", gone.wait(60))
"""


def start(code: str) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_stops_is_taken_in_good_order(number: signal.Signals) -> None:
    with start(STOPPED) as child:
        child.send_signal(number)
        assert child.communicate(timeout=60)[0] == "stopped True\n"
    assert child.returncode == 0


def test_a_terminal_that_is_closed_stops_nothing_that_was_to_outlive_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.SIG_IGN)  # as nohup sets it
    assert stop_signals() == [signal.SIGINT, signal.SIGTERM]


def test_who_was_started_ends_when_who_started_it_does() -> None:
    with start(LEFT) as child:
        assert child.communicate("a word\n", timeout=60)[0] == "left True\n"


def test_progress_goes_where_no_program_reads(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as bar:
        bar.advance(bar.add_task("reading", total=1.0))
    assert capsys.readouterr().out == ""
