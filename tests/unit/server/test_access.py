"""Who gets in: nobody without a token, and with one only where its scope reaches."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Route

from holdfast.model.access import Scope

from .conftest import Bed

OPEN = {"/healthz", "/readyz"}
SETUP = "/api/v1/setup"
ID = "backup_2020_01_01_00_00_00"
RUN = "0" * 32
# What each route takes, written down by hand: a change of the code alone must not open anything.
SCOPES = {
    "POST /api/v1/admin/backup/create-full": Scope.BACKUP,
    "POST /api/v1/admin/backup/create-incremental": Scope.BACKUP,
    "GET /api/v1/admin/backup/list": Scope.READ,
    "GET /api/v1/admin/backup/stats": Scope.READ,
    "POST /api/v1/admin/backup/restore": Scope.RESTORE,
    "GET /api/v1/admin/backup/download/{backup_id}": Scope.RESTORE,
    "DELETE /api/v1/admin/backup/{backup_id}": Scope.ADMIN,
    "POST /api/v1/admin/backup/cleanup": Scope.ADMIN,
    "POST /api/v1/admin/backup/schedule": Scope.ADMIN,
    "GET /api/v1/admin/backup/schedule": Scope.READ,
    "POST /backups/create": Scope.BACKUP,
    "GET /backups/list": Scope.READ,
    "GET /backups/stats": Scope.READ,
    "POST /backups/restore": Scope.RESTORE,
    "POST /backups/rotate": Scope.ADMIN,
    "GET /api/v1/runs": Scope.READ,
    "GET /api/v1/runs/{run_id}": Scope.READ,
    "POST /api/v1/runs/{run_id}/cancel": Scope.BACKUP,
    "GET /api/v1/runs/{run_id}/events": Scope.READ,
    "GET /metrics": Scope.READ,
    "GET /api/v1/status": Scope.READ,
    "GET /api/v1/reports/{kind}": Scope.READ,
    "GET /api/v1/deliveries": Scope.READ,
    "GET /api/v1/audit": Scope.ADMIN,
    "GET /api/v1/audit/verify": Scope.ADMIN,
}
BODIES: dict[str, object] = {
    "/api/v1/admin/backup/restore": {"backup_id": ID},
    "/api/v1/admin/backup/cleanup": {"days_to_keep": 30},
    "/api/v1/admin/backup/schedule": {
        "full_backup_frequency": "weekly",
        "incremental_backup_frequency": "daily",
        "retention_days": 30,
        "enabled": False,
    },
    "/backups/restore": {"backup_path": "backups/nothing.db"},
}


def all_routes(router: object) -> list[BaseRoute]:
    """Every route of an application, those of routers that it includes too."""
    found: list[BaseRoute] = []
    for route in router.routes:  # type: ignore[attr-defined]
        included = getattr(route, "original_router", None)
        found += [route] if included is None else all_routes(included)
    return found


def routes(bed: Bed) -> list[tuple[str, str]]:
    """(method, path) of every route that there is, those of the library itself included."""
    return [
        (method, route.path)
        for route in all_routes(bed.client.app)
        if isinstance(route, Route)
        for method in route.methods or {"GET"}
        if method != "HEAD"
    ]


def test_without_a_token_nothing_answers_but_health(bed: Bed) -> None:
    for method, path in routes(bed):
        if path in OPEN:
            continue
        place = path.format(backup_id=ID, run_id=RUN, kind="daily") if "{" in path else path
        for headers in ({}, {"Authorization": "Bearer hf_000000000000_wrong"}, {"Cookie": "authToken=x"}):
            answer = bed.client.request(method, place, headers={**headers, "X-Forwarded-For": "203.0.113.9"})
            assert answer.status_code in (401, 429 if headers else 401, 403 if path == SETUP else 401), (method, path)
            assert answer.json()["success"] is False


def test_every_route_says_who_may_use_it(bed: Bed) -> None:
    there = {f"{method} {path}" for method, path in routes(bed)}
    assert there - {"GET /healthz", "GET /readyz", f"POST {SETUP}", "GET /openapi.json"} == set(SCOPES)
    for route in all_routes(bed.client.app):
        if isinstance(route, APIRoute) and (wanted := SCOPES.get(f"{next(iter(route.methods))} {route.path}")):
            assert wanted in [getattr(one.dependency, "scope", None) for one in route.dependencies]


@pytest.mark.parametrize("scope", [scope.value for scope in Scope])
def test_no_role_does_what_it_may_not(bed: Bed, scope: str) -> None:
    token = bed.catalog.tokens.authenticate(bed.tokens[scope], bed.site.service.now())
    assert token is not None
    for name, needed in SCOPES.items():
        method, path = name.split(" ")
        place = path.format(backup_id=ID, run_id=RUN, kind="daily") if "{" in path else path
        headers = bed.headers(scope, **{"X-Forwarded-For": "203.0.113.9"})
        answer = bed.client.request(method, place, headers=headers, json=BODIES.get(path))
        if token.allows(needed):
            assert answer.status_code not in (401, 403), (name, answer.text)
        else:
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "scope-missing"), name


def test_a_revoked_or_expired_token_ends_at_once(bed: Bed) -> None:
    now = bed.site.service.now()
    short, secret = bed.catalog.tokens.create("short", (Scope.READ,), expires_at=now + timedelta(days=1), at=now)
    _old, expired = bed.catalog.tokens.create(
        "old", (Scope.READ,), expires_at=now - timedelta(seconds=1), at=now - timedelta(days=1)
    )
    place = "/api/v1/admin/backup/list"
    assert bed.client.get(place, headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    bed.catalog.tokens.revoke(short.token_id, now)

    assert bed.client.get(place, headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    assert bed.client.get(place, headers={"Authorization": f"Bearer {expired}"}).status_code == 401


def test_the_cookie_is_as_good_as_the_header(bed: Bed) -> None:
    answer = bed.client.get("/backups/stats", headers={"Cookie": f"authToken={bed.tokens['read']}"})

    assert answer.status_code == 200
    assert answer.json()["total_backups"] == 0


def test_guessing_ends_and_who_works_already_goes_on(bed: Bed) -> None:
    place = "/api/v1/admin/backup/list"
    assert bed.client.get(place, headers=bed.headers("read")).status_code == 200
    statuses = [
        bed.client.get(place, headers={"Authorization": f"Bearer hf_{number:012x}_{'x' * 43}"}).status_code
        for number in range(60)
    ]

    assert statuses.count(401) == 20
    assert statuses.count(429) == 40
    assert bed.client.get(place, headers=bed.headers("read")).status_code == 200
    assert bed.client.get(place, headers=bed.headers("admin")).status_code == 429


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": ""},
        {"Host": "localhost.evil.example"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_requests_from_elsewhere_are_refused(bed: Bed, headers: dict[str, str]) -> None:
    answer = bed.client.post("/api/v1/admin/backup/create-full", headers=bed.headers("admin", **headers))

    assert answer.status_code == 421
    assert not (bed.folder / "backups").exists()


def test_the_set_up_secret_is_good_once(bed: Bed) -> None:
    secret = bed.setup.shown
    for token in bed.catalog.tokens.list():
        bed.catalog.tokens.revoke(token.token_id, bed.site.service.now())
    wrong = bed.client.post(SETUP, headers={"Authorization": "Bearer wrong"})
    first = bed.client.post(SETUP, headers={"Authorization": f"Bearer {secret}"}, json={"name": "me"})
    again = bed.client.post(SETUP, headers={"Authorization": f"Bearer {secret}"})

    assert (wrong.status_code, first.status_code, again.status_code) == (403, 200, 403)
    made = {"Authorization": f"Bearer {first.json()['data']['token']}"}
    assert bed.client.get("/api/v1/runs", headers=made).status_code == 200
    assert bed.setup.shown == ""


def test_too_much_is_refused_before_it_is_read(bed: Bed) -> None:
    place = "/api/v1/admin/backup/cleanup"
    long = bed.client.post(place, headers=bed.headers(), content=b" " * 70_000)
    streamed = bed.client.post(place, headers=bed.headers(), content=iter([b" " * 40_000] * 3))
    wide = bed.client.get("/healthz", headers={f"X-{number}": "x" * 1000 for number in range(30)})

    assert [answer.status_code for answer in (long, streamed, wide)] == [413, 413, 413]


def test_every_answer_keeps_browsers_careful(bed: Bed) -> None:
    for answer in (bed.client.get("/healthz"), bed.client.get("/backups/list"), bed.client.get("/nothing")):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers
