"""Looks for planted secrets in what processes show of themselves, and in whatever else there is to read."""

from __future__ import annotations

import base64
import contextlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Self

_EVERY_S = 0.1
_OURS = b"\0-m\0holdfast\0"


def forms(secret: str) -> list[bytes]:
    """How a secret may appear: as it is, in hexadecimal, and in base64 wherever it begins there."""
    plain = secret.encode()
    found = [plain, plain.hex().encode()]
    for before in range(3):
        inner = base64.b64encode(b"\0" * before + plain)
        # The first and the last character belong to what stands beside it, too.
        found.append(inner[(0, 2, 3)[before] : -4])
    return found


class SecretWatch:
    """Collects where planted secrets were seen.

    Attributes:
        secrets: what is looked for.
        seen: where one of them was, and which.
        looked: how many processes were looked at.
    """

    def __init__(self, *secrets: str) -> None:
        self.secrets = list(secrets)
        self.seen: set[str] = set()
        self.looked: set[int] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def look(self, where: str, content: bytes | str) -> None:
        """Looks at something that was read."""
        raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
        for secret in self.secrets:
            if any(form in raw for form in forms(secret)):
                self.seen.add(f"{secret} in {where}")

    def look_at_files(self, folder: Path, but: Iterable[Path] = ()) -> int:
        """Looks at all files below a folder, except some, and at their names. Returns how many those were."""
        count = 0
        for path in folder.rglob("*"):
            self.look("the name of a file", str(path.relative_to(folder)))
            if path.is_file() and path not in but:
                count += 1
                self.look(str(path), path.read_bytes())
        return count

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopped.wait(_EVERY_S):
            children = _children()
            for ours in children.get(os.getpid(), []):
                # Servers that a test starts for itself may show what they like.
                if _OURS in _read(ours, "cmdline"):
                    self._look_at_tree(ours, children)

    def _look_at_tree(self, top: int, children: dict[int, list[int]]) -> None:
        """The arguments of all; the environment of those below the one that was given secrets in its own."""
        given = _read(top, "environ")
        below = [top]
        for pid in below:
            below += children.get(pid, [])
            self.looked.add(pid)
            self.look(f"the arguments of {_read(pid, 'cmdline')[:80]!r}", _read(pid, "cmdline"))
            # What was forked and is still the same program has the very memory of its parent's environment.
            environ = _read(pid, "environ")
            if environ != given:
                self.look(f"the environment of {_read(pid, 'cmdline')[:80]!r}", environ)


def _read(pid: int, name: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{name}").read_bytes()
    return b""


def _children() -> dict[int, list[int]]:
    """Children of every process there is, by its parent's number."""
    found: dict[int, list[int]] = {}
    for folder in os.listdir("/proc"):
        if folder.isdigit() and (status := _read(int(folder), "stat")):
            found.setdefault(int(status.rpartition(b")")[2].split()[1]), []).append(int(folder))
    return found
