"""Which streams are there on the network, and which of them is meant."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import pylsl

from streaming.errors import SourceError, StreamNotFound

__all__ = [
    "IMPEDANCE",
    "MARKER_TYPES",
    "Search",
    "StreamQuery",
    "StreamSummary",
    "find_streams",
    "is_marker_stream",
    "is_signal",
    "list_streams",
    "marker_predicate",
    "marker_search",
    "named",
    "named_search",
    "quoted",
    "signal_search",
    "summarise",
]

MARKER_TYPES = ("Markers", "markers", "Marker", "marker")
"""Types of streams of markers, as programs write them; the first is the convention."""

IMPEDANCE = "Impedance"
"""Type of streams of impedances, as EGI's and others' programs call them."""

_ROUND = 0.4
"""Seconds in which streams answer: on one machine within 0.1.

Liblsl asks anew each 0.5 s. A search that ends in that very moment waits another 5 s for the
answers: with 0.5, half of them did on a busy machine; with 0.3, 0.45, 0.6 and 1.0, none of 48.
"""

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
        """Return it in LSL's language; empty if it asks for nothing.

        Raises
        ------
        SourceError
            If the predicate is no XPath. Liblsl finds nothing for such, and says so nowhere.
        """
        if self.predicate:
            try:
                pylsl.ContinuousResolver(pred=self.predicate)
            except RuntimeError:
                msg = (
                    f"the predicate {self.predicate} is not understood by LSL; it takes XPath "
                    f"1.0, such as starts-with(name,'Bio') or hostname='lab-2'"
                )
                raise SourceError(msg) from None
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
            f"source_id {self.source_id!r}, from {self.hostname})"
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
    """Return LSL's query for the streams of these names, or for all of a type of markers."""
    if names is None:
        return " or ".join(f"type={quoted(kind)}" for kind in MARKER_TYPES)
    return named(names)


def named(names: Sequence[str]) -> str:
    """Return LSL's query for the streams of these names."""
    return " or ".join(f"name={quoted(name)}" for name in names) or "false()"


def is_marker_stream(info: pylsl.StreamInfo) -> bool:
    """Return whether a stream carries events, which come at no regular rate."""
    return bool(info.nominal_srate() == 0)


@dataclass(frozen=True, slots=True)
class Search:
    """Streams that are looked for; see `find_streams`.

    Parameters
    ----------
    predicate : str
        LSL's query (XPath 1.0).
    pick : callable
        Returns those that are meant of the streams that answer, or None if not all are there.
        May raise a SourceError if they will never be.
    missing : callable
        Returns the error to raise when time is up.
    """

    predicate: str
    pick: Callable[[list[pylsl.StreamInfo]], list[pylsl.StreamInfo] | None]
    missing: Callable[[list[pylsl.StreamInfo]], SourceError]


def find_streams(searches: Sequence[Search], timeout: float) -> list[list[pylsl.StreamInfo]]:
    """Look for all at once, until all are there.

    Found in one look, so that none is of long ago when the last appears.

    Parameters
    ----------
    searches : sequence of Search
        What to look for.
    timeout : float
        Seconds to wait for streams to appear, at least 0.4.

    Returns
    -------
    list of list of pylsl.StreamInfo
        What each found.

    Raises
    ------
    StreamNotFound
        If something does not appear; the message lists what is there.
    SourceError
        If it is not clear what is meant, or there is something of that name that will not do.
    """
    deadline = time.monotonic() + timeout
    with ThreadPoolExecutor(len(searches)) as pool:
        while True:
            answers = list(pool.map(_look, searches))
            picked = [s.pick(found) for s, found in zip(searches, answers, strict=True)]
            found = [streams for streams in picked if streams is not None]
            if len(found) == len(searches):
                return found
            if time.monotonic() >= deadline:
                n = picked.index(None)
                raise searches[n].missing(answers[n])


def _look(search: Search) -> list[pylsl.StreamInfo]:
    return list(pylsl.resolve_bypred(search.predicate, _MOST, _ROUND))


def marker_search(names: Sequence[str] | None) -> Search:
    """Look for streams of markers: those of these names, or all of type Markers there are."""
    if names is not None:
        return named_search(names, is_marker_stream, "is irregular")

    def pick(found: list[pylsl.StreamInfo]) -> list[pylsl.StreamInfo]:
        return [info for info in found if is_marker_stream(info)]

    return Search(
        marker_predicate(None), pick, lambda _: _not_found(marker_predicate(None), [])
    )


def named_search(
    names: Sequence[str],
    accept: Callable[[pylsl.StreamInfo], bool] = lambda _: True,
    what: str = "",
) -> Search:
    """Look for streams by their names.

    Parameters
    ----------
    names : sequence of str
        What they are called.
    accept : callable
        Whether a stream of that name is meant.
    what : str
        What that asks for, in words.
    """

    def missing(found: list[pylsl.StreamInfo]) -> set[str]:
        return set(names) - {info.name() for info in found if accept(info)}

    def pick(found: list[pylsl.StreamInfo]) -> list[pylsl.StreamInfo] | None:
        return None if missing(found) else [info for info in found if accept(info)]

    def complain(found: list[pylsl.StreamInfo]) -> SourceError:
        return _not_found(named(sorted(missing(found))) + (f" that {what}" if what else ""), [])

    return Search(named(names), pick, complain)


def signal_search(query: StreamQuery) -> Search:
    """Look for the one stream of samples at a regular rate that answers to a description."""
    predicate = query.to_xpath()

    def pick(found: list[pylsl.StreamInfo]) -> list[pylsl.StreamInfo] | None:
        signals = [info for info in found if is_signal(info)]
        if len(signals) > 1:
            several = "; ".join(sorted(str(summarise(i)) for i in signals))
            msg = (
                f"{len(signals)} streams answer to {predicate or 'any signal'}: {several}; "
                f"say which by its source_id, or of which machine by "
                f"--predicate \"hostname='NAME'\""
            )
            raise SourceError(msg)
        return signals or None

    def complain(found: list[pylsl.StreamInfo]) -> SourceError:
        return _not_found(predicate, found if predicate else [])

    return Search(predicate or "name!=''", pick, complain)


def is_signal(info: pylsl.StreamInfo) -> bool:
    """Return whether a stream carries numbers at a regular rate, and not impedances."""
    is_regular = (
        0 < info.nominal_srate() < math.inf and info.channel_format() != pylsl.cf_string
    )
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
