"""Checks before a participant sits down."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from decoder.check import Check, Verdict
from decoder.config import SourceConfig
from decoder.rehearsal import Rehearsal, rehearse
from decoder.stream_checks import check_streams, query_for
from streaming.errors import BraincastError
from streaming.lsl_clock import lsl_clock
from streaming.outlet import SignalOutlet
from streaming.preflight import probe_multicast, probe_streams
from streaming.rate import RATE_TOLERANCE
from streaming.signal import Chunk, SignalSpec
from streaming.sources.lsl import LslSource

if TYPE_CHECKING:
    from models.checkpoint import Model

__all__ = ["Plan", "checks"]

NEEDED = (
    *("mne", "mne-bids", "numpy", "pylsl", "pyxdf", "scipy"),
    *("torch", "transformers", "safetensors", "fastapi", "uvicorn", "websockets"),
)

SLOW_LOOPBACK = 0.05
"""A sample that takes longer within this machine means a busy machine, in seconds."""

LITTLE_SPACE = 5e9
"""Bytes: a day of 64 channels at 1 kHz takes 22 GB, three hours 2.8 GB, and the log little."""

SLOW_DISK = 20e6
"""Bytes a second: 306 channels at 5 kHz come at 6 MB/s."""

TEST_WRITE = 16_000_000

FULL_LOAD = 0.8


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to be done on this machine.

    Parameters
    ----------
    model : Path or None
        A model folder that is to be served.
    record : Path
        Where sessions are to be kept.
    source : SourceConfig
        What is to be taken in; of LSL all streams are looked at, if it asks for nothing.
    seconds : float
        How long to look at the streams, and at what is taken in.
    """

    model: Path | None = None
    record: Path = Path("sessions")
    source: SourceConfig = field(default_factory=SourceConfig)
    seconds: float = 6.0

    @property
    def asked(self) -> bool:
        """Whether it is said what is to be taken in."""
        s = self.source
        return any((s.address, s.streams, s.name, s.type, s.source_id, s.predicate))


def checks(plan: Plan) -> Iterator[Check]:
    """Run all checks, one after the other.

    Parameters
    ----------
    plan : Plan
        What is going to be done.
    """
    yield _python()
    yield _packages()
    yield _checked("sentence encoder", _encoder)
    yield _checked("LSL within this machine", _loopback)
    yield _multicast()
    rehearsal: Rehearsal | None = None
    if plan.asked:  # it is waited for: streams that begin meanwhile are looked at, too
        check, rehearsal = _source(plan)
        yield check
    if plan.source.address is None:
        query = query_for(plan.source)
        probes = probe_streams(query, plan.seconds, plan.source.unit, lsl_clock)
        yield from check_streams(probes, plan.source, plan.seconds, asked=plan.asked)
        if probes and not plan.asked:
            check, rehearsal = _source(plan)
            yield check
    yield _space(plan.record)
    yield _write_speed(plan.record)
    if plan.model is not None:
        yield from _model(plan.model, rehearsal)


