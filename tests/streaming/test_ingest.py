from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import SessionError
from streaming.ingest import Fed, FeedQueue, Ingest
from streaming.signal import Chunk, Marker, SignalSpec, SourceState
from streaming.sources.source import Item

SPEC = SignalSpec(100.0, ("Cz",))


def chunk(first: int, n_times: int) -> Chunk:
    return Chunk(np.zeros((1, n_times), np.float32), SPEC, 0, first, 0.0)


class ListSource:
    """A source that has its items already, and then ends."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self.closed = False
        self.name, self.spec = "list", SPEC
        self.to_si: tuple[float, ...] = (1.0,)

    def read(self, timeout: float) -> Item | None:
        return self.items.pop(0) if self.items else None

    def close(self) -> None:
        self.closed = True


def drain(queue: FeedQueue) -> list[Fed]:
    got = []
    while (fed := queue.get(0.0)) is not None:
        got.append(fed)
    return got


@given(
    lengths=st.lists(st.integers(0, 30), max_size=40),
    takes=st.lists(st.booleans(), max_size=40),
)
def test_the_queue_is_bounded_and_loses_only_the_oldest_samples(
    lengths: list[int], takes: list[bool]
) -> None:
    queue = FeedQueue(max_times=50)
    first, got = 0, []
    for n_times, take in zip(lengths, [*takes, *[False] * len(lengths)], strict=False):
        queue.put(Fed(chunk(first, n_times), first, 0.0))
        first += n_times
        if take:
            fed = queue.get(0.0)
            got += [fed] if fed else []
    left = drain(queue)
    waiting = sum(f.item.n_times for f in left if isinstance(f.item, Chunk))
    total = sum(f.item.n_times for f in got + left if isinstance(f.item, Chunk))
    assert waiting <= 50
    assert total + queue.n_dropped == first
    rows = [f.row for f in got + left]
    assert rows == sorted(rows)


def test_markers_are_never_dropped() -> None:
    queue = FeedQueue(max_times=5)
    for n in range(10):
        queue.put(Fed(Marker("a", float(n), 0, n), 0, 0.0))
        queue.put(Fed(chunk(4 * n, 4), 4 * n, 0.0))
    labels = [f.item for f in drain(queue) if isinstance(f.item, Marker)]
    assert len(labels) == 10


def test_who_waits_is_woken() -> None:
    queue = FeedQueue(max_times=50)
    got: list[Fed | None] = []
    thread = threading.Thread(target=lambda: got.append(queue.get(20.0)))
    thread.start()
    queue.put(Fed(chunk(0, 1), 0, 0.0))
    thread.join(20)
    assert got[0] is not None
    waiting = threading.Thread(target=lambda: got.append(queue.get(20.0)))
    waiting.start()
    queue.close()
    waiting.join(20)
    assert got[1] is None
    assert queue.ended


def test_ingest_counts_the_rows_of_the_recording_and_closes_everything() -> None:
    ended = SourceState("ended", 1.0, "over")
    source = ListSource([chunk(0, 3), Marker("a", 0.0, 0, 1), chunk(3, 4), ended])
    queue = FeedQueue(max_times=50)
    Ingest(source, None, queue, lambda: 7.0).run()
    got = drain(queue)
    assert [f.row for f in got] == [0, 3, 3, 7]
    assert {f.t_received for f in got} == {7.0}
    assert source.closed
    assert queue.ended


def test_stop_ends_a_source_that_never_does() -> None:
    class Silent(ListSource):
        def read(self, timeout: float) -> Item | None:
            ingest.stop()
            return None

    source = Silent([])
    ingest = Ingest(source, None, FeedQueue(50), lambda: 0.0)
    ingest.run()
    assert source.closed


def test_a_full_disk_is_said_once_and_decoding_goes_on(tmp_path: Path) -> None:
    from streaming.record import XdfWriter

    class FullDisk(XdfWriter):
        def flush(self) -> None:
            self._file.close()
            msg = "no space left"
            raise SessionError(msg)

    times = iter(range(100))
    ended = SourceState("ended", 1.0, "over")
    source = ListSource([chunk(0, 3), chunk(3, 3), chunk(6, 3), ended])
    queue = FeedQueue(max_times=50)
    Ingest(source, FullDisk(tmp_path / "raw.xdf"), queue, lambda: float(next(times))).run()
    got = [f.item for f in drain(queue)]
    said = [i for i in got if isinstance(i, SourceState) and i.what == "recorder"]
    assert [s.detail for s in said] == ["no space left"]
    assert sum(isinstance(i, Chunk) for i in got) == 3
