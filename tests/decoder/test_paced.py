"""Who asked for so many messages a second gets no more, and what has just come."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.decoder.test_hub import Reader, hub_of, message
from tests.examples import examples

seeds = st.integers(0, 1000)


@examples(100)
@given(
    every=st.floats(0.02, 0.3),
    rate=st.floats(2.0, 20.0),
    late=st.floats(0.0, 0.004),
    seed=seeds,
)
def test_a_rated_client_gets_no_more_than_it_asked_for(
    every: float, rate: float, late: float, seed: int
) -> None:
    taken = taken_at_rate(rate, every, late, seed, seconds=20.0)
    assert len(taken) <= 20.0 * rate + 2
    assert len(taken) >= 0.8 * 20.0 * min(rate, 1 / every) - 2


@examples(100)
@given(share=st.integers(1, 8), late=st.floats(0.0, 0.004), seed=seeds)
def test_what_a_rated_client_gets_has_not_waited(share: int, late: float, seed: int) -> None:
    ages = taken_at_rate(20.0 / share, 0.05003, late, seed, seconds=30.0)
    assert np.median(ages) < 0.001


def taken_at_rate(
    rate: float, every: float, late: float, seed: int, *, seconds: float
) -> list[float]:
    """Return how old each message was that a client got; one comes `every` so often."""
    reader, rng = Reader("rate", rate), np.random.default_rng(seed)
    hub, pace = hub_of(reader), reader.client._paced["text"]
    times, ages = np.arange(0.1, seconds, every), []
    for t in times + rng.uniform(0, late, len(times)):
        if pace.newest is not None and pace.turn < t:
            reader.now = pace.turn + 1e-9
            waited = reader.client._pop()
            assert waited is not None
            ages.append(reader.now - waited.t_emit)
        reader.now = float(t)
        n_before = len(reader.line.frames)
        hub.publish(message(0, t=reader.now))
        ages += [0.0] * (len(reader.line.frames) - n_before)
    return ages
