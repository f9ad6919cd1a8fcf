"""Steps on an SFTP server that know nothing of objects."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence

import asyncssh

from holdfast.model.buffer import Buffer

Step = Callable[[], Awaitable[None]]

_BATCH_BYTES = 4 * 1024 * 1024
_STEPS_AT_ONCE = 32


async def regular_files(client: asyncssh.SFTPClient, path: str) -> AsyncIterator[tuple[str, int]]:
    """Name and size of every regular file of a folder."""
    async for entry in client.scandir(path):
        name = entry.filename if isinstance(entry.filename, str) else entry.filename.decode("utf-8", "replace")
        if entry.attrs.permissions is None or stat.S_ISREG(entry.attrs.permissions):
            yield name, entry.attrs.size or 0


async def replace(client: asyncssh.SFTPClient, temporary: str, path: str) -> None:
    """Renames a file over another, at once where the server can."""
    try:
        await client.posix_rename(temporary, path)
    except asyncssh.SFTPOpUnsupported:
        try:
            await client.rename(temporary, path)
        except asyncssh.SFTPError:
            # A plain rename replaces nothing. What is there has the same name, which is the hash of its content.
            # SAFETY: the complete new copy is already on the server under its temporary name.
            await client.remove(path)
            await client.rename(temporary, path)


async def limited(steps: Sequence[Step]) -> None:
    """Runs coroutines, so many at a time."""
    places = asyncio.Semaphore(_STEPS_AT_ONCE)

    async def run(step: Step) -> None:
        async with places:
            await step()

    await asyncio.gather(*(run(step) for step in steps))


def batches(data: Iterable[Buffer]) -> Iterator[bytes]:
    """Puts small buffers together, because each write is a round trip."""
    pending: list[Buffer] = []
    size_bytes = 0
    for buffer in data:
        pending.append(buffer)
        size_bytes += memoryview(buffer).nbytes
        if size_bytes >= _BATCH_BYTES:
            yield b"".join(pending)
            pending = []
            size_bytes = 0
    if size_bytes:
        yield b"".join(pending)
