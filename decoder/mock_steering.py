"""A session that was: it can be stopped and looked at, and nothing about it changed."""

# ruff: noqa: ARG002 - what is refused takes arguments nevertheless

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from decoder.control import MarkBad, Mode, Word
from decoder.server.hub import Hub
from decoder.server.rpc import Code, RpcError
from decoder.server.steering import Running

if TYPE_CHECKING:
    from models.candidates import Candidates

__all__ = ["MockSteering"]


class MockSteering:
    """Stops, resumes and marks channels, as far as an app can tell; refuses all else.

    Parameters
    ----------
    hub : Hub
        Is held while it is stopped.
    about : mapping
        The body of ``/v1/session``.
    """

    blind = False

    def __init__(self, hub: Hub, about: Mapping[str, Any]) -> None:
        self._hub = hub
        self._ch_names = about.get("source", {}).get("ch_names", ())

    @property
    def state(self) -> Running:
        """What it seems to be doing."""
        return "stopped" if self._hub.held else "decoding"

    def stop(self, reason: str) -> None:
        """Deliver states alone."""
        self._hub.hold()

    async def resume(self, reason: str) -> None:
        """Deliver everything again."""
        self._hub.release()

    def mark_bad(self, control: MarkBad) -> str:
        """Return what is wrong with the names of channels."""
        unknown = [name for name in control.ch_names if name not in self._ch_names]
        return f"no channel {unknown[0][:64]!r}" if unknown else ""

    async def pause(self, reason: str) -> None:
        """Refuse."""
        _refuse()

    async def note(self, text: str) -> None:
        """Refuse."""
        _refuse()

    async def set_blind(self, *, on: bool) -> None:
        """Refuse."""
        _refuse()

    def inject(self, label: str, t: float | None) -> float:
        """Refuse."""
        _refuse()

    async def set_candidates(self, words: Sequence[Word], mode: Mode) -> Candidates:
        """Refuse."""
        _refuse()

    async def swap(self, wanted: str) -> None:
        """Refuse."""
        _refuse()

    async def roll_back(self) -> None:
        """Refuse."""
        _refuse()


def _refuse() -> NoReturn:
    msg = "a mock says what a session has said: it can be stopped and resumed, and no more"
    raise RpcError(Code.INVALID_PARAMS, msg)
