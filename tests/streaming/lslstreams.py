"""Streams to send, and items that are read until something is there."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pylsl

from streaming.signal import Chunk, SourceState
from streaming.sources.lsl import LslSource
from streaming.sources.source import Item

__all__ = [
    "SFREQ",
    "count",
    "marker_outlet",
    "only",
    "read_until",
    "signal_info",
    "states",
    "unique",
]

SFREQ = 250.0


def unique() -> str:
    """Return a name that no other stream has."""
    return f"test-{uuid4().hex[:12]}"


def signal_info(
    name: str,
    sfreq: float = SFREQ,
    fmt: str = "float32",
    labels: str = "Cz Pz",
    unit: str = "uV",
) -> pylsl.StreamInfo:
    names = labels.split()
    info = pylsl.StreamInfo(name, "EEG", len(names), sfreq, fmt, f"id-{name}")
    channels = info.desc().append_child("channels")
    for label in names:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
        channel.append_child_value("type", "EEG")
    return info


def marker_outlet(name: str, fmt: str = "string") -> pylsl.StreamOutlet:
    info = pylsl.StreamInfo(name, "Markers", 1, 0.0, fmt, f"id-{name}")
    return pylsl.StreamOutlet(info)


def read_until(
    source: LslSource, enough: Callable[[list[Item]], bool], seconds: float = 20
) -> list[Item]:
    items: list[Item] = []
    deadline = pylsl.local_clock() + seconds
    while not enough(items):
        assert pylsl.local_clock() < deadline, f"not within {seconds} s: {items[-5:]}"
        item = source.read(0.2)
        if item is not None:
            items.append(item)
    return items


def count(items: list[Item]) -> int:
    return sum(i.n_times for i in items if isinstance(i, Chunk))


def only(kind: type, items: list[Item]) -> list[Item]:
    return [i for i in items if isinstance(i, kind)]


def states(items: list[Item]) -> list[str]:
    return [i.state for i in items if isinstance(i, SourceState)]
