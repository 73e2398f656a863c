"""Pictures of a session are made again: the same pixels, or it is said why not."""

from __future__ import annotations

import functools
import io
import json
import queue
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from decoder.config import PreviewConfig
from decoder.events import ImagePreview, LatentMade, State, TextDecoded
from decoder.folder import SessionFolder
from decoder.preview_process import PreviewProcess
from decoder.previewer import Previewer
from decoder.runtime import Audience, Runtime
from decoder.verify import Verdict, verify_session
from streaming.lsl_clock import lsl_clock
from tests.decoder import sessions
from tests.decoder.painting import spawn_painter
from tests.decoder.sessions import CONFIG, record
from tests.decoder.tiny import tiny_model

EVERY = 9
WAIT = 60.0


class Patron(Previewer):
    """Has each ninth decode pictured, and waits for it, so that none is cancelled."""

    runtime: Runtime

    def __init__(self, folder: Path) -> None:
        model = tiny_model()
        config = PreviewConfig(generator="paint", deadline=WAIT)
        self.done: queue.Queue[bool] = queue.Queue()
        args = config, model.space, model.centre, folder, lsl_clock
        super().__init__(*args, self.tell, spawn_painter)
        self._n_seen = 0

    def tell(self, event: ImagePreview | State, pictures: Mapping[str, bytes]) -> None:
        self.runtime.say(event, pictures)
        if isinstance(event, ImagePreview) and event.final:
            self.done.put(True)

    def decoded(self, text: TextDecoded, made: LatentMade) -> None:
        self._n_seen += 1
        if self._n_seen % EVERY == 0:
            self.offer(text, made, lsl_clock())
            self.done.get(timeout=WAIT)


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> SessionFolder:
    root = tmp_path_factory.mktemp("pictured")
    patron = Patron(root / "sessions" / "S" / "previews")

    def runtime(*args: Any, **more: Any) -> Runtime:
        audience = Audience(on_decode=patron.decoded, on_withdrawn=patron.withdraw)
        patron.runtime = Runtime(args[0], args[1], args[2], args[3], audience, args[5], **more)
        return patron.runtime

    preview = PreviewConfig(generator="paint")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "Runtime", runtime)
        folder, _ = record(root, config=CONFIG.model_copy(update={"preview": preview}))
    patron.close()
    return folder


@pytest.fixture(autouse=True)
def painters(monkeypatch: pytest.MonkeyPatch) -> None:
    process = functools.partial(PreviewProcess, start=spawn_painter)
    monkeypatch.setattr("decoder.preview_check.PreviewProcess", process)


def headers(folder: SessionFolder) -> list[dict[str, object]]:
    lines = folder.events.read_text().splitlines()
    said = [json.loads(line) for line in lines]
    return [m["params"] for m in said if m["method"] == "image" and m["params"]["final"]]


def copied(folder: SessionFolder, to: Path) -> SessionFolder:
    shutil.copytree(folder.path, to / "S")
    return SessionFolder(to / "S")


def test_the_log_has_pictures_right_after_their_decodes(pictured: SessionFolder) -> None:
    newest = ""
    n = 0
    for line in pictured.events.read_text().splitlines():
        said = json.loads(line)
        if said["method"] == "text":
            newest = said["params"]["decode_id"]
        elif said["method"] == "image":
            n += 1
            assert said["params"]["decode_id"] == newest
            assert not said["params"].keys() & {"pictures", "format", "base64"}
    assert n == 3 * len(headers(pictured)) > 0
    for header in headers(pictured):
        assert (pictured.path / "previews" / str(header["file"])).is_file()


def test_the_same_pixels_come_out_again(pictured: SessionFolder) -> None:
    verdict = verify_session(pictured.path)
    assert verdict.difference == ""
    assert verdict.n_previews == len(headers(pictured))
    assert (
        verdict.about_previews
        == f"; {verdict.n_previews} previews were made again, bit for bit"
    )


def test_a_picture_with_another_pixel_is_noticed(
    pictured: SessionFolder, tmp_path: Path
) -> None:
    folder = copied(pictured, tmp_path)
    name = str(headers(folder)[0]["file"])
    path = folder.path / "previews" / name
    pixels = np.array(Image.open(path))
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(path)
    assert f"previews/{name} is not the preview of" in verify_session(folder.path).difference
    path.write_bytes(b"no picture")
    assert f"previews/{name} is not the preview of" in verify_session(folder.path).difference


@pytest.mark.parametrize("field", ["sha256", "seed"])
def test_a_header_that_was_altered_is_noticed(
    pictured: SessionFolder, tmp_path: Path, field: str
) -> None:
    folder = copied(pictured, tmp_path)
    header = headers(folder)[-1]
    (folder.path / "previews" / str(header["file"])).unlink()
    old = json.dumps(header[field])
    text = folder.events.read_text()
    assert old in text
    new = json.dumps("0" * 64 if field == "sha256" else 1)
    folder.events.write_text(text.replace(f'"{field}":{old}', f'"{field}":{new}'))
    assert "preview of" in verify_session(folder.path).difference


def test_elsewhere_a_pixel_may_differ_and_much_may_not(
    pictured: SessionFolder, tmp_path: Path
) -> None:
    folder = copied(pictured, tmp_path)
    manifest = json.loads((folder.path / "manifest.json").read_text())
    manifest["preview"] = {"diffusers": "0.0.1"}
    (folder.path / "manifest.json").write_text(json.dumps(manifest))
    assert verify_session(folder.path).n_previews == len(headers(folder)), (
        "the same, all the same"
    )
    for off, close in ((1, True), (9, False)):
        repaint(folder, off)
        verdict = verify_session(folder.path)
        assert bool(verdict.difference) is not close, verdict
        assert verdict.n_previews_close == close
    assert "does not come out again, by" in verdict.difference


def repaint(folder: SessionFolder, off: int) -> None:
    """Have another picture sent first, of pixels that are all a little brighter."""
    import hashlib

    header = headers(folder)[0]
    path = folder.path / "previews" / str(header["file"])
    pixels = np.array(Image.open(io.BytesIO(path.read_bytes()))) + np.uint8(off)
    Image.fromarray(pixels).save(path)
    new = hashlib.sha256(pixels.tobytes()).hexdigest()
    text = folder.events.read_text()
    folder.events.write_text(text.replace(str(header["sha256"]), new))


@pytest.mark.parametrize(
    ("generator", "why"),
    [("smudge", "generator 'smudge' is unknown"), ("paint", "paint has other weights")],
)
def test_what_cannot_be_checked_is_said(
    pictured: SessionFolder, tmp_path: Path, generator: str, why: str
) -> None:
    folder = copied(pictured, tmp_path)
    config = folder.path / "config.yaml"
    config.write_text(config.read_text().replace("generator: paint", f"generator: {generator}"))
    folder.events.write_text(folder.events.read_text().replace("c0ffee", "decaff"))
    verdict = verify_session(folder.path)
    assert (verdict.difference, verdict.n_previews) == ("", 0)
    assert verdict.about_previews.startswith(f"; previews not checked: {why}")


def test_a_verdict_says_what_was_checked() -> None:
    assert Verdict(3, "", cut_short=False).about_previews == ""
    both = Verdict(3, "", cut_short=False, n_previews=2, n_previews_close=1, unchecked="why")
    assert both.about_previews == (
        "; 3 previews were made again, 1 of them within the tolerance; "
        "other previews not checked: why"
    )
