"""Where the password comes from: an option, the environment, or the person at the terminal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager

from holdfast.cli.output import Printer, is_terminal
from holdfast.cli.repo.options import RepoOptions
from holdfast.cli.text import _
from holdfast.errors import ContradictoryOptions, EmptyPassword, Interrupted, PasswordMissing, PasswordsDiffer
from holdfast.runtime import secret
from holdfast.runtime.secret import Secret

_LINE_MAX = 1 << 16


def existing(options: RepoOptions, printer: Printer, *, stdin_is_data: bool = False) -> Secret:
    """The password of a repository that exists.

    Args:
        options: what was typed.
        printer: how to ask.
        stdin_is_data: standard input is not there for passwords.

    Raises:
        EmptyPassword: it is empty, and that was not asked for.
        PasswordMissing: nothing gives one.
        PasswordUnavailable: what should give one does not.
        ContradictoryOptions: two things of the same rank give one.
    """
    found = given(options.password_file, options.password_command)
    if options.insecure_no_password:
        return _none(found)
    if found is None:
        found = _typed(_("Password of the repository: "), printer, stdin_is_data=stdin_is_data)
    return _not_empty(found)


def new(options: RepoOptions, printer: Printer) -> Secret:
    """The password of a repository to be created; typed twice if it is typed. Raises as `existing`, and:

    Raises:
        PasswordsDiffer: it was not the same the second time.
    """
    found = given(options.password_file, options.password_command)
    if options.insecure_no_password:
        return _none(found)
    return typed_twice(printer) if found is None else _not_empty(found)


def given(file: str, command: str, *, prefix: str = "") -> Secret | None:
    """A password from options or, where those are empty, from the environment; None if neither gives one.

    Args:
        file: the option that names a file with it.
        command: the option with a command that prints it.
        prefix: `FROM_` for the repository that is copied from.
    """
    ranks = [(file, command, "", "--password-file", "--password-command")]
    for program in ("HOLDFAST", "RESTIC"):
        start = f"{program}_{prefix}PASSWORD"
        names = f"{start}_FILE", f"{start}_COMMAND"
        ranks.append((os.environ.get(names[0], ""), os.environ.get(names[1], ""), start, *names))
    for named_file, named_command, variable, first, second in ranks:
        if named_file and named_command:
            raise ContradictoryOptions(first=first, second=second)
        if named_command:
            return secret.from_command(named_command)
        if named_file:
            return secret.from_file(named_file)
        value = secret.from_environment(variable) if variable else None
        if value:
            return value
    return None


def source(file: str, command: str, *, no_password: bool = False, printer: Printer) -> Secret:
    """The password of the repository that is copied from. Raises as `existing`."""
    if no_password:
        if file or command:
            raise ContradictoryOptions(first="--from-insecure-no-password", second=_("a password"))
        return Secret(b"")
    found = given(file, command, prefix="FROM_")
    return _not_empty(found or _typed(_("Password of the repository to copy from: "), printer))


def replacement(file: str, *, no_password: bool, printer: Printer) -> Secret:
    """The password of a key about to be added; the environment is not asked, because it names the one in use.

    Args:
        file: the option that names a file with it.
        no_password: whether it shall be empty.
    """
    if no_password:
        if file:
            raise ContradictoryOptions(first="--new-insecure-no-password", second="--new-password-file")
        return Secret(b"")
    return _not_empty(secret.from_file(file) if file else typed_twice(printer))


def typed_twice(printer: Printer) -> Secret:
    """A new password: asked for twice on a terminal, read as one line elsewhere."""
    first = _typed(_("New password: "), printer)
    if is_terminal(sys.stdin) and first != _typed(_("New password again: "), printer):
        raise PasswordsDiffer
    return _not_empty(first)


def _none(found: Secret | None) -> Secret:
    if found is not None:
        raise ContradictoryOptions(first="--insecure-no-password", second=_("a password"))
    return Secret(b"")


def _not_empty(found: Secret) -> Secret:
    if not found:
        raise EmptyPassword
    return found


def _typed(question: str, printer: Printer, *, stdin_is_data: bool = False) -> Secret:
    """What the person types, without showing it; where nobody can, a line of standard input."""
    if is_terminal(sys.stdin):
        return _asked(question, printer)
    if stdin_is_data:
        raise PasswordMissing
    line = sys.stdin.buffer.readline(_LINE_MAX)
    if not line:
        raise PasswordMissing
    return Secret(line.removesuffix(b"\n").removesuffix(b"\r"))


def _asked(question: str, printer: Printer) -> Secret:
    from getpass import getpass

    with _interruptible():
        try:
            return Secret(os.fsencode(getpass(question, stream=printer.err)))
        except (KeyboardInterrupt, EOFError):
            printer.err.write("\n")
            raise Interrupted from None


@contextmanager
def _interruptible() -> Generator[None, None, None]:
    """Lets Ctrl-C end the question: our own handler only takes a note, and the terminal would go on waiting."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
