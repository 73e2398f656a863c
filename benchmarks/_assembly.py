"""What a competent user puts together today of MNE-LSL, NumPy and FastAPI.

Band, window, model and candidates are those of our service. In its favour: the scale of the
channels is fixed beforehand, every tenth sample is taken without a low-pass of its own, the
buffer holds no more than two windows, MNE-LSL looks for samples each millisecond, and decoding
in the websocket's own task saves a hand-over between threads.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from mne_lsl.stream import StreamLSL
from numpy.typing import NDArray

from benchmarks._rig import HOP, SFREQ, WINDOW

__all__ = ["Decoder", "serve"]

_FACTOR = 10  # to 100 Hz, as `standard_chain` does
_N_TOP = 5


class Decoder:
    """The ridge and the retrieval of our model, as matrices.

    Parameters
    ----------
    path : Path
        What `benchmarks._rig.write_arrays` wrote.
    """

    def __init__(self, path: Path) -> None:
        with np.load(path) as arrays:
            self._model = dict(arrays)
        offsets = self._model["candidates"] - self._model["centre"]
        self._directions = offsets / np.linalg.norm(offsets, axis=1, keepdims=True)
        self._n_bins = len(self._model["starts"])

    def __call__(self, data: NDArray[Any], unit: float) -> list[dict[str, Any]]:
        """Return the best candidates for a window of shape (n_channels, n_times)."""
        m = self._model
        scaled = np.clip(data[:, _FACTOR - 1 :: _FACTOR] / unit, -10, 10)
        components = m["spatial"] @ scaled
        pooled = components.reshape(len(components), self._n_bins, -1).mean(axis=2)
        features = (pooled.ravel() - m["mean"]) / m["scale"]
        vector = m["coef"] @ features.astype(np.float32) + m["intercept"]
        logits = self._directions @ (vector - m["centre"]) / 0.1
        p = np.exp(logits - logits.max())
        p /= p.sum()
        best = np.argsort(-p)[:_N_TOP]
        return [{"id": f"thing {i}", "text": f"thing {i}", "p": float(p[i])} for i in best]


def _connect(name: str) -> StreamLSL:
    stream = StreamLSL(2.0, name=name).connect(acquisition_delay=0.001, timeout=20)
    if "eeg" in stream.get_channel_types(unique=True):
        stream.set_eeg_reference("average")
    second_order = {"order": 2, "ftype": "butter", "output": "sos"}
    stream.notch_filter(50.0, notch_widths=2.0, iir_params=dict(second_order))
    stream.filter(0.5, 30.0, iir_params=dict(second_order))
    return stream


def _app(stream: StreamLSL, decoder: Decoder, unit: float) -> FastAPI:
    app = FastAPI()

    async def send(ws: WebSocket) -> None:
        data, timestamps = stream.get_data(WINDOW)
        top = decoder(data, unit)
        await ws.send_json({"t_newest": float(timestamps[-1]), "top": top})

    @app.websocket("/timer")
    async def timer(ws: WebSocket) -> None:
        """Decode what is there, then sleep: the loop that comes to mind first."""
        await ws.accept()
        try:
            while True:
                await send(ws)
                # An absolute deadline would fix the phase between decodes and chunks, and with
                # it the age of the newest sample, anywhere from 0 to 10 ms for a whole run.
                await asyncio.sleep(HOP)
        except WebSocketDisconnect:
            return

    @app.websocket("/polled")
    async def polled(ws: WebSocket) -> None:
        """Decode as soon as 50 ms of new samples are there: the best that MNE-LSL allows."""
        await ws.accept()
        n_hop = round(HOP * SFREQ)
        try:
            while True:
                while stream.n_new_samples < n_hop:  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.001)
                await send(ws)
        except WebSocketDisconnect:
            return

    return app


def serve(name: str, path: Path, unit: float, port: int) -> None:
    """Serve decodes of a stream until terminated, as a process of its own.

    Parameters
    ----------
    name : str
        Name of the LSL stream.
    path : Path
        What `Decoder` takes.
    unit : float
        Scale of the channels, from a calibration.
    port : int
        Where to listen.
    """
    app = _app(_connect(name), Decoder(path), unit)
    uvicorn.run(app, port=port, log_level="warning", ws="websockets-sansio")
