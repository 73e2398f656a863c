from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from decoder.children import Child, Watched, end, keep

WAIT = "import sys; sys.stdin.read()"


@pytest.fixture
def children() -> Iterator[list[Child]]:
    started: list[Child] = []
    yield started
    for child in started:
        child.kill()
        assert child.stdout is not None
        child.stdout.close()
        child.wait()


def start(children: list[Child], code: str) -> Child:
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    children.append(child)
    return child


def test_one_that_says_nothing_after_it_began_hangs_and_is_killed(
    children: list[Child], caplog: pytest.LogCaptureFixture
) -> None:
    child = start(children, f"print(flush=True); {WAIT}")
    watched = Watched(child, "this one", start=60.0, hang=0.2)
    while watched.is_alive():
        pass
    assert watched.begun
    assert end(child) < 0
    assert "this one gave no sign of life" in caplog.text


def test_one_that_never_begins_is_killed(children: list[Child]) -> None:
    watched = Watched(start(children, WAIT), "this one", start=0.2, hang=60.0)
    while watched.is_alive():
        pass
    assert not watched.begun
    assert end(watched.child) < 0


def test_a_start_gets_as_long_as_it_makes_steps(children: list[Child]) -> None:
    code = f"""
import sys
for _ in range(6):
    sys.stdin.readline()
    print(".", end="", flush=True)
sys.stdin.readline()
print(flush=True)
{WAIT}"""
    child = start(children, code)
    assert child.stdin is not None
    now = [0.0]
    watched = Watched(child, "this one", start=1.0, hang=0.5, clock=lambda: now[0])
    for n in range(6):
        now[0] += 0.9  # 5.4 s in all, and never a second without a step
        os.write(child.stdin.fileno(), b"\n")
        while watched.deadline < now[0] + 1.0:
            assert watched.is_alive(), f"ended after {n} steps"
        assert not watched.begun
    os.write(child.stdin.fileno(), b"\n")
    while not watched.begun:
        assert watched.is_alive()
    assert watched.deadline == now[0] + 0.5
    end(child)


def test_a_start_that_stops_making_steps_is_killed(
    children: list[Child], caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(
        start(children, f"print('.', end='', flush=True); {WAIT}"),
        "this one",
        start=0.2,
        hang=60.0,
    )
    while watched.is_alive():
        pass
    assert not watched.begun
    assert end(watched.child) < 0
    assert "no sign of life of a start for 0.2 s" in caplog.text


def test_one_that_ends_is_seen_and_its_exit_code_told(children: list[Child]) -> None:
    watched = Watched(start(children, "raise SystemExit(7)"), "it", start=60.0, hang=60.0)
    while watched.is_alive():
        pass
    assert end(watched.child) == 7


def test_one_ends_when_its_input_does(children: list[Child]) -> None:
    assert end(start(children, WAIT)) == 0


BEGIN = "import sys; sys.stdin.readline(); print(flush=True)"


def test_the_next_is_ready_when_one_dies_and_a_good_end_ends_it(children: list[Child]) -> None:
    codes = {1: 7, 2: -9, 3: 0}
    begun: list[int] = []

    def begin(number: int) -> Child:
        end = "import os; os.kill(os.getpid(), 9)" if codes.get(number) == -9 else ""
        begun.append(number)
        return start(children, f"{BEGIN}; sys.exit({codes.get(number, 0)})\n{end}")

    told: list[str] = []
    code = keep(
        begin,
        "this one",
        patience=60.0,
        hang=60.0,
        done=(0,),
        begun=lambda: told.append("begun"),
        stop=threading.Event(),
    )
    assert code == 0
    assert told == ["begun"]
    assert begun == [1, 2, 3, 4]  # the fourth was started ahead, and ended


def test_if_the_first_never_begins_no_other_is_tried(children: list[Child]) -> None:
    told: list[str] = []
    code = keep(
        lambda _: start(children, "raise SystemExit(2)"),
        "this one",
        patience=60.0,
        hang=60.0,
        done=(0,),
        begun=lambda: told.append("begun"),
        stop=threading.Event(),
    )
    assert code == 2
    assert told == []
    assert len(children) == 1


def test_what_is_there_at_the_start_is_spared_by_the_garbage_collector() -> None:
    code = """
import gc
from decoder.children import spare_the_old
before = len(gc.get_objects())
spare_the_old()
print(before, len(gc.get_objects()), gc.get_freeze_count())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    before, after, spared = map(int, done.stdout.split())
    assert after < before / 10
    assert spared > before / 2
