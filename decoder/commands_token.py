"""Tokens that last: made, listed and revoked, also while services run."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from decoder.console import err, out
from decoder.options import Tokens
from decoder.tokens import ROLES, Role, TokenFile
from streaming.errors import ConfigError

__all__ = ["app"]

app = typer.Typer(
    help="Tokens for `serve` that last: each has a role, and a name for the audit log.",
    no_args_is_help=True,
)

DEFAULT = Path(typer.get_app_dir("braincast")) / "tokens.json"


@app.command()
def create(
    role: Annotated[
        str,
        typer.Option(
            help="`viewer` watches, `participant` also stops the session, `operator` does all."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Whose it is.")] = None,
    tokens: Tokens = DEFAULT,
) -> None:
    """Make a token and print it, once: only its hash is kept."""
    if role not in ROLES:
        msg = f"there is no role {role!r}: choose {', '.join(ROLES)}"
        raise ConfigError(msg)
    known: Role = ROLES[ROLES.index(role)]
    name = name or f"{role}-{secrets.token_hex(2)}"
    token = TokenFile(tokens).create(known, name)
    err.print(f"a token for the {role} {name}; it is not shown again:", highlight=False)
    typer.echo(token)


@app.command("list")
def list_tokens(tokens: Tokens = DEFAULT) -> None:
    """List names, roles and when each was made."""
    table = Table("name", "role", "created")
    for entry in TokenFile(tokens).read():
        table.add_row(entry.name, entry.role, entry.created)
    out.print(table)


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Of the token.")],
    tokens: Tokens = DEFAULT,
) -> None:
    """Take a token away: services that run refuse it at once, and hang up on who has it."""
    TokenFile(tokens).revoke(name)
