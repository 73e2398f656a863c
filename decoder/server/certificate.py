"""The certificate that a server encrypts with, and its renewal."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from decoder.config import ServerConfig
from streaming.errors import ConfigError

__all__ = ["Certificate", "certificate_of"]

logger = logging.getLogger(__name__)


class Certificate:
    """A certificate with its key, in files that are renewed from time to time.

    Parameters
    ----------
    cert, key : Path
        In PEM format; `cert` with the chain, if there is one.

    Raises
    ------
    ConfigError
        If they cannot be read, or do not belong together.
    """

    def __init__(self, cert: Path, key: Path) -> None:
        self.cert, self.key = cert, key
        self._seen = self._stamp()
        try:
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        except (OSError, ValueError) as error:
            msg = (
                f"{cert} and {key} are no certificate with its key ({error}); give both as PEM "
                f"files with --tls-cert and --tls-key, the key without a password"
            )
            raise ConfigError(msg) from error

    def renew(self, context: ssl.SSLContext) -> None:
        """Load files that have changed; those that cannot be used are said and left."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            # Tried apart: a context with a new certificate and an old key serves nobody.
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            self._load(context)
        except (OSError, ValueError) as error:
            logger.warning(
                "the old certificate is kept: %s cannot be used (%s)", self.cert, error
            )
            return
        logger.info("%s was renewed", self.cert)

    def _load(self, context: ssl.SSLContext) -> None:
        context.load_cert_chain(self.cert, self.key, password=lambda: "")

    def _stamp(self) -> list[tuple[int, int]]:
        stamps = []
        for path in (self.cert, self.key):
            try:
                found = path.stat()
                stamps.append((found.st_mtime_ns, found.st_ino))
            except OSError:
                stamps.append((0, 0))
        return stamps


def certificate_of(config: ServerConfig) -> Certificate | None:
    """Return the certificate that a server is to have; None if it encrypts nothing.

    Raises
    ------
    ConfigError
        As `Certificate`.
    """
    if config.tls_cert is None or config.tls_key is None:
        return None
    return Certificate(config.tls_cert, config.tls_key)
