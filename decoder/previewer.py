"""Pictures of decodes while a session runs: keeps the worker, orders, and passes on.

`offer` is called on the event loop, once the text has gone out; a thread of its own hears what
the worker says, saves final pictures and hands events to whoever logs them.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoder.children import Child
from decoder.config import PreviewConfig
from decoder.events import ImagePreview, LatentMade, State, TextDecoded
from decoder.preview_process import Ended, Made, Opened, PreviewProcess, Refused, spawn_worker
from decoder.preview_schedule import Job, Make, Order, Outcome, Schedule
from decoder.previews import file_name, save, seed_of
from streaming.lsl_clock import Clock

__all__ = ["HANG", "Previewer"]

logger = logging.getLogger(__name__)

HANG = 30.0
"""Seconds after which a worker that does not give up what it makes is ended: on a slow machine
one step of a large generator takes some."""

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
"""Seconds until it is tried again after one failure, two in a row, and so on: pictures that
fail, and workers that die. The last one repeats."""


class Previewer:
    """Has decodes pictured, the newest first and alone.

    Parameters
    ----------
    config : PreviewConfig
        Which generator, on what, and the deadline.
    space : str
        Where the latents of the session lie.
    centre : array of shape (n_dims,)
        Mean of the targets of the model that the session began with.
    folder : Path
        Gets final pictures.
    clock : Clock
        LSL's, where the samples are taken in.
    say : callable
        Takes each event, and the picture of an `ImagePreview` by format; must not wait.
    start : callable
        Starts the worker.
    """

    def __init__(
        self,
        config: PreviewConfig,
        space: str,
        centre: NDArray[np.float32],
        folder: Path,
        clock: Clock,
        say: Callable[[ImagePreview | State, Mapping[str, bytes]], None],
        start: Callable[[], Child] = spawn_worker,
    ) -> None:
        self._config, self._space, self._centre = config, space, centre
        self._folder, self._clock, self._say, self._start = folder, clock, say, start
        self._schedule = Schedule(config.deadline)
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._number = 0
        self._worker: PreviewProcess | None = None
        self._opened: Opened | None = None
        self._n_failed = 0  # in a row; of the thread alone
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._halted = False
        self._unsaved = False
        self._foreign = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many decodes ended as each of `decoder.preview_schedule.OUTCOMES`."""
        with self._lock:
            return dict(self._schedule.counts)

    @property
    def n_waiting(self) -> int:
        """How many decodes wait for a picture: one at most."""
        return int(self._schedule.waiting is not None)

    def describe(self) -> dict[str, Any]:
        """Return what ``/v1/session`` says of it."""
        opened = self._opened
        return {
            "generator": self._config.generator,
            "kind": opened.kind if opened else None,
            "hash": opened.hash if opened else None,
            "deadline": self._config.deadline,
        }

    # -- decodes --

    def supersede(self) -> None:
        """Give up what is in the making: there is a newer decode, which is not pictured."""
        self._offer(None)

    def offer(self, decoded: TextDecoded, made: LatentMade, t_text: float) -> None:
        """Have a decode pictured, if it is one to be shown; its text went out at `t_text`.

        Not one that is stale, and no early answer, which is replaced before its picture would
        be there.
        """
        if decoded.stale or not decoded.final:
            self.supersede()
        elif made.space != self._space:
            self._refuse(made.space)
        else:
            name = decoded.decode_id
            window = decoded.t_start, decoded.t_end
            self._offer(Job(name, made.vector, seed_of(name), *window, t_text))

    def _offer(self, job: Job | None) -> None:
        with self._lock:
            if self._halted or self._closed.is_set():
                return
            if self._thread is None and job is not None:
                # Not before: text comes first, also at the start.
                self._thread = threading.Thread(target=self._keep, name="preview", daemon=True)
                self._thread.start()
            now = self._clock()
            self._do(self._schedule.offer(job, now))
            since = self._schedule.t_cancelled
            if since is not None and now - since > HANG and self._worker is not None:
                logger.warning("what makes previews does not give one up; it is ended")
                self._worker.kill()

    def _refuse(self, space: str) -> None:
        self._offer(None)
        if self._foreign != space:
            self._foreign = space
            detail = (
                f"{self._config.generator} pictures {self._space}, and the model's is {space}"
            )
            self._tell("failed", f"{detail}: nothing is pictured while it decodes")

    def halt(self) -> None:
        """Picture nothing from now on: stopped, or paused."""
        with self._lock:
            self._halted = True
            self._do(self._schedule.offer(None, self._clock()))

    def go_on(self) -> None:
        """Picture again."""
        with self._lock:
            self._halted = False

    def withdraw(self, event: ImagePreview) -> None:
        """Take back a picture that did not go out: something newer, or a stop, came first."""
        with self._lock:
            if event.final:
                self._schedule.withdrawn()
        if event.file is not None:
            (self._folder / event.file).unlink(missing_ok=True)

    def _do(self, orders: list[Order]) -> None:
        worker = self._worker
        assert worker is not None or not orders  # noqa: S101 - none are given without one
        for order in orders:
            self._number = next(self._numbers)
            if isinstance(order, Make):
                job = order.job
                worker.ask(self._number, job.vector, job.seed, order.within)  # type: ignore[union-attr]
            else:
                worker.cancel(self._number)  # type: ignore[union-attr]

    # -- the worker --

    def _keep(self) -> None:
        """Run workers, one after the other, until closed, or until one can never work."""
        while not self._closed.is_set():
            if self._n_failed < 2:
                self._tell("starting", f"{self._config.generator} is being opened")
            ended = self._run()
            if self._closed.is_set():
                return
            if not ended.again:
                self._tell("failed", ended.reason)
                return
            self._closed.wait(self._failed(ended.reason))

    def _run(self) -> Refused:
        """Run a worker until it ends; return why it did."""
        try:
            worker = PreviewProcess(self._config, self._space, self._centre, self._start)
        except OSError as error:
            reason = f"what makes previews cannot be started: {error.strerror}"
            return Refused(reason, again=True)
        with self._lock:
            self._worker = worker
            if self._closed.is_set():  # `close` came while there was none to end
                worker.kill()
        refused = self._hear(worker)
        with self._lock:
            self._schedule.died()
            self._worker = None
        code = worker.close()
        return refused or Refused(f"what makes previews ended with {code}", again=True)

    def _failed(self, reason: str) -> float:
        """Say that nothing is pictured, unless that is known; return the pause [s] it needs."""
        pause = PAUSES[min(self._n_failed, len(PAUSES) - 1)]
        self._n_failed += 1
        if self._n_failed == 1:
            self._tell("failed", f"{reason}; it is tried again in {pause:g} s")
        elif self._n_failed == 2:
            after = f"it is tried again after pauses of up to {PAUSES[-1]:g} s"
            self._tell("failed", f"{reason}, again; {after}, and text goes on")
        return pause

    def _hear(self, worker: PreviewProcess) -> Refused | None:
        """Take what a worker says until it ends; return why it cannot work, if it said so."""
        for answer in worker.answers():
            match answer:
                case Refused():
                    return answer
                case Opened():
                    self._opened = answer
                    if self._n_failed < 2:
                        self._tell_ready(answer)
                    with self._lock:
                        self._do(self._schedule.opened(self._clock()))
                case Made():
                    self._pass_on(answer)
                case Ended(how=how, detail=detail):
                    self._take(how, detail)
        return None

    def _take(self, how: Outcome, detail: str) -> None:
        """Take how a request ended: after a failure there is a pause, also for the worker."""
        rest = 0.0
        if how == "failed":
            rest = self._failed(detail)
        elif how == "made" and self._n_failed:
            self._n_failed = 0
            if self._opened is not None:
                self._tell_ready(self._opened)
        with self._lock:
            self._do(self._schedule.ended(how, self._clock(), rest))

    def _tell_ready(self, opened: Opened) -> None:
        self._tell("ready", f"{opened.name} ({opened.kind}), {opened.hash[:16]}")

    def _pass_on(self, made: Made) -> None:
        final = made.about["final"]
        with self._lock:
            job = self._schedule.pictured(self._clock(), final=final)
        if job is None or self._opened is None:
            return
        file = None
        if final and not self._unsaved:
            file = self._save(file_name(job.decode_id, made.about["revision"]), made)
        event = ImagePreview(
            decode_id=job.decode_id,
            seed=job.seed,
            generator=self._opened.name,
            generator_hash=self._opened.hash,
            t_start=job.t_start,
            t_end=job.t_end,
            t_text=job.t_text,
            file=file,
            **made.about,
        )
        self._say(event, made.pictures)

    def _save(self, name: str, made: Made) -> str | None:
        try:
            save(self._folder, name, made.pictures["png"])
        except OSError as error:
            self._unsaved = True
            self._tell("unsaved", f"pictures are not kept any more: {error.strerror}")
            return None
        return name

    def _tell(self, state: str, detail: str) -> None:
        self._say(State("preview", state, self._clock(), detail), {})

    def close(self) -> None:
        """End the worker, and wait for it."""
        self._closed.set()
        with self._lock:
            if self._worker is not None:
                self._worker.kill()
        if self._thread is not None:
            self._thread.join()
