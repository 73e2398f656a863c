"""Short losses that are filled in, and one that is found late, through a whole session."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import mne_bids
import numpy as np
import pytest

from decoder.bids import export_bids
from decoder.folder import SessionFolder
from decoder.verify import verify_session
from streaming.outlet import marker_xml, signal_xml
from streaming.signal import Chunk, Gap, Marker, Revision, SourceState
from streaming.sources.source import Item, RawSamples, StreamHeader, Tap
from tests.decoder.sessions import record_source
from tests.decoder.tiny import SPEC, signal

SENT = signal(6000)
FILLED = slice(1500, 1502)
LATE = slice(2500, 2502)
UNPLACED = slice(2490, 2522)
"""Where the late loss may have been, on the timeline."""

TOLD = 4500
"""The sample with which the late loss is found."""

ONSETS = np.round(100 * np.arange(7.95, 58, 0.7)).astype(int)


class LossySource:
    """The samples without those that were lost, as the clock of a live source tells of them."""

    def __init__(self, tap: Tap) -> None:
        self.name, self.spec, self.to_si = "lossy", SPEC, (1.0,) * 3
        self._tap, self._items = tap, self._all()
        tap(StreamHeader(1, signal_xml(SPEC, self.name)))
        tap(StreamHeader(2, marker_xml("markers")))

    def read(self, timeout: float) -> Item | None:
        return next(self._items, None)

    def close(self) -> None:
        pass

    def _all(self) -> Iterator[Item]:
        for start in range(0, 6000, 50):
            if start == FILLED.start:
                yield Gap(100.0 + start / 100, 0.02, "filled")
                yield self._chunk(FILLED.stop, start + 50)
                continue
            if start == TOLD:
                yield Revision(0, UNPLACED.start, UNPLACED.stop - 2, 124.9, 2)
            known = start >= TOLD
            for at in ONSETS[(start <= ONSETS) & (start + 50 > ONSETS)].tolist():
                label = ("face", "house")[at % 2]
                self._tap(RawSamples(2, np.array([100 + at / 100]), [label]))
                yield Marker(label, 100 + at / 100, 0, at - 2 * known)
            yield self._chunk(LATE.stop if start == LATE.start else start, start + 50)
        yield SourceState("ended", 160.0, "")

    def _chunk(self, start: int, stop: int) -> Chunk:
        """Samples count from 0; those after the late loss count too low, and seem too early."""
        data = SENT[:, start:stop]
        self._tap(RawSamples(1, 100 + np.arange(start, stop) / 100, data.T.copy()))
        n_unknown = 2 if start >= LATE.stop else 0
        anchor = 100.0 + (n_unknown / 100 if start >= TOLD else 0.0)
        return Chunk(data, SPEC, 0, start - n_unknown, anchor)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> SessionFolder:
    return record_source(tmp_path_factory.mktemp("losses"), LossySource)[0]


def logged(session: SessionFolder, method: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in session.events.read_text().splitlines()]
    return [line["params"] for line in lines if line["method"] == method]


def test_it_verifies(session: SessionFolder) -> None:
    verdict = verify_session(session.path)
    assert verdict.difference == ""
    assert verdict.n_equal == len(session.events.read_text().splitlines())


def test_decodes_over_what_was_filled_in_and_those_that_are_revised_are_told(
    session: SessionFolder,
) -> None:
    texts = {str(text["decode_id"]): text for text in logged(session, "text")}
    assert len(texts) == len(ONSETS)
    filled = [text for text in texts.values() if text["quality"] != 1.0]
    assert [(text["first"], text["quality"]) for text in filled] == [(1494, 0.9)]
    (revised,) = (s for s in logged(session, "state") if s["state"] == "revised")
    concerned = revised["decode_ids"]
    assert isinstance(concerned, list)
    first = [texts[name]["first"] for name in concerned]
    even = ONSETS - ONSETS % 2  # the chain takes every second sample
    assert first == [at for at in even if UNPLACED.start - 20 < at < TOLD - 20]


def test_in_the_export_samples_and_markers_are_where_they_were_taken(
    session: SessionFolder, tmp_path: Path
) -> None:
    export_bids(session.path, tmp_path, {})
    where = mne_bids.BIDSPath(root=tmp_path, task="decoding", datatype="eeg", subject="01")
    raw = mne_bids.read_raw_bids(where, verbose="error")
    assert raw.n_times == 6000
    data = raw.get_data()
    for there in (slice(0, 1500), slice(1502, 2490), slice(2522, 6000)):
        np.testing.assert_allclose(data[:, there], SENT[:, there], rtol=3e-7)
    marks = {
        (mark["description"], round(100 * mark["onset"]), round(100 * mark["duration"]))
        for mark in raw.annotations
    }
    assert {("BAD_ACQ_SKIP", 1500, 2), ("BAD_unplaced", 2492, 30)} <= marks
    sent = sorted(at for label, at, _ in marks if label in {"face", "house"})
    assert sent == ONSETS.tolist()
