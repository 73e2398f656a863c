"""The demo as a newcomer starts it, with fewer trials."""

from __future__ import annotations

import json
import re
import socket

import pytest

from decoder.client import connect
from tests.e2e.processes import braincast, children_of, wait_for_children, wait_until_gone


@pytest.mark.slow
def test_the_demo_prints_scores_and_latency_and_leaves_nothing_running() -> None:
    with braincast("demo", "--seconds", "8", "--trials", "150", "--json") as demo:
        result = json.loads(demo.rest())
        assert demo.wait() == 0, demo.errors
    assert result["simulated"]["snr"] == "easy"
    n_trials = 0
    for protocol in ("closed_set", "zero_shot"):
        scores = result[protocol]
        assert scores["pool"] == 300
        assert scores["chance"]["top1"] == 1 / 300
        assert 1 <= scores["median_rank"] <= 300
        n_trials += scores["trials"]
    assert n_trials >= 4
    assert {"gaps", "drops"} <= set(result)  # there may be some on a busy machine
    pictures = {"preview_first", "preview"}  # if there was time for one
    assert set(result["latency_ms"]) - pictures == {"acquire", "queue", "decode", "total"}
    total = result["latency_ms"]["total"]
    assert 0 < total["p50"] <= total["p95"] <= total["p99"]


@pytest.mark.slow
def test_ctrl_c_ends_every_process_of_the_demo() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with braincast("demo", "--trials", "150", "--port", port) as demo:
        demo.wait_for_error(f":{port}")
        with connect(f"http://127.0.0.1:{port}", ["text", "state"]) as events:
            assert events.session["role"] == "viewer"
            next(iter(events))
        children = children_of(demo.pid)
        assert children
        assert demo.interrupt() == 0, demo.errors
    assert wait_until_gone(children)
    assert not re.search("Traceback", demo.errors)


@pytest.mark.slow
def test_the_participant_ends_with_a_demo_that_is_killed() -> None:
    with braincast("demo", "--trials", "1000", "--port", "0") as demo:
        children = wait_for_children(demo)
        demo.kill()
    assert wait_until_gone(children)
