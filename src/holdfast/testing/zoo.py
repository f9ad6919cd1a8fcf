"""A folder with one of every kind of thing a file system can hold, and a way to compare two such folders.

Both work as root and as anybody else; what only root can make is left out otherwise.
"""

from __future__ import annotations

import os
import random
import socket
import stat
from hashlib import sha256
from typing import Any

AWKWARD_NAMES = (
    b"plain.txt", b"with space", b"new\nline", b"tab\there", b'quote"backslash\\', b"\xff\xfe-not-utf8",
    "é<&>".encode(),
    "سلام دنیا".encode(), "emoji 🎉".encode(), b"-dash", b"--flag", b"~tilde", b"trailing ", b".hidden",
    b"\x01\x1b[31m",
    "a\u202etxt.exe".encode(), "nfc-\u00e9".encode(), "nfd-e\u0301".encode(), b"case", b"CASE", b"n" * 255,
    "\u2028line".encode(), b"percent%41",
)  # fmt: skip


def make_zoo(root: str, *, seed: int = 1, large_bytes: int = 3 << 20) -> None:
    """Fills an existing empty folder. The same seed makes the same content."""
    rng = random.Random(seed)  # noqa: S311 - repeatable content, not secrets
    base = os.fsencode(root)
    _names(base, rng)
    _links(base)
    _special(base)
    _contents(base, rng, large_bytes)
    _metadata(base)
    deep = base + b"/deep"
    for level in range(40):
        deep += b"/level-%02d-%s" % (level, b"x" * 40)
    os.makedirs(deep)
    _write(deep + b"/bottom", b"at the bottom")
    os.mkdir(base + b"/empty-dir")


