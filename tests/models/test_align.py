from __future__ import annotations

import math

import torch
from torch.nn.functional import cross_entropy, mse_loss, normalize

from models.align import clip_loss, goal_of


def test_targets_that_differ_give_the_usual_loss() -> None:
    latents, targets = torch.randn(7, 5), torch.randn(7, 5)
    goal, scale = goal_of(targets), torch.tensor(3.0)
    logits = scale * latents @ normalize(targets).T
    truth = torch.arange(7)
    expected = (cross_entropy(logits, truth) + cross_entropy(logits.T, truth)) / 2
    torch.testing.assert_close(clip_loss(latents, goal, scale), expected)


def test_the_same_target_twice_is_no_negative() -> None:
    targets = torch.eye(2)[[0, 1, 0, 0, 1]]
    goal = goal_of(targets)
    assert len(goal.directions) == 2
    right = clip_loss(50 * targets, goal, torch.tensor(1.0))
    # Among trials, the best that can be is to share a target: the mean of log 3 and log 2
    assert math.isclose(float(right), math.log(6) / 4, abs_tol=1e-5)


def test_directions_are_those_of_the_targets() -> None:
    targets = torch.randn(6, 4)[[0, 1, 2, 1, 0, 3]]
    goal = goal_of(targets)
    torch.testing.assert_close(goal.directions[goal.which], normalize(targets))
    part = goal.take(torch.tensor([1, 3]))
    assert part.directions.shape == (1, 4)
    assert part.which.tolist() == [0, 0]


def test_the_rest_of_the_share_is_squared_error() -> None:
    latents, goal = torch.randn(6, 4), goal_of(torch.randn(6, 4))
    scale = torch.tensor(2.0)
    mixed = clip_loss(latents, goal, scale, share=0.25)
    error = mse_loss(latents, goal.directions[goal.which])
    expected = 0.25 * clip_loss(latents, goal, scale) + 0.75 * error
    torch.testing.assert_close(mixed, expected)


def test_a_target_at_the_centre_pulls_nowhere() -> None:
    goal = goal_of(torch.zeros(3, 4))
    assert torch.isfinite(clip_loss(torch.randn(3, 4), goal, torch.tensor(1.0)))
