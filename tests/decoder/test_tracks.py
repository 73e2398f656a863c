from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest

from decoder.events import TextDecoded
from decoder.fitting import FitSettings, fit_recordings
from decoder.session import Session
from decoder.tracks import TrackSettings
from models.checkpoint import load_model
from streaming.errors import ConfigError
from streaming.signal import Chunk, SignalSpec
from streaming.window import SlidingWindows
from tests.models.listener import loudness, save_listener


def test_a_track_is_fitted_scored_and_decoded_live(tmp_path: Path) -> None:
    """Each second the decoder says which stretch is heard, of 16 that begin in each."""
    path = save_listener(tmp_path / "a_raw.fif", loudness(120, 64.0), 64.0, snr=1.0)
    settings = FitSettings(track=TrackSettings(names=("env",), stretch=3.0), hop=1.0)
    fitted = fit_recordings([path], tmp_path / "m", settings)
    model, evaluation = fitted.model, fitted.evaluation
    assert evaluation.protocol == "zero_shot"
    assert evaluation.pairwise.value > 0.9
    assert evaluation.p_value is not None
    assert evaluation.p_value < 0.01
    saved = load_model(tmp_path / "m")
    assert saved.model_id == model.model_id
    assert isinstance(saved.windowing, SlidingWindows)
    assert saved.windowing.hop == 1.0
    raw = mne.io.read_raw(path, verbose="error")
    spec = SignalSpec.from_info(raw.info)
    session = Session(saved, spec, "S")
    raw.close()
    events = session.feed(Chunk(raw.get_data().astype(np.float32), spec), 200.0)
    decoded = [e for e in events if isinstance(e, TextDecoded) and e.top and e.t_start < 110]
    right = [abs(float(e.top[0].id.split("-")[0]) - e.t_start) < 0.1 for e in decoded]
    assert len(decoded) > 90
    assert np.mean(right) > 0.9


def test_a_recording_of_a_deaf_listener_has_no_verdict_above_chance(tmp_path: Path) -> None:
    path = save_listener(tmp_path / "a_raw.fif", loudness(120, 64.0), 64.0, snr=0)
    settings = FitSettings(track=TrackSettings(names=("env",)))
    fitted = fit_recordings([path], tmp_path / "m", settings)
    evaluation = fitted.evaluation
    assert evaluation.verdict == "not above chance"
    twice = TrackSettings(names=("env", "env"))
    with pytest.raises(ConfigError, match="2 tracks for 1 recordings; name one for all"):
        fit_recordings([path], tmp_path / "n", FitSettings(track=twice))
    with pytest.raises(ConfigError, match=r"0.5 to 60 s, got --stretch 90"):
        TrackSettings(names=("env",), stretch=90)
    with pytest.raises(ConfigError, match="belong to a track: add --track"):
        TrackSettings(names=())
