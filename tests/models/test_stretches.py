from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest
from numpy.typing import NDArray

from models.candidates import Candidates
from models.dataset import Dataset
from models.fit import fit_model
from models.heldout import HeldOut
from models.stretches import read_stretches, track_chain
from models.track_encoder import TrackEncoder
from models.tracks import ChannelTrack, FileTrack, Track
from streaming.errors import RecordingError
from tests.models.listener import LAG, loudness, save_listener

SFREQ = 64.0
ENV = ChannelTrack(("env",))


def read(path: Path, track: Track = ENV, **options: object) -> tuple[Dataset, Candidates]:
    found = read_stretches([path], [track], track_chain, **options)  # type: ignore[arg-type]
    return found[0], found[1]


def beaten(held_out: HeldOut) -> NDArray[np.float64]:
    """Share of the other stretches that the truth beats."""
    pools = held_out.pools[held_out.fold]
    own = held_out.similarity[np.arange(len(pools)), held_out.truth]
    won = ((held_out.similarity < own[:, None]) & pools).sum(axis=1)
    return np.asarray(won / (pools.sum(axis=1) - 1))


def test_what_was_heard_is_told_and_how_long_the_brain_took(tmp_path: Path) -> None:
    path = save_listener(tmp_path / "a_raw.fif", loudness(200, SFREQ), SFREQ, snr=0.3)
    dataset, candidates = read(path, duration=2.5)
    fitted = fit_model(dataset, candidates, encoder="track")
    assert fitted.held_out.protocol == "zero_shot"
    assert beaten(fitted.held_out).mean() > 0.9
    encoder = fitted.model.encoder
    assert isinstance(encoder, TrackEncoder)
    lag = np.abs(encoder.coef[0]).sum(axis=0).argmax() * encoder.step / SFREQ
    assert lag == pytest.approx(LAG, abs=encoder.step / SFREQ)


def test_a_deaf_listener_is_at_chance(tmp_path: Path) -> None:
    """Over recordings, so that luck averages out: each has a standard error of .06."""
    shares = []
    for seed in range(3):
        path = tmp_path / "a_raw.fif"
        save_listener(path, loudness(90, SFREQ, seed), SFREQ, snr=0, seed=seed)
        shares.append(beaten(fit_model(*read(path), encoder="track").held_out).mean())
    assert abs(np.mean(shares) - 0.5) < 3 * 0.06 / np.sqrt(3)


def test_a_stretch_that_began_elsewhere_is_at_chance(tmp_path: Path) -> None:
    track = loudness(200, SFREQ)
    path = save_listener(tmp_path / "a_raw.fif", track, SFREQ, onset=7.3, kept=False)
    file = FileTrack("story", track[None].astype(np.float32), SFREQ)
    right, wrong = read(path, file, onset="play"), read(path, file)
    assert right[1].ids[0] == "story 0.00-3.00 s"
    assert beaten(fit_model(*right, encoder="track").held_out).mean() > 0.9
    assert abs(beaten(fit_model(*wrong, encoder="track").held_out).mean() - 0.5) < 0.2


def test_blocks_are_contiguous_and_kept_apart(tmp_path: Path) -> None:
    path = save_listener(tmp_path / "a_raw.fif", loudness(120, SFREQ), SFREQ)
    dataset, candidates = read(path)
    assert (np.diff(dataset.groups) >= 0).all()
    assert len(np.unique(dataset.groups)) == 5
    assert len(candidates) == len(dataset) == 60  # of 2 s, as there are not 60 of 3 s
    np.testing.assert_allclose(np.diff(dataset.t), dataset.t[1] - dataset.t[0], atol=0.01)
    assert dataset.t[0] >= dataset.settling
    assert fit_model(dataset, candidates, encoder="track").held_out.n_purged > 0


