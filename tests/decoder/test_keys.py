from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from decoder.keys import pressed_keys


def test_without_a_terminal_no_key_is_pressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("f"))
    with pressed_keys() as pressed:
        assert pressed() == ""


@pytest.mark.skipif(os.name != "posix", reason="other terminals have other keys")
def test_keys_are_read_as_they_are_pressed(monkeypatch: pytest.MonkeyPatch) -> None:
    import pty
    import termios

    ours, theirs = pty.openpty()
    try:
        before = termios.tcgetattr(theirs)
        with os.fdopen(os.dup(theirs)) as terminal:
            monkeypatch.setattr(sys, "stdin", terminal)
            with pressed_keys() as pressed:
                assert pressed() == ""
                os.write(ours, b"f")
                keys = ""
                while not keys:
                    keys = pressed()
                assert keys == "f"  # without a return
        assert termios.tcgetattr(theirs)[3] == before[3]
    finally:
        os.close(ours)
        os.close(theirs)


_IN_BACKGROUND = """
import fcntl, os, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from decoder.keys import pressed_keys
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    with pressed_keys() as pressed:
        os._exit(0 if pressed() == "" else 1)
_, status = os.waitpid(child, os.WUNTRACED)
print("stopped" if os.WIFSTOPPED(status) else "went on")
os.kill(child, 9) if os.WIFSTOPPED(status) else None
"""


@pytest.mark.skipif(os.name != "posix", reason="other terminals have other keys")
def test_in_the_background_nobody_is_stopped() -> None:
    """As with ``braincast calibrate ... &``: a terminal stops who sets it from there."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as terminal:
        done = subprocess.run(
            [sys.executable, "-c", _IN_BACKGROUND],
            stdin=terminal,
            stdout=subprocess.PIPE,
            start_new_session=True,
            check=True,
            timeout=30,
        )
    os.close(ours)
    assert done.stdout.split() == [b"went", b"on"]