def _checked(what: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except BraincastError as error:
        return Check(what, "no", str(error))


def _python() -> Check:
    found = f"{sys.version.split()[0]} (3.11 or newer is needed)"
    return Check("Python", "go" if sys.version_info >= (3, 11) else "no", found)


def _packages() -> Check:
    there, missing = [], []
    for name in NEEDED:
        try:
            there.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        fix = "make install, or pip install -e '.[decode]'"
        return Check("packages", "no", f"not installed: {', '.join(missing)}; {fix}")
    return Check("packages", "go", ", ".join(there))


def _encoder() -> Check:
    from models.spaces import PACKAGED_SPACE, open_space

    began = time.perf_counter()
    open_space(PACKAGED_SPACE)
    took = time.perf_counter() - began
    return Check("sentence encoder", "go", f"loads in {took:.1f} s, checksum right")


def _loopback() -> Check:
    """Send samples to ourselves as an amplifier would."""
    what = "LSL within this machine"
    spec = SignalSpec(100.0, ("Cz",))
    name = f"doctor-{uuid.uuid4().hex[:8]}"
    outlet = SignalOutlet(spec, name)
    source = LslSource.open(name=name, markers=(), timeout=5.0)
    took = []
    try:
        for _ in range(20):
            sent = lsl_clock()
            outlet.push(np.zeros((1, 1), np.float32), np.array([sent]))
            while lsl_clock() - sent < 1.0:
                if isinstance(source.read(1.0), Chunk):
                    took.append(lsl_clock() - sent)
                    break
    finally:
        source.close()
    if not took:
        found = "a stream was found but no sample came: is a firewall in between?"
        return Check(what, "no", found)
    median = float(np.median(took))
    verdict: Verdict = "go" if median < SLOW_LOOPBACK else "no"
    return Check(what, verdict, f"a sample takes {1000 * median:.2f} ms (median of 20)")


def _multicast() -> Check:
    problem = probe_multicast()
    if not problem:
        return Check("LSL multicast", "go", "packets leave and reach this machine")
    found = (
        f"nothing came back from {problem}: streams of other machines will not be found; "
        "let UDP port 16571 through, or name their addresses in lsl_api.cfg (KnownPeers)"
    )
    return Check("LSL multicast", "note", found)


def _source(plan: Plan) -> tuple[Check, Rehearsal | None]:
    """Take in what `serve` would."""
    what = "source"
    try:
        r = rehearse(plan.source, plan.seconds, lsl_clock)
    except BraincastError as error:
        return Check(what, "no" if plan.asked else "note", str(error)), None
    start = f"{r.name}: {len(r.spec.ch_names)} channels, {r.n_markers} markers came"
    if not r.sfreq:
        found = f"{start}, no samples within {plan.seconds:g} s; is the amplifier running?"
        return Check(what, "no", found), r
    if r.remarks:  # they say the rate, if it is that: instants are not right at first
        return Check(what, "no", f"{start}; {'; '.join(r.remarks)}"), r
    found = f"{start}, {r.sfreq:.2f} Hz measured, {r.spec.sfreq:g} nominal"
    if r.n_gaps:
        lost = f"{1000 * r.lost:.0f} ms in {r.n_gaps} gaps"
        came = r.sfreq / (1 + r.lost * r.sfreq / r.n_times)
        found = (
            f"{found}; {lost} were lost, so that {came:.2f} samples came a second: mind cable, "
            f"radio and load, or, if it is always so many, the rate that is declared"
        )
        return Check(what, "no", found), r
    if abs(r.sfreq / r.spec.sfreq - 1) > RATE_TOLERANCE:
        return Check(what, "no", f"{found}: the rate is declared wrongly"), r
    return Check(what, "go", f"{found}; no gaps"), r


def _existing(folder: Path) -> Path:
    place = folder.resolve()
    while not place.exists():
        place = place.parent
    return place


def _space(record: Path) -> Check:
    place = _existing(record)
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:.0f} GB free at {place}"
    if free > LITTLE_SPACE:
        return Check("disk space", "go", found)
    return Check("disk space", "no", f"{found}: free some, or name another with --record")


def _write_speed(record: Path) -> Check:
    place = _existing(record)
    data = os.urandom(1_000_000)
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            began = time.perf_counter()
            for _ in range(TEST_WRITE // len(data)):
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
            took = time.perf_counter() - began
    except OSError as error:
        found = f"cannot write to {place} ({error.strerror}); name another with --record"
        return Check("disk speed", "no", found)
    speed = TEST_WRITE / took
    found = f"{speed / 1e6:.0f} MB/s to {place}, synchronised"
    return Check("disk speed", "go" if speed > SLOW_DISK else "no", found)


def _model(folder: Path, rehearsal: Rehearsal | None) -> Iterator[Check]:
    from models.checkpoint import load_model

    try:
        model = load_model(folder)
    except BraincastError as error:
        yield Check("model", "no", str(error))
        return
    spec, n_candidates = model.spec, len(model.candidates)
    found = f"{len(spec.ch_names)} channels at {spec.sfreq:g} Hz, {n_candidates} candidates"
    yield Check("model", "go", found)
    yield _match(model, rehearsal)
    yield _pace(model)


def _match(model: Model, rehearsal: Rehearsal | None) -> Check:
    """Say whether the session would take the stream."""
    from decoder.session import Session

    what = "model and stream"
    if rehearsal is None:
        return Check(what, "note", "nothing was taken in: name what to decode")
    try:
        Session(model, rehearsal.spec, "doctor")
    except BraincastError as error:
        return Check(what, "no", str(error))
    units = ", ".join(sorted({unit for unit in rehearsal.spec.units if unit}))
    found = (
        f"{rehearsal.name} has the rate and all {len(model.spec.ch_names)} channels, "
        f"in units that are known ({units})"
    )
    return Check(what, "go", found)


def _pace(model: Model) -> Check:
    from decoder.pace import measure_pace

    pace = measure_pace(model)
    found = (
        f"{1000 * pace.median:.2f} ms (median), {1000 * pace.p95:.2f} ms (95 %) of "
        f"{pace.n} decodes, one each {1000 * pace.hop:.0f} ms; {pace.load:.0%} of a core"
    )
    if pace.n and pace.p95 < pace.hop and pace.load < FULL_LOAD:
        return Check("time per decode", "go", found)
    return Check("time per decode", "no", f"{found}: too slow; end other programs")
