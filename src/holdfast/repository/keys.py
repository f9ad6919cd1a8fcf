"""Key files: listing, adding, removing, and changing the password."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import msgspec

from holdfast.errors import (
    DamageError,
    FormatError,
    HashMismatch,
    KeyInUse,
    KeyParametersRefused,
    ObjectNotFound,
    Phrase,
    SealVerificationFailed,
)
from holdfast.format import kdf, key_file
from holdfast.model.ids import KeyId, is_hex_id
from holdfast.model.instant import Instant
from holdfast.model.key import KdfParameters, KeyFile, MasterKey
from holdfast.protocols import Backend, FileKind, Handle, StoredObject
from holdfast.repository.repository import Repository
from holdfast.runtime import host
from holdfast.runtime.clock import Clock
from holdfast.runtime.randomness import random_bytes, random_nonce


class KeyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a key file says about itself. None of it is authenticated.

    Attributes:
        id: the key file's name.
        current: whether this key opened the repository.
        problem: why the file cannot be used; empty if it can.
    """

    id: KeyId
    username: str = ""
    hostname: str = ""
    created: Instant | None = None
    kdf: KdfParameters | None = None
    current: bool = False
    problem: str = ""


def load_key_file(backend: Backend, entry: StoredObject) -> KeyFile:
    """Reads one key file and holds it to its name and to the bounds of its parameters.

    Raises:
        ObjectNotFound: it has vanished.
        DamageError: its content is not what its name promises, or is not a key.
        KeyParametersRefused: trying it would cost too much memory or time.
    """
    handle = Handle(FileKind.KEY, entry.name)
    if not 0 < entry.size_bytes <= key_file.KEY_FILE_BYTES_MAX:
        raise FormatError(
            object=handle, reason=Phrase("{size_bytes} bytes are no key file", {"size_bytes": entry.size_bytes})
        )
    content = backend.load(handle)
    actual = sha256(content).hexdigest()
    if actual != entry.name:
        raise HashMismatch(object=handle, actual=actual)
    key = key_file.decode(content, handle)
    kdf.check_bounds(key.kdf, handle)
    return key


def open_key_file(key: KeyFile, password: bytes, handle: Handle) -> MasterKey:
    """Unwraps the master key.

    Raises:
        MacMismatch: the password is not this key's.
        DamageError: the password fits and what is wrapped is no master key.
    """
    return key_file.unwrap(key, kdf.derive(password, key.salt, key.kdf, key=handle), handle)


def list_entries(backend: Backend) -> Iterator[StoredObject]:
    """The stored key files, by name."""
    yield from sorted(entry for entry in backend.list(FileKind.KEY) if is_hex_id(entry.name))


def store_key(
    backend: Backend,
    master: MasterKey,
    password: bytes,
    clock: Clock,
    *,
    username: str | None = None,
    hostname: str | None = None,
    parameters: KdfParameters = kdf.DEFAULT,
    allow_weak: bool = False,
) -> KeyId:
    """Wraps the master key for a password, stores the key file and opens it again from the storage.

    Args:
        username, hostname: recorded in clear; by default who and where this process is.
        allow_weak: accept cheap parameters, for tests.

    Raises:
        KeyParametersRefused, WeakKeyParameters: the parameters are out of bounds or too cheap.
        SealVerificationFailed: what was stored does not open; it was deleted again.
    """
    kdf.check_new(parameters, allow_weak=allow_weak)
    salt = random_bytes(kdf.SALT_BYTES)
    user_key = kdf.derive(password, salt, parameters)
    content = key_file.encode(
        KeyFile(
            created=clock.now(),
            username=host.username() if username is None else username,
            hostname=host.hostname() if hostname is None else hostname,
            kdf=parameters,
            salt=salt,
            data=key_file.wrap(master, user_key, random_nonce()),
        )
    )
    name = sha256(content).digest()
    backend.save(Handle(FileKind.KEY, name.hex()), [content])
    _verify_stored(backend, StoredObject(name.hex(), len(content)), password, master)
    return KeyId(name)


def _verify_stored(backend: Backend, entry: StoredObject, password: bytes, master: MasterKey) -> None:
    handle = Handle(FileKind.KEY, entry.name)
    try:
        opened = open_key_file(load_key_file(backend, entry), password, handle)
    except DamageError as error:
        # SAFETY: this file was written by this call and nobody has been told of it.
        backend.remove(handle)
        raise SealVerificationFailed(object=handle) from error
    if opened != master:
        backend.remove(handle)  # SAFETY: as above.
        raise SealVerificationFailed(object=handle)


def list_keys(repository: Repository) -> list[KeyInfo]:
    """Every key file, the unusable ones too, with what is wrong with them."""
    found: list[KeyInfo] = []
    for entry in list_entries(repository.backend):
        name = KeyId(bytes.fromhex(entry.name))
        try:
            key = load_key_file(repository.backend, entry)
        except ObjectNotFound:
            continue
        except (DamageError, KeyParametersRefused) as error:
            found.append(KeyInfo(id=name, problem=str(error)))
            continue
        found.append(
            KeyInfo(
                id=name,
                username=key.username,
                hostname=key.hostname,
                created=key.created,
                kdf=key.kdf,
                current=name == repository.key_id,
            )
        )
    return found


def add_key(
    repository: Repository,
    password: bytes,
    *,
    username: str | None = None,
    hostname: str | None = None,
    parameters: KdfParameters = kdf.DEFAULT,
    allow_weak: bool = False,
) -> KeyId:
    """Lets another password open the repository; the new key has been opened with it when this returns."""
    return store_key(
        repository.backend,
        repository.master,
        password,
        repository.clock,
        username=username,
        hostname=hostname,
        parameters=parameters,
        allow_weak=allow_weak,
    )


def remove_key(repository: Repository, key_id: bytes) -> None:
    """Deletes a key file. Whoever knew its password may have kept the master key: this locks nobody out for good.

    Raises:
        KeyInUse: it is the key this process opened the repository with.
        ObjectNotFound: there is no such key.
    """
    if key_id == repository.key_id:
        raise KeyInUse(key=key_id.hex()[:8])
    # SAFETY: asked for by name; the key in use stays, so the repository still opens.
    repository.remove(FileKind.KEY, key_id)


def change_password(
    repository: Repository,
    password: bytes,
    *,
    username: str | None = None,
    hostname: str | None = None,
    parameters: KdfParameters = kdf.DEFAULT,
    allow_weak: bool = False,
) -> KeyId:
    """Replaces the key in use: the new one is stored and opened before the old one is deleted."""
    old = repository.key_id
    new = add_key(
        repository,
        password,
        username=username,
        hostname=hostname,
        parameters=parameters,
        allow_weak=allow_weak,
    )
    repository.key_id = new
    # SAFETY: the new key file has just been read back and opened.
    repository.remove(FileKind.KEY, old)
    return new
