"""What each method takes and gives: the models that requests are checked against.

The documents of the protocol are made from them too, so that they say what holds.
"""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from decoder.server.auth import Role
from decoder.server.hub import Policy

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

    ``lossless`` sends all in order and closes with 1013 who lags too far behind; ``latest``
    leaves out what grew too old; ``rate`` sends the newest message of each stream, `rate`
    times a second. With `from_seq`, which needs ``lossless``, events come from the log first,
    beginning with that one, then live, without hole or duplicate.
    """

    streams: list[str] = Field(max_length=16)
    policy: Policy = "lossless"
    rate: float | None = Field(default=None, gt=0, le=1000)
    from_seq: int | None = Field(default=None, ge=1, le=2**53)

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if (self.rate is None) is (self.policy == "rate"):
            msg = "rate goes with the policy rate: how many messages a second of each stream"
            raise ValueError(msg)
        if self.from_seq is not None and self.policy != "lossless":
            msg = "from_seq needs the policy lossless"
            raise ValueError(msg)
        return self


class Failure(Result):
    """Why a stream was not subscribed to, or unsubscribed from."""

    stream: str
    code: int
    message: str


class Subscribed(Result):
    """Which streams were subscribed to, or unsubscribed from, and which not.

    After `from_seq`, `resumed_from` is the first event that the client can get, and `missed`
    says how many from then on are lost: none, unless the disk failed.
    """

    success: list[str]
    failure: list[Failure]
    resumed_from: int | None = None
    missed: int | None = None


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
