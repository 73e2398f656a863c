"""Which streams are there on the network, and which of them is meant."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import pylsl

from streaming.errors import SourceError, StreamNotFound

__all__ = [
    "IMPEDANCE",
    "StreamQuery",
    "StreamSummary",
    "find_markers",
    "find_named",
    "find_signal",
    "is_marker_stream",
    "is_signal",
    "list_streams",
    "marker_predicate",
    "named",
    "quoted",
    "summarise",
]

IMPEDANCE = "Impedance"
"""Type of streams of impedances, as EGI's and others' programs call them."""

_ROUND = 0.5
"""Seconds in which streams answer: on one machine within 0.1."""

_MOST = 1024
"""More streams than there are, so that a search takes its time and finds all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamQuery:
    """Which stream is meant; what is None may be anything.

    Parameters
    ----------
    name, type, source_id : str or None
        What the stream must say of itself.
    predicate : str or None
        LSL's own query (XPath 1.0) beside that, such as ``"starts-with(name, 'Bio')"``.
    """

    name: str | None = None
    type: str | None = None
    source_id: str | None = None
    predicate: str | None = None

    def to_xpath(self) -> str:
        """Return it in LSL's language; empty if it asks for nothing."""
        said = {"name": self.name, "type": self.type, "source_id": self.source_id}
        parts = [f"{key}={quoted(text)}" for key, text in said.items() if text is not None]
        return " and ".join([*parts, *([f"({self.predicate})"] if self.predicate else [])])


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """A stream, as it announces itself.

    Parameters
    ----------
    name, type : str
        As the sender calls it.
    n_channels : int
        Number of channels.
    sfreq : float
        Nominal rate in Hz; 0 for a stream of events.
    source_id : str
        What identifies the sender, also after a restart; may be empty.
    hostname : str
        The machine that sends it.
    """

    name: str
    type: str
    n_channels: int
    sfreq: float
    source_id: str
    hostname: str

    def to_json(self) -> dict[str, str | int | float]:
        """Return it as plain data."""
        return asdict(self)

    def __str__(self) -> str:
        """Return it in a line for a list."""
        rate = f"{self.sfreq:g} Hz" if self.sfreq else "irregular"
        return (
            f"{self.name!r} ({self.type or 'no type'}, {self.n_channels} channels, {rate}, "
            f"source_id {self.source_id!r})"
        )


def list_streams(timeout: float = 1.0) -> list[StreamSummary]:
    """Return the streams that answer within `timeout` seconds, by type and name."""
    found = [summarise(info) for info in pylsl.resolve_streams(timeout)]
    return sorted(found, key=lambda s: (s.type, s.name, s.source_id))


def summarise(info: pylsl.StreamInfo) -> StreamSummary:
    """Return what a stream says of itself."""
    return StreamSummary(
        name=info.name(),
        type=info.type(),
        n_channels=info.channel_count(),
        sfreq=info.nominal_srate(),
        source_id=info.source_id(),
        hostname=info.hostname(),
    )


def quoted(text: str) -> str:
    """Return `text` as a string of XPath, which knows no escapes.

    Examples
    --------
    >>> print(quoted("it's"))
    "it's"
    """
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    return "concat(" + ', "\'", '.join(f"'{part}'" for part in text.split("'")) + ")"


def marker_predicate(names: Sequence[str] | None) -> str:
    """Return LSL's query for the streams of these names, or for all of type Markers."""
    if names is None:
        return "type='Markers'"
    return named(names)


def named(names: Sequence[str]) -> str:
    """Return LSL's query for the streams of these names."""
    return " or ".join(f"name={quoted(name)}" for name in names) or "false()"


def is_marker_stream(info: pylsl.StreamInfo) -> bool:
    """Return whether a stream carries events, which come at no regular rate."""
    return bool(info.nominal_srate() == 0)


def find_markers(names: Sequence[str] | None, timeout: float) -> list[pylsl.StreamInfo]:
    """Find the streams of markers.

    Parameters
    ----------
    names : sequence of str or None
        What they are called; None for all of type Markers that are there now.
    timeout : float
        Seconds to wait for those that are named, at least 0.5.

    Raises
    ------
    StreamNotFound
        If a named one does not appear.
    """
    if names is not None:
        return find_named(names, timeout, is_marker_stream, "is irregular")
    found = pylsl.resolve_bypred(marker_predicate(None), _MOST, _ROUND)
    return [info for info in found if is_marker_stream(info)]


def find_named(
    names: Sequence[str],
    timeout: float,
    accept: Callable[[pylsl.StreamInfo], bool] = lambda _: True,
    what: str = "",
) -> list[pylsl.StreamInfo]:
    """Find streams by their names.

    Parameters
    ----------
    names : sequence of str
        What they are called.
    timeout : float
        Seconds to wait for all of them, at least 0.5.
    accept : callable
        Whether a stream of that name is meant.
    what : str
        What that asks for, in words.

    Raises
    ------
    StreamNotFound
        If one does not appear.
    """
    deadline = time.monotonic() + timeout
    while names:
        found = [i for i in pylsl.resolve_bypred(named(names), _MOST, _ROUND) if accept(i)]
        missing = set(names) - {info.name() for info in found}
        if not missing:
            return found
        if time.monotonic() >= deadline:
            raise _not_found(named(sorted(missing)) + (f" that {what}" if what else ""), [])
    return []


def find_signal(query: StreamQuery, timeout: float) -> pylsl.StreamInfo:
    """Find the one stream of samples at a regular rate that answers to a description.

    Parameters
    ----------
    query : StreamQuery
        Which.
    timeout : float
        Seconds to wait for a stream to appear, at least 0.5.

    Raises
    ------
    StreamNotFound
        If there is none.
    SourceError
        If there is more than one, or only one of events.
    """
    predicate = query.to_xpath()
    deadline = time.monotonic() + timeout
    while True:
        found = pylsl.resolve_bypred(predicate or "name!=''", _MOST, _ROUND)
        signals = [info for info in found if is_signal(info)]
        if len(signals) == 1:
            return signals[0]
        if signals:
            several = "; ".join(sorted(str(summarise(i)) for i in signals))
            msg = (
                f"{len(signals)} streams answer to {predicate or 'any signal'}: {several}; "
                f"say which by its source_id"
            )
            raise SourceError(msg)
        if time.monotonic() >= deadline:
            raise _not_found(predicate, found if predicate else [])


def is_signal(info: pylsl.StreamInfo) -> bool:
    """Return whether a stream carries numbers at a regular rate, and not impedances."""
    is_regular = info.nominal_srate() > 0 and info.channel_format() != pylsl.cf_string
    return bool(is_regular and info.type() != IMPEDANCE)


def _not_found(query: str, irregular: list[pylsl.StreamInfo]) -> SourceError:
    if irregular:
        return SourceError(
            f"{summarise(irregular[0])} has no regular rate: decoding needs samples at a "
            f"fixed rate; choose the stream of the signal, and record this one with --aux"
        )
    there = "; ".join(str(s) for s in list_streams(_ROUND))
    return StreamNotFound(
        f"no LSL stream with {query or 'a regular rate'}; "
        + (f"there are: {there}" if there else "there is no stream at all")
        + "; start the sender, check the name, and that no firewall is in between "
        "(UDP 16571-16604, TCP 16572-16604)"
    )
