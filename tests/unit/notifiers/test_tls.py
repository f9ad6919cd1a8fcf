"""Over TLS the certificate must be that of the host, although the connection goes to an address."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from holdfast.errors import DeliveryFailed
from holdfast.notifiers.guard import Guard
from holdfast.notifiers.transport import Transport
from holdfast.testing.receivers import http_receiver

HOST = "hooks.example"


def _certificate(folder: Path, host: str) -> Path:
    """A certificate for a host, signed by itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path = folder / f"{host}.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


def _resolve(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def _post(folder: Path, certificate_of: str, trust: Callable[[], ssl.SSLContext] | None) -> int:
    path = _certificate(folder, certificate_of)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    chosen = trust or (lambda: ssl.create_default_context(cafile=str(path)))
    with http_receiver(tls=server) as receiver:
        transport = Transport(Guard([HOST], resolve=_resolve), trust=chosen)
        transport.post("1:https", f"https://{HOST}:{receiver.port}/x", b"{}", {}, deadline_s=10)
        assert receiver.requests[0].headers["host"] == f"{HOST}:{receiver.port}"
        return len(receiver.requests)


def test_trusted_certificate_of_the_host(tmp_path: Path) -> None:
    assert _post(tmp_path, HOST, None) == 1


def test_certificate_of_another_host_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeliveryFailed) as caught:
        _post(tmp_path, "other.example", None)
    assert caught.value.context["reason"] == "its certificate is not trusted"


def test_certificate_that_nobody_trusts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeliveryFailed) as caught:
        _post(tmp_path, HOST, ssl.create_default_context)
    assert caught.value.context["reason"] == "its certificate is not trusted"
