"""The loop that fits every network: early stopping on left-out groups, seeds, resuming.

A network is first trained without one fold of the groups, until that fold is predicted no
better; then anew on all trials, for as many epochs as were best. Nothing else is chosen, and
no trial outside of the training trials is seen.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.align import Goal, clip_loss, goal_of
from models.trials import Course, Trials

__all__ = ["Trainable", "Training", "train"]

_LOG_SCALE = float(np.log(1 / 0.07))
_MAX_LOG_SCALE = float(np.log(100.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How a network is trained.

    Parameters
    ----------
    lr : float
        Step of AdamW.
    betas : tuple of float
        Its memories of gradient and of squared gradient.
    weight_decay : float
        Its decay of weights.
    share : float
        Weight of the contrastive loss; the rest is for the squared error.
    batch : int
        Trials a step, at most: with few, an epoch has eight steps.
    max_epochs : int
        The longest it may take.
    patience : int
        Epochs without progress on the left-out groups after which it ends.
    seed : int
        Decides order and dropout, and what the network begins from.
    """

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-4
    share: float = 1.0
    batch: int = 256
    max_epochs: int = 100
    patience: int = 10
    seed: int = 0


class Trainable(nn.Module, ABC):
    """A network in two parts: a map of windows that is fixed, and what learns.

    The first is done once for all epochs.
    """

    @abstractmethod
    def reduce(self, windows: Tensor) -> Tensor:
        """Map windows (n, n_channels, n_times) to what the second part takes."""

    @abstractmethod
    def learnt(self, reduced: Tensor, subjects: Tensor) -> Tensor:
        """Map what `reduce` gave, of subjects (n,), to latents (n, n_dims)."""

    def forward(self, windows: Tensor, subjects: Tensor) -> Tensor:
        """Map windows (n, n_channels, n_times) of subjects (n,) to latents (n, n_dims)."""
        return self.learnt(self.reduce(windows), subjects)


@dataclass(slots=True)
class _State:
    """Where a fit is, in what a file can hold beside tensors."""

    phase: str = "search"
    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")


