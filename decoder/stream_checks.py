"""What the streams of a session are like before it: each alone, and several together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from decoder.check import Check, Verdict
from decoder.config import SourceConfig
from streaming.errors import SourceError
from streaming.join import join_specs
from streaming.joiner import PATIENCE
from streaming.lsl_streams import StreamQuery, marker_predicate, named, quoted
from streaming.preflight import Probe
from streaming.rate import RATE_TOLERANCE

__all__ = ["check_streams", "judge", "query_for"]

UNSTEADY_CLOCK = 0.001
"""Measurements of one offset on a wired network differ by less, in seconds."""


def query_for(source: SourceConfig) -> StreamQuery:
    """Return which streams are to be looked at: what is named; all, if nothing is."""
    if not source.streams:
        return StreamQuery(
            name=source.name,
            type=source.type,
            source_id=source.source_id,
            predicate=source.predicate,
        )
    parts = [f"name={quoted(s)} or source_id={quoted(s)}" for s in source.streams]
    parts += [named(source.aux), marker_predicate(source.markers or None)]
    return StreamQuery(predicate=" or ".join(parts))


def check_streams(
    probes: Sequence[Probe], source: SourceConfig, seconds: float, *, asked: bool
) -> Iterator[Check]:
    """Judge the streams that are there, and say which are not.

    Parameters
    ----------
    probes : sequence of Probe
        What they did while they were looked at.
    source : SourceConfig
        What is to be taken in.
    seconds : float
        How long they were looked at.
    asked : bool
        Whether `source` asks for anything.
    """
    if not probes:
        found = "none now; start the amplifier's LSL app, or braincast simulate"
        yield Check("LSL streams", "no" if asked else "note", found)
        return
    for probe in probes:
        verdict, found = judge(probe, seconds)
        yield Check(f"stream {probe.summary.name}", verdict, found)
    named_too = (*source.aux, *source.markers) if source.streams else ()
    for name in (*source.streams, *named_too):  # what `query_for` asked for
        if _called(name, probes) is None:
            found = "it is not there: start what sends it, or see braincast streams for names"
            yield Check(f"stream {name}", "no", found)
    if len(source.streams) > 1:
        yield from _together([_called(name, probes) for name in source.streams])


def _called(name: str, probes: Sequence[Probe]) -> Probe | None:
    return next((p for p in probes if name in {p.summary.name, p.summary.source_id}), None)


def _together(found: Sequence[Probe | None]) -> Iterator[Check]:
    """Say whether several signals can be joined, if all of them can be used."""
    what = "streams together"
    probes = [probe for probe in found if probe is not None]
    specs = [probe.spec for probe in probes if probe.spec is not None]
    if len(specs) < len(found):
        yield Check(what, "no", "one of them is not there or no signal, as said above")
        return
    names = [probe.summary.name for probe in probes]
    try:
        spec = join_specs(names, specs)
    except SourceError as error:
        yield Check(what, "no", str(error))
        return
    if not all(probe.n_times for probe in probes):
        yield Check(what, "no", "one of them sends nothing, as said above")
        return
    by_age = sorted(probes, key=lambda probe: probe.age)
    newest, oldest = by_age[0], by_age[-1]
    apart = oldest.age - newest.age
    if apart > PATIENCE:
        problem = (
            f"samples of {oldest.summary.name} come with instants {apart:.1f} s before those "
            f"of {newest.summary.name}, and {PATIENCE:g} s are waited: let both programs stamp "
            f"with LSL's clock"
        )
        yield Check(what, "no", problem)
        return
    n_channels = len(spec.ch_names)
    said = (
        f"{n_channels} channels at {spec.sfreq:g} Hz, at the instants of {names[0]}; one comes "
        f"{1000 * apart:.0f} ms after another"
    )
    yield Check(what, "go", said)


def judge(probe: Probe, seconds: float) -> tuple[Verdict, str]:
    """Return whether a stream can be used, and what it is like.

    Parameters
    ----------
    probe : Probe
        What it did.
    seconds : float
        How long it was looked at.
    """
    if probe.problem:
        return "no", probe.problem
    s = probe.summary
    offset = (
        f"clock {1000 * probe.offset:+.3f} ms, steady within {1000 * probe.drift:.3f} ms "
        f"({probe.n_offsets} measured)"
    )
    clock: Verdict = "go" if probe.drift < UNSTEADY_CLOCK else "no"
    if clock == "no":
        offset += ": use a wired network"
    if not s.sfreq:
        return clock, f"{s.type} from {s.hostname}, irregular, {probe.n_times} came; {offset}"
    start = f"{s.type} from {s.hostname}, {s.n_channels} channels"
    if probe.n_times < 2:
        return "no", f"{start}: no samples within {seconds:g} s; is the amplifier running?"
    rate = f"{start}, {probe.sfreq:.2f} Hz measured, {s.sfreq:g} nominal"
    if abs(probe.sfreq / s.sfreq - 1) > RATE_TOLERANCE:
        return "no", f"{rate}: samples are lost, or the rate is declared wrongly; {offset}"
    return clock, f"{rate}; {offset}"
