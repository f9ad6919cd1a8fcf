"""What happens to a batch when its content is there: metadata, proof, further names, directories."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from holdfast.errors import HoldfastError, Phrase, RestoreError, RestoreImpossible, TargetError, UnsafePath
from holdfast.model.blob import BlobType
from holdfast.repository.reader import Reader
from holdfast.repository.restore.batch import Batch, HardLink
from holdfast.repository.restore.directories import Directories
from holdfast.repository.restore.fetch import Fetcher, Job
from holdfast.repository.restore.jobs import deliver_blob
from holdfast.repository.restore.metadata import apply
from holdfast.repository.restore.report import RestoreProblem, RestoreReport, detail_of
from holdfast.repository.restore.safe_fs import restore_error
from holdfast.repository.restore.specials import make_link
from holdfast.repository.restore.work import BlobWork, Failure, JobResult, Setup

_TROUBLE = (OSError, ValueError, OverflowError)


class Finisher:
    """Brings batches to their end, in the order in which they were planned.

    Args:
        report: filled in.
        on_problem: told each new problem.
        on_progress: told when some more bytes have been written.
        verify: read every file again.
    """

    def __init__(
        self,
        reader: Reader,
        directories: Directories,
        fetcher: Fetcher,
        setup: Setup,
        report: RestoreReport,
        on_problem: Callable[[RestoreProblem], None],
        on_progress: Callable[[int], None],
        *,
        verify: bool,
    ) -> None:
        self._reader = reader
        self._directories = directories
        self._fetcher = fetcher
        self._setup = setup
        self._report = report
        self._on_problem = on_problem
        self._on_progress = on_progress
        self._verify_all = verify
        self._broken_links: set[tuple[int, int]] = set()

    def finish(self, batch: Batch, jobs: list[Job]) -> None:
        """Waits for a batch's jobs and does all that follows.

        Raises:
            RestoreImpossible: the target is full or read-only.
            TargetError: the storage failed.
        """
        for job in jobs:
            self._collect(batch, job, job.future.result())
        self._finish_files(batch)
        if self._verify_all:
            self._verify(batch)
        self.count(batch)
        for link in batch.links:
            self._link(link)
        self._leave(batch)

    # --- content --------------------------------------------------------------------------------

    def _collect(self, batch: Batch, job: Job, result: JobResult) -> None:
        self._note(batch, result)
        for pack_number, blob_number, _ in result.unread:
            self._rescue(batch, job.packs[pack_number][4][blob_number])

    def _note(self, batch: Batch, result: JobResult) -> None:
        self._report.ignored += result.ignored
        self._on_progress(result.written_bytes)
        for failure in result.failures:
            self._fail(batch, failure)

    def _rescue(self, batch: Batch, blob: BlobWork) -> None:
        """Tries every other copy of a blob that a worker could not read, and writes it from here."""
        try:
            plaintext = self._reader.load_blob(BlobType.DATA, blob[3])
        except TargetError as error:
            if error.transient:
                raise
            for number in sorted({place[0] for place in blob[4]} | {place[0] for place in blob[5]}):
                self._fail(batch, (number, error.code, str(error), True))
            return
        self._note(batch, deliver_blob(self._setup, plaintext, blob[4], blob[5]))

    def _fail(self, batch: Batch, failure: Failure) -> None:
        number, code, detail, damage = failure
        first = number not in batch.failed
        batch.failed.add(number)
        if first:
            self._on_problem(self._report.add(batch.files[number].path(), code, detail, damage=damage))
        if code == RestoreImpossible.code:
            raise RestoreImpossible(path=os.fsdecode(batch.files[number].path()), reason=detail)

    # --- files ----------------------------------------------------------------------------------

    def _finish_files(self, batch: Batch) -> None:
        """Metadata of files that were written in several steps.

        One that is not whole keeps private permissions and the present time, so that nothing takes it for right.
        """
        for number, inode in batch.prepared.items():
            if number not in batch.failed:
                file = batch.files[number]
                try:
                    fd = os.open(
                        file.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._directories.fd(file.directory)
                    )
                    try:
                        self._finish_file(fd, inode, batch, number)
                    finally:
                        os.close(fd)
                except _TROUBLE as error:
                    self._fail_with(batch, number, restore_error(file.path(), error))

    def _finish_file(self, fd: int, inode: int, batch: Batch, number: int) -> None:
        file = batch.files[number]
        status = os.fstat(fd)
        # SAFETY: owner and set-user-id bits must never go to a file that somebody put in the place of ours.
        if not stat.S_ISREG(status.st_mode) or status.st_ino != inode or status.st_nlink != 1:
            reason = "it was replaced while it was restored"
            self._fail_with(batch, number, UnsafePath(path=os.fsdecode(file.path()), reason=reason))
            return
        self._report.ignored += apply(f"/proc/self/fd/{fd}", file.metadata, self._setup.rights)

    def _fail_with(self, batch: Batch, number: int, error: HoldfastError) -> None:
        self._fail(batch, (number, error.code, detail_of(error), isinstance(error, UnsafePath)))

    def _verify(self, batch: Batch) -> None:
        compared = [
            (number, batch.path_of(file.directory), file.name, batch.prepared.get(number, 0), batch.ranges[number])
            for number, file in enumerate(batch.files)
            if number not in batch.failed
        ]
        for number, wrong, problem in self._fetcher.compare(compared):
            if not wrong and not problem:
                self._report.verified += 1
                continue
            reason = problem or Phrase(
                "{count} of its parts do not read back as they were written", {"count": len(wrong)}
            )
            path = batch.files[number].path()
            self._fail_with(batch, number, RestoreError(path=os.fsdecode(path), reason=reason))

    def count(self, batch: Batch) -> None:
        """Takes a batch's files into the report; all that there is to do in a dry run."""
        report = self._report
        report.files += len(batch.files) - len(batch.failed)
        report.unchanged += batch.unchanged
        failed = batch.failed
        if failed:
            report.restored_bytes += sum(
                file.size_bytes for number, file in enumerate(batch.files) if number not in failed
            )
            self._broken_links |= {file.link_key for n in failed if (file := batch.files[n]).link_key is not None}
        else:
            report.restored_bytes += sum([file.size_bytes for file in batch.files])

    # --- names and directories ------------------------------------------------------------------

    def _link(self, link: HardLink) -> None:
        try:
            make_link(self._directories, link.first, link.first_name, link.directory, link.name)
        except _TROUBLE as error:
            self._on_problem(self._report.add_error(link.path(), restore_error(link.path(), error)))
            return
        if link.key in self._broken_links:
            reason = "the file it is another name of was not restored whole"
            error_of_first = RestoreError(path=os.fsdecode(link.path()), reason=reason)
            self._on_problem(self._report.add_error(link.path(), error_of_first))
        else:
            self._report.hard_links += 1

    def _leave(self, batch: Batch) -> None:
        """Final metadata of directories, children first: until then they were closed to everybody else."""
        for directory in batch.left:
            try:
                self._report.ignored += self._directories.finish(directory)
            except _TROUBLE as error:
                path = directory.path()
                self._on_problem(self._report.add_error(path, restore_error(path, error)))
