from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.network import MlpEncoder, SimpleConvEncoder, TsConvEncoder
from models.simpleconv import SimpleConv, SimpleConvConfig
from models.tsconv import TsConv
from streaming.errors import ModelError
from tests.models.networks import quick_networks
from tests.models.problems import evoked_trials, window


def test_listing_encoders_imports_no_torch() -> None:
    code = "import sys, models.encoder; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_weights_that_do_not_fit_are_refused() -> None:
    with quick_networks(max_epochs=1):
        encoder = MlpEncoder.fit(evoked_trials(40))
    arrays = encoder.arrays()
    arrays["network.leave.bias"] = np.zeros(7, np.float32)
    with pytest.raises(ModelError, match="weights do not fit a mlp"):
        MlpEncoder.from_arrays(arrays)


def test_a_network_decodes_what_it_was_trained_to() -> None:
    trials = evoked_trials(40)
    with quick_networks(max_epochs=1):
        encoder = TsConvEncoder.fit(trials)
    standardised = (trials.windows - encoder.mean) / encoder.scale
    with torch.inference_mode():
        zeros = torch.zeros(len(trials), dtype=torch.int64)
        expected = encoder.network(torch.from_numpy(standardised), zeros).numpy()
    ours = [encoder.encode(window(data, 100.0)) for data in trials.windows]
    np.testing.assert_allclose(ours, expected + encoder.centre, rtol=1e-4, atol=1e-5)


def test_kernels_fit_short_windows() -> None:
    trials = evoked_trials(40)
    short = replace(trials, windows=trials.windows[:, :, :5])
    network, config = TsConv.for_trials(short)
    assert network(torch.zeros(2, 4, 5), torch.zeros(2, dtype=torch.int64)).shape == (2, 3)
    assert config.kernel == 1


@pytest.mark.parametrize("network_class", [TsConv, SimpleConv])
def test_fast_samples_are_averaged_first(network_class: type[TsConv | SimpleConv]) -> None:
    trials = replace(evoked_trials(40), sfreq=250.0)
    network, config = network_class.for_trials(trials)
    assert config.step == 2
    network.eval()
    who = torch.zeros(2, dtype=torch.int64)
    windows = torch.randn(2, 4, 50)
    swapped = windows.reshape(2, 4, 25, 2).flip(-1).reshape(2, 4, 50)
    torch.testing.assert_close(network(windows, who), network(swapped, who))


def test_each_person_has_a_matrix_of_their_own() -> None:
    """Two people, who respond to either thing as the other does to the other thing."""
    one = evoked_trials(120, signal=2.0, n_classes=2)
    subjects = np.arange(120) % 2
    targets = np.where(subjects[:, None], one.targets[:, ::-1], one.targets)
    groups = np.arange(120) * 6 // 120
    both = replace(one, targets=targets, subjects=subjects, groups=groups)
    with quick_networks(max_epochs=12):
        encoder = SimpleConvEncoder.fit(both.take(groups < 5))
    test = np.flatnonzero(groups == 5)
    shown = both.targets.argmax(axis=1)

    def right(who: int, as_whom: int) -> float:
        trials = test[subjects[test] == who]
        decoder = replace(encoder, subject=as_whom)
        vectors = [decoder.encode(window(both.windows[n], 100.0)) for n in trials]
        return float((np.argmax(vectors, axis=1) == shown[trials]).mean())

    assert min(right(0, 0), right(1, 1)) > 0.8
    vector = replace(encoder, subject=7).encode(window(both.windows[0], 100.0))
    assert np.isfinite(vector).all()  # of someone new
    assert max(right(0, 1), right(1, 0)) < 0.2


def test_near_sensors_are_merged_alike() -> None:
    config = SimpleConvConfig(n_channels=3, n_times=10, n_dims=2, n_subjects=1, step=1)
    network = SimpleConv(config).eval()
    places = np.array([[0.0, 0.0, 0.1], [0.001, 0.0, 0.1], [0.0, 0.1, 0.0]])
    network.merge.place(places)
    weights = torch.softmax(network.merge.heads @ network.merge.waves.T, dim=1)
    near = (weights[:, 0] - weights[:, 1]).abs().mean()
    assert near < 0.2 * (weights[:, 0] - weights[:, 2]).abs().mean()
