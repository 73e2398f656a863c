"""A client in one file: copy it into your project; it needs `websockets` and nothing else.

Works on Python 3.8 and newer with websockets 13 and newer. Example::

    from client import connect

    with connect("http://127.0.0.1:8000/#token=...") as decodes:
        for event in decodes:
            print(event.params["top"])  # or event.fields, which a type checker knows

and, in asyncio, ``async with connect_async(...) as decodes: async for event in decodes: ...``.

When the connection breaks, or the service starts again, it is made again, and goes on where it
broke: of streams with the policy ``"lossless"`` each event comes once, in order. `Client` is of
one thread; an `AsyncClient` may be used by several tasks of one event loop.

License: BSD-3-Clause, see https://opensource.org/license/bsd-3-clause.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import ssl as tls
import struct
import sys
import time
from array import array
from collections import deque
from typing import (
    Any,
    AsyncIterator,
    Coroutine,
    Deque,
    Dict,
    Iterable,
    Iterator,
    List,
    Literal,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    TypedDict,
    TypeVar,
    Union,
    cast,
)
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.asyncio.client import connect as open_async
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_sync

__all__ = [
    "AsyncClient",
    "Change",
    "Channels",
    "Client",
    "ConformalSet",
    "Decode",
    "Event",
    "Evidence",
    "Image",
    "Latency",
    "Latent",
    "Marker",
    "Other",
    "Pace",
    "Picture",
    "Policies",
    "Quality",
    "RequestError",
    "Seen",
    "Signal",
    "Stake",
    "State",
    "Text",
    "connect",
    "connect_async",
    "split_url",
]

PULSE = 5.0
"""Seconds of silence after which the service is asked whether it is there."""

N_SILENT = 3
"""So many of these without a word mean that the line is dead."""

WAITS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each attempt to connect again, at most; the last one repeats."""

CLOCK = 60.0
"""Seconds after which the service is asked again what its clock reads."""

EMBEDDING = 120.0
"""Seconds that new candidates may take."""

_EPHEMERAL = ("latency", "latent", "signal")  # have no `seq`: what is missed is gone
_FORBIDDEN = 1008
_ENDED = (1000, 1001, 1012)  # done, going away, and how a service says that it is stopped
_PURGED = -32005
_OPTIONS: Any = {"close_timeout": 1.0, "compression": None, "max_size": 2**24}
_UNKNOWN = "the connection broke before {} was answered: whether it was done is not known"

Policies = Union[Iterable[str], Mapping[str, Union[str, float]]]
"""Streams, all ``"lossless"``; or each with that, ``"latest"``, or messages a second."""


class Ranked(TypedDict):
    """A candidate and its probability."""

    id: str
    text: str
    p: float
    glyph: str


class Truth(TypedDict):
    """What was really shown, and where it ranked, from 1."""

    id: str
    text: str
    glyph: str
    rank: int
    trained: bool


class ConformalSet(TypedDict):
    """Candidates of which one is right, but for a share `risk` of the cases; best first."""

    ids: List[str]
    risk: float
    n_calibration: int


class Decode(TypedDict, total=False):
    """The fields of a text event that apps use; docs/reference/protocol.md has all."""

    seq: int
    decode_id: str
    revision: int
    top: List[Ranked]
    abstained: str
    stale: bool
    truth: Optional[Truth]
    calibrated: bool
    n_candidates: int
    candidates_hash: str
    candidates_version: int
    model_id: str
    quality: float
    t_start: float
    t_end: float
    t_emit: float
    latency_ms: Dict[str, float]
    running: List[Dict[str, Any]]
    final: bool
    latency: Optional[float]
    n_repeats: int
    conformal: Optional[ConformalSet]


class Picture(TypedDict, total=False):
    """The fields of an image event."""

    seq: int
    decode_id: str
    revision: int
    final: bool
    kind: str
    step: int
    n_steps: int
    generator: str
    generator_hash: str
    seed: int
    source: str
    width: int
    height: int
    sha256: str
    t_start: float
    t_end: float
    t_text: float
    t_emit: float
    file: Optional[str]
    format: str


