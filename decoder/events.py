"""What a session says. Plain data; JSON is made in `decoder/server/wire.py` alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streaming.signal import ChannelQuality, Gap, Marker, Revision

__all__ = [
    "ConformalSet",
    "Event",
    "Evidence",
    "GapFound",
    "GapRevised",
    "ImagePreview",
    "Latency",
    "LatentMade",
    "MarkerSeen",
    "Overrun",
    "Quality",
    "Ranked",
    "Running",
    "Signal",
    "State",
    "TextDecoded",
    "Truth",
]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One candidate in a ranking.

    Parameters
    ----------
    id : str
        The candidate's id.
    text : str
        What to show.
    p : float
        Probability among all candidates.
    glyph : str
        An emoji that a page may draw; empty if there is none.
    """

    id: str
    text: str
    p: float
    glyph: str = ""


@dataclass(frozen=True, slots=True)
class ConformalSet:
    """Candidates of which one is the truth, but for a promised share of the cases.

    Parameters
    ----------
    ids : tuple of str
        The candidates, best first; at least one.
    risk : float
        Promised share of sets without the truth: on average over trials like those it was
        calibrated on, and not for each thing by itself.
    n_calibration : int
        Held-out trials that the promise rests on; of candidates seen in calibration, or of
        others, whichever are fewer.
    """

    ids: tuple[str, ...]
    risk: float
    n_calibration: int


@dataclass(frozen=True, slots=True)
class Truth:
    """What was really shown, told after the decode was made and never before.

    Parameters
    ----------
    id : str
        The candidate that was shown.
    text, glyph : str
        What to show of it.
    rank : int
        Place of the truth in the ranking of all candidates, from 1.
    trained : bool
        Whether its concept was seen in calibration (closed set) or never (zero shot).
    """

    id: str
    text: str
    glyph: str
    rank: int
    trained: bool


@dataclass(frozen=True, slots=True)
class Running:
    """How the session has gone so far, for one protocol; the two are never mixed.

    Parameters
    ----------
    protocol : str
        ``"closed_set"``: the concept was seen in calibration. ``"zero_shot"``: never.
    n : int
        Decodes of single windows with a truth. Abstentions, stale decodes and sums over repeats
        are not among them.
    pool : int
        Number of candidates each decode chose from; chance is ``k / pool`` for the top k.
    top1, top5 : float
        Share of decodes with the truth first, or among the best five.
    top1_low, top1_high : float
        95 % interval (Wilson) of `top1`.
    median_rank : float
        Median place of the truth, from 1.
    n_sets : int
        Final decodes with a conformal set and a truth, those withheld as unsure among them.
    coverage : float or None
        Share of these sets that hold the truth; to be set against one less the promised risk.
    coverage_low, coverage_high : float or None
        95 % interval (Wilson) of `coverage`.
    set_size : float or None
        Mean number of candidates in them.
    """

    protocol: str
    n: int
    pool: int
    top1: float
    top1_low: float
    top1_high: float
    top5: float
    median_rank: float
    n_sets: int = 0
    coverage: float | None = None
    coverage_low: float | None = None
    coverage_high: float | None = None
    set_size: float | None = None


@dataclass(frozen=True, slots=True)
class TextDecoded:
    """A window decoded, or the reason why it was not.

    Parameters
    ----------
    decode_id : str
        Session, kind of window and index of what triggered it.
    top : tuple of Ranked
        The best candidates, best first; empty if `abstained`.
    n_candidates : int
        Size of the pool.
    calibrated : bool
        Whether the probabilities, and the set, were fitted for this model and these
        candidates, and latents are still as they were then.
    candidates_hash, model_id : str
        What made the decode.
    candidates_version : int
        How often the session has changed what it chooses from, and 1.
    segment, first, n_times : int
        The raw samples the window covers.
    t_start, t_end : float
        The same in seconds on the LSL clock; `t_end` is when its newest sample was taken.
    abstained : str
        Why there is no decode (``"settling"``, ``"gap"``, ``"late"``, ``"bad samples"``,
        ``"bad channels"``, ``"artifact"``, ``"paused"``, ``"unusual"``: larger, or farther
        off, than what calibration has seen, ``"unsure"``: its set is too large); empty if
        there is one.
    stale : bool
        The decode came later after its samples than the freshness deadline, or the samples are
        said to be from the future: never show it as live.
    truth : Truth or None
        For a locked window whose marker is in the table of stimuli.
    running : tuple of Running
        The score so far, this decode included, for each protocol that has any.
    delay : float
        How much later the chain lets a wave of 10 Hz out than it went in, in seconds: the
        group delay, summed over its steps. What is seen at `t_end` happened that much before.
    quality : float
        Share of the window's samples that were measured, and not filled in for lost ones.
    latency_ms : dict of str to float
        How long each stage took: ``device`` from the electrode to the sample's timestamp
        where that was measured, ``acquire`` from the newest sample to our receiving it,
        ``queue`` to feeding it, ``decode`` to the decode, and ``total``. The one field that
        feeding the session again does not reproduce.
    revision : int
        Which answer under this `decode_id` it is, from 0; a later one takes its place.
    final : bool
        No later one will come. Only final decodes have a truth and are scored.
    latency : float or None
        End of the window after its marker, in seconds; None for sliding windows.
    n_repeats : int
        Windows with the same `trial_id` that the answer rests on.
    conformal : ConformalSet or None
        Candidates that hold the truth with a promised risk; None where none was asked for, or
        nothing is promised for this model with these candidates.
    """

    decode_id: str
    top: tuple[Ranked, ...]
    n_candidates: int
    calibrated: bool
    candidates_hash: str
    model_id: str
    segment: int
    first: int
    n_times: int
    t_start: float
    t_end: float
    abstained: str = ""
    stale: bool = False
    truth: Truth | None = None
    running: tuple[Running, ...] = ()
    delay: float = 0.0
    quality: float = 1.0
    latency_ms: dict[str, float] | None = None
    candidates_version: int = 1
    revision: int = 0
    final: bool = True
    latency: float | None = None
    n_repeats: int = 1
    conformal: ConformalSet | None = None


