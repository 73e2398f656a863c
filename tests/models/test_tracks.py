from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.tracks import ChannelTrack, FileTrack, envelope, open_track
from streaming.errors import ConfigError, RecordingError
from streaming.signal import Chunk, SignalSpec
from tests.models.pretrained import save_bert, save_wav, save_wav2vec2

SPEC = SignalSpec(100.0, ("Cz", "env"))
CHUNK = Chunk(np.arange(400, dtype=np.float32).reshape(2, 200), SPEC, 0, 100)


def test_a_channel_is_a_track() -> None:
    track = open_track("env", SPEC.ch_names)
    assert isinstance(track, ChannelTrack)
    np.testing.assert_array_equal(track.during(CHUNK, [0.0]), CHUNK.data[1:])
    assert (track.name, track.n_features) == ("env", 1)


def test_an_array_is_a_track_with_its_rate(tmp_path: Path) -> None:
    path = tmp_path / "words.npy"
    np.save(path, np.arange(100).reshape(50, 2))
    track = open_track(str(path), SPEC.ch_names, rate=10.0)
    assert isinstance(track, FileTrack)
    assert (track.name, track.n_features, track.duration) == ("words.npy", 2, 5.0)
    during = track.during(CHUNK, [1.05])  # at 1.05 s and 0.05 s further, the first value
    assert during.shape == (2, 200)
    assert during[0, 10] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(during[:, 110], [20, 21])
    np.testing.assert_allclose(during[:, 20], [2, 3])
    again = track.during(CHUNK, [1.05, 2.05])
    np.testing.assert_allclose(again[:, 120], during[:, 20])


def test_a_sound_has_an_envelope(tmp_path: Path) -> None:
    t = np.arange(16_000 * 4) / 16_000
    loudness = 0.5 + 0.4 * np.sin(2 * np.pi * 2 * t)
    sound = loudness * np.random.default_rng(0).uniform(-1, 1, len(t))
    track = open_track(str(save_wav(tmp_path / "s.wav", sound)), ())
    assert isinstance(track, FileTrack)
    assert track.duration == 4
    expected = loudness.reshape(-1, 125).mean(axis=1) ** 0.6
    assert np.corrcoef(track.values[0], expected)[0, 1] > 0.97
    constant = envelope(np.full(44_100, 0.25, np.float32), 44_100)
    np.testing.assert_allclose(constant, 0.25**0.6, rtol=1e-6)
    assert len(constant) == 128


def test_a_speech_network_gives_features(tmp_path: Path) -> None:
    folder = save_wav2vec2(tmp_path)
    sound = 0.1 * np.random.default_rng(0).standard_normal(32_000)
    wav = str(save_wav(tmp_path / "s.wav", sound))
    track = open_track(wav, (), space=f"wav2vec2:{folder}@2")
    assert isinstance(track, FileTrack)
    assert track.values.shape == (16, 100)
    assert track.sfreq == 50
    (bert := tmp_path / "bert").mkdir()
    with pytest.raises(ConfigError, match="embeds text, not audio; use"):
        open_track(wav, (), space=f"sentence:{save_bert(bert)}")
    with pytest.raises(ConfigError, match="no features of sound; use a wav2vec2 space"):
        open_track(wav, (), space="labels")


def test_what_is_no_track_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"no channel 'envelop', .* channels are Cz, env"):
        open_track("envelop", SPEC.ch_names)
    np.save(tmp_path / "t.npy", np.zeros((2, 2, 2)))
    for values, message in (
        (np.zeros((2, 2, 2)), r"a track has shape \(n_times,\)"),
        (np.array([1.0, np.nan]), "not finite; fill them"),
    ):
        np.save(tmp_path / "t.npy", values)
        with pytest.raises(ConfigError, match=message):
            open_track(str(tmp_path / "t.npy"), (), rate=1.0)
    with pytest.raises(ConfigError, match="does not say its rate; add --track-rate"):
        open_track(str(tmp_path / "t.npy"), ())
    (tmp_path / "t.npy").write_bytes(b"text")
    with pytest.raises(ConfigError, match="is no array that can be read"):
        open_track(str(tmp_path / "t.npy"), (), rate=1.0)
    with pytest.raises(ConfigError, match=r"lasts 0.001 s; a track needs seconds"):
        envelope(np.zeros(16, np.float32), 16_000)
