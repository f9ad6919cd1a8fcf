"""Opening the repository behind a target, and holding its lock for as long as it is needed."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Protocol

from holdfast.backends import urls
from holdfast.backends.options import BackendOptions
from holdfast.errors import EmptyPassword, PasswordMissing, RepositoryExists, RepositoryNotFound
from holdfast.protocols import Backend
from holdfast.repository.index import Index
from holdfast.repository.local_caches import default_root
from holdfast.repository.local_copies import LocalCopies
from holdfast.repository.locks import RepositoryLock, acquire
from holdfast.repository.opening import init_repository, open_repository
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.runtime.clock import Clock
from holdfast.targets.repository_marks import write_privately
from holdfast.targets.repository_options import RepositoryOptions
from holdfast.targets.storage_settings import storage_settings


class BackendOpener(Protocol):
    """Opens storage, as `holdfast.backends.registry.open_backend` does."""

    def __call__(self, url: str, *, options: BackendOptions) -> Backend:
        """Opens the location."""
        ...


class RepositoryAccess:
    """The one open repository of a target: made when first needed, closed with the target.

    Args:
        base_dir: what a relative path is relative to.
        memory: a file that remembers which repository was there; see `prepare`.
        clock: where times come from.
        opener: opens the storage.
    """

    def __init__(
        self, options: RepositoryOptions, base_dir: Path, memory: Path, clock: Clock, opener: BackendOpener
    ) -> None:
        self.options = options
        self._opener = opener
        self._memory = memory
        self._clock = clock
        self.folder: Path | None = None
        self._location = options.url
        if urls.scheme_of(options.url) == "local":
            path = os.path.expanduser(urls.local_path(options.url))
            self.folder = Path(os.path.abspath(base_dir / path))
            self._location = str(self.folder)
        self._repository: Repository | None = None
        self._copies: LocalCopies | None = None
        self._index: Index | None = None
        self._lock: RepositoryLock | None = None

    @property
    def url(self) -> str:
        """Where it is, for people, with secrets left out."""
        return urls.without_secrets(self._location)

    # --- opening --------------------------------------------------------------------------------

    def open(self) -> Repository:
        """The open repository.

        Raises:
            RepositoryNotFound: there is none.
            WrongPassword: the password opens none of its keys.
            PasswordMissing, EmptyPassword: there is no password to try.
        """
        if self._repository is None:
            password = self._password()
            self._take(open_repository(self._backend(), password, cache_root=self._cache_root(), clock=self._clock))
        assert self._repository is not None
        return self._repository

    def prepare(self) -> None:
        """Opens the repository, makes it where there is none, and takes a lock, which proves that it can be written to.

        A repository that was there before and is gone now is not made again: its disk may not be mounted.

        Raises:
            RepositoryNotFound: there is none and it must not or should not be made.
            RepositoryLocked: somebody else works on it alone.
        """
        try:
            repository = self.open()
        except RepositoryNotFound:
            if not self.may_be_made:
                raise
            repository = self._create()
        self.shared()
        self._remember(repository)

    @property
    def may_be_made(self) -> bool:
        """Whether a repository that is not there may be made: nothing forbids it, and none was there before."""
        return not (self.options.no_init or self.options.read_only or self._memory.exists())

    def _create(self) -> Repository:
        root = self._cache_root()
        try:
            created = init_repository(self._backend(), self._password(), cache_root=root, clock=self._clock)
        except RepositoryExists:
            # Another process was faster.
            return self.open()
        self._take(created)
        return created

    def _take(self, repository: Repository) -> None:
        self._repository = repository
        self._copies = LocalCopies(repository)

    def _remember(self, repository: Repository) -> None:
        if not self._memory.exists():
            write_privately(self._memory, repository.config.id.hex().encode() + b"\n")

    def _password(self) -> bytes:
        options = self.options
        if options.password is None and not options.insecure_no_password:
            raise PasswordMissing
        password = options.password.reveal() if options.password is not None else b""
        if not password and not options.insecure_no_password:
            raise EmptyPassword
        return password

    def _backend(self) -> Backend:
        options = self.options
        how = BackendOptions(
            connections=options.connections,
            read_only=options.read_only,
            upload_bytes_per_s=options.limit_upload * 1024,
            download_bytes_per_s=options.limit_download * 1024,
            extra=storage_settings(options),
        )
        return self._opener(self._location, options=how)

    def _cache_root(self) -> Path | None:
        return default_root(os.environ) if self.options.cache else None

    # --- index and locks ------------------------------------------------------------------------

    def index(self, *, fresh: bool = True) -> Index:
        """The index. Raises `DamageError` if an index file cannot be read.

        Args:
            fresh: brought up to date with the repository.
        """
        if self._index is None:
            self._index = Index(self.open())
            if self._copies is not None:
                self._copies.follow(self._index)
            fresh = True
        if fresh:
            self._index.sync()
        return self._index

    def reader(self, *, fresh: bool = True) -> Reader:
        """Reads blobs through the index."""
        return Reader(self.open(), self.index(fresh=fresh))

    def shared(self) -> RepositoryLock:
        """The lock that keeps others from removing what is being written or read; held until `release`."""
        if self._lock is None:
            self._lock = acquire(self.open(), False, retry_s=self.options.retry_lock, confirm_later=True)
        return self._lock

    def protect_reading(self) -> None:
        """Takes the shared lock, unless nothing may be written."""
        if not self.options.read_only:
            self.shared()

    @contextlib.contextmanager
    def exclusive(self) -> Generator[RepositoryLock]:
        """A lock that nobody else holds beside it, for whoever deletes. Gives the shared one back first."""
        self.release()
        with acquire(self.open(), True, retry_s=self.options.retry_lock) as lock:
            yield lock

    def release(self) -> None:
        """Gives the shared lock back."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def free_bytes(self) -> int | None:
        """How much more fits; None where nobody can tell."""
        folder = self.folder
        if folder is None:
            return None
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def close(self) -> None:
        """Gives back lock, index and connections. What is opened afterwards is opened anew."""
        try:
            self.release()
        finally:
            if self._index is not None:
                self._index.close()
            if self._repository is not None:
                self._repository.close()
            self._repository, self._index, self._copies = None, None, None
