"""The loop of the worker, in this process."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from decoder.preview_worker import read_message, serve_previews
from models.generator import OPENERS, Generator, Opening, Picture
from streaming.errors import ConfigError
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


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (ConfigError("no vector of it"), "no vector of it"),
        (OSError(5, "Input/output error"), "OSError: [Errno 5] Input/output error"),
        (MemoryError(), "MemoryError: "),
        (torch.OutOfMemoryError("CUDA out\nof memory"), "OutOfMemoryError: CUDA out"),
    ],
)
def test_what_goes_wrong_with_a_picture_ends_that_alone(
    error: Exception, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = iter([error, None])

    class Failing(Painter):
        def preview(self, *arguments: Any) -> Iterator[Picture]:
            if (found := next(failing)) is not None:
                raise found
            yield from super().preview(*arguments)

    assert served(Failing, monkeypatch) == [
        {"number": 1, "ended": "failed", "detail": detail},
        {"number": 2, "ended": "made", "detail": ""},
    ]


def test_a_fault_of_the_program_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(Painter):
        def preview(self, *arguments: Any) -> Iterator[Picture]:
            raise KeyError(arguments)

    with pytest.raises(KeyError):
        served(Wrong, monkeypatch)


@pytest.mark.parametrize(
    ("error", "again"), [(MemoryError("none"), True), (ConfigError("no such thing"), False)]
)
def test_what_cannot_be_opened_says_whether_it_may_be_later(
    error: Exception, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Opening) -> Generator:
        raise error

    (said,) = served(fail, monkeypatch)
    assert said["again"] is again
    assert str(error) in said["error"]


def served(
    opener: Callable[[Opening], Generator], monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, Any]]:
    """Return what is said of two requests, the second after the first has ended."""
    monkeypatch.setitem(OPENERS, "paint", opener)
    latent = np.zeros(4, "<f4").tobytes()
    opening = {"generator": "paint", "space": SPACE, "adapter": "", "device": "cpu"}
    first, second = os.pipe(), os.pipe()
    with (
        os.fdopen(first[0], "rb") as requests,
        os.fdopen(first[1], "wb", 0) as asking,
        os.fdopen(second[0], "rb") as answers,
        os.fdopen(second[1], "wb", 0) as answering,
    ):
        asking.write(message(latent, **opening, dtype="float32"))
        said: list[dict[str, Any]] = []

        def hear() -> None:
            number = 0
            while (answer := read_message(answers)) is not None:
                about, _ = answer
                del about["n_bytes"]
                if "ended" in about or "error" in about:
                    said.append(about)
                if "opened" in about or "ended" in about:
                    number += 1
                    if number > 2:
                        asking.close()
                        continue
                    asking.write(message(latent, number=number, seed=1, within=600.0))

        thread = threading.Thread(target=hear)
        thread.start()
        try:
            serve_previews(requests, answering, lambda: None)
        finally:
            answering.close()
            thread.join()
    return said
