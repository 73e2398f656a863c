"""The participant's stop where samples are taken in: over a link, without a decoder."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import pyxdf

from decoder import taking
from decoder.config import Config, SessionConfig
from decoder.folder import free_recording
from decoder.ingesting import run_ingest
from streaming.ingest import INJECTED, Fed
from streaming.link_feed import LinkFeed
from streaming.outlet import signal_xml
from streaming.signal import Chunk, Marker, SourceState
from streaming.sources.source import Item, RawSamples, StreamHeader, Tap
from tests.decoder.tiny import SPEC, chunk, signal
from tests.streaming.test_ingest import ListSource

MARK = Marker("9.0", 100.0, 0, 5)


class Amplifier(ListSource):
    """Records and gives ten samples again and again, and what is put in between."""

    says: list[Item] = []  # noqa: RUF012 - of all amplifiers of a test

    def __init__(self, tap: Tap | None) -> None:
        super().__init__([])
        self.spec, self.to_si = SPEC, (1.0,) * 3
        self._ten, self._first, self._tap = chunk(signal(10), 0, 10), 0, tap
        if tap is not None:
            tap(StreamHeader(1, signal_xml(SPEC, "amplifier")))

    def read(self, timeout: float) -> Item | None:
        if self.says:
            return self.says.pop()
        threading.Event().wait(min(timeout, 0.01))
        first, self._first = self._first, self._first + 10
        if self._tap is not None:
            stamps = 100.0 + (first + np.arange(10)) / SPEC.sfreq
            self._tap(RawSamples(1, stamps, self._ten.data.T.copy()))
        return replace(self._ten, first=first)


@pytest.fixture(autouse=True)
def amplifier(monkeypatch: pytest.MonkeyPatch) -> type[Amplifier]:
    monkeypatch.setattr(taking, "open_source", lambda _, tap: Amplifier(tap))
    monkeypatch.setattr(Amplifier, "says", [])
    return Amplifier


@contextmanager
def ingest(folder: Path, sock: socket.socket, part: int = 1, **session: Any) -> Iterator[None]:
    config, stop = Config(session=SessionConfig(**session)), threading.Event()
    path, part = free_recording(folder, part)

    def run() -> None:
        run_ingest(config, path, path.name, sock, "token", stop, part=part)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock


@contextmanager
def taking_in(folder: Path, **session: Any) -> Iterator[LinkFeed]:
    with (
        listening() as sock,
        ingest(folder, sock, **session),
        closing(LinkFeed(sock.getsockname()[:2], "token")) as feed,
    ):
        yield feed


Kind = TypeVar("Kind", Chunk, Marker, SourceState)


def first(feed: LinkFeed, kind: type[Kind], **fields: object) -> tuple[Fed, Kind]:
    """Return the first item of a kind with these fields, as it came and by itself."""
    for _ in range(3000):
        fed = feed.get(0.02)
        if fed is None or not isinstance(fed.item, kind):
            continue
        if all(getattr(fed.item, name) == value for name, value in fields.items()):
            return fed, fed.item
    raise AssertionError(f"no {kind.__name__} with {fields} came")


def until(feed: LinkFeed, kind: type[Kind], **fields: object) -> Kind:
    return first(feed, kind, **fields)[1]


def recording(feed: LinkFeed) -> str:
    """Return which recording the next samples are of."""
    return first(feed, Chunk)[0].recording


def written(path: Path) -> tuple[int, bool]:
    """Return the number of rows of a recording, and whether it was closed."""
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    (signal,) = [stream for stream in streams if stream["info"]["type"] == ["EEG"]]
    return len(signal["time_stamps"]), bool(signal.get("footer"))


def wait_for(path: Path, *, there: bool = True) -> None:
    for _ in range(3000):
        if path.exists() is there:
            return
        threading.Event().wait(0.01)
    raise AssertionError(path)


def test_a_stop_closes_the_recording_and_a_word_to_go_on_begins_another(tmp_path: Path) -> None:
    with taking_in(tmp_path) as feed:
        until(feed, Chunk)
        feed.stop("enough")
        wait_for(tmp_path / "stopped")
        assert (tmp_path / "stopped").read_text() == "enough"
        while feed.get(0.1) is not None:  # what was on its way
            pass
        n_rows, _ = written(tmp_path / "raw.xdf")
        assert n_rows
        feed.resume()
        fed, item = first(feed, Chunk)
        assert (fed.recording, fed.row, item.segment) == ("raw-2.xdf", item.first, 1)
        assert written(tmp_path / "raw.xdf") == (n_rows, True)
        wait_for(tmp_path / "stopped", there=False)
    assert written(tmp_path / "raw-2.xdf")[1]


@pytest.mark.parametrize("label", ["braincast.stop", "9", "9.0"])
def test_a_marker_stops_without_a_decoder_and_is_recorded_before(
    label: str, tmp_path: Path, amplifier: type[Amplifier]
) -> None:
    with taking_in(tmp_path, stop_markers=("9",)) as feed:
        until(feed, Chunk)
        amplifier.says.append(replace(MARK, label=label))
        said = until(feed, SourceState, what="session")
        assert (said.state, said.detail) == (
            "stopped",
            f"the marker {label!r} stopped the session",
        )
        assert feed.get(0.2) is None


def test_a_file_stops(tmp_path: Path) -> None:
    with taking_in(tmp_path, stop_file=tmp_path / "stop") as feed:
        until(feed, Chunk)
        (tmp_path / "stop").touch()
        until(feed, SourceState, what="session", state="stopped")
        (tmp_path / "stop").unlink()
        feed.resume()
        assert recording(feed) == "raw-2.xdf"


def test_who_begins_while_it_is_stopped_records_nothing_until_somebody_resumes(
    tmp_path: Path,
) -> None:
    (tmp_path / "stopped").write_text("enough")
    with taking_in(tmp_path) as feed:
        assert until(feed, SourceState, what="session").detail == "enough"
        more = feed.get(0.1)  # at most the same once more: who begins and who connects is told
        assert more is None or isinstance(more.item, SourceState)
        assert not (tmp_path / "raw.xdf").exists()
        feed.resume()
        assert recording(feed) == "raw-2.xdf"


def test_a_decoder_that_comes_later_is_told(tmp_path: Path) -> None:
    with taking_in(tmp_path) as feed:
        until(feed, Chunk)
        feed.stop("enough")
        wait_for(tmp_path / "stopped")
        feed.close()
        again = LinkFeed(feed._address, "token")
        assert until(again, SourceState, what="session").detail == "enough"
        again.close()


def test_an_injected_marker_is_recorded_and_gets_the_sample_of_its_time(
    tmp_path: Path,
) -> None:
    with taking_in(tmp_path) as feed:
        until(feed, Chunk)
        assert feed.inject("face", 101.234)
        assert until(feed, Marker) == Marker("face", 101.234, 0, 123)
    streams, _ = pyxdf.load_xdf(tmp_path / "raw.xdf", synchronize_clocks=False)
    (injected,) = [s for s in streams if s["info"]["stream_id"] == INJECTED]
    assert (injected["time_series"], injected["time_stamps"].tolist()) == (
        [["face"]],
        [101.234],
    )


def test_without_a_recording_it_stops_as_well(tmp_path: Path) -> None:
    with taking_in(tmp_path, record=None) as feed:
        until(feed, Chunk)
        feed.stop("enough")
        wait_for(tmp_path / "stopped")
        feed.resume()
        fed, _ = first(feed, Chunk, segment=1)
        assert re.fullmatch(r"raw-2[0-9]{9}\.xdf", fed.recording)  # which sessions may have
    assert not list(tmp_path.glob("*.xdf"))


def test_without_a_recording_no_two_have_a_name_though_one_stopped_and_another_crashed(
    tmp_path: Path,
) -> None:
    with listening() as sock:
        address = sock.getsockname()[:2]
        with ingest(tmp_path, sock, record=None), closing(LinkFeed(address, "token")) as feed:
            names = {recording(feed)}
            feed.stop("enough")
            wait_for(tmp_path / "stopped")
            feed.resume()
            names.add(first(feed, Chunk, segment=1)[0].recording)
        with (  # the second process, as after a crash of the first
            ingest(tmp_path, sock, 2, record=None),
            closing(LinkFeed(address, "token")) as feed,
        ):
            names.add(recording(feed))
    assert len(names) == 3