class Stake(TypedDict, total=False):
    """The fields of an evidence event."""

    seq: int
    decode_id: str
    protocol: str
    design: str
    n: int
    log10_e: float
    log10_e_max: float
    p: float
    available: bool
    reason: str
    over: bool
    warning: str
    log10_bets: List[float]
    t_emit: float


class Seen(TypedDict, total=False):
    """The fields of a marker."""

    seq: int
    t: float
    label: str
    role: str
    candidate_id: str
    text: str
    glyph: str
    t_emit: float


class Channels(TypedDict, total=False):
    """The fields of a quality event: of each channel, and of all."""

    seq: int
    t: float
    ch_names: List[str]
    verdicts: List[str]
    spread: List[float]
    line: List[float]
    impedance_kohm: List[Optional[float]]
    interpolated: List[str]
    refused: bool
    t_emit: float


class Change(TypedDict, total=False):
    """The fields of a state event."""

    seq: int
    what: str
    state: str
    t: float
    detail: str
    duration: float
    reason: str
    decode_ids: List[str]
    t_emit: float


class Pace(TypedDict, total=False):
    """The fields of a latency event: of each stage p50, p95 and p99 in milliseconds."""

    stages: Dict[str, List[float]]
    n_decodes: int
    gaps: int
    drops: int
    previews: Dict[str, int]
    t_emit: float


class Text(NamedTuple):
    """A decode, or why there is none."""

    params: Dict[str, Any]
    stream: Literal["text"] = "text"

    @property
    def fields(self) -> Decode:
        """Return `params`, typed."""
        return cast("Decode", self.params)


class Marker(NamedTuple):
    """A marker was seen."""

    params: Dict[str, Any]
    stream: Literal["markers"] = "markers"

    @property
    def fields(self) -> Seen:
        """Return `params`, typed."""
        return cast("Seen", self.params)


class Evidence(NamedTuple):
    """What a stake of 1 against chance has become, or why that is not known."""

    params: Dict[str, Any]
    stream: Literal["evidence"] = "evidence"

    @property
    def fields(self) -> Stake:
        """Return `params`, typed."""
        return cast("Stake", self.params)


class Quality(NamedTuple):
    """How the channels are."""

    params: Dict[str, Any]
    stream: Literal["quality"] = "quality"

    @property
    def fields(self) -> Channels:
        """Return `params`, typed."""
        return cast("Channels", self.params)


class State(NamedTuple):
    """Something changed its state."""

    params: Dict[str, Any]
    stream: Literal["state"] = "state"

    @property
    def fields(self) -> Change:
        """Return `params`, typed."""
        return cast("Change", self.params)


class Latency(NamedTuple):
    """How the service keeps up."""

    params: Dict[str, Any]
    stream: Literal["latency"] = "latency"

    @property
    def fields(self) -> Pace:
        """Return `params`, typed."""
        return cast("Pace", self.params)


class Signal(NamedTuple):
    """A stretch of the signal: `t0`, `sfreq`, `n_channels`, `n_times`."""

    params: Dict[str, Any]
    data: bytes
    stream: Literal["signal"] = "signal"

    def samples(self) -> "List[array[float]]":
        """Return the samples of each channel, in SI units."""
        values = _floats(self.data)
        n_times = self.params["n_times"]
        return [values[i : i + n_times] for i in range(0, len(values), n_times or 1)]


class Latent(NamedTuple):
    """A window in the embedding space: `decode_id`, `space`, `t_end`, `n_dims`, ..."""

    params: Dict[str, Any]
    data: bytes
    stream: Literal["latent"] = "latent"

    def vector(self) -> "array[float]":
        """Return the vector of length ``n_dims``."""
        return _floats(self.data)


class Image(NamedTuple):
    """A picture of a decode; `data` are its bytes, of the format that `params` name.

    `data` is empty where the picture is not kept any more, as of a coarse one that is resumed.
    """

    params: Dict[str, Any]
    data: bytes
    stream: Literal["image"] = "image"

    @property
    def fields(self) -> Picture:
        """Return `params`, typed."""
        return cast("Picture", self.params)


