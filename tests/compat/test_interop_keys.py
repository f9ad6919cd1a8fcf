"""Keys of one program open the repository for the other, through restic's own commands and ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from compat.engine import PASSWORD, make_repository
from compat.reference import Restic
from compat.tools import OURS, Theirs, made_by, restored
from holdfast.backends.local import LocalBackend
from holdfast.errors import WrongPassword
from holdfast.model.key import KdfParameters
from holdfast.repository.keys import add_key, list_keys, remove_key
from holdfast.repository.opening import open_repository
from holdfast.repository.repository import Repository
from holdfast.testing.zoo import differences, fingerprint
from repository_kit import CHEAP

PASSWORDS = [
    "plain",
    "mit Leerzeichen ",
    "\u0645\u0631\u062d\u0628\u0627 \U0001f511",
    "e\u0301 is not \u00e9",
    "x" * 300,
]


def opened(repo: Path, password: str) -> Repository:
    return open_repository(LocalBackend(str(repo)), password.encode())


def their_keys(restic: Restic, repo: Path, **options: Any) -> list[dict[str, Any]]:
    (found,) = restic.documents("key", "list", repo=repo, **options)
    return list(found)


def is_refused(restic: Restic, repo: Path, password: str) -> bool:
    done = restic.run("cat", "config", repo=repo, password=password, check=False)
    assert done.returncode in (0, 12 if restic.at_least("0.17.1") else 1)
    return done.returncode != 0


def test_we_open_what_restic_made_with_its_own_key(restic: Restic, tmp_path: Path) -> None:
    repo = tmp_path / "repository"
    shutil.copytree(made_by(restic), repo)
    repository = opened(repo, restic.password)
    assert repository.config.version == 2
    (key,) = list_keys(repository)
    (told,) = their_keys(restic, repo)
    assert key.current
    assert key.id.hex().startswith(told["id"])
    assert (key.username, key.hostname) == (told["userName"], told["hostName"])
    assert key.kdf is not None
    assert key.kdf.n >= 2**14
    with pytest.raises(WrongPassword):
        opened(repo, "another")


def test_restic_opens_with_keys_that_we_add(restic: Restic, tmp_path: Path) -> None:
    repo = tmp_path / "repository"
    Theirs(restic).init(repo)
    repository = opened(repo, restic.password)
    added = [
        add_key(
            repository, password.encode(), username=f"user {number}", hostname="h<&>", parameters=CHEAP, allow_weak=True
        )
        for number, password in enumerate(PASSWORDS)
    ]
    for password in PASSWORDS:
        assert not is_refused(restic, repo, password)
    assert is_refused(restic, repo, "\u00e9 is not e\u0301")
    told = {key["id"][:8]: key for key in their_keys(restic, repo)}
    assert len(told) == len(PASSWORDS) + 1
    assert told[added[2].hex()[:8]]["userName"] == "user 2"
    assert told[added[2].hex()[:8]]["hostName"] == "h<&>"
    remove_key(repository, added[0])
    assert is_refused(restic, repo, PASSWORDS[0])
    restic.run("key", "remove", added[1].hex(), repo=repo)
    with pytest.raises(WrongPassword):
        opened(repo, PASSWORDS[1])
    assert opened(repo, PASSWORDS[2]).key_id == added[2]


def test_restic_opens_with_a_key_of_our_usual_strength(newest_restic: Restic, tmp_path: Path) -> None:
    repo = tmp_path / "repository"
    make_repository(repo)
    repository = opened(repo, PASSWORD.decode())
    add_key(repository, b"strong")
    add_key(repository, b"odd", parameters=KdfParameters(n=2**15, r=5, p=3), allow_weak=True)
    for password in ("strong", "odd"):
        assert not is_refused(newest_restic, repo, password)


def test_we_open_with_keys_that_restic_adds(restic: Restic, tmp_path: Path) -> None:
    repo, file = tmp_path / "repository", tmp_path / "password"
    make_repository(repo)
    password = PASSWORDS[2]
    file.write_text(password)
    options = ["--new-password-file", str(file), "--user", "some one", "--host", "place"]
    restic.run("key", "add", *options, repo=repo)
    repository = opened(repo, password)
    keys = {key.username: key for key in list_keys(repository)}
    assert keys["some one"].hostname == "place"
    assert keys["some one"].current
    first = next(key for key in keys.values() if not key.current)
    restic.run("key", "remove", first.id.hex(), repo=repo, password=password)
    with pytest.raises(WrongPassword):
        opened(repo, PASSWORD.decode())
    assert not is_refused(restic, repo, password)


def test_a_key_file_that_is_none_keeps_nobody_out(tmp_path: Path) -> None:
    """COMPAT(restic): whether restic itself gets in depends on which file it happens to list first: it is not asked."""
    repo = tmp_path / "repository"
    make_repository(repo)
    garbage = repo / "keys" / ("0" * 64)
    garbage.write_bytes(b"garbage")
    opened(repo, PASSWORD.decode()).close()


# --- through our command line ------------------------------------------------------------------------


def holdfast(*args: str | Path, repo: Path, variables: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "repo", *map(str, args)],
        env=os.environ | {"RESTIC_REPOSITORY": str(repo), "RESTIC_PASSWORD": PASSWORD.decode()} | dict(variables or {}),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_commands_of_both_share_a_repository_and_its_variables(newest_restic: Restic, tmp_path: Path) -> None:
    repo, source = tmp_path / "repository", tmp_path / "source"
    source.mkdir()
    (source / "file").write_bytes(b"content" * 10_000)
    holdfast("init", repo=repo)
    newest_restic.run("backup", source, repo=repo)
    summary = json.loads(holdfast("backup", source, "--json", repo=repo).splitlines()[-1])
    assert (summary["files_new"], summary["files_unmodified"]) == (0, 1)
    (theirs,) = newest_restic.documents("snapshots", repo=repo)
    ours = json.loads(holdfast("snapshots", "--json", repo=repo))
    assert [one["id"] for one in ours] == [one["id"] for one in sorted(theirs, key=lambda one: str(one["time"]))]
    for one in theirs:
        tool = OURS if one["id"] != summary["snapshot_id"] else Theirs(newest_restic)
        assert not differences(fingerprint(str(source)), restored(tool, repo, one["id"], source))
