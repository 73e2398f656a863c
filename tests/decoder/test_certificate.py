"""A certificate and its key: read, refused, renewed."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from decoder.config import ServerConfig
from decoder.server.certificate import Certificate, certificate_of
from streaming.errors import ConfigError
from tests.decoder.certificates import make_certificate


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path / "one", "one")


def test_a_certificate_without_its_key_is_not_taken(
    certificate: Certificate, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = make_certificate(tmp_path / "two", "two")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    certificate.cert.write_bytes(other.cert.read_bytes())
    certificate.renew(context)
    assert "the old certificate is kept" in caplog.text
    certificate.key.write_bytes(other.key.read_bytes())
    caplog.clear()
    certificate.renew(context)
    assert caplog.text == ""


def test_what_is_no_certificate_is_said_at_once(
    certificate: Certificate, tmp_path: Path
) -> None:
    (tmp_path / "no.pem").write_text("no")
    for cert, key in (
        (tmp_path / "none.pem", certificate.key),
        (tmp_path / "no.pem", certificate.key),
        (certificate.cert, tmp_path / "no.pem"),
    ):
        with pytest.raises(ConfigError, match="no certificate with its key"):
            certificate_of(ServerConfig(tls_cert=cert, tls_key=key))
    assert certificate_of(ServerConfig()) is None