class Other(NamedTuple):
    """What a newer service says on a stream that this file does not know."""

    params: Dict[str, Any]
    data: bytes
    stream: str


Event = Union[Text, Image, Marker, Evidence, Quality, State, Latency, Signal, Latent, Other]
"""What the service said. `stream` is its stream, `params` its fields."""

_TEXTUAL: Dict[str, Any] = {
    "text": Text,
    "markers": Marker,
    "evidence": Evidence,
    "quality": Quality,
    "state": State,
    "latency": Latency,
}
_BINARY: Dict[str, Any] = {"signal": Signal, "latent": Latent, "image": Image}


class RequestError(Exception):
    """The service answered a request with an error; its codes are in the protocol."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def split_url(url: str) -> Tuple[str, str]:
    """Make the websocket's address and the token out of the address printed at start.

    >>> split_url("http://127.0.0.1:8000/#token=abc")
    ('ws://127.0.0.1:8000/v1/ws', 'abc')
    """
    parts = urlsplit(url if "//" in url else "http://" + url)
    scheme = "wss" if parts.scheme in ("https", "wss") else "ws"
    path = parts.path if parts.path.endswith("/v1/ws") else "/v1/ws"
    token = parse_qs(parts.fragment).get("token", [""])[0]
    return "{}://{}{}".format(scheme, parts.netloc, path), token


def _floats(data: bytes) -> "array[float]":
    values = array("f", data)
    if sys.byteorder == "big":
        values.byteswap()
    return values


class _Core:
    """What a client knows, whatever carries it: words out, frames in, and no I/O."""

    def __init__(
        self, url: str, streams: Policies, from_seq: Optional[int], picture_format: str = "png"
    ) -> None:
        self.address, token = split_url(url)
        self.credentials = {"token": token} if token else {}
        self.session: Dict[str, Any] = {}
        self.events: Deque[Event] = deque()
        self.answers: Dict[int, Dict[str, Any]] = {}
        self.n_frames = 0
        self.n_missed = 0
        self.n_connections = 0
        named = streams if isinstance(streams, Mapping) else dict.fromkeys(streams, "lossless")
        self._policies: Dict[str, Union[str, float]] = dict(named)
        self._picture_format = picture_format
        self._from_seq = from_seq
        self._next_seq = from_seq
        self._last_id = 0
        self._open: Set[int] = set()
        self._t_asked = 0.0
        self._asked: Dict[int, float] = {}
        self._clock: Deque[Tuple[float, float]] = deque(maxlen=15)  # way there and back, offset

    def ask(self, method: str, params: Optional[Dict[str, Any]] = None) -> Tuple[int, str]:
        """Return the id of a request, and the request."""
        self._last_id += 1
        self._open.add(self._last_id)
        if method in ("authorize", "time"):
            self._t_asked = self._asked[self._last_id] = time.monotonic()
        message = {"jsonrpc": "2.0", "id": self._last_id, "method": method}
        return self._last_id, json.dumps({**message, "params": params or {}})

    def answer(self, number: int) -> Dict[str, Any]:
        """Return the result of a request that was answered, or raise its error."""
        message = self.answers.pop(number)
        if "error" in message:
            raise RequestError(message["error"]["code"], message["error"]["message"])
        result: Dict[str, Any] = message["result"]
        return result

    def now(self) -> float:
        """Return what the service's clock reads: by the answer that came the quickest way."""
        return time.monotonic() + (min(self._clock)[1] if self._clock else float("nan"))

    def wants_time(self) -> bool:
        """Say whether it is long ago that the service was asked for the time."""
        return time.monotonic() - self._t_asked > CLOCK

    def reset_clock(self) -> None:
        """Forget the clock: the service that answers next may have another one."""
        self._asked.clear()
        self._clock.clear()

    def _learn(self, number: int, answer: Dict[str, Any]) -> None:
        sent, now = self._asked.pop(number, None), time.monotonic()
        if sent is not None and "t_lsl" in answer:
            self._clock.append((now - sent, answer["t_lsl"] - (sent + now) / 2))

    def forget(self, number: int) -> None:
        """Wait no longer for the answer to a request."""
        self._open.discard(number)
        self.answers.pop(number, None)

    def welcome(self, hello: Dict[str, Any]) -> None:
        """Take the answer to `authorize`, which decides from where to go on."""
        if self._next_seq is None:
            self._live(hello)
        elif self.session and hello["session"] != self.session["session"]:
            self._next_seq = 1  # of another session all is new
        elif self.session and "last_seq" in hello:  # its disk failed: it counts anew
            self._next_seq = min(self._next_seq, hello["last_seq"] + 1)
        self.session = hello

    def _live(self, hello: Dict[str, Any]) -> None:
        last_seq = hello.get("last_seq")
        self._next_seq = None if last_seq is None else last_seq + 1

    def subscriptions(self) -> List[Dict[str, Any]]:
        """Return the parameters of each `subscribe`."""
        going_on = self._from_seq is not None or self.n_connections > 0
        groups: Dict[Tuple[Union[str, float], bool], List[str]] = {}
        for stream, policy in self._policies.items():
            resumes = going_on and policy == "lossless" and stream not in _EPHEMERAL
            groups.setdefault((policy, resumes), []).append(stream)
        subscriptions = []
        for (policy, resumes), names in groups.items():
            params: Dict[str, Any] = {"streams": names, "policy": policy}
            if not isinstance(policy, str):
                params.update(policy="rate", rate=policy)
            if "image" in names and self._picture_format != "png":
                params["format"] = self._picture_format
            if resumes and self._next_seq is not None:
                params["from_seq"] = self._next_seq
            subscriptions.append(params)
        return subscriptions

    def instead(self, params: Dict[str, Any], refused: RequestError) -> Dict[str, Any]:
        """Return what to ask instead when a subscription was refused, or raise that.

        What was said before a participant's stop is gone for everybody: the client goes on
        with what comes, unless it was told where to begin.
        """
        if refused.code != _PURGED or not self.n_connections:
            raise refused
        self._live(self.session)
        return {key: value for key, value in params.items() if key != "from_seq"}

    def subscribed(self, answer: Dict[str, Any]) -> None:
        """Take the answer to `subscribe`."""
        for failure in answer["failure"]:
            raise RequestError(failure["code"], "{stream}: {message}".format(**failure))
        self.n_missed += answer.get("missed") or 0

    def take(self, frame: Union[str, bytes]) -> None:
        """Take a frame: an answer, or an event, unless that came before."""
        self.n_frames += 1
        if not isinstance(frame, str):
            (n,) = struct.unpack(">I", frame[:4])
            params, data = json.loads(frame[4 : 4 + n]), frame[4 + n :]
            stream = params["stream"]
            kind = _BINARY.get(stream)
            if not self._is_new(stream, params.get("seq")):
                return
            self.events.append(kind(params, data) if kind else Other(params, data, stream))
            return
        message = json.loads(frame)
        if "method" not in message:
            number = message["id"]
            self._learn(number, message.get("result") or {})
            if number in self._open:
                self._open.remove(number)
                self.answers[number] = message
        elif self._is_new(message["method"], message["params"].get("seq")):
            stream, params = message["method"], message["params"]
            kind = _TEXTUAL.get(stream)
            self.events.append(kind(params) if kind else Other(params, b"", stream))

    def _is_new(self, stream: str, seq: Optional[int]) -> bool:
        """Say whether an event did not come before, and remember it."""
        if seq is None or self._policies.get(stream) != "lossless":
            return True
        came = self.n_connections > 1 and self._next_seq is not None and seq < self._next_seq
        self._next_seq = max(self._next_seq or 0, seq + 1)
        return not came


