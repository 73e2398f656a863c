"""Decodes go in, pictures come out: of a worker that is slow, dies, or is told to stop."""

from __future__ import annotations

import hashlib
import io
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from decoder.children import Child
from decoder.config import PreviewConfig
from decoder.events import ImagePreview, LatentMade, State
from decoder.previewer import Previewer
from decoder.previews import seed_of
from streaming.lsl_clock import Clock, lsl_clock
from tests.decoder.painting import SPACE, spawn_painter
from tests.decoder.test_wire import TEXT

WAIT = 60.0
Said = tuple[ImagePreview | State, Mapping[str, bytes]]


class Bench:
    """A previewer, and what it says."""

    def __init__(
        self, folder: Path, way: str, deadline: float = WAIT, clock: Clock = lsl_clock
    ) -> None:
        self.said: queue.Queue[Said] = queue.Queue()
        self.folder = folder / "previews"
        self.clock = clock
        self.previewer = Previewer(
            PreviewConfig(generator=way, deadline=deadline),
            SPACE,
            np.zeros(4, np.float32),
            self.folder,
            clock,
            lambda event, pictures: self.said.put((event, pictures)),
            spawn_painter,
        )

    def offer(self, number: int, first: float = 1.0, space: str = SPACE, **more: Any) -> None:
        decode_id = f"S/locked/{number}"
        vector = np.array([first, -2.0, 0.5, number], np.float32)
        made = LatentMade(decode_id, vector, space, "m", 2.0)
        t_text = self.clock()
        self.previewer.offer(replace(TEXT, decode_id=decode_id, **more), made, t_text)

    def state(self, wanted: str) -> State:
        while True:
            event, _ = self.said.get(timeout=WAIT)
            assert isinstance(event, State), event
            if event.state == wanted:
                return event

    def picture(self) -> tuple[ImagePreview, Mapping[str, bytes]]:
        while True:
            event, pictures = self.said.get(timeout=WAIT)
            if isinstance(event, ImagePreview):
                return event, pictures

    def final(self, number: int) -> ImagePreview:
        """Return the final picture of a decode; after it is offered no other comes."""
        while True:
            event, _ = self.picture()
            assert event.decode_id == f"S/locked/{number}"
            if event.final:
                return event

    def ended(self, n: int) -> None:
        """Wait until so many decodes are counted."""
        end = time.monotonic() + WAIT
        while sum(self.previewer.counts.values()) < n:
            assert time.monotonic() < end, self.previewer.counts
            time.sleep(0.01)


Open = Callable[..., Bench]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Open]:
    opened: list[Bench] = []

    def start(way: str = "paint", **more: Any) -> Bench:
        opened.append(Bench(tmp_path, way, **more))
        return opened[-1]

    yield start
    for one in opened:
        one.previewer.close()


def test_a_decode_is_pictured_coarse_then_finer(bench: Open) -> None:
    b = bench()
    b.offer(12)
    assert b.state("ready").detail == "paint (generated), c0ffee"
    made = [b.picture() for _ in range(3)]
    assert [(event.revision, event.step, event.final) for event, _ in made] == [
        (0, 1, False), (1, 2, False), (2, 3, True),
    ]  # fmt: skip
    event, pictures = made[-1]
    assert event.decode_id == "S/locked/12"
    assert (event.kind, event.generator, event.generator_hash) == (
        "generated",
        "paint",
        "c0ffee",
    )
    assert event.seed == seed_of("S/locked/12")
    assert (event.width, event.height) == (12, 8)
    pixels = np.asarray(Image.open(io.BytesIO(pictures["png"])))
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == event.sha256
    for name in ("jpeg", "webp"):
        with Image.open(io.BytesIO(pictures[name])) as image:
            assert (image.format or "").lower() == name
            assert image.size == (12, 8)
    assert [e.file for e, _ in made] == [None, None, "locked-12-2.png"]
    assert (b.folder / "locked-12-2.png").read_bytes() == pictures["png"]
    assert [p.name for p in b.folder.iterdir()] == ["locked-12-2.png"]


