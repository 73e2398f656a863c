from __future__ import annotations

import io
import os
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
