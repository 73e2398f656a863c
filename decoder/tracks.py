"""Which continuous track recordings go with, and their windows and stretches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.candidates import Candidates
from models.dataset import Dataset, MakeChain
from models.stretches import read_stretches, track_chain
from models.tracks import open_track
from streaming.errors import ConfigError
from streaming.sources.opening import open_recording

__all__ = ["TrackSettings", "read_track"]


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
    source = open_recording(recordings[0], unit=unit)
    ch_names = source.spec.ch_names
    source.close()
    tracks = [
        open_track(name, ch_names, rate=settings.rate, space=space) for name in settings.names
    ]
    if len(tracks) not in {1, len(recordings)}:
        msg = (
            f"there are {len(tracks)} tracks for {len(recordings)} recordings; name one for "
            "all, or one for each in their order"
        )
        raise ConfigError(msg)
    return read_stretches(
        recordings,
        tracks * len(recordings) if len(tracks) == 1 else tracks,
        make_chain,
        duration=settings.stretch,
        onset=settings.onset,
        hop=hop,
        picks=picks,
        drop=drop,
        unit=unit,
        progress=progress,
    )
