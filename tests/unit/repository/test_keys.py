"""Key files: added, listed, removed, changed."""

from __future__ import annotations

from hashlib import sha256

import pytest

from holdfast.backends.memory import MemoryBackend
from holdfast.errors import KeyInUse, ObjectNotFound, SealVerificationFailed, WeakKeyParameters, WrongPassword
from holdfast.protocols import FileKind, Handle, Payload
from holdfast.repository.keys import add_key, change_password, list_keys, remove_key
from holdfast.repository.opening import open_repository
from holdfast.repository.repository import Repository
from repository_kit import CHEAP, new_repository


def test_an_added_password_opens_the_same_repository(repository: Repository, backend: MemoryBackend) -> None:
    added = add_key(repository, b"second", username="u", hostname="h", parameters=CHEAP, allow_weak=True)
    opened = open_repository(backend, b"second")
    assert (opened.key_id, opened.master) == (added, repository.master)
    keys = {key.id: key for key in list_keys(repository)}
    assert (keys[added].username, keys[added].hostname, keys[added].current) == ("u", "h", False)
    assert keys[added].created == repository.clock.now()
    assert [key.current for key in list_keys(opened) if key.id == added] == [True]


def test_unusable_files_are_listed_with_their_problem(repository: Repository, backend: MemoryBackend) -> None:
    garbage = sha256(b"garbage").hexdigest()
    backend.save(Handle(FileKind.KEY, garbage), [b"garbage"])
    backend.save(Handle(FileKind.KEY, "1" * 64), [b"renamed"])
    problems = {key.id.hex(): key.problem for key in list_keys(repository)}
    assert problems[repository.key_id.hex()] == ""
    assert "malformed" in problems[garbage]
    assert "hashes to" in problems["1" * 64]


def test_a_removed_key_opens_nothing(repository: Repository, backend: MemoryBackend) -> None:
    added = add_key(repository, b"second", parameters=CHEAP, allow_weak=True)
    remove_key(repository, added)
    with pytest.raises(WrongPassword):
        open_repository(backend, b"second")
    with pytest.raises(ObjectNotFound):
        remove_key(repository, added)


def test_the_key_in_use_is_not_removed(repository: Repository, backend: MemoryBackend) -> None:
    with pytest.raises(KeyInUse):
        remove_key(repository, repository.key_id)
    assert open_repository(backend, b"secret").key_id == repository.key_id


def test_a_changed_password_replaces_the_old_one(repository: Repository, backend: MemoryBackend) -> None:
    old = repository.key_id
    new = change_password(repository, b"new", parameters=CHEAP, allow_weak=True)
    assert repository.key_id == new != old
    assert open_repository(backend, b"new").master == repository.master
    with pytest.raises(WrongPassword):
        open_repository(backend, b"secret")


def test_weak_parameters_need_to_be_allowed(repository: Repository) -> None:
    with pytest.raises(WeakKeyParameters):
        add_key(repository, b"x", parameters=CHEAP)


class _Garbling(MemoryBackend):
    """A storage that keeps other bytes than it was given."""

    garble = False

    def save(self, handle: Handle, data: Payload) -> None:
        content = b"".join(data)
        super().save(handle, [content[:-5] + b"?" + content[-4:] if self.garble else content])


def test_the_old_key_stays_when_the_new_one_does_not_read_back() -> None:
    backend = _Garbling("garbling")
    repository = new_repository(backend)
    backend.garble = True
    with pytest.raises(SealVerificationFailed):
        change_password(repository, b"new", parameters=CHEAP, allow_weak=True)
    assert open_repository(backend, b"secret").key_id == repository.key_id
    assert [key.id for key in list_keys(repository)] == [repository.key_id]
