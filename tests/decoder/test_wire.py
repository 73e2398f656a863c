from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from decoder.events import (
    Event,
    Evidence,
    GapFound,
    GapRevised,
    Latency,
    LatentMade,
    MarkerSeen,
    Overrun,
    Ranked,
    Running,
    Signal,
    State,
    TextDecoded,
    Truth,
)
from decoder.server import wire
from streaming.signal import Gap, Marker, Revision

TEXT = TextDecoded(
    decode_id="S/locked/0",
    top=(Ranked("cat", "cat", 0.5, "🐈"),),
    n_candidates=2,
    calibrated=True,
    candidates_hash="c",
    model_id="m",
    segment=0,
    first=10,
    n_times=20,
    t_start=1.0,
    t_end=2.0,
    truth=Truth("cat", "cat", "🐈", 1, trained=True),
    running=(Running("closed_set", 1, 2, 1.0, 0.2, 1.0, 1.0, 1.0),),
    latency_ms={"total": 3.0},
)
EVENTS: list[tuple[Event, str]] = [
    (TEXT, "text"),
    (MarkerSeen(Marker("cat", 1.0, 0, 5), "stimulus", "cat", "cat", "🐈"), "markers"),
    (Evidence("S/locked/0", "closed_set", "shuffled", 1, 0.1, 0.1, 0.8), "evidence"),
    (GapFound(Gap(1.0, 0.5, "lost")), "state"),
    (GapRevised(Revision(0, 50, 90, 1.5, 2), ("S/locked/0",)), "state"),
    (Overrun(100, 1.0), "state"),
    (State("source", "live", 1.0, "fine"), "state"),
    (Latency({"total": (1.0, 2.0, 3.0)}, 10, 0, 0), "latency"),
]


@pytest.mark.parametrize(("event", "stream"), EVENTS)
def test_an_event_is_a_notification_of_its_stream(event: Event, stream: str) -> None:
    message = json.loads(wire.encode(event, 7, 3.5))
    assert message["jsonrpc"] == "2.0"
    assert message["method"] == stream == wire.stream_of(event)
    assert message["params"]["seq"] == 7
    assert message["params"]["t_emit"] == 3.5
    assert "id" not in message


def test_a_decode_carries_all_that_an_app_needs() -> None:
    params = json.loads(wire.encode(TEXT, 1, 2.5))["params"]
    assert params["top"] == [{"id": "cat", "text": "cat", "p": 0.5, "glyph": "🐈"}]
    assert params["truth"] == {
        "id": "cat",
        "text": "cat",
        "glyph": "🐈",
        "rank": 1,
        "trained": True,
    }
    assert params["running"][0]["protocol"] == "closed_set"
    assert params["revision"] == 0


def test_a_signal_frame_gives_back_its_samples() -> None:
    data = np.arange(6, dtype=np.float32).reshape(2, 3)
    frame = wire.encode_signal(Signal(data[:, ::-1], 5.0, 125.0))
    (n,) = struct.unpack(">I", frame[:4])
    header = json.loads(frame[4 : 4 + n])
    assert header["stream"] == "signal"
    assert (header["t0"], header["sfreq"]) == (5.0, 125.0)
    shape = (header["n_channels"], header["n_times"])
    got = np.frombuffer(frame[4 + n :], "<f4").reshape(shape)
    np.testing.assert_array_equal(got, data[:, ::-1])


def test_a_latent_frame_gives_back_its_vector() -> None:
    vector = np.array([1.5, -2.0, 0.25], np.float32)
    frame = wire.encode_latent(LatentMade("S/locked/0", vector, "labels", "m", 2.0), 3.0)
    (n,) = struct.unpack(">I", frame[:4])
    header = json.loads(frame[4 : 4 + n])
    assert (header["stream"], header["decode_id"]) == ("latent", "S/locked/0")
    assert (header["space"], header["model_id"]) == ("labels", "m")
    assert (header["t_end"], header["t_emit"], header["n_dims"]) == (2.0, 3.0, 3)
    np.testing.assert_array_equal(np.frombuffer(frame[4 + n :], "<f4"), vector)


def test_not_a_number_never_goes_out() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        wire.encode(State("source", "live", float("nan"), ""), 1, 1.0)


def test_a_revision_names_its_place_and_the_decodes() -> None:
    event = GapRevised(Revision(3, 50, 90, 1.5, 2), ("S/sliding/4", "S/sliding/5"))
    params = json.loads(wire.encode(event, 1, 2.0))["params"]
    assert (params["what"], params["state"]) == ("gap", "revised")
    place = [params[name] for name in ("segment", "first", "stop", "t", "n_times")]
    assert place == [3, 50, 90, 1.5, 2]
    assert params["decode_ids"] == ["S/sliding/4", "S/sliding/5"]
    assert "2 samples more" in params["detail"]


def test_a_revision_of_one_of_several_signals_says_so() -> None:
    event = GapRevised(Revision(3, 50, 90, 1.5, 0), ())
    detail = json.loads(wire.encode(event, 1, 2.0))["params"]["detail"]
    assert detail.startswith("one of several signals lost samples")