def test_a_newer_decode_cancels_and_nothing_old_is_shown(bench: Open) -> None:
    b = bench("paint:slow")
    b.offer(1)
    assert b.picture()[0].decode_id == "S/locked/1"
    for number in range(2, 6):
        b.offer(number)
    assert b.picture()[0].decode_id == "S/locked/5", "those between were replaced while waiting"
    assert b.previewer.counts["cancelled"] == 4


@pytest.mark.parametrize("how", [{"stale": True}, {"final": False}])
def test_what_is_stale_or_not_final_is_not_pictured_but_is_newer(
    bench: Open, how: dict[str, Any]
) -> None:
    b = bench("paint:slow")
    b.offer(1)
    b.picture()
    b.offer(2, **how)
    b.offer(3)
    assert b.picture()[0].decode_id == "S/locked/3"
    assert b.previewer.counts["cancelled"] == 1


def test_a_picture_that_takes_too_long_is_given_up(bench: Open) -> None:
    """Also when nothing else happens: by the worker itself, which never ends this one.

    Our clock stands, so that however long it took to open, the worker was given the deadline.
    """
    b = bench("paint:slow", deadline=0.1, clock=lambda: 7.0)
    b.offer(1)
    b.ended(1)
    assert b.previewer.counts == {"made": 0, "cancelled": 0, "late": 1, "failed": 0}
    b.offer(2)
    b.ended(2)
    assert b.previewer.counts["late"] == 2
    assert not b.folder.exists()


def test_what_waits_beyond_the_deadline_is_not_begun(bench: Open) -> None:
    """As while the generator opens: here two seconds pass at each look at our clock."""
    seconds = itertools.count(0.0, 2.0)
    b = bench(deadline=1.0, clock=lambda: next(seconds))
    b.offer(1)
    b.ended(1)
    assert b.previewer.counts == {"made": 0, "cancelled": 0, "late": 1, "failed": 0}


def test_a_worker_that_dies_is_started_again_and_said(bench: Open) -> None:
    b = bench("paint:crash")
    b.offer(1)
    b.final(1)
    b.offer(2, first=-1.0)
    said = b.state("failed")
    assert said.what == "preview"
    assert said.detail == "what makes previews ended with 7; it is tried again in 1 s"
    b.state("ready")
    b.offer(3)
    b.final(3)
    counts = b.previewer.counts
    assert (counts["failed"], counts["made"]) in {(1, 1), (1, 2)}  # the last is just ending


def test_one_that_always_fails_is_said_twice_and_tried_seldom(bench: Open) -> None:
    """Text goes on; and once a picture comes, that is said, too."""
    t = [7.0]
    b = bench("paint:memory", clock=lambda: t[0])
    b.offer(1, first=-1.0)
    first = b.state("failed").detail
    assert first == "MemoryError: none left; it is tried again in 1 s"
    b.ended(1)
    b.offer(2)  # too early
    assert b.previewer.counts == {"made": 0, "cancelled": 0, "late": 0, "failed": 2}
    for number in range(3, 7):
        t[0] += 61.0
        b.offer(number, first=-1.0)
        b.ended(number)
    second = b.state("failed").detail
    assert second.startswith("MemoryError: none left, again; ")
    assert second.endswith("after pauses of up to 60 s, and text goes on")
    t[0] += 15.0
    b.offer(7)
    b.ended(7)
    assert b.said.empty()
    t[0] += 2.0
    b.offer(8)
    b.final(8)
    assert b.state("ready").detail == "paint:memory (generated), c0ffee"
    assert b.previewer.counts["failed"] == 7


