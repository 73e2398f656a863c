from __future__ import annotations

from pathlib import Path

import pytest

from decoder.cli import main
from tests.decoder.complaining import complaint


def test_tokens_are_made_listed_and_revoked(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = ["--tokens", str(tmp_path / "tokens.json")]
    assert main(["token", "create", "--role", "viewer", "--name", "wall", *file]) == 0
    token = capfd.readouterr().out.strip()
    assert len(token) == 32
    assert main(["token", "list", *file]) == 0
    listed = capfd.readouterr().out
    assert "wall" in listed
    assert token not in listed
    assert main(["token", "revoke", "wall", *file]) == 0
    assert "no token 'wall'" in complaint(capfd, "token", "revoke", "wall", *file)
    assert "there is no role 'x'" in complaint(capfd, "token", "create", "--role", "x", *file)