class _Blocking:
    """Carries the words of a `Client`: its coroutines never wait for another."""

    _ws: ClientConnection

    def __init__(self) -> None:
        self.mending = _NoLock()

    async def open(self, address: str, timeout: float, ssl: Optional[tls.SSLContext]) -> None:
        opening = open_sync(address, open_timeout=timeout, ssl=ssl, **_OPTIONS)
        self._ws = opening.__enter__()  # as newer versions of websockets want it

    async def send(self, text: str) -> None:
        self._ws.send(text)

    async def receive(self, core: _Core, timeout: float) -> None:
        core.take(self._ws.recv(timeout))

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def close(self) -> None:
        self._ws.close()


class _NoLock:
    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        pass


class _Waiting:
    """Carries the words of an `AsyncClient`: of tasks that wait, one reads for all."""

    _ws: AsyncConnection

    def __init__(self) -> None:
        self.mending = asyncio.Lock()
        self._reading = asyncio.Lock()

    async def open(self, address: str, timeout: float, ssl: Optional[tls.SSLContext]) -> None:
        self._ws = await open_async(address, open_timeout=timeout, ssl=ssl, **_OPTIONS)

    async def send(self, text: str) -> None:
        await self._ws.send(text)

    async def receive(self, core: _Core, timeout: float) -> None:
        n_frames = core.n_frames
        async with self._reading:
            if core.n_frames == n_frames:
                try:
                    core.take(await asyncio.wait_for(self._ws.recv(), timeout))
                except asyncio.TimeoutError as error:  # another class before Python 3.11
                    raise TimeoutError from error

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        await self._ws.close()


