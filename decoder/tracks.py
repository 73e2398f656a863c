"""Which continuous track recordings go with, and their windows and stretches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.candidates import Candidates
from models.checkpoint import Model
from models.dataset import Dataset, MakeChain, check_rate
from models.stretches import read_stretches, recurring, track_chain
from models.track_encoder import TrackEncoder
from models.tracks import Track, open_track
from streaming.errors import ConfigError
from streaming.sources.opening import open_recording

__all__ = ["TrackSettings", "read_heard", "read_track"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSettings:
    """What went on all the time.

    Parameters
    ----------
    names : tuple of str
        A channel of the recording, a ``.wav`` or a ``.npy`` file: one for all recordings, or
        one for each.
    rate : float or None
        Of a ``.npy`` file, in Hz.
    onset : str
        Label of the marker at which a file begins to play; the recording's start if empty.
    stretch : float or None
        Seconds of the track to recognise at once; see `models.stretches.DURATIONS`.
    """

    names: tuple[str, ...]
    rate: float | None = None
    onset: str = ""
    stretch: float | None = None

    def __post_init__(self) -> None:
        """Refuse no track, and stretches that nobody can tell apart or wait for."""
        if not self.names:
            msg = "--track-rate, --track-onset and --stretch belong to a track: add --track"
            raise ConfigError(msg)
        if self.stretch is not None and not 0.5 <= self.stretch <= 60:
            msg = f"a stretch of a track lasts 0.5 to 60 s, got --stretch {self.stretch:g}"
            raise ConfigError(msg)


def read_track(  # noqa: PLR0913 - what a fit asks for
    recordings: Sequence[Path],
    settings: TrackSettings,
    make_chain: MakeChain = track_chain,
    *,
    space: str,
    hop: float | None,
    picks: str,
    drop: Sequence[str],
    unit: str | None,
    progress: Callable[[float], None],
) -> tuple[Dataset, Candidates, Candidates]:
    """Return windows, the stretches they choose from, and those to choose from when live.

    Parameters
    ----------
    recordings : sequence of Path
        Runs of one person.
    settings : TrackSettings
        What went on.
    make_chain : callable
        Returns the chain; `models.stretches.track_chain`, if not given.
    space : str
        A ``wav2vec2:`` space, or empty for the envelope.
    hop, picks, drop, unit, progress
        As for `models.stretches.read_stretches`.
    """
    tracks = _tracks(recordings, settings, space, unit)
    return read_stretches(
        recordings,
        tracks,
        make_chain,
        duration=settings.stretch,
        onset=settings.onset,
        hop=hop,
        picks=picks,
        drop=drop,
        unit=unit,
        progress=progress,
    )


def read_heard(
    model: Model,
    recordings: Sequence[Path],
    settings: TrackSettings,
    *,
    unit: str | None,
    progress: Callable[[float], None],
) -> tuple[Dataset, Candidates]:
    """Return windows of other recordings for a model, and the stretches of their track.

    Parameters
    ----------
    model : Model
        Fitted to a track; its stretches are as long, and its chain is the same.
    recordings : sequence of Path
        That it was not fitted to.
    settings : TrackSettings
        What went on in them.
    unit, progress
        As for `models.stretches.read_stretches`.

    Returns
    -------
    Dataset
        A window for each stretch; each recording is a run.
    Candidates
        Its stretches; those that the model was trained on too are ``trained``.

    Raises
    ------
    ConfigError
        If the track has other features than the model's.
    RecordingError
        If a recording has another rate.
    """
    encoder = model.encoder
    if not isinstance(encoder, TrackEncoder):
        msg = "--track: the model was not fitted to a track; leave it out"
        raise ConfigError(msg)
    tracks = _tracks(recordings, settings, "", unit)
    n_features = len(encoder.coef)
    for path, track in zip(recordings, tracks, strict=True):
        with closing(open_recording(path, unit=unit)) as source:
            check_rate(path, source.spec.sfreq, model.spec.sfreq)
        if track.n_features != n_features:
            msg = (
                f"the track {track.name} has {track.n_features} features, and the model was "
                f"fitted to {n_features}; name one of the same kind (components of wav2vec2 "
                "are of one file alone)"
            )
            raise ConfigError(msg)
    sfreq = model.chain().prepare(model.spec).sfreq
    dataset, candidates, _ = read_stretches(
        recordings,
        tracks,
        lambda _spec, _info: model.chain(),
        duration=encoder.n_bins * encoder.step / sfreq,
        onset=settings.onset,
        picks="eeg" if "eeg" in model.spec.ch_types else "meg",
        unit=unit,
        progress=progress,
    )
    known = model.candidates.vectors[np.array(model.candidates.trained)]
    again = recurring(candidates.vectors, known)
    candidates = replace(candidates, trained=tuple(again.tolist()))
    return replace(dataset, groups=dataset.files), candidates


def _tracks(
    recordings: Sequence[Path], settings: TrackSettings, space: str, unit: str | None
) -> list[Track]:
    """Return the track of each recording."""
    with closing(open_recording(recordings[0], unit=unit)) as source:
        ch_names = source.spec.ch_names
    tracks = [
        open_track(name, ch_names, rate=settings.rate, space=space) for name in settings.names
    ]
    if len(tracks) not in {1, len(recordings)}:
        msg = (
            f"there are {len(tracks)} tracks for {len(recordings)} recordings; name one for "
            "all, or one for each in their order"
        )
        raise ConfigError(msg)
    return tracks * len(recordings) if len(tracks) == 1 else tracks
