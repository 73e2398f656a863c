from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from decoder.config import (
    AdaptationConfig,
    BidsConfig,
    Config,
    ServerConfig,
    SessionConfig,
    SourceConfig,
)
from streaming.errors import ConfigError


def test_a_session_keeps_its_settings() -> None:
    config = Config(
        source=SourceConfig(name="Bräinamp", markers=("a", "b"), timeout=3.0),
        session=SessionConfig(freshness=0.5, record=Path("sessions")),
        adaptation=AdaptationConfig.of("recentre"),
        bids=BidsConfig(subject="01", run="2"),
        server=ServerConfig(port=0, open_viewer=True),
        simulated={"snr": "easy", "subject_seed": 1},
    )
    assert Config.from_yaml(config.to_yaml()) == config
    assert Config.from_yaml(Config().to_yaml()) == Config()


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (SessionConfig, {"freshnes": 1.0}),
        (SessionConfig, {"freshness": 0.0}),
        (ServerConfig, {"port": 70000}),
        (SourceConfig, {"timeout": -1.0}),
        (SourceConfig, {"max_lag": 0.0}),
    ],
)
def test_what_cannot_be_meant_is_refused(
    section: type[BaseModel], values: dict[str, float]
) -> None:
    with pytest.raises(ValidationError, match=next(iter(values))):
        section.model_validate(values)


def test_adaptation_is_asked_for_by_name() -> None:
    assert AdaptationConfig.of(" recentre, ") == AdaptationConfig(recentre=True)
    assert AdaptationConfig.of("") == AdaptationConfig()
    both = AdaptationConfig.of("recentre,refit", "decodes")
    assert (both.recentre, both.refit, both.learn_from) == (True, True, "decodes")
    with pytest.raises(
        ConfigError, match="--adapt magic is unknown; there is recentre and ref"
    ):
        AdaptationConfig.of("recentre,magic")
    with pytest.raises(ConfigError, match="--learn-from tea is unknown; there is labels and"):
        AdaptationConfig.of("refit", "tea")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().session.freshness = 2.0


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"host": "192.0.2.7"}, "nothing is encrypted"),
        ({"host": "lab.example"}, "--insecure sends tokens"),
        ({"tls_cert": Path("c")}, "belong together"),
        ({"tls_key": Path("k")}, "belong together"),
        ({"host": "0.0.0.0", "insecure": True}, "--allow-host"),
        ({"host": "::", "tls_cert": Path("c"), "tls_key": Path("k")}, "--allow-host"),
    ],
)
def test_nothing_goes_over_a_network_in_the_clear_unasked(
    said: dict[str, Any], match: str
) -> None:
    with pytest.raises(ConfigError, match=match):
        ServerConfig(**said)


@pytest.mark.parametrize(
    "said",
    [
        {"host": "localhost"},
        {"host": "::1"},
        {"host": "192.0.2.7", "insecure": True},
        {"host": "192.0.2.7", "tls_cert": Path("c"), "tls_key": Path("k")},
        {"host": "0.0.0.0", "insecure": True, "names": ("lab.example",)},
    ],
)
def test_loopback_and_what_was_asked_for_are_served(said: dict[str, Any]) -> None:
    assert ServerConfig(**said).host == said["host"]
