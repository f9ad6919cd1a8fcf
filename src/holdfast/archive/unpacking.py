"""Unpacks what was just packed, beside: whether the content comes out again is known before the file has its name."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable

from holdfast.archive.encryption.conduit import Conduit, ConduitClosed
from holdfast.archive.sink import Sink
from holdfast.errors import DamageError
from holdfast.model.buffer import Buffer
from holdfast.protocols.content import ContentReader

_STEP_BYTES = 128 * 1024  # what stays in the processor's cache is hashed sooner


class UnpackedBeside:
    """Passes packed bytes on, and reads them as a restore will, in a thread of its own.

    Args:
        inner: takes the packed bytes.
        unpack: makes a reader of the content from one of the packed bytes.
    """

    def __init__(self, inner: Sink, unpack: Callable[[ContentReader], ContentReader]) -> None:
        self._inner = inner
        self._unpack = unpack
        self._conduit = Conduit()
        self._found: tuple[bytes, int] | None = None
        self._thread = threading.Thread(target=self._work, name="holdfast-unpack", daemon=True)
        self._thread.start()

    def write(self, block: Buffer, /) -> object:
        """Takes more packed bytes; waits while the other side is far behind."""
        self._inner.write(block)
        with contextlib.suppress(ConduitClosed):  # it has found out already that they are garbled
            self._conduit.write(block)
        return None

    def finish(self) -> None:
        """Everything was given."""
        self._conduit.end()
        self._thread.join()
        self._inner.finish()

    def abort(self) -> None:
        """Gives up."""
        self._conduit.close()
        self._thread.join()
        self._inner.abort()

    def gave(self, sha256: bytes, size_bytes: int) -> bool:
        """Whether what came out has this hash and this length; after `finish`."""
        return self._found == (sha256, size_bytes)

    def _work(self) -> None:
        digest, size_bytes = hashlib.sha256(), 0
        try:
            reader = self._unpack(self._conduit)
            while block := reader.read(_STEP_BYTES):
                digest.update(block)
                size_bytes += len(block)
            self._found = (digest.digest(), size_bytes)
        except DamageError:
            # Nothing was found: `gave` is False, and whoever asks refuses the file.
            return
        finally:
            self._conduit.close()
