from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoder.server.hub import MAX_LAG
from decoder.server.pulse import EVERY, LATE, MOST, Pulse


def run(takes: float, seconds: float, rate: float = 20.0) -> tuple[int, list[int], list[float]]:
    """Offer frames to a client that reads one in so many seconds.

    Returns how many it got, how many were on the way each time, and the age of each at reading.
    """
    pulse, free, ages = Pulse(), 0.0, list[float]()
    answers: deque[float] = deque()
    reads: deque[float] = deque()
    on_the_way = []
    n = 0
    pulse.begin(0.0)
    pulse.answered(0.001)
    for k in range(int(seconds * rate)):
        now = k / rate
        while answers and answers[0] <= now:
            pulse.answered(answers.popleft())
        while reads and reads[0] <= now:
            reads.popleft()
        if not pulse.prompt(now):
            continue
        n += 1
        free = max(free, now) + takes
        ages.append(free - now)
        reads.append(free)
        on_the_way.append(len(reads))
        if pulse.sent(now):
            answers.append(free)
    return n, on_the_way, ages


def test_who_reads_gets_all() -> None:
    for takes in (0.001, 0.04):
        n, _, ages = run(takes, 60.0)
        assert n == 60 * 20
        assert max(ages) < 2 * takes


def test_it_knows_how_long_the_last_was_on_the_way() -> None:
    pulse = Pulse()
    pulse.begin(0.0)
    pulse.answered(0.001)
    assert pulse.sent(1.0)
    pulse.answered(1.4)
    assert abs(pulse.lag - 0.4) < 1e-9


def test_a_long_way_costs_nothing_once_it_is_known() -> None:
    """Answers take a second, but the client reads as fast as it gets."""
    pulse, n = Pulse(), 0
    answers: deque[float] = deque()
    for k in range(600):
        now = k / 20
        while answers and answers[0] <= now:
            pulse.answered(answers.popleft())
        if pulse.prompt(now):
            n += 1
            if pulse.sent(now):
                answers.append(now + 1.0)
    assert n > 400


def test_who_reads_slowly_has_one_frame_on_the_way_and_gets_nothing_old() -> None:
    n, on_the_way, ages = run(0.5, 60.0)
    assert n > 100  # as many as it can read, nearly
    assert max(on_the_way) == 1
    assert max(ages) <= 0.5


@given(st.floats(0.001, 3.0))
def test_however_slowly_it_reads_little_is_older_than_one_frame(takes: float) -> None:
    _, _, ages = run(takes, 30.0)
    assert max(ages) <= 2 * LATE + 3 * takes


def test_who_stops_reading_gets_nothing_more_soon() -> None:
    pulse, now = Pulse(), 0.0
    while pulse.window < MOST:
        pulse.sent(now)
        pulse.answered(now + 0.001)
        now += 1.0
    n = 0
    for k in range(2000):
        if pulse.prompt(now + k / 100):
            pulse.sent(now + k / 100)
            n += 1
    assert n <= 100 * (EVERY + LATE) + 2


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=60))
def test_after_an_answer_there_is_always_room(steps: list[tuple[bool, float]]) -> None:
    pulse, now = Pulse(), 0.0
    for answers, later in steps:
        now += later
        if answers:
            pulse.answered(now)
            assert pulse.prompt(now)
        elif pulse.prompt(now):
            pulse.sent(now)
        assert 1 <= pulse.window <= MOST


def test_before_the_way_is_known_nothing_is_sent() -> None:
    pulse = Pulse()
    pulse.begin(0.0)
    assert not pulse.prompt(0.1)
    pulse.answered(0.2)
    assert pulse.prompt(0.2)
    assert pulse.window == 1


def test_while_an_answer_is_awaited_no_other_ping_goes() -> None:
    """Else who subscribes again and again, sooner than answers come, would never get any."""
    pulse = Pulse()
    assert pulse.begin(0.0)
    assert not pulse.begin(0.1)
    pulse.answered(0.2)
    assert pulse.quickest == 0.2
    assert pulse.sent(0.3)
    assert not pulse.begin(0.4)
    pulse.answered(0.5)
    assert pulse.begin(0.6)


def lossless(answers_at: Callable[[float], float], seconds: float = 60.0) -> float:
    """Offer 20 frames a second that must not be missed; return how long one waited at most."""
    pulse, waiting, waited = Pulse(), deque[float](), 0.0
    answers = deque[float]()
    pulse.begin(0.0)
    pulse.answered(0.001)
    for k in range(int(seconds * 100)):
        now = k / 100
        if k % 5 == 0:
            waiting.append(now)
        if answers and answers[0] <= now:
            answers.popleft()
            pulse.answered(now)
        while waiting and pulse.prompt(now, timely=False):
            waited = max(waited, now - waiting.popleft())
            if pulse.sent(now, timely=False):
                answers.append(answers_at(now))
    return max(waited, now - waiting[0] if waiting else 0.0)


@pytest.mark.parametrize("every", [0.3, 0.6, 1.0])
def test_who_looks_now_and_then_and_reads_all_falls_behind_by_little(every: float) -> None:
    """A busy program: its answers are late, but it takes all there is."""
    assert lossless(lambda now: (now // every + 1) * every) < MAX_LAG / 2


def test_who_never_answers_gets_no_more_than_a_few() -> None:
    assert lossless(lambda now: math.inf) > 50


@given(st.lists(st.one_of(st.none(), st.floats(0, 4)), max_size=80))
def test_who_may_get_what_must_not_be_old_may_get_what_must_not_be_missed(
    steps: list[float | None],
) -> None:
    pulse, now = Pulse(), 0.0
    for later in steps:
        if later is None:
            pulse.answered(now)
        else:
            now += later
            if pulse.prompt(now):
                assert pulse.prompt(now, timely=False)
                pulse.sent(now)
        assert pulse.window <= pulse.ample
