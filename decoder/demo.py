"""The demo: a simulated participant, calibrated and decoded live over real LSL."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from typing import Any

from decoder.children import end, spawn
from decoder.config import Config, PreviewConfig, SessionConfig, SourceConfig
from decoder.evaluation import Evaluation
from decoder.fitting import FitSettings, fit_recordings
from decoder.folder import SessionFolder, create_folder, new_session_id
from decoder.ingesting import IngestAddress, ingest_process
from decoder.randomisation import Design
from decoder.server.auth import Access
from decoder.service import Service
from decoder.simulation import CANDIDATES, RECORDING, STIMULI, save_calibration
from streaming.link_feed import LinkFeed
from streaming.sources.simulated import SimulatedSettings

__all__ = ["Demo", "summary"]

START = 60.0
"""Seconds that the participant gets to appear on LSL: it loads a sentence encoder first."""

LIVE_SOA = 1.2
"""Seconds from one stimulus to the next when somebody watches: the decode of one comes 0.8 s
after its onset, and must be seen beside it before the next is shown."""

RISK = 0.2
"""Of the sets that it shows."""


@dataclass(frozen=True, slots=True)
class Demo:
    """Everything the demo does: `calibrate`, then `ingest` and `service`, in `participant`.

    Parameters
    ----------
    settings : SimulatedSettings
        Who takes part.
    n_trials : int
        Stimuli in calibration.
    folder : Path
        Gets the calibration, the model and the session.
    preview : str
        What pictures decodes; see `models.generator`. Empty: nothing does.
    token : str
        Makes whoever has it the operator; all others may watch.
    """

    settings: SimulatedSettings
    n_trials: int
    folder: Path
    preview: str = ""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def calibrate(self, progress: Callable[[str, float], None]) -> Evaluation:
        """Record a calibration session and fit a model; `progress` gets step and share."""
        progress("recording a calibration session", 0.0)
        save_calibration(self.settings, self.n_trials, self.folder)
        fitted = fit_recordings(
            [self.folder / RECORDING],
            self.folder / "model",
            FitSettings(stimuli=self.folder / STIMULI, candidates=self.folder / CANDIDATES),
            lambda share: progress("fitting the decoder", share),
        )
        return fitted.evaluation

    @contextmanager
    def participant(self) -> Iterator[str]:
        """Run the participant as a process of its own; gives the name of its stream."""
        s = self.settings
        name = f"simulated-{secrets.token_hex(3)}"
        options = {
            "--name": name,
            "--snr": s.snr,
            "--channels": s.n_channels,
            "--sfreq": s.sfreq,
            "--subject-seed": s.subject_seed,
            "--session-seed": s.session_seed,
            "--soa": LIVE_SOA,
        }
        arguments = [str(part) for pair in options.items() for part in pair]
        child = spawn("simulate", "--with-stdin", *arguments, environment={})
        try:
            yield name
        finally:
            end(child)

    @contextmanager
    def ingest(self, name: str) -> Iterator[tuple[SessionFolder, IngestAddress]]:
        """Take in and record the participant's streams, in a process of its own."""
        s = self.settings
        config = Config(
            source=SourceConfig(name=name, markers=(f"{name} markers",), timeout=START),
            session=SessionConfig(
                record=self.folder / "sessions", design=Design("independent"), risk=RISK
            ),
            preview=PreviewConfig(generator=self.preview),
            simulated={
                "snr": s.snr,
                "subject_seed": s.subject_seed,
                "session_seed": s.session_seed,
            },
        )
        root, model = self.folder / "sessions", self.folder / "model"
        session = create_folder(root, new_session_id(), config, [model])
        with ingest_process(session) as address:
            yield session, address

    def service(self, session: SessionFolder, address: IngestAddress, sock: socket) -> Service:
        """Make the service that decodes the participant, for anybody to watch."""
        feed = LinkFeed((address.host, address.port), address.token)
        access = Access(self.token, open_viewer=True)
        return Service(session.config(), session, feed, access, sock)


def stop_after(service: Service, seconds: float, ended: threading.Event) -> None:
    """Stop a service so many seconds after its decoder became ready."""
    while not service.ready and not ended.wait(0.05):
        pass
    ended.wait(seconds)
    service.stop()


def summary(service: Service) -> dict[str, Any]:
    """Return what the demo prints with ``--json``."""
    latency = service.runtime.latency()
    result: dict[str, Any] = {"simulated": service.simulated}
    result |= {"closed_set": None, "zero_shot": None}
    for running in service.runtime.running:
        chance = {
            "top1": 1 / running.pool,
            "top5": 5 / running.pool,
            "median_rank": (running.pool + 1) / 2,
        }
        result[running.protocol] = {
            "trials": running.n,
            "pool": running.pool,
            "chance": chance,
            "top1": running.top1,
            "top1_interval": [running.top1_low, running.top1_high],
            "top5": running.top5,
            "median_rank": running.median_rank,
        }
    keys = ("p50", "p95", "p99")
    return result | {
        "latency_ms": {
            stage: dict(zip(keys, values, strict=True))
            for stage, values in latency.stages.items()
        },
        "previews": latency.previews,
        "gaps": latency.gaps,
        "drops": latency.drops,
    }
