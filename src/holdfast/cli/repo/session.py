"""What a command of `holdfast repo` works with: the repository that was asked for, and the ways to talk to a person."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.commands import frame_of
from holdfast.cli.frame import Frame
from holdfast.cli.output import Printer
from holdfast.cli.progress import ProgressListener, only_warnings
from holdfast.cli.repo import passwords
from holdfast.cli.repo.options import RepoOptions, SourceOptions, options_of
from holdfast.errors import ContradictoryOptions, RepositoryFileUnreadable, RepositoryNotNamed, UsageError
from holdfast.model.event import Listener, ignore
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.secret import Secret

if TYPE_CHECKING:
    from holdfast.protocols import Backend
    from holdfast.repository.blobs import Compression
    from holdfast.repository.index import Index
    from holdfast.repository.local_copies import LocalCopies
    from holdfast.repository.locks import RepositoryLock
    from holdfast.repository.reader import Reader
    from holdfast.repository.repository import Repository
    from holdfast.runtime.workers import WorkerPool


@dataclass(kw_only=True)
class RepoSession:
    """One run of one command. What it opens is closed when the command ends.

    Attributes:
        frame: the options of every command.
        options: the options of the repository.
        resources: what is closed in the end.
        copies: what is kept on this machine of each open repository.
    """

    frame: Frame
    options: RepoOptions
    resources: ExitStack = field(default_factory=ExitStack)
    copies: dict[Repository, LocalCopies] = field(default_factory=dict["Repository", "LocalCopies"])

    @property
    def printer(self) -> Printer:
        """Prints as the options say."""
        return self.frame.printer

    @property
    def cancel(self) -> CancelToken:
        """Cancelled by SIGINT and SIGTERM."""
        return self.frame.cancel

    def listener(self, *, statuses: bool = True) -> ProgressListener:
        """Shows progress and warnings; use as a context manager and pass it to an operation.

        Args:
            statuses: with --json, print documents about progress; not where the output is one document.
        """
        return ProgressListener(self.printer, statuses=statuses)

    def location(self) -> str:
        """Where the repository is, secrets included.

        Raises:
            RepositoryNotNamed: nothing says so.
            ContradictoryOptions: two options say so.
        """
        return find_location(self.options.repo, self.options.repository_file)

    def password(self, *, stdin_is_data: bool = False) -> Secret:
        """The password of the repository, asked for on the terminal if nothing else gives it."""
        return passwords.existing(self.options, self.printer, stdin_is_data=stdin_is_data)

    def new_password(self) -> Secret:
        """The password of a repository about to be created, typed twice if it is typed."""
        return passwords.new(self.options, self.printer)

    def backend(self, *, url: str = "", listener: Listener = ignore) -> Backend:
        """Opens the storage.

        Args:
            url: another location than that of the options.
            listener: told about requests that are repeated; by default they are shown as warnings.
        """
        from holdfast.backends.options import BackendOptions
        from holdfast.backends.registry import open_backend

        options = BackendOptions(
            upload_bytes_per_s=self.options.limit_upload_kib * 1024,
            download_bytes_per_s=self.options.limit_download_kib * 1024,
            cancel=self.cancel,
            listener=only_warnings(self.listener()) if listener is ignore else listener,
            extra=dict(self.options.extended),
        )
        backend = open_backend(url or self.location(), options=options)
        self.resources.callback(backend.close)
        return backend

    def open(
        self,
        *,
        url: str = "",
        password: Secret | None = None,
        key_hint: str | None = None,
        stdin_is_data: bool = False,
        listener: Listener = ignore,
    ) -> Repository:
        """Opens the repository.

        Args:
            url: another location than that of the options, as `copy` needs.
            password: another password than that of the options.
            key_hint: another key to try first than that of the options; empty for none.
            stdin_is_data: the password must not be read from standard input.
            listener: told about requests that are repeated; by default they are shown as warnings.
        """
        from holdfast.repository.local_copies import LocalCopies
        from holdfast.repository.opening import open_repository

        backend = self.backend(url=url, listener=listener)
        secret = password or self.password(stdin_is_data=stdin_is_data)
        repository = open_repository(
            backend,
            secret.reveal(),
            key_hint=(self.options.key_hint if key_hint is None else key_hint) or None,
            cache_root=self.cache_root(),
        )
        self.copies[repository] = LocalCopies(repository)
        if self.options.cleanup_cache:
            self._clean_up_caches()
        return repository

    def _clean_up_caches(self) -> None:
        from holdfast.repository.local_caches import OLD_DAYS, list_caches, remove_caches
        from holdfast.runtime.clock import SystemClock

        root = self.cache_root()
        if root is not None:
            caches = list_caches(root, SystemClock(), with_sizes=False)
            remove_caches(cache for cache in caches if cache.age_days > OLD_DAYS)

    def cache_root(self) -> Path | None:
        """The folder for derived data of all repositories; None with --no-cache."""
        if self.options.no_cache:
            return None
        if self.options.cache_dir:
            return Path(self.options.cache_dir)
        home = os.environ.get("XDG_CACHE_HOME", "")
        return (Path(home) if os.path.isabs(home) else Path.home() / ".cache") / "holdfast"

    def open_source(self, source: SourceOptions) -> Repository:
        """Opens the repository that is copied from; nothing of it comes from the options of the other one."""
        url = find_location(source.repo, source.repository_file, prefix="FROM_")
        password = passwords.source(
            source.password_file,
            source.password_command,
            no_password=source.insecure_no_password,
            printer=self.printer,
        )
        return self.open(url=url, password=password, key_hint=source.key_hint)

    def lock(
        self,
        repository: Repository,
        *,
        exclusive: bool = False,
        confirm_later: bool = False,
        listener: Listener = ignore,
    ) -> AbstractContextManager[RepositoryLock]:
        """Locks the repository for a `with` block; what another process would notice is checked in the background.

        Args:
            confirm_later: also for an exclusive lock, whose holder changes nothing before it asks for the lock.
        """
        from holdfast.repository.locks import acquire

        return acquire(
            repository,
            exclusive,
            retry_s=self.options.retry_lock_s,
            listener=listener,
            cancel=self.cancel,
            confirm_later=confirm_later or not exclusive,
        )

    def reading_lock(
        self, repository: Repository, *, listener: Listener = ignore
    ) -> AbstractContextManager[RepositoryLock | None]:
        """A shared lock for a command that only reads; none with --no-lock."""
        return nullcontext() if self.options.no_lock else self.lock(repository, listener=listener)

    def workers(self) -> WorkerPool:
        """Worker processes. INVARIANT: called before the storage is opened, because opening it may start threads."""
        from holdfast.runtime.workers import WorkerPool

        pool = WorkerPool()
        self.resources.callback(pool.close)
        return pool

    def index(self, repository: Repository, *, persistent: bool = True) -> Index:
        """The repository's index, not synchronised yet; use as a context manager."""
        from holdfast.repository.index import Index

        index = Index(repository, persistent=persistent)
        if repository in self.copies:
            self.copies[repository].follow(index)
        return index

    @contextmanager
    def reading(self) -> Generator[Reader, None, None]:
        """Opens the repository for a command that only reads: locked, and with its index.

        Progress has ended when this begins, so that the command may print what it finds.
        """
        from holdfast.repository.reader import Reader

        repository = self.open()
        with self.reading_lock(repository), self.index(repository) as index:
            with self.listener(statuses=False) as listener:
                index.sync(listener)
            yield Reader(repository, index)

    def compression(self) -> Compression:
        """How hard to compress."""
        from holdfast.repository.blobs import Compression

        return Compression[self.options.compression.upper()]

    def pack_bytes(self) -> int:
        """Target size of packs in bytes."""
        from holdfast.repository.writer import DEFAULT_PACK_BYTES

        return self.options.pack_size_mib << 20 or DEFAULT_PACK_BYTES