def test_a_process_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    said: queue.Queue[str] = queue.Queue()
    tries = iter([OSError(11, "Resource temporarily unavailable"), None])

    def start() -> Child:
        if (error := next(tries)) is not None:
            raise error
        return spawn_painter()

    config, centre = PreviewConfig(generator="paint", deadline=WAIT), np.zeros(4, np.float32)
    previewer = Previewer(
        config,
        SPACE,
        centre,
        tmp_path / "previews",
        lsl_clock,
        lambda event, _: said.put(event.detail if isinstance(event, State) else "a picture"),
        start,
    )
    made = LatentMade("S/locked/1", np.ones(4, np.float32), SPACE, "m", 2.0)
    previewer.offer(replace(TEXT, decode_id="S/locked/1"), made, lsl_clock())
    heard = [said.get(timeout=WAIT) for _ in range(5)]
    previewer.close()
    assert heard == [
        "paint is being opened",
        "what makes previews cannot be started: Resource temporarily unavailable; "
        "it is tried again in 1 s",
        "paint is being opened",
        "paint (generated), c0ffee",
        "a picture",
    ]


def test_a_stop_ends_what_is_on_its_way(bench: Open) -> None:
    b = bench("paint:slow")
    b.offer(1)
    b.picture()
    b.previewer.halt()
    b.offer(2)
    b.previewer.go_on()
    b.offer(3)
    assert b.picture()[0].decode_id == "S/locked/3"
    assert b.previewer.counts["cancelled"] == 1, "while it is stopped nothing is even counted"


def test_what_is_withdrawn_is_not_kept(bench: Open) -> None:
    b = bench()
    b.offer(1)
    event = b.final(1)
    b.previewer.withdraw(event)
    assert list(b.folder.iterdir()) == []


def test_another_space_is_refused_once(bench: Open) -> None:
    b = bench()
    b.offer(1)
    b.final(1)
    b.offer(2, space="another")
    b.offer(3, space="another")
    detail = b.state("failed").detail
    assert detail.startswith("paint pictures tests, and the model's is another")
    b.offer(4)
    b.final(4)
    assert b.said.empty()


def test_a_generator_that_is_none_is_said_and_not_tried_again(bench: Open) -> None:
    b = bench("smudge")
    b.offer(1)
    assert "generator 'smudge' is unknown" in b.state("failed").detail
    b.offer(2)
    assert b.said.empty()


def test_a_disk_that_refuses_is_said_once_and_pictures_go_on(bench: Open) -> None:
    b = bench()
    b.folder.write_text("no folder")
    b.offer(1)
    assert b.state("ready")
    assert [b.picture()[0].file for _ in range(2)] == [None, None]
    assert "pictures are not kept any more" in b.state("unsaved").detail
    event, _ = b.picture()
    assert event.final
    assert event.file is None
    b.offer(2)
    assert b.final(2).file is None


def test_closing_ends_what_was_just_being_started(tmp_path: Path) -> None:
    started, go_on = threading.Event(), threading.Event()

    def start() -> Child:
        started.set()
        go_on.wait(WAIT)
        return spawn_painter()

    config = PreviewConfig(generator="paint:stuck", deadline=WAIT)
    centre = np.zeros(4, np.float32)
    previewer = Previewer(config, SPACE, centre, tmp_path, lsl_clock, lambda *_: None, start)
    made = LatentMade("S/locked/1", np.ones(4, np.float32), SPACE, "m", 2.0)
    previewer.offer(replace(TEXT, decode_id="S/locked/1"), made, lsl_clock())
    assert started.wait(WAIT)
    closing = threading.Thread(target=previewer.close, daemon=True)
    closing.start()
    while not previewer._closed.wait(0.01):
        assert closing.is_alive()
    go_on.set()
    closing.join(WAIT)
    assert not closing.is_alive()


def test_closing_ends_what_does_not_listen(bench: Open) -> None:
    b = bench("paint:stuck")
    b.offer(1)
    b.picture()
    b.previewer.close()
