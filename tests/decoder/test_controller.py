"""What is asked for is checked, and becomes an input or an error that says why not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from decoder import choosing
from decoder.config import ServedModel, SessionConfig
from decoder.control import (
    Blind,
    Control,
    Pause,
    Recentre,
    Refit,
    Resume,
    SetCandidates,
    Stop,
    SwapModel,
    Word,
)
from decoder.events import State
from decoder.folder import SessionFolder
from decoder.server.rpc import Code, RpcError
from models.checkpoint import save_model
from streaming.errors import SessionError
from streaming.signal import SignalSpec
from tests.decoder.controlled import Controlled, Labels
from tests.decoder.tiny import tiny_model

FIRST = tiny_model()
SECOND = replace(FIRST, temperature=0.3)
FOREIGN = replace(FIRST, spec=SignalSpec(250.0, FIRST.spec.ch_names))
HOUSE_FACE = [Word("house"), Word("face")]


@pytest.fixture(autouse=True)
def space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "SpaceProcess", Labels)


def done(asked: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asked)


def refused(asked: Coroutine[Any, Any, Any], code: Code, says: str) -> None:
    with pytest.raises(RpcError, match=says) as caught:
        done(asked)
    assert caught.value.code == code


@pytest.fixture
def served(tmp_path: Path) -> Controlled:
    folder = SessionFolder(tmp_path)
    models = {"first": FIRST, "second": SECOND, "foreign": FOREIGN}
    for model in models.values():
        save_model(model, folder.model_path(model.model_id))
    listed = tuple(ServedModel(name=n, id=m.model_id) for n, m in models.items())
    return Controlled(folder=folder, config=SessionConfig(models=listed))


def states(controlled: Controlled, what: str) -> list[str]:
    return [e.state for e in controlled.events if isinstance(e, State) and e.what == what]


def test_a_stop_holds_the_hub_and_ends_the_recording_before_the_session_hears(
    served: Controlled,
) -> None:
    heard: list[bool] = []
    feed = served.feed

    def fed(control: Control) -> Future[None]:
        heard.append(served.hub.held)
        return feed(control)

    served.controller._feed = fed
    served.controller.stop("enough")
    assert heard == [True]
    assert served.recording.said == [("stop", "enough")]
    assert served.controller.state == "stopped"
    assert states(served, "session") == ["stopped"]


def test_a_stop_that_comes_before_a_resume_is_heard_holds(served: Controlled) -> None:
    c, waiting = served.controller, []
    c.stop("enough")

    def later(control: Control) -> Future[None]:
        waiting.append(control)
        future: Future[None] = Future()
        future.set_result(None)
        return future

    c._feed = later
    done(c.resume("go on"))
    c.stop("no")
    for control in waiting:  # by now the session hears of both
        served.feed(control)
        assert served.hub.held
    assert served.session.state == "stopped"
    assert ("resume",) not in served.recording.said
    c._feed = served.feed
    done(c.resume("now"))
    assert not served.hub.held
    assert served.recording.said[-1] == ("resume",)


def test_while_it_is_stopped_only_resume_and_notes_are_taken(served: Controlled) -> None:
    c = served.controller
    c.stop("enough")
    later: list[Coroutine[Any, Any, Any]] = [
        c.pause(""),
        c.swap("second"),
        c.roll_back(),
        c.set_candidates(HOUSE_FACE, "replace"),
    ]
    for asked in later:
        refused(asked, Code.STOPPED, "resume it first")
    with pytest.raises(RpcError, match="resume it first"):
        c.inject("face", None)
    done(c.note("he went home"))
    done(c.resume("welcome back"))
    assert served.fed[-1] == Resume("welcome back")


def test_the_file_stops_once_and_must_go_before_it_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "stop"
    controlled = Controlled(
        folder=SessionFolder(tmp_path), config=SessionConfig(stop_file=file)
    )

    async def watch() -> None:
        watching = asyncio.create_task(controlled.controller.watch_file())
        file.touch()
        while not controlled.hub.held:  # noqa: ASYNC110 - what is looked at tells nobody
            await asyncio.sleep(0.001)
        for _ in range(10):
            await asyncio.sleep(0.005)
        watching.cancel()

    done(watch())
    assert controlled.fed == [Stop("the file stop stopped the session")]
    refused(controlled.controller.resume(""), Code.STOPPED, "file stop .* remove it")
    file.unlink()
    done(controlled.controller.resume(""))
    assert controlled.session.state == "decoding"


def test_pausing_and_resuming_say_what_the_session_does(served: Controlled) -> None:
    done(served.controller.pause("a break"))
    assert (served.controller.state, served.fed) == ("paused", [Pause("a break")])
    done(served.controller.resume(""))
    assert served.controller.state == "decoding"


def test_candidates_are_counted_kept_and_chosen_from(served: Controlled) -> None:
    found = done(served.controller.set_candidates(HOUSE_FACE, "replace"))
    assert (found.version, found.ids) == (2, ("house", "face"))
    assert served.session.candidates is found
    (path,) = served.folder.candidates.iterdir()
    assert served.fed == [SetCandidates(found, path.name)]
    back = done(served.controller.set_candidates([Word("face"), Word("house")], "replace"))
    assert (back.version, back.hash) == (3, FIRST.candidates.hash)


def test_a_picture_of_a_label_has_no_place(served: Controlled) -> None:
    c = served.controller
    words = [Word("cat", image=b"x")]
    refused(c.set_candidates(words, "add"), Code.INVALID_PARAMS, "'cat' has a picture, and")


def test_wrong_candidates_fail_alone(served: Controlled) -> None:
    c = served.controller
    refused(c.set_candidates([Word("cat")], "add"), Code.INVALID_PARAMS, "'cat' is not one of")
    refused(c.set_candidates([Word("face")], "remove"), Code.INVALID_PARAMS, "leaves 1")
    assert served.fed == []
    assert done(c.set_candidates(HOUSE_FACE, "replace")).version == 2


def test_one_job_runs_at_a_time_and_a_swap_meanwhile_makes_it_void(
    served: Controlled, monkeypatch: pytest.MonkeyPatch
) -> None:
    may, began = threading.Event(), threading.Event()

    def slowly(name: str) -> Labels:
        began.set()
        may.wait(20)
        return Labels(name)

    monkeypatch.setattr(choosing, "SpaceProcess", slowly)
    c = served.controller

    async def both() -> None:
        first = asyncio.create_task(c.set_candidates(HOUSE_FACE, "replace"))
        assert await asyncio.to_thread(began.wait, 20)
        with pytest.raises(RpcError, match="are being embedded") as busy:
            await c.set_candidates(HOUSE_FACE, "replace")
        assert busy.value.code == Code.BUSY
        await c.swap("second")
        may.set()
        with pytest.raises(RpcError, match="swapped meanwhile"):
            await first

    done(both())
    assert [type(control) for control in served.fed] == [SwapModel]


def test_models_are_named_swapped_and_gone_back_to(served: Controlled) -> None:
    c = served.controller
    done(c.swap("second"))
    done(c.set_candidates(HOUSE_FACE, "replace"))
    assert served.session.model.model_id == SECOND.model_id
    assert [(m.name, m.active) for m in c.models()] == [
        ("first", False),
        ("second", True),
        ("foreign", False),
    ]
    done(c.roll_back())
    assert (served.session.model.model_id, served.session.candidates.version) == (
        FIRST.model_id,
        4,
    )
    done(c.swap(SECOND.model_id[:16]))
    assert states(served, "model") == ["swapped", "rolled back", "swapped"]
    refused(c.swap("second"), Code.INVALID_PARAMS, "is the model that decodes")
    refused(
        c.swap("third"), Code.INVALID_PARAMS, r"no model is called 'third'; there are first"
    )


def test_a_model_that_does_not_fit_the_stream_is_refused_with_the_reason(
    served: Controlled,
) -> None:
    says = r"foreign: the stream has 100 Hz but the model was made for 250 Hz"
    refused(served.controller.swap("foreign"), Code.INVALID_PARAMS, says)
    assert states(served, "model") == ["refused"]
    (foreign,) = [m for m in served.controller.models() if m.refused]
    assert "250 Hz" in foreign.refused
    refused(served.controller.roll_back(), Code.INVALID_PARAMS, "was not swapped")


def test_markers_go_to_whoever_records(served: Controlled) -> None:
    c = served.controller
    assert c.inject("face", None) == 1.0
    assert c.inject("house", 0.5) == 0.5
    assert served.recording.said == [("inject", "face", 1.0), ("inject", "house", 0.5)]
    for t in (100.0, -1e308):
        with pytest.raises(RpcError, match=r"it is 1 now; give seconds on the LSL clock"):
            c.inject("face", t)
    served.recording.there = False
    with pytest.raises(RpcError, match="being restarted"):
        c.inject("face", None)


def test_what_held_holds_for_who_takes_over(tmp_path: Path) -> None:
    folder, model = SessionFolder(tmp_path), tiny_model()
    save_model(SECOND, folder.model_path(SECOND.model_id))
    wanted = SetCandidates(replace(model.candidates, version=7), "f")
    held = (SwapModel(SECOND, 6), wanted, Blind(on=True), Stop("enough"))
    again = Controlled(folder=folder, held=held)
    c = again.controller
    assert (c.blind, c.state, again.recording.said) == (True, "stopped", [("stop", "enough")])
    assert again.fed == []  # the runtime feeds them
    for control in held:
        again.feed(control)
    assert again.recording.said == [("stop", "enough")]
    done(c.resume(""))
    done(c.roll_back())
    assert again.session.candidates.version == 8
    assert again.session.model.model_id == FIRST.model_id


REFITTED = replace(FIRST, temperature=0.2, training={"refit": {"from": FIRST.model_id}})


def test_what_was_refitted_takes_over_and_can_be_rolled_back(served: Controlled) -> None:
    controller = served.controller
    controller.adapted("swapped", "not asked for", REFITTED)
    assert served.fed == []
    controller.set_refit(Refit(on=True))
    controller.adapted("shadow", "it is tried", None)
    controller.adapted("swapped", "it was better", REFITTED)
    assert served.session.model is REFITTED
    assert states(served, "adaptation") == ["started", "shadow", "swapped"]
    (active,) = [m for m in controller.models() if m.active]
    assert (active.name, active.model) == ("refitted-1", REFITTED)
    done(controller.roll_back())
    assert served.session.model.model_id == FIRST.model_id
    assert states(served, "adaptation")[3:] == ["stopped", "rolled back"]
    assert not controller.refits
    controller.adapted("swapped", "again", replace(FIRST, temperature=0.21))
    assert served.session.model.model_id == FIRST.model_id
    done(controller.swap("refitted-1"))  # who wants it may have it
    assert served.session.model is REFITTED


def test_adaptation_is_switched_while_it_decodes(served: Controlled) -> None:
    begun: list[str] = []
    served.controller.on_refit = lambda: begun.append("learner")
    served.controller.learn_from = "decodes"
    for on in (True, True, False):
        done(served.controller.adapt("refit", on=on))
    done(served.controller.adapt("recentre", on=True))
    assert served.fed == [
        Refit(on=True, learn_from="decodes"),
        Refit(False, "decodes"),
        Recentre(True),
    ]
    assert begun == ["learner"]
    assert states(served, "adaptation") == ["started", "stopped", "refused"]
    said = next(e.detail for e in served.events if isinstance(e, State))
    assert "CAREFUL, IT LEARNS FROM ITS OWN DECODES" in said


def test_what_was_refitted_does_not_take_over_where_it_does_not_fit(served: Controlled) -> None:
    controller = served.controller
    controller.set_refit(Refit(on=True))
    done(controller.set_candidates(HOUSE_FACE, "replace"))
    controller.adapted("swapped", "it was better", REFITTED)
    controller.stop("enough")
    controller.adapted("swapped", "it was better", REFITTED)
    assert states(served, "adaptation") == ["started", "refused", "refused"]
    assert served.session.model.model_id == FIRST.model_id


def test_what_was_refitted_of_a_model_that_was_left_does_not_take_over(
    served: Controlled,
) -> None:
    controller = served.controller
    controller.set_refit(Refit(on=True))
    done(controller.swap("second"))
    controller.adapted("swapped", "it was better", REFITTED)
    assert states(served, "adaptation") == ["started", "refused"]
    assert served.session.model.model_id == SECOND.model_id


def test_a_refitted_model_is_known_to_the_decoder_that_takes_over(served: Controlled) -> None:
    held = (SwapModel(REFITTED, 2), Refit(on=True))
    again = Controlled(folder=served.folder, config=served.config, held=held)
    assert again.controller.refits
    assert [m.name for m in again.controller.models() if m.active] == ["refitted-1"]
    for control in held:
        again.feed(control)
    done(again.controller.roll_back())
    assert states(again, "adaptation") == ["started", "stopped", "rolled back"]


def test_who_asks_as_the_service_ends_gets_an_answer() -> None:
    served = Controlled()

    def feed(control: Control) -> Future[None]:
        future: Future[None] = Future()
        future.set_exception(SessionError(f"{control!r} was not done: the session has ended"))
        return future

    served.controller._feed = feed
    refused(served.controller.note("x"), Code.BUSY, "the session has ended")
