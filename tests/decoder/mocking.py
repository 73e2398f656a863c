"""A mock in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from decoder.listening import listen
from decoder.mock import Mock
from decoder.script import GOLDEN, read_script
from decoder.server.auth import Access

__all__ = ["TOKEN", "mocking"]

TOKEN = "token-of-the-test"


@contextmanager
def mocking(
    path: Path = GOLDEN,
    fault: str = "",
    speed: float = 200.0,
    port: int = 0,
    *,
    previews: bool = False,
) -> Iterator[tuple[Mock, str]]:
    """Serve a script; gives the mock and its address."""
    with closing(listen("127.0.0.1", port)) as sock:
        script = read_script(path, fault, previews=previews)
        mock = Mock(script, sock, Access(TOKEN), speed)
        thread = threading.Thread(target=mock.run)
        thread.start()
        try:
            yield mock, f"{mock.url}/#token={TOKEN}"
        finally:
            mock.stop()
            thread.join()
