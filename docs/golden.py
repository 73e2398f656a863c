"""Make what `braincast mock` serves, in `decoder/golden`: `python -m docs.golden`.

A real service decodes a simulated participant whose signal suffers all that can happen to one,
while an operator does all that one can do. What a client gets is written down as it comes, with
the service's description before it; of signal and latents only the first.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from decoder.config import Config, SessionConfig
from decoder.demo import Demo
from decoder.folder import create_folder
from decoder.listening import listen
from decoder.randomisation import Design
from decoder.script import GOLDEN
from decoder.server.auth import Access
from decoder.server.wire import STREAMS
from decoder.service import Service
from docs.golden_feed import SETTINGS, Feed
from streaming.link_feed import LinkFeed

N_CALIBRATION = 700
KEPT = {"signal": 36, "latent": 4}
"""How many binary frames are kept of each stream."""

TOKEN = "golden"
SPHINX = {"id": "sphinx", "text": "a sphinx"}

ACTIONS: dict[int, tuple[tuple[str, dict[str, Any]], ...]] = {
    3: (("injectMarker", {"label": "sneeze"}), ("control", {"action": "note", "text": "oh"})),
    6: (("setCandidates", {"candidates": [SPHINX], "mode": "add"}),),
    9: (("setCandidates", {"candidates": [{"id": "sphinx"}], "mode": "remove"}),),
    12: (("control", {"action": "blind", "on": True}),),
    13: (("control", {"action": "blind", "on": False}),),
    19: (("control", {"action": "pause", "reason": "a break"}),),
    20: (("control", {"action": "resume", "reason": "the break is over"}),),
    26: (("control", {"action": "swapModel", "model": "other"}),),
    28: (("control", {"action": "rollBack"}),),
}  # fmt: skip
"""What the operator does after so many decodes."""


def ask(ws: ClientConnection, method: str, **params: Any) -> None:
    """Send a request."""
    ws.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))


def about(url: str) -> str:
    """Return the line that describes the session."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    session = httpx.get(f"{url}/v1/session", headers=headers).raise_for_status().json()
    candidates = httpx.get(f"{url}/v1/candidates", headers=headers).raise_for_status().json()
    params = {"about": session, "candidates": candidates}
    return dumps({"jsonrpc": "2.0", "method": "session", "params": params})


def dumps(message: object) -> str:
    """Return JSON as the service makes it."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def act(ws: ClientConnection, n_decodes: int, last_channel: str) -> None:
    """Do what the operator does then."""
    for method, params in ACTIONS.get(n_decodes, ()):
        ask(ws, method, **params)
    if n_decodes == 2:
        for bad in (True, False):
            ask(ws, "markBad", ch_names=[last_channel], bad=bad)
    if n_decodes == 30:
        ask(ws, "control", action="stop", reason="the participant pressed the key")
        threading.Timer(2.0, ask, (ws, "control"), {"action": "resume"}).start()


def lines(url: str, feed: Feed) -> Iterator[str]:
    """Yield what a client gets, as lines."""
    yield about(url)
    kept: Counter[str] = Counter()
    n_decodes = 0
    with connect(f"ws://{url.removeprefix('http://')}/v1/ws", compression=None) as ws:
        ask(ws, "authorize", token=TOKEN)
        ask(ws, "subscribe", streams=list(STREAMS))
        ws.recv(), ws.recv()
        feed.begin.set()
        try:
            for frame in ws:
                if isinstance(frame, bytes):
                    n = int.from_bytes(frame[:4], "big")
                    header = json.loads(frame[4 : 4 + n])
                    stream = header["stream"]
                    kept[stream] += 1
                    if kept[stream] <= KEPT[stream]:
                        data = base64.b64encode(frame[4 + n :]).decode()
                        params = {**header, "base64": data}
                        yield dumps({"jsonrpc": "2.0", "method": stream, "params": params})
                    continue
                if '"method"' not in frame:
                    print(frame)
                    continue
                yield frame
                if '"method":"text"' in frame:
                    n_decodes += 1
                    act(ws, n_decodes, feed.hello.spec.ch_names[-1])
        except ConnectionClosed as closed:
            if closed.rcvd is None or closed.rcvd.code != 1012:
                raise


def keep(said: list[str]) -> None:
    """Write two files: what was said before the participant's stop, and a little around it.

    They are two because a stop purges: a client that comes later gets nothing from before it.
    """
    stop = next(n for n, line in enumerate(said) if '"session","state":"stopped"' in line)
    texts = [n for n, line in enumerate(said[:stop]) if '"method":"text"' in line]
    write(GOLDEN, said[:stop])
    write(GOLDEN.with_name("stop.jsonl"), [said[0], *said[texts[-3] :]])


def write(path: Path, said: list[str]) -> None:
    """Write lines, numbered from 1 where they have numbers."""
    seqs = itertools.count(1)
    numbered = [
        re.sub(r'("params":\{"seq":)\d+', lambda m: f"{m[1]}{next(seqs)}", line, count=1)
        for line in said
    ]
    path.write_text("".join(f"{line}\n" for line in numbered), encoding="utf-8")
    print(path, path.stat().st_size)


def main() -> None:
    """Make the files."""
    with tempfile.TemporaryDirectory() as temporary, closing(listen("127.0.0.1", 0)) as sock:
        root = Path(temporary)
        for name, n_trials in (("first", N_CALIBRATION), ("other", N_CALIBRATION // 4)):
            (root / name).mkdir()
            print(Demo(SETTINGS, n_trials, root / name).calibrate(lambda *_: None).top1)
            (root / name / "model").rename(root / f"{name}-model")
        (root / "other-model").rename(root / "other" / "other")
        models = [root / "first-model", root / "other" / "other"]
        said = {"snr": SETTINGS.snr, "subject_seed": 1, "session_seed": 1}
        session = SessionConfig(design=Design("independent"), risk=0.2)
        config = Config(session=session, simulated=said)
        folder = create_folder(root / "S", "golden-things", config, models)
        feed = Feed()
        access = Access(TOKEN)
        service = Service(folder.config(), folder, cast("LinkFeed", feed), access, sock)
        thread = threading.Thread(target=service.run)
        thread.start()
        keep(list(lines(service.url, feed)))
        thread.join()


if __name__ == "__main__":
    main()
