"""Read what became of a session from its folder, line by line: a log may be long."""

from __future__ import annotations

import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoder.account import (
    VERDICTS,
    Account,
    Channels,
    Coverage,
    Evidence,
    Happening,
    Latencies,
    Loss,
    Preview,
    Score,
    Windows,
)
from decoder.folder import SessionFolder
from decoder.journal import read_entries
from decoder.reading import read_log

__all__ = ["read_account"]


def read_account(folder: SessionFolder) -> Account:
    """Read what a session's folder says of it; also of one that was cut short.

    Parameters
    ----------
    folder : SessionFolder
        Of the session; nobody writes to it.

    Raises
    ------
    SessionError
        If a part is missing or cannot be read.
    """
    log = _Log()
    t_first = t_last = 0.0
    for n, message in enumerate(read_log(folder)):
        t_last = message["params"]["t_emit"]
        t_first = t_last if n == 0 else t_first
        log.take(message["method"], message["params"], t_last - t_first)
    starts, recordings, n_times, ended = _fed(folder)
    windows = Windows(_floats(log.t_window), _ints(log.outcome), tuple(log.outcomes))
    return Account(
        session_id=folder.session_id,
        manifest=folder.manifest(),
        config=folder.config(),
        duration=t_last - t_first,
        ending="ended in good order" if ended else "cut short",
        n_decoders=starts,
        recordings=tuple((t - t_first, name) for t, name in recordings),
        n_times=n_times,
        windows=windows,
        scores=tuple(score.done() for score in log.scores),
        coverage=log.coverage(),
        latencies=log.latencies(),
        channels=log.channels(),
        losses=tuple(log.losses),
        evidence=tuple(_evidence(says, log.withdrawn) for says in log.evidence.values()),
        previews=tuple(log.previews),
        happened=tuple(log.happened),
        decoded=log.decoded,
        by_latency={
            key: {at: (hits, n) for at, (hits, n) in sorted(found.items())}
            for key, found in sorted(log.by_latency.items())
        },
        by_repeats={
            key: {n: (hits, of) for n, (hits, of) in sorted(found.items())}
            for key, found in sorted(log.by_repeats.items())
        },
        uncalibrated=log.uncalibrated,
        roles=log.roles,
        unknown=log.unknown,
        clients=_clients(folder.path / "audit.jsonl"),
    )


@dataclass(slots=True)
class _Scoring:
    """Collects a `Score`."""

    key: tuple[str, str, int, str]
    pool: int
    version: int
    t: array[float] = field(default_factory=lambda: array("d"))
    rank: array[int] = field(default_factory=lambda: array("q"))
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)

    def done(self) -> Score:
        model_id, _, _, protocol = self.key
        return Score(
            protocol,
            model_id,
            self.version,
            self.pool,
            _floats(self.t),
            _ints(self.rank),
            self.answers,
        )


