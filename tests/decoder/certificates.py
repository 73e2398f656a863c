"""Certificates that signed themselves."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from decoder.server.certificate import Certificate

__all__ = ["make_certificate", "served_by"]


def make_certificate(folder: Path, name: str) -> Certificate:
    """A certificate for 127.0.0.1 that signed itself."""
    folder.mkdir(exist_ok=True)
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        f"-subj /CN={name} -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return Certificate(folder / "cert.pem", folder / "key.pem")


def served_by(port: int) -> str:
    """The certificate that a server shows, in PEM."""
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=10)
