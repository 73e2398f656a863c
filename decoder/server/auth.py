"""Who may connect, and as what."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

__all__ = ["Access", "Role"]

Role = Literal["viewer", "operator"]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Access:
    """The token of this server and what is let in without it.

    Parameters
    ----------
    token : str
        Whoever has it is the operator. A new one is made at each start unless one is given.
    open_viewer : bool
        Let a viewer in without a token. For a simulated participant only: it has no privacy.
    host : str
        The address that the server listens on.
    """

    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    open_viewer: bool = False
    host: str = "127.0.0.1"

    def role(self, token: str) -> Role | None:
        """Return what a token makes of a client, in constant time; None: not let in."""
        if hmac.compare_digest(token.encode(), self.token.encode()):
            return "operator"
        if not token and self.open_viewer:
            return "viewer"
        return None

    def host_allowed(self, host: str) -> bool:
        """Whether a Host header names this machine.

        A page elsewhere that rebinds its own name to 127.0.0.1 still sends that name.
        """
        return self._is_ours(f"//{host}")

    def origin_allowed(self, origin: str | None) -> bool:
        """Whether a page of this origin may connect; programs send none."""
        return origin is None or self._is_ours(origin)

    def _is_ours(self, url: str) -> bool:
        try:
            name = urlsplit(url).hostname
        except ValueError:
            return False
        return name in _LOOPBACK or name == self.host
