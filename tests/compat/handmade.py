"""A repository of snapshots that need no data, written in a moment: a key that costs nothing and documents only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from holdfast.format import config, envelope, kdf, key_file, polynomial, snapshot
from holdfast.format.seal import Sealer
from holdfast.model.ids import SnapshotId
from holdfast.model.instant import Instant
from holdfast.model.key import KdfParameters, KeyFile, MasterKey
from holdfast.model.repository_config import RepositoryConfig
from holdfast.model.snapshot import Snapshot

CHEAP = KdfParameters(n=16, r=1, p=1)
VERSION = 2


def write_repository(folder: Path, password: str, snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """Writes a repository with these snapshots in it.

    Returns:
        the snapshots with the ids they were stored under.
    """
    for kind in ("data", "index", "keys", "locks", "snapshots"):
        (folder / kind).mkdir(parents=True)
    master = MasterKey(encrypt=os.urandom(32), mac_k=os.urandom(16), mac_r=os.urandom(16))
    salt = os.urandom(kdf.SALT_BYTES)
    user_key = kdf.derive(password.encode(), salt, CHEAP)
    wrapped = key_file.wrap(master, user_key, os.urandom(16))
    key = KeyFile(created=Instant(ns=0), username="", hostname="", kdf=CHEAP, salt=salt, data=wrapped)
    _store(folder / "keys", key_file.encode(key))
    sealer = Sealer(master)
    chunker = polynomial.from_random(os.urandom(16))
    document = config.encode(RepositoryConfig(version=VERSION, id=os.urandom(32), chunker_polynomial=chunker))
    (folder / "config").write_bytes(sealer.seal(document, os.urandom(16)))
    return [_store_snapshot(folder, sealer, one) for one in snapshots]


def _store_snapshot(folder: Path, sealer: Sealer, one: Snapshot) -> Snapshot:
    payload = envelope.wrap(snapshot.encode(one), VERSION)
    identifier = _store(folder / "snapshots", bytes(sealer.seal(payload, os.urandom(16))))
    return snapshot.decode(snapshot.encode(one), id=SnapshotId(identifier))


def _store(folder: Path, content: bytes) -> bytes:
    digest = hashlib.sha256(content)
    (folder / digest.hexdigest()).write_bytes(content)
    return digest.digest()
