"""A simulated participant who looks at one thing after another, as a source of EEG or MEG."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import radians
from typing import Literal, get_args

import mne
import numpy as np
from numpy.typing import NDArray

from streaming.errors import ConfigError
from streaming.signal import Chunk, Marker, SignalSpec, SourceState
from streaming.sources.background import Background
from streaming.sources.headmodel import montage, spread_channels
from streaming.sources.helmet import HELMET, helmet_info
from streaming.sources.participant import RESPONSE_DURATION, Participant, respond
from streaming.sources.shown import Shown, Trial, drawn, scripted
from streaming.sources.source import Item

__all__ = [
    "SimulatedSettings",
    "SimulatedSource",
    "Snr",
    "record_source",
    "simulate_recording",
]

Snr = Literal["easy", "realistic", "none"]

_TAIL = 2.0  # s after the last
# Samples are made in blocks of so many, so that how they are read cannot change them. Larger
# ones make recordings faster but keep a live reader waiting: see `_make_items`.
_BLOCK = 50


_BOUNDS = {
    "sfreq": (125, 20000, "Hz"),
    "soa": (0.2, 60, "s"),
    "drift": (0, 180, "degrees a minute"),
    "lead": (0, 3600, "s"),
    "turned": (0, 180, "degrees"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedSettings:
    """Who takes part, and how it is recorded.

    Parameters
    ----------
    snr : str
        ``"easy"``: single trials decode far better than in people, for the demo.
        ``"realistic"``: a good decoder gets 60-65 % of two-way choices from a single trial.
        ``"none"``: every stimulus gives the same response, so nothing can be decoded.
    subject_seed : int
        Which person: head, sources, and what each concept evokes.
    session_seed : int
        Which session of that person: order of the stimuli and all noise.
    n_channels : int
        Electrodes, from 4 to 335, spread over the head (see
        `streaming.sources.headmodel.spread_channels`).
    sfreq : float
        Rate, in Hz, of at least 125: the 50 Hz line must be in the band.
    meg : bool
        Record MEG instead of EEG, with the helmet's 306 sensors and no electrodes
        (`streaming.sources.helmet`); `n_channels` must be 306.
    soa : float
        Mean time from one onset to the next, in seconds; each is up to an eighth longer or
        shorter. Responses last up to 1.2 s, so they overlap.
    drift : float
        Degrees a minute by which every source turns during the session, each about an axis of
        its own, so that what the electrodes see of a response changes slowly: its mean over
        all stimuli, and what tells them apart. This is how features drift in people from a
        calibration to what follows it: the mean and the directions move, within minutes (Shenoy
        et al. 2006, J. Neural Eng. 3, R13; Krauledat 2008).
    lead : float
        Seconds before the first stimulus.
    turned : float
        Degrees by which every source is turned when the session begins: another day, on which
        the cap sits otherwise.
    """

    snr: Snr = "easy"
    subject_seed: int = 1
    session_seed: int = 1
    n_channels: int = 32
    sfreq: float = 250.0
    meg: bool = False
    soa: float = 0.8
    drift: float = 0.0
    lead: float = 3.0
    turned: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no participant can be made of."""
        if self.snr not in get_args(Snr):
            msg = f"snr must be one of {', '.join(get_args(Snr))}, got {self.snr!r}"
            raise ConfigError(msg)
        for name in ("subject_seed", "session_seed"):
            if getattr(self, name) < 0:
                msg = f"{name} must be 0 or more, got {getattr(self, name)}"
                raise ConfigError(msg)
        for name, (low, high, unit) in _BOUNDS.items():
            if not low <= getattr(self, name) <= high:
                msg = f"{name} must be from {low} to {high} {unit}, got {getattr(self, name)}"
                raise ConfigError(msg)
        if not self.meg:
            spread_channels(self.n_channels)
        elif self.n_channels != len(HELMET.ch_names):
            msg = f"the helmet has {len(HELMET.ch_names)} sensors, got {self.n_channels}"
            raise ConfigError(msg)

    @property
    def spec(self) -> SignalSpec:
        """Rate and channels."""
        if self.meg:
            return SignalSpec(self.sfreq, HELMET.ch_names, HELMET.ch_types)
        return SignalSpec(self.sfreq, spread_channels(self.n_channels))


