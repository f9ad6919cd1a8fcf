"""Opening and making repositories, also where strangers have left files."""

from __future__ import annotations

import os
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from holdfast.backends.memory import MemoryBackend
from holdfast.errors import (
    DamageError,
    HashMismatch,
    HoldfastError,
    KeyParametersRefused,
    MacMismatch,
    RepositoryExists,
    RepositoryNotFound,
    UnsupportedFormat,
    WeakKeyParameters,
    WrongPassword,
)
from holdfast.format import key_file
from holdfast.model.key import KdfParameters, MasterKey
from holdfast.protocols import CONFIG_HANDLE, FileKind, Handle
from holdfast.repository.keys import add_key, store_key
from holdfast.repository.opening import init_repository, open_repository
from holdfast.repository.repository import Repository
from holdfast.testing.fake_clock import FakeClock
from repository_kit import CHEAP, new_repository


def plant(backend: MemoryBackend, content: bytes, name: str | None = None) -> str:
    """Stores a key file as a stranger may, under its hash unless told otherwise."""
    name = name or sha256(content).hexdigest()
    backend.save(Handle(FileKind.KEY, name), [content])
    return name


def key_names(backend: MemoryBackend) -> list[str]:
    return sorted(entry.name for entry in backend.list(FileKind.KEY))


def key_content(backend: MemoryBackend) -> bytes:
    return backend.load(Handle(FileKind.KEY, key_names(backend)[0]))


def test_an_empty_location_is_no_repository(backend: MemoryBackend) -> None:
    with pytest.raises(RepositoryNotFound):
        open_repository(backend, b"secret")


def test_what_init_made_opens_again(repository: Repository, backend: MemoryBackend) -> None:
    opened = open_repository(backend, b"secret")
    assert opened.config == repository.config
    assert opened.master == repository.master
    assert opened.key_id == repository.key_id


@pytest.mark.parametrize("version", [1, 2])
def test_init_takes_version_identity_and_polynomial(version: int) -> None:
    repository = new_repository(version=version, repository_id=b"i" * 32, chunker_polynomial=0x3DA3358B4DC173)
    assert (repository.config.version, repository.config.id) == (version, b"i" * 32)
    assert repository.config.chunker_polynomial == 0x3DA3358B4DC173


def test_init_refuses_versions_and_costs_before_it_writes(backend: MemoryBackend) -> None:
    with pytest.raises(UnsupportedFormat):
        init_repository(backend, b"x", version=3)
    with pytest.raises(WeakKeyParameters):
        init_repository(backend, b"x", parameters=CHEAP)
    with pytest.raises(DamageError):
        init_repository(backend, b"x", chunker_polynomial=4)
    assert key_names(backend) == []


def test_a_wrong_password_counts_the_keys_it_was_tried_on(repository: Repository, backend: MemoryBackend) -> None:
    add_key(repository, b"other", parameters=CHEAP, allow_weak=True)
    with pytest.raises(WrongPassword, match="none of the 2 keys"):
        open_repository(backend, b"wrong")


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"{}", b"\0" * 100, b'{"kdf":"argon2"}', b"[" * 60_000, b"x" * 200_000],
    ids=["empty", "garbage", "empty object", "zeros", "other kdf", "deep", "huge"],
)
def test_unusable_key_files_are_passed_over(repository: Repository, backend: MemoryBackend, content: bytes) -> None:
    plant(backend, content)
    plant(backend, content, "0" * 64)
    assert open_repository(backend, b"secret").key_id == repository.key_id


def test_any_number_of_foreign_keys_is_passed_over(repository: Repository, backend: MemoryBackend) -> None:
    foreign = MasterKey(encrypt=b"e" * 32, mac_k=b"k" * 16, mac_r=b"r" * 16)
    for number in range(60):
        store_key(backend, foreign, b"foreign %d" % number, FakeClock(), parameters=CHEAP, allow_weak=True)
    assert open_repository(backend, b"secret").key_id == repository.key_id


def test_a_costly_foreign_key_is_tried_last(repository: Repository, backend: MemoryBackend) -> None:
    content = key_content(backend).replace(b'"N":2,"r":1', b'"N":1048576,"r":8')
    plant(backend, content)
    with_all = open_repository(backend, b"secret")
    assert with_all.key_id == repository.key_id


@pytest.mark.parametrize(
    "edit", [(b'"N":2', b'"N":2097152'), (b'"r":1', b'"r":4000'), (b'"N":2', b'"N":3'), (b'"p":1', b'"p":99999')]
)
def test_refused_parameters_are_named_when_nothing_else_is_left(
    repository: Repository, backend: MemoryBackend, edit: tuple[bytes, bytes]
) -> None:
    content = key_content(backend).replace(*edit)
    backend.remove(Handle(FileKind.KEY, repository.key_id.hex()))
    plant(backend, content)
    with pytest.raises(KeyParametersRefused):
        open_repository(backend, b"secret")


def test_a_key_file_edited_in_its_clear_part_is_damaged(repository: Repository, backend: MemoryBackend) -> None:
    name = repository.key_id.hex()
    content = key_content(backend).replace(b'"username":"', b'"username":"x')
    backend.remove(Handle(FileKind.KEY, name))
    plant(backend, content, name)
    with pytest.raises(HashMismatch):
        open_repository(backend, b"secret")


