"""A real file system that runs out of bytes or of inodes, and the real program on it."""

from __future__ import annotations

import itertools
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from faults.real_runs import RealRepository
from holdfast.errors import OutOfSpace


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB and 420 inodes, of which an empty repository takes some 270."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m,nr_inodes=420", "none", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this user may not mount a file system: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def repository(tmp_path: Path, small_disk: Path, rng: random.Random) -> RealRepository:
    home = tmp_path / "home"
    home.mkdir()
    repository = RealRepository(home)
    repository.url = small_disk / "repository"
    return repository.prepare(rng)


def fill(file: Path) -> NoReturn:
    """Takes every byte there is."""
    with file.open("wb", buffering=0) as stream:
        while True:
            stream.write(bytes(65536))


def fill_inodes(folder: Path) -> NoReturn:
    """Takes every inode there is."""
    for number in itertools.count():
        (folder / f"filler{number}").touch()
    raise AssertionError


def require_refusal(repository: RealRepository, *arguments: str) -> None:
    done = repository.run(*arguments)
    assert done.returncode == 1, done.stderr
    assert OutOfSpace.message.partition("{")[0].strip() in done.stderr
    assert "Traceback" not in done.stderr
    repository.require(set(repository.known))


def require_life_afterwards(repository: RealRepository, rng: random.Random) -> None:
    """Without freeing anything by hand: prune works, then a backup that fits."""
    done = repository.run("prune")
    assert done.returncode == 0, done.stderr
    repository.require(set(repository.known))
    (repository.source / "fits").write_bytes(rng.randbytes(1000))
    repository.require_unattended()
    repository.require(set(repository.known))


def test_out_of_bytes(repository: RealRepository, rng: random.Random) -> None:
    large = repository.source / "large"
    large.write_bytes(rng.randbytes(24 << 20))
    require_refusal(repository, "backup", str(repository.source), "--pack-size", "4")
    large.unlink()
    require_life_afterwards(repository, rng)


def test_not_one_byte_left(repository: RealRepository, small_disk: Path, rng: random.Random) -> None:
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        fill(filler)
    for arguments in (["backup", str(repository.source)], ["prune"], ["forget", "--keep-last", "1"]):
        require_refusal(repository, *arguments)
    # Whoever only reads is not kept from it: that may be how the machine is saved.
    for arguments in (["snapshots", "--no-lock"], ["check", "--read-data", "--no-lock"]):
        done = repository.run(*arguments)
        assert done.returncode == 0, done.stderr
    filler.unlink()
    require_life_afterwards(repository, rng)


def test_out_of_inodes(repository: RealRepository, small_disk: Path, rng: random.Random) -> None:
    with pytest.raises(OSError, match="No space"):
        fill_inodes(small_disk)
    (repository.source / "new").write_bytes(rng.randbytes(1000))
    require_refusal(repository, "backup", str(repository.source))
    for filler in list(small_disk.glob("filler*"))[:20]:
        filler.unlink()
    require_life_afterwards(repository, rng)
