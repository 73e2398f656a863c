from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.heard import Heard, hear
from models.stretches import track_chain
from models.tracks import ChannelTrack, FileTrack
from streaming.errors import RecordingError
from streaming.signal import SignalSpec
from streaming.sources.recording import RecordingSource
from tests.models.listener import loudness, save_listener

SFREQ = 64.0


def heard(path: Path, track: ChannelTrack | FileTrack, onset: str = "") -> Heard:
    source = RecordingSource(path)
    chain = track_chain(SignalSpec(SFREQ, tuple(f"E{n}" for n in range(8))))
    chain.prepare(source.spec)
    try:
        return hear(path, source, track, chain, onset)
    finally:
        source.close()


def test_a_file_at_its_onset_is_what_a_channel_holds(tmp_path: Path) -> None:
    """Up to interpolation by half a sample, and the end before the onset."""
    track = loudness(30, SFREQ)
    path = save_listener(tmp_path / "a_raw.fif", track, SFREQ, onset=10.0)
    file = FileTrack("story", track[None].astype(np.float32), SFREQ)
    played, channel = heard(path, file, "play"), heard(path, ChannelTrack(("env",)))
    a = np.concatenate([chunk.data[0] for chunk, _ in played.chunks])
    b = np.concatenate([chunk.data[0] for chunk, _ in channel.chunks])
    here = slice(round(15 * SFREQ), round(39 * SFREQ))
    assert np.corrcoef(a[here], b[here])[0, 1] > 0.8
    (play,) = played.plays
    assert (play.start, play.stop, play.t) == (640, 640 + len(track), 0.0)
    assert played.seconds == pytest.approx(30)
    (whole,) = channel.plays
    assert whole.t == pytest.approx(whole.start / SFREQ)
    assert whole.start >= 2 * SFREQ  # filters settle


def test_a_flat_track_or_one_that_never_begins_is_refused(tmp_path: Path) -> None:
    path = save_listener(tmp_path / "a_raw.fif", np.zeros(1280), SFREQ, snr=0)
    with pytest.raises(RecordingError, match="the track env is flat; name another channel"):
        heard(path, ChannelTrack(("env",)))
    with pytest.raises(RecordingError, match="has no marker 'go' at which the track begins"):
        heard(path, ChannelTrack(("env",)), "go")
