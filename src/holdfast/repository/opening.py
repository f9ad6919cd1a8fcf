"""Opening a repository with a password, and making a new one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from holdfast.errors import (
    DamageError,
    KeyParametersRefused,
    MacMismatch,
    ObjectExists,
    ObjectNotFound,
    RepositoryExists,
    RepositoryNotFound,
    SealVerificationFailed,
    WrongPassword,
)
from holdfast.format import config as config_format
from holdfast.format import kdf, polynomial
from holdfast.format.seal import Sealer
from holdfast.model.ids import KeyId, is_hex_id
from holdfast.model.key import KdfParameters, KeyFile, MasterKey
from holdfast.model.repository_config import RepositoryConfig
from holdfast.protocols import CONFIG_HANDLE, Backend, FileKind, Handle, StoredObject
from holdfast.repository.keys import list_entries, load_key_file, open_key_file, store_key
from holdfast.repository.repository import Repository
from holdfast.runtime.clock import Clock, SystemClock
from holdfast.runtime.randomness import random_bytes, random_nonce

CACHEDIR_TAG = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# Data derived from backup repositories by Holdfast; it may be deleted at any time.\n"
)


def open_repository(
    backend: Backend,
    password: bytes,
    *,
    key_hint: str | None = None,
    cache_root: Path | None = None,
    clock: Clock | None = None,
) -> Repository:
    """Opens a repository with whichever of its keys the password fits.

    Key files that cannot be used (garbage, renamed, costlier than the bounds) are passed over, however many
    there are, so that whoever may only add files to the storage cannot lock anybody out.

    Args:
        backend: where the repository is.
        password: raw bytes, not normalised.
        key_hint: the first digits of the key to try first.
        cache_root: folder for derived data of all repositories; None keeps nothing.
        clock: where times come from.

    Raises:
        RepositoryNotFound: there is no config.
        WrongPassword: no usable key opens with the password.
        KeyParametersRefused, DamageError: there is no usable key at all, or the config is damaged.
    """
    try:
        stored_config = backend.load(CONFIG_HANDLE)
    except ObjectNotFound as error:
        raise RepositoryNotFound(url=backend.url) from error
    remembered = _remembered_key(cache_root, backend.url)
    key_id, master, config = _Search(backend, password, stored_config).run([key_hint, remembered])
    _remember_key(cache_root, backend.url, key_id)
    cache_dir = None if cache_root is None else _cache_folder(cache_root, config.id.hex())
    return Repository(backend, config, master, key_id=key_id, cache_dir=cache_dir, clock=clock)


class _Search:
    """One attempt to open a repository: which keys were tried and why they did not do."""

    def __init__(self, backend: Backend, password: bytes, stored_config: bytes) -> None:
        self._backend = backend
        self._password = password
        self._stored_config = stored_config
        self._tried: set[str] = set()
        self._wrong = 0
        self._config_error: DamageError | None = None
        self._unusable: KeyParametersRefused | DamageError | None = None

    def run(self, first: list[str | None]) -> tuple[KeyId, MasterKey, RepositoryConfig]:
        entries = list(list_entries(self._backend))
        for hint in first:
            for entry in entries:
                if hint and entry.name.startswith(hint) and (found := self._try(entry)):
                    return found
        for entry, key in self._cheapest_first(entries):
            if found := self._try(entry, key):
                return found
        raise self._failure()

    def _cheapest_first(self, entries: list[StoredObject]) -> Iterator[tuple[StoredObject, KeyFile]]:
        """The keys not tried yet. One that is costly to try, which a stranger may have added, comes last."""
        waiting = [(entry, key) for entry in entries if entry.name not in self._tried and (key := self._load(entry))]
        waiting.sort(key=lambda pair: pair[1].kdf.n * pair[1].kdf.r * pair[1].kdf.p)
        yield from waiting

    def _load(self, entry: StoredObject) -> KeyFile | None:
        self._tried.add(entry.name)
        try:
            return load_key_file(self._backend, entry)
        except ObjectNotFound:
            return None
        except (DamageError, KeyParametersRefused) as error:
            self._unusable = self._unusable or error
            return None

    def _try(self, entry: StoredObject, key: KeyFile | None = None) -> tuple[KeyId, MasterKey, RepositoryConfig] | None:
        if key is None and (entry.name in self._tried or not (key := self._load(entry))):
            return None
        handle = Handle(FileKind.KEY, entry.name)
        try:
            master = open_key_file(key, self._password, handle)
        except MacMismatch:
            self._wrong += 1
            return None
        except DamageError as error:
            self._unusable = self._unusable or error
            return None
        try:
            config = _open_config(self._stored_config, master)
        except DamageError as error:
            # An interrupted `init` may have left a key to another master key under the same password: go on.
            self._config_error = error
            return None
        return KeyId(bytes.fromhex(entry.name)), master, config

    def _failure(self) -> Exception:
        if self._config_error is not None:
            return self._config_error
        if self._wrong:
            return WrongPassword(url=self._backend.url, keys=self._wrong)
        if self._unusable is not None:
            return self._unusable
        return DamageError(object=self._backend.url, reason="there is a config but no key file")


def _open_config(stored: bytes, master: MasterKey) -> RepositoryConfig:
    return config_format.decode(bytes(Sealer(master).open(stored, CONFIG_HANDLE)), CONFIG_HANDLE)


# --- making a repository -----------------------------------------------------------------------------


def init_repository(
    backend: Backend,
    password: bytes,
    *,
    version: int = 2,
    parameters: KdfParameters = kdf.DEFAULT,
    allow_weak: bool = False,
    chunker_polynomial: int | None = None,
    repository_id: bytes | None = None,
    cache_root: Path | None = None,
    clock: Clock | None = None,
) -> Repository:
    """Makes a repository: key file first, then the config, whose creation is the one moment it comes to exist.

    Interrupted in between, it can be repeated; the key left behind is used if the password fits it. When two
    run at once, one wins and the other leaves nothing behind.

    Args:
        version: format version, 1 or 2.
        parameters: cost of the password derivation.
        allow_weak: accept cheap parameters, for tests.
        chunker_polynomial: taken from a related repository so that both cut files alike; by default a new one.
        repository_id: 32 bytes; by default random ones.

    Raises:
        RepositoryExists: there is a config already.
        UnsupportedFormat, FormatError: no such version, or a polynomial that cannot chunk.
        KeyParametersRefused, WeakKeyParameters: the parameters are out of bounds or too cheap.
    """
    clock = clock or SystemClock()
    config = RepositoryConfig(
        version=version,
        id=random_bytes(32) if repository_id is None else repository_id,
        chunker_polynomial=chunker_polynomial or polynomial.from_random(random_bytes(32)),
    )
    config_format.decode(config_format.encode(config))
    kdf.check_new(parameters, allow_weak=allow_weak)
    if _exists(backend):
        raise RepositoryExists(url=backend.url)
    backend.create()
    key_id, master, own = _first_key(backend, password, clock, parameters, allow_weak=allow_weak)
    _create_config(backend, config, master, key_id if own else None)
    return open_repository(backend, password, key_hint=key_id.hex(), cache_root=cache_root, clock=clock)


def _exists(backend: Backend) -> bool:
    try:
        backend.size(CONFIG_HANDLE)
    except ObjectNotFound:
        return False
    return True


def _first_key(
    backend: Backend, password: bytes, clock: Clock, parameters: KdfParameters, *, allow_weak: bool
) -> tuple[KeyId, MasterKey, bool]:
    """The key of an interrupted `init` with the same password, or a new one; and whether it is new."""
    for entry in list_entries(backend):
        handle = Handle(FileKind.KEY, entry.name)
        with contextlib.suppress(DamageError, KeyParametersRefused, ObjectNotFound):
            return (
                KeyId(bytes.fromhex(entry.name)),
                open_key_file(load_key_file(backend, entry), password, handle),
                False,
            )
    master = _new_master_key()
    key_id = store_key(backend, master, password, clock, parameters=parameters, allow_weak=allow_weak)
    return key_id, master, True


def _new_master_key() -> MasterKey:
    return MasterKey(encrypt=random_bytes(32), mac_k=random_bytes(16), mac_r=random_bytes(16))


def _create_config(backend: Backend, config: RepositoryConfig, master: MasterKey, own_key: KeyId | None) -> None:
    sealed = bytes(Sealer(master).seal(config_format.encode(config), random_nonce()))
    if _open_config(sealed, master) != config:
        raise SealVerificationFailed(object=CONFIG_HANDLE)
    try:
        backend.save(CONFIG_HANDLE, [sealed])
    except ObjectExists as error:
        if own_key is not None:
            _withdraw_key(backend, own_key, master)
        raise RepositoryExists(url=backend.url) from error


def _withdraw_key(backend: Backend, key_id: KeyId, master: MasterKey) -> None:
    """After a lost race: removes our key, unless the winner sealed its config with it."""
    with contextlib.suppress(DamageError, ObjectNotFound):
        _open_config(backend.load(CONFIG_HANDLE), master)
        return
    with contextlib.suppress(ObjectNotFound):
        # SAFETY: written by this call, and the config has just been seen not to belong to it.
        backend.remove(Handle(FileKind.KEY, key_id.hex()))


# --- what is remembered on this machine --------------------------------------------------------------


def _remembered_key(cache_root: Path | None, url: str) -> str | None:
    if cache_root is None:
        return None
    try:
        name = _memory_of(cache_root, url).read_text("ascii", errors="replace")[:64]
    except OSError:
        return None
    return name if is_hex_id(name) else None


def _remember_key(cache_root: Path | None, url: str, key_id: KeyId) -> None:
    """Notes which key worked. Failing to is no failure: it only costs time at the next opening."""
    if cache_root is None or _remembered_key(cache_root, url) == key_id.hex():
        return
    with contextlib.suppress(OSError):
        note = _memory_of(cache_root, url)
        _private_folder(cache_root)
        _private_folder(note.parent)
        descriptor, temporary = tempfile.mkstemp(dir=note.parent)
        with open(descriptor, "w", encoding="ascii") as stream:
            stream.write(key_id.hex())
        os.replace(temporary, note)


def _memory_of(cache_root: Path, url: str) -> Path:
    # The repository's id is known only after opening, hence the hash of where it is.
    return cache_root / "keys" / sha256(url.encode("utf-8", "surrogateescape")).hexdigest()


def _cache_folder(cache_root: Path, name: str) -> Path | None:
    """The private folder for one repository; None if it cannot be made, for nothing depends on it."""
    try:
        _private_folder(cache_root)
        folder = _private_folder(cache_root / name)
        # Tells `local_caches` when it was used last.
        os.utime(folder)
        tag = folder / "CACHEDIR.TAG"
        if not tag.exists():
            tag.write_bytes(CACHEDIR_TAG)
    except OSError:
        return None
    return folder


def _private_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
