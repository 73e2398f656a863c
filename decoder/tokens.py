"""Tokens that last: who may connect to any service of this machine, kept in a file.

The file holds names, roles and hashes, never a token. A token has 192 random bits, so that one
round of SHA-256 hides it as well as a slow hash would.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from streaming.errors import ConfigError

__all__ = ["ROLES", "TOKEN_VARIABLE", "Role", "TokenEntry", "TokenFile", "owners_token"]

logger = logging.getLogger(__name__)

Role = Literal["viewer", "participant", "operator"]

ROLES: tuple[Role, ...] = get_args(Role)

_LOOK = 0.1
"""Seconds for which what the file says is believed without looking at it again."""

_MAX_NAME = 64

TOKEN_VARIABLE = "BRAINCAST_TOKEN"  # noqa: S105 - its name
"""Environment variable that may hold the operator's token."""

_SHORTEST = 16
"""Characters of a token that is given in it."""


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """A token, as the file has it.

    Parameters
    ----------
    name : str
        Whose it is; no other in the file has it.
    role : str
        ``viewer``, ``participant`` or ``operator``.
    created : str
        When it was made, in UTC.
    sha256 : str
        Hash of the token, 64 hexadecimal digits.
    """

    name: str
    role: Role
    created: str
    sha256: str

    def __post_init__(self) -> None:
        """Refuse what `TokenFile.create` would not have written."""
        if self.role not in ROLES:
            msg = f"there is no role {self.role!r}: choose {', '.join(ROLES)}"
            raise ConfigError(msg)
        if not (0 < len(self.name) <= _MAX_NAME and self.name.isprintable()):
            msg = f"{self.name!r} is no name of a token: use 1 to {_MAX_NAME} characters"
            raise ConfigError(msg)
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            msg = f"the token {self.name!r} has no SHA-256 of 64 digits"
            raise ConfigError(msg)


class TokenFile:
    """The tokens in a file, as it is now: what is made or revoked holds at once.

    Parameters
    ----------
    path : path
        The file; without one there are no tokens. Only its owner may read it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: dict[str, TokenEntry] = {}
        self._seen: tuple[int, ...] | None = None
        self._due = 0.0

    def create(self, role: Role, name: str) -> str:
        """Add a token and return it: it is not kept, and cannot be shown again.

        Raises
        ------
        ConfigError
            If there is one of that name, or the file cannot be read or written.
        """
        token = secrets.token_urlsafe(24)
        created = datetime.now(UTC).isoformat(timespec="microseconds")
        with self._writing() as entries:
            if name in entries:
                msg = f"{self.path} has a token {name!r}: revoke it, or choose another --name"
                raise ConfigError(msg)
            entries[name] = TokenEntry(name, role, created, _hash(token))
        return token

    def revoke(self, name: str) -> None:
        """Take a token away; who is connected with it is hung up on.

        Raises
        ------
        ConfigError
            If there is none of that name, or the file cannot be read or written.
        """
        with self._writing() as entries:
            if name not in entries:
                there = ", ".join(entries) or "none"
                msg = f"{self.path} has no token {name!r}; there are: {there}"
                raise ConfigError(msg)
            del entries[name]

    def read(self) -> list[TokenEntry]:
        """Return all tokens, oldest first.

        Raises
        ------
        ConfigError
            If the file is not ours alone, or not one of tokens.
        """
        try:
            with open(self.path, "rb", opener=_open_at_once) as file:
                mode = os.fstat(file.fileno()).st_mode
                if not stat.S_ISREG(mode):
                    msg = f"{self.path} is no file: name another with --tokens"
                    raise ConfigError(msg)
                if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
                    msg = f"others may read or write {self.path}: chmod 600 {self.path}"
                    raise ConfigError(msg)
                content = json.load(file)
            return [TokenEntry(**entry) for entry in content["tokens"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            msg = f"{self.path} is no file of tokens ({error}); delete it and make new ones"
            raise ConfigError(msg) from error

    def find(self, token: str) -> TokenEntry | None:
        """Return the entry of a token; takes the same time for every token."""
        sought = _hash(token)
        found = None
        for entry in self._now().values():
            if hmac.compare_digest(entry.sha256, sought):
                found = entry
        return found

    def named(self, name: str) -> TokenEntry | None:
        """Return the entry of a name."""
        return self._now().get(name)

    def _now(self) -> dict[str, TokenEntry]:
        """Return what the file says; nothing, if it cannot be read."""
        now = time.monotonic()
        if now < self._due:
            return self._entries
        self._due = now + _LOOK
        try:
            s = self.path.stat()
            seen: tuple[int, ...] = s.st_mtime_ns, s.st_size, s.st_ino, s.st_mode
        except OSError:
            seen = ()
        if seen != self._seen:
            self._seen = seen
            try:
                self._entries = {entry.name: entry for entry in self.read()}
            except ConfigError as error:
                self._entries = {}
                logger.warning("no token of a file is valid now: %s", error)
        return self._entries

    @contextmanager
    def _writing(self) -> Iterator[dict[str, TokenEntry]]:
        """Give the entries to change, and write them: another file takes its place."""
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            msg = f"{new} is there: another command writes tokens; if none does, delete it"
            raise ConfigError(msg) from error
        except OSError as error:
            msg = f"cannot write {new} ({error.strerror}); name another file with --tokens"
            raise ConfigError(msg) from error
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                entries = {entry.name: entry for entry in self.read()}
                yield entries
                tokens = [asdict(entry) for entry in entries.values()]
                json.dump({"tokens": tokens}, file, indent=2)
            new.replace(self.path)
        finally:
            new.unlink(missing_ok=True)


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; for a pipe, which is none, do not wait until somebody writes to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # Windows has no such pipes


def owners_token(file: Path) -> tuple[str, bool]:
    """Return the token of whoever starts a service, and whether it was made now.

    It is the one that ``BRAINCAST_TOKEN`` holds. Without that, one is made at each start,
    unless the file of tokens has one for an operator: then there is none beside it.

    Parameters
    ----------
    file : Path
        The file of tokens.

    Raises
    ------
    ConfigError
        If the one that was given could be guessed, or the file cannot be read.
    """
    given = os.environ.get(TOKEN_VARIABLE, "")
    if given and len(given) < _SHORTEST:
        msg = (
            f"{TOKEN_VARIABLE} has {len(given)} characters and could be guessed: use "
            f"{_SHORTEST} or more, such as those of `openssl rand -hex 16`"
        )
        raise ConfigError(msg)
    if given or any(entry.role == "operator" for entry in TokenFile(file).read()):
        return given, False
    return secrets.token_urlsafe(24), True


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
