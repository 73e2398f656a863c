"""What clients may have done to a session, whatever stands behind the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from decoder.control import Adaptation, MarkBad, Mode, Word

__all__ = ["Listed", "Running", "Steering"]

Running = Literal["decoding", "paused", "stopped"]
"""What a session is doing."""


class Listed(Protocol):
    """Candidates, as far as clients hear of them; a mock's have no vectors."""

    @property
    def version(self) -> int:
        """How often they were set, from 1."""

    @property
    def hash(self) -> str:
        """Of what they are."""

    def __len__(self) -> int:
        """Return how many there are."""


class Steering(Protocol):
    """Takes what clients tell a session. What it refuses it answers with an `RpcError`."""

    @property
    def blind(self) -> bool:
        """Whether pages hide what is decoded."""

    @property
    def state(self) -> Running:
        """What the session is doing."""

    def stop(self, reason: str) -> None:
        """Stop at once, whatever the decoder is busy with."""

    async def resume(self, reason: str) -> None:
        """Go on after a stop or a pause."""

    async def pause(self, reason: str) -> None:
        """Withhold windows until somebody resumes."""

    async def note(self, text: str) -> None:
        """Keep a note."""

    async def set_blind(self, *, on: bool) -> None:
        """Hide decodes on pages, or show them."""

    def inject(self, label: str, t: float | None) -> float:
        """Put a marker into the recording and the session; return when it is."""

    def mark_bad(self, control: MarkBad) -> str:
        """Take channels for bad, or no longer; return what is wrong with that, or nothing."""

    async def set_candidates(self, words: Sequence[Word], mode: Mode) -> Listed:
        """Embed candidates and choose from them from then on; return them."""

    async def swap(self, wanted: str) -> None:
        """Decode with another model from the next window on."""

    async def adapt(self, what: Adaptation, *, on: bool) -> None:
        """Follow slow drift in a way, or no longer."""

    async def roll_back(self) -> None:
        """Decode again with the model before the last swap."""
