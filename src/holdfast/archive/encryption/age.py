"""age files for recipients, through the library, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol, cast

from holdfast.archive.encryption.age_scrypt import HEADER_MAX_BYTES, AgeScryptReader, AgeScryptSink
from holdfast.archive.encryption.conduit import Conduit, ConduitClosed
from holdfast.archive.encryption.keys import Keys
from holdfast.archive.origin import Origin
from holdfast.archive.sink import Sink
from holdfast.errors import Phrase, TargetToolMissing, UsageError
from holdfast.model.buffer import Buffer
from holdfast.protocols.content import ContentReader
from holdfast.runtime.secret import Secret
from holdfast.runtime.unforeseen import named

_INTRO = b"age-encryption.org/v1\n"
_SCRYPT = _INTRO + b"-> scrypt "


class _Library(Protocol):
    """What of the library is used; it has no types of its own."""

    DecryptError: type[Exception]
    IdentityError: type[Exception]
    RecipientError: type[Exception]
    encrypt_io: Callable[[object, object, list[Any]], None]
    decrypt_io: Callable[[object, object, list[Any]], None]
    x25519: Any
    ssh: Any


def age_sink(inner: Sink, keys: Keys, target: str) -> Sink:
    """Encrypts with a passphrase or for recipients.

    Raises:
        UsageError: a recipient is malformed.
        TargetToolMissing: there are recipients and the library is not installed.
    """
    if not keys.recipients and keys.passphrase is not None:
        return AgeScryptSink(inner, keys.passphrase)
    return _RecipientsSink(inner, _recipients(keys.recipients, target), _library(target))


def age_reader(inner: ContentReader, keys: Keys, origin: Origin) -> ContentReader:
    """Decrypts a file of either kind.

    Raises:
        DecryptionFailed: nothing that was given opens it.
    """
    head = b""
    while len(head) < HEADER_MAX_BYTES and (block := inner.read(HEADER_MAX_BYTES - len(head))):
        head += block
    if not head.startswith(_INTRO):
        raise origin.damaged("it does not begin as an age file does")
    if head.startswith(_SCRYPT):
        if keys.passphrase is None:
            raise origin.undecipherable("it needs a passphrase")
        return AgeScryptReader(inner, head, keys.passphrase, origin)
    if keys.identity is None:
        raise origin.undecipherable("it needs an identity, and none was given")
    identities = _identities(keys.identity, origin)
    return _IdentityReader(inner, head, identities, _library(origin.place), origin)


class _RecipientsSink:
    """Feeds the library, which reads, from a thread that writes."""

    def __init__(self, inner: Sink, recipients: list[Any], library: _Library) -> None:
        self._inner = inner
        self._conduit = Conduit()
        self._error: BaseException | None = None
        self._recipients = recipients
        self._library = library
        self._thread = threading.Thread(target=self._encrypt, name="holdfast-age", daemon=True)
        self._thread.start()

    def write(self, block: Buffer, /) -> object:
        """Takes more bytes; raises what went wrong with earlier ones."""
        try:
            self._conduit.write(block)
        except ConduitClosed:
            self._thread.join()
            self._raise()
        return None

    def finish(self) -> None:
        """Ends the file."""
        self._conduit.end()
        self._thread.join()
        self._raise()
        self._inner.finish()

    def abort(self) -> None:
        """Gives up."""
        # Not an InterruptedError: the library would read again, and again.
        self._conduit.end(ConduitClosed("the file was given up"))
        self._conduit.close()
        self._thread.join()
        self._inner.abort()

    def _encrypt(self) -> None:
        output = _Output(self._inner)
        try:
            self._library.encrypt_io(self._conduit, output, self._recipients)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits: a panic of the library, too
            self.set_exception(error)
        finally:
            # INVARIANT: the library says nothing of what fails when it writes its last buffer.
            self._error = output.error or self._error
            self._conduit.close()

    def set_exception(self, error: BaseException) -> None:
        """Keeps what went wrong for the thread that waits."""
        self._error = error

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error


class _Output:
    """The end of the pipeline as a file object; remembers our errors, which the library would turn into its own."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.error: BaseException | None = None

    def write(self, block: bytes, /) -> int:
        """Passes bytes on."""
        try:
            self._sink.write(block)
        except BaseException as error:
            self.error = error
            raise OSError("the storage failed") from error
        return len(block)

    def flush(self) -> None:
        """Does nothing: bytes are passed on at once."""


class _Input:
    """A stored file as a file object, with the bytes that were read from it already; remembers our errors."""

    def __init__(self, head: bytes, inner: ContentReader) -> None:
        self._head = head
        self._inner = inner
        self.error: BaseException | None = None

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        if self._head:
            part, self._head = (self._head, b"") if size < 0 else (self._head[:size], self._head[size:])
            return part
        try:
            return self._inner.read(size)
        except BaseException as error:
            self.error = named(error)
            raise OSError("the storage failed") from error


class _IdentityReader:
    """Reads what the library writes in a thread."""

    def __init__(
        self, inner: ContentReader, head: bytes, identities: list[Any], library: _Library, origin: Origin
    ) -> None:
        self._inner = inner
        self._input = _Input(head, inner)
        self._origin = origin
        self._identities = identities
        self._library = library
        self._conduit = Conduit()
        self._thread = threading.Thread(target=self._decrypt, name="holdfast-age", daemon=True)
        self._thread.start()

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes."""
        return self._conduit.read(size)

    def close(self) -> None:
        """Stops the thread and closes the stored file."""
        self._conduit.close()
        self._thread.join()
        self._inner.close()

    def _decrypt(self) -> None:
        try:
            self._library.decrypt_io(self._input, self._conduit, self._identities)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that reads, which would wait for ever
            self.set_exception(error)
        else:
            self._conduit.end()

    def set_exception(self, error: BaseException) -> None:
        """Hands an error to the thread that reads, as one of ours."""
        if self._input.error is not None:
            self._conduit.end(self._input.error)
        elif "matching keys" in str(error):
            self._conduit.end(self._origin.undecipherable("it was not encrypted for this identity"))
        else:
            self._conduit.end(self._origin.damaged("its encrypted data was changed or cut short"))


def _recipients(texts: tuple[str, ...], target: str) -> list[Any]:
    library = _library(target)
    found: list[Any] = []
    for text in texts:
        kind = library.ssh if text.startswith("ssh-") else library.x25519
        try:
            found.append(kind.Recipient.from_str(text.strip()))
        except library.RecipientError as error:
            raise UsageError(
                detail=Phrase(
                    "target {target}: {text} is no public key of age or SSH", {"target": target, "text": repr(text)}
                )
            ) from error
    return found


def _identities(secret: Secret, origin: Origin) -> list[Any]:
    library = _library(origin.place)
    data = secret.reveal()
    try:
        if b"PRIVATE KEY-----" in data:
            return [library.ssh.Identity.from_buffer(data)]
        lines = [line.strip() for line in data.decode("ascii", "replace").splitlines()]
        return [library.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except library.IdentityError as error:
        raise origin.undecipherable("the identity is no private key of age or SSH") from error


def _library(target: str) -> _Library:
    try:
        return cast(_Library, import_module("pyrage"))
    except ModuleNotFoundError as error:
        raise TargetToolMissing(target=target, tool="pyrage", package="pip install holdfast[age]") from error
