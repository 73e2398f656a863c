"""What learns beside a session: its answers, and the process that gives them."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decoder import refitting
from decoder.events import LatentMade, Ranked, TextDecoded, Truth
from decoder.folder import SessionFolder
from decoder.refitter import N_FRESH, N_LEAST, Trial
from decoder.refitting import N_LATE, N_WAITING, Learner, serve_refit
from models.checkpoint import Model, load_model, save_model
from tests.decoder.learning import learner, trials
from tests.decoder.tiny import tiny_model

MODEL = learner()
LESSONS = trials(MODEL, 300, -0.5, seed=1)


def made(model: Model, trial: Trial) -> tuple[TextDecoded, LatentMade]:
    truth = Truth(trial.shown, trial.shown, "", trial.rank, trained=True)
    top = (Ranked("face", "face", 0.6), Ranked("house", "house", 0.4))
    decoded = TextDecoded(
        "S/locked/0", top, 2, True, "c", model.model_id, 0, 0, 20, 1.0, 1.2, truth=truth
    )
    latent = np.zeros(2, np.float32)
    return decoded, LatentMade(
        "S/locked/0", latent, "labels", model.model_id, 1.2, data=trial.data
    )


def framed(model_id: str, given: Sequence[Trial]) -> bytes:
    frames = []
    for trial in given:
        header = {
            "model": model_id,
            "shown": trial.shown,
            "rank": trial.rank,
            "shape": trial.data.shape,
            "span": trial.span,
            "recentred": trial.recentred,
        }
        frames.append(json.dumps(header).encode() + b"\n" + trial.data.tobytes())
    return b"".join(frames)


def answers(folder: SessionFolder, sent: bytes) -> list[dict[str, str]]:
    said = io.BytesIO()
    serve_refit(folder.path, "S", io.BytesIO(sent), said)
    return [json.loads(line) for line in said.getvalue().splitlines()]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SessionFolder:
    monkeypatch.setattr(os, "nice", lambda _: 0)  # tests are not to stand back
    folder = SessionFolder(tmp_path)
    save_model(MODEL, folder.model_path(MODEL.model_id))
    return folder


def test_a_model_is_saved_before_it_is_named(folder: SessionFolder) -> None:
    said = answers(folder, framed(MODEL.model_id, LESSONS))
    assert [a["state"] for a in said[:2]] == ["started", "shadow"]
    named = next(a for a in said if a["state"] == "swapped")
    found = load_model(folder.model_path(named["model"]))
    assert found.model_id == named["model"]
    assert found.training["refit"]["from"] == MODEL.model_id
    assert found.training["refit"]["session"] == "S"
    assert set(found.training["sessions"]) == {"S"}
    assert len(found.seen) >= N_FRESH + N_LEAST


def test_trials_on_the_way_are_let_go_and_a_model_that_was_not_taken_is_dropped(
    folder: SessionFolder,
) -> None:
    said = answers(folder, framed(MODEL.model_id, LESSONS))
    at = next(
        n
        for n in range(N_FRESH + N_LEAST, 300)
        if any(a["model"] for a in answers(folder, framed(MODEL.model_id, LESSONS[:n])))
    )
    rest = LESSONS[at : at + N_LATE + 1]
    again = answers(folder, framed(MODEL.model_id, [*LESSONS[:at], *rest]))
    assert said[0] == again[0]
    assert [a["state"] for a in again].count("started") == 2
    (taken,) = [a["model"] for a in again if a["model"]]
    on = answers(
        folder, framed(MODEL.model_id, LESSONS[:at]) + framed(taken, LESSONS[at : at + 3])
    )
    assert [a["state"] for a in on].count("started") == 1


def test_a_model_that_cannot_learn_says_so_once_and_a_torn_trial_ends_it(
    folder: SessionFolder,
) -> None:
    other = tiny_model()
    save_model(other, folder.model_path(other.model_id))
    said = answers(folder, framed(other.model_id, LESSONS[:5])[:-3])
    assert [a["state"] for a in said] == ["refused"]
    assert "keeps no sums" in said[0]["detail"]


class Heard:
    def __init__(self) -> None:
        self.said: list[tuple[str, str, str]] = []
        self.swapped = threading.Event()

    def __call__(self, state: str, detail: str, model: str) -> None:
        self.said.append((state, detail, model))
        if state in {"swapped", "stopped"}:
            self.swapped.set()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def process(folder: SessionFolder, heard: Heard) -> Iterator[Learner]:
    process = Learner(folder, heard, "S", decodes=False)
    yield process
    process.close()


def test_a_process_learns_beside(process: Learner, heard: Heard) -> None:
    for trial in LESSONS:
        while process.n_waiting >= N_WAITING - 1:
            heard.swapped.wait(0.01)
        process.offer(*made(MODEL, trial))
    assert heard.swapped.wait(120)
    assert [state for state, _, _ in heard.said[:2]] == ["started", "shadow"]
    assert process.n_dropped == 0
    process._child.kill()
    process._threads[1].join()
    assert heard.said[-1][0] == "stopped"


def test_only_what_is_labelled_or_asked_for_is_taken(
    folder: SessionFolder, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended:
        stdin, stdout = io.BytesIO(), io.BytesIO()

        def wait(self) -> int:
            return 0

        def kill(self) -> None:
            pass

    monkeypatch.setattr(refitting, "spawn", lambda *_, **__: Ended())
    monkeypatch.setattr(Learner, "_give", lambda _: None)
    decoded, latent = made(MODEL, LESSONS[0])
    no_truth = replace(decoded, truth=None)
    unsure = replace(no_truth, top=(Ranked("face", "face", 0.4),))
    by_labels = Learner(folder, heard, "S", decodes=False)
    for refused in (no_truth, replace(decoded, stale=True), replace(decoded, calibrated=False)):
        by_labels.offer(refused, latent)
    assert by_labels.n_waiting == 0
    for _ in range(N_WAITING + 3):
        by_labels.offer(decoded, latent)
    assert (by_labels.n_dropped, by_labels.n_waiting) == (3, N_WAITING)
    by_labels.offer(replace(decoded, n_repeats=2), latent)
    header = json.loads(by_labels._trials[-1].partition(b"\n")[0])
    assert (header["shown"], header["rank"]) == (LESSONS[0].shown, 0)
    by_decodes = Learner(folder, heard, "S", decodes=True)
    by_decodes.offer(unsure, latent)
    assert by_decodes.n_waiting == 0
    by_decodes.offer(no_truth, latent)
    header = json.loads(by_decodes._trials[0].partition(b"\n")[0])
    assert (header["shown"], header["rank"]) == ("face", 0)
    by_labels.close()
    by_decodes.close()
