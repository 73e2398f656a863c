from __future__ import annotations

from pathlib import Path

import pytest

from decoder import tokens
from decoder.server.auth import OWNER, Access, Grant


def test_the_token_makes_an_operator_and_nothing_else_does() -> None:
    access = Access("secret")
    assert access.role("secret") == "operator"
    assert access.role("") is None
    assert access.role("secreT") is None
    assert access.role("sécret") is None


def test_a_simulated_participant_may_be_watched_without_a_token() -> None:
    access = Access("secret", open_viewer=True)
    assert access.role("") == "viewer"
    assert access.role("wrong") is None


def test_each_start_has_its_own_token_and_hides_it() -> None:
    assert Access().token != Access().token
    assert "secret" not in repr(Access("secret"))


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:1", "192.0.2.7:8000"]
)
def test_own_names_are_allowed(host: str) -> None:
    access = Access("secret", host="192.0.2.7")
    assert access.host_allowed(host)
    assert access.origin_allowed(f"http://{host}")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "a@b"])
def test_a_name_that_was_rebound_is_not(host: str) -> None:
    assert not Access("secret").host_allowed(host)
    assert not Access("secret").origin_allowed(f"http://{host}")


def test_programs_send_no_origin() -> None:
    assert Access("secret").origin_allowed(None)
    assert not Access("secret").origin_allowed("null")


def test_other_names_are_allowed_where_they_are_said() -> None:
    for said in ("lab.example", "Lab.Example", "lab.example."):
        access = Access("secret", names=(said,))
        assert access.host_allowed("lab.example:8000")
        assert access.host_allowed("LAB.example.:8000")
        assert access.origin_allowed("https://lab.example")
    assert not access.host_allowed("lab.example.evil.example")


def test_tokens_of_a_file_give_their_role_until_they_are_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_LOOK", 0.0)
    file = tokens.TokenFile(tmp_path / "tokens.json")
    access = Access("secret", tokens=file)
    owner = access.grant("secret")
    assert owner == Grant("operator", OWNER)
    token = file.create("participant", "button")
    granted = access.grant(token)
    assert granted is not None
    assert (granted.role, granted.name) == ("participant", "button")
    assert access.holds(granted)
    file.revoke("button")
    file.create("participant", "button")  # another of that name
    assert not access.holds(granted)
    assert access.holds(owner)


def test_without_a_token_of_its_own_nobody_owns_a_service(tmp_path: Path) -> None:
    access = Access("", tokens=tokens.TokenFile(tmp_path / "none.json"))
    assert access.grant("") is None
    assert access.grant("\ud800") is None
