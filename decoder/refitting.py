"""What learns beside a session, in a process of its own, so that it delays no decode.

The process is nice, ends when its standard input does, and answers trials only when it has
something to say. It saves a model to the session's folder before it names it.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from decoder.children import kill, pipes, spawn
from decoder.embedding import NICE
from decoder.events import LatentMade, TextDecoded
from decoder.folder import SessionFolder
from decoder.refitter import Refitter, Trial
from models.checkpoint import load_model, save_model
from streaming.errors import BraincastError

__all__ = ["Answer", "Learner", "serve_refit"]

logger = logging.getLogger(__name__)

N_WAITING = 64
"""Trials that may wait for the process; then the oldest is dropped, and not learnt."""

N_LATE = 50
"""Trials that may still come from the model before, after another was named. If more do, it
was not taken."""

LOOK = 0.1
"""Seconds between two looks at what waits."""

SURE = 0.5
"""Probability from which on the session's own decode is learnt, where that was asked for."""

Answer = Callable[[str, str, str], None]
"""Told a state, a line for a person, and the id of the model that shall decode, or nothing."""


class Learner:
    """Gives trials to the process, and passes on what it answers.

    Parameters
    ----------
    folder : SessionFolder
        Where models are.
    session : str
        That is recorded.
    decodes : bool
        Learn from the session's own decodes, where no truth is known.
    answer : callable
        Called in a thread of its own.
    """

    def __init__(
        self, folder: SessionFolder, answer: Answer, session: str, *, decodes: bool
    ) -> None:
        self._decodes = decodes
        self._closed = threading.Event()
        self._answer = answer
        self._trials: deque[bytes] = deque(maxlen=N_WAITING)
        self.n_dropped = 0
        self._child = spawn(
            "refit",
            "--folder",
            str(folder.path),
            "--session",
            session,
            environment={},
        )
        self._threads = [
            threading.Thread(target=target, name=f"refit-{target.__name__}", daemon=True)
            for target in (self._give, self._hear)
        ]
        for thread in self._threads:
            thread.start()

    def offer(self, decoded: TextDecoded, made: LatentMade) -> None:
        """Take a decode, if something can be learnt from it; never waits."""
        if decoded.stale or not (decoded.calibrated and decoded.final) or made.data is None:
            return
        if decoded.truth is not None:
            # One window alone is not to be held against several.
            once = decoded.n_repeats == 1
            shown, rank = decoded.truth.id, decoded.truth.rank if once else 0
        elif self._decodes and decoded.top[0].p >= SURE:
            shown, rank = decoded.top[0].id, 0
        else:
            return
        header = {
            "model": made.model_id,
            "shown": shown,
            "rank": rank,
            "shape": list(made.data.shape),
            "span": [decoded.t_start, decoded.t_end],
            "recentred": made.recentred,
        }
        data = np.ascontiguousarray(made.data, "<f4").tobytes()
        self.n_dropped += len(self._trials) == N_WAITING
        self._trials.append(json.dumps(header).encode() + b"\n" + data)

    @property
    def n_waiting(self) -> int:
        """Trials that wait for the process."""
        return len(self._trials)

    def _give(self) -> None:
        pipe, _ = pipes(self._child)
        with suppress(OSError):  # it has ended, which `_hear` says
            # Woken by each trial, this thread would take the interpreter from the one that
            # decodes just then: for 22 ms on a busy machine (median).
            while not self._closed.wait(LOOK):
                while self._trials:
                    pipe.write(self._trials.popleft())
                pipe.flush()
        with suppress(OSError):
            pipe.close()

    def _hear(self) -> None:
        _, pipe = pipes(self._child)
        for line in pipe:
            said = json.loads(line)
            self._answer(said["state"], said["detail"], said["model"])
        code = self._child.wait()
        if not self._closed.is_set():
            detail = f"what refits ended with {code}: nothing is learnt any more"
            self._answer("stopped", detail, "")

    def close(self) -> None:
        """Learn nothing more."""
        self._closed.set()
        self._child.kill()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        kill(self._child)


class _Lessons:
    """Gives trials to the refitter of the model that decoded them."""

    def __init__(self, folder: SessionFolder, session: str) -> None:
        self._folder, self._session = folder, session
        self._refitter: Refitter | None = None
        self._refused = ""
        self._n_late = 0
        self._left = ""  # the model that was decoding before the one that was named

    def take(self, model_id: str, trial: Trial) -> list[dict[str, str]]:
        """Learn from a trial; return what is to be said."""
        if model_id == self._refused:
            return []
        now = self._refitter
        if now is not None and model_id == self._left and self._n_late < N_LATE:
            self._n_late += 1
            return []
        said: list[dict[str, str]] = []
        if now is None or now.model.model_id != model_id:
            try:
                model = load_model(self._folder.model_path(model_id))
                now = self._refitter = Refitter(model, self._session)
            except BraincastError as error:
                self._refused, self._refitter = model_id, None
                return [_answer("refused", f"nothing is refitted: {error}")]
            self._left = ""
            said.append(_answer("started", f"refit: model {model_id[:16]} goes on learning"))
        for outcome in now.take(trial):
            named = ""
            if outcome.model is not None:
                named = outcome.model.model_id
                save_model(outcome.model, self._folder.model_path(named), overwrite=True)
                self._left, self._n_late = model_id, 0
            said.append(_answer(outcome.state, outcome.detail, named))
        return said


def _answer(state: str, detail: str, model: str = "") -> dict[str, str]:
    return {"state": state, "detail": detail, "model": model}


def serve_refit(folder: Path, session: str, trials: IO[bytes], answers: IO[bytes]) -> None:
    """Learn from trials until nobody sends any more.

    Parameters
    ----------
    folder : Path
        Of the session, with its models.
    session : str
        That is recorded, which models name: where samples are taken in elsewhere, of there.
    trials : file
        For each, a line of JSON and its samples as little-endian float32.
    answers : file
        Gets a line of JSON for each thing that is to be said.
    """
    if hasattr(os, "nice"):  # not on Windows
        os.nice(NICE)
    lessons = _Lessons(SessionFolder(folder), session)
    for line in trials:
        header: dict[str, Any] = json.loads(line)
        n_channels, n_times = header["shape"]
        data = trials.read(4 * n_channels * n_times)
        if len(data) < 4 * n_channels * n_times:
            return
        samples = np.frombuffer(data, "<f4").reshape(n_channels, n_times).astype(np.float32)
        span = tuple[float, float](header["span"])
        trial = Trial(samples, header["shown"], header["rank"], span, header["recentred"])
        for said in lessons.take(header["model"], trial):
            answers.write(json.dumps(said).encode() + b"\n")
            answers.flush()
