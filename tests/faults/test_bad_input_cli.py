"""Wrong input of every kind through the real command line: one sentence, the right exit code, nothing changed."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from faults.real_runs import PASSWORD, RealRepository
from forge_kit import Forge, dir_node, file_node
from holdfast.backends.local import LocalBackend
from holdfast.cli.main import main
from holdfast.errors import ExitCode
from holdfast.format.node import encode_node
from holdfast.format.tree import encode_tree
from holdfast.repository.opening import open_repository

SECONDS_AT_MOST = 20.0
USAGE, FAILED, DAMAGED = ExitCode.USAGE, ExitCode.FAILED, ExitCode.DAMAGED
MISSING, REFUSED = ExitCode.NO_REPOSITORY, ExitCode.WRONG_PASSWORD


class Finished(NamedTuple):
    """What a command line did."""

    status: int
    out: str
    err: str


Run = Callable[..., Finished]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> RealRepository:
    """The repository that every test gets a copy of."""
    return RealRepository(tmp_path_factory.mktemp("original")).prepare(random.Random(1))


@pytest.fixture
def repository(original: RealRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RealRepository:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "200")
    return original.twin(tmp_path / "home")


@pytest.fixture
def run(repository: RealRepository, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line of the repository in this process, in bounded time."""

    def run(*arguments: str, url: str = "", password_file: str = "", seconds: float = SECONDS_AT_MOST) -> Finished:
        capfd.readouterr()
        options = ["--repo", url or str(repository.url), "--password-file"]
        began = time.monotonic()
        status = main(["repo", *arguments, *options, password_file or str(repository.password_file), "--no-cache"])
        assert time.monotonic() - began < seconds
        return Finished(status, *capfd.readouterr())

    return run


def require_sentence(finished: Finished, status: int, *words: str) -> None:
    """One line on standard error that says what is wrong and what to do, and the right status."""
    assert finished.status == status, finished.err
    assert "Traceback" not in finished.err
    lines = [line for line in finished.err.splitlines() if line]
    assert len(lines) == 1, finished.err
    assert lines[0].startswith("Error: ")
    assert lines[0].count(". ") >= 1, "no next step is named"
    for word in words:
        assert word in lines[0]