class _Line:
    """Keeps a connection: all that a client does, whether it blocks or not."""

    def __init__(
        self, core: _Core, carrier: Union[_Blocking, _Waiting], settings: "_Settings"
    ) -> None:
        self.core = core
        self._carrier = carrier
        self._settings = settings
        self._n_silent = 0

    async def open(self) -> None:
        """Connect, authorize and subscribe."""
        core, (timeout, _, ssl) = self.core, self._settings
        core.reset_clock()
        await self._carrier.open(core.address, timeout, ssl)
        try:
            core.welcome(await self.ask("authorize", core.credentials))
            for params in core.subscriptions():
                try:
                    answer = await self.ask("subscribe", params)
                except RequestError as refused:
                    answer = await self.ask("subscribe", core.instead(params, refused))
                core.subscribed(answer)
        except BaseException:
            await self._carrier.close()
            raise
        core.n_connections += 1
        self._n_silent = 0

    async def ask(
        self, method: str, params: Optional[Dict[str, Any]], timeout: float = 0.0
    ) -> Dict[str, Any]:
        """Send a request and return its result."""
        core, connection = self.core, self.core.n_connections
        deadline = time.monotonic() + (timeout or self._settings.timeout)
        number, message = core.ask(method, params)
        try:
            await self._carrier.send(message)
            while number not in core.answers:
                await self._carrier.receive(core, max(0.0, deadline - time.monotonic()))
                if core.n_connections != connection:
                    raise ConnectionResetError(_UNKNOWN.format(method))
            return core.answer(number)
        finally:
            core.forget(number)

    async def request(
        self, method: str, params: Optional[Dict[str, Any]], timeout: float
    ) -> Dict[str, Any]:
        """Send a request once, and connect again if that broke."""
        connection = self.core.n_connections
        try:
            return await self.ask(method, params, timeout)
        except ConnectionClosed as closed:
            await self._again(closed, connection)
            raise ConnectionResetError(_UNKNOWN.format(method)) from closed

    async def next(self) -> Optional[Event]:
        """Return the next event; None if the service ended and does not come back."""
        core = self.core
        while not core.events:
            connection = core.n_connections
            try:
                await self._listen()
            except ConnectionClosed as closed:
                if not await self._again(closed, connection):
                    return None
        return core.events.popleft()

    async def _listen(self) -> None:
        try:
            await self._carrier.receive(self.core, PULSE)
            self._n_silent = 0
        except TimeoutError:
            self._n_silent += 1
            if self._n_silent >= N_SILENT:
                await self._carrier.close()  # which the next `receive` says
                return
        if self._n_silent or self.core.wants_time():
            number, message = self.core.ask("time")
            self.core.forget(number)  # nobody waits for it
            await self._carrier.send(message)

    async def _again(self, closed: ConnectionClosed, connection: int) -> bool:
        """Connect again; return False if the service ended, and does not come back."""
        code = closed.rcvd.code if closed.rcvd is not None else None
        if code == _FORBIDDEN:
            raise closed
        problem: Exception = closed
        deadline = time.monotonic() + self._settings.patience
        async with self._carrier.mending:
            if self.core.n_connections != connection:
                return True  # another task did
            for n in itertools.count():
                wait = WAITS[min(n, len(WAITS) - 1)] * random.uniform(0.5, 1.0)
                if time.monotonic() + wait > deadline:
                    break
                await self._carrier.sleep(wait)
                try:
                    await self.open()
                except (OSError, WebSocketException, asyncio.TimeoutError) as error:
                    if isinstance(error, InvalidStatus) and error.response.status_code == 403:
                        raise
                    problem = error
                else:
                    return True
        if code in _ENDED:
            return False
        raise problem

    async def close(self) -> None:
        """Close the connection."""
        await self._carrier.close()


