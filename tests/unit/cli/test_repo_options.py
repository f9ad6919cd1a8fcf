"""Options on both sides of the sub-command, and where the location and the password come from."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import click
import pytest

from holdfast.cli.commands import GLOBAL, Group
from holdfast.cli.frame import Frame
from holdfast.cli.repo.command import repo_command, repo_group
from holdfast.cli.repo.options import REPOSITORY, RepoOptions
from holdfast.cli.repo.session import RepoSession, find_location, session_of
from holdfast.errors import ContradictoryOptions, EmptyPassword, RepositoryFileUnreadable, RepositoryNotNamed
from unit.cli.conftest import Run

Seen = list[RepoSession]


def program(seen: Seen) -> click.Group:
    """`holdfast repo show` and `holdfast repo deep show`, which only look at their session."""

    @repo_command("show", help="Show.")
    @click.option("--limit", type=int)
    @click.pass_obj
    def show(session: RepoSession, limit: int | None) -> None:
        assert limit in (None, 7)
        seen.append(session)

    @repo_group("deep", help="Deep.")
    def deep() -> None:
        pass

    deep.add_command(show)

    @click.group("repo", cls=Group, sections=[REPOSITORY, GLOBAL])
    @click.pass_context
    def repo(ctx: click.Context) -> None:
        session_of(ctx)

    repo.add_command(show)
    repo.add_command(deep)
    return Group("holdfast", commands={"repo": repo}, sections=[GLOBAL])


def options_after(run: Run, *arguments: str) -> tuple[RepoOptions, Frame]:
    seen: Seen = []
    done = run(*arguments, program=program(seen))
    assert (done.status, done.err) == (0, "")
    return seen[0].options, seen[0].frame


@pytest.mark.parametrize(
    "arguments",
    [
        ["repo", "-r", "/x", "--no-lock", "-v", "show", "--limit", "7"],
        ["repo", "show", "-r", "/x", "--no-lock", "-v", "--limit", "7"],
        ["-v", "repo", "-r/x", "show", "--limit", "7", "--no-lock"],
        ["repo", "-r", "/y", "deep", "-r", "/z", "show", "-r", "/x", "--no-lock", "-v"],
    ],
)
def test_both_sides(run: Run, arguments: list[str]) -> None:
    options, frame = options_after(run, *arguments)
    assert (options.repo, options.no_lock, frame.verbose) == ("/x", True, 1)


def test_settings_add_up(run: Run) -> None:
    options, frame = options_after(
        run,
        "repo",
        "-o",
        "a=1",
        "-v",
        "--cacert",
        "c",
        "show",
        "-o",
        "b=2=3",
        "-vv",
        "--retry-lock",
        "1h30m",
        "--insecure-tls",
    )
    assert options.extended == {"a": "1", "b": "2=3", "cacert": "c", "insecure-tls": "yes"}
    assert (frame.verbose, options.retry_lock_s) == (3, 5400)


def test_typed_wins_over_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTIC_PACK_SIZE", "32")
    monkeypatch.setenv("RESTIC_COMPRESSION", "max")
    monkeypatch.setenv("HOLDFAST_COMPRESSION", "off")
    assert options_after(run, "repo", "show")[0].pack_size_mib == 32
    assert options_after(run, "repo", "--pack-size", "64", "show")[0].pack_size_mib == 64
    assert options_after(run, "repo", "show")[0].compression == "off"


def test_location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "where"
    file.write_text(" s3:x/y \n")
    with pytest.raises(RepositoryNotNamed):
        find_location("", "")
    monkeypatch.setenv("RESTIC_REPOSITORY", "/restic")
    assert find_location("", "") == "/restic"
    monkeypatch.setenv("HOLDFAST_REPOSITORY_FILE", str(file))
    assert find_location("", "") == "s3:x/y"
    assert find_location("/typed", "") == "/typed"
    with pytest.raises(ContradictoryOptions):
        find_location("/typed", str(file))
    for content in (b"", b"\xff"):
        file.write_bytes(content)
        with pytest.raises(RepositoryFileUnreadable):
            find_location("", "")
    with pytest.raises(RepositoryFileUnreadable, match="No such file"):
        find_location("", str(tmp_path / "missing"))


def session(**options: object) -> RepoSession:
    return RepoSession(frame=Frame(), options=RepoOptions(**options))  # type: ignore[arg-type]


def test_password_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text(" from file \n")
    monkeypatch.setenv("RESTIC_PASSWORD", " raw ")
    assert session().password().reveal() == b" raw "
    monkeypatch.setenv("HOLDFAST_PASSWORD_COMMAND", "echo from command")
    assert session().new_password().reveal() == b"from command"
    assert session(password_file=str(file)).password().reveal() == b"from file"
    with pytest.raises(ContradictoryOptions):
        session(password_file=str(file), password_command="echo").password()
    with pytest.raises(ContradictoryOptions):
        session(insecure_no_password=True).password()
    monkeypatch.setenv("HOLDFAST_PASSWORD_FILE", str(file))
    with pytest.raises(ContradictoryOptions):
        session().password()


def test_empty_passwords_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("\n")
    with pytest.raises(EmptyPassword):
        session(password_file=str(file)).password()
    with pytest.raises(EmptyPassword):
        session(password_file=str(file)).new_password()
    assert session(insecure_no_password=True).new_password().reveal() == b""


def test_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert session(no_cache=True).cache_root() is None
    assert session(cache_dir="/c").cache_root() == Path("/c")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert session().cache_root() == Path("/x/holdfast")


_ASK = """
import sys
from holdfast.cli.frame import Frame
from holdfast.cli.repo.options import RepoOptions
from holdfast.cli.repo.session import RepoSession
from holdfast.errors import HoldfastError
session = RepoSession(frame=Frame(), options=RepoOptions())
try:
    secret = session.new_password() if sys.argv[1] == "new" else session.password()
    print(secret.reveal())
except HoldfastError as error:
    print(error.code)
"""


def ask(kind: str, typed: list[bytes]) -> tuple[bytes, bytes]:
    """(what was answered, what the person saw) when the answers are typed one after the other."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _ASK, kind], stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, start_new_session=True
    )
    os.close(theirs)
    seen = b""
    for questions, line in enumerate(typed, start=1):
        # What is typed before the question is thrown away by the terminal.
        while seen.count(b": ") < questions:
            seen += os.read(ours, 1000)
        os.write(ours, line + b"\n")
    assert process.stdout is not None
    answer = process.stdout.read()
    process.stdout.close()
    process.wait(30)
    os.close(ours)
    return answer.strip(), seen


@pytest.mark.parametrize(
    ("kind", "typed", "answer"),
    [
        ("old", [b" geheim "], b"b' geheim '"),
        ("old", ["şifre".encode()], str("şifre".encode()).encode()),
        ("old", [b""], b"empty-password"),
        ("new", [b"a", b"a"], b"b'a'"),
        ("new", [b"a", b"b"], b"passwords-differ"),
    ],
)
def test_typed_passwords(kind: str, typed: list[bytes], answer: bytes) -> None:
    answered, seen = ask(kind, typed)
    assert answered == answer
    assert b"geheim" not in seen


@pytest.mark.parametrize(
    ("given", "answer"), [(b" one \nrest", b"b' one '"), (b"", b"password-missing"), (b"\n", b"empty-password")]
)
def test_password_from_a_pipe(given: bytes, answer: bytes) -> None:
    done = subprocess.run([sys.executable, "-c", _ASK, "new"], input=given, capture_output=True, check=True)
    assert done.stdout.strip() == answer