@dataclass(frozen=True, slots=True)
class ImagePreview:
    """A picture of a decode: what a generator makes of its latent, and not what was seen.

    Parameters
    ----------
    decode_id : str
        Of the decode.
    revision : int
        Which of its pictures it is, from 0; a later one takes its place.
    kind : str
        ``"generated"``, or ``"retrieved"``: chosen among pictures that there were.
    step, n_steps : int
        Which step of the generator it shows, from 1, and how many there are.
    final : bool
        No finer one will come.
    seed : int
        Of all that is random in it; follows from `decode_id`.
    generator, generator_hash : str
        What made it, and the hash of its weights or its gallery.
    source : str
        Name of what was retrieved, else the generator's.
    width, height : int
        In pixels.
    sha256 : str
        Of the pixels: rows from the top, in each red, green and blue, uint8.
    t_start, t_end : float
        What the decode's window covers, in seconds on the LSL clock.
    t_text : float
        When its text went out.
    file : str or None
        Its name in the session's ``previews/``; None where it is not kept, as coarse ones.
    """

    decode_id: str
    revision: int
    kind: str
    step: int
    n_steps: int
    final: bool
    seed: int
    generator: str
    generator_hash: str
    source: str
    width: int
    height: int
    sha256: str
    t_start: float
    t_end: float
    t_text: float
    file: str | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What betting on the decodes has come to: a test that may be looked at after every trial.

    Parameters
    ----------
    decode_id : str
        The decode that was bet on last; empty if there is no evidence.
    protocol : str
        ``"closed_set"`` or ``"zero_shot"``, as for `Running`; empty if there is no evidence.
    design : str
        The declared randomisation: ``"independent"``, ``"shuffled"``, ``"blocked"`` or
        ``"undeclared"``.
    n : int
        Trials that were bet on.
    log10_e : float
        What a stake of 1 against chance has become, as log10; see `decoder.evidence`.
    log10_e_max : float
        The most that it was. It ever gets beyond ``-log10(alpha)`` in a share `alpha` of
        sessions at most if the signal tells nothing.
    p : float
        The same as a p-value: ``10 ** -log10_e_max``.
    available : bool
        Whether there is evidence.
    reason : str
        Why there is none, in one line.
    over : bool
        Whether there will be none any more in this session; what was said before is withdrawn.
    warning : str
        Why not to believe it, in one line: the order of stimuli is hardly the declared one.
    log10_bets : tuple of float
        What has become of a stake of 1 on each of `decoder.evidence.BETS` alone.
    """

    decode_id: str
    protocol: str
    design: str
    n: int
    log10_e: float
    log10_e_max: float
    p: float
    available: bool = True
    reason: str = ""
    over: bool = False
    warning: str = ""
    log10_bets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class MarkerSeen:
    """A marker arrived. `role` is ``"unknown"`` if the table of stimuli does not list it."""

    marker: Marker
    role: str
    candidate_id: str = ""
    text: str = ""
    glyph: str = ""


@dataclass(frozen=True, slots=True)
class Quality:
    """How the channels are, about once a second and when the operator marks one.

    Parameters
    ----------
    segment, sample : int
        From which raw sample on this holds.
    t : float
        When that was taken, in seconds on the LSL clock.
    ch_names : tuple of str
        The model's channels.
    channels : ChannelQuality
        How each of them was in the second before.
    interpolated : tuple of str
        Channels that others stand in for.
    refused : bool
        More are bad than can be interpolated: windows are withheld.
    impedance : tuple of float or None
        Of each channel, as the amplifier said last, in ohms; None where it is not known, and
        empty if nothing was ever said.
    """

    segment: int
    sample: int
    t: float
    ch_names: tuple[str, ...]
    channels: ChannelQuality
    interpolated: tuple[str, ...]
    refused: bool
    impedance: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class GapFound:
    """Samples were lost."""

    gap: Gap


@dataclass(frozen=True, slots=True)
class GapRevised:
    """More samples were lost than was said, or fewer.

    Parameters
    ----------
    revision : Revision
        How many, and where.
    decode_ids : tuple of str
        The decodes since then: their windows have a hole that was not known, or their samples
        were taken at other times than they say.
    """

    revision: Revision
    decode_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """Something changed its state.

    Parameters
    ----------
    what : str
        ``"source"``, ``"clock"`` (what is odd about its timestamps), ``"recorder"``,
        ``"decoder"``, ``"session"``, ``"candidates"``, ``"model"``, ``"adaptation"``,
        ``"drift"``, ``"preview"``, ``"note"`` or ``"blind"``.
    state : str
        A word or two; see `streaming.signal.SourceState`, and ``"settling"`` and ``"ready"``,
        or of a source ``"ahead"``: its timestamps are from the future. Of the session
        ``"decoding"``, ``"paused"`` or ``"stopped"``; of candidates ``"changed"``; of the
        model ``"swapped"``, ``"rolled back"`` or ``"refused"``; of adaptation ``"started"``,
        ``"stopped"``, ``"shadow"``, ``"swapped"``, ``"rolled back"`` or ``"refused"``; of
        drift ``"alarm"`` or ``"good"``; of previews ``"starting"``, ``"ready"``, ``"failed"``
        or ``"unsaved"``; a note is
        ``"taken"``; blind is ``"on"`` or ``"off"``.
    t : float
        Since when, in seconds on the LSL clock.
    detail : str
        One line for a person.
    """

    what: str
    state: str
    t: float
    detail: str


@dataclass(frozen=True, slots=True)
class Overrun:
    """Decoding was too slow: `n_times` samples were recorded but not decoded."""

    n_times: int
    t: float


@dataclass(frozen=True, slots=True)
class Latency:
    """How the service keeps up.

    Parameters
    ----------
    stages : dict of str to tuple of float
        Latency of the last decodes in milliseconds: stage -> (p50, p95, p99).
        ``preview_first`` and ``preview`` are of the last pictures: from a decode's text to its
        first picture, and to its final one.
    n_decodes, gaps, drops : int
        So far: decodes, stretches lost before us, and samples dropped by us.
    previews : dict of str to int
        What became of the decodes that were to be pictured: ``made``, ``cancelled``, ``late``
        or ``failed``; empty if none is to be.
    """

    stages: dict[str, tuple[float, float, float]]
    n_decodes: int
    gaps: int
    drops: int
    previews: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """A stretch of the signal for a page to draw; ephemeral, never logged.

    Parameters
    ----------
    data : array of shape (n_channels, n_times)
        Filtered samples, in SI units, or in units of the running scale after scaling.
    """

    data: NDArray[np.float32]
    t0: float
    sfreq: float


@dataclass(frozen=True, slots=True, eq=False)
class LatentMade:
    """Where a window lies in the embedding space; ephemeral, never logged.

    Parameters
    ----------
    decode_id : str
        Of the decode that was made of it.
    vector : array of shape (n_dims,)
        Coordinates in `space`, not normalised.
    space : str
        Name of the embedding space.
    model_id : str
        Hash of the model that made it.
    t_end : float
        When the newest sample it was made from was taken, in seconds on the LSL clock.
    revision : int
        Which of the answers under its `decode_id` it was made for.
    data : array of shape (n_channels, n_times) or None
        The window; for what learns from it, and never sent.
    recentred : bool
        Whether the mean of those before was taken off.
    """

    decode_id: str
    vector: NDArray[np.float32]
    space: str
    model_id: str
    t_end: float
    revision: int = 0
    data: NDArray[np.float32] | None = None
    recentred: bool = False


Event = (
    TextDecoded
    | Evidence
    | ImagePreview
    | MarkerSeen
    | Quality
    | GapFound
    | GapRevised
    | State
    | Overrun
    | Latency
    | Signal
    | LatentMade
)
