"""Programs whose output is backed up: none is believed because it says that all went well."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from holdfast.errors import (
    DamageError,
    DumpFailed,
    DumpIncomplete,
    DumpStalled,
    LoadFailed,
    RestoreMismatch,
    RestoreRefused,
    SourceError,
    ToolMissing,
)
from holdfast.sources.command import Command, CommandOptions
from holdfast.testing.dumped_content import DumpedContent, collect, dump_request, load_request


def python(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script)


def source(base: Path, dump: str = "print('hello')", **options: object) -> Command:
    return Command("dump", CommandOptions(dump=python(dump), **options), base)  # type: ignore[arg-type]


def dumped(command: Command, scratch: Path) -> DumpedContent:
    command.preflight()
    with command.dump(dump_request(scratch)) as dump:
        return collect(dump)


def test_output_is_kept_and_given_back(tmp_path: Path) -> None:
    take = f"import sys; open({str(tmp_path / 'taken')!r}, 'wb').write(sys.stdin.buffer.read())"
    command = source(tmp_path, "import sys; sys.stdout.write('x' * 3_000_000 + '-- end\\n\\n')", load=python(take),
                     end_marker="-- end", min_bytes=100, file_name="all.txt")  # fmt: skip
    content = dumped(command, tmp_path / "scratch")
    assert content.component.file_name == "all.txt"
    report = command.load([content], load_request(tmp_path / "scratch"))
    assert (tmp_path / "taken").read_bytes() == content.contents[b"all.txt"]
    assert report.content_bytes == 3_000_008


@pytest.mark.parametrize(
    ("script", "options", "error"),
    [
        ("import sys; print('x'); sys.exit(1)", {}, DumpFailed),
        ("import os; print('x', flush=True); os.kill(os.getpid(), 9)", {}, DumpFailed),
        ("pass", {}, DumpIncomplete),
        ("print('x')", {"min_bytes": 3}, DumpIncomplete),
        ("print('begin')", {"end_marker": "-- end"}, DumpIncomplete),
        ("print('-- end'); print('and more')", {"end_marker": "-- end"}, DumpIncomplete),
        ("import time; print('x', flush=True); time.sleep(60)", {"timeout_s": 0.3}, DumpStalled),
        ("import os, time; print('x', flush=True); os.fork() or time.sleep(60)", {}, DumpFailed),
        ("import sys; sys.stderr.write('e' * 5_000_000); print('x'); sys.exit(3)", {}, DumpFailed),
    ],
)
def test_no_false_success(tmp_path: Path, script: str, options: dict[str, object], error: type[SourceError]) -> None:
    with pytest.raises(error):
        dumped(source(tmp_path, script, **options), tmp_path / "scratch")


def test_secrets_of_the_environment_are_not_told(tmp_path: Path) -> None:
    script = "import os, sys; sys.exit('cannot log in with ' + os.environ['TOKEN'])"
    with pytest.raises(DumpFailed) as caught:
        dumped(source(tmp_path, script, environment={"TOKEN": "geheim-123"}), tmp_path / "scratch")
    assert "geheim" not in str(caught.value)
    assert "cannot log in" in str(caught.value)


def test_a_program_sees_a_small_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIDDEN", "1")
    monkeypatch.setenv("SHOWN", "2")
    command = source(tmp_path, "import os; print(sorted(os.environ))", pass_environment=("SHOWN",))
    names = dumped(command, tmp_path / "scratch").contents[b"output"]
    assert b"SHOWN" in names
    assert b"HIDDEN" not in names


def test_texts_are_cut_into_words_without_a_shell(tmp_path: Path) -> None:
    command = Command("dump", CommandOptions(dump="printf '%s|' 'a b' $HOME ; rm"), tmp_path)
    assert dumped(command, tmp_path / "scratch").contents[b"output"] == b"a b|$HOME|;|rm|"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"dump": "open 'quote"}, CommandOptions)


def test_missing_programs_are_named(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="no-such-program"):
        Command("dump", CommandOptions(dump="no-such-program"), tmp_path).preflight()
    script = tmp_path / "dump.sh"
    script.write_text("#!/bin/sh\necho here\n")
    script.chmod(0o755)
    assert dumped(Command("dump", CommandOptions(dump="./dump.sh"), tmp_path), tmp_path / "scratch").contents


def test_elsewhere_it_becomes_a_file(tmp_path: Path) -> None:
    command = source(tmp_path)
    content = dumped(command, tmp_path / "scratch")
    with pytest.raises(RestoreRefused, match="load"):
        command.plan([content], load_request(tmp_path / "scratch"))
    report = command.load([content], load_request(tmp_path / "scratch", str(tmp_path / "new" / "folder")))
    assert Path(report.destination).read_text() == "hello\n"
    assert os.stat(report.destination).st_mode & 0o777 == 0o600
    with pytest.raises(RestoreRefused):
        command.load([content], load_request(tmp_path / "scratch", str(tmp_path / "new" / "folder")))


@pytest.mark.parametrize(
    "script",
    [
        "import sys; sys.stdin.buffer.read(); sys.exit(1)",
        "import os, sys; sys.stdin.buffer.read(10); os.kill(os.getpid(), 9)",
        "import sys; sys.stdin.buffer.read(10)",
        "import time; time.sleep(60)",
    ],
)
def test_a_program_that_does_not_take_everything_has_failed(tmp_path: Path, script: str) -> None:
    command = source(tmp_path, "print('x' * 9_000_000)", load=python(script), timeout_s=0.5)
    content = dumped(command, tmp_path / "scratch")
    with pytest.raises(LoadFailed):
        command.load([content], load_request(tmp_path / "scratch"))


def test_damaged_content_is_not_fed(tmp_path: Path) -> None:
    command = source(tmp_path, load=python(f"open({str(tmp_path / 'started')!r}, 'w')"))
    content = dumped(command, tmp_path / "scratch")
    content.contents[b"output"] = b"jello\n"
    with pytest.raises(DamageError):
        command.load([content], load_request(tmp_path / "scratch"))
    assert not (tmp_path / "started").exists()


def test_rows_are_compared(tmp_path: Path) -> None:
    count = python("print('users 3'); print('orders of today 4')")
    command = source(tmp_path, load=python("import sys; sys.stdin.read()"), rows_command=count)
    content = dumped(command, tmp_path / "scratch")
    assert content.component.rows == {"users": 3, "orders of today": 4}
    assert command.load([content], load_request(tmp_path / "scratch")).rows == content.component.rows
    content.component = replace(content.component, rows={"users": 5})
    with pytest.raises(RestoreMismatch, match="users has 3 rows instead of 5"):
        command.load([content], load_request(tmp_path / "scratch"))
    with pytest.raises(DumpFailed):
        dumped(source(tmp_path, rows_command=python("print('nonsense')")), tmp_path / "scratch")
