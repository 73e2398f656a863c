"""What each method takes and gives: the models that requests are checked against.

The documents of the protocol are made from them too, so that they say what holds.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from decoder.server.auth import Role

__all__ = [
    "Authorize",
    "Authorized",
    "Failure",
    "Mark",
    "Marked",
    "Nothing",
    "Subscribe",
    "Subscribed",
    "Times",
    "Unsubscribe",
]


class Params(BaseModel):
    """What a method takes: nothing unknown, nothing converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Result(BaseModel):
    """What a method gives."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Nothing(Params):
    """A method without parameters."""


class Times(Result):
    """What the clocks read: LSL's, and Unix time beside it for people and logs elsewhere."""

    t_lsl: float
    t_unix: float


class Authorize(Params):
    """Who the client is. Without a token only a server that says so lets a viewer in."""

    token: str = Field(default="", max_length=256)


class Authorized(Times):
    """Who the client is to the server, and how far the session's log has come."""

    session: str
    protocol: str
    role: Role
    last_seq: int


class Subscribe(Params):
    """Which streams, and what to do when the client reads too slowly.

    ``"lossless"`` keeps everything up to a bound, then closes with 1013; ``"latest"`` keeps the
    newest message of each stream.
    """

    streams: list[str] = Field(max_length=16)
    policy: str = Field(default="lossless", pattern="^(lossless|latest)$")


class Failure(Result):
    """Why a stream was not subscribed to, or unsubscribed from."""

    stream: str
    code: int
    message: str


class Subscribed(Result):
    """Which streams were subscribed to, or unsubscribed from, and which not."""

    success: list[str]
    failure: list[Failure]


class Unsubscribe(Params):
    """Which streams to stop."""

    streams: list[str] = Field(max_length=16)


class Mark(Params):
    """Which channels the operator takes for bad, or no longer."""

    ch_names: list[str] = Field(min_length=1, max_length=1024)
    bad: bool = True


class Marked(Result):
    """What holds from the next sample on."""

    ch_names: list[str]
    bad: bool
