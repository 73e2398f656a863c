"""A scripted stand-in for the server: the page's files and the wire, events as a test says.

It exists to show the page what a healthy server cannot be made to say on demand: losses, late
decodes, refusals, hostile text. `python -m tests.e2e.pagemock` runs trials for a look at it.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import socket
import struct
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.requests import Request

__all__ = ["PageMock", "main"]

STATIC = Path(__file__).parents[2] / "decoder" / "server" / "static"
SFREQ = 125.0
FRAME = 0.05
THINGS = [
    ("dog", "🐕"), ("cat", "🐈"), ("rocket", "🚀"), ("apple", "🍎"), ("violin", "🎻"),
    ("bicycle", "🚲"), ("mushroom", "🍄"), ("umbrella", "☂️"), ("elephant", "🐘"),
    ("hot air balloon", "🎈"), ("key", "🔑"), ("whale", "🐋"),
]  # fmt: skip


@dataclass
class PageMock:
    """What the server knows, and the clients it tells.

    Parameters
    ----------
    token : str
        If not empty, `authorize` and the session's description ask for it.
    session : str
        Name of the session.
    n_channels : int
        Channels of the signal.
    """

    token: str = ""
    session: str = "S1"
    n_channels: int = 32
    signal: bool = True
    seq: int = 0
    clients: dict[WebSocket, set[str]] = field(default_factory=dict)
    subscribed: threading.Event = field(default_factory=threading.Event)
    loop: asyncio.AbstractEventLoop | None = None

    def about(self) -> dict[str, Any]:
        """Return the description of the session."""
        names = [f"E{i + 1}" for i in range(self.n_channels)]
        return {
            "session": self.session,
            "protocol": "1",
            "started": time.time(),
            "source": {"name": "mock", "sfreq": 250.0, "ch_names": names},
            "signal": {"sfreq": SFREQ, "ch_names": names, "unit": "V"},
            "simulated": {"snr": "easy", "subject_seed": 1},
            "model": {"id": "m", "space": "labels", "protocol": "closed_set"},
            "candidates": {"n": 300, "hash": "c"},
        }

    def send(self, stream: str, **event: Any) -> None:
        """Send an event to all who subscribed, from any thread."""
        assert self.loop is not None
        asyncio.run_coroutine_threadsafe(self._send(stream, event), self.loop).result(5)

    async def _send(self, stream: str, event: dict[str, Any]) -> None:
        if stream != "latency":
            self.seq += 1
            event = {"seq": self.seq, **event}
        message = json.dumps({"jsonrpc": "2.0", "method": stream, "params": event})
        for client, streams in list(self.clients.items()):
            if stream in streams:
                await client.send_text(message)

    def decode(self, shown: int, ranked: list[int], **changes: Any) -> None:
        """Send the decode of a trial: `THINGS[shown]` was shown, `ranked` are the best."""
        now = time.monotonic()
        text, glyph = THINGS[shown]
        rank = ranked.index(shown) + 1 if shown in ranked else 37
        top = [
            {"id": THINGS[i][0], "text": THINGS[i][0], "glyph": THINGS[i][1], "p": 0.42 / 2**k}
            for k, i in enumerate(ranked)
        ]
        event: dict[str, Any] = {
            "decode_id": f"{self.session}/locked/{self.seq}", "revision": 0,
            "t_start": now - 0.81, "t_end": now - 0.01, "segment": 0, "first": 0,
            "n_times": 200, "top": top, "n_candidates": 300, "calibrated": True,
            "candidates_hash": "c", "model_id": "m", "abstained": "", "stale": False,
            "truth": {"id": text, "text": text, "glyph": glyph, "rank": rank, "trained": True},
            "running": [], "latency_ms": {}, "t_emit": now,
        }  # fmt: skip
        self.send("text", **(event | changes))

    def app(self) -> FastAPI:
        """Return the application."""
        app = FastAPI()
        app.mount("/static", StaticFiles(directory=STATIC))

        @app.middleware("http")
        async def protect(request: Request, call_next: Any) -> Response:
            response: Response = await call_next(request)
            response.headers["Content-Security-Policy"] = "default-src 'self'"
            return response

        @app.get("/")
        def page() -> FileResponse:
            return FileResponse(STATIC / "index.html")

        @app.get("/v1/session")
        def session(request: Request) -> Response:
            if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
                return JSONResponse({"detail": "token"}, status_code=401)
            return JSONResponse(self.about())

        @app.websocket("/v1/ws")
        async def talk(client: WebSocket) -> None:
            await client.accept()
            self.loop = asyncio.get_running_loop()
            streams: set[str] = set()
            self.clients[client] = streams
            pump = asyncio.create_task(self._pump(client, streams))
            try:
                while True:
                    await self._answer(client, streams, json.loads(await client.receive_text()))
            except WebSocketDisconnect:
                del self.clients[client]
                pump.cancel()

        return app

    async def _answer(self, client: WebSocket, streams: set[str], call: dict[str, Any]) -> None:
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": call["id"]}
        instants = {"t_lsl": time.monotonic(), "t_unix": time.time()}
        params = call.get("params", {})
        if call["method"] == "authorize" and params.get("token", "") != self.token:
            reply["error"] = {"code": -32001, "message": "this token is not the session's"}
        elif call["method"] == "subscribe":
            streams.update(params["streams"])
            reply["result"] = {"success": params["streams"], "failure": []}
        else:
            reply["result"] = {"session": self.session, "protocol": "1", **instants}
        await client.send_text(json.dumps(reply))
        if {"text", "signal"} <= streams:
            self.subscribed.set()

    async def _pump(self, client: WebSocket, streams: set[str]) -> None:
        """Send the signal as it would come: pink-ish noise with alpha, 20 frames a second."""
        rng = random.Random(0)
        walks = [0.0] * self.n_channels
        n_times = round(FRAME * SFREQ)
        t0 = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, t0 + n_times / SFREQ - time.monotonic()))
            rows = array("f")
            for c in range(self.n_channels):
                for k in range(n_times):
                    walks[c] = 0.9 * walks[c] + rng.gauss(0, 3e-6)
                    phase = 2 * math.pi * 10 * (t0 + k / SFREQ) + c / 5
                    rows.append(walks[c] + 5e-6 * (1 + math.sin(t0 + c)) * math.sin(phase))
            header = json.dumps(
                {"stream": "signal", "t0": t0, "sfreq": SFREQ, "n_channels": self.n_channels,
                 "n_times": n_times}
            ).encode()  # fmt: skip
            if self.signal and "signal" in streams:
                length = struct.pack(">I", len(header))
                await client.send_bytes(length + header + rows.tobytes())
            t0 += n_times / SFREQ

    @contextmanager
    def serving(self, port: int = 0) -> Iterator[str]:
        """Serve in a thread, on a free port if none is named; gives the page's address."""
        listening = socket.create_server(("127.0.0.1", port))
        port = listening.getsockname()[1]
        config = uvicorn.Config(
            self.app(), ws="websockets-sansio", log_level="warning", lifespan="off"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.should_exit = True
            server.force_exit = True
            thread.join()
            self.clients.clear()
            self.subscribed.clear()


def main() -> None:
    """Run trials for ever."""
    mock = PageMock()
    rng = random.Random(1)
    tally = {True: [0, 0, 0], False: [0, 0, 0]}
    with mock.serving(8123) as url:
        print(url)
        while True:
            mock.subscribed.wait()
            shown, trained = rng.randrange(len(THINGS)), rng.random() < 0.7
            text, glyph = THINGS[shown]
            mock.send("markers", t=time.monotonic(), label=text, role="stimulus",
                      candidate_id=text, text=text, glyph=glyph)  # fmt: skip
            time.sleep(0.8)
            ranked = rng.sample(range(len(THINGS)), 5)
            if trained and rng.random() < 0.4 and shown not in ranked:
                ranked[0] = shown
            counts = tally[trained]
            counts[0] += 1
            counts[1] += ranked[0] == shown
            counts[2] += shown in ranked
            running = [
                {"protocol": name, "n": n, "pool": 300, "top1": a / n,
                 "top1_low": max(0.0, a / n - 1 / math.sqrt(n)) ** 1.5,
                 "top1_high": min(1.0, a / n + 0.5 / math.sqrt(n)), "top5": b / n,
                 "median_rank": 6.0}
                for name, (n, a, b) in (
                    ("closed_set", tally[True]), ("zero_shot", tally[False]),
                ) if n
            ]  # fmt: skip
            rank = ranked.index(shown) + 1 if shown in ranked else rng.randrange(6, 300)
            truth = {"id": text, "text": text, "glyph": glyph, "rank": rank, "trained": trained}
            mock.decode(shown, ranked, truth=truth, running=running)
            stages = {"acquire": [8.2, 12, 14], "queue": [0.2, 0.4, 1], "decode": [1.4, 2, 3],
                      "emit": [0.6, 1, 2], "total": [10.4, 15, 19]}  # fmt: skip
            mock.send("latency", stages=stages, n_decodes=mock.seq, gaps=0, drops=0)
            time.sleep(0.5)


if __name__ == "__main__":
    main()