class _Log:
    """Takes the events of a session one after the other."""

    def __init__(self) -> None:
        self.t_window, self.outcome = array("d"), array("q")
        self.outcomes: dict[str, int] = {"decoded": 0}
        self.scores: list[_Scoring] = []
        self.decoded: Counter[str] = Counter()
        self.uncalibrated = 0
        self.by_latency: dict[tuple[str, int], dict[float, list[int]]] = {}
        self.by_repeats: dict[tuple[str, int], dict[int, list[int]]] = {}
        self.roles: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.losses: list[Loss] = []
        self.previews: list[Preview] = []
        self._newest = ("", "", "")  # decode: its name, its answer, what was shown
        self.happened: list[Happening] = []
        self.evidence: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.withdrawn = ""
        self._earlier: dict[str, list[tuple[float, str]]] = {}
        self._sets: dict[tuple[str, int, float], list[tuple[float, bool, int]]]
        self._sets = defaultdict(list)
        self._n_sets: dict[str, tuple[int, int]] = {}  # and how many held the truth
        self._n_pools, self._pool = 0, ("", "")
        self._t_decode = array("d")
        self._stages: dict[str, array[float]] = {}
        self._names: dict[str, int] = {}
        self._judged: list[tuple[float, dict[int, int], list[int], bool]] = []

    def take(self, stream: str, params: dict[str, Any], t: float) -> None:
        """Take an event that was said `t` seconds after the first."""
        match stream:
            case "text":
                self._text(params, t)
            case "markers":
                self.roles[params["role"]] += 1
                if params["role"] == "unknown":
                    self.unknown[params["label"]] += 1
            case "quality":
                self._quality(params, t)
            case "state":
                self._state(params, t)
            case "image":
                self._image(params, t)
            case "evidence":
                self.evidence[params["protocol"]].append(params | {"t": t})
                if params.get("over"):
                    self.withdrawn = params["reason"]

    def _text(self, params: dict[str, Any], t: float) -> None:
        top = params["top"]
        first = top[0]["id"] if top else ""
        if not params.get("final", True):
            at = (params.get("latency") or 0.0, first)
            self._earlier.setdefault(params["decode_id"], []).append(at)
            return
        earlier = self._earlier.pop(params["decode_id"], [])
        outcome = params["abstained"] or ("stale" if params["stale"] else "decoded")
        self.t_window.append(t)
        self.outcome.append(self.outcomes.setdefault(outcome, len(self.outcomes)))
        self._promised(params, t)
        if params["abstained"]:
            return
        self.decoded[first] += 1
        shown = params["truth"]["text"] if params["truth"] else ""
        self._newest = params["decode_id"], top[0]["text"], shown
        self.uncalibrated += not params["calibrated"]
        self._took(params["latency_ms"] or {}, t)
        if params["truth"] and not params["stale"]:
            truth, n_repeats = params["truth"], params.get("n_repeats", 1)
            key = _protocol(truth), params["n_candidates"]
            summed = self.by_repeats.setdefault(key, defaultdict(lambda: [0, 0]))
            summed[n_repeats][0] += truth["rank"] == 1
            summed[n_repeats][1] += 1
            if n_repeats > 1:
                return
            self._scored(params, t, first)
            if params.get("latency") is not None:
                found = self.by_latency.setdefault(key, defaultdict(lambda: [0, 0]))
                for latency, said in [*earlier, (params["latency"], first)]:
                    found[latency][0] += said == truth["id"]
                    found[latency][1] += 1

    def _image(self, params: dict[str, Any], t: float) -> None:
        name, answer, shown = self._newest
        if params["final"] and params["decode_id"] == name:  # of the newest decode, by design
            kind, source, file = params["kind"], params["source"], params["file"]
            self.previews.append(Preview(t, answer, shown, kind, source, file))

    def _promised(self, params: dict[str, Any], t: float) -> None:
        sets = params.get("conformal")
        for running in params["running"]:  # which tells it of those that were withheld, too
            protocol, n = running["protocol"], running.get("n_sets", 0)
            n_held = round(n * (running.get("coverage") or 0.0))
            before = self._n_sets.get(protocol, (0, 0)) if n > 1 else (0, 0)
            self._n_sets[protocol] = n, n_held
            if sets and params["abstained"] and n == before[0] + 1:
                key = protocol, params["n_candidates"], sets["risk"]
                self._sets[key].append((t, n_held > before[1], len(sets["ids"])))
        truth = params["truth"]
        single = params.get("n_repeats", 1) == 1
        if sets and truth and single and not params["stale"]:
            key = _protocol(truth), params["n_candidates"], sets["risk"]
            self._sets[key].append((t, truth["id"] in sets["ids"], len(sets["ids"])))

    def coverage(self) -> tuple[Coverage, ...]:
        """Return whether sets held what they promised."""
        return tuple(
            Coverage(
                protocol,
                pool,
                np.array([t for t, _, _ in said]),
                np.array([held for _, held, _ in said], bool),
                np.array([size for _, _, size in said], np.intp),
                risk,
            )
            for (protocol, pool, risk), said in self._sets.items()
        )

    def _took(self, latency_ms: dict[str, float], t: float) -> None:
        n = len(self._t_decode)
        self._t_decode.append(t)
        for stage, value in latency_ms.items():
            values = self._stages.setdefault(stage, array("d"))
            values.extend([np.nan] * (n - len(values)))
            values.append(value)

    def _scored(self, params: dict[str, Any], t: float, first: str) -> None:
        truth = params["truth"]
        pool = params["model_id"], params["candidates_hash"]
        if pool != self._pool:  # chance, or who decodes, is another: so is the score
            self._pool, self._n_pools = pool, self._n_pools + 1
        key = *pool, self._n_pools, _protocol(truth)
        score = next((score for score in self.scores[-2:] if score.key == key), None)
        if score is None:
            version = params.get("candidates_version", 1)
            score = _Scoring(key, params["n_candidates"], version)
            self.scores.append(score)
        score.t.append(t)
        score.rank.append(truth["rank"])
        score.answers[truth["id"], first] += 1

    def _quality(self, params: dict[str, Any], t: float) -> None:
        numbers = [self._names.setdefault(n, len(self._names)) for n in params["ch_names"]]
        verdicts = [VERDICTS.index(verdict) for verdict in params["verdicts"]]
        judged = dict(zip(numbers, verdicts, strict=True))
        interpolated = [self._names[name] for name in params["interpolated"]]
        self._judged.append((t, judged, interpolated, params["refused"]))

    def _state(self, params: dict[str, Any], t: float) -> None:
        what, state, detail = params["what"], params["state"], params["detail"]
        if what == "gap":
            reason = params.get("reason", state)
            self.losses.append(Loss(t, params.get("duration", 0.0), reason, detail))
        elif (what, state) not in _USUAL:
            self.happened.append(Happening(t, what, state, detail))

    def latencies(self) -> Latencies:
        """Return how long decodes took."""
        n = len(self._t_decode)
        for values in self._stages.values():
            values.extend([np.nan] * (n - len(values)))
        stages = {name: _floats(values) for name, values in self._stages.items()}
        return Latencies(_floats(self._t_decode), stages)

    def channels(self) -> Channels | None:
        """Return how the channels were."""
        if not self._judged:
            return None
        shape = len(self._names), len(self._judged)
        verdicts = np.full(shape, -1, np.int8)
        interpolated = np.zeros(shape, bool)
        for n, (_, judged, stood_in, _) in enumerate(self._judged):
            verdicts[list(judged), n] = list(judged.values())
            interpolated[stood_in, n] = True
        t = np.array([t for t, *_ in self._judged])
        refused = np.array([refused for *_, refused in self._judged])
        return Channels(tuple(self._names), t, verdicts, interpolated, refused)


