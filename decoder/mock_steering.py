"""What a mock does when clients tell it something: it says so, and nothing is decoded."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from decoder.control import Adaptation, MarkBad, Mode, Word
from decoder.events import Event, MarkerSeen, State
from decoder.server.hub import Hub
from decoder.server.rpc import Code, RpcError
from decoder.server.steering import Running
from streaming.lsl_clock import Clock
from streaming.signal import Marker

__all__ = ["MockCandidates", "MockSteering"]


@dataclass(frozen=True, slots=True)
class MockCandidates:
    """Candidates without vectors.

    Parameters
    ----------
    rows : tuple of dict
        Each with `id`, `text`, `glyph`, `trained`.
    version : int
        How often they were set, from 1.
    """

    rows: tuple[dict[str, Any], ...]
    version: int = 1

    @property
    def hash(self) -> str:
        """Of their names and texts."""
        names = "\n".join(f"{row['id']}\t{row['text']}" for row in self.rows)
        return hashlib.sha256(names.encode()).hexdigest()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.rows)


class MockSteering:
    """Answers as a service does, as far as that goes without a model; lives on the event loop.

    What is scripted stays as it is: other candidates are listed, but not decoded.

    Parameters
    ----------
    hub : Hub
        Delivers nothing that was decoded while the mock is stopped.
    emit : callable
        Says an event.
    clock : Clock
        Of the session.
    candidates : list of dict
        Those at the start.
    ch_names : sequence of str
        Channels that there are.

    Attributes
    ----------
    going : asyncio.Event
        Whether the script goes on.
    """

    def __init__(
        self,
        hub: Hub,
        emit: Callable[[Event], None],
        clock: Clock,
        candidates: list[dict[str, Any]],
        ch_names: Sequence[str],
    ) -> None:
        self.blind = False
        self.state: Running = "decoding"
        self.candidates = MockCandidates(tuple(candidates))
        self.going = asyncio.Event()
        self.going.set()
        self._hub = hub
        self._emit = emit
        self._clock = clock
        self._ch_names = ch_names

    def _say(self, what: str, state: str, detail: str) -> None:
        self._emit(State(what, state, self._clock(), detail))

    def _refuse_stopped(self) -> None:
        if self.state == "stopped":
            raise RpcError(Code.STOPPED, "the session is stopped; resume it first")

    def stop(self, reason: str) -> None:
        """Say no more until somebody resumes; what was said is not given out again."""
        if self.state != "stopped":
            self.state = "stopped"
            self.going.clear()
            self._hub.hold()
            self._say("session", "stopped", reason)

    async def resume(self, reason: str) -> None:
        """Go on with the script."""
        if self.state != "decoding":
            self.state = "decoding"
            self._hub.release()
            self._say("session", "decoding", reason)
            self.going.set()

    async def pause(self, reason: str) -> None:
        """Say no more until somebody resumes."""
        self._refuse_stopped()
        if self.state == "decoding":
            self.state = "paused"
            self.going.clear()
            self._say("session", "paused", reason)

    async def note(self, text: str) -> None:
        """Repeat a note."""
        self._say("note", "taken", text)

    async def set_blind(self, *, on: bool) -> None:
        """Have decodes hidden on pages, or shown."""
        self.blind = on
        shows = "hide" if on else "show"
        self._say("blind", "on" if on else "off", f"pages {shows} what is decoded")

    def inject(self, label: str, t: float | None) -> float:
        """Say that a marker was seen; return when."""
        self._refuse_stopped()
        t = self._clock() if t is None else t
        self._emit(MarkerSeen(Marker(label, t, 0, 0), "unknown"))
        return t

    def mark_bad(self, control: MarkBad) -> str:
        """Return whether the channels are there; the script stays as it is."""
        unknown = [name for name in control.ch_names if name not in self._ch_names]
        if unknown:
            return f"no channel {unknown[0][:64]!r}; there are {', '.join(self._ch_names)}"
        return ""

    async def set_candidates(self, words: Sequence[Word], mode: Mode) -> MockCandidates:
        """List other candidates, without embedding them."""
        self._refuse_stopped()
        rows = {row["id"]: row for row in self.candidates.rows}
        kept = {} if mode == "replace" else dict(rows)
        for word in words:
            if mode == "remove" and kept.pop(word.id, None) is None:
                msg = f"candidate {word.id!r} is not among those that are decoded; see them all"
                raise RpcError(Code.INVALID_PARAMS, msg)
            if mode != "remove":
                text = word.text or word.id
                row = {"id": word.id, "text": text, "glyph": word.glyph, "trained": False}
                kept[word.id] = rows.get(word.id, row)
        self.candidates = MockCandidates(tuple(kept.values()), self.candidates.version + 1)
        n, version = len(kept), self.candidates.version
        self._say("candidates", "changed", f"{n} candidates, version {version}")
        return self.candidates

    async def swap(self, wanted: str) -> None:
        """Refuse: there is no model."""
        msg = f"no model is called {wanted[:64]!r}: a mock has none"
        raise RpcError(Code.INVALID_PARAMS, msg)

    async def adapt(self, what: Adaptation, *, on: bool) -> None:
        """Say that it is so; there is no model that could follow anything."""
        self._say("adaptation", "started" if on else "stopped", f"{what}: a mock has no model")

    async def roll_back(self) -> None:
        """Refuse: there is no model."""
        msg = "the model was not swapped: none to go back to"
        raise RpcError(Code.INVALID_PARAMS, msg)
