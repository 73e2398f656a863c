from __future__ import annotations

import json
import struct
import subprocess
import sys
from itertools import islice

import httpx
import pytest

from decoder import client
from decoder.mock import LEAD
from decoder.script import EVERY, GOLDEN, read_script
from decoder.server.wire import LOGGED as LOGGED_STREAMS
from decoder.session import FRESHNESS
from tests.decoder.mocking import TOKEN, mocking

SCRIPT = read_script(GOLDEN)
LOGGED = [line for line in SCRIPT.lines if line.seq]


def bodies(url: str, n: int = len(LOGGED)) -> list[str]:
    """Return the first events of a mock, as they came."""
    with client.connect(url, LOGGED_STREAMS, from_seq=1) as events:
        return [json.dumps(event.params, sort_keys=True) for event in islice(events, n)]


def test_every_event_comes_as_it_was_said_and_each_time_the_same() -> None:
    said = [json.dumps(json.loads(line.body)["params"], sort_keys=True) for line in LOGGED]
    for _ in range(2):
        with mocking() as (_, url):
            assert bodies(url) == said


def test_signal_comes_as_binary_frames() -> None:
    with mocking(speed=50) as (_, url), client.connect(url, ("signal",)) as events:
        event = next(iter(events))
    assert isinstance(event, client.Signal)
    said = event.params
    assert [len(channel) for channel in event.samples()] == [said["n_times"]] * said[
        "n_channels"
    ]
    assert struct.unpack("<f", event.data[:4])[0] == event.samples()[0][0]


def test_a_client_that_comes_later_gets_all_from_the_log() -> None:
    with mocking() as (_, url):
        first = bodies(url)
        assert bodies(url) == first


def test_rest_describes_the_session_and_its_candidates() -> None:
    with mocking() as (mock, _):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        about = httpx.get(f"{mock.url}/v1/session", headers=headers).json()
        candidates = httpx.get(f"{mock.url}/v1/candidates", headers=headers).json()
    assert about["simulated"]["snr"] == "easy"
    assert about["candidates"]["n"] == len(candidates) == 300


def decodes(fault: str) -> list[client.Decode]:
    with mocking(fault=fault) as (_, url), client.connect(url, from_seq=1) as events:
        n = sum(line.stream == "text" for line in LOGGED)
        found = [e.fields for e in islice(events, n) if isinstance(e, client.Text)]
    assert len(found) == n
    return found


def test_each_third_decode_can_be_stale() -> None:
    late = decodes("stale")[EVERY - 1 :: EVERY]
    assert all(decode["stale"] for decode in late)
    assert all(decode["t_emit"] - decode["t_end"] > FRESHNESS for decode in late)


def test_each_third_decode_can_be_withheld() -> None:
    withheld = decodes("abstain")[EVERY - 1 :: EVERY]
    assert all(decode["abstained"] and not decode["top"] for decode in withheld)
    assert len({decode["abstained"] for decode in withheld}) > 3


@pytest.mark.parametrize("fault", ["drop", "1013"])
def test_a_client_whose_connections_end_gets_every_event_once(fault: str) -> None:
    with (
        mocking(fault=fault) as (_, url),
        client.connect(url, LOGGED_STREAMS, from_seq=1) as events,
    ):
        seqs = [event.params["seq"] for event in islice(events, len(LOGGED))]
        assert events.n_connections > 1
    assert seqs == [*range(1, len(LOGGED) + 1)]


def test_the_command_needs_no_lsl_no_torch_and_no_model() -> None:
    code = """
import sys
from decoder import cli, mock, commands_mock
loaded = {"torch", "pylsl", "transformers", "mne", "sklearn", "PIL"} & set(sys.modules)
print(sorted(loaded))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_its_clock_stands_a_little_before_the_first_event_until_somebody_subscribes() -> None:
    with mocking(speed=1.0) as (mock, url):
        assert mock.clock() == pytest.approx(SCRIPT.lines[0].t - LEAD)
        with client.connect(url, LOGGED_STREAMS) as events:
            event = next(iter(events))
        assert mock.clock() >= event.params["t_emit"]
