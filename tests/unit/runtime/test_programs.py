"""Programs that behave and programs that do not."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from holdfast.errors import DumpStalled, Interrupted
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.program_ending import Ending
from holdfast.runtime.programs import Patience, Program, find_program, run_program, secret_file, small_environment


def patience(silence_s: float = 20.0, token: CancelToken | None = None) -> Patience:
    def silent(seconds: float) -> DumpStalled:
        return DumpStalled(source="test", seconds=seconds)

    return Patience(silence_s, silent, (token or CancelToken()).raise_if_cancelled)


def shell(text: str, *arguments: str) -> list[str]:
    return ["/bin/sh", "-c", text, "sh", *arguments]


def output(command: Sequence[str], **options: object) -> tuple[bytes, Ending]:
    with Program(command, patience(), **options) as program:  # type: ignore[arg-type]
        blocks = list(iter(program.read, b""))
        return b"".join(blocks), program.finish()


def drain(program: Program) -> Ending:
    while program.read():
        pass
    return program.finish()


def fill(program: Program) -> None:
    while program.feed(bytes(1_000_000)):
        pass


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_output_status_and_what_was_said() -> None:
    content, ending = output(shell("printf 'a\\0b'; echo careful >&2"))
    assert content == b"a\0b"
    assert ending == Ending("sh", 0, False, "careful\n")
    assert ending.succeeded


def test_a_failure_is_told_in_words() -> None:
    ending = output(shell("printf 'no \\033[1mroom\\n\\nsecond\\n' >&2; exit 3"))[1]
    assert not ending.succeeded
    assert ending.words == "sh ended with status 3: no �[1mroom; second"


def test_a_signal_is_named() -> None:
    assert output(shell("kill -SEGV $$"))[1].words == "sh was killed by SIGSEGV"


def test_arguments_arrive_byte_for_byte_and_no_shell_sees_them() -> None:
    hostile = ["$(touch /tmp/x)", "-rf", "a b", "'\"`;&|", "ünïcode\n", ""]
    content = output(shell('for a in "$@"; do printf "%s\\0" "$a"; done', *hostile))[0]
    assert content.decode().split("\0")[:-1] == hostile


def test_an_argument_with_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="null byte"):
        Program(["/bin/true", "a\0b"], patience())


def test_the_environment_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    monkeypatch.setenv("SECRET_OF_THE_APPLICATION", "x")
    content = output(["/usr/bin/env"], environment={"ADDED": "1"})[0].decode()
    names = {line.partition("=")[0] for line in content.splitlines()}
    assert "ADDED" in names
    assert names <= {"PATH", "HOME", "LANG", "TMPDIR", "TZ", "USER", "LC_ALL", "ADDED"}
    assert small_environment()["LC_ALL"] == "C.UTF-8"


def test_a_program_that_is_not_there_or_no_program(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    (tmp_path / "noshebang").write_text("echo x")
    (tmp_path / "noshebang").chmod(0o755)
    for name, error in (("none", FileNotFoundError), ("plain", PermissionError), ("noshebang", OSError)):
        with pytest.raises(error):
            Program([str(tmp_path / name)], patience())


def test_finding_programs(tmp_path: Path) -> None:
    (tmp_path / "second").write_text("#!/bin/sh\n")
    (tmp_path / "second").chmod(0o755)
    assert find_program(["first", "second"], str(tmp_path)) == str(tmp_path / "second")
    assert find_program(["sh"], str(tmp_path)) is None
    assert find_program(["sh"]) is not None


def test_a_hundred_megabytes_of_complaints_are_drained_and_capped() -> None:
    content, ending = output(shell("echo first >&2; head -c 100000000 /dev/zero >&2; echo last >&2; echo done"))
    assert content == b"done\n"
    assert ending.said.startswith("first\n")
    assert ending.said.endswith("last\n")
    assert len(ending.said) < 140_000


def test_silence_ends_the_whole_group(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = shell('sleep 1000 & echo $! $$ > "$1"; echo begun; wait', str(pids))
    with pytest.raises(DumpStalled, match=r"gave nothing for 0\.3 s"), Program(command, patience(0.3)) as program:
        drain(program)
    assert [pid for pid in map(int, pids.read_text().split()) if alive(pid)] == []


def test_a_program_that_ignores_the_polite_signal_is_killed() -> None:
    with Program(shell("trap '' TERM; echo begun; while :; do sleep 1; done"), patience()) as program:
        assert program.read() == b"begun\n"
        pid = program.pid
    assert not alive(pid)


def test_silence_after_the_output_was_closed() -> None:
    program = Program(shell("exec >&-; sleep 1000"), patience(0.3))
    with program, pytest.raises(DumpStalled):
        drain(program)


def test_cancelling_ends_the_program() -> None:
    token = CancelToken()
    with Program(shell("echo begun; sleep 1000"), patience(token=token)) as program:
        assert program.read() == b"begun\n"
        token.cancel()
        with pytest.raises(Interrupted):
            program.read()
    assert not alive(program.pid)


def test_a_child_that_keeps_the_output_open_is_found_and_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    content, ending = output(shell('echo all; sleep 1000 & echo $! > "$1"', str(pid)))
    assert content == b"all\n"
    assert ending.left_child
    assert not ending.succeeded
    assert ending.words == "sh left a child behind that kept its output open"
    assert not alive(int(pid.read_text()))


def test_a_child_that_goes_on_writing_is_found_and_killed() -> None:
    content, ending = output(shell("(while :; do head -c 100000 /dev/zero; done) & exit 0"))
    assert ending.left_child
    assert len(content) < 20_000_000


def test_a_slow_reader_is_not_silence() -> None:
    with Program(shell("head -c 3000000 /dev/zero; sleep 0.2; echo end"), patience(5.0)) as program:
        total = sum(len(block) for block in iter(lambda: program.read(1000), b""))
        assert program.finish().succeeded
    assert total == 3_000_004


def test_feeding() -> None:
    with Program(shell("cat | wc -c; echo also >&2"), patience(), feeds=True) as program:
        assert all(program.feed(bytes(700_000)) for _ in range(5))
        ending = program.finish()
    assert ending.succeeded
    assert ending.said.split() == ["3500000", "also"]


def test_feeding_a_program_that_stops_early() -> None:
    with Program(shell("head -c 10 >/dev/null; echo enough >&2; exit 4"), patience(), feeds=True) as program:
        taken = [program.feed(bytes(1_000_000)) for _ in range(4)]
        ending = program.finish()
    assert taken[-1] is False
    assert ending.words == "sh ended with status 4: enough"


def test_feeding_a_program_that_takes_nothing() -> None:
    program = Program(shell("sleep 1000"), patience(0.3), feeds=True)
    with program, pytest.raises(DumpStalled):
        fill(program)


def test_feeding_is_cancelled() -> None:
    token = CancelToken()
    with Program(shell("sleep 1000"), patience(token=token), feeds=True) as program:
        token.cancel()
        with pytest.raises(Interrupted):
            program.feed(b"x")
    assert not alive(program.pid)


def test_secrets_are_blotted_out_of_what_is_said() -> None:
    ending = output(shell("echo password is hunter2 >&2; exit 1"), secrets=[b"hunter2", b""])[1]
    assert ending.words == "sh ended with status 1: password is ***"


def test_a_secret_file_is_private_and_never_on_a_disk() -> None:
    with secret_file(b"hunter2") as (path, descriptor):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        content, ending = output(shell('cat "$1"; cat "$1"', path), pass_fds=[descriptor])
        assert content == b"hunter2hunter2", ending
        assert os.readlink(path).startswith("/memfd:")
    assert not os.path.exists(path)


def test_run_program_keeps_the_beginning() -> None:
    content, ending = run_program(shell("head -c 5000000 /dev/zero"), patience(), limit_bytes=1000)
    assert content == bytes(1000)
    assert ending.succeeded


def test_leaving_without_finishing_kills() -> None:
    with Program(["/bin/sleep", "1000"], patience()) as program:
        assert alive(program.pid)
    assert not alive(program.pid)
