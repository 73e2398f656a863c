"""What clients tell a running session: each becomes an input, once it is known to fit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Protocol

from decoder.choosing import Embedder, listed
from decoder.config import SessionConfig
from decoder.control import (
    Adaptation,
    Adapted,
    Blind,
    Control,
    MarkBad,
    Mode,
    Note,
    Pause,
    Recentre,
    Refit,
    Refused,
    Resume,
    SetCandidates,
    Source,
    Stop,
    SwapModel,
    Word,
)
from decoder.events import State
from decoder.folder import SessionFolder
from decoder.halt import WATCH, Halt, file_stops
from decoder.pipeline import Pipeline
from decoder.server.hub import Hub
from decoder.server.rpc import Code, RpcError
from decoder.server.steering import Running
from decoder.session import Session
from decoder.shelf import Shelf
from models.candidates import Candidates
from models.checkpoint import Model
from streaming.errors import BraincastError, SessionError

__all__ = ["Controller", "Feeding", "Recording", "Served"]

MAX_AHEAD = 60.0
"""Seconds that a marker may be put ahead: later ones are more likely of another clock."""


Feeding = Callable[[Control], Future[None]]
"""Queues an input; the future is done once the session took it."""


@dataclass(frozen=True, slots=True)
class Served:
    """A model that a session can decode with.

    Parameters
    ----------
    model : Model
        Which.
    name : str
        Of the folder that it was given as.
    active : bool
        Whether it decodes just now.
    refused : str
        Why it cannot, with this stream; empty if it can.
    """

    model: Model
    name: str
    active: bool
    refused: str


class Recording(Protocol):
    """What takes in and records: a `LinkFeed`."""

    def clock(self) -> float:
        """Return what the LSL clock reads there."""

    def stop(self, reason: str) -> None:
        """Have the recording ended."""

    def resume(self) -> None:
        """Have another begun."""

    def inject(self, label: str, t: float) -> bool:
        """Have a marker recorded; return whether somebody is there who does."""


class Controller:
    """Checks what is asked for, and feeds it; lives on the event loop.

    Parameters
    ----------
    session : Session
        Is only looked at here.
    feed : callable
        Queues an input; its future is done once the session took it.
    recording : Recording
        Where samples come from.
    hub : Hub
        Delivers nothing that was decoded while the session is stopped.
    folder : SessionFolder
        Where candidates are kept.
    shelf : Shelf
        Where models are.
    config : SessionConfig
        Says which models, and which file stops.
    held : sequence of Control
        What the session is told by others first, after a decoder that died.

    Attributes
    ----------
    blind : bool
        Whether pages hide what is decoded.
    refits : bool
        Whether it learns from trials.
    learn_from : str
        From which, when that is switched on.
    on_refit : callable
        Called when it is.
    """

    def __init__(
        self,
        session: Session,
        feed: Feeding,
        recording: Recording,
        hub: Hub,
        folder: SessionFolder,
        shelf: Shelf,
        config: SessionConfig,
        held: Sequence[Control] = (),
    ) -> None:
        self._session = session
        self._feed = feed
        self._recording = recording
        self._hub = hub
        self._config = config
        self._halt = Halt(folder.stopped)
        self._halted = False
        self._goes_on = False  # asked to resume, and not to stop since
        self._embedder = Embedder(folder.candidates)
        self._models: dict[str, Model] = {}
        self._names: dict[str, str] = {served.id: served.name for served in config.models}
        self._refusals: dict[str, str] = {}
        self._history = [session.model]
        self._adapted: set[str] = set()
        self.refits = False
        self.learn_from: Source = "labels"
        self.on_refit: Callable[[], None] = lambda: None
        self._candidates: Candidates = session.candidates
        self.blind = False
        for served in config.models:
            self._check(shelf.model(served.id))
        for control in held:
            self._hold(control)

    def _check(self, model: Model) -> None:
        self._models[model.model_id] = model
        try:
            Pipeline(model, self._session.stream_spec)
        except BraincastError as error:
            self._refusals[model.model_id] = str(error)

    def _hold(self, control: Control) -> None:
        """Take what held when a decoder died."""
        match control:
            case Refit():
                self.refits = control.on
            case SwapModel():
                self._history.append(control.model)
                if control.model.model_id not in self._models:
                    self._adopt(control.model)
                self._candidates = replace(control.model.candidates, version=control.version)
            case SetCandidates():
                self._candidates = control.candidates
            case Blind():
                self.blind = control.on
            case Stop():
                self._halted = True
                self._hub.hold()
                self._recording.stop(control.reason)

    # -- stop, pause, go on --

    @property
    def state(self) -> Running:
        """What the session is doing."""
        return "stopped" if self._hub.held else self._session.state

    def stop(self, reason: str) -> None:
        """Stop at once, whatever the decoder is busy with."""
        self._goes_on, self._halted = False, True
        self._hub.hold()
        self._recording.stop(reason)
        self._halt.begin(reason)  # a disk may be slow, but who is told can rely on it
        self._feed(Stop(reason))

    async def watch_file(self) -> None:
        """Stop when the file is there that the session was given; never returns."""
        while True:
            reason = file_stops(self._config.stop_file)
            if reason and not self._hub.held:
                self.stop(reason)
            await asyncio.sleep(WATCH)

    async def resume(self, reason: str) -> None:
        """Go on after a stop or a pause.

        Raises
        ------
        RpcError
            If the file that stops is there.
        """
        path = self._config.stop_file
        if path is not None and file_stops(path):
            msg = f"the file {path.name} that stops the session is still there; remove it"
            raise RpcError(Code.STOPPED, msg)
        self._goes_on = True
        await self._fed(Resume(reason))

    def follow(self, state: State) -> None:
        """Do what the session has come to; a resume that a stop came after lets nothing out."""
        if state.state == "stopped":
            self._hub.hold()
            if not self._halted:
                self._halted = True
                self._recording.stop(state.detail)
        elif state.state == "decoding" and self._halted and self._goes_on:
            self._halted = False
            self._halt.end()
            self._recording.resume()
            self._hub.release()

    async def pause(self, reason: str) -> None:
        """Withhold windows until somebody resumes."""
        self._refuse_stopped()
        await self._fed(Pause(reason))

    def _refuse_stopped(self) -> None:
        if self.state == "stopped":
            raise RpcError(Code.STOPPED, "the session is stopped; resume it first")

    # -- what is written down --

    async def note(self, text: str) -> None:
        """Keep a note."""
        await self._fed(Note(text))

    async def set_blind(self, *, on: bool) -> None:
        """Hide decodes on pages, or show them."""
        self.blind = on
        await self._fed(Blind(on))

    def inject(self, label: str, t: float | None) -> float:
        """Put a marker into the recording and the session; return when it is.

        Raises
        ------
        RpcError
            If nobody records, or the time is negative or far ahead.
        """
        self._refuse_stopped()
        now = self._recording.clock()
        if t is not None and not 0 <= t <= now + MAX_AHEAD:
            msg = f"t is {t:g} and it is {now:.0f} now; give seconds on the LSL clock, see time"
            raise RpcError(Code.INVALID_PARAMS, msg)
        t = now if t is None else t
        if not self._recording.inject(label, t):
            raise RpcError(Code.BUSY, "the taking in of samples is being restarted; ask again")
        return t

    def mark_bad(self, control: MarkBad) -> str:
        """Take channels for bad, or no longer; return what is wrong with that, or nothing."""
        known = self._session.markable
        unknown = [name for name in control.ch_names if name not in known]
        if not known:
            return "the model does not watch its channels: it is of an older version; fit anew"
        if unknown:
            return f"no channel {unknown[0][:64]!r}; there are {', '.join(known)}"
        self._feed(control)
        return ""

    # -- candidates --

    async def set_candidates(self, words: Sequence[Word], mode: Mode) -> Candidates:
        """Embed candidates and choose from them from then on; return them.

        Raises
        ------
        RpcError
            If one is wrong, another such job runs, or meanwhile the model was swapped.
        """
        self._refuse_stopped()
        if self._embedder.busy:
            raise RpcError(Code.BUSY, "other candidates are being embedded; ask again later")
        now, model = self._candidates, self._history[-1]
        try:
            wanted = listed(words, mode, now, model.candidates)
            job = self._embedder.begin(wanted, now, model.candidates)
            found, saved = await asyncio.wrap_future(job)
        except BraincastError as error:
            raise RpcError(Code.INVALID_PARAMS, str(error)) from None
        self._refuse_stopped()
        if self._history[-1] is not model:
            raise RpcError(Code.BUSY, "the model was swapped meanwhile; ask again")
        self._candidates = replace(found, version=self._candidates.version + 1)
        set_to = self._candidates
        await self._fed(SetCandidates(set_to, saved))
        return set_to

    @property
    def n_waiting(self) -> int:
        """How many lists of candidates are being embedded: there is one at a time."""
        return int(self._embedder.busy)

    # -- models --

    def models(self) -> list[Served]:
        """Return the models that it can decode with."""
        active = self._history[-1].model_id
        return [
            Served(model, self._names[key], key == active, self._refusals.get(key, ""))
            for key, model in self._models.items()
        ]

    async def swap(self, wanted: str) -> None:
        """Decode with another model from the next window on.

        Parameters
        ----------
        wanted : str
            Its id, or the beginning of that, or the name of its folder.

        Raises
        ------
        RpcError
            If there is none, or it does not fit the stream.
        """
        self._refuse_stopped()
        model = self._models[self._find(wanted)]
        if model is self._history[-1] or model.model_id == self._history[-1].model_id:
            raise RpcError(Code.INVALID_PARAMS, f"{wanted!r} is the model that decodes")
        refused = self._refusals.get(model.model_id)
        if refused:
            reason = f"{self._names[model.model_id]}: {refused}"
            await self._fed(Refused(reason))
            raise RpcError(Code.INVALID_PARAMS, reason)
        self._history.append(model)
        await self._fed(self._swapped(model, back=False))

    def _find(self, wanted: str) -> str:
        found = [
            model_id
            for model_id, name in self._names.items()
            if wanted and (name == wanted or model_id.startswith(wanted))
        ]
        if len(found) == 1:
            return found[0]
        known = ", ".join(f"{name} ({key[:16]})" for key, name in self._names.items())
        how_many = f"{len(found)} models are" if found else "no model is"
        msg = f"{how_many} called {wanted[:64]!r}; there are {known}"
        raise RpcError(Code.INVALID_PARAMS, msg)

    async def roll_back(self) -> None:
        """Decode again with the model before the last swap.

        Raises
        ------
        RpcError
            If there is none.
        """
        self._refuse_stopped()
        if len(self._history) == 1:
            raise RpcError(Code.INVALID_PARAMS, "the model was not swapped: none to go back to")
        left = self._history.pop()
        await self._fed(self._swapped(self._history[-1], back=True))
        if left.model_id in self._adapted and self.refits:
            self.set_refit(Refit(on=False))
            detail = f"model {left.model_id[:16]} was refitted: nothing is refitted any more"
            await self._fed(Adapted("rolled back", detail))

    def _swapped(self, model: Model, *, back: bool) -> SwapModel:
        version = self._candidates.version + 1
        self._candidates = replace(model.candidates, version=version)
        return SwapModel(model, version, back)

    # -- adaptation --

    async def adapt(self, what: Adaptation, *, on: bool) -> None:
        """Recentre, or learn from trials, from now on, or no longer."""
        if what == "recentre":
            await self._fed(Recentre(on))
        elif on != self.refits:
            self.set_refit(Refit(on, self.learn_from))

    def set_refit(self, control: Refit) -> None:
        """Have it learn from trials, or no longer."""
        self.refits = control.on
        self._feed(control)
        if control.on:
            self.on_refit()

    def adapted(self, state: str, detail: str, model: Model | None) -> None:
        """Take what became of a refit, and the model that it ended with."""
        if not self.refits:
            return
        why = "" if model is None else self._why_not(model)
        if why:
            self._feed(Adapted("refused", f"the refitted model is dropped: {why}"))
            return
        if model is not None:
            self._adopt(model)
            self._history.append(model)
            self._feed(self._swapped(model, back=False))
        self._feed(Adapted(state, detail))

    def _why_not(self, refitted: Model) -> str:
        """Return why a refitted model cannot take over; empty if it can."""
        if self.state == "stopped":
            return "the session is stopped"
        if self._candidates.hash != refitted.candidates.hash:
            return "others are chosen from"
        if refitted.training["refit"]["from"] != self._history[-1].model_id:
            return "another model decodes than it was refitted from"
        return ""

    def _adopt(self, model: Model) -> None:
        self._adapted.add(model.model_id)
        self._models[model.model_id] = model
        self._names[model.model_id] = f"refitted-{len(self._adapted)}"

    # -- feeding --

    async def _fed(self, control: Control) -> None:
        try:
            await asyncio.wrap_future(self._feed(control))
        except SessionError as error:
            raise RpcError(Code.BUSY, str(error)) from None

    def close(self) -> None:
        """Begin nothing more."""
        self._embedder.close()
