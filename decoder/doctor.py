"""Checks before a participant sits down."""

from __future__ import annotations

import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from models.checkpoint import load_model
from models.spaces import PACKAGED_SPACE, open_space
from streaming.errors import BraincastError
from streaming.lsl_clock import lsl_clock
from streaming.lsl_streams import list_streams
from streaming.outlet import SignalOutlet
from streaming.signal import Chunk, SignalSpec
from streaming.sources.lsl import LslSource

__all__ = ["Check", "checks"]

NEEDED = ("mne", "numpy", "pylsl", "scipy", "torch", "transformers", "fastapi", "uvicorn")

SLOW_LOOPBACK = 0.05
"""A sample that takes longer within this machine means a busy machine, in seconds."""

LITTLE_SPACE = 5e9
"""Bytes: a day of 64 channels at 1 kHz takes 7 GB, and its log little."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, and what was found.

    Parameters
    ----------
    what : str
        Subject.
    ok : bool
        Whether to go on.
    found : str
        What was found and, if it is not right, what to do.
    """

    what: str
    ok: bool
    found: str


def checks(model: Path | None, record: Path) -> Iterator[Check]:
    """Run all checks, one after the other.

    Parameters
    ----------
    model : Path or None
        A model folder that is to be served.
    record : Path
        Where sessions are to be kept.
    """
    yield _python()
    yield from (_package(name) for name in NEEDED)
    yield _checked("sentence encoder", _encoder)
    yield _checked("LSL within this machine", _loopback)
    yield _checked("LSL streams", _streams)
    yield _disk(record)
    if model is not None:
        yield _checked("model", lambda: _model(model))


def _checked(what: str, look: Callable[[], tuple[bool, str]]) -> Check:
    try:
        return Check(what, *look())
    except BraincastError as error:
        return Check(what, ok=False, found=str(error))


def _python() -> Check:
    found = sys.version.split()[0]
    return Check("Python", sys.version_info >= (3, 11), f"{found} (3.11 or newer is needed)")


def _package(name: str) -> Check:
    try:
        return Check(name, ok=True, found=version(name))
    except PackageNotFoundError:
        fix = "not installed: make install, or pip install -e '.[decode]'"
        return Check(name, ok=False, found=fix)


def _encoder() -> tuple[bool, str]:
    began = time.perf_counter()
    open_space(PACKAGED_SPACE)
    return True, f"loads in {time.perf_counter() - began:.1f} s, checksum right"


def _loopback() -> tuple[bool, str]:
    """Send samples to ourselves as an amplifier would."""
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
        return False, "a stream was found but no sample came: is a firewall in between?"
    median = float(np.median(took))
    return median < SLOW_LOOPBACK, f"a sample takes {1000 * median:.2f} ms (median of 20)"


def _streams() -> tuple[bool, str]:
    found = list_streams(2.0)
    if not found:
        return True, "none now; start the amplifier's LSL app, or braincast simulate"
    return True, ", ".join(f"{s.name} ({s.type}, {s.sfreq:g} Hz)" for s in found)


def _disk(record: Path) -> Check:
    place = record.resolve()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:.0f} GB free at {place}"
    return Check("disk", free > LITTLE_SPACE, found)


def _model(folder: Path) -> tuple[bool, str]:
    model = load_model(folder)
    spec = model.spec
    n = len(spec.ch_names)
    return True, f"{n} channels at {spec.sfreq:g} Hz, {len(model.candidates)} candidates"
