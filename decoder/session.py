"""The heart: signal in, decodes out. No thread, socket, file or clock.

The live service, a replay and `braincast verify` drive this same object, so that what holds for
one holds for all. Whatever depends on the wall clock enters as the time `t` of an input.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from decoder.control import Input, MarkBad
from decoder.events import (
    Event,
    GapFound,
    GapRevised,
    MarkerSeen,
    Overrun,
    Quality,
    Signal,
    State,
    TextDecoded,
    Truth,
)
from decoder.readout import RetrievalReadout
from decoder.score import RunningScores
from models.checkpoint import Model
from streaming.chain import Chain, with_watch
from streaming.errors import StreamMismatch
from streaming.fill import Filler
from streaming.resample import RATE_TOLERANCE
from streaming.signal import (
    Chunk,
    Gap,
    Impedance,
    Marker,
    Revision,
    SignalSpec,
    SourceState,
    Window,
)
from streaming.spatial import normal_name
from streaming.watch import Watch
from streaming.window import SlidingWindows, Windower, Withheld

__all__ = ["AHEAD", "FRESHNESS", "FRESH_START", "N_TOP", "Session", "Start"]

N_TOP = 5
"""Candidates named in each decode."""

AHEAD = 0.25
"""Seconds by which timestamps may be ahead of the time at which they are fed: clocks of two
machines are compared to milliseconds. What is further ahead says nothing of how old it is."""

FRESHNESS = 1.0
"""Seconds after its newest sample at which a decode is stale, unless said otherwise."""

N_DECODES = 1024
"""Decodes that a `Revision` may still concern: more than 30 s of them."""

N_EARLY = 256
"""Markers kept that came before the first sample of their segment."""


@dataclass(frozen=True, slots=True)
class Start:
    """How a session begins: afresh, or after a decoder that died.

    Parameters
    ----------
    first_trigger : int
        Where the indices in decode ids begin, so that none comes twice.
    ranks : dict of str to list of int
        Places of the truth in the decodes before, by protocol: the running score goes on.
    """

    first_trigger: int = 0
    ranks: dict[str, list[int]] = field(default_factory=dict)


FRESH_START = Start()


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Samples fed without a break: a segment, or what follows an overrun within one."""

    number: int
    segment: int
    base: int


