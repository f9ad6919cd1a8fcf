"""Secrets: in a variable, in a file, printed by a command; in clear only with a warning."""

from __future__ import annotations

import re
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from holdfast.config.effective import Effective
from holdfast.config.positions import KeyPath
from holdfast.config.problems import Problems
from holdfast.config.reasons import noun
from holdfast.config.shapes import texts
from holdfast.errors import PasswordUnavailable
from holdfast.runtime.secret import Secret, from_command, from_file

FILE, COMMAND = "_file", "_command"
SUFFIXES = (FILE, COMMAND)

_USER_AND_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/@\s:]*:(?P<password>[^@\s]+)@")


def is_secret(kind: object) -> bool:
    """Whether a field of this type holds a secret."""
    if kind is Secret:
        return True
    return get_origin(kind) in (Union, UnionType, Annotated) and any(is_secret(part) for part in get_args(kind))


def password_in_url(text: str) -> str:
    """The password within a URL; empty if there is none."""
    found = _USER_AND_PASSWORD.match(text)
    return found["password"] if found is not None else ""


class SecretReader:
    """Finds the secret of a field, whichever of the three ways it is given.

    Args:
        effective: says what came from a variable and what an environment overrides.
        problems: told what is wrong; never with a secret in it.
        base_dir: where relative paths start.
        fetch: False leaves files unread and commands alone: an empty secret stands for what they would give.
    """

    def __init__(self, effective: Effective, problems: Problems, base_dir: Path, *, fetch: bool) -> None:
        self._effective = effective
        self._problems = problems
        self._base_dir = base_dir
        self._fetch = fetch
        self._known: set[str] = set()

    def read(self, table: Mapping[str, object], name: str, at: KeyPath) -> Secret | None:
        """The secret of a field; None if there is none or it cannot be had."""
        given = [key for key in (name, name + FILE, name + COMMAND) if key in table]
        chosen = [key for key in given if self._effective.overridden((*at, key))] or given
        if not chosen:
            return None
        key = chosen[0]
        if len(chosen) > 1:
            self._problems.add((*at, chosen[1]), reason="{first} is given too; give one of them", first=key)
            return None
        value = table[key]
        if key == name + COMMAND:
            return self._from_command(value, (*at, key))
        if not isinstance(value, str):
            self._problems.add((*at, key), reason="expected text, not {found}", found=noun(value))
            return None
        return self._from_file(value, (*at, key)) if key == name + FILE else self._given(value, (*at, key))

    def without(self, text: str) -> str:
        """A text with all secrets known so far taken out."""
        for known in sorted(self._known, key=len, reverse=True):
            text = text.replace(known, "(hidden)")
        return text

    def _given(self, value: str, at: KeyPath) -> Secret | None:
        filled = at in self._effective.filled
        if filled and not self._effective.filled[at].sound:
            return None
        if not value:
            if not filled:
                self._problems.add(at, reason="an empty secret protects nothing")
            return None
        url = "://" in value
        if not filled and (password_in_url(value) or not url):
            self._problems.warn(
                at, reason="a secret stands here in clear; put it into a variable, {file} or {command}",
                file=f"{at[-1]}{FILE}", command=f"{at[-1]}{COMMAND}",
            )  # fmt: skip
        try:
            return self._kept(Secret(value.encode("utf-8", "surrogateescape")))
        except UnicodeEncodeError:
            self._problems.add(at, reason="it is not UTF-8 text")
            return None

    def _from_file(self, value: str, at: KeyPath) -> Secret | None:
        if not self._fetch:
            return Secret(b"")
        path = self._base_dir / Path(value).expanduser()
        try:
            found = from_file(str(path))
        except PasswordUnavailable as error:
            self._problems.add(at, reason="{path} cannot be read: {detail}", path=value, detail=error.context["reason"])
            return None
        if not found:
            self._problems.add(at, reason="{path} is empty", path=value)
            return None
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            self._problems.warn(at, reason="others may read {path}: take that away with chmod 600", path=value)
        return self._kept(found)

    def _from_command(self, value: object, at: KeyPath) -> Secret | None:
        words = _words(value)
        if words is None:
            self._problems.add(at, reason="expected a command as text or as a list of words")
            return None
        if not self._fetch:
            return Secret(b"")
        try:
            found = from_command(shlex.join(words))
        except PasswordUnavailable as error:
            cause = error.__cause__
            detail = cause.strerror if isinstance(cause, OSError) else error.context["reason"]
            self._problems.add(at, reason="{program} gives no secret: {detail}", program=words[0], detail=detail)
            return None
        if not found:
            self._problems.add(at, reason="{program} prints nothing", program=words[0])
            return None
        return self._kept(found)

    def _kept(self, secret: Secret) -> Secret:
        text = secret.reveal().decode("utf-8", "surrogateescape")
        self._known |= {part for part in (text, password_in_url(text)) if part}
        return secret


def _words(value: object) -> list[str] | None:
    if isinstance(value, str):
        try:
            return shlex.split(value) or None
        except ValueError:
            return None
    return texts(value) or None
