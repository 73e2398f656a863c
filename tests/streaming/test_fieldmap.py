"""Bad MEG sensors follow from good ones."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import mne
import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.chain import Chain, standard_chain
from streaming.errors import ConfigError
from streaming.fieldmap import N_COIL, coils_of, field_basis, field_interpolation
from streaming.signal import Chunk, SignalSpec
from streaming.sources.helmet import HELMET, helmet_info, magnetic_field
from streaming.watch import Watch, WatchSettings

INFO = helmet_info(250.0)
COILS = coils_of(HELMET.ch_names, INFO)
SPEC = SignalSpec(250.0, HELMET.ch_names, HELMET.ch_types)
MAGS = np.arange(0, 306, 3)


@cache
def brain(n_dipoles: int = 100) -> NDArray[np.float64]:
    """Fields of dipoles between the middle of the head and the scalp, in the upper half."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((n_dipoles, 3))
    directions[:, 2] = np.abs(directions[:, 2])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    moments = np.cross(directions, rng.standard_normal((n_dipoles, 3)))
    return magnetic_field(directions * rng.uniform(0.5, 0.85, (n_dipoles, 1)), moments)


@pytest.mark.parametrize("kind", ["all", "mag", "grad"])
def test_what_the_brain_and_the_room_show_a_bad_sensor_is_known_from_the_others(
    kind: str,
) -> None:
    types = np.array(HELMET.ch_types)
    rows = np.arange(306) if kind == "all" else np.flatnonzero(types == kind)
    names, of = tuple(HELMET.ch_names[n] for n in rows), tuple(types[rows])
    basis = field_basis(coils_of(names, INFO), of)
    fields = brain()[rows]
    z = np.array([INFO["chs"][n]["loc"][11] for n in rows])  # along the third axis of each coil
    room = np.where(np.array(of) == "mag", z, 0.0)
    rng = np.random.default_rng(1)
    scores = []
    for n_bad in (1, len(rows) // 10):
        bad = np.sort(rng.choice(len(rows), n_bad, replace=False))
        good = np.setdiff1d(np.arange(len(rows)), bad)
        weights = field_interpolation(basis, of, bad)
        wrong = ((weights @ fields[good] - fields[bad]) ** 2).sum(axis=1)
        scores += (1 - wrong / (fields[bad] ** 2).sum(axis=1)).tolist()
        np.testing.assert_allclose(weights @ room[good], room[bad], atol=0.05)
    assert np.median(scores) > 0.98  # measured .996, .997 and .993
    assert min(scores) > 0.2


def test_with_mne_they_agree() -> None:
    fields = brain()
    bad = np.array([4, 150, 151])
    good = np.setdiff1d(np.arange(306), bad)
    evoked = mne.EvokedArray(fields, INFO.copy(), verbose="error")
    evoked.info["bads"] = [HELMET.ch_names[n] for n in bad]
    evoked.interpolate_bads(origin=(0.0, 0.0, 0.0), mode="fast", verbose="error")
    ours = field_interpolation(field_basis(COILS, HELMET.ch_types), HELMET.ch_types, bad)
    for n, found in enumerate(ours @ fields[good]):
        assert np.corrcoef(found, evoked.data[bad[n]])[0, 1] > 0.99


def test_too_few_sensors_or_unknown_places_have_no_coils() -> None:
    assert len(COILS) == 306 * N_COIL
    assert coils_of(HELMET.ch_names[:60], INFO) == ()
    nowhere = SPEC.to_info()
    for channel in nowhere["chs"]:
        channel["loc"][:] = np.nan
    assert coils_of(HELMET.ch_names, nowhere) == ()


def signal(n_times: int = 750) -> NDArray[np.float32]:
    rng = np.random.default_rng(2)
    sources = rng.standard_normal((100, n_times)).cumsum(axis=1) * 1e-6
    noise = np.where(np.array(HELMET.ch_types) == "mag", 3e-15, 3e-13)[:, None] * 11
    return np.asarray(
        brain() @ sources + noise * rng.standard_normal((306, n_times)), np.float32
    )


def test_a_flat_sensor_is_replaced_live() -> None:
    step = Watch(WatchSettings(coils=COILS))
    step.prepare(SPEC)
    true = signal()
    broken = true.copy()
    broken[30] = 0.0
    out = step(Chunk(broken, SPEC, 0, 0, 0.0))
    assert step.reports[-1].interpolated == (HELMET.ch_names[30],)
    late = out.data[30, 500:] - out.data[30, 500:].mean()
    assert np.corrcoef(late, true[30, 500:])[0, 1] > 0.99
    np.testing.assert_array_equal(np.delete(out.data, 30, axis=0), np.delete(true, 30, axis=0))


def test_how_the_stream_is_cut_changes_nothing() -> None:
    broken = signal()
    broken[30] = broken[77] = 0.0
    whole = Watch(WatchSettings(coils=COILS))
    whole.prepare(SPEC)
    expected = whole(Chunk(broken, SPEC, 0, 0, 0.0)).data
    cut = Watch(WatchSettings(coils=COILS))
    cut.prepare(SPEC)
    edges = [0, 1, 2, 9, 250, 251, 300, 513, 750]
    parts = [cut(Chunk(broken[:, a:b], SPEC, 0, a, 0.0)).data for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), expected)


def test_electrodes_and_sensors_stand_in_for_their_own_kind() -> None:
    names = tuple(f"E{n}" for n in range(10))
    spec = SignalSpec(250.0, names + SPEC.ch_names, ("eeg",) * 10 + SPEC.ch_types)
    angles = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    ring = np.column_stack([0.08 * np.cos(angles), 0.08 * np.sin(angles), 0 * angles + 0.05])
    step = Watch(WatchSettings(positions=tuple(ring.ravel().tolist()), coils=COILS))
    step.prepare(spec)
    rng = np.random.default_rng(3)
    data = np.concatenate([1e-5 * rng.standard_normal((10, 750)), signal()]).astype(np.float32)
    step.mark(["E3", HELMET.ch_names[30]], bad=True)
    out = step(Chunk(data, spec, 0, 0, 0.0))
    assert out.bad is None
    assert np.corrcoef(out.data[40, 1:], data[40, 1:])[0, 1] > 0.99
    step.mark(["E4"], bad=True)  # more than a tenth of the electrodes
    out = step(Chunk(data, spec, 0, 750, 0.0))
    assert out.bad is not None
    assert out.bad.all()


def test_the_standard_chain_knows_the_places_of_a_recording() -> None:
    chain = standard_chain(SPEC.ch_names, 250.0, ch_types=SPEC.ch_types, info=INFO)
    again = Chain.from_json(chain.to_json())
    (step,) = (step for step in again.steps if isinstance(step, Watch))
    assert step.settings.coils == COILS
    few = replace(step.settings, coils=COILS[:-1])
    with pytest.raises(ConfigError, match="13 numbers in coils for each of 306 MEG sensors"):
        Watch(few).prepare(SPEC)
