"""Passwords: kept out of logs and tracebacks, read by restic's rules."""

from __future__ import annotations

import codecs
import os
import shlex
import subprocess
from collections.abc import Mapping

from holdfast.errors import PasswordUnavailable, Phrase

# COMPAT(restic): what Go calls white space. Python's str.strip() also takes U+001C to U+001F, which would lock out
# somebody whose password ends in one of them.
_WHITE_SPACE = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_MAX_FILE_BYTES = 1 << 20


class Secret:
    """Bytes that show themselves only when asked to."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The secret itself."""
        return self._value

    def __bool__(self) -> bool:
        """Whether it is not empty."""
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled")


def from_file(path: str) -> Secret:
    """Reads a password file: a byte order mark is obeyed, white space at both ends is dropped.

    Raises:
        PasswordUnavailable: the file cannot be read or decoded.
    """
    try:
        with open(path, "rb") as source:
            content = source.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            raise PasswordUnavailable(origin=path, reason="the file is larger than 1 MiB")
        return Secret(_stripped(_without_byte_order_mark(content)))
    except OSError as error:
        raise PasswordUnavailable(origin=path, reason=error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise PasswordUnavailable(origin=path, reason=str(error.reason)) from error


def from_command(command: str) -> Secret:
    """Runs a command, without a shell, and takes what it prints, with white space at both ends dropped.

    Raises:
        PasswordUnavailable: the command cannot be parsed or run, or it fails.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise PasswordUnavailable(origin=command, reason=str(error)) from error
    if not words:
        raise PasswordUnavailable(origin="--password-command", reason="the command is empty")
    program = words[0]
    try:
        result = subprocess.run(words, stdout=subprocess.PIPE, check=False)
    except (OSError, ValueError) as error:
        raise PasswordUnavailable(origin=program, reason=str(error)) from error
    if result.returncode != 0:
        raise PasswordUnavailable(
            origin=program, reason=Phrase("exit status {returncode}", {"returncode": result.returncode})
        )
    return Secret(_stripped(result.stdout))


def from_environment(name: str, environment: Mapping[bytes, bytes] | None = None) -> Secret | None:
    """The value of a variable exactly as it is; None if it is not set.

    Args:
        name: the variable.
        environment: where to look; by default this process's environment.
    """
    values = os.environb if environment is None else environment
    value = values.get(name.encode())
    return None if value is None else Secret(value)


def _stripped(value: bytes) -> bytes:
    text = value.decode("utf-8", "surrogateescape").strip(_WHITE_SPACE)
    return text.encode("utf-8", "surrogateescape")


def _without_byte_order_mark(content: bytes) -> bytes:
    # COMPAT(restic): password files written by Windows editors open with a byte order mark.
    if content.startswith(codecs.BOM_UTF8):
        return content[len(codecs.BOM_UTF8) :]
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16").encode()
    return content