def _write(path: bytes, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def _names(base: bytes, rng: random.Random) -> None:
    os.mkdir(base + b"/names")
    for name in AWKWARD_NAMES:
        _write(base + b"/names/" + name, rng.randbytes(rng.randint(0, 400)))
    os.mkdir(base + b"/names/dir\xff")
    _write(base + b"/names/dir\xff/inside", b"x")


def _links(base: bytes) -> None:
    os.mkdir(base + b"/links")
    _write(base + b"/links/first", b"shared")
    os.link(base + b"/links/first", base + b"/links/second")
    os.mkdir(base + b"/links/sub")
    os.link(base + b"/links/first", base + b"/links/sub/third")
    os.symlink(b"first", base + b"/links/relative")
    os.symlink(b"/nowhere/at/all", base + b"/links/absolute-dangling")
    os.symlink(b"../names", base + b"/links/to-dir")
    os.symlink(b"loop", base + b"/links/loop")
    os.symlink(b"\xff\xfe", base + b"/links/raw-target")
    os.link(base + b"/links/relative", base + b"/links/relative-twin", follow_symlinks=False)


def _special(base: bytes) -> None:
    os.mkdir(base + b"/special")
    os.mkfifo(base + b"/special/fifo", 0o640)
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(base + b"/special")
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
    if os.geteuid() == 0:
        os.mknod(base + b"/special/null", stat.S_IFCHR | 0o640, os.makedev(1, 3))
        os.mknod(base + b"/special/block", stat.S_IFBLK | 0o660, os.makedev(259, 70000))


def _contents(base: bytes, rng: random.Random, large_bytes: int) -> None:
    os.mkdir(base + b"/contents")
    _write(base + b"/contents/empty", b"")
    _write(base + b"/contents/one", b"1")
    _write(base + b"/contents/random", rng.randbytes(large_bytes))
    _write(base + b"/contents/text", b"all work and no play makes jack a dull boy\n" * (large_bytes // 43))
    _write(base + b"/contents/zeros", bytes(large_bytes))
    _write(base + b"/contents/just-512k", rng.randbytes(512 * 1024))
    _write(base + b"/contents/just-over", rng.randbytes(512 * 1024 + 1))
    with open(base + b"/contents/sparse", "wb") as file:
        file.write(b"begin")
        file.seek(20 << 20)
        file.write(b"middle")
        file.truncate(40 << 20)
    with open(base + b"/contents/all-hole", "wb") as file:
        file.truncate(5 << 20)


def _metadata(base: bytes) -> None:
    os.mkdir(base + b"/metadata")
    times = {b"1901": -2_145_916_800, b"before-1970": -1, b"1970": 0, b"2038": 2_200_000_000, b"2106": 4_300_000_000}
    for name, seconds in times.items():
        path = base + b"/metadata/" + name
        _write(path, name)
        os.utime(path, ns=(seconds * 10**9 + 123_456_789, seconds * 10**9 + 123_456_789))
    for mode in (0o000, 0o400, 0o777, 0o4755, 0o2755, 0o1644, 0o6711):
        path = base + b"/metadata/mode-%04o" % mode
        _write(path, b"m")
        os.chmod(path, mode)
    os.mkdir(base + b"/metadata/sticky")
    os.chmod(base + b"/metadata/sticky", 0o1777)  # noqa: S103 - one of the modes to bring back
    os.mkdir(base + b"/metadata/setgid")
    os.chmod(base + b"/metadata/setgid", 0o2750)  # noqa: S103 - another
    _write(base + b"/metadata/xattr", b"x")
    os.setxattr(base + b"/metadata/xattr", b"user.holdfast", b"value\x00\xff")
    os.setxattr(base + b"/metadata/xattr", b"user.empty", b"")
    os.setxattr(base + b"/metadata/sticky", b"user.on-dir", b"d")
    if os.geteuid() == 0:
        _write(base + b"/metadata/owned", b"o")
        os.chown(base + b"/metadata/owned", 12345, 54321)
        os.setxattr(base + b"/metadata/xattr", b"trusted.holdfast", b"t")
    os.utime(base + b"/metadata", ns=(10**18 + 1, 10**18 + 1))


def fingerprint(root: str, *, sockets: bool = False) -> dict[bytes, dict[str, Any]]:
    """Everything about a folder that a backup must bring back, by path relative to it.

    Holes are compared by size on disk only, with half a MiB to spare per file; hard links by the group of paths.
    """
    base = os.fsencode(root)
    found: dict[bytes, dict[str, Any]] = {}
    groups: dict[tuple[int, int], list[bytes]] = {}
    for folder, dirs, files in os.walk(base):
        dirs.sort()
        for name in sorted([*dirs, *files]):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if stat.S_ISSOCK(status.st_mode) and not sockets:
                continue
            relative = os.path.relpath(path, base)
            found[relative] = _describe(path, status)
            if not stat.S_ISDIR(status.st_mode) and status.st_nlink > 1:
                groups.setdefault((status.st_dev, status.st_ino), []).append(relative)
    for members in groups.values():
        for member in members:
            found[member]["links"] = tuple(sorted(members))
    return found


def _describe(path: bytes, status: os.stat_result) -> dict[str, Any]:
    mode = status.st_mode
    about: dict[str, Any] = {"mode": mode, "uid": status.st_uid, "gid": status.st_gid, "mtime": status.st_mtime_ns}
    if stat.S_ISLNK(mode):
        about["target"] = os.readlink(path)
        return about
    if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        about["device"] = status.st_rdev
    if stat.S_ISREG(mode):
        about["size"] = status.st_size
        about["content"] = _digest(path)
    names = os.listxattr(path, follow_symlinks=False) if not stat.S_ISFIFO(mode) else []
    about["xattrs"] = {name: os.getxattr(path, name, follow_symlinks=False) for name in sorted(names)}
    return about


def _digest(path: bytes) -> str:
    digest = sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def differences(left: dict[bytes, dict[str, Any]], right: dict[bytes, dict[str, Any]]) -> list[str]:
    """What is not equal, one line each, for an assertion's message."""
    lines = [f"only left: {path!r}" for path in sorted(left.keys() - right.keys())]
    lines += [f"only right: {path!r}" for path in sorted(right.keys() - left.keys())]
    for path in sorted(left.keys() & right.keys()):
        for key in sorted(left[path].keys() | right[path].keys()):
            if left[path].get(key) != right[path].get(key):
                lines.append(f"{path!r} {key}: {left[path].get(key)!r} != {right[path].get(key)!r}")
    return lines
