"""What goes wrong is said in one sentence with a next step, and by the right exit status."""

from __future__ import annotations

import json

import pytest

from e2e.commands import Done, Home
from holdfast.backends.local import LocalBackend
from holdfast.repository.locks import acquire
from holdfast.repository.opening import open_repository


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("home")
    made = Home(folder, str(folder / "repository"))
    (folder / "file").write_text("content")
    made.run("init")
    made.run("backup", "file", "--quiet")
    return made


def require_sentence(done: Done) -> None:
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    assert lines[0].startswith("Error: ")
    assert ". " in lines[0], "there is no next step"


@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        (1, ["ls", "00000000"]),
        (1, ["ls", "latest:/nowhere"]),
        (1, ["ls", "latest~7"]),
        (1, ["restore", "nonsense", "-t", "x"]),
        (1, ["dump", "latest", "/nowhere"]),
        (1, ["forget", "00000000"]),
        (1, ["cat", "snapshot", "00000000"]),
        (1, ["cat", "index", "zz"]),
        (1, ["key", "remove", "zz"]),
        (1, ["repair", "packs", "zz"]),
        (1, ["diff", "latest", "nonsense"]),
        (1, ["backup", "nowhere"]),
        (1, ["backup", "--stdin-from-command", "no-such-command"]),
        (2, ["backup", "--stdin", "--stdin-filename", "folder/file"]),
        (2, ["backup", "--stdin", "--stdin-filename", ".."]),
        (2, ["nonsense"]),
        (2, ["ls"]),
        (2, ["ls", "latest", "--nonsense"]),
        (2, ["forget", "--keep-last", "many"]),
        (2, ["forget", "--keep-within", "soon"]),
        (2, ["forget", "--keep-last", "1", "--group-by", "colour"]),
        (2, ["prune", "--max-unused", "150%"]),
        (2, ["prune", "--max-repack-size", "lots"]),
        (2, ["check", "--read-data-subset", "9/5"]),
        (2, ["check", "--read-data", "--read-data-subset", "1/5"]),
        (2, ["stats", "--mode", "guess"]),
        (2, ["cat", "config", "1234"]),
        (2, ["cat", "pack"]),
        (2, ["list", "nonsense"]),
        (2, ["find", "a[b"]),
        (2, ["find", "a", "--newest", "soon"]),
        (2, ["copy", "--from-repo", "a", "--from-repository-file", "b"]),
        (2, ["ls", "--ncdu", "--sort", "size", "latest"]),
        (2, ["key", "add", "--new-insecure-no-password", "--new-password-file", "x"]),
        (2, ["key", "add", "--new-password-file", "nowhere"]),
        (2, ["tag", "--set", "a", "--add", "b"]),
        (2, ["rewrite", "--include", "a", "--exclude", "b"]),
        (2, ["migrate", "nonsense"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_bad_requests(home: Home, status: int, arguments: list[str]) -> None:
    require_sentence(home.run(*arguments, status=status))


def test_wrong_password(home: Home) -> None:
    stranger = Home(home.folder, home.repository, {"HOLDFAST_PASSWORD": "wrong"})
    for command in (["snapshots"], ["check"], ["prune"], ["key", "list"], ["unlock"]):
        require_sentence(stranger.run(*command, status=12))


def test_missing_repository(home: Home) -> None:
    nowhere = Home(home.folder, str(home.folder / "nowhere"))
    for command in (["snapshots"], ["restore", "latest", "-t", "x"], ["forget", "--keep-last", "1"]):
        require_sentence(nowhere.run(*command, status=10))


def test_no_repository_named(home: Home) -> None:
    require_sentence(Home(home.folder).run("snapshots", status=2))


def test_no_password(home: Home) -> None:
    require_sentence(Home(home.folder, home.repository, {"HOLDFAST_PASSWORD": ""}).run("snapshots", status=2))


def test_locked_by_somebody_else(home: Home) -> None:
    repository = open_repository(LocalBackend(home.repository), b"geheim")
    with acquire(repository, exclusive=True):
        for command in (["backup", "file"], ["prune"], ["snapshots"], ["key", "list"], ["tag", "--add", "x"]):
            require_sentence(home.run(*command, status=11))
        assert "1 snapshot" in home.run("snapshots", "--no-lock").out
        assert "in use" in home.run("unlock").out
    with acquire(repository, exclusive=False):
        home.run("snapshots")
        require_sentence(home.run("check", status=11))


def test_an_error_is_a_document_with_json(home: Home) -> None:
    done = home.run("ls", "00000000", "--json", status=1)
    assert done.out == ""
    document = json.loads(done.err)
    assert document["message_type"] == "exit_error"
    assert document["code"] == "snapshot-not-found"
    assert document["exit_code"] == 1
    assert {"message", "hint"} < set(document)


def test_messages_are_in_the_language_asked_for(home: Home) -> None:
    english = home.run("ls", "00000000", status=1).err
    for language in ("fa", "ru", "tr"):
        done = home.run("ls", "00000000", "--lang", language, status=1)
        assert "00000000" in done.err
        assert done.err != english
