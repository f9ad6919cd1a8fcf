"""Ways to break what an application or its targets rest on, each undone at its end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from faults.app_faults import Breaker, Case, FaultyApp, edit
from holdfast.testing.lying_tools import HANG_S, Kind, Lie, install


def lying(kind: Kind, lie: Lie) -> Case:
    """A case of a dump program that lies."""

    @contextmanager
    def breaks(app: FaultyApp) -> Generator[None]:
        tools = app.folder / "tools"
        install(tools, kind, lie)
        patience = HANG_S if lie.error == "dump-stalled" else 60
        with edit(("timeout_s = 60", f'timeout_s = {patience}\ntools = "{tools}"'))(app):
            yield
        shutil.rmtree(tools)

    return Case(f"{kind.name} {lie.name}", breaks, (lie.error,))


def dying(kind: Kind, kills: Callable[[FaultyApp], str]) -> Breaker:
    """Something happens to the server while the real program has dumped the first part of a large database.

    Args:
        kills: Python statements that make it happen.
    """

    @contextmanager
    def breaks(app: FaultyApp) -> Generator[None]:
        program = shutil.which(kind.tool)
        does = (
            f"sys.path += {sys.path!r}\n"  # the program may run without the packages that are installed
            f"tool = subprocess.Popen([{program!r}, *arguments], stdout=subprocess.PIPE, close_fds=False)\n"
            f"say(tool.stdout.read(100_000))\n{kills(app)}\nsay(tool.stdout.read()); sys.exit(tool.wait())"
        )
        with lying(kind, Lie("dying server", does, "")).breaks(app):
            yield

    return breaks


def environment(**variables: str) -> Breaker:
    """Changes variables of the environment."""

    @contextmanager
    def breaks(app: FaultyApp) -> Generator[None]:
        before = dict(app.environment)
        app.environment.update(variables)
        yield
        app.environment.clear()
        app.environment.update(before)

    return breaks


def content(name: str, data: bytes) -> Breaker:
    """Puts other bytes into a file; all files that the pattern fits."""

    @contextmanager
    def breaks(app: FaultyApp) -> Generator[None]:
        before = {path: path.read_bytes() for path in app.folder.glob(name) if path.is_file()}
        assert before, name
        for path in before:
            path.chmod(0o600)
            path.write_bytes(data)
        yield
        for path, old in before.items():
            path.write_bytes(old)

    return breaks


def flipped(name: str, at: float) -> Breaker:
    """Turns one bit of each file that the pattern fits, so far into it."""

    @contextmanager
    def breaks(app: FaultyApp) -> Generator[None]:
        before = {path: path.read_bytes() for path in app.folder.glob(name) if path.is_file()}
        assert before, name
        for path, old in before.items():
            changed = bytearray(old)
            changed[int(len(old) * at)] ^= 1
            path.chmod(0o600)
            path.write_bytes(changed)
        yield
        for path, old in before.items():
            path.write_bytes(old)

    return breaks


def pages_zeroed(app: FaultyApp) -> contextlib.AbstractContextManager[None]:
    """A SQLite database of which pages in the middle are gone; its head is whole."""
    data = (app.folder / "shop.db").read_bytes()
    middle = len(data) // 2 // 4096 * 4096
    return content("shop.db", data[:middle] + bytes(8192) + data[middle + 8192 :])(app)


def cut(name: str, share: float) -> Breaker:
    """Cuts a file's end off."""

    def breaks(app: FaultyApp) -> contextlib.AbstractContextManager[None]:
        data = (app.folder / name).read_bytes()
        return content(name, data[: int(len(data) * share)])(app)

    return breaks