def fingerprint(folder: Path) -> dict[str, bytes]:
    """Every file with its content, but for locks."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "locks")
    return {str(path): path.read_bytes() for path in files}


# --- what people type --------------------------------------------------------------------------------

TYPED: list[tuple[list[str], int, str]] = [
    (["nosuchcommand"], USAGE, "nosuchcommand"),
    (["snapshots", "--nosuchoption"], USAGE, "--nosuchoption"),
    (["backup"], USAGE, "nothing to back up"),
    (["backup", "/nonexistent/source"], FAILED, "/nonexistent/source"),
    (["backup", "{source}", "--exclude", "[a"], USAGE, "[a"),
    (["backup", "{source}", "--exclude-file", "/nonexistent/list"], FAILED, "/nonexistent/list"),
    (["backup", "{source}", "--time", "yesterday-ish"], USAGE, "yesterday-ish"),
    (["backup", "{source}", "--parent", "ffffffff"], FAILED, "ffffffff"),
    (["backup", "{source}", "--pack-size", "0.5"], USAGE, "--pack-size"),
    (["forget"], USAGE, "nothing was removed"),
    (["forget", "--keep-last", "-7"], USAGE, ""),
    (["forget", "--keep-within", "5 parsecs"], USAGE, "5 parsecs"),
    (["forget", "--keep-last", "1", "--group-by", "colour"], USAGE, "colour"),
    (["forget", "ffffffff"], FAILED, "ffffffff"),
    (["forget", "../../../etc/passwd"], FAILED, "no snapshot matches"),
    (["prune", "--max-unused", "much"], USAGE, "much"),
    (["check", "--read-data-subset", "7/3"], USAGE, "7/3"),
    (["check", "--read-data-subset", "0%"], USAGE, "0%"),
    (["restore", "latest"], USAGE, "--target"),
    (["restore", "ffffffff", "--target", "{target}"], FAILED, "ffffffff"),
    (["restore", "", "--target", "{target}"], FAILED, "no snapshot matches"),
    (["restore", "latest:/no/such/folder", "--target", "{target}"], FAILED, "/no/such/folder"),
    (["ls", "latest~99"], FAILED, "latest~99"),
    (["dump", "latest", "/no/such/file"], FAILED, "/no/such/file"),
    (["key", "remove", "ffffffff"], FAILED, "ffffffff"),
    (["tag"], USAGE, ""),
    (["init"], FAILED, "already a repository"),
    (["copy"], USAGE, ""),
]


@pytest.mark.parametrize(("arguments", "status", "word"), TYPED, ids=[" ".join(one[0]) for one in TYPED])
def test_a_command_that_makes_no_sense(
    repository: RealRepository, run: Run, tmp_path: Path, arguments: list[str], status: int, word: str
) -> None:
    before = fingerprint(repository.url)
    places = {"source": str(repository.source), "target": str(tmp_path / "target")}
    require_sentence(run(*[argument.format(**places) for argument in arguments]), status, word)
    assert fingerprint(repository.url) == before
    assert not (tmp_path / "target").exists() or not list((tmp_path / "target").iterdir())


# --- repositories and passwords ----------------------------------------------------------------------


@pytest.mark.parametrize("command", ["snapshots", "check", "prune"])
def test_a_wrong_password(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "wrong").write_text("wrong")
    require_sentence(run(command, password_file=str(tmp_path / "wrong")), REFUSED, "password")


@pytest.mark.parametrize("url", ["/nonexistent/repository", "/dev/null", "/etc/hostname", "{empty}"])
def test_no_repository(run: Run, tmp_path: Path, url: str) -> None:
    (tmp_path / "empty").mkdir()
    place = url.format(empty=tmp_path / "empty")
    require_sentence(run("snapshots", url=place), MISSING, place)
    require_sentence(run("backup", str(tmp_path), url=place), MISSING, place)
    assert not list((tmp_path / "empty").iterdir()), "something was made where no repository is"


@pytest.mark.parametrize("url", ["gopher://host/x", "s3:", "sftp:", "rest:", "rest:http://[::1", "local:", "s3://"])
def test_a_location_that_is_none(run: Run, url: str) -> None:
    require_sentence(run("snapshots", url=url), USAGE)


def test_passwords_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    require_sentence(run("snapshots", password_file="/nonexistent/password"), USAGE, "/nonexistent/password")
    require_sentence(run("snapshots", password_file=str(tmp_path)), USAGE)


# --- files that are not what they should be ----------------------------------------------------------


def one_of(folder: Path) -> Path:
    return next(path for path in sorted(folder.rglob("*")) if path.is_file())


def replace(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


GARBAGE = [b"", b"\0", b"{}", b"\xff" * 32, b"\xff" * 4096, b'{"version":2', b"[" * 100_000, bytes(1 << 20)]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
@pytest.mark.parametrize("folder", ["config", "snapshots", "index", "data"])
def test_a_file_of_garbage(repository: RealRepository, run: Run, folder: str, garbage: bytes) -> None:
    place = repository.url / folder
    replace(place if place.is_file() else one_of(place), garbage)
    checked = run("check", "--read-data")
    assert checked.status == DAMAGED, checked.err
    assert "Traceback" not in checked.err
    assert len(checked.err.encode()) < 10_000
    for command in (["snapshots"], ["ls", "latest"], ["prune"]):
        finished = run(*command)
        assert finished.status in (0, FAILED, 3, DAMAGED), finished.err
        assert "Traceback" not in finished.err


def test_every_truncation_of_the_config(repository: RealRepository, run: Run) -> None:
    config = repository.url / "config"
    content = config.read_bytes()
    for length in range(len(content)):
        replace(config, content[:length])
        require_sentence(run("snapshots"), DAMAGED, "config")


def test_every_truncation_of_the_only_key(repository: RealRepository, run: Run) -> None:
    key = one_of(repository.url / "keys")
    content = key.read_bytes()
    for length in range(0, len(content), 7):
        replace(key, content[:length])
        require_sentence(run("snapshots"), DAMAGED, "keys")


COSTS = [
    {"N": 1 << 30},
    {"N": 1 << 20, "r": 4096},
    {"p": 1 << 30},
    {"N": 3},
    {"N": 0},
    {"N": -2},
    {"r": 1 << 62},
    {"N": 1 << 20, "r": 32, "p": 16},
]


@pytest.mark.parametrize("cost", COSTS, ids=str)
def test_a_key_that_would_exhaust_the_machine(repository: RealRepository, run: Run, cost: dict[str, int]) -> None:
    key = one_of(repository.url / "keys")
    forged = json.dumps({**json.loads(key.read_bytes()), **cost}).encode()
    key.unlink()
    (key.parent / sha256(forged).hexdigest()).write_bytes(forged)
    finished = run("snapshots")
    assert finished.status in (REFUSED, DAMAGED)
    require_sentence(finished, finished.status, "key")


def test_foreign_files_everywhere_are_no_problem(repository: RealRepository, run: Run) -> None:
    for folder in ("", "keys", "snapshots", "index", "locks", "data", "data/00"):
        place = repository.url / folder
        (place / ".DS_Store").write_bytes(b"x")
        (place / "a file of somebody else").write_bytes(b"x")
        (place / ("f" * 64 + "-tmp-12")).write_bytes(b"x")
        (place / "a folder").mkdir()
    (repository.url / "keys" / ("0" * 64)).write_bytes(b"not a key")
    (repository.url / "locks" / ("0" * 64)).write_bytes(b"not a lock")
    (repository.url / "snapshots" / ("0" * 64)).mkdir()
    for command in (["backup", str(repository.source)], ["prune"], ["snapshots"]):
        assert run(*command).status == 0


def test_a_disk_that_is_not_mounted(repository: RealRepository, run: Run) -> None:
    repository.url.rename(repository.home / "elsewhere")
    repository.url.mkdir()
    for command in (["backup", str(repository.source)], ["forget", "--keep-last", "1"], ["prune"], ["check"]):
        require_sentence(run(*command), MISSING, str(repository.url))
    assert not list(repository.url.iterdir())


# --- snapshots from a hostile hand -------------------------------------------------------------------


@pytest.fixture
def forge(repository: RealRepository) -> Forge:
    return Forge(open_repository(LocalBackend(str(repository.url)), PASSWORD))


READERS = [["ls", "latest"], ["stats", "latest"], ["find", "x"], ["check"], ["prune", "--dry-run"], ["snapshots"]]
HOSTILE = ["..", ".", "", "/etc/passwd", "../../escape", "a\\u0000b", "a/b"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_leads_out(run: Run, forge: Forge, tmp_path: Path, name: str) -> None:
    node = encode_node(forge.file(b"placeholder", b"pwned")).replace(b"placeholder", name.encode())
    forge.finish(forge.raw_tree(encode_tree([node])), second=1 << 30)
    around = tmp_path / "around"
    target = around / "deep" / "target"
    target.mkdir(parents=True)
    finished = run("restore", "latest", "--target", str(target))
    assert finished.status in (FAILED, 3, DAMAGED), finished
    assert "Traceback" not in finished.err
    assert sorted(around.rglob("*")) == [around / "deep", target]
    for arguments in (["ls", "latest"], ["dump", "latest", "/"], ["check"]):
        finished = run(*arguments)
        assert finished.status in (FAILED, DAMAGED), finished
        assert "Traceback" not in finished.err


def test_a_name_that_speaks_to_the_terminal(run: Run, forge: Forge) -> None:
    forge.finish(forge.tree([forge.file(b"\x1b]0;owned\x07\x1b[2J\nError: all is well", b"x")]), second=1 << 30)
    for arguments in (["ls", "latest"], ["find", "*"], ["diff", "latest~1", "latest"]):
        finished = run(*arguments)
        assert finished.status == 0, finished.err
        assert "\x1b" not in finished.out + finished.err
        assert "\nError: all is well" not in finished.out


def deep_tree(forge: Forge, depth: int) -> None:
    tree = forge.tree([forge.file(b"bottom", b"x")])
    for number in range(depth):
        tree = forge.tree([dir_node(b"d", tree)])
        if number % 5_000 == 0:
            forge.pack()
    forge.finish(tree, second=1 << 30)


@pytest.mark.parametrize("depth", [3_000, pytest.param(100_000, marks=pytest.mark.deep)])
def test_a_tree_without_end(run: Run, forge: Forge, tmp_path: Path, depth: int) -> None:
    deep_tree(forge, depth)
    target = tmp_path / "target"
    for arguments in (*READERS, ["restore", "latest", "--target", str(target)]):
        try:
            finished = run(*arguments, seconds=max(SECONDS_AT_MOST, depth / 800))
        finally:
            # What tidies up after tests would give up at this depth.
            subprocess.run(["rm", "-rf", str(target)], check=True)
        assert finished.status in (0, FAILED, 3, DAMAGED), finished.err
        assert "Traceback" not in finished.err
        assert "RecursionError" not in finished.err


def test_a_bomb(run: Run, forge: Forge, tmp_path: Path) -> None:
    """A blob that says it is small and would unpack to a gigabyte."""
    bomb = forge.data(bytes(64 << 20))
    assert len(forge.waiting[-1][2]) < 1 << 20
    [pack] = forge.pack()
    small = msgspec.structs.replace(pack.blobs[0], raw_length=100)
    forge.index([msgspec.structs.replace(pack, blobs=(small,))])
    forge.packs = []
    forge.finish(forge.tree([file_node(b"bomb", [bomb], 100)]), second=1 << 30)
    before = rss_bytes()
    finished = run("restore", "latest", "--target", str(tmp_path / "target"))
    assert finished.status in (FAILED, 3, DAMAGED), finished.err
    assert "Traceback" not in finished.err
    assert run("check", "--read-data").status == DAMAGED
    assert rss_bytes() - before < 48 << 20


def rss_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as status:
        return int(status.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