def find_location(url: str, file: str, *, prefix: str = "") -> str:
    """A location from options or, where those are empty, from the environment.

    Args:
        url: the option that gives it.
        file: the option that names a file with it.
        prefix: `FROM_` for the repository that is copied from.

    Raises:
        RepositoryNotNamed: nothing gives it.
        ContradictoryOptions: two of the same rank give it.
        RepositoryFileUnreadable: the file cannot be read.
    """
    start = prefix.lower().replace("_", "-")
    candidates = [(url, file, f"--{start}repo", f"--{start}repository-file")]
    for program in ("HOLDFAST", "RESTIC"):
        names = f"{program}_{prefix}REPOSITORY", f"{program}_{prefix}REPOSITORY_FILE"
        candidates.append((os.environ.get(names[0], ""), os.environ.get(names[1], ""), *names))
    for given, named_file, first, second in candidates:
        if given and named_file:
            raise ContradictoryOptions(first=first, second=second)
        if given:
            return given
        if named_file:
            return _read_location(named_file)
    if prefix:
        raise UsageError(detail="no repository to copy from was named: give --from-repo")
    raise RepositoryNotNamed


def _read_location(file: str) -> str:
    try:
        with open(file, encoding="utf-8") as source:
            location = source.read(65536).strip()
    except OSError as error:
        raise RepositoryFileUnreadable(path=file, reason=error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise RepositoryFileUnreadable(path=file, reason="it is not UTF-8 text") from error
    if not location:
        raise RepositoryFileUnreadable(path=file, reason="the file is empty")
    return location


def session_of(ctx: click.Context) -> RepoSession:
    """The session of the running command; made once, closed with the context that made it."""
    if not isinstance(ctx.obj, RepoSession):
        session = RepoSession(frame=frame_of(ctx), options=options_of(ctx))
        ctx.obj = session
        ctx.call_on_close(session.resources.close)
    return ctx.obj
