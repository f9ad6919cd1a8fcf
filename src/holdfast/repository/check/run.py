"""One check, from the listing of the storage to the report."""

from __future__ import annotations

import random

from holdfast.model.event import Listener, ignore
from holdfast.model.ids import PackId
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import FileKind, Handle, StoredObject
from holdfast.repository.check.documents import check_config, check_keys, check_locks, load_snapshots
from holdfast.repository.check.findings import Findings
from holdfast.repository.check.hurts import Hurts
from holdfast.repository.check.indexes import IndexContent
from holdfast.repository.check.pack_check import PackJob
from holdfast.repository.check.pack_run import PackRun, run_job
from holdfast.repository.check.report import CheckOptions, CheckReport
from holdfast.repository.check.structure import Structure
from holdfast.repository.index_records import pack_record
from holdfast.repository.local_copies import past_caches
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.workers import WorkerPool


def check(
    repository: Repository,
    lock: RepositoryLock | None,
    options: CheckOptions,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
    pool: WorkerPool | None = None,
) -> CheckReport:
    """Checks a repository. Nothing is taken from any cache, and nothing is changed.

    Without reading packs, it proves: config, keys, index files and snapshots are whole; every tree is there, is what
    its name says and is valid; every file's content is listed and as long as the file; every pack is there in the
    right size. Reading packs proves the rest: every byte of them, and that index and packs agree.

    Args:
        lock: held on the repository, or None to go without; then backups at the same time may look like damage.
        options: how thoroughly.
        listener: is told about progress.
        cancel: stops at the next pack or batch of trees.
        pool: processes for opening blobs; none means this process.

    Raises:
        BackendUnavailable: the storage does not answer, so nothing can be said.
        LockLost, RepositoryLocked: somebody else may have changed the repository meanwhile.
        Interrupted: cancelled.
    """
    return _Check(repository, lock, options, listener, cancel or CancelToken(), pool or WorkerPool(0)).execute()


class _Check:
    def __init__(
        self,
        repository: Repository,
        lock: RepositoryLock | None,
        options: CheckOptions,
        listener: Listener,
        cancel: CancelToken,
        pool: WorkerPool,
    ) -> None:
        self.repository = past_caches(repository)
        self.lock = lock
        self.options = options
        self.listener = listener
        self.cancel = cancel
        self.pool = pool
        self.findings = Findings()
        self.began = repository.clock.monotonic()

    def execute(self) -> CheckReport:
        listed = list(self.repository.backend.list(FileKind.PACK))
        with (
            PackRun(self.repository, self._chosen(listed), self.pool, self.listener, self.cancel) as packs,
            IndexContent(self.repository, self.findings) as content,
        ):
            packs.start()
            snapshots = self._check_documents()
            content.load()
            self._ensure_held()
            reader = Reader(self.repository, content.trees)
            suspects = self._compare(content, listed)
            trees = Structure(reader, content, self.findings, self.pool, self.listener, self.cancel).check(
                snapshot.tree for snapshot in snapshots
            )
            packs.finish()
            self._look_again(content, packs, suspects)
            self.findings.settle(content.everything)
            self._ensure_held()
            return self._report(reader, snapshots, trees, len(listed), packs)

    def _ensure_held(self) -> None:
        if self.lock is not None:
            self.lock.ensure_held()

    def _chosen(self, listed: list[StoredObject]) -> list[StoredObject]:
        if self.options.subset is not None:
            return self.options.subset.choose(listed, random.SystemRandom())
        return listed if self.options.read_data else []

    def _check_documents(self) -> list[Snapshot]:
        check_config(self.repository, self.findings)
        check_keys(self.repository, self.findings)
        check_locks(self.repository, self.findings)
        # Snapshots before the index: what a snapshot refers to was indexed before it was written.
        return load_snapshots(self.repository, self.findings, gone_is_damage=self.lock is not None)

    def _compare(self, content: IndexContent, listed: list[StoredObject]) -> list[PackId]:
        """Holds index and listing against each other. Returns packs to be read because their size is wrong."""
        sizes = {PackId(bytes.fromhex(pack.name)): pack.size_bytes for pack in listed}
        if not sizes.keys() >= content.packs.keys():
            # A backup that runs at the same time may have stored packs after the first listing.
            again = self.repository.backend.list(FileKind.PACK)
            sizes = {PackId(bytes.fromhex(pack.name)): pack.size_bytes for pack in again}
        return content.compare_with_listing(sizes, note_extra=content.loaded)

    # --- damaged packs --------------------------------------------------------------------------

    def _look_again(self, content: IndexContent, packs: PackRun, suspects: list[PackId]) -> None:
        """Reads each pack that did not verify, or has the wrong size, a second time, blob by blob."""
        unsound = {name: None for name, verdict in packs.verdicts.items() if not verdict.sound}
        for name, verdict in packs.verdicts.items():
            entry = content.packs.get(name)
            if entry is not None and verdict.sound and entry.header and entry.header != verdict.header:
                unsound[name] = None
        for name in dict.fromkeys([*suspects, *unsound]):
            self.cancel.raise_if_cancelled()
            if name in content.packs:
                self._look_again_at(content, name, read_before=name in unsound, wrong_size=name in suspects)
            elif not content.loaded:
                detail = "it does not verify, and no index file that can be read lists it"
                self.findings.pack_error("pack-damaged", name, detail)

    def _look_again_at(self, content: IndexContent, name: PackId, *, read_before: bool, wrong_size: bool) -> None:
        pack = content.everything().pack(name)
        if pack is None:
            self.findings.pack_error("pack-damaged", name, "neither it nor the index file that lists it can be read")
            return
        handle = Handle(FileKind.PACK, name.hex())
        path = self.repository.backend.local_path(handle)
        record = pack_record(sorted(pack.blobs, key=lambda blob: blob.offset))
        job = PackJob(self.repository.master, name, "" if path is None else str(path), record=record)
        outcome = run_job(self.repository, job, self.pool)
        if outcome.problems:
            # What could not be read at all has no blob that can be.
            broken = outcome.broken if outcome.blobs else content.keys_in(name)
            code = "pack-size" if wrong_size else "pack-damaged"
            self.findings.pack_error(code, name, "; ".join(outcome.problems), broken)
        elif outcome.header != content.packs[name].header:
            self.findings.pack_error("index-disagrees", name, "the index does not list what is in it")
        elif wrong_size:
            self.findings.pack_error("pack-size", name, "the listing gives another size than the pack has")
        elif read_before:
            detail = "the first reading failed and the second did not: memory, cable or network may be faulty"
            self.findings.hint("read-twice", f"data/{name.hex()}", detail)

    # --- the end --------------------------------------------------------------------------------

    def _report(
        self, reader: Reader, snapshots: list[Snapshot], trees: int, listed: int, packs: PackRun
    ) -> CheckReport:
        findings = self.findings
        hurts = None
        if findings.broken and self.options.find_hurt:
            hurts = Hurts(reader, snapshots, findings.broken, self.listener, self.cancel)
        return CheckReport(
            errors=findings.errors(hurts.by_error if hurts is not None else {}),
            hints=tuple(findings.hints),
            notes=tuple(findings.notes),
            problems=findings.problems,
            damaged_packs=tuple(findings.damaged_packs),
            hurt_snapshots=hurts.snapshots if hurts is not None else (),
            suggestions=findings.suggestions(),
            snapshots=len(snapshots),
            trees=trees,
            packs=listed,
            packs_read=len(packs.verdicts),
            blobs_read=packs.blobs,
            bytes_read=packs.bytes,
            duration_s=self.repository.clock.monotonic() - self.began,
        )
