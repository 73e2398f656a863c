from __future__ import annotations

import socket
from contextlib import closing

import pytest

from decoder.listening import listen, url_of
from streaming.errors import ConfigError


def test_a_free_port_is_taken_and_told() -> None:
    with closing(listen("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        assert url_of(sock) == f"http://127.0.0.1:{port}"
        assert url_of(sock, encrypted=True, name="lab") == f"https://lab:{port}"
        with socket.create_connection(("127.0.0.1", port), 20):
            came, address = sock.accept()
            came.close()
            assert address[0] == "127.0.0.1"


def test_who_listens_everywhere_is_reached_here_by_its_own_programs() -> None:
    with closing(listen("0.0.0.0", 0)) as sock:
        port = sock.getsockname()[1]
        assert url_of(sock, own=True, name="lab") == f"http://127.0.0.1:{port}"
        assert url_of(sock, name="lab") == f"http://lab:{port}"


@pytest.mark.parametrize("host", ["192.0.2.7", "no such host.invalid"])
def test_an_address_that_is_not_ours_is_refused_with_the_fix(host: str) -> None:
    with pytest.raises(ConfigError, match="--port") as refused:
        listen(host, 0)
    assert host in str(refused.value)


def test_a_port_that_is_taken_is_refused() -> None:
    with closing(listen("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} "):
            listen("127.0.0.1", port)
