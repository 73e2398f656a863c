"""What a monitor reads at ``/metrics``, as Prometheus has it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.process_collector import ProcessCollector

from decoder.events import (
    Event,
    Evidence,
    GapFound,
    ImagePreview,
    MarkerSeen,
    Overrun,
    Quality,
    Running,
    State,
    TextDecoded,
)

__all__ = ["CONTENT_TYPE", "Levels", "Metrics"]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper edges in seconds: a hop of the chain takes one, a window of a second has to wait."""

_USABLE = {"good", "noisy", "line"}
"""Verdicts on channels whose samples are used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """What is read only when somebody asks.

    Parameters
    ----------
    ready : bool
        Whether decodes can be expected now.
    clients : mapping of str to int
        How many there are in each role.
    queues : mapping of str to int
        How many messages, inputs or (``ingest``) samples wait in each queue.
    samples_dropped : mapping of str to int
        On the way to the decoder, so far, by reason.
    missed : int
        Messages that clients did not get, as their policy has it, so far.
    too_slow : int
        Clients that were closed because they read too slowly, so far.
    previews : mapping of str to int
        What became of the decodes that were to be pictured, so far.
    """

    ready: bool
    clients: Mapping[str, int]
    queues: Mapping[str, int]
    samples_dropped: Mapping[str, int]
    missed: int
    too_slow: int
    previews: Mapping[str, int] = field(default_factory=dict)


class Metrics:
    """Counts what a session says; `observe` and `render` may be of different threads.

    Parameters
    ----------
    model_id : str
        Of the model that decodes.
    levels : callable
        Reads what is not told by events.
    """

    def __init__(self, model_id: str, levels: Callable[[], Levels]) -> None:
        self._registry = registry = CollectorRegistry()
        self._levels = levels
        self._latency = Histogram(
            "braincast_latency_seconds",
            "How long each stage of a decode took; total from the newest sample's timestamp.",
            ["stage"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._preview = Histogram(
            "braincast_preview_seconds",
            "From a decode's text to its first picture, and to its final one.",
            ["picture"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._decodes = Counter(
            "braincast_decodes",
            "Windows by outcome: decoded, stale, or why there is no decode.",
            ["outcome"],
            registry=registry,
        )
        self._gaps = Counter(
            "braincast_gaps",
            "Stretches that were lost before us.",
            ["reason"],
            registry=registry,
        )
        self._lost = Counter(
            "braincast_gap_seconds",
            "Length of the stretches that were lost before us.",
            ["reason"],
            registry=registry,
        )
        self._overruns = Counter(
            "braincast_overruns", "Times that decoding was too slow.", registry=registry
        )
        self._markers = Counter(
            "braincast_markers", "Markers by what they mean.", ["role"], registry=registry
        )
        self._states = Gauge(
            "braincast_state", "1 for the state that each is in.", ["what", "state"],
            registry=registry,
        )  # fmt: skip
        self._bad = Gauge(
            "braincast_bad_channels",
            "Channels that others stand in for, or that stand still.",
            registry=registry,
        )
        self._score = Gauge(
            "braincast_score",
            "Share of decodes with the truth among the best k.",
            ["protocol", "k"],
            registry=registry,
        )
        self._chance = Gauge(
            "braincast_score_chance", "What chance has.", ["protocol", "k"], registry=registry
        )
        self._trials = Gauge(
            "braincast_score_trials", "Decodes with a truth.", ["protocol"], registry=registry
        )
        self._evidence = Gauge(
            "braincast_evidence_log10",
            "What a stake of 1 against chance has become, as log10; NaN: no evidence.",
            ["protocol"],
            registry=registry,
        )
        info = Gauge("braincast_info", "What runs.", ["version", "model"], registry=registry)
        info.labels(version("braincast"), model_id).set(1)
        ProcessCollector(registry=registry)
        registry.register(self)
        self._said: dict[str, str] = {}

    def observe(self, event: Event, t: float = math.nan) -> None:
        """Count an event; `t`, when it goes out on the LSL clock [s], is needed of pictures."""
        if isinstance(event, TextDecoded):
            self._count_decode(event)
        elif isinstance(event, ImagePreview):
            self._count_picture(event, t)
        elif isinstance(event, GapFound):
            self._gaps.labels(event.gap.reason).inc()
            self._lost.labels(event.gap.reason).inc(event.gap.duration)
        elif isinstance(event, MarkerSeen):
            self._markers.labels(event.role).inc()
        elif isinstance(event, Overrun):
            self._overruns.inc()
        elif isinstance(event, Quality):
            self._bad.set(sum(v not in _USABLE for v in event.channels.verdicts))
        elif isinstance(event, State):
            self._keep_state(event)
        elif isinstance(event, Evidence):
            self._keep_evidence(event)

    def _count_decode(self, decode: TextDecoded) -> None:
        outcome = decode.abstained or ("stale" if decode.stale else "decoded")
        self._decodes.labels(outcome).inc()
        if not decode.abstained:
            for stage, ms in (decode.latency_ms or {}).items():
                self._latency.labels(stage).observe(ms / 1000)
        for running in decode.running:
            self._keep_score(running)

    def _count_picture(self, event: ImagePreview, t: float) -> None:
        if event.revision == 0:
            self._preview.labels("first").observe(t - event.t_text)
        if event.final:
            self._preview.labels("final").observe(t - event.t_text)

    def _keep_state(self, state: State) -> None:
        before = self._said.get(state.what)
        if before is not None:
            self._states.labels(state.what, before).set(0)
        self._states.labels(state.what, state.state).set(1)
        self._said[state.what] = state.state

    def _keep_evidence(self, evidence: Evidence) -> None:
        known = {evidence.protocol} if evidence.available else {"closed_set", "zero_shot"}
        for protocol in known:
            value = evidence.log10_e if evidence.available else math.nan
            self._evidence.labels(protocol).set(value)

    def _keep_score(self, running: Running) -> None:
        protocol = running.protocol
        self._trials.labels(protocol).set(running.n)
        for k, share in ((1, running.top1), (5, running.top5)):
            self._score.labels(protocol, str(k)).set(share)
            self._chance.labels(protocol, str(k)).set(min(1.0, k / running.pool))

    def collect(self) -> Iterator[Metric]:
        """Yield what is read only when somebody asks."""
        now = self._levels()
        yield GaugeMetricFamily(
            "braincast_ready", "Whether decodes can be expected now.", value=float(now.ready)
        )
        yield _counted(
            GaugeMetricFamily("braincast_clients", "Websockets by role.", labels=["role"]),
            now.clients,
        )
        about = "What waits: samples of ingest, else messages or inputs."
        yield _counted(
            GaugeMetricFamily("braincast_queue_depth", about, labels=["queue"]), now.queues
        )
        about = "Samples that were taken in and not decoded."
        yield _counted(
            CounterMetricFamily("braincast_samples_dropped", about, labels=["reason"]),
            now.samples_dropped,
        )
        about = "Decodes that were to be pictured, by what became of them."
        yield _counted(
            CounterMetricFamily("braincast_previews", about, labels=["outcome"]), now.previews
        )
        yield CounterMetricFamily(
            "braincast_client_missed",
            "Messages that clients did not get, as their policy has it.",
            value=now.missed,
        )
        yield CounterMetricFamily(
            "braincast_clients_too_slow",
            "Clients that were closed because they read too slowly.",
            value=now.too_slow,
        )

    def render(self) -> bytes:
        """Return it in Prometheus' text format; see `CONTENT_TYPE`."""
        return generate_latest(self._registry)


def _counted(
    family: GaugeMetricFamily | CounterMetricFamily, counts: Mapping[str, int]
) -> Metric:
    for label, n in counts.items():
        family.add_metric([label], n)
    return family
