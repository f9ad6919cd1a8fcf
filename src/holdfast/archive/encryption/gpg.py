"""OpenPGP files for a passphrase, through the program gpg."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence

from holdfast.archive.encryption.conduit import Conduit, ConduitClosed
from holdfast.archive.origin import Origin
from holdfast.archive.sink import Sink
from holdfast.errors import ArchiveNotWritten, HoldfastError, Phrase, TargetToolMissing
from holdfast.model.buffer import Buffer
from holdfast.protocols.content import ContentReader
from holdfast.runtime.secret import Secret
from holdfast.runtime.unforeseen import named

_STEP_BYTES = 256 * 1024
_KEPT_BYTES = 64 * 1024
_WAIT_S = 30.0
_HOME_MAX = 60  # the agent's socket lies in it, and the path of a socket is short
_ENCRYPT = (
    "--symmetric",
    "--cipher-algo", "AES256",
    "--s2k-mode", "3",
    "--s2k-digest-algo", "SHA512",
    "--s2k-count", "65011712",
    "--compress-algo", "none",
)  # fmt: skip
_WRONG = (b"Bad session key", b"BAD_PASSPHRASE", b"MISSING_PASSPHRASE", b"No secret key", b"NO_SECKEY")


class _Gpg:
    """One run of gpg, in a home of its own that is removed, with its agent, at the end."""

    def __init__(self, arguments: Sequence[str], passphrase: Secret, target: str) -> None:
        program = shutil.which("gpg")
        if program is None:
            raise TargetToolMissing(target=target, tool="gpg", package="apt-get install gnupg")
        self._home = _private_home()
        readable, writable = os.pipe()
        try:
            os.write(writable, passphrase.reveal() + b"\n")
        finally:
            os.close(writable)
        command = [
            program, "--homedir", self._home, "--batch", "--no-tty", "--quiet", "--no-options", "--no-symkey-cache",
            "--pinentry-mode", "loopback", "--passphrase-fd", str(readable), "--status-fd", "2", *arguments,
        ]  # fmt: skip
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "GNUPGHOME": self._home}
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                pass_fds=[readable],
                start_new_session=True,
            )
        except BaseException:
            shutil.rmtree(self._home, ignore_errors=True)
            raise
        finally:
            os.close(readable)
        self._said = b""
        self._listener = threading.Thread(target=self._listen, name="holdfast-gpg-status", daemon=True)
        self._listener.start()

    def send(self, block: Buffer) -> None:
        """Gives bytes to the program. Raises `BrokenPipeError` if it has ended."""
        if self.process.stdin is not None:
            self.process.stdin.write(block)

    def close_input(self) -> None:
        """Tells the program that this was everything."""
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()

    def receive(self) -> bytes:
        """The next bytes that the program gives."""
        return os.read(self.process.stdout.fileno(), _STEP_BYTES) if self.process.stdout is not None else b""

    def wait(self) -> tuple[int, bytes]:
        """Waits for the end; returns the exit status and what the program said, of which 64 KiB are kept."""
        status = self.process.wait(_WAIT_S)
        self._listener.join(_WAIT_S)
        return status, self._said

    def clean_up(self) -> None:
        """Ends the program if it still runs, and its agent, and removes their home."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._listener.join(_WAIT_S)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        killer = shutil.which("gpgconf")
        if killer is not None and os.path.isdir(self._home):
            subprocess.run([killer, "--homedir", self._home, "--kill", "gpg-agent"], capture_output=True, check=False)
        # SAFETY: a directory that this run made for itself.
        shutil.rmtree(self._home, ignore_errors=True)

    def _listen(self) -> None:
        pipe = self.process.stderr
        while pipe is not None and (block := os.read(pipe.fileno(), 4096)):
            self._said = (self._said + block)[-_KEPT_BYTES:]


