"""Who may connect, and as what."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from decoder.tokens import ROLES, Role, TokenFile

__all__ = ["OWNER", "Access", "Grant", "Role", "allows"]

OWNER = "owner"
"""What the holder of the token of this start is called; no token of a file has that name."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client was let in as.

    Parameters
    ----------
    role : str
        ``viewer``, ``participant`` or ``operator``.
    name : str
        Of its token; `OWNER` for that of this start, empty without one.
    created : str
        When its token was made; empty for one that is not of a file. A token that is made
        after another of its name was revoked is another one.
    """

    role: Role
    name: str
    created: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """The tokens of this server, its names, and what is let in without a token.

    Parameters
    ----------
    token : str
        Whoever has it is the operator. A new one is made at each start unless one is given;
        empty: there is none, only those of `tokens`.
    open_viewer : bool
        Let a viewer in without a token. For a simulated participant only: it has no privacy.
    host : str
        The address that the server listens on.
    names : tuple of str
        Other names of this server, in the headers Host and Origin.
    tokens : TokenFile or None
        Tokens that were made by ``braincast token create``.
    """

    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    open_viewer: bool = False
    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    tokens: TokenFile | None = None

    def grant(self, token: str) -> Grant | None:
        """Return what a token makes of a client, in constant time; None: not let in."""
        ours = hmac.compare_digest(token.encode(errors="replace"), self.token.encode())
        entry = self.tokens.find(token) if self.tokens is not None else None
        if token and ours:
            return Grant("operator", OWNER)
        if entry is not None:
            return Grant(entry.role, entry.name, entry.created)
        return Grant("viewer", "") if not token and self.open_viewer else None

    def holds(self, grant: Grant) -> bool:
        """Whether what was granted still is: a token may be revoked while a client is there."""
        if not grant.created:
            return True
        found = self.tokens.named(grant.name) if self.tokens is not None else None
        return found is not None and (found.role, found.created) == (grant.role, grant.created)

    def role(self, token: str) -> Role | None:
        """Return the role that a token gives; None: not let in."""
        granted = self.grant(token)
        return None if granted is None else granted.role

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
        ours = {self.host, *self.names, *_LOOPBACK}
        return name is not None and _plain(name) in {_plain(own) for own in ours}


def _plain(name: str) -> str:
    """Return a name as DNS compares it: capitals and the dot of the root mean nothing."""
    return name.lower().removesuffix(".")


def allows(role: Role | None, least: Role | None) -> bool:
    """Return whether a role is enough where another is the least; None: no role at all."""
    order = (None, *ROLES)
    return order.index(role) >= order.index(least)
