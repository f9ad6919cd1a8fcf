"""Include and exclude patterns: restic's language, on raw path bytes.

A pattern is a path of components. In a component `*` stands for any bytes, `?` for one character (a byte that is not
valid UTF-8 counts as one), `[a-z]` and `[^a-z]` for a class, a backslash protects the next byte; `**` as a whole
component stands for any number of components. A pattern that begins with `/` matches from the root, any other at any
depth. A pattern that matches a directory matches everything below it. `!` in front takes back what earlier patterns
matched.

Patterns are compiled to regular expressions. Those with two or more `**` are matched component by component, because
restic counts their components in a way that a regular expression cannot express.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from holdfast.policy.glob import component_regex, is_plain

_Matcher = Callable[[bytes], bool]
_ANY_DEPTH = b"**"
_END = rb"(?=/|\Z)"


class _Pattern(NamedTuple):
    """One pattern, taken apart.

    Attributes:
        negated: whether it began with `!`.
        rooted: whether it began with `/`.
        components: the rest, in order, `**` included.
        regex: what matches a path that begins with `/`; None where a regular expression cannot tell.
        matches: whether a path or one of its parents matches.
    """

    negated: bool
    rooted: bool
    components: tuple[bytes, ...]
    regex: bytes | None
    matches: _Matcher


class PatternList:
    """Patterns in order, the last match wins."""

    def __init__(self, patterns: Iterable[bytes], *, ignore_case: bool = False) -> None:
        """Compiles patterns; empty ones are left out.

        Raises:
            InvalidPattern: a pattern is malformed.
        """
        self._fold = fold_case if ignore_case else None
        folded = (fold_case(pattern) if ignore_case else pattern for pattern in patterns)
        self._patterns = [_prepare(pattern) for pattern in folded if pattern]
        self._has_negated = any(pattern.negated for pattern in self._patterns)
        self._quick = None if self._has_negated else _joined(self._patterns)

    def __len__(self) -> int:
        return len(self._patterns)

    def matches(self, path: bytes) -> bool:
        """Whether the path, or a directory above it, matches."""
        if self._fold is not None:
            path = self._fold(path)
        if self._quick is not None:
            return self._quick(path)
        matched = False
        for pattern in self._patterns:
            if matched == pattern.negated and pattern.matches(path):
                matched = not pattern.negated
        return matched

    def may_contain(self, path: bytes) -> bool:
        """Whether something below the directory may match. False is certain, True is not."""
        if self._fold is not None:
            path = self._fold(path)
        contains = False
        for pattern in self._patterns:
            if contains == pattern.negated and (
                pattern.matches(path) if pattern.negated else _children_may_match(pattern, path)
            ):
                contains = not pattern.negated
        return contains


class Excludes:
    """What a walk leaves out."""

    def __init__(self, patterns: Iterable[bytes] = (), insensitive: Iterable[bytes] = ()) -> None:
        """Compiles patterns that mind the case and patterns that do not.

        Raises:
            InvalidPattern: a pattern is malformed.
        """
        lists = (PatternList(patterns), PatternList(insensitive, ignore_case=True))
        self._lists = [patterns for patterns in lists if len(patterns)]

    def __bool__(self) -> bool:
        return bool(self._lists)

    def select(self, path: bytes, is_dir: bool = False) -> bool:  # noqa: ARG002 - the same call for all selections
        """Whether to take the item. Nothing below a directory that is left out is asked about."""
        return not any(patterns.matches(path) for patterns in self._lists)

    def may_contain(self, path: bytes) -> bool:
        """Whether something below the directory is taken."""
        return self.select(path, is_dir=True)


class Includes:
    """What a walk takes, and where it must go down to find it. No pattern at all takes everything."""

    def __init__(self, patterns: Iterable[bytes] = (), insensitive: Iterable[bytes] = ()) -> None:
        """Compiles patterns that mind the case and patterns that do not.

        Raises:
            InvalidPattern: a pattern is malformed.
        """
        lists = (PatternList(patterns), PatternList(insensitive, ignore_case=True))
        self._lists = [patterns for patterns in lists if len(patterns)]

    def __bool__(self) -> bool:
        return bool(self._lists)

    def select(self, path: bytes, is_dir: bool = False) -> bool:  # noqa: ARG002 - the same call for all selections
        """Whether to take the item."""
        return not self._lists or any(patterns.matches(path) for patterns in self._lists)

    def may_contain(self, path: bytes) -> bool:
        """Whether something below the directory may be taken."""
        return not self._lists or any(patterns.may_contain(path) for patterns in self._lists)


def fold_case(text: bytes) -> bytes:
    """Lower case, character by character; each invalid byte becomes U+FFFD, as in restic."""
    if text.isascii():
        return text.lower()
    return "".join(map(_fold_character, text.decode("utf-8", "surrogateescape"))).encode()


def _fold_character(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return "\ufffd"
    return character.lower()[0]


def _prepare(text: bytes) -> _Pattern:
    negated = text.startswith(b"!")
    cleaned = _clean(text[1:] if negated else text)
    rooted = cleaned.startswith(b"/")
    # COMPAT(restic): the pattern `/` alone means everything below the root.
    components = (_ANY_DEPTH,) if cleaned == b"/" else tuple(cleaned.removeprefix(b"/").split(b"/"))
    compiled = [_ANY_DEPTH if part == _ANY_DEPTH else component_regex(part, text) for part in components]
    if components.count(_ANY_DEPTH) > 1:
        return _Pattern(negated, rooted, components, None, _stepwise(compiled, rooted))
    regex = _whole_regex(compiled, rooted)
    return _Pattern(negated, rooted, components, regex, _searching(regex))


def _clean(path: bytes) -> bytes:
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith(b"//") else cleaned


def _searching(regex: bytes) -> _Matcher:
    search = re.compile(regex, re.DOTALL).search
    return lambda path: search(path if path.startswith(b"/") else b"./" + path) is not None


def _joined(patterns: Sequence[_Pattern]) -> _Matcher | None:
    """One answer for all patterns, where regular expressions can tell; plain names are looked up instead."""
    plain = frozenset(part for pattern in patterns if (part := _plain_name(pattern)) is not None)
    others = [pattern for pattern in patterns if _plain_name(pattern) is None]
    # Rooted and other patterns are searched apart: alternatives that all begin with a slash are found faster.
    matchers: list[_Matcher] = [lambda path: not plain.isdisjoint(path.split(b"/"))] if plain else []
    for rooted in (False, True):
        regexes = [pattern.regex for pattern in others if pattern.rooted is rooted]
        known = [regex for regex in regexes if regex is not None]
        if len(known) < len(regexes):
            return None
        if known:
            matchers.append(_searching(b"|".join(known)))
    if len(matchers) == 1:
        return matchers[0]
    return lambda path: any(matcher(path) for matcher in matchers)


def _plain_name(pattern: _Pattern) -> bytes | None:
    if not pattern.rooted and len(pattern.components) == 1 and is_plain(pattern.components[0]):
        return pattern.components[0]
    return None


def _whole_regex(compiled: Sequence[bytes], rooted: bool) -> bytes:
    """A regex for at most one `**`. A path without a leading slash is searched with `./` in front."""
    position = compiled.index(_ANY_DEPTH) if _ANY_DEPTH in compiled else len(compiled)
    before, after = compiled[:position], compiled[position + 1 :]
    start = rb"\A" if rooted else b""
    fixed = b"".join(b"/" + part for part in before)
    if position == len(compiled):
        return start + fixed + _END
    if not after:
        # `dir/**` matches `dir` itself too; `**` alone matches whatever there is.
        return start + fixed + _END if before else start + b"/"
    return (
        start + fixed + (rb"(?:/[^/]*)*?" if before or rooted else b"") + b"".join(b"/" + part for part in after) + _END
    )


def _stepwise(compiled: Sequence[bytes], rooted: bool) -> _Matcher:
    """Matches several `**`: the fixed runs between them, each as early as possible."""
    runs: list[list[Callable[[bytes], object]]] = [[]]
    for part in compiled:
        if part == _ANY_DEPTH:
            runs.append([])
        else:
            runs[-1].append(re.compile(part, re.DOTALL).fullmatch)
    fixed_count = sum(map(len, runs)) + rooted

    def matches(path: bytes) -> bool:
        absolute = path.startswith(b"/")
        if rooted and not absolute:
            return False
        parts = path.removeprefix(b"/").split(b"/")
        # COMPAT(restic): while restic expands one `**` it reserves a component for each of the others, although
        # they may stand for nothing; so `/**/a/**` matches `/x/a/y` and not `/x/a`.
        spare = len(parts) + absolute - fixed_count
        starts = (0,) if rooted else range(len(parts))
        return any(_runs_match(runs, parts, start, spare) for start in starts)

    return matches


def _runs_match(
    runs: Sequence[Sequence[Callable[[bytes], object]]], parts: Sequence[bytes], start: int, spare: int
) -> bool:
    position, skipped, reserved = start, 0, len(runs) - 1
    if not _run_at(runs[0], parts, position):
        return False
    position += len(runs[0])
    for run in runs[1:]:
        reserved -= 1
        while not _run_at(run, parts, position + skipped):
            skipped += 1
            if position + skipped + len(run) > len(parts):
                return False
        if skipped > spare - reserved:
            return False
        position += len(run)
    return True


def _run_at(run: Sequence[Callable[[bytes], object]], parts: Sequence[bytes], position: int) -> bool:
    if position + len(run) > len(parts):
        return False
    return all(match(part) for match, part in zip(run, parts[position : position + len(run)], strict=True))


def _children_may_match(pattern: _Pattern, path: bytes) -> bool:
    """Compares only the components that pattern and path both have before the first `**`."""
    if not pattern.rooted or path == b"/":
        return True
    if not path.startswith(b"/"):
        return False
    components = pattern.components
    fixed = components[: components.index(_ANY_DEPTH)] if _ANY_DEPTH in components else components
    parts = path[1:].split(b"/")
    return all(
        re.fullmatch(component_regex(component, component), part, re.DOTALL) is not None
        for component, part in zip(fixed, parts, strict=False)
    )