class Session:
    """A state machine from inputs to events.

    Attributes
    ----------
    timed : bool
        Whether the source's timestamps tell how old samples are; see `SourceState`.

    Parameters
    ----------
    model : Model
        What decodes.
    spec : SignalSpec
        What the source delivers.
    session_id : str
        Begins every `decode_id`.
    freshness : float
        Seconds after its newest sample at which a decode is stale.
    start : Start
        Where it goes on from.

    Raises
    ------
    StreamMismatch
        If the stream is not the one the model was made for: another rate, or channels missing.
    """

    def __init__(
        self,
        model: Model,
        spec: SignalSpec,
        session_id: str,
        freshness: float = FRESHNESS,
        start: Start = FRESH_START,
    ) -> None:
        model.check_live()
        if abs(spec.sfreq / model.spec.sfreq - 1) > RATE_TOLERANCE:
            msg = (
                f"the stream has {spec.sfreq:g} Hz but the model was made for "
                f"{model.spec.sfreq:g} Hz; set the amplifier to {model.spec.sfreq:g} Hz or fit "
                f"a model on recordings at {spec.sfreq:g} Hz"
            )
            raise StreamMismatch(msg)
        self.model = model
        self.freshness = freshness
        self._id = session_id
        self._spec = replace(spec, sfreq=model.spec.sfreq)
        chain = with_watch(model.chain())
        chain.prepare(self._spec)
        self._settling = chain.settling
        self._filters, self._rest = split_before_scaling(chain)
        self.signal_spec = self._filters.prepare(self._spec)
        spec_out = self._rest.prepare(self.signal_spec)
        self._windower = Windower(
            model.windowing, self._spec, spec_out, self._settling, start.first_trigger
        )
        self._delay = round(chain.delay, 6)
        self._watch = next((s for s in self._filters.steps if isinstance(s, Watch)), None)
        # Raw samples for one after the chain: a whole number but for a rational resampling.
        self._factor = round(self._spec.sfreq / spec_out.sfreq, 6)
        self._readout = RetrievalReadout(model.candidates, model.centre, model.temperature)
        self._candidates_hash = model.candidates.hash  # a millisecond: not once a decode
        self._scores = RunningScores(len(model.candidates.ids), start.ranks)
        self._index_of = {name: n for n, name in enumerate(model.candidates.ids)}
        self._locked = not isinstance(model.windowing, SlidingWindows)
        self._stretches: list[_Stretch] = []
        self._filler = Filler()
        self._decodes: deque[TextDecoded] = deque(maxlen=N_DECODES)
        self._early: deque[Marker] = deque(maxlen=N_EARLY)
        self._next = 0
        self._settled = self._is_ahead = False
        self.timed = True
        self._ohms: dict[str, float | None] = {}

    def feed(self, item: Input, t: float) -> list[Event]:  # noqa: PLR0911 - one for each kind
        """Take one input and return what follows from it.

        Parameters
        ----------
        item : Chunk, Marker, Gap, Impedance, Revision, SourceState or MarkBad
            What the source delivered, or the operator said.
        t : float
            When it was fed, in seconds on the LSL clock.
        """
        match item:
            case Chunk():
                return self._chunk(item, t)
            case Marker():
                return self._marker(item, t)
            case Gap():
                self._filler.expect(item)
                return [GapFound(item)]
            case Revision():
                return [GapRevised(item, self._concerned(item))]
            case SourceState():
                if item.what == "source":
                    self.timed = item.timed
                return [State(item.what, item.state, item.t, item.detail)]
            case Impedance():
                said = zip(item.ch_names, item.ohms, strict=True)
                self._ohms |= {normal_name(name): ohms for name, ohms in said}
                return []
            case MarkBad():
                if self._watch is not None:
                    self._watch.mark(item.ch_names, bad=item.bad)
                return self._quality()

    def _concerned(self, revision: Revision) -> tuple[str, ...]:
        """Return the decodes with samples after a place, as far as they are remembered."""
        return tuple(
            decode.decode_id
            for decode in self._decodes
            if decode.segment == revision.segment
            and decode.first + decode.n_times > revision.first
        )

    def _chunk(self, delivered: Chunk, t: float) -> list[Event]:
        events: list[Event] = []
        chunk = self._filler(delivered)
        now = self._stretches[-1] if self._stretches else None
        if now is None or chunk.segment != now.segment or chunk.first != self._next:
            if now is not None and chunk.segment == now.segment:
                events.append(Overrun(chunk.first - self._next, t))
            now = _Stretch(now.number + 1 if now else 0, chunk.segment, chunk.first)
            self._stretches = [*self._stretches[-1:], now]
            self._settled = False
            detail = f"filters need {self._settling:.1f} s of signal before the first decode"
            events.append(State("decoder", "settling", t, detail))
        self._next = chunk.first + chunk.n_times
        if chunk.n_times:
            events += self._compare(chunk.t_end - 1 / self._spec.sfreq - t, t)
        filtered = self._filters(self._renumber(chunk, now))
        if filtered.n_times:
            events.append(Signal(filtered.data, filtered.t0, filtered.spec.sfreq))
        events += self._quality()
        results: list[Window | Withheld] = []
        while self._early and self._early[0].segment <= chunk.segment:
            results += self._windower.mark(self._place(self._early.popleft()))
        results += self._windower.feed(self._rest(filtered))
        if not self._settled and self._next - now.base >= self._spec.to_samples(self._settling):
            self._settled = True
            events.append(State("decoder", "ready", t, "filters have settled"))
        decoded = [self._decode(result, t) for result in results]
        self._decodes.extend(d for d in decoded if not d.abstained)
        return events + decoded

    def _compare(self, ahead: float, t: float) -> list[Event]:
        """Say so when timestamps begin to lie in the future, and when they no longer do."""
        if not self.timed or (ahead > AHEAD) == self._is_ahead:
            return []
        self._is_ahead = not self._is_ahead
        if not self._is_ahead:
            return [State("source", "live", t, "timestamps are no longer from the future")]
        detail = (
            f"timestamps are {ahead:.1f} s in the future: nobody knows how old a decode is, so "
            "all are stale; set the clock of the sender"
        )
        return [State("source", "ahead", t, detail)]

    @property
    def markable(self) -> tuple[str, ...]:
        """Channels that the operator can mark; none if the model's chain does not watch."""
        return self._watch.ch_names if self._watch is not None else ()

    def _quality(self) -> list[Event]:
        """Return what the chain's watch has to say."""
        events: list[Event] = []
        while self._watch is not None and self._watch.reports:
            report = self._watch.reports.popleft()
            stretch = next(s for s in self._stretches if s.number == report.segment)
            events.append(
                Quality(
                    segment=stretch.segment,
                    sample=stretch.base + report.sample,
                    t=report.t,
                    ch_names=self._watch.ch_names,
                    channels=report.channels,
                    interpolated=report.interpolated,
                    refused=report.refused,
                    impedance=self._impedance(self._watch.ch_names),
                )
            )
        return events

    def _impedance(self, ch_names: tuple[str, ...]) -> tuple[float | None, ...]:
        if not self._ohms:
            return ()
        return tuple(self._ohms.get(normal_name(name)) for name in ch_names)

    def _renumber(self, chunk: Chunk, stretch: _Stretch) -> Chunk:
        """Count from the start of the stretch, at the rate of the model."""
        first = chunk.first - stretch.base
        t_anchor = chunk.t_anchor + stretch.base / self._spec.sfreq
        if chunk.spec.sfreq != self._spec.sfreq:  # else this would round, by how it was cut
            t_anchor = chunk.t0 - first / self._spec.sfreq
        return Chunk(chunk.data, self._spec, stretch.number, first, t_anchor, chunk.bad)

    def _marker(self, marker: Marker, t: float) -> list[Event]:
        stimulus = self.model.stimuli.find(marker.label)
        if stimulus is None:
            return [MarkerSeen(marker, "unknown")]
        index = self._index_of.get(stimulus.candidate_id)
        glyph = self.model.candidates.glyphs[index] if index is not None else ""
        seen = MarkerSeen(
            marker, stimulus.role, stimulus.candidate_id, stimulus.text or marker.label, glyph
        )
        if stimulus.role != "stimulus" or not self._locked:
            return [seen]
        if not self._stretches or marker.segment > self._stretches[-1].segment:
            self._early.append(marker)
            return [seen]
        results = self._windower.mark(self._place(marker))
        decoded = [self._decode(result, t) for result in results]
        self._decodes.extend(d for d in decoded if not d.abstained)
        return [seen, *decoded]

    def _place(self, marker: Marker) -> Marker:
        """Say where a marker is in the stretches that were fed."""
        for stretch in reversed(self._stretches):
            before_segment = stretch.base == 0  # and so is a marker that fell into a gap
            if stretch.segment == marker.segment and (
                marker.sample >= stretch.base or before_segment
            ):
                sample = marker.sample - stretch.base
                return replace(marker, segment=stretch.number, sample=sample)
        return replace(marker, segment=-1)

    def _decode(self, result: Window | Withheld, t: float) -> TextDecoded:
        if isinstance(result, Withheld):
            covers: Withheld | Chunk = result
            t_start, t_end = result.t_start, result.t_end
        else:
            covers = result.chunk
            t_start, t_end = result.chunk.t0, result.chunk.t_end
        # From the first raw sample to the newest, and not to the next that is due.
        t_start -= (self._factor - 1) / self._spec.sfreq
        t_end -= self._factor / self._spec.sfreq
        number = covers.segment
        stretch = next(
            (s for s in self._stretches if s.number == number), _Stretch(number, number, 0)
        )
        decoded = TextDecoded(
            decode_id=f"{self._id}/{result.decode_id}",
            top=(),
            n_candidates=len(self.model.candidates.ids),
            calibrated=True,  # a model folder holds the temperature of its own candidates
            candidates_hash=self._candidates_hash,
            model_id=self.model.model_id,
            segment=stretch.segment,
            first=stretch.base + round(covers.first * self._factor),
            n_times=round(covers.n_times * self._factor),
            t_start=t_start,
            t_end=t_end,
            stale=self.timed and not -AHEAD <= t - t_end <= self.freshness,
            delay=self._delay,
        )
        if isinstance(result, Withheld):
            return replace(decoded, abstained=result.reason)
        ranking = self._readout.rank(self.model.encode(result))
        top = self._readout.top(ranking, N_TOP)
        decoded = replace(decoded, top=top, quality=round(result.quality, 4))
        # Only now, after the decode was made, is the label looked at.
        index = self._truth(result.marker)
        if index is None:
            return decoded
        candidates = self.model.candidates
        truth = Truth(
            id=candidates.ids[index],
            text=candidates.texts[index],
            glyph=candidates.glyphs[index],
            rank=ranking.rank_of(index),
            trained=candidates.trained[index],
        )
        if not decoded.stale:
            self._scores.add(truth.rank, trained=truth.trained)
        return replace(decoded, truth=truth, running=self._scores.summary())

    def _truth(self, marker: Marker | None) -> int | None:
        if marker is None:
            return None
        stimulus = self.model.stimuli.find(marker.label)
        return None if stimulus is None else self._index_of.get(stimulus.candidate_id)


def split_before_scaling(chain: Chain) -> tuple[Chain, Chain]:
    """Cut a chain before its running scale: what the first part gives is still in SI units."""
    steps = chain.to_json()
    names = [step["transform"] for step in steps]
    cut = names.index("scale") if "scale" in names else len(steps)
    return Chain.from_json(steps[:cut]), Chain.from_json(steps[cut:])
