import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from channels_app.http import HttpRequest, TransportError
from tests.support.receiver import Receiver


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, followed by its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "receiver.pem"
    file.write_bytes(
        signed.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return file


@pytest.fixture
def secure(certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with Receiver(tls=context) as receiver:
        yield receiver


def test_an_authority_that_the_operator_trusts_is_trusted(
    monkeypatch, send, loopback, secure, certificate
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert send(HttpRequest.post_json(secure.url, {}), loopback).status == 200


def test_a_stranger_s_certificate_is_refused_before_the_request(send, loopback, secure):
    with pytest.raises(TransportError) as refused:
        send(HttpRequest.post_json(secure.url, {}), loopback)
    assert refused.value.code == "tls"
    assert secure.requests == []


def test_a_certificate_for_another_host_is_refused(
    monkeypatch, send, loopback, secure, certificate
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with pytest.raises(TransportError) as refused:
        send(HttpRequest("GET", secure.url.replace("127.0.0.1", "localhost")), loopback)
    assert refused.value.code == "tls"
    assert secure.requests == []


def test_a_receiver_without_tls_is_refused_under_https(send, loopback, receiver):
    with pytest.raises(TransportError) as refused:
        send(HttpRequest("GET", receiver.url.replace("http", "https"), timeout=5), loopback)
    assert refused.value.code in {"tls", "closed"}
