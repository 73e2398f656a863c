"""Several streams, and several recordings, at once."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

import numpy as np
import pylsl
import pytest

from streaming.outlet import StreamDescription
from streaming.replay import play
from streaming.sources.playable import Block
from tests.streaming.loopback import receive


class Made:
    """Two streams of different rates, formats and beginnings, and one without samples."""

    def __init__(self) -> None:
        tag, desc = uuid4().hex, (("cap", (("name", "some"), ("size", "54"))),)
        self.streams = (
            StreamDescription("fast", "EEG", 2, 100.0, "double64", f"fast-{tag}", desc),
            StreamDescription("slow", "Gaze", 1, 10.0, "int16", f"slow-{tag}"),
            StreamDescription("words", "Markers", 2, 0.0, "string", f"words-{tag}"),
            StreamDescription("empty", "Audio", 1, 50.0, "float32", f"empty-{tag}"),
        )
        self.duration = 2.0
        self.fast = np.random.default_rng(2).standard_normal((200, 2))
        self.slow = np.arange(-10, 10, dtype=np.int16)[:, None]

    def blocks(self) -> Any:
        for n in range(2):
            yield Block(0, n + np.arange(100) / 100, self.fast[100 * n : 100 * n + 100])
            yield Block(1, n + 0.03 + np.arange(10) / 10, self.slow[10 * n : 10 * n + 10])
            yield Block(2, np.array([n + 0.5]), [["go", f"é{n}"]])


@pytest.mark.parametrize("loop", [False, True])
def test_several_streams_keep_names_formats_descriptions_and_relative_timing(
    loop: bool,
) -> None:
    made, other, stop = Made(), Made(), threading.Event()
    ids = [d.source_id for d in [*made.streams[:3], *other.streams[:1]]]
    others = [d.source_id for d in [*made.streams, *other.streams] if d.source_id not in ids]
    times = 2 if loop else 1

    def progress(seconds: float) -> None:
        if seconds > 4.4:
            stop.set()

    got = receive(
        lambda: play(
            [made, other],
            speed=4.0,
            loop=loop,
            wait_for_consumer=20,
            stop=stop,
            progress=progress,
        ),
        dict(zip(ids, [200 * times, 20 * times, 2 * times, 200 * times], strict=True))
        | dict.fromkeys(others, 0),
    )
    fast, slow, words, same = (got[source_id] for source_id in ids)
    np.testing.assert_array_equal(fast.data[: 200 * times], np.tile(made.fast, (times, 1)))
    np.testing.assert_array_equal(slow.data[: 20 * times], np.tile(made.slow, (times, 1)))
    assert words.rows[:2] == [["go", "é0"], ["go", "é1"]]
    t_0, period = fast.stamps[0], 2.03
    t_fast = np.concatenate([n * period + np.arange(200) / 100 for n in range(times)])
    t_slow = np.concatenate([n * period + 0.03 + np.arange(20) / 10 for n in range(times)])
    np.testing.assert_allclose(fast.stamps[: 200 * times] - t_0, t_fast, atol=1e-9)
    np.testing.assert_allclose(slow.stamps[: 20 * times] - t_0, t_slow, atol=1e-9)
    np.testing.assert_allclose(words.stamps[:2] - t_0, [0.5, 1.5], atol=1e-9)
    np.testing.assert_allclose(same.stamps[0], t_0, atol=1e-9)
    info = fast.info
    assert (info.name(), info.type(), info.channel_format()) == (
        "fast",
        "EEG",
        pylsl.cf_double64,
    )
    assert slow.info.channel_format() == pylsl.cf_int16
    assert info.desc().child("cap").child_value("size") == "54"
    assert words.info.channel_count() == 2
