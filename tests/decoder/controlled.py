"""What controls a session, without a runtime: inputs are fed at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from decoder.config import SessionConfig
from decoder.control import Control
from decoder.controller import Controller
from decoder.events import Event, State
from decoder.folder import SessionFolder
from decoder.server.hub import Hub
from decoder.session import Session
from decoder.shelf import Shelf
from models.checkpoint import Model
from models.spaces import LabelSpace
from tests.decoder.tiny import SPEC, tiny_model


class Labels(LabelSpace):
    """What a process would embed."""

    ended = False

    def __init__(self, name: str) -> None:
        self.name = name

    def shrunk(self, pictures: Sequence[bytes]) -> list[bytes]:
        return list(pictures)

    def close(self) -> None:
        self.ended = True


class Recording:
    """Notes what an ingest would be told."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []
        self.there = True

    def clock(self) -> float:
        return 1.0

    def stop(self, reason: str) -> None:
        self.said.append(("stop", reason))

    def resume(self) -> None:
        self.said.append(("resume",))

    def inject(self, label: str, t: float) -> bool:
        self.said.append(("inject", label, t))
        return self.there


class Controlled:
    """A session with its controller; `events` is what it said."""

    def __init__(
        self,
        hub: Hub | None = None,
        model: Model | None = None,
        folder: SessionFolder | None = None,
        config: SessionConfig | None = None,
        held: tuple[Control, ...] = (),
    ) -> None:
        self.folder = folder = folder or SessionFolder(Path("nowhere"))
        self.session = Session(model or tiny_model(), SPEC, "S", freshness=1e9)
        self.recording = Recording()
        self.hub = hub or Hub()
        self.fed: list[Control] = []
        self.config = config or SessionConfig()
        self.events: list[Event] = []
        self.controller = Controller(
            self.session,
            self.feed,
            self.recording,
            self.hub,
            folder,
            Shelf(folder),
            self.config,
            held,
        )

    def feed(self, control: Control) -> Future[None]:
        self.fed.append(control)
        said = self.session.feed(control, 1.0)
        self.events += said
        for event in said:
            if isinstance(event, State) and event.what == "session":
                self.controller.follow(event)
        future: Future[None] = Future()
        future.set_result(None)
        return future