class _Settings(NamedTuple):
    timeout: float
    patience: float
    ssl: Optional[tls.SSLContext]


_Result = TypeVar("_Result")


def _at_once(coroutine: "Coroutine[Any, Any, _Result]") -> _Result:
    """Run a coroutine that never waits for another."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: _Result = done.value
        return result
    raise AssertionError


class _Client:
    """What both clients are.

    Attributes
    ----------
    session : dict
        What the service answered to `authorize`: `session`, `role`, ...
    n_missed : int
        Events that could not be had when it went on: the service had them no longer.
    n_connections : int
        How often it was connected.
    """

    _line: _Line

    @property
    def session(self) -> Dict[str, Any]:
        return self._line.core.session

    @property
    def n_missed(self) -> int:
        return self._line.core.n_missed

    @property
    def n_connections(self) -> int:
        return self._line.core.n_connections

    def now(self) -> float:
        """Return what the service's LSL clock reads now, in seconds."""
        return self._line.core.now()

    def age(self, event: Event) -> float:
        """Return how long ago an event was sent, in seconds; of signal: its first sample taken.

        Whoever reads slowly gets old events of ``"lossless"`` streams: nothing that is older
        than a second should be shown as live.
        """
        sent: float = event.params["t0" if event.stream == "signal" else "t_emit"]
        return self.now() - sent


class Client(_Client):
    """A connection that is authorized and subscribed; `connect` makes one.

    Iterating over it gives events as they come. For one thread.
    """

    def __init__(self, core: _Core, settings: _Settings) -> None:
        self._line = _Line(core, _Blocking(), settings)
        _at_once(self._line.open())

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        _at_once(self._line.close())

    def __iter__(self) -> Iterator[Event]:
        """Give events; see `connect` for when it ends, and what it raises."""
        while True:
            event = _at_once(self._line.next())
            if event is None:
                return
            yield event

    def request(
        self, method: str, params: Optional[Dict[str, Any]] = None, timeout: float = 0.0
    ) -> Dict[str, Any]:
        """Send a request and return its result; events that come meanwhile are kept.

        Raises `RequestError` if it was refused, `TimeoutError` if it was not answered in
        `timeout` seconds, and `ConnectionResetError` if the connection broke before: whether it
        was done is not known, since a request is never sent twice.
        """
        return _at_once(self._line.request(method, params, timeout))

    def inject_marker(self, label: Union[str, int], t: Optional[float] = None) -> float:
        """Add a marker as if the source had sent it; return its time on the LSL clock."""
        return float(self.request("injectMarker", _marker(label, t))["t"])

    def set_candidates(
        self, candidates: Sequence[Mapping[str, str]], mode: str = "replace"
    ) -> Dict[str, Any]:
        """Replace, add or remove candidates (`id`, `text`); return `candidates_version`, ..."""
        params = {"candidates": [dict(c) for c in candidates], "mode": mode}
        return self.request("setCandidates", params, EMBEDDING)

    def control(self, action: str, **params: Any) -> str:
        """Ask for ``"stop"``, ``"resume"``, ``"pause"``, ``"note"``, ...; return the state."""
        return str(self.request("control", {"action": action, **params})["state"])