@contextmanager
def database_locked(app: FaultyApp) -> Generator[None]:
    """Somebody holds the SQLite database for itself and does not let go."""
    with closing(sqlite3.connect(app.folder / "shop.db", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield
        holder.execute("ROLLBACK")


@contextmanager
def run_locked(app: FaultyApp) -> Generator[None]:
    """Another run is at work."""
    with (app.folder / ".holdfast/run.lock").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def state_open_to_others(app: FaultyApp) -> Generator[None]:
    """Anybody may write to the state directory."""
    (app.folder / ".holdfast").chmod(0o777)
    yield
    (app.folder / ".holdfast").chmod(0o700)


def limited(size_bytes: int) -> Breaker:
    """No file may become larger than this, which no user needs to be root for."""
    program = f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({size_bytes},) * 2)"

    @contextmanager
    def breaks(app: FaultyApp) -> Generator[None]:
        app.prefix = [sys.executable, "-c", f"{program}; os.execv(sys.argv[1], sys.argv[1:])"]
        yield
        app.prefix = []

    return breaks


def filling(left_bytes: int) -> Breaker:
    """The archive is on a small disk, and somebody fills all but a little of it while the backup runs.

    Where nobody may mount a disk, files may not become larger instead.
    """

    @contextmanager
    def breaks(app: FaultyApp) -> Generator[None]:
        backups, aside = app.folder / "backups", app.folder / "aside"
        backups.rename(aside)
        backups.mkdir(mode=0o700)
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(backups)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            backups.rmdir()
            aside.rename(backups)
            with limited(max(left_bytes, 4096))(app):
                yield
            return
        # Otherwise the archive looks like one whose disk is not mounted.
        (backups / ".holdfast").mkdir(mode=0o700)
        try:
            script = (
                f"import os; s = os.statvfs({str(backups)!r}); n = s.f_bavail * s.f_frsize - {left_bytes}\n"
                f"open({str(backups / 'filler')!r}, 'wb').write(bytes(n))\n\nos.write(1, os.urandom(200_000))\n"
            )
            (app.folder / "fill.py").write_text(script)
            with (app.folder / "holdfast.toml").open("a") as file:
                program = f'["{sys.executable}", "{app.folder / "fill.py"}"]'
                file.write(f'\n[sources.afiller]\nkind = "command"\ndump = {program}\n')
            yield
            assert app.finals().keys() == {"filler"}, "something lies under a final name"
        finally:
            subprocess.run(["umount", "--lazy", str(backups)], check=True)
            backups.rmdir()
            aside.rename(backups)
            text = (app.folder / "holdfast.toml").read_text()
            (app.folder / "holdfast.toml").write_text(text.partition("\n[sources.afiller]")[0])

    return breaks


def read_only(name: str) -> Breaker:
    """A folder in which nothing can be made: on a disk mounted read-only, or, for those who may not mount, by mode."""

    @contextmanager
    def breaks(app: FaultyApp) -> Generator[None]:
        folder = app.folder / name
        if os.geteuid() != 0:
            folder.chmod(0o500)
            yield
            folder.chmod(0o700)
            return
        bound = subprocess.run(["mount", "--bind", str(folder), str(folder)], capture_output=True, check=False)
        if bound.returncode:
            subprocess.run(["chattr", "+i", str(folder)], check=True)
            yield
            subprocess.run(["chattr", "-i", str(folder)], check=True)
            return
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)

    return breaks


# --- the network --------------------------------------------------------------------------------


class Cable:
    """A way to a server that is cut after so many bytes in one direction, and stays cut.

    Args:
        host: of the server.
        port: of the server.
        after_bytes: from the server if `received`, else to it.
    """

    def __init__(self, host: str, port: int, after_bytes: int, *, received: bool) -> None:
        self._server = (host, port)
        self._left = after_bytes
        self._received = received
        self._gate = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                with self._gate:
                    self._open += [client, server]
                for source, sink, counts in ((client, server, not self._received), (server, client, self._received)):
                    threading.Thread(target=self._carry, args=(source, sink, counts), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(16384):
                if counts:
                    with self._gate:
                        self._left -= len(block)
                    if self._left < 0:
                        self.cut()
                        return
                sink.sendall(block)
            sink.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """Resets every connection; nobody gets another."""
        with self._gate:
            self.is_cut = True
            self._listener.close()
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RDWR)
                end.close()


def cut_off(url_of: str, after_bytes: int, *, received: bool = True) -> Breaker:
    """The connection to the server of a URL in the environment is lost after so many bytes."""

    @contextmanager
    def breaks(app: FaultyApp) -> Generator[None]:
        url = app.environment[url_of]
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        cable = Cable(parts.hostname, parts.port, after_bytes, received=received)
        try:
            with environment(**{url_of: url.replace(f":{parts.port}", f":{cable.port}")})(app):
                yield
            assert cable.is_cut, "the run ended before the connection was lost"
        finally:
            cable.cut()

    return breaks


def replaced_by_file(path: Path) -> None:
    path.write_bytes(b"not what you expect")


def replaced_by_folder(path: Path) -> None:
    path.mkdir()


def replaced_by_dangling_link(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


def removed(pattern: str) -> Breaker:
    """Files that the pattern fits are gone."""

    @contextmanager
    def breaks(app: FaultyApp) -> Generator[None]:
        before = {path: path.read_bytes() for path in app.folder.glob(pattern) if path.is_file()}
        assert before, pattern
        for path in before:
            path.unlink()
        yield
        for path, old in before.items():
            path.write_bytes(old)

    return breaks


def both(*breakers: Breaker) -> Breaker:
    """Several things at once."""

    @contextmanager
    def breaks(app: FaultyApp) -> Generator[None]:
        with contextlib.ExitStack() as stack:
            for breaker in breakers:
                stack.enter_context(breaker(app))
            yield

    return breaks


def without_program(name: str) -> Breaker:
    """A program is not installed."""

    @contextmanager
    def breaks(app: FaultyApp) -> Generator[None]:
        folder = app.folder / "bin"
        folder.mkdir()
        for place in ("/usr/bin", "/bin"):
            for path in Path(place).iterdir():
                if path.name != name and not (folder / path.name).exists():
                    (folder / path.name).symlink_to(path)
        with environment(PATH=str(folder))(app):
            yield
        shutil.rmtree(folder)

    return breaks
