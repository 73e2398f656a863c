"""Files of lines that a crash or a full disk leaves readable."""

from __future__ import annotations

from pathlib import Path

from streaming.errors import SessionError
from streaming.inuse import hold

__all__ = ["LineFile"]


class LineFile:
    """A file that each line is handed to the system at once, and whole.

    A line that the disk does not take is taken back; after it nothing more is written.

    Parameters
    ----------
    path : Path
        Is made, or gone on with.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)
        hold(self._file)

    def write(self, line: str) -> None:
        """Add a line.

        Raises
        ------
        SessionError
            If the disk fails, once.
        """
        if self._file.closed:
            return
        good = self._file.tell()
        left = memoryview(line.encode() + b"\n")
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._file.truncate(good)
            self._file.close()
            msg = (
                f"{self._path} stopped ({error.strerror}): what came before is kept, and "
                f"decoding goes on; free the disk and start another session"
            )
            raise SessionError(msg) from error

    def close(self) -> None:
        """Close the file; more than once is fine."""
        self._file.close()
