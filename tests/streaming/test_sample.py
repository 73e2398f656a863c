from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import mne
import numpy as np
import pytest

from streaming import sample
from streaming.errors import ConfigError, RecordingError
from streaming.sample import fetch_sample
from tests.recordings import DATA

ORIGINAL = DATA / "muse" / "original"
NEEDED = pytest.mark.skipif(not ORIGINAL.is_dir(), reason=f"{ORIGINAL} is not here")


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "_cache", lambda: tmp_path / "cache")
    monkeypatch.delenv("BRAINCAST_DATA", raising=False)


@NEEDED
@pytest.mark.parametrize("folder", [DATA, ORIGINAL])
def test_a_given_folder_is_used_and_the_recording_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setenv("BRAINCAST_DATA", str(folder))
    paths = fetch_sample("muse-n170", tmp_path / "new" / "folder")
    assert [p.name for p in paths] == [f"muse-n170_run{n}_raw.fif" for n in range(1, 7)]
    for n, path in enumerate(paths, 1):
        raw = mne.io.read_raw(path, verbose="ERROR")
        expected = mne.io.read_raw(
            DATA / "muse" / f"N170_subject1_session1_run{n}_raw.fif", verbose="ERROR"
        )
        assert raw.ch_names == expected.ch_names
        assert raw.get_channel_types() == ["eeg"] * 4 + ["misc"]
        np.testing.assert_allclose(raw.get_data(), expected.get_data(), rtol=1e-6, atol=1e-12)
        ours, theirs = raw.annotations, expected.annotations
        assert list(ours.description) == list(theirs.description)
        np.testing.assert_allclose(ours.onset, theirs.onset, atol=1e-5)


@NEEDED
def test_an_altered_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = min(ORIGINAL.glob("*.csv")).name
    (tmp_path / name).write_bytes((ORIGINAL / name).read_bytes() + b"\n")
    monkeypatch.setenv("BRAINCAST_DATA", str(tmp_path))
    with pytest.raises(RecordingError, match="not the file that was published"):
        fetch_sample("muse-n170", tmp_path)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Serve the published files, as the web would, and note what was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            path = ORIGINAL / self.path.strip("/")
            content = path.read_bytes() if path.exists() else b"altered"
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(sample, "_N170_URL", f"http://127.0.0.1:{httpd.server_port}/")
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield asked
        httpd.shutdown()
        thread.join(10)


@NEEDED
def test_a_download_is_made_once(tmp_path: Path, server: list[str]) -> None:
    fetch_sample("muse-n170", tmp_path / "a")
    assert len(server) == 6
    paths = fetch_sample("muse-n170", tmp_path / "b")
    assert len(server) == 6
    assert all(path.exists() for path in paths)


def test_an_altered_download_is_one_line(
    tmp_path: Path, server: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "_N170_FILES", {"none.csv": "0" * 64})
    with pytest.raises(RecordingError, match="checksum is wrong") as error:
        fetch_sample("muse-n170", tmp_path)
    assert "\n" not in str(error.value)


def test_a_closed_network_is_one_line_with_a_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(sample, "_N170_URL", "http://127.0.0.1:9/")
    with pytest.raises(RecordingError, match="BRAINCAST_DATA") as error:
        fetch_sample("muse-n170", tmp_path)
    assert "\n" not in str(error.value)


def test_an_unknown_sample_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="muse-n170"):
        fetch_sample("none", tmp_path)
