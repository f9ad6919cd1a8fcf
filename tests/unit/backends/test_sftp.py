from collections.abc import Iterator

import pytest

from holdfast.backends.options import BackendOptions
from holdfast.backends.registry import open_backend
from holdfast.backends.sftp_options import connect_arguments
from holdfast.backends.urls import SftpLocation
from holdfast.errors import AccessDenied, BackendUnavailable, RepositoryNotFound, UsageError
from holdfast.protocols import CONFIG_HANDLE, Backend, Handle
from holdfast.testing import servers
from holdfast.testing.backend_suite import store

LOCATION = SftpLocation("user", "host", 0, "/srv", "")


def arguments(location: SftpLocation = LOCATION, **extra: str) -> dict[str, object]:
    settings = {f"sftp.{name.replace('_', '-')}": value for name, value in extra.items()}
    return connect_arguments(location, BackendOptions(extra=settings))


def test_what_is_not_said_is_left_to_ssh() -> None:
    assert arguments() == {"host": "host", "username": "user"}


def test_options_as_ssh_spells_them() -> None:
    text = "-p 2222 -i '/a key' -oUserKnownHostsFile=/hosts -l other"
    assert arguments(SftpLocation("", "host", 0, "/srv", ""), args=text) == {
        "host": "host",
        "port": 2222,
        "username": "other",
        "client_keys": ["/a key"],
        "known_hosts": "/hosts",
    }


def test_the_location_comes_first() -> None:
    found = arguments(SftpLocation("user", "host", 22, "/srv", "secret"), args="-p 2222 -l other")
    assert found == {"host": "host", "port": 22, "username": "user", "password": "secret"}


@pytest.mark.parametrize("text", ["-o StrictHostKeyChecking=no", "-oStrictHostKeyChecking=off"])
def test_the_host_key_is_unchecked_only_on_request(text: str) -> None:
    assert arguments(args=text)["known_hosts"] is None
    assert arguments(strict_host_key_checking="no")["known_hosts"] is None
    assert "known_hosts" not in arguments(strict_host_key_checking="yes")
    assert "known_hosts" not in arguments(args="-o StrictHostKeyChecking=accept-new")


@pytest.mark.parametrize("text", ["-F /config", "-o ProxyCommand=x", "'", "-p x", "-p 0", "-p 70000", "host"])
def test_options_that_cannot_be_taken(text: str) -> None:
    with pytest.raises(UsageError):
        arguments(args=text)


@pytest.fixture(scope="module")
def sshd() -> Iterator[servers.SftpServer]:
    with servers.sshd() as server:
        yield server


def options(extra: dict[str, str]) -> BackendOptions:
    return BackendOptions(retry_deadline_s=0, extra=extra)


def test_an_unknown_host_key_is_refused(sshd: servers.SftpServer) -> None:
    extra = {**sshd.options, "sftp.known-hosts": "/dev/null"}
    backend = open_backend(sshd.url("unknown"), options=options(extra))
    with pytest.raises(AccessDenied, match="host key"):
        backend.create()
    backend.close()

    backend = open_backend(sshd.url("unknown"), options=options({**extra, "sftp.strict-host-key-checking": "no"}))
    backend.create()
    backend.close()


def test_a_login_that_is_refused(sshd: servers.SftpServer) -> None:
    host_key = sshd.identity.replace("user_key", "host_key")
    backend = open_backend(sshd.url("refused"), options=options({**sshd.options, "sftp.identity": host_key}))
    with pytest.raises(AccessDenied, match="login"):
        backend.load(CONFIG_HANDLE)
    backend.close()


def test_a_key_file_that_is_not_there(sshd: servers.SftpServer) -> None:
    backend = open_backend(sshd.url("nokey"), options=options({**sshd.options, "sftp.identity": "/nowhere/key"}))
    with pytest.raises(AccessDenied, match="cannot be read"):
        backend.load(CONFIG_HANDLE)
    backend.close()


def test_no_server_at_all_is_a_passing_failure() -> None:
    backend = open_backend(f"sftp://user@127.0.0.1:{servers.free_port()}//srv", options=options({}))
    with pytest.raises(BackendUnavailable):
        backend.load(CONFIG_HANDLE)
    backend.close()


def test_an_empty_mount_point_does_not_become_a_repository(sshd: servers.SftpServer) -> None:
    backend = open_backend(sshd.url("."), options=options(sshd.options))
    with pytest.raises(RepositoryNotFound):
        store(backend, b"content")
    backend.close()


def test_a_lost_connection_is_made_again() -> None:
    with servers.sshd() as server:
        backend = open_backend(server.url("again"), options=options(server.options))
        backend.create()
        backend.save(CONFIG_HANDLE, [b"config"])
        end_sessions(server)
        with pytest.raises(BackendUnavailable):
            backend.load(CONFIG_HANDLE)
        assert backend.load(CONFIG_HANDLE) == b"config"
        backend.close()


def test_it_may_be_used_again_after_closing(sshd: servers.SftpServer) -> None:
    backend = open_backend(sshd.url("closed"), options=options(sshd.options))
    backend.create()
    backend.close()
    handle = store_config_and_object(backend)
    assert backend.load(handle) == b"content"
    backend.close()


def store_config_and_object(backend: Backend) -> Handle:
    backend.save(CONFIG_HANDLE, [b"config"])
    return store(backend, b"content")


def end_sessions(server: servers.SftpServer) -> None:
    """Ends the processes that serve connections: those below the server's own, found by its pid file."""
    import os
    import signal
    import time

    with open(os.path.join(os.path.dirname(server.identity), "sshd.pid"), encoding="ascii") as source:
        parent = int(source.read())
    with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as source:
        for child in source.read().split():
            os.kill(int(child), signal.SIGKILL)
    time.sleep(0.2)