class GpgSink:
    """Encrypts with a passphrase: AES-256, with a check that notices changes.

    Args:
        inner: takes the encrypted bytes.
        passphrase: as gpg would be told it; without a line break.
        target: the target's name, for errors.
    """

    def __init__(self, inner: Sink, passphrase: Secret, target: str) -> None:
        self._inner = inner
        self._target = target
        self._gpg = _Gpg(_ENCRYPT, passphrase, target)
        self._error: HoldfastError | None = None
        self._thread = threading.Thread(target=self._collect, name="holdfast-gpg", daemon=True)
        self._thread.start()

    def write(self, block: Buffer, /) -> object:
        """Takes more bytes."""
        try:
            self._gpg.send(block)
        except BrokenPipeError:
            self._thread.join()
            raise self._failure() from None
        return None

    def finish(self) -> None:
        """Ends the file. Raises `ArchiveNotWritten` if the program did not succeed."""
        self._gpg.close_input()
        self._thread.join()
        status, _said = self._gpg.wait()
        if status != 0 or self._error is not None:
            raise self._failure()
        self._gpg.clean_up()
        self._inner.finish()

    def abort(self) -> None:
        """Gives up."""
        self._gpg.process.kill()
        self._thread.join()
        self._gpg.clean_up()
        self._inner.abort()

    def _collect(self) -> None:
        try:
            while block := self._gpg.receive():
                self._inner.write(block)
        except BaseException as error:  # noqa: BLE001 - told to the thread that waits, or half a file would look whole
            self._error = named(error)
            self._gpg.process.kill()

    def _failure(self) -> HoldfastError:
        _status, said = self._gpg.wait()
        return self._error or ArchiveNotWritten(what="encrypted", target=self._target, reason=_reason(said))


class GpgReader:
    """Decrypts what a passphrase opens; what was changed raises at the end, before which nothing is proved.

    Args:
        inner: the encrypted bytes.
        passphrase: see `GpgSink`.
        origin: the file, for errors.
    """

    def __init__(self, inner: ContentReader, passphrase: Secret, origin: Origin) -> None:
        self._inner = inner
        self._origin = origin
        self._gpg = _Gpg(["--decrypt"], passphrase, origin.place)
        self._conduit = Conduit()
        self._error: HoldfastError | None = None
        self._feeder = threading.Thread(target=self._feed, name="holdfast-gpg-in", daemon=True)
        self._collector = threading.Thread(target=self._collect, name="holdfast-gpg-out", daemon=True)
        self._feeder.start()
        self._collector.start()

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes.

        Raises:
            DecryptionFailed: the passphrase is another one.
            BackupDamaged: the file was changed or cut.
        """
        return self._conduit.read(size)

    def close(self) -> None:
        """Ends the program and closes the stored file."""
        self._conduit.close()
        if self._collector.is_alive() and self._gpg.process.poll() is None:
            self._gpg.process.kill()
        self._collector.join()
        self._feeder.join()
        self._gpg.clean_up()
        self._inner.close()

    def _feed(self) -> None:
        try:
            while block := self._inner.read(_STEP_BYTES):
                try:
                    self._gpg.send(block)
                except (BrokenPipeError, ValueError):
                    return  # the program has ended, or nobody reads any more
        except BaseException as error:  # noqa: BLE001 - told to the thread that reads, which would wait for ever
            self._error = named(error)
            self._gpg.process.kill()
        self._gpg.close_input()

    def _collect(self) -> None:
        try:
            while block := self._gpg.receive():
                self._conduit.write(block)
            self._feeder.join()
            self._judge()
        except ConduitClosed:
            return
        except BaseException as error:  # noqa: BLE001 - told to the thread that reads, which would wait for ever
            self._conduit.end(named(error))

    def _judge(self) -> None:
        """Tells the reader, behind the last byte, whether the program was content with all of it."""
        status, said = self._gpg.wait()
        if self._error is not None:
            self._conduit.end(self._error)
        elif status == 0 and b"DECRYPTION_OKAY" in said:
            self._conduit.end()
        elif any(sign in said for sign in _WRONG):
            self._conduit.end(self._origin.undecipherable("the passphrase is another one"))
        else:
            self._conduit.end(self._origin.damaged(Phrase("gpg says: {reason}", {"reason": _reason(said)})))


def _reason(said: bytes) -> str:
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line and not line.startswith("[GNUPG:]")]
    return lines[-1] if lines else "gpg ended without a word"


def _private_home() -> str:
    home = tempfile.mkdtemp(prefix="hf-gpg-")
    if len(home) > _HOME_MAX:
        os.rmdir(home)
        home = tempfile.mkdtemp(prefix="hf-gpg-", dir="/tmp")
    return home