class AsyncClient(_Client):
    """As `Client`, for asyncio; `connect_async` makes one.

    One task may iterate over it while others make requests.
    """

    def __init__(self, core: _Core, settings: _Settings) -> None:
        self._line = _Line(core, _Waiting(), settings)

    async def __aenter__(self) -> "AsyncClient":
        await self._line.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._line.close()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Give events; see `connect` for when it ends, and what it raises."""
        while True:
            event = await self._line.next()
            if event is None:
                return
            yield event

    async def request(
        self, method: str, params: Optional[Dict[str, Any]] = None, timeout: float = 0.0
    ) -> Dict[str, Any]:
        """Send a request and return its result; see `Client.request`."""
        return await self._line.request(method, params, timeout)

    async def inject_marker(self, label: Union[str, int], t: Optional[float] = None) -> float:
        """Add a marker as if the source had sent it; return its time on the LSL clock."""
        return float((await self.request("injectMarker", _marker(label, t)))["t"])

    async def set_candidates(
        self, candidates: Sequence[Mapping[str, str]], mode: str = "replace"
    ) -> Dict[str, Any]:
        """Replace, add or remove candidates (`id`, `text`); return `candidates_version`, ..."""
        params = {"candidates": [dict(c) for c in candidates], "mode": mode}
        return await self.request("setCandidates", params, EMBEDDING)

    async def control(self, action: str, **params: Any) -> str:
        """Ask for ``"stop"``, ``"resume"``, ``"pause"``, ``"note"``, ...; return the state."""
        return str((await self.request("control", {"action": action, **params}))["state"])


def _marker(label: Union[str, int], t: Optional[float]) -> Dict[str, Any]:
    return {"label": label} if t is None else {"label": label, "t": t}


def connect(
    url: str,
    streams: Policies = ("text",),
    from_seq: Optional[int] = None,
    timeout: float = 10.0,
    patience: float = 60.0,
    ssl: Optional[tls.SSLContext] = None,
    picture_format: str = "png",
) -> Client:
    """Connect, authorize and subscribe; the connection closes at the end of the `with` block.

    Parameters
    ----------
    url : str
        The address printed at start, with its token.
    streams : iterable of str, or mapping
        Which; all ``"lossless"``, or each with its policy: that, ``"latest"``, or a number of
        messages a second.
    from_seq : int or None
        The first event of the session to be sent, such as the one after the last that was seen
        before this program was started again; 1: all. None: what comes from now on.
    timeout : float
        Seconds to wait for the service, and for each answer.
    patience : float
        Seconds to go on trying after the connection broke. If that was in vain, iterating
        ends where the service had said that it stops, and raises what was wrong else.
    ssl : SSLContext or None
        For ``https`` addresses whose certificate the system does not know.
    picture_format : str
        Of the stream ``image``: ``"png"``, ``"jpeg"`` or ``"webp"``.

    Raises
    ------
    RequestError
        If the token is wrong, or a stream does not exist.
    OSError
        If nothing listens there.
    """
    return Client(
        _Core(url, streams, from_seq, picture_format), _Settings(timeout, patience, ssl)
    )


def connect_async(
    url: str,
    streams: Policies = ("text",),
    from_seq: Optional[int] = None,
    timeout: float = 10.0,
    patience: float = 60.0,
    ssl: Optional[tls.SSLContext] = None,
    picture_format: str = "png",
) -> AsyncClient:
    """Connect as `connect` does, at the beginning of an ``async with`` block."""
    return AsyncClient(
        _Core(url, streams, from_seq, picture_format), _Settings(timeout, patience, ssl)
    )