_USUAL = {("decoder", "settling"), ("decoder", "ready")}
"""What is said at the beginning of each stretch of signal."""


def _protocol(truth: dict[str, Any]) -> str:
    return "closed_set" if truth["trained"] else "zero_shot"


def _evidence(says: list[dict[str, Any]], withdrawn: str) -> Evidence:
    """Return what betting came to; what was withdrawn is not drawn."""
    bet = [said for said in says if said["available"] and not withdrawn]
    last = says[-1]
    return Evidence(
        protocol=last["protocol"],
        design=last["design"],
        t=np.array([said["t"] for said in bet]),
        log10_e=np.array([said["log10_e"] for said in bet]),
        n=last["n"] if bet else 0,
        p=last["p"] if bet else 1.0,
        reason=withdrawn or ("" if last["available"] else last["reason"]),
        warning=last.get("warning", ""),
    )


def _fed(folder: SessionFolder) -> tuple[int, list[tuple[float, str]], int, bool]:
    """Return decoders, recordings after the first, samples, and whether it was ended."""
    n_starts, recordings, n_times, ended = 0, list[tuple[float, str]](), 0, False
    for kind, t, *rest in read_entries(folder.inputs):
        ended = kind == "end"
        if kind == "start":
            n_starts += 1
        elif kind == "recording":
            recordings.append((t, rest[0]))
        elif kind == "chunk":
            n_times += rest[2]
    return n_starts, recordings, n_times, ended


def _clients(path: Path) -> Counter[str]:
    """Return how often a client of each role came."""
    found: Counter[str] = Counter()
    for line in _whole_lines(path):
        said = json.loads(line)
        if said["method"] == "authorize" and said["outcome"] == "ok":
            found[said["role"]] += 1
        elif said["role"] is None:
            found[""] += 1 + said.get("omitted", 0)
    return found


def _whole_lines(path: Path) -> Iterator[bytes]:
    if not path.is_file():
        return
    with path.open("rb") as lines:
        yield from (line for line in lines if line.endswith(b"\n"))


def _floats(values: array[float]) -> NDArray[np.float64]:
    return np.array(values, np.float64)


def _ints(values: array[int]) -> NDArray[np.intp]:
    return np.array(values, np.intp)
