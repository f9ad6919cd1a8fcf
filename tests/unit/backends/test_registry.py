import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.backends.options import BackendOptions
from holdfast.backends.registry import BACKENDS, open_backend
from holdfast.errors import BackendReadOnly, UsageError
from holdfast.protocols import CONFIG_HANDLE, FileKind, Handle
from holdfast.testing.backend_suite import store

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "sesame",
    "GOOGLE_ACCESS_TOKEN": "sesame",
    "AZURE_ACCOUNT_NAME": "account",
    "AZURE_ACCOUNT_KEY": "c2VzYW1l",
}


@pytest.mark.parametrize(
    "url",
    [
        "s3:http://127.0.0.1:1/bucket/a",
        "s3://bucket/a",
        "gs://bucket/a",
        "gs:bucket:/a",
        "az://container/a",
        "azure:container:/a",
        "sftp://user@127.0.0.1:1//a",
        "rest:http://127.0.0.1:1/a/",
        "memory:",
        "local:/nowhere/at/all",
        "/nowhere/at/all",
    ],
)
def test_every_kind_opens_without_contacting_anything(url: str) -> None:
    backend = open_backend(url, options=BackendOptions(environment=CREDENTIALS, connections=7))
    assert backend.connections == 7
    assert backend.url in url
    backend.close()


@pytest.mark.parametrize("url", ["rest:http://user:sesame@127.0.0.1:1/a/", "sftp://user:sesame@127.0.0.1:1//a"])
def test_secrets_of_a_location_are_nowhere_to_be_seen(url: str) -> None:
    backend = open_backend(url, options=BackendOptions(retry_deadline_s=0))
    assert "sesame" not in backend.url
    with pytest.raises(Exception, match="storage") as caught:
        backend.load(CONFIG_HANDLE)
    assert "sesame" not in str(caught.value)
    assert "sesame" not in str(caught.value.context)  # type: ignore[attr-defined]
    backend.close()


@pytest.mark.parametrize("url", ["ftp://host/a", "S4:bucket", "nonsense:x"])
def test_an_unknown_kind_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="local:"):
        open_backend(url)


def test_a_relative_path_stays_where_it_was(tmp_path: Path) -> None:
    program = (
        "import os\nfrom holdfast.backends.registry import open_backend\n"
        "backend = open_backend('here')\nos.chdir('/')\nbackend.create()"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert (tmp_path / "here" / "data" / "ff").is_dir()


def test_read_only(tmp_path: Path) -> None:
    handle = store_somewhere(tmp_path)
    backend = open_backend(str(tmp_path), options=BackendOptions(read_only=True))
    assert backend.load(handle) == b"content"
    for call in (backend.create, lambda: backend.save(handle, [b""]), lambda: backend.remove(handle)):
        with pytest.raises(BackendReadOnly):
            call()
    assert backend.local_path(handle) is not None


def test_limits_and_repetition_do_not_change_what_is_stored(tmp_path: Path) -> None:
    options = BackendOptions(upload_bytes_per_s=10**9, download_bytes_per_s=10**9)
    backend = open_backend(str(tmp_path / "a"), options=options)
    backend.create()
    backend.save(CONFIG_HANDLE, [b"config"])
    assert backend.load(CONFIG_HANDLE) == b"config"


def test_opening_a_local_repository_loads_no_network_library(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom holdfast.backends.registry import open_backend\n"
        f"open_backend({str(tmp_path)!r}).create()\n"
        "print(sorted({'obstore', 'asyncssh', 'httpx2', 'asyncio', 'ssl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_every_row_of_the_table_can_be_loaded() -> None:
    for target in BACKENDS.values():
        module, _, name = target.partition(":")
        __import__(module)
        assert hasattr(getattr(sys.modules[module], name), "from_url")


def test_a_switch_is_yes_or_no() -> None:
    options = BackendOptions(extra={"a": "Yes", "b": "off", "c": "maybe"})
    assert options.switch("a", False)
    assert not options.switch("b", True)
    assert options.switch("absent", True)
    with pytest.raises(UsageError):
        options.switch("c", True)


def store_somewhere(tmp_path: Path) -> Handle:
    backend = open_backend(str(tmp_path))
    backend.create()
    backend.save(CONFIG_HANDLE, [b"config"])
    return store(backend, b"content", FileKind.SNAPSHOT)
