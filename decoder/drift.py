"""Follows slow drift of the latents, and says when they are no longer what they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from decoder.alarm import Alarm
from decoder.config import AdaptationConfig
from decoder.control import Adapted, Recentre, Refit
from decoder.events import State, TextDecoded
from decoder.recentre import MEMORY, Recentring
from decoder.refitter import Refitter
from models.checkpoint import Model
from models.latent import Latent
from models.reference import BLOCK, far_off
from streaming.errors import ModelError
from streaming.window import LockedWindows

__all__ = ["Drift", "check_adapts", "not_recentred"]

_LATENTS = (
    "what is decoded lies where it did not in calibration: electrodes, or the participant, may "
    "have changed; recentre, refit or calibrate again"
)
_LOSSES = (
    "what was shown comes out further down than in calibration: see to electrodes and the "
    "participant; refit or calibrate again"
)


def not_recentred(model: Model) -> str:
    """Return why the latents of a model cannot be recentred; empty if they can."""
    if not isinstance(model.windowing, LockedWindows):
        return "windows that no marker cuts follow what is shown"
    if model.reference is None:
        return (
            "the model does not say what its latents were like in calibration, which was too "
            "short, or fitted by an older version: fit it anew"
        )
    return ""


def check_adapts(model: Model, config: AdaptationConfig) -> None:
    """Refuse to begin what a model cannot do.

    Parameters
    ----------
    model : Model
        That decodes first.
    config : AdaptationConfig
        What is asked for.

    Raises
    ------
    ModelError
        If it is one of these things.
    """
    why_not = not_recentred(model) if config.recentre else ""
    if why_not:
        msg = f"--adapt recentre: {why_not}"
        raise ModelError(msg)
    if config.refit:
        Refitter(model)


def _refit(item: Refit) -> str:
    if not item.on:
        return "refit: nothing is learnt any more"
    if item.learn_from == "decodes":
        return (
            "refit: CAREFUL, IT LEARNS FROM ITS OWN DECODES where no marker says what was "
            "shown: of what it is sure it will be surer, right or wrong"
        )
    return "refit: learns from what markers say was shown, never from its own decodes"


class Drift:
    """What a session knows of its model's latents so far.

    It begins anew with each model, and with a decoder that takes over from one that died.

    Parameters
    ----------
    model : Model
        Whose latents; without a `Reference`, nothing is known of them.
    """

    def __init__(self, model: Model) -> None:
        self._reference = model.reference
        self._longest = model.usual[-1].length if model.usual else np.inf
        self._why_not = not_recentred(model)
        self._recentring: Recentring | None = None
        self._alarms: dict[str, Alarm] = {}
        self._blocks: dict[str, list[NDArray[np.float64]]] = {"latents": [], "losses": []}
        if model.reference is not None and not self._why_not:
            self._alarms["latents"] = Alarm(model.reference.blocks)
            if model.protocol == "closed_set":
                self._alarms["losses"] = Alarm(model.reference.losses)

    def swapped(self, model: Model, t: float) -> tuple[Drift, list[State]]:
        """Return what follows another model in the same way, and what is to be said of it."""
        other = Drift(model)
        said = [other.control(Recentre(on=True), t)] if self._recentring is not None else []
        if any(alarm.on for alarm in self._alarms.values()):
            said.append(State("drift", "good", t, "another model decodes: it is watched anew"))
        return other, said

    def control(self, item: Recentre | Refit | Adapted, t: float) -> State:
        """Say what is done beside the session, and begin to move latents, or end it."""
        if isinstance(item, Adapted):
            return State("adaptation", item.state, t, item.detail)
        if isinstance(item, Refit):
            return State("adaptation", "started" if item.on else "stopped", t, _refit(item))
        if not item.on:
            self._recentring = None
            return State("adaptation", "stopped", t, "latents are decoded as they are")
        if self._why_not or self._reference is None:
            return State("adaptation", "refused", t, f"not recentred: {self._why_not}")
        self._recentring = Recentring(self._reference.mean, self._longest)
        detail = (
            f"recentring: latents follow their mean over the last {MEMORY} windows, from here "
            "on; right if what is shown has the same shares all the time"
        )
        return State("adaptation", "started", t, detail)

    @property
    def recentres(self) -> bool:
        """Whether latents are moved."""
        return self._recentring is not None

    @property
    def doubtful(self) -> bool:
        """Whether latents are not those that probabilities and sets were calibrated on.

        They lie elsewhere, or are moved. No label is read for this, so that what a decode says
        of itself depends on none.
        """
        alarm = self._alarms.get("latents")
        return self._recentring is not None or (alarm is not None and alarm.on)

    def corrected(self, latent: Latent) -> Latent:
        """Return a latent as it is to be decoded."""
        if self._recentring is None:
            return latent
        return replace(latent, vector=self._recentring(latent.vector))

    def follow(self, latent: Latent, decoded: TextDecoded, t: float) -> list[State]:
        """Hold a decode against calibration; return what is to be said of it.

        Parameters
        ----------
        latent : Latent
            As it was decoded.
        decoded : TextDecoded
            What came of it.
        t : float
            When, in seconds on the LSL clock.
        """
        said: list[State] = []
        if self._reference is not None and "latents" in self._alarms:
            place = self._reference.axes @ (latent.vector - self._reference.mean)
            said += self._add("latents", place, t)
        truth = decoded.truth
        if "losses" in self._alarms and truth is not None and truth.trained:
            loss = (truth.rank - 1) / (decoded.n_candidates - 1)
            said += self._add("losses", np.array([loss]), t) if decoded.calibrated else []
        return said

    def _add(self, name: str, value: NDArray[np.float64], t: float) -> list[State]:
        block = self._blocks[name]
        block.append(value)
        if len(block) < BLOCK:
            return []
        mean = np.mean(block, axis=0)
        block.clear()
        found = self._alarms[name].add(far_off(mean) if name == "latents" else float(mean[0]))
        if found == "alarm":
            return [State("drift", "alarm", t, _LATENTS if name == "latents" else _LOSSES)]
        if found == "good" and not any(alarm.on for alarm in self._alarms.values()):
            return [State("drift", "good", t, "decodes are as in calibration again")]
        return []
