"""What a monitor reads, by Prometheus' own parser."""

from __future__ import annotations

import math
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from decoder.events import (
    Evidence,
    GapFound,
    MarkerSeen,
    Overrun,
    Quality,
    Running,
    Signal,
    State,
    TextDecoded,
)
from decoder.server.metrics import Levels, Metrics
from streaming.signal import ChannelQuality, Gap, Marker

LEVELS = Levels(
    ready=True,
    clients={"viewer": 2, "operator": 1},
    queues={"clients": 3},
    samples_dropped={"overrun": 7, "restart": 3},
    missed=5,
    too_slow=2,
)


def decode(abstained: str = "", **more: Any) -> TextDecoded:
    return TextDecoded(
        "S/0", (), 2, True, "c", "m", 0, 0, 10, 0.0, 0.1, abstained,
        latency_ms={"queue": 0.4, "total": 30.0}, **more,
    )  # fmt: skip


def scrape(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, sorted by label."""
    found = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            assert sample.name.startswith(family.name)
            found[sample.name, *sample.labels.values()] = sample.value
    return found


def test_decodes_are_counted_by_outcome_and_their_stages_measured() -> None:
    metrics = Metrics("model-1", lambda: LEVELS)
    for made in (decode(), decode(), decode(stale=True), decode("settling")):
        metrics.observe(made)
    found = scrape(metrics)
    assert found["braincast_decodes_total", "decoded"] == 2
    assert found["braincast_decodes_total", "stale"] == 1
    assert found["braincast_decodes_total", "settling"] == 1
    assert found["braincast_latency_seconds_count", "total"] == 3
    assert found["braincast_latency_seconds_bucket", "0.025", "total"] == 0
    assert found["braincast_latency_seconds_bucket", "0.05", "total"] == 3
    assert found["braincast_latency_seconds_bucket", "0.001", "queue"] == 3


def test_what_is_lost_and_where_is_counted() -> None:
    metrics = Metrics("m", lambda: LEVELS)
    metrics.observe(GapFound(Gap(1.0, 0.5, "lost")))
    metrics.observe(Overrun(10, 2.0))
    metrics.observe(MarkerSeen(Marker("x", 0.0, 0, 0), "unknown"))
    found = scrape(metrics)
    assert found["braincast_gaps_total", "lost"] == 1
    assert found["braincast_gap_seconds_total", "lost"] == 0.5
    assert found["braincast_overruns_total",] == 1
    assert found["braincast_markers_total", "unknown"] == 1
    assert found["braincast_samples_dropped_total", "overrun"] == 7
    assert found["braincast_samples_dropped_total", "restart"] == 3
    assert found["braincast_client_missed_total",] == 5
    assert found["braincast_clients_too_slow_total",] == 2
    assert found["braincast_clients", "viewer"] == 2
    assert found["braincast_queue_depth", "clients"] == 3
    assert found["braincast_ready",] == 1


def test_of_each_state_one_is_1() -> None:
    metrics = Metrics("m", lambda: LEVELS)
    for state in ("live", "lost", "live", "stalled"):
        metrics.observe(State("source", state, 0.0, ""))
    found = scrape(metrics)
    said = {key[1]: value for key, value in found.items() if key[0] == "braincast_state"}
    assert said == {"live": 0, "lost": 0, "stalled": 1}


def test_accuracy_comes_with_its_chance() -> None:
    metrics = Metrics("m", lambda: LEVELS)
    metrics.observe(decode(running=(Running("zero_shot", 20, 4, 0.5, 0.3, 0.7, 0.9, 1.5),)))
    found = scrape(metrics)
    assert found["braincast_score", "1", "zero_shot"] == 0.5
    assert found["braincast_score", "5", "zero_shot"] == 0.9
    assert found["braincast_score_chance", "1", "zero_shot"] == 0.25
    assert found["braincast_score_chance", "5", "zero_shot"] == 1.0
    assert found["braincast_score_trials", "zero_shot"] == 20


def test_evidence_is_a_number_or_none() -> None:
    metrics = Metrics("m", lambda: LEVELS)
    metrics.observe(Evidence("d", "closed_set", "shuffled", 9, 1.5, 2.0, 0.01))
    assert scrape(metrics)["braincast_evidence_log10", "closed_set"] == 1.5
    metrics.observe(Evidence("", "", "shuffled", 0, 0.0, 0.0, 1.0, available=False))
    assert math.isnan(scrape(metrics)["braincast_evidence_log10", "closed_set"])


def test_bad_channels_and_what_runs_are_told() -> None:
    metrics = Metrics("model-1", lambda: LEVELS)
    channels = ChannelQuality(("good", "flat", "noisy"), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    metrics.observe(Quality(0, 0, 0.0, ("a", "b", "c"), channels, ("b",), refused=False))
    found = scrape(metrics)
    assert found["braincast_bad_channels",] == 1
    assert next(key for key in found if key[0] == "braincast_info")[1] == "model-1"


def test_what_is_no_measure_is_passed_over() -> None:
    import numpy as np

    metrics = Metrics("m", lambda: LEVELS)
    before = metrics.render()
    metrics.observe(Signal(np.zeros((1, 1), np.float32), 0.0, 1.0))
    assert len(metrics.render().splitlines()) == len(before.splitlines())
