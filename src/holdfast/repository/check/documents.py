"""The small files: config, keys, locks, snapshots and index files, each held to its name and its form."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from holdfast.errors import HoldfastError, ObjectNotFound
from holdfast.format import config as config_format
from holdfast.format import snapshot as snapshot_format
from holdfast.model.ids import SnapshotId
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import CONFIG_HANDLE, Backend, FileKind, Handle
from holdfast.repository.check.findings import Findings, is_about_object
from holdfast.repository.keys import list_entries, load_key_file
from holdfast.repository.lock_files import read_locks
from holdfast.repository.repository import Repository

_FEW = 3

T = TypeVar("T")


def check_config(repository: Repository, findings: Findings) -> None:
    """The config is there, opens, and is the one this repository was opened with."""
    try:
        stored = repository.backend.load(CONFIG_HANDLE)
        config = config_format.decode(bytes(repository.sealer().open(stored, CONFIG_HANDLE)), CONFIG_HANDLE)
    except HoldfastError as error:
        if not is_about_object(error):
            raise
        findings.error("config-damaged", CONFIG_HANDLE, error)
        return
    if config != repository.config:
        findings.error("config-damaged", CONFIG_HANDLE, "it is not the one the repository was opened with")


def check_keys(repository: Repository, findings: Findings) -> None:
    """Every key file is what its name says, and the one in use is among them.

    COMPAT(restic): restic checks no key file; a changed host name or salt goes unnoticed until somebody needs it.
    """
    seen_own = False
    for entry in list_entries(repository.backend):
        seen_own = seen_own or bytes.fromhex(entry.name) == repository.key_id
        try:
            load_key_file(repository.backend, entry)
        except HoldfastError as error:
            if not is_about_object(error):
                raise
            findings.error("key-damaged", f"keys/{entry.name}", error)
    if not seen_own:
        findings.error(
            "key-missing", f"keys/{repository.key_id.hex()}", "the key this repository was opened with is gone"
        )


def check_locks(repository: Repository, findings: Findings) -> None:
    """Files that are no locks are in nobody's way; they are mentioned."""
    for found in read_locks(repository):
        if found.lock is None:
            findings.note("lock-unreadable", f"locks/{found.id.hex()}", found.problem)


def load_snapshots(repository: Repository, findings: Findings, *, gone_is_damage: bool) -> list[Snapshot]:
    """Every snapshot that can be read; the others are damage.

    Args:
        gone_is_damage: whether a snapshot that vanishes after being listed is; without a lock it is not.
    """

    def load(name: bytes) -> Snapshot:
        document = repository.load_unpacked(FileKind.SNAPSHOT, name)
        return snapshot_format.decode(document, Handle(FileKind.SNAPSHOT, name.hex()), id=SnapshotId(name))

    found: list[Snapshot] = []
    for name, loaded in fetch(repository.backend, list(repository.names(FileKind.SNAPSHOT)), load):
        if not isinstance(loaded, HoldfastError):
            found.append(loaded)
        elif gone_is_damage or not isinstance(loaded, ObjectNotFound):
            findings.error("snapshot-damaged", f"snapshots/{name.hex()}", loaded)
    return found


def fetch(
    backend: Backend, names: list[bytes], load: Callable[[bytes], T]
) -> Iterator[tuple[bytes, T | HoldfastError]]:
    """Loads documents, from afar several at once.

    Yields:
        The name and the document, or the error that is about this document alone.

    Raises:
        BackendUnavailable: the storage does not answer.
    """

    def attempt(name: bytes) -> T | HoldfastError:
        try:
            return load(name)
        except HoldfastError as error:
            if not is_about_object(error):
                raise
            return error

    local = backend.local_path(CONFIG_HANDLE) is not None
    if local or len(names) <= _FEW or backend.connections < 2:
        for name in names:
            yield name, attempt(name)
        return
    with ThreadPoolExecutor(backend.connections, thread_name_prefix="holdfast-check") as threads:
        running: deque[tuple[bytes, Future[T | HoldfastError]]] = deque()
        for name in names:
            running.append((name, threads.submit(attempt, name)))
            if len(running) >= 2 * backend.connections:
                done, future = running.popleft()
                yield done, future.result()
        while running:
            done, future = running.popleft()
            yield done, future.result()
