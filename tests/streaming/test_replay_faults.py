"""Of faults, what a receiver gets is what the log of the truth says."""

from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pylsl
import pytest

from streaming.outlet import source_id_for
from streaming.replay import play
from streaming.signal import Chunk, Gap
from streaming.sources.lsl import LslSource
from streaming.sources.source import Item
from tests.streaming.loopback import Received as Stream
from tests.streaming.loopback import receive
from tests.streaming.replays import (
    LONG,
    SPEC,
    faults,
    read_truth,
    recorded,
)


def _range(line: dict[str, Any]) -> slice:
    return slice(line["first"], line["first"] + line["n_samples"])


def test_what_is_received_is_what_the_log_says(  # noqa: C901 - a case for each kind
    tmp_path: Path,
) -> None:
    name = uuid4().hex
    schedule = faults(
        *(
            "drop@1:300ms",
            "drop@7:50ms",
            "nan@1.5:0.5s:channels=Cz",
            "flat@2.5:200ms:channels=VEOG",
        ),
        *("saturate@3:200ms:5mV:channels=Cz", "line@3.5:1s:2V:hz=60:channels=VEOG"),
        *("jitter@4:1s:40ms", "bunch@5:0.6s:12", "step@5.7:-0.5s", "drift@6:1s:2000ppm"),
        "stall@6.2:0.4s",
    )
    ids = source_id_for(name, "signal"), source_id_for(f"{name} markers", "markers")
    got = receive(
        lambda: play(
            [recorded(name)],
            speed=4.0,
            schedule=schedule,
            truth=tmp_path / "truth.jsonl",
            wait_for_consumer=20,
        ),
        {ids[0]: 1600 - 60 - 10, ids[1]: 8},
    )
    signal, markers = got[ids[0]], got[ids[1]]
    lines = read_truth(tmp_path / "truth.jsonl")
    total = lines[-1]
    assert total["kind"] == "total"
    t_0 = total["t_0"]
    # the expected stream, from the log alone
    rows, stamps = LONG.T.astype(np.float32).copy(), t_0 + np.arange(1600) / 200.0
    kept = np.ones(1600, bool)
    for line in lines[:-1]:
        at = _range(line)
        t = np.arange(1600)[at] / 200.0
        columns = [SPEC.ch_names.index(c) for c in line.get("channels", [])]
        assert line["t_first"] == pytest.approx(t_0 + t[0], abs=1e-6)
        assert line["t_last"] == pytest.approx(t_0 + t[-1], abs=1e-6)
        match line["kind"]:
            case "drop":
                kept[at] = False
            case "nan":
                rows[at, columns] = np.nan
            case "flat":
                rows[at, columns] = 0
            case "saturate":
                rows[at, columns] = line["levels"]
            case "line":
                wave = line["levels"][0] * np.sin(2 * np.pi * line["hz"] * t)
                rows[at, columns[0]] = rows[at, columns[0]].astype(float) + wave
            case "jitter":
                firsts = [first for first, _ in line["delays"]] + [at.stop]
                for (_, delay), (start, stop) in zip(
                    line["delays"], pairwise(firsts), strict=True
                ):
                    stamps[start:stop] += delay
            case "bunch":
                n = np.arange(1600)[at]
                last = n + line["n_bunch"] - 1 - n % line["n_bunch"]
                stamps[at] = t_0 + np.minimum(last, at.stop) / 200.0
            case "step":
                stamps[at] += line["step"]
            case "drift":
                begun = np.arange(1600)[at] / 200.0 - 6.0
                stamps[at] += np.minimum(begun, 1.0) * line["ppm"] * 1e-6
                assert line["shift"] == pytest.approx(2e-3)
            case "stall":
                held = (signal.data[:, 2] >= at.start) & (signal.data[:, 2] < at.stop)
                arrived = np.array(signal.arrived)[held]
                assert arrived.min() >= t_0 + (line["t_sent"] - t_0) / 4 - 1e-3
    assert {line["kind"] for line in lines} == {f.kind for f in schedule.faults} | {"total"}
    assert [total["n_taken"], total["n_sent"]] == [1600, kept.sum()]
    np.testing.assert_array_equal(signal.data, rows[kept].astype(float))
    np.testing.assert_allclose(signal.stamps, stamps[kept], atol=1e-9)
    np.testing.assert_allclose(markers.stamps, t_0 + np.arange(5, 1600, 200) / 200.0, atol=1e-9)


