from __future__ import annotations

from decoder.stretches import Stretch, Stretches
from tests.decoder.tiny import SPEC, chunk, marker, signal

DATA = signal(400)


def fed(*spans: tuple[int, int, int]) -> Stretches:
    stretches = Stretches(SPEC)
    for segment, start, stop in spans:
        stretches.follow(chunk(DATA, start, stop, segment))
    return stretches


def test_samples_that_follow_each_other_are_one_stretch() -> None:
    stretches = Stretches(SPEC)
    assert stretches.follow(chunk(DATA, 0, 100)) == (Stretch(0, 0, 0), True, 0)
    assert stretches.follow(chunk(DATA, 100, 150)) == (Stretch(0, 0, 0), False, 0)
    assert stretches.follow(chunk(DATA, 170, 200)) == (Stretch(1, 0, 170), True, 20)
    assert stretches.follow(chunk(DATA, 0, 50, segment=3)) == (Stretch(2, 3, 0), True, 0)
    assert stretches.next == 50
    stretches.break_off()
    assert stretches.follow(chunk(DATA, 50, 60, segment=3)) == (Stretch(3, 3, 50), True, 0)


def test_a_chunk_is_counted_from_the_start_of_its_stretch_at_the_same_time() -> None:
    stretches = fed((0, 0, 100))
    delivered = chunk(DATA, 120, 130)
    stretch, *_ = stretches.follow(delivered)
    counted = stretches.renumber(delivered, stretch)
    assert (counted.segment, counted.first, counted.t0) == (1, 0, delivered.t0)


def test_markers_are_placed_in_the_last_two_stretches() -> None:
    stretches = fed((0, 0, 100), (0, 120, 200), (1, 0, 50))
    placed = [stretches.place(marker(n, segment=s)) for s, n in ((0, 150), (1, 7), (1, -3))]
    assert [(m.segment, m.sample) for m in placed] == [(1, 30), (2, 7), (2, -3)]
    assert stretches.place(marker(50)).segment == -1  # too long ago
    assert stretches.is_ahead(marker(0, segment=2))
    assert not stretches.is_ahead(marker(500, segment=1))


def test_after_forgetting_only_what_comes_is_a_place() -> None:
    stretches = fed((0, 0, 100))
    stretches.forget()
    assert stretches.place(marker(50)).segment == -1
    assert stretches.is_ahead(marker(110))
    stretches.follow(chunk(DATA, 100, 200))
    assert stretches.place(marker(50)).segment == -1
    placed = stretches.place(marker(110))
    assert (placed.segment, placed.sample) == (1, 10)
    assert stretches.numbered(0) == Stretch(0, 0, 0)  # decodes of before still say where
