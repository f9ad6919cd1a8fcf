"""`holdfast serve` as an operator meets it: started, refused, reached, stopped."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from e2e.served import serving

CONFIGURATION = """
[app]
name = "small"

[sources.storage]
kind = "files"
paths = ["storage"]

[targets.local]
kind = "archive"
url = "backups"
"""


def application(folder: Path, more: str = "") -> Path:
    (folder / "storage").mkdir(parents=True)
    (folder / "storage" / "one.txt").write_text("one")
    (folder / "holdfast.toml").write_text(CONFIGURATION + more)
    return folder


def test_the_first_token_comes_from_the_terminal_and_the_end_is_orderly(tmp_path: Path) -> None:
    folder = application(tmp_path / "app")
    with serving(folder) as (address, _said, process):
        assert process.stdout is not None
        secret = process.stdout.readline().split()[-1].strip("\u2068\u2069")
        made = requests.post(f"{address}/api/v1/setup", headers={"Authorization": f"Bearer {secret}"}, timeout=30)
        bearer = {"Authorization": f"Bearer {made.json()['data']['token']}"}
        assert requests.get(f"{address}/healthz", timeout=30).json() == {"status": "ok"}
        done = requests.post(f"{address}/api/v1/admin/backup/create-full", headers=bearer, timeout=60)
        assert done.status_code == 200, done.text
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0
    catalog = folder / ".holdfast" / "catalog.db"
    assert catalog.stat().st_mode & 0o777 == 0o600
    assert secret.encode() not in catalog.read_bytes()
    assert made.json()["data"]["token"].encode() not in catalog.read_bytes()

    with serving(folder) as (_address, said, process):
        assert "setup" not in said
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(60) == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_other_machines_are_not_served_without_encryption(tmp_path: Path, host: str) -> None:
    folder = application(tmp_path / "app")

    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "serve", "--host", host, "--port", "0"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "unencrypted" in done.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    folder = application(tmp_path / "app")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "holdfast", "serve", "--port", str(port)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 1
    assert f"port {port}" in done.stderr


def test_with_a_certificate_it_speaks_tls(tmp_path: Path) -> None:
    certificate, key = certificate_of(tmp_path)
    folder = application(tmp_path / "app", f'\n[server]\ntls_cert = "{certificate}"\ntls_key = "{key}"\n')
    with serving(folder, "--host", "0.0.0.0") as (address, _said, _process):
        assert address.startswith("https://")
        reached = address.replace("0.0.0.0", "127.0.0.1")
        answer = requests.get(f"{reached}/healthz", verify=str(certificate), timeout=30)

    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"].startswith("max-age=")


def certificate_of(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody but the test trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "server.crt", folder / "server.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
