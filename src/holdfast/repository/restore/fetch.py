"""Getting blobs from packs to workers: by path where packs are local files, else loaded ahead by threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from holdfast.errors import DamageError, ObjectNotFound, ShortRead
from holdfast.model.ids import PackId
from holdfast.protocols import FileKind, Handle
from holdfast.repository.repository import Repository
from holdfast.repository.restore.jobs import compare_files, restore_packs, spans
from holdfast.repository.restore.work import BlobWork, ComparedFile, Comparison, JobResult, PackWork, Setup
from holdfast.runtime.workers import WorkerPool

_JOB_BYTES = 8 << 20
_JOB_FILES = 400
_REMOTE_SPAN_BYTES = 16 << 20
_REMOTE_GAP_BYTES = 256 << 10
_COMPARED_BYTES = 32 << 20


class Job(NamedTuple):
    """Work that was handed out."""

    packs: list[PackWork]
    future: Future[JobResult]


class Fetcher:
    """Hands work out to processes, or to threads where there are none.

    Args:
        pool: processes, if the caller has some.
    """

    def __init__(self, repository: Repository, setup: Setup, pool: WorkerPool | None) -> None:
        self._backend = repository.backend
        self._setup = setup
        self._pool = pool if pool is not None and pool.parallel else None
        workers = min(4, len(os.sched_getaffinity(0)))
        self._threads = ThreadPoolExecutor(max(workers, repository.backend.connections), "holdfast-restore")

    def close(self) -> None:
        """Waits for work that has begun and drops the rest."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def start(self, packs: dict[PackId | None, list[BlobWork]]) -> list[Job]:
        """Hands out a batch."""
        jobs: list[Job] = []
        local: list[PackWork] = []
        weight = 0
        for pack, blobs in packs.items():
            blobs.sort(key=_offset)
            name = "" if pack is None else pack.hex()
            handle = Handle(FileKind.PACK, name)
            path = None if pack is None else self._backend.local_path(handle)
            if path is None and pack is not None:
                jobs += [Job([work], self._threads.submit(self._load, work)) for work in _ranged(name, blobs)]
                continue
            for portion, size in _portions(blobs):
                local.append((name, None if path is None else str(path), None, 0, portion))
                weight += size
                if weight >= _JOB_BYTES:
                    jobs.append(self._submit(local))
                    local, weight = [], 0
        if local:
            jobs.append(self._submit(local))
        return jobs

    def _submit(self, packs: list[PackWork]) -> Job:
        if self._pool is not None:
            return Job(packs, self._pool.submit(restore_packs, self._setup, packs))
        return Job(packs, self._threads.submit(restore_packs, self._setup, packs))

    def _load(self, work: PackWork) -> JobResult:
        """Loads one range of a remote pack and passes it on."""
        name, _, _, start, blobs = work
        end = max(blob[0] + blob[1] for blob in blobs)
        try:
            data = self._backend.load(Handle(FileKind.PACK, name), start, end - start)
        except (ObjectNotFound, ShortRead, DamageError) as error:
            return JobResult(0, 0, [], [(0, number, error.phrase) for number in range(len(blobs))])
        loaded: list[PackWork] = [(name, None, data, start, blobs)]
        if self._pool is not None:
            return self._pool.submit(restore_packs, self._setup, loaded).result()
        return restore_packs(self._setup, loaded)

    def compare(self, files: list[ComparedFile]) -> Iterator[Comparison]:
        """Reads files again, in parallel."""
        waiting: list[Future[list[Comparison]]] = []
        portion: list[ComparedFile] = []
        weight = 0
        for file in files:
            portion.append(file)
            weight += _COMPARED_BYTES // _JOB_FILES + sum(length for _, length, _ in file[4])
            if weight >= _COMPARED_BYTES:
                waiting.append(self._submit_comparison(portion))
                portion, weight = [], 0
        if portion:
            waiting.append(self._submit_comparison(portion))
        for future in waiting:
            yield from future.result()

    def _submit_comparison(self, files: list[ComparedFile]) -> Future[list[Comparison]]:
        if self._pool is not None:
            return self._pool.submit(compare_files, self._setup.root, files)
        return self._threads.submit(compare_files, self._setup.root, files)


def _offset(blob: BlobWork) -> int:
    return blob[0]


def _portions(blobs: list[BlobWork]) -> Iterator[tuple[list[BlobWork], int]]:
    """Cuts the blobs of a pack so that no job takes long; with the weight of each portion."""
    portion: list[BlobWork] = []
    weight = 0
    for blob in blobs:
        portion.append(blob)
        weight += blob[1] + (_JOB_BYTES // _JOB_FILES) * (len(blob[4]) + len(blob[5]))
        if weight >= _JOB_BYTES:
            yield portion, weight
            portion, weight = [], 0
    if portion:
        yield portion, weight


def _ranged(name: str, blobs: list[BlobWork]) -> Iterator[PackWork]:
    for first, last, start, _ in spans(blobs, _REMOTE_SPAN_BYTES, _REMOTE_GAP_BYTES):
        yield name, None, None, start, blobs[first:last]
