"""What a mock sends as previews, and what it says of them."""

from __future__ import annotations

import hashlib
import io
import json
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from decoder import client
from decoder.mock_pictures import NAME, SIDE, paint, pictured, png_of
from decoder.previews import seed_of
from decoder.script import GOLDEN, read_script
from tests.decoder.mocking import mocking


def test_a_png_has_the_pixels_that_were_painted() -> None:
    for step in (1, 2):
        pixels = paint(7, step)
        with Image.open(io.BytesIO(png_of(pixels))) as image:
            assert (image.mode, image.size) == ("RGB", (SIDE, SIDE))
            assert image.tobytes() == pixels
        assert paint(7, step) == pixels != paint(8, step)
        written = np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE, 3)[10:20, 1:31]
        assert set(np.unique(written)) == {0, 255}


def test_what_is_shown_is_pictured_and_nothing_else() -> None:
    script = read_script(GOLDEN, "stale", previews=True)
    said = [json.loads(line.body) for line in script.lines if line.seq]
    assert [message["params"]["seq"] for message in said] == [*range(1, len(said) + 1)]
    texts = [m["params"] for m in said if m["method"] == "text"]
    shown = [t for t in texts if not t["abstained"] and not t["stale"]]
    images = [m["params"] for m in said if m["method"] == "image"]
    assert [i["decode_id"] for i in images] == [t["decode_id"] for t in shown for _ in "12"]
    assert {(i["generator"], i["source"], i["kind"]) for i in images} == {
        (NAME, NAME, "generated")
    }
    assert [i["final"] for i in images[:4]] == [False, True] * 2
    again = pictured({"method": m["method"], "params": m["params"]} for m in said)
    assert sum(m["method"] == "image" for m in again) == len(images)


def test_clients_get_them_also_later() -> None:
    """The coarse ones are then known of, and gone."""
    with mocking(previews=True) as (_, url):
        for coarse_too in (True, False):
            with client.connect(url, ("image",), from_seq=1) as events:
                images = [e for e in islice(events, 4) if isinstance(e, client.Image)]
            for event in images:
                said = event.params
                assert said["seed"] == seed_of(said["decode_id"])
                if not (coarse_too or said["final"]):
                    assert event.data == b""
                    continue
                with Image.open(io.BytesIO(event.data)) as image:
                    assert hashlib.sha256(image.tobytes()).hexdigest() == said["sha256"]


def test_the_pictures_of_a_session_are_said_again(tmp_path: Path) -> None:
    script = read_script(GOLDEN, previews=True)
    for line in script.lines:
        if line.file:
            (tmp_path / "previews").mkdir(exist_ok=True)
            (tmp_path / "previews" / line.file).write_bytes(line.pictures["png"])
    kept = [f"{line.body!s}\n" for line in script.lines if line.seq]
    (tmp_path / "events.jsonl").write_text("".join(kept), encoding="utf-8")
    again = [line for line in read_script(tmp_path).lines if line.stream == "image"]
    said = [line for line in script.lines if line.stream == "image"]
    assert [line.body for line in again] == [line.body for line in said]
    assert [line.file for line in again] == [line.file for line in said]
    assert all(a.pictures == b.pictures for a, b in zip(again, said, strict=True) if b.file)
    (first, *_) = (tmp_path / "previews").iterdir()
    first.unlink()
    assert any(
        line.stream == "image" and not line.file and b'"final":true' in str(line.body).encode()
        for line in read_script(tmp_path).lines
    )
