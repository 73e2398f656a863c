"""SSP and reference sensors, against MNE's own."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.chain import Chain, standard_chain
from streaming.errors import ConfigError
from streaming.projection import (
    Compensate,
    Ssp,
    SspSettings,
    compensation_of,
    projectors_of,
)
from streaming.signal import Chunk, SignalSpec
from tests.laws import noise, run
from tests.recordings import recordings


def field_noise(n_channels: int, n_vectors: int) -> tuple[mne.Info, NDArray[np.float64]]:
    rng = np.random.default_rng(3)
    names = [f"MEG{n}" for n in range(n_channels)]
    info = mne.create_info(names, 500.0, "mag")
    vectors = rng.standard_normal((n_vectors, n_channels))
    projections = [
        mne.Projection(
            active=False,
            kind=1,
            desc=f"empty room {n}",
            data={
                "nrow": 1,
                "ncol": n_channels,
                "row_names": None,
                "col_names": names,
                "data": vector[None, :],
            },
        )
        for n, vector in enumerate(vectors)
    ]
    raw = mne.io.RawArray(np.zeros((n_channels, 1)), info, verbose="ERROR")
    return raw.add_proj(projections, verbose="ERROR").info, vectors


def test_projectors_do_what_mne_does() -> None:
    info, _ = field_noise(20, 3)
    data = noise(20, 100)
    expected = mne.io.RawArray(data.astype(float), info, verbose="ERROR").apply_proj()[:][0]
    settings = projectors_of(info, tuple(info["ch_names"]))
    assert settings is not None
    spec = SignalSpec.from_info(info)
    (out,) = run(Ssp(settings), [Chunk(data, spec)])
    np.testing.assert_allclose(out.data, expected, atol=1e-8)
    (again,) = run(Ssp(settings), [Chunk(out.data, spec)])
    np.testing.assert_allclose(again.data, out.data, atol=1e-8)


def test_projectors_for_some_channels_only() -> None:
    info, vectors = field_noise(20, 1)
    names = tuple(info["ch_names"][:7])
    settings = projectors_of(info, names)
    assert settings is not None
    kept = vectors[0, :7] / np.linalg.norm(vectors[0, :7])
    assert abs(np.dot(settings.vectors, kept)) == pytest.approx(1.0)
    assert projectors_of(info, ("EEG1",)) is None
    assert projectors_of(mne.create_info(1, 100.0), ("0",)) is None


def test_vectors_that_are_no_basis_are_refused() -> None:
    with pytest.raises(ConfigError, match="right angles"):
        SspSettings(ch_names=("a", "b"), vectors=(1.0, 1.0))
    with pytest.raises(ConfigError, match="got 3 numbers"):
        SspSettings(ch_names=("a", "b"), vectors=(1.0, 0.0, 0.0))


def test_compensation_does_what_mne_does() -> None:
    (path,) = recordings("formats/ctf_comp_raw.fif")
    raw = mne.io.read_raw(path, preload=True, verbose="ERROR")
    raw.apply_gradient_compensation(0, verbose="ERROR")
    names = tuple(raw.ch_names[n] for n in mne.pick_types(raw.info, meg=True, ref_meg=False))
    settings = compensation_of(raw.info, names)
    assert settings is not None
    n_times = 200
    data = raw[:, :n_times][0].astype(np.float32)
    spec = SignalSpec.from_info(raw.info)
    step = Compensate(settings)
    (out,) = run(step, [Chunk(data, spec)])
    compensated = raw.copy().apply_gradient_compensation(3, verbose="ERROR")
    expected = compensated[list(names), :n_times][0]
    rows = [step.prepare(spec).ch_names.index(name) for name in names]
    np.testing.assert_allclose(out.data[rows], expected, atol=1e-5 * np.abs(expected).max())
    # What the standard chain gives is the channels it was asked for, and nothing else.
    chain = standard_chain(
        names, spec.sfreq, ch_types=("mag",) * len(names), high=20.0, info=raw.info
    )
    assert chain.prepare(spec).ch_names == names
    assert "compensate" in [s["transform"] for s in chain.to_json()]
    again = Chain.from_json(chain.to_json())
    assert again.to_json() == chain.to_json()
    assert compensation_of(compensated.info, names) is None
