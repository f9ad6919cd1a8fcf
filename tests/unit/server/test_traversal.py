"""Two thousand ways to write a path: none of them reads or writes a file, and none is more than a client's mistake."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from urllib.parse import quote

from .conftest import Bed

CANARY = "canary-7f3a9c-this-must-never-leave"
UP = ("..", "%2e%2e", "%252e%252e", "..%00", "．．", "..\\", "%c0%ae%c0%ae", "....//", "\u202e..", "..;")
SLASHES = ("/", "%2f", "%252f", "\\", "%5c", "／", "%c0%af", "//")
TAILS = ("canary.txt", "canary.txt%00.zip", "canary.zip", "etc/passwd", "holdfast.toml", ".env", "shop.db")
HEADS = ("", "/", "backups/", "backup_2025_09_16_12_30_45/", "file://", "C:\\")


def encodings() -> Iterator[str]:
    """Texts that lead out of a folder once somebody decodes them."""
    for up, slash, tail, head in itertools.product(UP, SLASHES, TAILS, HEADS):
        yield f"{head}{up}{slash}{up}{slash}{tail}"


def test_no_encoding_of_a_path_gets_anywhere(bed: Bed) -> None:
    canary = bed.folder.parent / "canary.txt"
    canary.write_text(CANARY)
    (bed.folder / "canary.zip").write_text(CANARY)
    before = {path: path.stat().st_mtime_ns for path in bed.folder.rglob("*") if path.is_file()}
    texts = [text for number, text in enumerate(encodings()) if number % 5 < 3]
    assert len(texts) > 2000
    headers = bed.headers()
    for number, text in enumerate(texts):
        quoted = quote(text, safe="%/\\;")
        asked = (
            bed.client.get(f"/api/v1/admin/backup/download/{quoted}", headers=headers),
            bed.client.post("/backups/restore", headers=headers, json={"backup_path": text}),
        )
        if number % 8 == 0:
            asked += (
                bed.client.delete(f"/api/v1/admin/backup/{quoted}", headers=headers),
                bed.client.post("/api/v1/admin/backup/restore", headers=headers, json={"backup_id": text}),
                bed.client.get(f"/api/v1/runs/{quoted}", headers=headers),
                bed.client.get("/api/v1/runs", headers=headers, params={"before": text}),
                bed.client.get("/backups/list", headers=headers, params={"backup_type": text}),
            )
        for answer in asked:
            assert 400 <= answer.status_code < 500, (text, answer.status_code, answer.text)
            assert CANARY not in answer.text
    changed = {path for path in before if path.stat().st_mtime_ns != before[path]}
    assert {path.name for path in changed} <= {"catalog.db", "catalog.db-wal", "catalog.db-shm"}
    assert canary.read_text() == CANARY


def test_components_and_tables_are_names_not_paths(bed: Bed) -> None:
    made = bed.client.post("/api/v1/admin/backup/create-full", headers=bed.headers()).json()["data"]
    for text in list(encodings())[::97]:
        for part in ("components", "tables"):
            body = {"backup_id": made["backup_id"], part: [text]}
            answer = bed.client.post("/api/v1/admin/backup/restore", headers=bed.headers(), json=body)
            assert 400 <= answer.status_code < 500, (part, text, answer.text)
