"""An open restic-format repository and what can be done with it.

For programs that only want to read one, `open` is all there is to know; `docs/guides/library.md` shows it at work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.repository.library import OpenRepository
    from holdfast.runtime.secret import Secret

__all__ = ["open"]


def open(  # noqa: A001 - read as `repository.open`
    url: str, password: str | bytes | Secret, *, lock: bool = True, cache: bool = True
) -> OpenRepository:
    """Opens a repository for reading; use the result as a context manager.

    Args:
        url: a path, or `s3:`, `gs:`, `az:`, `sftp:`, `rest:` and what follows; credentials come from the environment.
        password: of any of its keys; text is encoded as UTF-8.
        lock: keep others from pruning what is being read. Needs write access, and a process that survives SIGHUP
            (see `holdfast.runtime.cancel.install_signal_handlers`).
        cache: keep derived data on this machine, which saves fetching it again.

    Raises:
        RepositoryNotFound: there is no repository.
        WrongPassword: the password opens none of its keys.
        RepositoryLocked: somebody works with it alone.
        BackendError: the storage failed.
    """
    from holdfast.repository.library import open_for_reading

    return open_for_reading(url, password, lock=lock, cache=cache)
