"""Small zstd frames, decoded with a context that is kept.

The decoder of the standard library serves a single frame, and making one asks the processor what it can do, which in
a virtual machine takes longer than decoding a small file. The library behind it has a function for whole frames that
takes a context again and again; this module calls that very function in that very library. Where it cannot be
reached, callers do without.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable

FRAME_MAX = 1 << 16
"""Larger frames take so long that a new decoder does not matter; likewise below."""

PLAINTEXT_MAX = 1 << 17

_SINGLE_SEGMENT = 0x20
_WINDOW_EXPONENT_LIMIT = 17
"""Frames that ask for a window of 2^(10+17) bytes, 128 MiB, or more are judged the slow way."""

_OLDEST = 10400
_EXTENSION = "_zstd" if sys.version_info >= (3, 14) else "backports.zstd._zstd"

_Decode = Callable[[bytes, int], "bytes | None"]


def _never(_frame: bytes, _max_length: int) -> bytes | None:
    """Stands for a library that cannot be reached."""
    return None


def _new_decoder() -> _Decode:
    """A decoder with a context and a buffer of its own, for one thread."""
    import ctypes

    try:
        # The interpreter lock is kept: giving it back and taking it again costs more than a small frame.
        library = ctypes.PyDLL(importlib.import_module(_EXTENSION).__file__)
        create, release = library.ZSTD_createDCtx, library.ZSTD_freeDCtx
        decode, version = library.ZSTD_decompressDCtx, library.ZSTD_versionNumber
    except (AttributeError, ImportError, OSError):
        return _never
    version.restype = ctypes.c_uint
    create.restype = ctypes.c_void_p
    release.argtypes = [ctypes.c_void_p]
    decode.restype = ctypes.c_size_t
    decode.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    context = create() if version() >= _OLDEST else None
    if not context:
        return _never
    buffer = ctypes.create_string_buffer(PLAINTEXT_MAX)
    address = ctypes.addressof(buffer)
    view = memoryview(buffer).cast("B")
    owner = _Context(context, release)

    def decode_frame(frame: bytes, max_length: int) -> bytes | None:
        # SAFETY: the library writes at most `max_length` bytes, which the caller keeps below the buffer's size, and
        # reads no more than the frame has. Its errors are numbers above any size.
        size: int = decode(owner.context, address, max_length, frame, len(frame))
        return bytes(view[:size]) if size <= max_length else None

    return decode_frame


class _Context:
    """Gives a context back when its thread ends."""

    def __init__(self, context: int, release: Callable[[int], object]) -> None:
        self.context = context
        self._release = release

    def __del__(self) -> None:
        self._release(self.context)


class _Decoders(threading.local):
    """A context belongs to one thread."""

    def __init__(self) -> None:
        self.decode = _new_decoder()


_decoders = _Decoders()


def decompress_small(frame: bytes, max_length: int) -> bytes | None:
    """The plaintext of exactly one small frame.

    Args:
        frame: a whole frame and nothing else.
        max_length: the most bytes there may be.

    Returns:
        None for what is too large, malformed, in need of a large window, or longer than allowed: the slow way says
        which, or copes.
    """
    if not 6 <= len(frame) <= FRAME_MAX or max_length > PLAINTEXT_MAX:
        return None
    if not frame[4] & _SINGLE_SEGMENT and frame[5] >> 3 >= _WINDOW_EXPONENT_LIMIT:
        return None
    return _decoders.decode(frame, max_length)
