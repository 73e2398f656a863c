from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.mlp import Mlp
from models.training import Training, train
from models.trials import Course, Trials
from tests.models.problems import evoked_trials

ALONE = Course()
QUICK = Training(lr=3e-3, max_epochs=24, patience=24)


def trained(
    trials: Trials, settings: Training = QUICK, course: Course = ALONE
) -> dict[str, torch.Tensor]:
    torch.manual_seed(settings.seed)
    network, _ = Mlp.for_trials(trials)
    train(network, trials, settings, course)
    assert not network.training
    return network.state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_seed_decides_every_bit() -> None:
    trials = evoked_trials(40)
    state = torch.random.get_rng_state()
    one = trained(trials, replace(QUICK, max_epochs=3))
    torch.rand(5)
    assert same(one, trained(trials, replace(QUICK, max_epochs=3)))
    assert not same(one, trained(trials, replace(QUICK, max_epochs=3, seed=1)))
    torch.random.set_rng_state(state)


def test_training_leaves_the_generator_of_others_alone() -> None:
    trials = evoked_trials(40)
    network, _ = Mlp.for_trials(trials)
    before = torch.random.get_rng_state()
    train(network, trials, replace(QUICK, max_epochs=2), Course())
    assert torch.equal(torch.random.get_rng_state(), before)


class InterruptedHereError(Exception):
    pass


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_what_was_interrupted_goes_on_to_the_same_weights(share: float, tmp_path: Path) -> None:
    trials = evoked_trials(40)
    expected = trained(trials)

    def interrupt(done: float) -> None:
        if done >= share and done < 1:
            raise InterruptedHereError

    with pytest.raises(InterruptedHereError):
        trained(trials, course=Course(interrupt, tmp_path))
    told: list[float] = []
    assert same(trained(trials, course=Course(told.append, tmp_path)), expected)
    assert told[0] > share - 11 / 24  # it did not begin anew
    assert told[-1] == 1.0
    again: list[float] = []
    assert same(trained(trials, course=Course(again.append, tmp_path)), expected)
    assert again == [1.0]


def test_a_file_that_was_cut_short_is_begun_anew(tmp_path: Path) -> None:
    trials = evoked_trials(40)
    settings = replace(QUICK, max_epochs=10)
    expected = trained(trials, settings, Course(keep=tmp_path))
    (path,) = tmp_path.glob("*.safetensors")
    assert "state" in load_file(path)
    path.write_bytes(path.read_bytes()[:100])
    assert same(trained(trials, settings, Course(keep=tmp_path)), expected)


def test_other_trials_are_another_fit(tmp_path: Path) -> None:
    settings = replace(QUICK, max_epochs=2)
    trained(evoked_trials(40), settings, Course(keep=tmp_path))
    trained(evoked_trials(40, seed=1), settings, Course(keep=tmp_path))
    assert len(list(tmp_path.glob("*.safetensors"))) == 2


def test_noise_is_not_learnt_for_long() -> None:
    told: list[float] = []
    trials = evoked_trials(60, signal=0.0)
    settings = Training(lr=3e-3, max_epochs=200, patience=3)
    trained(trials, settings, Course(told.append))
    assert max(share for share in told if share < 0.5) < 0.1
    assert np.all(np.diff(told) >= 0)
