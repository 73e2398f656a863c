"""Session folders: one recorded through the real parts, and ones laid out by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import mne
import numpy as np
from numpy.typing import NDArray

from decoder.config import BidsConfig, Config, SessionConfig
from decoder.control import MarkBad
from decoder.folder import SessionFolder, create_folder, write_manifest
from decoder.journal import Journal
from decoder.log import EventLog
from decoder.runtime import Audience, Runtime
from decoder.server.hub import Message
from decoder.session import Session
from decoder.start import FRESH_START
from decoder.uncertainty import uncertainty_of
from models.checkpoint import Model, save_model
from streaming.ingest import FeedQueue, Ingest
from streaming.link import Hello
from streaming.lsl_clock import lsl_clock
from streaming.outlet import signal_xml
from streaming.record import XdfWriter
from streaming.signal import Chunk, Gap, Marker, SignalSpec
from streaming.sources.recording import RecordingSource
from streaming.sources.source import RawSamples, Source, StreamHeader, Tap
from streaming.timing import TimedSource, Timing
from tests.decoder.tiny import SPEC, signal, tiny_model

CONFIG = Config(session=SessionConfig(freshness=1e9), bids=BidsConfig(subject="01"))


def record(
    root: Path, timing: Timing | None = None, config: Config = CONFIG
) -> tuple[SessionFolder, list[Message]]:
    """Record what a service would; the recording has a gap in it."""
    raw = mne.io.RawArray(signal(6000), SPEC.to_info(), verbose="error")
    onsets = [*np.arange(8, 58, 0.8), 30.0]
    labels = [("face", "house", "cough")[n % 3] for n in range(len(onsets) - 1)]
    raw.set_annotations(mne.Annotations(onsets, 0.0, [*labels, "EDGE boundary"]))
    raw.save(root / "one_raw.fif", verbose="error")
    return record_source(
        root, lambda tap: RecordingSource(root / "one_raw.fif", tap=tap), timing, config=config
    )


def record_source(
    root: Path,
    open_source: Callable[[Tap], Source],
    timing: Timing | None = None,
    model: Model | None = None,
    config: Config = CONFIG,
    audience: Audience | None = None,
) -> tuple[SessionFolder, list[Message]]:
    """Record and decode what a source gives."""
    model = model or tiny_model()
    save_model(model, root / "model")
    folder = create_folder(root / "sessions", "S", config, [root / "model"])
    recorder = XdfWriter(folder.raw, folder.session_id)
    source = open_source(recorder)
    write_manifest(folder, Hello(source.name, source.spec, source.to_si), config)
    timed = TimedSource(source, timing or Timing())
    queue = FeedQueue(max_times=100_000)
    Ingest(timed, recorder, queue, lsl_clock).run()
    sent: list[Message] = []
    journal = Journal(folder.inputs)
    journal.start(FRESH_START, 0.0)
    runtime = Runtime(
        Session(model, source.spec, "S", 1e9, asked=uncertainty_of(config.session)),
        queue,
        journal,
        EventLog(folder.events, sent.append, lsl_clock),
        audience or Audience(),
        lsl_clock,
        device_delay=timing.device_delay if timing else None,
    )
    runtime.control(MarkBad(("Pz",), bad=True))
    runtime.control(MarkBad(("Pz",), bad=False))
    runtime.run()
    return folder, sent


def lay_out(
    path: Path,
    spec: SignalSpec,
    rows: NDArray[np.float32],
    inputs: Sequence[tuple[Chunk | Gap | Marker, int]],
) -> SessionFolder:
    """Write a session of `rows` (n_channels, n_rows) that decoded nothing."""
    path.mkdir(parents=True)
    folder = SessionFolder(path)
    with_header = XdfWriter(folder.raw)
    with_header(StreamHeader(1, signal_xml(spec, "amplifier of Ada Lovelace")))
    with_header(RawSamples(1, np.arange(rows.shape[1]) / spec.sfreq, rows.T.copy()))
    with_header.close()
    write_manifest(folder, Hello("test", spec, (1.0,) * len(rows)), CONFIG)
    journal = Journal(folder.inputs)
    journal.start(FRESH_START, 0.0)
    for item, row in inputs:
        journal.write(item, row, 0.0)
    journal.close(0.0)
    folder.events.touch()
    return folder
