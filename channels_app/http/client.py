"""What both transports tell about themselves and whom they trust."""

import os
import tomllib
from functools import cache
from pathlib import Path

import certifi

CONNECT_TIMEOUT = 5.0
"""Seconds for the name lookup, the connection and its TLS handshake."""


@cache
def user_agent() -> str:
    """Return ``Carillon/<version>``; a request's own header goes before it."""
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    version = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    return f"Carillon/{version}"


def ca_bundle() -> str:
    """Return the file of trusted authorities: the operator's SSL_CERT_FILE, else Mozilla's."""
    return os.environ.get("SSL_CERT_FILE") or certifi.where()
