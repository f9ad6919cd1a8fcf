"""Lists that are kept ready: never older than the mirror, packed for who takes that, and not sent to who has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from holdfast.model.backup import Marks, StoredBackup, backup_id
from holdfast.server.sending import takes_gzip

from .conftest import Bed

LIST = "/api/v1/admin/backup/list"
KINDS = ("all", "full", "database", "storage", "config", "incremental")


def make(bed: Bed) -> StoredBackup:
    made = bed.client.post("/api/v1/admin/backup/create-full", headers=bed.headers()).json()["data"]["backup_id"]
    (stored,) = bed.catalog.copies.of("shop", made)
    return stored


def fill(bed: Bed, like: StoredBackup, count: int) -> list[StoredBackup]:
    found = []
    for number in range(count):
        at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=number)
        manifest = msgspec.structs.replace(like.manifest, backup_id=backup_id(at), created_at=at)
        found.append(msgspec.structs.replace(like, manifest=manifest))
    bed.catalog.copies.replace("shop", "local", [like, *found], datetime.now(UTC) + timedelta(days=1))
    bed.site.service.mirror.take_in("shop", None)
    return found


def listed(bed: Bed, place: str = LIST) -> list[dict[str, object]]:
    body = bed.client.get(place, headers=bed.headers("read")).json()
    entries: list[dict[str, object]] = (body.get("data") or body)["backups"]
    assert (body.get("data") or body)["total_count"] == len(entries)
    return entries


def test_a_list_right_after_each_change_shows_it(bed: Bed) -> None:
    first = make(bed)
    others = fill(bed, first, 1200)
    assert [entry["backup_id"] for entry in listed(bed)] == [
        first.backup_id, *(one.backup_id for one in reversed(others)),
    ]  # fmt: skip
    assert [len(listed(bed, f"/backups/list?backup_type={kind}")) for kind in KINDS] == [1201] * 5 + [0]

    second = make(bed)
    assert [entry["backup_id"] for entry in listed(bed)[:2]] == [second.backup_id, first.backup_id]
    assert listed(bed, "/backups/list?backup_type=database")[0]["backup_id"] == second.backup_id

    held = msgspec.structs.replace(others[5], marks=Marks(hold_reason="audit", held_at=datetime.now(UTC)))
    bed.catalog.copies.put("shop", held)
    bed.catalog.copies.drop("shop", "local", others[6].backup_id)
    bed.site.service.mirror.take_in("shop", None)
    entries = {entry["backup_id"]: entry["held"] for entry in listed(bed)}
    assert entries[held.backup_id] is True
    assert others[6].backup_id not in entries
    assert sum(entries.values()) == 1

    deleted = bed.client.delete(f"/api/v1/admin/backup/{first.backup_id}", headers=bed.headers())
    assert deleted.status_code == 200, deleted.text
    assert first.backup_id not in [entry["backup_id"] for entry in listed(bed)]


def test_a_copy_in_a_second_target_changes_the_entry_of_the_first(bed: Bed) -> None:
    stored = make(bed)
    assert listed(bed)[0]["targets"] == ["local"]
    bed.catalog.copies.put("shop", msgspec.structs.replace(stored, target="offsite"))
    bed.site.service.mirror.take_in("shop", None)

    (entry,) = listed(bed)
    assert entry["targets"] == ["local", "offsite"]
    bed.catalog.copies.drop("shop", "local", stored.backup_id)
    bed.site.service.mirror.take_in("shop", None)
    assert listed(bed)[0]["targets"] == ["offsite"]


@pytest.mark.parametrize("place", [LIST, "/backups/list"])
def test_who_has_the_list_is_told_so(bed: Bed, place: str) -> None:
    fill(bed, make(bed), 300)
    packed = bed.client.get(place, headers=bed.headers("read", **{"Accept-Encoding": "br, gzip;q=0.5"}))
    plain = bed.client.get(place, headers=bed.headers("read", **{"Accept-Encoding": "identity"}))

    assert (packed.headers["content-encoding"], plain.headers.get("content-encoding")) == ("gzip", None)
    assert packed.json() == plain.json()
    assert int(plain.headers["content-length"]) == len(plain.content)
    assert int(packed.headers["content-length"]) < len(plain.content) / 5
    assert packed.headers["vary"] == "Accept-Language, Accept-Encoding"
    asked = bed.headers("read", **{"If-None-Match": f'"other", {plain.headers["etag"]}'})
    again = bed.client.get(place, headers=asked)
    assert (again.status_code, again.content) == (304, b"")
    make(bed)
    assert bed.client.get(place, headers=asked).status_code == 200


def test_the_words_of_a_list_are_those_of_who_asks(bed: Bed) -> None:
    make(bed)
    answers = [
        bed.client.get(LIST, headers=bed.headers("read", **{"Accept-Language": language})) for language in ("tr", "en")
    ]

    assert answers[1].json()["message"] == "The backups were listed."
    assert answers[0].json()["message"] != answers[1].json()["message"]
    assert answers[0].headers["etag"] != answers[1].headers["etag"]
    assert [answer.headers["content-language"] for answer in answers] == ["tr", "en"]


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("", False), ("gzip", True), ("deflate, GZIP", True), ("gzip;q=0", False), ("gzip; q=0.0", False),
        ("gzip;q=0.1", True), ("identity", False), ("*", False), ("x-gzip", True),
    ],
)  # fmt: skip
def test_gzip_is_for_who_takes_it(accepted: str, takes: bool) -> None:
    assert takes_gzip(accepted) is takes