def train(network: Trainable, trials: Trials, settings: Training, course: Course) -> None:
    """Train a network on trials, in place.

    The same trials, settings and machine give the same weights, bit for bit, also when it was
    interrupted and resumed from `course.keep`.

    Parameters
    ----------
    network : Trainable
        With the weights to begin from; is in evaluation mode afterwards.
    trials : Trials
        What to learn; windows are taken as they are.
    settings : Training
        How.
    course : Course
        Who is told, and where it is kept.
    """
    torch.set_num_threads(1)  # two threads ran up to 10 times slower on a shared machine
    with torch.no_grad():
        whole = torch.from_numpy(np.ascontiguousarray(trials.windows))
        parts = torch.tensor_split(whole, max(len(whole) // settings.batch, 1))
        windows = torch.cat([network.reduce(part) for part in parts])
    subjects = torch.from_numpy(trials.subjects)
    centred = trials.targets - trials.targets.mean(axis=0, dtype=np.float64)
    goal = goal_of(torch.from_numpy(centred.astype(np.float32)))
    test = torch.from_numpy(trials.folds()[-1])
    with torch.random.fork_rng(devices=[]):
        fit, state = _Fit(network, settings), _State()
        initial = {k: v.clone() for k, v in network.state_dict().items()}
        kept = _Kept(course.keep, _digest(network, trials, settings))
        kept.load(fit, state)
        while state.phase == "search":
            fit.epoch(state.epoch, windows[~test], subjects[~test], goal.take(~test))
            _after_epoch(
                state, settings, fit.miss(windows[test], subjects[test], goal.take(test))
            )
            if state.phase == "final":
                network.load_state_dict(initial)
                fit = _Fit(network, settings)
                state.epoch = 0
            kept.save(fit, state)
            if state.phase == "search":
                course.tell(0.5 * state.epoch / settings.max_epochs)
        while state.epoch < state.best_epoch:
            fit.epoch(state.epoch, windows, subjects, goal)
            state.epoch += 1
            kept.save(fit, state, last=state.epoch == state.best_epoch)
            course.tell(0.5 + 0.5 * state.epoch / state.best_epoch)
    course.tell(1.0)
    network.eval()


class _Fit:
    """A network with its optimiser and its temperature."""

    def __init__(self, network: Trainable, settings: Training) -> None:
        self.network, self.settings = network, settings
        self.log_scale = nn.Parameter(torch.tensor(_LOG_SCALE))
        self.optimizer = torch.optim.AdamW(
            [*network.parameters(), self.log_scale],
            lr=settings.lr,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
        )

    def epoch(self, number: int, windows: Tensor, subjects: Tensor, goal: Goal) -> None:
        """Go through all trials once, in an order and with dropout that `number` decides."""
        torch.manual_seed(self.settings.seed * 1_000_003 + number)
        n = len(windows)
        n_batches = max(-(-n // self.settings.batch), min(8, n // 8), 1)
        self.network.train()
        for part in torch.tensor_split(torch.randperm(n), n_batches):
            loss = self._loss(windows[part], subjects[part], goal.take(part))
            self.optimizer.zero_grad()
            torch.autograd.backward(loss)
            self.optimizer.step()
            self.log_scale.data.clamp_(max=_MAX_LOG_SCALE)

    def miss(self, windows: Tensor, subjects: Tensor, goal: Goal) -> float:
        """Return the loss on windows that are not trained on."""
        self.network.eval()
        with torch.inference_mode():
            return float(self._loss(windows, subjects, goal))

    def _loss(self, windows: Tensor, subjects: Tensor, goal: Goal) -> Tensor:
        scale = self.log_scale.exp()
        latents = self.network.learnt(windows, subjects)
        return clip_loss(latents, goal, scale, self.settings.share)


def _after_epoch(state: _State, settings: Training, loss: float) -> None:
    """Note how well left-out trials are predicted, and whether to go on."""
    state.epoch += 1
    if loss < state.best_loss:
        state.best_loss, state.best_epoch = loss, state.epoch
    waited = state.epoch - state.best_epoch
    if waited >= settings.patience or state.epoch >= settings.max_epochs:
        state.phase = "final"


_EVERY = 10  # epochs between two saves: a few MB each


class _Kept:
    """What a fit leaves on disk, so that it can be taken up again.

    One file for each thing that is fitted, named after all that decides the result. It holds
    tensors and plain numbers, and nothing that executes.
    """

    def __init__(self, folder: Path | None, digest: str) -> None:
        self._path = folder / f"{digest}.safetensors" if folder else None

    def load(self, fit: _Fit, state: _State) -> None:
        """Go on from where it was left, if it was."""
        if self._path is None or not self._path.is_file():
            return
        try:
            tensors = load_file(self._path)
        except SafetensorError:  # cut short when it was written; begin anew
            return
        text = bytes(tensors.pop("state").numpy().tobytes()).decode()
        for name, value in json.loads(text).items():
            setattr(state, name, value)
        weights = {k[2:]: v for k, v in tensors.items() if k.startswith("w.")}
        fit.network.load_state_dict(weights)
        fit.log_scale.data.copy_(tensors["log_scale"])
        values = fit.optimizer.state_dict()
        values["state"] = {
            n: {key: tensors[f"o.{n}.{key}"] for key in ("step", "exp_avg", "exp_avg_sq")}
            for n in range(len(fit.optimizer.param_groups[0]["params"]))
            if f"o.{n}.step" in tensors
        }
        fit.optimizer.load_state_dict(values)

    def save(self, fit: _Fit, state: _State, *, last: bool = False) -> None:
        """Write every tenth epoch and the last."""
        if self._path is None or (state.epoch % _EVERY and not last):
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        values = asdict(state)
        text = np.frombuffer(json.dumps(values).encode(), np.uint8)
        tensors = {"state": torch.tensor(text), "log_scale": fit.log_scale.data}
        tensors |= {f"w.{k}": v.contiguous() for k, v in fit.network.state_dict().items()}
        for n, moments in fit.optimizer.state_dict()["state"].items():
            tensors |= {f"o.{n}.{key}": value for key, value in moments.items()}
        beside = self._path.with_suffix(".new")
        save_file(tensors, beside)
        beside.replace(self._path)


def _digest(network: nn.Module, trials: Trials, settings: Training) -> str:
    """Return a name for all that decides the result."""
    digest = hashlib.sha256(f"{torch.__version__} {network} {settings}".encode())
    for array in (trials.windows, trials.targets, trials.groups, trials.subjects):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]