class SimulatedSource:
    """EEG or MEG, and markers, of someone who does not exist.

    The same settings give the same samples, bit for bit, however they are read.

    Parameters
    ----------
    concepts : sequence of str
        Ids of everything this person may be shown; they become the markers' labels.
    embeddings : array of shape (n_concepts, n_dims)
        Where each concept is in a space of meanings; part of the response follows it.
    settings : SimulatedSettings
        Who, and how.
    shown : sequence of sequences of str
        Pools of concepts to show in this session. They get equally many trials, in random
        order; each is shown in full, shuffled, before any of it comes again. All concepts in
        one pool if not given.
    independent : bool
        Draw each stimulus anew instead, whatever came before; see
        `streaming.sources.shown.drawn`.
    n_trials : int or None
        How many stimuli to show before the session ends; None goes on forever.
    script : sequence of Shown
        What an experiment shows, in the order of time, instead of `shown` and `n_trials`.
    chunk_size : int
        Samples in a chunk.
    clock : callable or None
        Gives seconds. With a clock, samples come when they are due on it, counted from the
        first read; without, as fast as they are read, and sample 0 is at 0 s.
    sleep : callable
        Waits for seconds of the clock.
    """

    def __init__(  # noqa: PLR0913 - what a session may be, each with a default
        self,
        concepts: Sequence[str],
        embeddings: NDArray[np.float32],
        settings: SimulatedSettings,
        *,
        shown: Sequence[Sequence[str]] = (),
        independent: bool = False,
        n_trials: int | None = None,
        script: Sequence[Shown] = (),
        chunk_size: int = 10,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        seen = [each.concept for each in script if each.concept]
        _check(concepts, embeddings, [seen] if seen else shown, n_trials, chunk_size)
        self.settings = settings
        self._script = tuple(script)
        self._chunk_size, self._n_trials = chunk_size, len(script) or n_trials
        self._clock, self._sleep = clock, sleep
        s = settings
        self._spec = s.spec
        self._participant = Participant.draw(
            concepts, embeddings, self._spec.ch_names, s.snr, s.subject_seed
        )
        self._background = Background(
            self._spec.ch_names,
            s.sfreq,
            person=np.random.default_rng([s.subject_seed, 2]),
            session=np.random.default_rng([s.subject_seed, s.session_seed, 3]),
        )
        self._concepts = tuple(concepts)
        self._independent = independent
        pools = shown or [concepts]
        self._pools = [[self._concepts.index(c) for c in pool] for pool in pools]
        self._items: Iterator[Item] | None = None
        self._next: Item | None = None

    @property
    def name(self) -> str:
        """Who it is."""
        return f"simulated participant {self.settings.subject_seed}"

    @property
    def spec(self) -> SignalSpec:
        """Rate and channels of the chunks that `read` returns."""
        return self._spec

    @property
    def to_si(self) -> tuple[float, ...]:
        """Samples are in SI units already."""
        return (1.0,) * len(self._spec.ch_names)

    def read(self, timeout: float) -> Item | None:
        """Return the next item, waiting up to `timeout` seconds, or None if there is none."""
        if self._items is None:
            self._items = self._make_items(0.0 if self._clock is None else self._clock())
        if self._next is None:
            self._next = next(self._items, None)
        item = self._next
        if self._clock is not None and item is not None:
            due = item.t_end if isinstance(item, Chunk) else item.t
            wait = due - self._clock()
            if wait > 0:
                self._sleep(min(wait, timeout))
            if wait > timeout:
                return None
        self._next = None
        return item

    def close(self) -> None:
        """End the session; nothing is read after it."""
        self._items = iter(())
        self._next = None

    def _blocks(self) -> Iterator[tuple[NDArray[np.float32], list[Trial], bool]]:
        """Make the signal, the trials that begin in it, and whether it is the last block."""
        s, spec = self.settings, self._spec
        n_times, n_response = _BLOCK, spec.to_samples(RESPONSE_DURATION)
        times = np.arange(n_response) / s.sfreq
        n_sources = len(self._participant.latencies)
        activity = np.zeros((n_sources, n_times + n_response))  # this block, and what follows
        rng = np.random.default_rng([s.subject_seed, s.session_seed, 4])
        if self._script:
            index = {name: n for n, name in enumerate(self._concepts)}
            trials = scripted(self._script, index, rng, s.sfreq, s.lead)
        else:
            what = self._pools, self._concepts
            independent = self._independent
            trials = drawn(*what, rng, s.sfreq, s.lead, s.soa, independent=independent)
        trial = next(trials)
        start, n_shown, end = 0, 0, np.inf
        while start < end:
            begun: list[Trial] = []
            while trial.onset < start + n_times and start < end and n_shown != self._n_trials:
                at = trial.onset - start
                if trial.concept is not None:
                    response = respond(self._participant, trial.concept, trial.stretch, times)
                    activity[:, at : at + n_response] += trial.gain * response
                begun.append(trial)
                n_shown += 1
                if n_shown == self._n_trials:
                    end = trial.onset + spec.to_samples(_TAIL)
                trial = next(trials, trial)
            data = self._background(n_times)
            data += self._topographies(start) @ activity[:, :n_times]
            activity[:, :-n_times] = activity[:, n_times:]
            activity[:, -n_times:] = 0
            start += n_times
            yield data.astype(np.float32), begun, start >= end

    def _topographies(self, start: int) -> NDArray[np.float64]:
        """Return what the electrodes see of the sources in the block that begins here."""
        s = self.settings
        degrees = s.turned + s.drift * (start / s.sfreq / 60)
        if not degrees:
            return self._participant.topographies
        return self._participant.topographies_at(radians(degrees))

    def _make_items(self, t0: float) -> Iterator[Item]:
        """Cut the signal into chunks; a marker comes before the chunk that holds its onset."""
        s, spec = self.settings, self._spec
        what = f"simulated participant {s.subject_seed}, session {s.session_seed}, {s.snr}"
        yield SourceState("live", t0, what)
        rest = np.empty((len(spec.ch_names), 0), np.float32)
        coming: list[Trial] = []
        first = 0
        for block, begun, last in self._blocks():
            rest = np.concatenate([rest, block], axis=1)
            coming += begun
            while rest.shape[1] >= (1 if last else self._chunk_size):
                stop = first + min(self._chunk_size, rest.shape[1])
                while coming and coming[0].onset < stop:
                    trial = coming.pop(0)
                    t = t0 + trial.onset / spec.sfreq
                    yield Marker(trial.label, t, 0, trial.onset)
                data, rest = rest[:, : stop - first], rest[:, stop - first :]
                yield Chunk(data, spec, 0, first, t0)
                first = stop
        yield SourceState("ended", t0 + first / spec.sfreq, f"{what}: all stimuli shown")


def _check(
    concepts: Sequence[str],
    embeddings: NDArray[np.float32],
    shown: Sequence[Sequence[str]],
    n_trials: int | None,
    chunk_size: int,
) -> None:
    """Refuse concepts, pools and lengths that make no session."""
    if len(set(concepts)) != len(concepts) or len(concepts) < 2:
        msg = f"concepts must be at least two ids, all different, got {len(concepts)} ids"
        raise ConfigError(msg)
    if embeddings.ndim != 2 or len(embeddings) != len(concepts):
        msg = (
            f"embeddings must have shape (n_concepts, n_dims) with n_concepts={len(concepts)}, "
            f"got shape {embeddings.shape}"
        )
        raise ConfigError(msg)
    if not np.isfinite(embeddings).all() or (embeddings == embeddings[0]).all():
        msg = "embeddings must be finite and not all the same"
        raise ConfigError(msg)
    if not all(shown):
        msg = f"shown has an empty pool among its {len(shown)}; leave it out"
        raise ConfigError(msg)
    unknown = sorted({c for pool in shown for c in pool} - set(concepts))
    if unknown:
        msg = f"shown has ids that are not among the concepts: {', '.join(unknown[:5])}"
        raise ConfigError(msg)
    if n_trials is not None and n_trials < 1:
        msg = f"n_trials must be 1 or more, or None to go on forever, got {n_trials}"
        raise ConfigError(msg)
    if chunk_size < 1:
        msg = f"chunk_size must be 1 sample or more, got {chunk_size}"
        raise ConfigError(msg)


def simulate_recording(
    concepts: Sequence[str],
    embeddings: NDArray[np.float32],
    settings: SimulatedSettings,
    *,
    n_trials: int,
    shown: Sequence[Sequence[str]] = (),
) -> mne.io.RawArray:
    """Record a session of a simulated participant, as fast as it can be computed.

    Parameters
    ----------
    concepts, embeddings, settings, shown, n_trials
        As for `SimulatedSource`. Another `session_seed` than that of a live session makes it
        another session of the same person.

    Returns
    -------
    mne.io.RawArray
        EEG in volts with the montage, or MEG in tesla with the helmet; an annotation with a
        concept's id at each onset.
    """
    return record_source(
        SimulatedSource(
            concepts, embeddings, settings, shown=shown, n_trials=n_trials, chunk_size=1000
        )
    )


def record_source(source: SimulatedSource) -> mne.io.RawArray:
    """Record a participant to the end of the session, as `simulate_recording` does."""
    settings = source.settings
    chunks: list[NDArray[np.float32]] = []
    markers: list[Marker] = []
    while (item := source.read(0)) is not None:
        if isinstance(item, Chunk):
            chunks.append(item.data)
        elif isinstance(item, Marker):
            markers.append(item)
    if settings.meg:
        info = helmet_info(settings.sfreq)
    else:
        info = source.spec.to_info().set_montage(montage())
    raw = mne.io.RawArray(np.concatenate(chunks, axis=1), info, verbose="error")
    onsets = [m.sample / source.spec.sfreq for m in markers]
    raw.set_annotations(mne.Annotations(onsets, 0.0, [m.label for m in markers]))
    return raw
