"""What is answered over plain HTTP, by a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from decoder import tokens
from decoder.finished import Sessions
from decoder.server.audit import AuditLog
from decoder.server.hub import Message
from decoder.server.limits import Limits
from decoder.server.metrics import Levels, Metrics
from decoder.tokens import TokenFile
from tests.decoder.serving import ABOUT, TOKEN, Serving, serving
from tests.decoder.sessions import lay_out
from tests.decoder.tiny import SPEC

RIGHT = {"Authorization": f"Bearer {TOKEN}"}

LEVELS = Levels(
    ready=True, clients={"operator": 1}, queues={}, samples_dropped={}, missed=0, too_slow=0
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sessions")
    for name in ("20260101T000000Z-aa", "S"):
        lay_out(root / name, SPEC, np.zeros((3, 5), np.float32), [])
        (root / name / "report.html").write_text("<p>a report")
    (root / "secret.txt").write_text("secret")
    return root


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Serving]:
    audit = AuditLog(folder / "audit.jsonl")
    with serving(
        sessions=Sessions(folder, "S"),
        scrape=Metrics("m", lambda: LEVELS).render,
        models=lambda: [ABOUT["model"] | {"active": True}],
        audit=audit,
    ) as running:
        yield running
    audit.close()


def ask(ws: ClientConnection, method: str, **params: Any) -> dict[str, Any]:
    ws.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    answer: dict[str, Any] = json.loads(ws.recv(60))
    return answer


def get(server: Serving, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{server.port}{path}", headers=headers)


def test_everything_but_health_needs_a_role(server: Serving) -> None:
    paths = json.loads(get(server, "/v1/openapi.json", **RIGHT).content)["paths"]
    assert {"/metrics", "/v1/session", "/v1/models", "/v1/sessions"} <= set(paths)
    for path in paths:
        bare = get(server, path.replace("{session_id}", "20260101T000000Z-aa"))
        assert (bare.status_code != 401) == (path in {"/healthz", "/readyz"}), path
        assert TOKEN not in bare.text


def test_a_token_in_the_query_is_no_token(server: Serving) -> None:
    assert get(server, f"/v1/session?token={TOKEN}").status_code == 401


def test_finished_sessions_are_listed_with_their_reports(server: Serving) -> None:
    (found,) = get(server, "/v1/sessions", **RIGHT).json()
    assert found["id"] == "20260101T000000Z-aa"
    assert found["report"] is True
    report = get(server, f"/v1/sessions/{found['id']}/report", **RIGHT)
    assert report.text == "<p>a report"
    assert report.headers["content-security-policy"].startswith("sandbox")


@pytest.mark.parametrize(
    "name", ["S", "none", "..", "%2e%2e", "..%2fsecret.txt", "%2fetc", "%00"]
)
def test_nothing_else_is_given_out(server: Serving, name: str) -> None:
    answer = get(server, f"/v1/sessions/{name}/report", **RIGHT)
    assert answer.status_code in {404, 422}
    assert "secret" not in answer.text


def test_models_say_which_is_active(server: Serving) -> None:
    (model,) = get(server, "/v1/models", **RIGHT).json()
    assert (model["id"], model["active"]) == ("m", True)


def test_a_monitor_of_its_own_process_scrapes(server: Serving) -> None:
    code = (
        "import sys, urllib.request as u\n"
        "r = u.Request(sys.argv[1], headers={'Authorization': 'Bearer ' + sys.argv[2]})\n"
        "print(u.urlopen(r, timeout=30).read().decode(), end='')"
    )
    url = f"http://127.0.0.1:{server.port}/metrics"
    done = subprocess.run(
        [sys.executable, "-c", code, url, TOKEN], capture_output=True, text=True, check=True
    )
    families = {family.name for family in text_string_to_metric_families(done.stdout)}
    assert {"braincast_latency_seconds", "braincast_decodes", "braincast_clients"} <= families
    assert get(server, "/metrics", **RIGHT).headers["content-type"].startswith("text/plain")


def test_the_document_is_of_what_is_answered(server: Serving) -> None:
    document = get(server, "/v1/openapi.json", **RIGHT).json()
    schema = document["paths"]["/v1/session"]["get"]["responses"]["200"]["content"]
    name = schema["application/json"]["schema"]["$ref"].rpartition("/")[2]
    required = document["components"]["schemas"][name]["required"]
    assert set(required) <= set(get(server, "/v1/session", **RIGHT).json())


def test_a_hang_is_no_health() -> None:
    with serving(not_alive=lambda: "it hangs") as running:
        answer = get(running, "/healthz")
    assert (answer.status_code, answer.json()["reason"]) == (503, "it hangs")


def test_who_did_what_is_written_down_without_tokens_or_texts(
    server: Serving, folder: Path
) -> None:
    with connect(server.ws_url) as ws:
        ask(ws, "authorize", token="a-wrong-token")
        ask(ws, "authorize", token=TOKEN)
        ask(ws, "markBad", ch_names=["Cz"])
        ask(ws, "markBad", ch_names=["secret-name"])
        ask(ws, "time")
    text = (folder / "audit.jsonl").read_text()
    ours = [json.loads(line) for line in text.splitlines()]
    done = [(x["role"], x["name"], x["method"], x["outcome"]) for x in ours]
    assert done[-4:] == [
        (None, None, "authorize", -32001),
        ("operator", "owner", "authorize", "ok"),
        ("operator", "owner", "markBad", "ok"),
        ("operator", "owner", "markBad", -32602),
    ]
    for word in (TOKEN, "a-wrong-token", "Cz", "secret-name"):
        assert word not in text


def test_revoking_a_token_ends_its_connections_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_LOOK", 0.0)
    file = TokenFile(tmp_path / "tokens.json")
    given = file.create("viewer", "wall")
    with serving(tokens=file) as running:
        with connect(running.ws_url) as wall, connect(running.ws_url) as desk:
            for ws, token, role in ((wall, given, "viewer"), (desk, TOKEN, "operator")):
                assert ask(ws, "authorize", token=token)["result"]["role"] == role
                ask(ws, "subscribe", streams=["text"])
            file.revoke("wall")
            with pytest.raises(ConnectionClosed) as closed:
                wall.recv(30)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008
            assert "revoked" in closed.value.rcvd.reason
            running.publish(Message("text", '{"method":"text"}', 1.0))
            assert json.loads(desk.recv(30))["method"] == "text"
        bearer = {"Authorization": f"Bearer {given}"}
        assert get(running, "/v1/session", **bearer).status_code == 401


def test_a_viewer_may_look_and_not_touch(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "tokens.json")
    given = file.create("viewer", "wall")
    with serving(tokens=file) as running, connect(running.ws_url) as ws:
        ask(ws, "authorize", token=given)
        assert ask(ws, "markBad", ch_names=["Cz"])["error"]["code"] == -32003
        bearer = {"Authorization": f"Bearer {given}"}
        assert get(running, "/v1/session", **bearer).status_code == 200


def test_too_many_are_told_so(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Limits, "ask", lambda *_: False)
    monkeypatch.setattr(Limits, "enter", lambda *_: "enough")
    assert get(server, "/healthz").status_code == 429
    refused: Any
    with pytest.raises(Exception, match="HTTP 429") as refused, connect(server.ws_url):
        pass
    assert b"enough" in refused.value.response.body
