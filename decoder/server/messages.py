"""What each method takes and gives: the models that requests are checked against.

The documents of the protocol are made from them too, so that they say what holds.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from decoder.server.auth import Role
from decoder.server.hub import Policy
from decoder.server.images import Format, Way

__all__ = [
    "Authorize",
    "Authorized",
    "Candidate",
    "CandidatesSet",
    "Control",
    "Controlled",
    "Failure",
    "Inject",
    "Injected",
    "Mark",
    "Marked",
    "Nothing",
    "SetCandidates",
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
    blind: bool


class Subscribe(Params):
    """Which streams, and what to do when the client reads too slowly.

    ``lossless`` sends all in order and closes with 1013 who lags too far behind; ``latest``
    leaves out what grew too old; ``rate`` sends the newest message of each stream, `rate`
    times a second. With `from_seq`, which needs ``lossless``, events come from the log first,
    beginning with that one, then live, without hole or duplicate.

    `format` and `encoding` say how the client wants pictures, of the stream ``image``.
    """

    streams: list[str] = Field(max_length=16)
    policy: Policy = "lossless"
    rate: float | None = Field(default=None, gt=0, le=1000)
    from_seq: int | None = Field(default=None, ge=1, le=2**53)
    format: Format = "png"
    encoding: Way = "binary"

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


_JOINERS = "\u200c\u200d"
"""What keeps letters of some scripts apart, and makes one emoji of several."""


def _printable(text: str) -> str:
    """Return a text, less blanks around it, if it can be shown in one line."""
    text = text.strip()
    if not all(c.isprintable() or c in _JOINERS for c in text):
        msg = "must be one line of text that can be printed"
        raise ValueError(msg)
    if text and not text.strip(_JOINERS):
        msg = "must have something that can be seen"
        raise ValueError(msg)
    return text


def _named(text: str) -> str:
    if not text:
        msg = "must not be empty"
        raise ValueError(msg)
    return text


Text = Annotated[str, Field(max_length=256), AfterValidator(_printable)]
"""One line, or nothing."""

Name = Annotated[Text, AfterValidator(_named)]
"""One line."""

Action = Literal[
    "stop", "resume", "pause", "note", "swapModel", "rollBack", "blind", "recentre", "refit"
]


class Inject(Params):
    """A marker that comes from no stream: recorded, and treated like one of the source."""

    label: Name | Annotated[int, Field(ge=-(2**53), le=2**53)]
    t: float | None = Field(default=None, allow_inf_nan=False)


class Injected(Result):
    """When it is, in seconds on the LSL clock."""

    t: float


class Candidate(Params):
    """What may be decoded. Without a text it is that of the candidate of this id, or the id.

    An image (PNG, JPEG or WebP, base64) is embedded in place of the text.
    """

    id: Name
    text: Text = ""
    glyph: Text = ""
    image: Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})] = ""


class SetCandidates(Params):
    """What to choose from: all of these, these too, or all but these."""

    candidates: list[Candidate] = Field(min_length=1, max_length=4096)
    mode: Literal["replace", "add", "remove"] = "replace"


class CandidatesSet(Result):
    """What is chosen from, from the next window on."""

    candidates_version: int
    candidates_hash: str
    n_candidates: int


class Control(Params):
    """What the session shall do.

    ``reason`` belongs to ``stop``, ``pause`` and ``resume``, ``text`` to ``note``, ``model`` to
    ``swapModel`` and ``on`` to ``blind``, ``recentre`` and ``refit``.
    """

    action: Action
    reason: Text = ""
    text: Annotated[str, Field(max_length=4096)] = ""
    model: Text = ""
    on: bool = True

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.action == "note" and not self.text.strip():
            msg = "a note needs text"
            raise ValueError(msg)
        return self


class Controlled(Result):
    """What the session is doing now."""

    action: Action
    state: Literal["decoding", "paused", "stopped"]