def test_a_repeat_is_the_same_candidate(tmp_path: Path) -> None:
    track = loudness(60, SFREQ)
    path = save_listener(tmp_path / "a_raw.fif", np.tile(track, 3), SFREQ, snr=0.5, kept=False)
    raw = mne.io.read_raw(path, preload=True, verbose="error")
    raw.set_annotations(mne.Annotations([0, 60, 120], 0, ["play"] * 3))
    raw.save(path, overwrite=True, verbose="error")
    file = FileTrack("story", track[None].astype(np.float32), SFREQ)
    dataset, candidates = read(path, file, onset="play", duration=3.0)
    _, counts = np.unique(dataset.ids, return_counts=True)
    assert len(candidates) == 20
    assert sorted(set(counts)) == [2, 3]  # while filters settled, once
    held_out = fit_model(dataset, candidates, encoder="track", protocol="zero_shot").held_out
    assert beaten(held_out).mean() > 0.9


def test_silence_is_left_out(tmp_path: Path) -> None:
    track = loudness(150, SFREQ)
    track[: round(40 * SFREQ)] = track.mean()
    path = save_listener(tmp_path / "a_raw.fif", track, SFREQ)
    dataset, _ = read(path, duration=2.0)
    assert 36 < dataset.t.min() < 44  # but for what the filter makes of its end
    flat = save_listener(tmp_path / "b_raw.fif", np.zeros(6400), SFREQ, snr=0)
    with pytest.raises(RecordingError, match="the track env is flat; name another"):
        read(flat)


def test_a_live_decoder_chooses_from_more(tmp_path: Path) -> None:
    path = save_listener(tmp_path / "a_raw.fif", loudness(60, SFREQ), SFREQ)
    _, tiles, live = read_stretches([path], [ENV], track_chain, hop=1.0)
    assert len(tiles) in {59, 60}
    assert len(live) == pytest.approx(16 * 60, abs=32)


def test_two_recordings_with_the_same_channel_differ(tmp_path: Path) -> None:
    paths = [
        save_listener(tmp_path / f"{n}_raw.fif", loudness(60, SFREQ, n), SFREQ, seed=n)
        for n in range(2)
    ]
    dataset, candidates, _ = read_stretches(paths, [ENV, ENV], track_chain)
    assert len(candidates) >= len(dataset) - 1  # the silence at the ends is alike
    assert len(np.unique(dataset.groups)) == 6
    assert candidates.ids[0].startswith("0_raw ")


def test_too_little_of_a_track_is_refused(tmp_path: Path) -> None:
    path = save_listener(tmp_path / "a_raw.fif", loudness(20, SFREQ), SFREQ)
    with pytest.raises(RecordingError, match=r"gives 4 stretches of 5 s of track; record lon"):
        read(path, duration=5.0)
    with pytest.raises(RecordingError, match="has no marker 'start' at which the track begins"):
        read(path, onset="start")
    with pytest.raises(RecordingError, match="has no meg channel beside the track"):
        read(path, picks="meg")


def test_stretches_do_not_span_a_gap(tmp_path: Path) -> None:
    path = save_listener(tmp_path / "a_raw.fif", loudness(120, SFREQ), SFREQ, snr=0.5)
    raw = mne.io.read_raw(path, preload=True, verbose="error")
    raw.set_annotations(mne.Annotations([50.0], [6.0], ["BAD_ACQ_SKIP"]))
    raw.save(tmp_path / "b_raw.fif", verbose="error")
    dataset, candidates = read(tmp_path / "b_raw.fif", duration=2.0)
    length = dataset.windowing.tmax
    assert not ((dataset.t + length > 50.05) & (dataset.t < 55.95)).any()
    assert dataset.t.max() > 100
    labels = [float(name.split("-")[0]) for name in candidates.ids]
    assert labels == sorted(labels)
    np.testing.assert_allclose(labels[:5], dataset.t[:5], atol=0.03)
    assert beaten(fit_model(dataset, candidates, encoder="track").held_out).mean() > 0.9