@pytest.mark.slow
def test_a_stream_goes_and_comes_back_under_its_id(tmp_path: Path) -> None:
    name = uuid4().hex
    source_id = source_id_for(name, "signal")
    after: list[Stream] = []

    def come_back() -> None:
        play(
            [recorded(name)],
            schedule=faults("disconnect@1:2s", "disconnect@4:2s:rate=100:n_channels=2"),
            truth=tmp_path / "truth.jsonl",
            wait_for_consumer=20,
        )

    def follow() -> None:  # receives all that comes under the id, one stream after the other
        known: set[str] = set()
        while len(after) < 3:
            for info in pylsl.resolve_byprop("source_id", source_id, timeout=0.7):
                if info.uid() not in known:
                    known.add(info.uid())
                    after.append(Stream(info, 10**6))
                    after[-1].start()
                    if len(after) < 3:
                        after[-1].join()

    threads = [threading.Thread(target=target) for target in (come_back, follow)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    after[-1].inlet.close_stream()
    lines = read_truth(tmp_path / "truth.jsonl")
    t_0 = lines[-1]["t_0"]
    outages = [line for line in lines if line["kind"] == "disconnect"]
    assert [(line["first"], line["n_samples"]) for line in outages] == [(200, 400), (800, 400)]
    assert [line["t_back"] - t_0 for line in outages] == pytest.approx([3.0, 6.0])
    assert [(s.info.nominal_srate(), s.info.channel_count()) for s in after] == [
        *((200.0, 3), (200.0, 3), (100.0, 2))
    ]
    first, second, third = (s.data.astype(np.float32) for s in after)
    np.testing.assert_array_equal(first, LONG.T[:200])  # none is lost before an outage
    n = int(second[0, 2])
    assert n >= 600
    np.testing.assert_array_equal(second, LONG.T[n:800])
    assert second.shape[0] > 0
    k = round((after[2].stamps[0] - t_0) * 200)
    assert k % 2 == 0
    np.testing.assert_array_equal(third, LONG.T[k::2, :2][: len(third)])
    assert len(third) >= 100
    assert lines[-1]["n_sent"] == 200 + 200 + 200


def test_the_live_source_finds_what_the_log_says_was_lost(tmp_path: Path) -> None:
    name, stop = uuid4().hex, threading.Event()
    options: dict[str, Any] = {
        "wait_for_consumer": 20,
        "schedule": faults("drop@1.2:1s"),
        "truth": tmp_path / "truth.jsonl",
        "stop": stop,
    }
    thread = threading.Thread(target=play, args=[[recorded(name)]], kwargs=options)
    thread.start()
    source = LslSource.open(name=name, markers=[f"{name} markers"], timeout=20)
    items: list[Item] = []
    while thread.is_alive():
        if (item := source.read(0.1)) is not None:
            items.append(item)
            if isinstance(item, Chunk) and item.n_times and item.data[2, -1] >= 600:
                stop.set()
    source.close()
    drop = read_truth(tmp_path / "truth.jsonl")[0]
    chunks = [i for i in items if isinstance(i, Chunk)]
    data = np.concatenate([c.data for c in chunks], axis=1)
    kept = np.delete(LONG, _range(drop), axis=1)
    np.testing.assert_array_equal(data, kept[:, : data.shape[1]])
    (gap,) = (i for i in items if isinstance(i, Gap))
    assert gap.reason == "lost"
    assert gap.t == pytest.approx(drop["t_first"], abs=0.001)
    assert gap.duration == pytest.approx(drop["n_samples"] / 200, abs=0.001)
    (after,) = {c.segment: c for c in reversed(chunks) if c.segment == 1}.values()
    assert after.first == 0
    assert after.data[2, 0] == drop["first"] + drop["n_samples"]
