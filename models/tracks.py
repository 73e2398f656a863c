"""Continuous tracks: what goes on all the time, such as the loudness of speech.

A track is a channel of the recording, or a file: a WAV, whose envelope or whose features in a
speech network are taken, or an array (.npy) with its rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.media import read_wav
from models.spaces import PretrainedSpace, open_space
from streaming.errors import ConfigError, RecordingError
from streaming.signal import Chunk

__all__ = ["ChannelTrack", "FileTrack", "Track", "envelope", "open_track"]

_ENVELOPE_SFREQ = 128.0
_COMPRESSION = 0.6  # loudness grows as this power of amplitude (Biesmans et al. 2017)
_MAX_FEATURES = 16
"""Principal components kept of a speech network's layer."""


@dataclass(frozen=True, slots=True)
class ChannelTrack:
    """Channels of the recording itself.

    Parameters
    ----------
    ch_names : tuple of str
        Which.
    """

    ch_names: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is called."""
        return "+".join(self.ch_names)

    @property
    def n_features(self) -> int:
        """Number of values at each moment."""
        return len(self.ch_names)

    def during(self, chunk: Chunk, onsets: Sequence[float]) -> NDArray[np.float32]:  # noqa: ARG002
        """Return the track in a chunk, of shape (n_features, n_times)."""
        rows = [chunk.spec.ch_names.index(name) for name in self.ch_names]
        return chunk.data[rows]


@dataclass(frozen=True, slots=True, eq=False)
class FileTrack:
    """A file that was played, or what was computed of it.

    Parameters
    ----------
    name : str
        What it is called.
    values : array of shape (n_features, n_times)
        The track.
    sfreq : float
        Its rate, in Hz.
    """

    name: str
    values: NDArray[np.float32]
    sfreq: float

    @property
    def n_features(self) -> int:
        """Number of values at each moment."""
        return len(self.values)

    @property
    def duration(self) -> float:
        """How long it is, in seconds."""
        return float(self.values.shape[1] / self.sfreq)

    def during(self, chunk: Chunk, onsets: Sequence[float]) -> NDArray[np.float32]:
        """Return the track in a chunk, of shape (n_features, n_times).

        Parameters
        ----------
        chunk : Chunk
            Samples of the recording.
        onsets : sequence of float
            When it began to play, on the clock of the chunk and rising; each time from its
            start. Where it does not play, it is as at its ends.
        """
        t = chunk.t0 + np.arange(chunk.n_times) / chunk.spec.sfreq
        began = np.asarray(onsets)[np.maximum(np.searchsorted(onsets, t, "right") - 1, 0)]
        at = (t - began) * self.sfreq - 0.5  # a value stands for the middle of its interval
        times = np.arange(self.values.shape[1])
        return np.stack([np.interp(at, times, row) for row in self.values]).astype(np.float32)


Track = ChannelTrack | FileTrack


def open_track(
    name: str,
    ch_names: tuple[str, ...],
    *,
    rate: float | None = None,
    space: str = "",
) -> Track:
    """Find a track by its name.

    Parameters
    ----------
    name : str
        A channel of the recording, or the path of a ``.wav`` or ``.npy`` file. An array has
        shape (n_times,) or (n_times, n_features).
    ch_names : tuple of str
        The recording's channels.
    rate : float, optional
        Of a ``.npy`` file, in Hz.
    space : str
        A ``wav2vec2:`` space, to take features of its layer in place of the envelope of a WAV.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    if name in ch_names:
        return ChannelTrack((name,))
    path = Path(name)
    suffix = path.suffix.lower()
    if suffix not in {".wav", ".npy"}:
        some = ", ".join(ch_names[:20]) + (", ..." if len(ch_names) > 20 else "")
        msg = (
            f"there is no channel {name!r}, and it is no .wav or .npy file; the recording's "
            f"channels are {some}"
        )
        raise RecordingError(msg)
    if suffix == ".npy":
        return FileTrack(path.name, _read_array(path, rate), rate or 1.0)
    samples, sfreq = read_wav(path)
    if not space:
        return FileTrack(path.name, envelope(samples, sfreq)[None], _ENVELOPE_SFREQ)
    opened = open_space(space)
    if not isinstance(opened, PretrainedSpace):
        msg = f"space {space!r} gives no features of sound; use a wav2vec2 space"
        raise ConfigError(msg)
    series, series_rate = opened.series(samples, sfreq)
    return FileTrack(path.name, _principal(series).T.copy(), series_rate)


def envelope(samples: NDArray[np.float32], sfreq: float) -> NDArray[np.float32]:
    """Return the loudness of a sound, 128 times a second.

    The root mean square in each interval, to the power 0.6, of shape (n_times,).

    Parameters
    ----------
    samples : array of shape (n_samples,)
        Sound.
    sfreq : float
        Its rate, in Hz.
    """
    edges = np.round(
        np.arange(int(len(samples) / sfreq * _ENVELOPE_SFREQ) + 1) * sfreq / _ENVELOPE_SFREQ
    ).astype(int)
    if len(edges) < 2:
        msg = f"the sound lasts {len(samples) / sfreq:.3f} s; a track needs seconds of it"
        raise ConfigError(msg)
    power = (
        np.add.reduceat(samples.astype(np.float64) ** 2, edges[:-1])
        / np.diff(edges, append=len(samples))[: len(edges) - 1]
    )
    return np.asarray(np.sqrt(power) ** _COMPRESSION, dtype=np.float32)


def _read_array(path: Path, rate: float | None) -> NDArray[np.float32]:
    """Read a feature series as (n_features, n_times)."""
    if rate is None or rate <= 0:
        msg = f"{path} does not say its rate; add --track-rate, in Hz"
        raise ConfigError(msg)
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        msg = f"{path} is no array that can be read ({error}); save it with numpy.save"
        raise ConfigError(msg) from error
    if values.ndim not in {1, 2} or values.dtype.kind not in "fiu" or not len(values):
        msg = (
            f"{path} has shape {values.shape} and type {values.dtype}; a track has shape "
            "(n_times,) or (n_times, n_features)"
        )
        raise ConfigError(msg)
    if not np.isfinite(values).all():
        msg = f"{path} has values that are not finite; fill them"
        raise ConfigError(msg)
    return np.ascontiguousarray(values.reshape(len(values), -1).T, dtype=np.float32)


def _principal(series: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the strongest principal components of a series (n_times, n_features)."""
    centred = series.astype(np.float64) - series.mean(axis=0, dtype=np.float64)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ vectors[:, ::-1][:, :_MAX_FEATURES], dtype=np.float32)
