"""Pictures over the real wire: as each client wants them, live and out of the log."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.frames import Opcode

from decoder.client import Image, connect
from decoder.events import ImagePreview
from decoder.server import protocol
from decoder.server.hub import Client, Message
from decoder.server.images import Encoding, Format, Way, encode_image
from decoder.server.wire import encode
from tests.decoder.asking import ask, authorized
from tests.decoder.serving import serving
from tests.decoder.test_hub import FakeLine
from tests.decoder.test_protocol import masked, silent

PICTURES = {"png": b"a PNG", "jpeg": b"a JPEG", "webp": b"a WebP"}


def parted(body: bytes) -> tuple[dict[str, Any], bytes]:
    """Return header and picture of a binary message."""
    stop = 4 + int.from_bytes(body[:4], "big")
    return json.loads(body[4:stop]), body[stop:]


def event(number: int, file: str | None = None) -> ImagePreview:
    made = "generated", 4, 4, True, 1, "braincast-preview", "c0ffee", "braincast-preview"
    return ImagePreview(f"S/locked/{number}", 3, *made, 64, 64, "sha", 0.0, 1.0, 1.1, file)


def message(seq: int, file: str | None = None) -> Message:
    body = encode(event(seq, file), seq, 1.0)
    return Message("image", body, 1.0, seq=seq, pictures=PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_a_client_gets_the_format_it_wants(name: str) -> None:
    with serving() as server, connect(server.url, ["image"], picture_format=name) as events:
        server.publish(message(1))
        got = next(iter(events))
    assert isinstance(got, Image)
    assert got.data == PICTURES[name]
    assert got.fields["format"] == name
    assert got.fields["decode_id"] == "S/locked/1"
    assert got.fields["seq"] == 1
    assert "stream" in got.params


def test_base64_is_a_notification_like_others() -> None:
    with serving() as server, authorized(server) as line:
        ask(line, "subscribe", streams=["image"], encoding="base64", format="jpeg")
        server.publish(message(1))
        said = line.receive()
    assert said["method"] == "image"
    assert base64.b64decode(said["params"]["base64"]) == b"a JPEG"


def test_a_format_that_is_not_at_hand_is_said() -> None:
    body = encode(event(1), 1, 1.0)
    for pictures, name, data in (({"png": b"x"}, b"png", b"x"), ({}, b"", b"")):
        frame = encode_image(body, pictures, Encoding("webp"))
        assert isinstance(frame, bytes)
        assert frame.endswith(b'"format":"' + name + b'"}' + data)


def test_who_resumes_gets_what_is_kept(tmp_path: Path) -> None:
    (tmp_path / "previews").mkdir()
    (tmp_path / "previews" / "locked-1-3.png").write_bytes(b"kept")
    files = ["locked-1-3.png", None, "deleted.png"]
    bodies = [str(message(n, file).body) for n, file in enumerate(files, 1)]
    log = tmp_path / "events.jsonl"
    log.write_text("".join(f"{body}\n" for body in bodies))
    with (
        serving(events=log, last_seq=3) as server,
        connect(server.url, ["image"], from_seq=1, picture_format="webp") as events,
    ):
        said = iter(events)
        got = [next(said) for _ in range(3)]
        server.publish(message(4))
        got.append(next(said))
    assert all(isinstance(one, Image) for one in got)
    assert [one.params["seq"] for one in got] == [1, 2, 3, 4]
    assert [(one.params["format"], one.data) for one in got if isinstance(one, Image)] == [
        ("png", b"kept"), ("", b""), ("", b""), ("webp", b"a WebP"),
    ]  # fmt: skip


@pytest.mark.parametrize("way", ["binary", "base64"])
@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("policy", [{"policy": "latest"}, {"policy": "rate", "rate": 1000}])
def test_each_policy_sends_pictures_as_they_are_wanted(
    policy: dict[str, str | float], name: Format, way: Way
) -> None:
    frames: list[bytes] = []
    line = FakeLine(frames=frames)
    client = Client(lambda: 1.0, line)
    client.pictures = Encoding(name, way)
    client.follow(["image"], policy["policy"], policy.get("rate", 1.0))  # type: ignore[arg-type]
    line.ready = False
    client.offer(message(1))
    assert not frames
    line.ready = True

    async def take() -> None:
        async with asyncio.timeout(20):
            while client.n_queued:
                said = await client.next()
                assert said is not None
                client.send(said)

    asyncio.run(take())
    wanted = PICTURES[name] if way == "binary" else base64.b64encode(PICTURES[name])
    assert [wanted in frame for frame in frames] == [True]


@pytest.mark.parametrize("way", ["binary", "base64"])
def test_the_picture_after_some_that_were_missed_is_whole(way: Way) -> None:
    line = FakeLine(ready=False)
    client = Client(lambda: 1.0, line)
    client.pictures = Encoding("jpeg", way)
    client.follow(["image"], "latest")
    client.n_missed = 3
    line.ready = True
    client.offer(message(1))
    (frame,) = line.frames
    if way == "binary":
        header, data = parted(frame[frame.index(b"{") - 4 :])
        assert (header["missed"], header["stream"], data) == (3, "image", b"a JPEG")
    else:
        params = json.loads(frame[frame.index(b"{") :])["params"]
        assert params["missed"] == 3
        assert base64.b64decode(params["base64"]) == b"a JPEG"


def frames_of(sock: socket.socket) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield binary messages, header and picture; what comes between them is skipped."""
    unread = b""

    def take(size: int) -> bytes:
        nonlocal unread
        while len(unread) < size:
            unread += sock.recv(65536)
        data, unread = unread[:size], unread[size:]
        return data

    while True:
        first, short = take(2)
        body = take(int.from_bytes(take(2), "big") if short == 126 else short)
        if first & 0x0F == Opcode.BINARY:
            yield parted(body)


@pytest.mark.parametrize(
    ("policy", "more", "n_missed", "came"),
    [("latest", {}, 3, [4, 5]), ("rate", {"rate": 1000}, 4, [5])],
)
def test_who_did_not_read_gets_the_newest_pictures_whole(
    policy: str, more: dict[str, float], n_missed: int, came: list[int]
) -> None:
    """Over a real socket: until it answers a ping all waits, where pictures grow too old."""
    with serving() as server, silent(server, policy, "image", **more) as sock:
        sock.settimeout(60)
        for seq in range(1, 6):
            body = encode(event(seq), seq, 1.0)
            # The server's clock stands at 1.0
            t_emit = 1.0 if seq > 3 else 0.0
            server.publish(Message("image", body, t_emit, seq=seq, pictures=PICTURES))
        while server.hub.last_seq < 5:
            httpx.get(f"http://127.0.0.1:{server.port}/healthz", timeout=60)
        sock.sendall(masked(Opcode.PONG, protocol.MARK))
        frames = frames_of(sock)
        got = [next(frames)]
        sock.sendall(masked(Opcode.PONG, protocol.MARK))
        got += [next(frames) for _ in came[1:]]
    assert [header["seq"] for header, _ in got] == came
    assert [header.get("missed") for header, _ in got] == [n_missed, None][: len(came)]
    assert {data for _, data in got} == {PICTURES["png"]}
