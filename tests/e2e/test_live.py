"""The README's way with a real recording: fit on five runs, replay the sixth, serve, listen."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from decoder.verify import verify_session
from tests.e2e.processes import braincast
from tests.pages import block, commands
from tests.recordings import recordings

N_EVENTS = 12


def readme(label: str, folder: Path) -> list[list[str]]:
    return commands(block("README.md", label), folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Do the first part: get the recording, and fit."""
    originals = recordings("muse/original/*.csv")[0].parent
    folder = tmp_path_factory.mktemp("readme")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRAINCAST_DATA", str(originals))
        sample, _ = readme("recording", folder)
        with braincast(*sample, cwd=folder) as process:
            process.rest()
            assert process.wait() == 0, process.errors
        _, fit = readme("recording", folder)  # now the pattern finds the files
        with braincast(*fit, cwd=folder) as process:
            said = process.rest()
            assert process.wait() == 0, process.errors
    assert "AUC" in said
    assert "p = 0.0001" in said
    return folder


@pytest.mark.slow
def test_fit_scores_what_it_never_saw(folder: Path) -> None:
    scores = json.loads((folder / "model" / "model.json").read_text())["scores"]
    assert scores["auc"]["value"] >= 0.64
    assert scores["p_value"] < 0.001


@pytest.mark.slow
def test_a_replayed_run_is_decoded_live_and_the_session_verifies(folder: Path) -> None:
    (replay,) = readme("replay", folder)
    (serve,) = readme("serve", folder)
    (listen,) = readme("listen", folder)
    name = f"test-{uuid4().hex}"
    replay += ["--name", name, "--wait", "240"]
    serve += ["--name", name, "--markers", f"{name} markers", "--port", "0", "--timeout", "240"]
    with (
        braincast(*replay, cwd=folder) as replaying,
        braincast(*serve, cwd=folder) as serving,
    ):
        url = serving.line()
        assert "#token=" in url
        with braincast(listen[0], url, "--json", "-n", str(N_EVENTS)) as listening:
            live = [json.loads(listening.line()) for _ in range(N_EVENTS)]
            assert listening.wait() == 0
        assert serving.interrupt() == 0, serving.errors
        assert replaying.interrupt() == 0, replaying.errors
    (session,) = (folder / "sessions").iterdir()
    logged = [json.loads(line) for line in (session / "events.jsonl").read_text().splitlines()]
    texts = [m["params"] for m in logged if m["method"] == "text"]
    # What a client got is what was logged, and comes out again, bit for bit.
    for event in live:
        assert event.pop("stream") == "text"
        assert event in texts
    made = [event for event in live if not event["abstained"]]
    assert made
    assert {candidate["id"] for candidate in made[0]["top"]} == {"face", "house"}
    assert all(event["truth"]["id"] in {"face", "house"} for event in made)
    assert [m["params"]["seq"] for m in logged] == list(range(1, len(logged) + 1))
    verdict = verify_session(session)
    assert verdict.difference == ""
    assert verdict.n_equal == len(logged)
    assert not verdict.cut_short
