from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from decoder.account import Preview
from decoder.accounting import _Log, read_account
from decoder.folder import SessionFolder
from tests.decoder.relog import messages, rewrite
from tests.decoder.sessions import record


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> SessionFolder:
    return record(tmp_path_factory.mktemp("account"))[0]


@pytest.fixture
def copy(recorded: SessionFolder, tmp_path: Path) -> SessionFolder:
    shutil.copytree(recorded.path, tmp_path / "S")
    return SessionFolder(tmp_path / "S")


def test_what_the_log_holds_is_counted(recorded: SessionFolder) -> None:
    account = read_account(recorded)
    decodes = [m["params"] for m in messages(recorded) if m["method"] == "text"]
    said = Counter(d["abstained"] or "decoded" for d in decodes)
    assert {name: account.windows.count(name) for name in account.windows.outcomes} == said
    (score,) = account.scores
    (running,) = next(d["running"] for d in reversed(decodes) if d["running"])
    assert (len(score.rank), score.hits / len(score.rank)) == (running["n"], running["top1"])
    assert score.pool == 2
    assert sum(score.answers.values()) == running["n"]
    assert account.decoded.total() == said["decoded"]
    assert account.unknown == {"cough": account.roles["unknown"]}
    assert account.n_times == 6000
    assert account.ending == "ended in good order"
    assert [loss.reason for loss in account.losses]
    assert account.channels is not None
    assert account.channels.ch_names == ("Cz", "Pz")
    assert len(account.latencies.t) == said["decoded"]


def test_sets_of_what_was_withheld_as_unsure_count(copy: SessionFolder) -> None:
    """Their truth is not said, but whether they held it is, with the score so far."""
    n_sets, n_held = 0, 0

    def withhold(message: dict[str, Any]) -> None:
        nonlocal n_sets, n_held
        params = message["params"]
        if message["method"] != "text" or not params["truth"] or params["stale"]:
            return
        n_sets += 1
        ids = ["face", "house"] if n_sets % 2 else ["face"]
        n_held += params["truth"]["id"] in ids
        params["conformal"] = {"ids": ids, "risk": 0.1, "n_calibration": 40}
        params["running"][0] |= {"n_sets": n_sets, "coverage": n_held / n_sets}
        if len(ids) > 1:
            params |= {"abstained": "unsure", "truth": None, "top": []}

    rewrite(copy, withhold)
    (coverage,) = read_account(copy).coverage
    assert (len(coverage.held), coverage.held.sum()) == (n_sets, n_held)
    assert list(coverage.size[:4]) == [2, 1, 2, 1]
    assert coverage.held[coverage.size == 2].all()


def test_sums_over_repeats_are_told_apart() -> None:
    log = _Log()
    for n_repeats, rank in ((1, 2), (2, 1), (1, 1), (2, 1), (4, 1)):
        truth = {"id": "face", "text": "face", "rank": rank, "trained": True}
        params = {
            "top": [{"id": "face", "text": "face"}],
            "abstained": "",
            "stale": False,
            "running": [],
            "calibrated": True,
            "latency_ms": None,
            "n_candidates": 2,
            "model_id": "m",
            "candidates_hash": "c",
            "truth": truth,
            "n_repeats": n_repeats,
            "decode_id": "S/locked/0",
        }
        log.take("text", params, 1.0)
    (score,) = log.scores
    assert list(score.rank) == [2, 1]
    ((key, found),) = log.by_repeats.items()
    assert key == ("closed_set", 2)
    assert dict(found) == {1: [1, 2], 2: [2, 2], 4: [1, 1]}


def test_a_final_picture_of_the_newest_decode_alone_is_one() -> None:
    log = _Log()
    text = {
        "decode_id": "S/locked/1",
        "top": [{"id": "c1", "text": "crab"}],
        "abstained": "",
        "stale": False,
        "calibrated": True,
        "latency_ms": {},
        "running": [],
        "truth": None,
        "n_candidates": 2,
    }
    image = {"decode_id": "S/locked/1", "kind": "retrieved", "source": "a crab", "file": "a"}
    log.take("text", text, 1.0)
    log.take("image", image | {"final": False}, 1.1)
    log.take("image", image | {"final": True}, 1.2)
    log.take("image", image | {"final": True, "decode_id": "S/locked/0"}, 1.3)
    assert log.previews == [Preview(1.2, "crab", "", "retrieved", "a crab", "a")]


def test_who_came_is_counted_and_a_torn_line_is_none(copy: SessionFolder) -> None:
    assert read_account(copy).clients == Counter()
    (copy.path / "audit.jsonl").write_text(
        '{"method": "authorize", "outcome": "ok", "role": "viewer"}\n'
        '{"method": "authorize", "outcome": "ok", "role": "viewer"}\n'
        '{"method": "authorize", "outcome": "refused", "role": null, "omitted": 3}\n'
        '{"method": "control", "outcome": "ok", "role": "operator"}\n'
        '{"method": "authorize", "outco'
    )
    assert read_account(copy).clients == {"viewer": 2, "": 4}
