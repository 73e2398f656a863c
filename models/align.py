"""Losses that pull the latent of a window to the embedding of what was shown.

Latents are not normalised, candidates are (Defossez et al. 2023): a latent's length says how
sure the network is, and retrieval uses it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

__all__ = ["Goal", "clip_loss", "goal_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """What the latents of a batch should be near to.

    Parameters
    ----------
    directions : tensor of shape (n_candidates, n_dims)
        The different targets, centred and of length 1.
    which : tensor of shape (n,)
        Index of the target of each trial.
    """

    directions: Tensor
    which: Tensor

    def take(self, trials: Tensor) -> Goal:
        """Return the goal of some trials, among no other targets than theirs."""
        shown, which = torch.unique(self.which[trials], return_inverse=True)
        return Goal(self.directions[shown], which)


def goal_of(targets: Tensor) -> Goal:
    """Return the goal of trials, with each target once however often it was shown.

    Parameters
    ----------
    targets : tensor of shape (n, n_dims)
        Centred; a target at the centre has no direction and pulls nowhere.
    """
    different, which = torch.unique(targets, dim=0, return_inverse=True)
    lengths = different.norm(dim=1, keepdim=True).clamp(min=1e-9)
    return Goal(different / lengths, which)


def clip_loss(latents: Tensor, goal: Goal, scale: Tensor, share: float = 1.0) -> Tensor:
    """Return the symmetric contrastive loss, mixed with the squared error.

    Trials with the same target are no negatives of each other: each trial has one positive
    among the different targets, each target has all its trials among the trials.

    Parameters
    ----------
    latents : tensor of shape (n, n_dims)
        What the network made of the windows.
    goal : Goal
        What they should be near to.
    scale : tensor of shape ()
        One over the temperature.
    share : float
        Weight of the contrastive loss; the rest is for the squared error.

    Notes
    -----
    Radford et al. 2021 (contrastive, symmetric); the mixture is that of Benchetrit et al. 2024.
    """
    logits = scale * latents @ goal.directions.T  # (n, n_candidates)
    to_target = cross_entropy(logits, goal.which)
    own = torch.nn.functional.one_hot(goal.which, len(goal.directions)).to(logits.dtype)
    over_trials = torch.log_softmax(logits, dim=0)
    to_trials = -((own * over_trials).sum(dim=0) / own.sum(dim=0)).mean()
    loss = (to_target + to_trials) / 2
    if share == 1.0:
        return loss
    return share * loss + (1 - share) * mse_loss(latents, goal.directions[goal.which])
