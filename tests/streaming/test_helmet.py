from __future__ import annotations

import mne
import numpy as np
import pytest
from scipy.signal import welch

from streaming.errors import ConfigError
from streaming.signal import Chunk, SignalSpec
from streaming.sources.helmet import HELMET, ShieldedRoom, helmet_info, magnetic_field
from streaming.sources.simulated import SimulatedSettings, SimulatedSource, simulate_recording

CONCEPTS = tuple(f"thing-{n}" for n in range(40))
EMBEDDINGS = np.random.default_rng(0).standard_normal((40, 16)).astype(np.float32)
MEG = SimulatedSettings(meg=True, n_channels=306, sfreq=1000.0)
SLOW = SimulatedSettings(meg=True, n_channels=306, sfreq=250.0)
MAG, GRAD = slice(0, None, 3), np.arange(306) % 3 > 0


def test_the_helmet_is_around_the_head() -> None:
    info = helmet_info(1000.0)
    assert SignalSpec.from_info(info) == MEG.spec
    assert (info.get_channel_types().count("mag"), len(info["chs"])) == (102, 306)
    loc = np.array([c["loc"] for c in info["chs"]])
    np.testing.assert_allclose(np.linalg.norm(loc[:, :3], axis=1), 0.12)
    axes = loc[:, 3:].reshape(-1, 3, 3)
    np.testing.assert_allclose(
        axes @ axes.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (306, 3, 3)), atol=1e-6
    )
    places = loc[MAG, :3]
    distance = np.linalg.norm(places[:, None] - places, axis=-1) + np.eye(102)
    assert distance.min() > 0.015  # no two places are the same, and none lie in each other
    assert mne.pick_types(info, meg="planar1").size == 102
    by_name = dict(zip(HELMET.ch_names, loc[:, :3], strict=True))
    assert by_name["MEG0111"][0] < 0 < by_name["MEG1411"][0]  # left, right
    assert by_name["MEG2111"][1] < 0 < by_name["MEG0521"][1]  # back, front


def test_a_source_is_strongest_near_it_and_silent_along_the_radius() -> None:
    place = np.array([[0.0, -0.6, 0.3]])
    field = magnetic_field(place, np.array([[1.0, 0.0, 0.0]]))
    assert np.sqrt((field[MAG] ** 2).mean()) == pytest.approx(2e-8)
    loc = np.array([c["loc"][:3] for c in helmet_info(1000.0)["chs"]])
    assert loc[np.argmax(np.abs(field[MAG])) * 3, 1] < 0
    # planar gradiometers are strongest above a source, magnetometers beside it
    grads = np.flatnonzero(GRAD)
    strongest = loc[grads[np.argmax(np.abs(field[GRAD]))]]
    toward = place[0] / np.linalg.norm(place)
    assert strongest @ toward / 0.12 > 0.95
    # tesla per metre follow from tesla: the field changes over some 6 cm
    ratio = np.abs(field[GRAD]).max() / np.abs(field[MAG]).max()
    assert 5 < ratio < 50


def test_gradiometers_measure_how_the_radial_field_changes() -> None:
    rng = np.random.default_rng(1)
    moments = rng.standard_normal((8, 3))
    places = 0.5 * moments[::-1] / np.linalg.norm(moments, axis=1, keepdims=True)
    field = magnetic_field(places, moments)
    loc = np.array([c["loc"] for c in helmet_info(1000.0)["chs"]])
    tangent = loc[:, 3:6]
    # from each magnetometer to its neighbours, the field changes as its gradients say
    errors, sizes = [], []
    for n in range(0, 306, 3):
        steps = loc[MAG, :3] - loc[n, :3]
        near = np.argsort(np.linalg.norm(steps, axis=1))[1:3]
        for m in near:
            along = np.array([steps[m] @ tangent[n + 1], steps[m] @ tangent[n + 2]])
            middle = (field[n + 1 : n + 3] + field[3 * m + 1 : 3 * m + 3]) / 2
            errors.append(field[3 * m] - field[n] - along @ middle)
            sizes.append(field[3 * m] - field[n])
    assert np.sqrt(np.mean(np.square(errors)) / np.mean(np.square(sizes))) < 0.5


def test_the_room_is_as_loud_as_stated() -> None:
    rng = np.random.default_rng(0)
    room = ShieldedRoom(306, 1000.0, rng)
    data = np.hstack([room(np.arange(n, n + 50), rng) for n in range(0, 10_000, 50)])
    freqs, power = welch(data - data.mean(axis=1, keepdims=True), 1000.0, nperseg=2000)
    density = np.sqrt(power[:, (freqs > 200) & (freqs < 400)].mean(axis=1))
    np.testing.assert_allclose(density[MAG], 3e-15, rtol=0.1)  # 3 fT
    np.testing.assert_allclose(density[GRAD], 3e-13, rtol=0.1)  # 3 fT/cm
    line = np.sqrt(power[MAG][:, np.abs(freqs - 50) <= 1].sum(axis=1) * freqs[1])
    assert 1e-13 < np.median(line) < 1e-12


def test_the_size_of_chunks_changes_nothing() -> None:
    def read(size: int) -> np.ndarray:
        source = SimulatedSource(CONCEPTS, EMBEDDINGS, SLOW, n_trials=1, chunk_size=size)
        parts = []
        while (item := source.read(0)) is not None:
            if isinstance(item, Chunk):
                parts.append(item.data)
        return np.concatenate(parts, axis=1)

    np.testing.assert_array_equal(read(1000), read(33))


def test_a_recording_is_in_tesla_with_the_helmet() -> None:
    raw = simulate_recording(CONCEPTS, EMBEDDINGS, SLOW, n_trials=3)
    assert raw.info["chs"][0]["coil_type"] == 3024
    data = raw.get_data()
    data -= data.mean(axis=1, keepdims=True)
    assert 5e-13 < np.median(data[MAG].std(axis=1)) < 1e-11
    assert 5e-13 < np.median(data[GRAD].std(axis=1)) < 1e-10
    assert len(raw.annotations) == 3


def test_a_helmet_has_306_sensors() -> None:
    with pytest.raises(ConfigError, match="306 sensors, got 32"):
        SimulatedSettings(meg=True)
