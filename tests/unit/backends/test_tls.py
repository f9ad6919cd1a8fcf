"""Whom a storage over TLS trusts, with servers of our own and certificates made for the test."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from holdfast.backends.options import BackendOptions
from holdfast.backends.registry import open_backend
from holdfast.errors import BackendError, UsageError
from holdfast.model.event import Event, Warned
from holdfast.protocols import FileKind

EMPTY_REST = (b"[]", "application/vnd.x.restic.rest.v2")
EMPTY_S3 = (b'<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>', "text/xml")


class Authority:
    """Makes certificates below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "authority.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority")])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = self._builder(self._name, self._key).add_extension(usage, critical=True)
        certificate = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
        self.file.write_bytes(certificate.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    def certificate(self, name: str, purpose: x509.ObjectIdentifier) -> Path:
        """A file of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        builder = self._builder(subject, key).add_extension(names, critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        certificate = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
        file = self.folder / f"{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        signed = certificate.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        file.write_bytes(private + signed)
        return file


class Server:
    """Answers every GET alike, over TLS."""

    def __init__(self, answer: tuple[bytes, str], authority: Authority, *, asks_client: bool = False) -> None:
        body, kind = answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.certificate("server", ExtendedKeyUsageOID.SERVER_AUTH))
        if asks_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority.file)
        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Handshakes that fail are what is tested."""


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    former = os.environ.pop("SSL_CERT_FILE", None)
    yield Authority(tmp_path)
    os.environ.pop("SSL_CERT_FILE", None)
    if former is not None:
        os.environ["SSL_CERT_FILE"] = former


@pytest.fixture
def rest(authority: Authority) -> Iterator[Server]:
    server = Server(EMPTY_REST, authority)
    yield server
    server.stop()


@pytest.fixture
def s3(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sesame")
    server = Server(EMPTY_S3, authority)
    yield server
    server.stop()


def names(url: str, **extra: object) -> list[str]:
    settings = {name.replace("_", "-"): str(value) for name, value in extra.items()}
    backend = open_backend(url, options=BackendOptions(retry_deadline_s=0, extra=settings))
    try:
        return [entry.name for entry in backend.list(FileKind.SNAPSHOT)]
    finally:
        backend.close()


def test_a_rest_server_of_an_unknown_authority_is_refused(rest: Server) -> None:
    with pytest.raises(BackendError, match="certificate"):
        names(f"rest:https://127.0.0.1:{rest.port}/")


def test_a_rest_server_of_the_named_authority_is_trusted(rest: Server, authority: Authority) -> None:
    assert names(f"rest:https://127.0.0.1:{rest.port}/", cacert=authority.file) == []


def test_the_variable_of_restic_names_the_authority(
    rest: Server, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTIC_CACERT", str(authority.file))
    assert names(f"rest:https://127.0.0.1:{rest.port}/") == []


def test_a_rest_server_need_not_prove_anything_when_told_so(rest: Server) -> None:
    assert names(f"rest:https://127.0.0.1:{rest.port}/", insecure_tls="yes") == []


def test_a_rest_server_is_shown_the_client_certificate(authority: Authority) -> None:
    server = Server(EMPTY_REST, authority, asks_client=True)
    client = authority.certificate("client", ExtendedKeyUsageOID.CLIENT_AUTH)
    try:
        url = f"rest:https://127.0.0.1:{server.port}/"
        with pytest.raises(BackendError):
            names(url, cacert=authority.file)
        assert names(url, cacert=authority.file, tls_client_cert=client) == []
    finally:
        server.stop()


def test_an_s3_server_is_trusted_by_the_same_options(s3: Server, authority: Authority) -> None:
    url = f"s3:https://127.0.0.1:{s3.port}/bucket/place"
    with pytest.raises(BackendError):
        names(url)
    assert names(url, insecure_tls="yes") == []
    assert names(url, cacert=authority.file) == []


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    for url in ("rest:https://127.0.0.1:1/", "s3:https://127.0.0.1:1/bucket"):
        with pytest.raises(UsageError, match="cannot be read"):
            names(url, cacert=missing)


def test_a_client_certificate_that_is_not_shown_is_said_so(s3: Server, tmp_path: Path) -> None:
    told: list[Event] = []
    extra = {"tls-client-cert": str(tmp_path / "client.pem")}
    options = BackendOptions(retry_deadline_s=0, extra=extra, listener=told.append)
    open_backend(f"s3:https://127.0.0.1:{s3.port}/bucket", options=options).close()
    assert [event.code for event in told if isinstance(event, Warned)] == ["option-ignored"]