def test_a_config_without_any_key_is_damage(repository: Repository, backend: MemoryBackend) -> None:
    backend.remove(Handle(FileKind.KEY, repository.key_id.hex()))
    with pytest.raises(DamageError, match="no key file"):
        open_repository(backend, b"secret")


def test_every_flipped_bit_and_cut_of_config_and_key_is_an_error(
    repository: Repository, backend: MemoryBackend
) -> None:
    for handle in (CONFIG_HANDLE, Handle(FileKind.KEY, repository.key_id.hex())):
        whole = backend.load(handle)
        for position in range(len(whole)):
            broken = bytearray(whole)
            broken[position] ^= 1 << position % 8
            _expect_refusal(backend, handle, bytes(broken))
            _expect_refusal(backend, handle, whole[:position])
        _replace(backend, handle, whole)
    assert open_repository(backend, b"secret").config == repository.config


def _replace(backend: MemoryBackend, handle: Handle, content: bytes) -> None:
    backend.remove(handle)
    backend.save(handle, [content])


def _expect_refusal(backend: MemoryBackend, handle: Handle, content: bytes) -> None:
    _replace(backend, handle, content)
    with pytest.raises(HoldfastError):
        open_repository(backend, b"secret")


def test_a_damaged_config_is_named(repository: Repository, backend: MemoryBackend) -> None:
    broken = bytearray(backend.load(CONFIG_HANDLE))
    broken[40] ^= 1
    _replace(backend, CONFIG_HANDLE, bytes(broken))
    with pytest.raises(MacMismatch, match="config"):
        open_repository(backend, b"secret")


def test_the_key_that_worked_is_remembered_in_private(
    repository: Repository, backend: MemoryBackend, tmp_path: Path
) -> None:
    root = tmp_path / "cache"
    opened = open_repository(backend, b"secret", cache_root=root)
    assert opened.cache_dir == root / repository.config.id.hex()
    assert (opened.cache_dir / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")
    for folder in (root, root / "keys", opened.cache_dir):
        assert folder.stat().st_mode & 0o777 == 0o700
    notes = list((root / "keys").iterdir())
    assert [note.read_text() for note in notes] == [repository.key_id.hex()]
    notes[0].write_text("0" * 64)
    assert open_repository(backend, b"secret", cache_root=root).key_id == repository.key_id


def test_a_cache_that_cannot_be_made_is_done_without(backend: MemoryBackend, repository: Repository) -> None:
    opened = open_repository(backend, b"secret", cache_root=Path("/proc/no/such/place"))
    assert (opened.config, opened.cache_dir) == (repository.config, None)


def test_the_hinted_key_comes_first(repository: Repository, backend: MemoryBackend) -> None:
    second = add_key(repository, b"secret", parameters=CHEAP, allow_weak=True)
    assert open_repository(backend, b"secret", key_hint=second.hex()[:10]).key_id == second
    assert open_repository(backend, b"secret", key_hint=repository.key_id.hex()).key_id == repository.key_id


def test_init_never_touches_an_existing_repository(repository: Repository, backend: MemoryBackend) -> None:
    before = key_names(backend)
    with pytest.raises(RepositoryExists):
        init_repository(backend, b"other", parameters=CHEAP, allow_weak=True)
    assert key_names(backend) == before


def test_an_interrupted_init_can_be_repeated_and_uses_its_key(backend: MemoryBackend) -> None:
    master = MasterKey(encrypt=b"e" * 32, mac_k=b"k" * 16, mac_r=b"r" * 16)
    left = store_key(backend, master, b"secret", FakeClock(), parameters=CHEAP, allow_weak=True)
    repository = init_repository(backend, b"secret", parameters=CHEAP, allow_weak=True)
    assert repository.key_id == left
    assert key_names(backend) == [left.hex()]


def test_a_left_over_key_of_the_same_password_does_not_hide_the_right_one(
    repository: Repository, backend: MemoryBackend
) -> None:
    stray = MasterKey(encrypt=b"e" * 32, mac_k=b"k" * 16, mac_r=b"r" * 16)
    for _ in range(8):
        store_key(backend, stray, b"secret", FakeClock(), parameters=CHEAP, allow_weak=True)
    assert open_repository(backend, b"secret").key_id == repository.key_id


def test_of_two_inits_at_once_one_wins_and_the_other_leaves_nothing() -> None:
    for _ in range(20):
        backend = MemoryBackend("race")
        outcomes: list[str] = []
        barrier = threading.Barrier(2)

        def run(
            password: bytes,
            backend: MemoryBackend = backend,
            barrier: threading.Barrier = barrier,
            outcomes: list[str] = outcomes,
        ) -> None:
            barrier.wait()
            try:
                init_repository(backend, password, parameters=CHEAP, allow_weak=True)
                outcomes.append("made")
            except RepositoryExists:
                outcomes.append("exists")

        threads = [threading.Thread(target=run, args=(b"secret",)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["exists", "made"]
        assert open_repository(backend, b"secret").config
        assert len(key_names(backend)) == 1


def test_a_stored_key_never_contains_the_password_or_the_master_key(backend: MemoryBackend) -> None:
    canary = os.urandom(32).hex().encode()
    repository = init_repository(backend, canary, parameters=CHEAP, allow_weak=True)
    stored = b"".join(backend.load(Handle(FileKind.KEY, name)) for name in key_names(backend))
    assert canary not in stored
    assert repository.master.encrypt not in stored
    assert key_file.decode(stored).kdf == KdfParameters(n=2, r=1, p=1)
