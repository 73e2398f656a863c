"""The heart: signal in, decodes out. No thread, socket, file or clock.

The live service, a replay and `braincast verify` drive this same object, so that what holds for
one holds for all. Whatever depends on the wall clock enters as the time `t` of an input.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from decoder.anytime import Anytime
from decoder.betting import Betting
from decoder.channels import Channels
from decoder.control import (
    Adapted,
    Blind,
    Control,
    Input,
    MarkBad,
    Note,
    Pause,
    Recentre,
    Refit,
    Refused,
    Resume,
    SetCandidates,
    Stop,
    SwapModel,
)
from decoder.drift import Drift
from decoder.events import (
    Event,
    GapFound,
    GapRevised,
    LatentMade,
    MarkerSeen,
    Overrun,
    Signal,
    State,
    TextDecoded,
)
from decoder.pipeline import Pipeline
from decoder.pool import Pool, pool_name
from decoder.randomisation import UNDECLARED, Design
from decoder.start import FRESH_START, Start
from decoder.stretches import Stretches
from decoder.uncertainty import CERTAIN, Doubt, Uncertainty
from models.candidates import Candidates
from models.checkpoint import Model
from streaming.fill import Filler
from streaming.ingest import STOP_MARKER
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
from streaming.window import Withheld

__all__ = ["AHEAD", "FRESHNESS", "Session"]

AHEAD = 0.25
"""Seconds by which timestamps may be ahead of the time at which they are fed: clocks of two
machines are compared to milliseconds. What is further ahead says nothing of how old it is."""

FRESHNESS = 1.0
"""Seconds after its newest sample at which a decode is stale, unless said otherwise."""

N_DECODES = 1024
"""Decodes that a `Revision` may still concern: more than 30 s of them."""

_MARKERS_TOO = {"reconnect", "ingest", "stopped", "restart"}
"""Reasons of gaps in which markers were missed as well."""

_ACTS = Pause | Resume | MarkBad | SetCandidates | SwapModel | Recentre
"""What people say that changes decodes, or keeps them back."""

N_EARLY = 256
"""Markers kept that came before the first sample of their segment."""


class Session:
    """A state machine from inputs to events.

    Attributes
    ----------
    state : str
        ``"decoding"``; ``"paused"``: samples are filtered and windows withheld; ``"stopped"``:
        nothing is done with samples or markers at all.
    timed : bool
        Whether the source's timestamps tell how old samples are; see `SourceState`.

    Parameters
    ----------
    model : Model
        What decodes first.
    spec : SignalSpec
        What the source delivers.
    session_id : str
        Begins every `decode_id`.
    freshness : float
        Seconds after its newest sample at which a decode is stale.
    start : Start
        Where it goes on from.
    asked : Uncertainty
        How sure a decode has to be.
    design : Design
        The declared randomisation of stimuli, which evidence needs.

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
        asked: Uncertainty = CERTAIN,
        design: Design = UNDECLARED,
    ) -> None:
        self.state: Literal["decoding", "paused", "stopped"] = "decoding"
        self.freshness = freshness
        self._id = session_id
        self._start = start
        self._asked = asked
        self._pipeline = Pipeline(model, spec, start.first_trigger)
        self._stretches = Stretches(self._pipeline.spec)
        candidates = replace(model.candidates, version=start.version)
        self._pool = self._new_pool(model, candidates)
        self._drift = Drift(model)
        self._anytime = Anytime(len(self._pipeline.latencies))
        self._betting = Betting(design, model.stimuli, start.evidence)
        self._channels = Channels(self._pipeline.watch)
        self._filler = Filler()
        self._decodes: deque[TextDecoded] = deque(maxlen=N_DECODES)
        self._early: deque[Marker] = deque(maxlen=N_EARLY)
        self._settled = self._is_ahead = False
        self.timed = True

    @property
    def model(self) -> Model:
        """What decodes now."""
        return self._pipeline.model

    @property
    def stream_spec(self) -> SignalSpec:
        """What the source delivers."""
        return self._pipeline.stream_spec

    @property
    def candidates(self) -> Candidates:
        """What it chooses from now; their `version` is the session's count."""
        return self._pool.candidates

    @property
    def doubt(self) -> Doubt:
        """What is promised of decodes now, and why not more."""
        return self._pool.doubt

    @property
    def signal_spec(self) -> SignalSpec:
        """Of the `Signal` events."""
        return self._pipeline.signal_spec

    @property
    def markable(self) -> tuple[str, ...]:
        """Channels that the operator can mark; none if the model's chain does not watch."""
        return self._channels.markable

    def feed(self, item: Input, t: float) -> list[Event]:
        """Take one input and return what follows from it.

        Parameters
        ----------
        item : Chunk, Marker, Gap, Impedance, Revision, SourceState or Control
            What the source delivered, or somebody said.
        t : float
            When it was fed, in seconds on the LSL clock.
        """
        match item:
            case SourceState(what="session"):
                return self._stop(item.detail, t)
            case SourceState():
                if item.what == "source":
                    self.timed = item.timed
                return [State(item.what, item.state, item.t, item.detail)]
            case Impedance():
                self._channels.measured(item)
                return []
            case Chunk() | Marker() | Gap() | Revision():
                return [] if self.state == "stopped" else self._signal(item, t)
            case _:
                return self._control(item, t)

    def _signal(self, item: Chunk | Marker | Gap | Revision, t: float) -> list[Event]:
        match item:
            case Chunk():
                return self._chunk(item, t)
            case Marker():
                return self._marker(item, t)
            case Gap():
                self._filler.expect(item)
                if item.reason in _MARKERS_TOO:
                    self._betting.miss()
                return [GapFound(item)]
            case Revision():
                return [GapRevised(item, self._concerned(item))]

    # -- what people say --

    def _control(self, item: Control, t: float) -> list[Event]:  # noqa: PLR0911
        if isinstance(item, _ACTS):
            self._betting.act()
        match item:
            case Stop():
                return self._stop(item.reason, t)
            case Resume():
                return self._resume(item.reason, t)
            case MarkBad():
                self._channels.mark(item)
                return list(self._channels.reports(self._stretches))
            case SetCandidates():
                self._pool = self._new_pool(self.model, item.candidates)
                return [self._changed(t)]
            case SwapModel():
                return self._swap(item, t)
            case Recentre() | Refit() | Adapted():
                return [self._drift.control(item, t)]
            case _:
                return self._say(item, t)

    def _say(self, item: Pause | Note | Blind | Refused, t: float) -> list[Event]:
        match item:
            case Pause() if self.state != "decoding":
                return []
            case Pause():
                self.state = "paused"
                return [State("session", "paused", t, item.reason)]
            case Note():
                return [State("note", "taken", t, item.text)]
            case Refused():
                return [State("model", "refused", t, item.reason)]
            case Blind(on=True):
                return [State("blind", "on", t, "pages hide what is decoded")]
            case Blind():
                return [State("blind", "off", t, "pages show what is decoded")]

    def _stop(self, reason: str, t: float) -> list[Event]:
        """Forget what was not decoded yet; what is already out is not ours to take back."""
        if self.state == "stopped":
            return []
        self.state = "stopped"
        self._early.clear()
        self._decodes.clear()
        self._betting.stop()
        self._pipeline.abandon()
        self._anytime = Anytime(self._anytime.n_revisions)
        self._pool.forget()
        self._stretches.forget()
        return [State("session", "stopped", t, reason)]

    def _resume(self, reason: str, t: float) -> list[Event]:
        if self.state == "decoding":
            return []
        if self.state == "stopped":
            self._filler = Filler()
        self.state = "decoding"
        return [State("session", "decoding", t, reason)]

    def _swap(self, item: SwapModel, t: float) -> list[Event]:
        pipeline, detail = self._pipeline.swapped(item.model), ""
        lost: list[Event] = []
        if pipeline is not self._pipeline:
            lost += self._decodes_of(self._pipeline.abandon(), t)
            self._pipeline = pipeline
            self._anytime = Anytime(len(pipeline.latencies))
            self._stretches.break_off()
            self._stretches.spec = pipeline.spec
            self._channels.watch_with(pipeline.watch)
            detail = f"; its filters need {pipeline.settling:.1f} s of signal"
        candidates = replace(item.model.candidates, version=item.version)
        self._pool = self._new_pool(item.model, candidates)
        self._drift, anew = self._drift.swapped(item.model, t)
        self._betting.swap(item.model.stimuli)
        state = "rolled back" if item.back else "swapped"
        said = State("model", state, t, f"model {item.model.model_id[:16]} decodes{detail}")
        return [*lost, said, self._changed(t), *anew]

    def _new_pool(self, model: Model, candidates: Candidates) -> Pool:
        """Begin another score, unless a decoder that died had this one."""
        ours = pool_name(model.model_id, candidates.hash)
        first = pool_name(model.model_id, model.candidates.hash)
        goes_on = not self._stretches.begun and (self._start.pool or first) == ours
        before = self._start if goes_on else FRESH_START
        return Pool(model, candidates, before.ranks, before.sets, self._asked)

    def _changed(self, t: float) -> State:
        n, version = len(self.candidates), self.candidates.version
        detail = f"{n} candidates, version {version}"
        if not self._pool.calibrated:
            detail += "; no probability was calibrated for them"
        elif self._asked.risk is not None and self.doubt.no_set:
            detail += f"; no set of them is promised to hold the truth: {self.doubt.no_set}"
        return State("candidates", "changed", t, detail)

    # -- the signal --

    def _concerned(self, revision: Revision) -> tuple[str, ...]:
        """Return the decodes with samples after a place, as far as they are remembered."""
        found = (
            decode.decode_id
            for decode in self._decodes
            if decode.segment == revision.segment
            and decode.first + decode.n_times > revision.first
        )
        return tuple(dict.fromkeys(found))

    def _chunk(self, delivered: Chunk, t: float) -> list[Event]:
        events: list[Event] = []
        chunk = self._filler(delivered)
        now, begins, n_skipped = self._stretches.follow(chunk)
        if begins:
            if n_skipped:
                events.append(Overrun(n_skipped, t))
            self._settled = False
            settling = self._pipeline.settling
            detail = f"filters need {settling:.1f} s of signal before the first decode"
            events.append(State("decoder", "settling", t, detail))
        sfreq = self._pipeline.spec.sfreq
        if chunk.n_times:
            events += self._compare(chunk.t_end - 1 / sfreq - t, t)
        filtered = self._pipeline.filter(self._stretches.renumber(chunk, now))
        if filtered.n_times:
            events.append(Signal(filtered.data, filtered.t0, filtered.spec.sfreq))
        events += self._channels.reports(self._stretches)
        results: list[Window | Withheld] = []
        while self._early and self._early[0].segment <= chunk.segment:
            results += self._pipeline.mark(self._stretches.place(self._early.popleft()))
        results += self._pipeline.windows(filtered)
        n_settling = self._pipeline.spec.to_samples(self._pipeline.settling)
        if not self._settled and self._stretches.next - now.base >= n_settling:
            self._settled = True
            events.append(State("decoder", "ready", t, "filters have settled"))
        return events + self._decodes_of(results, t)

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

    def _marker(self, marker: Marker, t: float) -> list[Event]:
        stimulus = self.model.stimuli.find(marker.label)
        role = "unknown" if stimulus is None else stimulus.role
        if role == "stop" or marker.label.strip() == STOP_MARKER:
            stop = self._stop(f"the marker {marker.label!r} stopped the session", t)
            return [MarkerSeen(marker, "stop", text=marker.label), *stop]
        if stimulus is None:
            return [MarkerSeen(marker, "unknown")]
        name, glyph = stimulus.candidate_id, self._pool.glyph(stimulus.candidate_id)
        seen = MarkerSeen(marker, role, name, stimulus.text or marker.label, glyph)
        if role == "run_start":
            self._betting.begin_run()
        if role == "stimulus" and not self._pipeline.locked:
            self._betting.miss()
        if role != "stimulus" or not self._pipeline.locked:
            return [seen]
        unavailable = self._betting.see(marker, self._pool, paused=self.state == "paused")
        if self._stretches.is_ahead(marker):
            self._early.append(marker)
            return [seen, *unavailable]
        results = self._pipeline.mark(self._stretches.place(marker))
        return [seen, *unavailable, *self._decodes_of(results, t)]

    # -- decodes --

    def _decodes_of(self, results: Sequence[Window | Withheld], t: float) -> list[Event]:
        events: list[Event] = []
        for result in filter(self._anytime.wants, results):
            decoded = self._decode(result, t)
            if decoded.abstained or isinstance(result, Withheld):
                events.append(decoded)
                events += self._betting.decide(decoded, result.marker, None)
            else:
                events += self._answers(result, decoded, t)
                decoded = self._decodes[-1]
            self._anytime.said(result, decoded)
        return events

    def _answers(self, window: Window, decoded: TextDecoded, t: float) -> list[Event]:
        """Return a decode with what was decoded, and what follows from it."""
        latent = self._pipeline.encode(window)
        whole = self._anytime.is_last(window.revision)
        if whole:  # of parts of windows, calibration has not said where their latents lie
            latent = self._drift.corrected(latent)
        if not self.model.is_usual(latent, window):
            decoded = replace(decoded, abstained="unusual", final=True)
            self._decodes.append(decoded)
            return [decoded, *self._betting.decide(decoded, window.marker, None)]
        pooled = self._pool.pooled(latent, window)
        calibrated = decoded.calibrated and pooled.calibrated
        decoded = replace(decoded, n_repeats=pooled.n_repeats, calibrated=calibrated)
        decoded = self._pool.choose(decoded, pooled.ranking, window.marker)
        if decoded.final:
            self._pool.remember(pooled)
        known = decoded
        if self._drift.doubtful:
            decoded = replace(decoded, calibrated=False)
        self._decodes.append(decoded)
        counts = not (decoded.stale or decoded.abstained)
        p = pooled.ranking.probabilities if counts else None
        bets = self._betting.decide(decoded, window.marker, p)
        if decoded.abstained:
            return [decoded, *bets]
        place = latent.vector, latent.space, latent.model_id, decoded.t_end, decoded.revision
        recentred = whole and self._drift.recentres
        made = LatentMade(decoded.decode_id, *place, window.chunk.data, recentred)
        drift = self._drift.follow(latent, known, t) if whole else []
        return [decoded, made, *bets, *drift]

    def _decode(self, result: Window | Withheld, t: float) -> TextDecoded:
        """Return a decode but for what was decoded, or why nothing is."""
        if isinstance(result, Withheld):
            covers: Withheld | Chunk = result
            t_start, t_end = result.t_start, result.t_end
        else:
            covers = result.chunk
            t_start, t_end = result.chunk.t0, result.chunk.t_end
        # From the first raw sample to the newest, and not to the next that is due.
        factor, sfreq = self._pipeline.factor, self._pipeline.spec.sfreq
        t_start -= (factor - 1) / sfreq
        t_end -= factor / sfreq
        stretch = self._stretches.numbered(covers.segment)
        age = t - t_end
        from_future = age < -AHEAD and isinstance(result, Window)  # others were given up
        decoded = TextDecoded(
            decode_id=f"{self._id}/{result.decode_id}",
            top=(),
            n_candidates=len(self.candidates),
            calibrated=self._pool.calibrated,
            candidates_hash=self._pool.hash,
            candidates_version=self.candidates.version,
            model_id=self.model.model_id,
            segment=stretch.segment,
            first=stretch.base + round(covers.first * factor),
            n_times=round(covers.n_times * factor),
            t_start=t_start,
            t_end=t_end,
            stale=self.timed and (from_future or age > self.freshness),
            delay=self._pipeline.delay,
            revision=result.revision,
            latency=self._pipeline.latencies[result.revision],
        )
        if isinstance(result, Withheld):
            return replace(decoded, abstained=result.reason)
        if self.state == "paused":
            return replace(decoded, abstained="paused")
        final = self._anytime.is_last(result.revision)
        return replace(decoded, final=final, quality=round(result.quality, 4))
