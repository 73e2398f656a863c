from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from decoder.xdf import copy_anonymised
from streaming.outlet import StreamDescription, to_xml
from streaming.record import XdfWriter
from streaming.sources.source import RawSamples, StreamHeader
from streaming.sources.xdf import XdfSource


@pytest.mark.parametrize("late", ["0.125", "Ada"])
def test_what_timestamps_mean_is_kept_and_names_are_not(tmp_path: Path, late: str) -> None:
    channel = ("channel", (("label", "Cz"), ("unit", "uV"), ("type", "EEG"), ("serial", "Ada")))
    desc = (("synchronization", (("offset_mean", late),)), ("channels", (channel,)))
    said = StreamDescription("Ada", "EEG", 1, 100.0, "float32", "Ada", desc)
    writer = XdfWriter(tmp_path / "one.xdf")
    writer(StreamHeader(1, to_xml(said)))
    writer(RawSamples(1, 10 + np.arange(500) / 100, np.ones((500, 1), np.float32)))
    writer.close()
    copy_anonymised(tmp_path / "one.xdf", tmp_path / "copy.xdf")
    assert b"Ada" not in (tmp_path / "copy.xdf").read_bytes()
    first = XdfSource(tmp_path / "copy.xdf").read()
    assert first is not None
    assert first.t0 == pytest.approx(10 - (0.125 if late == "0.125" else 0.0))  # type: ignore[union-attr]
