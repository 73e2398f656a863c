"""What was said survives the death of a decoder, and all of it comes out again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from decoder.config import Config, SessionConfig
from decoder.control import (
    Adapted,
    Blind,
    Control,
    MarkBad,
    Note,
    Pause,
    Recentre,
    Refit,
    Resume,
    SetCandidates,
    Stop,
    SwapModel,
)
from decoder.folder import SessionFolder, create_folder, write_manifest
from decoder.journal import Journal, read_entries
from decoder.log import EventLog
from decoder.randomisation import Design
from decoder.resume import resume
from decoder.runtime import Audience, Runtime
from decoder.session import Session
from decoder.shelf import Shelf
from decoder.verify import verify_session
from models.candidate_file import save_candidates
from models.candidates import Candidates
from models.checkpoint import save_model
from models.reference import make_reference
from streaming.errors import SessionError
from streaming.ingest import Fed
from streaming.link import Hello
from streaming.outlet import signal_xml
from streaming.record import XdfWriter
from streaming.sources.source import RawSamples, StreamHeader
from tests.decoder.tiny import SPEC, chunk, marker, signal, tiny_model

DATA = signal()
FIRST = tiny_model()
SECOND = replace(FIRST, temperature=0.03)
THIRD = replace(
    FIRST,
    transforms=[
        {**s, "high": 15.0} if s["transform"] == "bandpass" else s for s in FIRST.transforms
    ],
)
DESIGN = Design("independent")
CONFIG = Config(session=SessionConfig(freshness=1e9, design=DESIGN))


def three(version: int) -> Candidates:
    vectors = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    ids = ("face", "house", "cough")
    return Candidates(ids, ids, ("",) * 3, (True, True, False), vectors, "labels", version)


@pytest.fixture
def folder(tmp_path: Path) -> SessionFolder:
    models = [tmp_path / name for name in ("first", "second", "third")]
    for path, model in zip(models, (FIRST, SECOND, THIRD), strict=True):
        save_model(model, path)
    folder = create_folder(tmp_path / "sessions", "S", CONFIG, models)
    writer = XdfWriter(folder.raw)
    writer(StreamHeader(1, signal_xml(SPEC, "amplifier")))
    writer(RawSamples(1, np.arange(DATA.shape[1]) / SPEC.sfreq, DATA.T.copy()))
    writer.close()
    write_manifest(folder, Hello("amplifier", SPEC, (1.0,) * 3), CONFIG)
    return folder


class Script:
    """Gives samples, and has something said between them."""

    n_dropped = 0

    def __init__(self, items: Sequence[Fed | Control]) -> None:
        self._items: list[Fed | Control | None] = [*items, None]
        self.runtime: Runtime

    @property
    def ended(self) -> bool:
        return not self._items

    def get(self, timeout: float) -> Fed | None:
        item = self._items.pop(0)
        if item is None or isinstance(item, Fed):
            return item
        self.runtime.control(item)
        return None


def decode(
    folder: SessionFolder,
    start: int,
    parts: Sequence[tuple[int, Sequence[Control]]],
    *,
    dies: bool = True,
) -> Session:
    """Go on with a session: samples up to each number, then what is said there."""
    items: list[Fed | Control] = []
    for stop, controls in parts:
        for first in range(start, stop, 50):
            shown = marker(first, "house" if first % 100 else "face")
            items += [Fed(shown, 0, 130.0), Fed(chunk(DATA, first, first + 50), first, 130.0)]
        start = stop
        items += controls
    before = resume(folder)
    session = Session(Shelf(folder).first(), SPEC, "S", 1e9, before.start, design=DESIGN)
    script = Script(items)
    log = EventLog(folder.events, lambda _: None, lambda: 1.0, before.last_seq)
    script.runtime = runtime = Runtime(
        session, script, Journal(folder.inputs), log, Audience(), lambda: 130.0, before.place
    )
    runtime.begin(before.start)
    for control in before.controls:
        runtime.control(control, held=True)
    runtime.run()
    if dies:  # as after kill -9: nothing says that it ended
        lines = folder.inputs.read_text().splitlines(keepends=True)
        folder.inputs.write_text("".join(lines[:-1]))
    return session


def kept(folder: SessionFolder, version: int) -> SetCandidates:
    return SetCandidates(three(version), save_candidates(three(1), folder.candidates))


def logged(folder: SessionFolder) -> list[dict[str, Any]]:
    return [json.loads(line)["params"] for line in folder.events.read_text().splitlines()]


def texts(folder: SessionFolder) -> list[dict[str, Any]]:
    return [params for params in logged(folder) if "top" in params]


def evidence(folder: SessionFolder) -> list[dict[str, Any]]:
    return [params for params in logged(folder) if "log10_e" in params]


def test_all_that_was_said_comes_out_again_bit_for_bit(folder: SessionFolder) -> None:
    said: list[tuple[int, list[Control]]] = [
        (600, [Note("begin"), MarkBad(("Pz",), bad=True), MarkBad(("Pz",), bad=False)]),
        (900, [Pause("a break")]),
        (1100, [Resume(), kept(folder, 2)]),
        (1500, [SwapModel(SECOND, 3)]),
        (1800, [SwapModel(THIRD, 4), Blind(on=True)]),
        (2100, [SwapModel(SECOND, 5, back=True), Stop("enough")]),
        (2400, [Resume()]),
        (3000, []),
    ]
    decode(folder, 0, said, dies=False)
    verdict = verify_session(folder.path)
    assert (verdict.difference, verdict.cut_short) == ("", False)
    assert {p["model_id"] for p in texts(folder)} == {
        model.model_id for model in (FIRST, SECOND, THIRD)
    }
    assert {p["candidates_version"] for p in texts(folder)} >= {1, 2, 3, 5}
    between = range(2100, 2400)
    assert not [p for p in texts(folder) if p["first"] in between]
    fed = [entry for entry in read_entries(folder.inputs) if entry[0] == "chunk"]
    assert not [entry for entry in fed if entry[3] in between]  # not even written down
    assert [p["reason"] for p in logged(folder) if p.get("what") == "gap"] == ["stopped"]


def test_after_a_crash_a_session_is_what_it_was_told_to_be(folder: SessionFolder) -> None:
    decode(
        folder, 0, [(600, [SwapModel(SECOND, 2), kept(folder, 3), Blind(on=True)]), (900, [])]
    )
    n_before = texts(folder)[-1]["running"][0]["n"]
    again = decode(folder, 900, [(1200, [Pause("a break")])])
    assert (again.model.model_id, again.candidates.hash) == (SECOND.model_id, three(3).hash)
    assert again.candidates.version == 3
    assert resume(folder).start.version == 3
    after = [p for p in texts(folder) if p["first"] >= 900 and p["running"]]
    assert after[0]["running"][0]["n"] == n_before + 1  # the score goes on
    assert decode(folder, 1200, [(1300, [])]).state == "paused"
    held = resume(folder).controls
    assert [p["n"] for p in evidence(folder)] == [*range(1, len(evidence(folder)) + 1)]
    assert len(evidence(folder)) > after[-1]["running"][0]["n"]  # a stake outlives a swap
    assert [type(control) for control in held] == [SwapModel, SetCandidates, Blind, Pause]
    decode(folder, 1300, [(1500, [Stop("enough")])])
    assert decode(folder, 1500, [(1600, [])]).state == "stopped"
    assert decode(folder, 1600, [(1700, [Resume(), Blind(on=False)])]).state == "decoding"
    final = decode(folder, 1700, [(3000, [])], dies=False)
    assert final.state == "decoding"
    assert verify_session(folder.path).difference == ""
    assert not [p for p in texts(folder) if 1500 <= p["first"] < 1600]


def test_recentring_begins_anew_after_a_crash_and_says_so(folder: SessionFolder) -> None:
    decode(folder, 0, [(1500, [Recentre(on=True)]), (2000, [SwapModel(SECOND, 2)])])
    assert resume(folder).controls[-1] == Recentre(on=True)
    decode(folder, 2000, [(2500, [])])
    said = [p["state"] for p in logged(folder) if p.get("what") == "adaptation"]
    assert said == ["refused", "refused"]  # the tiny models say nothing of latents
    decode(folder, 2500, [(3000, [Recentre(on=False)])], dies=False)
    assert [type(control) for control in resume(folder).controls] == [SwapModel]
    assert verify_session(folder.path).difference == ""


def test_swaps_of_what_was_refitted_come_out_again_over_crashes(folder: SessionFolder) -> None:
    model = replace(FIRST, **with_reference())
    save_model(model, folder.model_path(model.model_id))
    refitted = replace(model, temperature=0.2, training={"refit": {"from": model.model_id}})
    save_model(refitted, folder.model_path(refitted.model_id))  # after the session began
    begun: list[Control] = [SwapModel(model, 2), Recentre(on=True), Refit(on=True)]
    tried: list[Control] = [Adapted("shadow", "tried")]
    taken: list[Control] = [SwapModel(refitted, 3), Adapted("swapped", "better")]
    decode(folder, 0, [(600, begun), (900, tried), (1200, taken), (1500, [])])
    held = resume(folder).controls
    assert [type(control) for control in held] == [SwapModel, SwapModel, Recentre, Refit]
    assert decode(folder, 1500, [(1800, [])]).model.model_id == refitted.model_id
    back: list[Control] = [
        SwapModel(model, 4, back=True),
        Refit(on=False),
        Adapted("rolled back", "worse after all"),
    ]
    decode(folder, 1800, [(2100, back), (2400, [])])
    decode(folder, 2400, [(3000, [])], dies=False)
    verdict = verify_session(folder.path)
    assert (verdict.difference, verdict.cut_short) == ("", False)
    said = [p["state"] for p in logged(folder) if p.get("what") == "adaptation"]
    assert said.count("rolled back") == said.count("shadow") == said.count("swapped") == 1
    assert said.count("started") == 9  # each swap and each decoder recentres anew
    assert "stopped" in said


def with_reference() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    latents, losses = rng.standard_normal((200, 2)).astype(np.float32), rng.random(200)
    return {"reference": make_reference(latents, losses, np.zeros(200, np.intp))}


def test_what_was_rolled_back_stays_so(folder: SessionFolder) -> None:
    swaps = [SwapModel(SECOND, 2), SwapModel(THIRD, 3), SwapModel(SECOND, 4, back=True)]
    decode(folder, 0, [(600, swaps), (700, [])])
    again = decode(folder, 700, [(800, [SwapModel(FIRST, 5, back=True)])])
    assert (again.model.model_id, again.candidates.version) == (FIRST.model_id, 5)
    last = decode(folder, 800, [(900, [])], dies=False)
    assert (last.model.model_id, last.candidates.version) == (FIRST.model_id, 5)
    assert resume(folder).controls == ()
    assert verify_session(folder.path).difference == ""


def test_a_stop_that_was_not_logged_any_more_holds(folder: SessionFolder) -> None:
    decode(folder, 0, [(600, [Stop("enough")])])
    lines = folder.events.read_text().splitlines(keepends=True)
    folder.events.write_text("".join(lines[:-1]))
    assert decode(folder, 600, [(700, [])]).state == "stopped"


def test_what_is_missing_or_altered_is_named(folder: SessionFolder) -> None:
    decode(folder, 0, [(600, [kept(folder, 2), SwapModel(SECOND, 3)])], dies=False)
    (path,) = folder.candidates.iterdir()
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"\1")
    with pytest.raises(SessionError, match="not what the session kept there"):
        verify_session(folder.path)
    path.write_bytes(content)
    assert verify_session(folder.path).difference == ""
    path.unlink()
    with pytest.raises(SessionError, match="not what the session kept there"):
        verify_session(folder.path)
