"""Verifying many packs beside everything else that a check does."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Self

import msgspec

from holdfast.errors import HoldfastError
from holdfast.model.event import Listener, Progress
from holdfast.model.ids import PackId
from holdfast.protocols import FileKind, Handle, StoredObject
from holdfast.repository.check.findings import is_about_object
from holdfast.repository.check.pack_check import PackJob, PackOutcome, verify_in_worker, verify_pack
from holdfast.repository.check.pack_source import WHOLE_MAX
from holdfast.repository.repository import Repository
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.workers import WorkerPool

_FEW_PACKS = 2
_SPLIT_FROM_BYTES = 4 << 20
_TELL_S = 0.1
_PIECE = 16 << 20


class PackVerdict(msgspec.Struct, gc=False):
    """What is known of one pack so far.

    Attributes:
        header: digest of the header's plaintext.
        sound: whether everything verified.
    """

    header: bytes
    sound: bool


class PackRun:
    """Verifies packs in threads of its own, which hand the work to processes where there are any.

    Use as a context manager: leaving it stops the threads.
    """

    def __init__(
        self,
        repository: Repository,
        packs: Sequence[StoredObject],
        pool: WorkerPool,
        listener: Listener,
        cancel: CancelToken,
    ) -> None:
        self._repository = repository
        self._packs = packs
        self._pool = pool
        self._listener = listener
        self._cancel = cancel
        self._mutex = threading.Lock()
        self._jobs = self._plan()
        self._stopped = False
        self._threads: ThreadPoolExecutor | None = None
        self._running: list[Future[None]] = []
        self.verdicts: dict[PackId, PackVerdict] = {}
        self.blobs = 0
        self.bytes = 0
        self.bytes_total = sum(pack.size_bytes for pack in packs)

    # --- jobs -----------------------------------------------------------------------------------

    def _plan(self) -> Iterator[PackJob]:
        master = self._repository.master
        few = len(self._packs) < 8 * self._pool.processes
        for pack in self._packs:
            handle = Handle(FileKind.PACK, pack.name)
            path = self._repository.backend.local_path(handle)
            # A handful of packs would leave processes idle at the end: several share the blobs of one.
            parts = 2 if few and path is not None and pack.size_bytes >= _SPLIT_FROM_BYTES else 1
            for part in range(parts):
                yield PackJob(
                    master, bytes.fromhex(pack.name), "" if path is None else str(path), part=part, parts=parts
                )

    def start(self) -> None:
        """Begins; returns at once, unless there is so little to do that it is done at once."""
        if len(self._packs) <= _FEW_PACKS and not self._pool.parallel:
            self._drain()
            return
        connections = self._repository.backend.connections if self._is_remote() else 1
        count = max(self._pool.processes + 1, connections)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="holdfast-check")
        self._running = [self._threads.submit(self._drain) for _ in range(min(count, 4 * len(self._packs)))]

    def _is_remote(self) -> bool:
        return self._repository.backend.local_path(Handle(FileKind.PACK, bytes(32).hex())) is None

    def _drain(self) -> None:
        while not self._stopped and not self._cancel.cancelled:
            with self._mutex:
                job = next(self._jobs, None)
            if job is None:
                return
            self._take(job, run_job(self._repository, job, self._pool))

    def _take(self, job: PackJob, outcome: PackOutcome) -> None:
        name = PackId(job.name)
        sound = not outcome.problems
        with self._mutex:
            verdict = self.verdicts.get(name)
            if verdict is None:
                self.verdicts[name] = PackVerdict(outcome.header, sound)
            else:
                verdict.sound = verdict.sound and sound and verdict.header == outcome.header
            self.blobs += outcome.blobs
            self.bytes += outcome.size

    # --- waiting --------------------------------------------------------------------------------

    def finish(self) -> None:
        """Waits until all packs are verified.

        Raises:
            BackendUnavailable: the storage does not answer.
            Interrupted: cancelled.
        """
        waiting = set(self._running)
        while waiting:
            ended, waiting = wait(waiting, _TELL_S, return_when="FIRST_COMPLETED")
            for future in ended:
                future.result()
            self._tell()
        self._tell()
        self._cancel.raise_if_cancelled()

    def _tell(self) -> None:
        with self._mutex:
            done, size = len(self.verdicts), self.bytes
        self._listener(
            Progress(
                phase="packs",
                items_done=done,
                items_total=len(self._packs),
                bytes_done=size,
                bytes_total=self.bytes_total,
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        if self._threads is not None:
            self._threads.shutdown(wait=True)


def run_job(repository: Repository, job: PackJob, pool: WorkerPool) -> PackOutcome:
    """Verifies a pack or a part of one, in a process if there is one; what cannot be read is a problem found."""
    if job.path:
        if pool.parallel:
            return PackOutcome(*pool.submit(verify_in_worker, job).result())  # type: ignore[arg-type]
        return verify_pack(job, repository.sealer())
    handle = Handle(FileKind.PACK, job.name.hex())
    try:
        size = repository.backend.size(handle)
        if size > WHOLE_MAX:
            return _verify_spooled(repository, job, handle, size)
        job = job._replace(content=repository.backend.load(handle))
    except HoldfastError as error:
        if not is_about_object(error):
            raise
        return PackOutcome(b"", 0, 0, [str(error)], [])
    if pool.parallel:
        return PackOutcome(*pool.submit(verify_in_worker, job).result())  # type: ignore[arg-type]
    return verify_pack(job, repository.sealer())


def _verify_spooled(repository: Repository, job: PackJob, handle: Handle, size: int) -> PackOutcome:
    """A pack too large for memory goes through a temporary file, which has no name and leaves nothing behind."""
    with tempfile.TemporaryFile(prefix="holdfast-check-") as spool:
        for offset in range(0, size, _PIECE):
            spool.write(repository.backend.load(handle, offset, min(_PIECE, size - offset)))
        spool.flush()
        return verify_pack(job._replace(path=f"/proc/self/fd/{spool.fileno()}"), repository.sealer())
