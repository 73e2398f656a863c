"""The loop of the worker, in this process."""

from __future__ import annotations

import io
import json
import threading

import numpy as np
import pytest

from decoder.preview_worker import read_message, serve_previews
from models.generator import OPENERS, Generator, Opening
from tests.decoder.painting import SPACE, Painter


def message(data: bytes, **said: object) -> bytes:
    return json.dumps(said | {"n_bytes": len(data)}).encode() + b"\n" + data


def test_a_request_that_is_replaced_before_it_began_is_said_to_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who asked waits for that before it asks again."""
    all_read = threading.Event()

    def open_late(opening: Opening) -> Generator:
        all_read.wait()
        return Painter(opening)

    monkeypatch.setitem(OPENERS, "paint", open_late)
    latent = np.zeros(4, "<f4").tobytes()
    opening = {"generator": "paint", "space": SPACE, "adapter": "", "device": "cpu"}
    requests = message(latent, **opening, dtype="float32")
    requests += message(latent, number=1, seed=1, within=60.0) + message(b"", number=2)
    requests += message(latent, number=3, seed=1, within=60.0)
    answers = io.BytesIO()
    serve_previews(io.BytesIO(requests), answers, all_read.set)
    answers.seek(0)
    assert (read_message(answers) or ({},))[0]["opened"] == "paint"
    said = [answer for answer, _ in iter(lambda: read_message(answers), None)]
    assert [(one["number"], one["ended"]) for one in said] == [
        (1, "cancelled"),
        (3, "cancelled"),
    ]
