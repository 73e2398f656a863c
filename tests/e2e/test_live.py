"""The README's way with a real recording: fit on five runs, replay the sixth, serve, listen."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from decoder.verify import verify_session
from tests.e2e.processes import braincast
from tests.recordings import recordings

RUNS = "muse/N170_subject1_session1_run*_raw.fif"
N_EVENTS = 12


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("n170") / "model"
    runs = recordings(RUNS)[:5]
    with braincast(
        "fit", *runs, "--events", "face", "house", "--drop", "Right AUX", "-o", output
    ) as fit:
        said = fit.rest()
        assert fit.wait() == 0, fit.errors
    assert "AUC" in said
    assert "p = 0.0001" in said
    scores = json.loads((output / "model.json").read_text())["scores"]
    assert scores["auc"]["value"] >= 0.64
    assert scores["p_value"] < 0.001
    return output


@pytest.mark.slow
def test_a_replayed_run_is_decoded_live_and_the_session_verifies(
    model: Path, tmp_path: Path
) -> None:
    name = f"test-{uuid4().hex}"
    arguments = ("--name", name, "--markers", f"{name} markers", "--record", tmp_path)
    with (
        braincast("replay", recordings(RUNS)[5], "--name", name, "--wait", "60") as replay,
        braincast("serve", "-m", model, *arguments, "--port", "0", "--timeout", "60") as serve,
    ):
        url = serve.line()
        assert "#token=" in url
        with braincast("listen", url, "--json", "-n", str(N_EVENTS)) as listen:
            live = [json.loads(listen.line()) for _ in range(N_EVENTS)]
            assert listen.wait() == 0
        assert serve.interrupt() == 0, serve.errors
        assert replay.interrupt() == 0, replay.errors
    (session,) = tmp_path.iterdir()
    logged = [json.loads(line) for line in (session / "events.jsonl").read_text().splitlines()]
    texts = [m["params"] for m in logged if m["method"] == "text"]
    # What a client got is what was logged, bit for bit, and what comes out again.
    assert texts[: len(live)] != []
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
