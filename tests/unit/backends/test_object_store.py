"""What an S3 server may do, by scripted answers; the real servers are in the conformance tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from obstore.exceptions import GenericError

from holdfast.backends.object_store_errors import failure_of
from holdfast.backends.options import BackendOptions
from holdfast.backends.registry import open_backend
from holdfast.errors import (
    AccessDenied,
    BackendError,
    BackendUnavailable,
    HoldfastError,
    ObjectExists,
    ObjectNotFound,
    OutOfSpace,
    ShortRead,
)
from holdfast.protocols import CONFIG_HANDLE, Backend, FileKind, Handle
from holdfast.testing import servers
from holdfast.testing.backend_suite import listed, store
from holdfast.testing.scripted_server import Answer, ScriptedServer, always

HANDLE = Handle(FileKind.PACK, "0a" * 32)
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "KEYKEYKEYKEY", "AWS_SECRET_ACCESS_KEY": "sesame-sesame"}


def options(**extra: str) -> BackendOptions:
    settings = {f"s3.{name.replace('_', '-')}": value for name, value in extra.items()}
    return BackendOptions(retry_deadline_s=0, environment=ENVIRONMENT, extra=settings)


@pytest.fixture
def backend(script: ScriptedServer) -> Iterator[Backend]:
    opened = open_backend(f"s3:{script.url}bucket/some/prefix", options=options())
    yield opened
    opened.close()


def xml(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode()


@pytest.mark.parametrize(
    ("status", "code", "expected", "transient"),
    [
        (400, "InvalidArgument", BackendError, False),
        (400, "RequestTimeout", BackendUnavailable, True),
        (401, "Unauthorized", AccessDenied, False),
        (403, "AccessDenied", AccessDenied, False),
        (403, "RequestTimeTooSkewed", BackendError, False),
        (403, "InvalidObjectState", BackendError, False),
        (403, "QuotaExceeded", OutOfSpace, False),
        (404, "NoSuchKey", ObjectNotFound, False),
        (404, "NoSuchBucket", ObjectNotFound, False),
        (409, "OperationAborted", BackendUnavailable, True),
        (416, "InvalidRange", ShortRead, True),
        (429, "TooManyRequests", BackendUnavailable, True),
        (500, "InternalError", BackendUnavailable, True),
        (501, "NotImplemented", BackendError, False),
        (503, "SlowDown", BackendUnavailable, True),
        (507, "XMinioStorageFull", OutOfSpace, False),
    ],
)
def test_statuses(
    backend: Backend, script: ScriptedServer, status: int, code: str, expected: type[HoldfastError], transient: bool
) -> None:
    script.answer = always(status, {}, xml(code))
    with pytest.raises(BackendError) as caught:
        backend.load(HANDLE, 3, 4)
    assert type(caught.value) is expected
    assert caught.value.transient is transient
    assert "sesame" not in str(caught.value)
    assert len(script.asked) == 1, "nobody below the retry wrapper repeats a request"


def test_the_reason_names_status_and_code(backend: Backend, script: ScriptedServer) -> None:
    script.answer = always(403, {}, xml("SignatureDoesNotMatch"))
    with pytest.raises(AccessDenied, match="HTTP status 403 Forbidden SignatureDoesNotMatch"):
        backend.load(HANDLE)
    script.answer = always(403, {}, xml("RequestTimeTooSkewed"))
    with pytest.raises(BackendError, match="clock of this machine is off"):
        backend.load(HANDLE)


def test_a_missing_bucket_is_told_when_writing_or_listing(backend: Backend, script: ScriptedServer) -> None:
    script.answer = always(404, {}, xml("NoSuchBucket"))
    with pytest.raises(BackendError, match="bucket or container does not exist"):
        store(backend, b"x")
    with pytest.raises(BackendError, match="bucket or container does not exist"):
        listed(backend, FileKind.PACK)


def test_no_server_at_all_is_a_passing_failure() -> None:
    backend = open_backend(f"s3:http://127.0.0.1:{servers.free_port()}/bucket/", options=options())
    with pytest.raises(BackendUnavailable, match="no connection could be made"):
        backend.load(HANDLE)


def test_a_connection_cut_in_the_middle_is_a_passing_failure(backend: Backend, script: ScriptedServer) -> None:
    script.answer = always(200, {"Content-Length": "1000", "Last-Modified": DATE}, b"half")
    with pytest.raises(BackendUnavailable):
        backend.load(HANDLE)


DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


def test_a_server_without_ranges_is_asked_for_whole_objects_from_then_on(
    backend: Backend, script: ScriptedServer
) -> None:
    script.answer = always(200, {"Last-Modified": DATE, "ETag": '"x"'}, b"0123456789")
    assert backend.load(HANDLE, 3, 4) == b"3456"
    assert backend.load(HANDLE, 9, 1) == b"9"
    assert backend.load(HANDLE, 4) == b"456789"
    assert ["Range" in request.headers or "range" in request.headers for request in script.asked] == [
        True,
        False,
        False,
        False,
    ]


def test_every_upload_carries_its_hash_and_only_packs_a_storage_class(script: ScriptedServer) -> None:
    script.answer = always(200, {"ETag": '"x"'})
    backend = open_backend(f"s3:{script.url}bucket", options=options(storage_class="STANDARD_IA"))
    store(backend, b"pack")
    store(backend, b"index", FileKind.INDEX)
    pack, index = ({name.lower(): value for name, value in request.headers.items()} for request in script.asked)
    assert pack["x-amz-storage-class"] == "STANDARD_IA"
    assert "x-amz-storage-class" not in index
    assert "x-amz-checksum-sha256" in pack
    assert "x-amz-checksum-sha256" in index


def test_the_config_is_put_on_condition(backend: Backend, script: ScriptedServer) -> None:
    def answer(method: str, _path: str) -> Answer:
        return (404, {}, b"") if method == "HEAD" else (412, {}, xml("PreconditionFailed"))

    script.answer = answer
    with pytest.raises(ObjectExists):
        backend.save(CONFIG_HANDLE, [b"config"])
    assert [request.method for request in script.asked] == ["HEAD", "PUT"]


def test_a_server_that_knows_no_conditions_gets_the_config_without_one(
    backend: Backend, script: ScriptedServer
) -> None:
    def answer(method: str, _path: str) -> Answer:
        if method == "HEAD":
            return 404, {}, b""
        conditional = any(name.lower() == "if-none-match" for name in script.asked[-1].headers)
        return (501, {}, xml("NotImplemented")) if conditional else (200, {"ETag": '"x"'}, b"")

    script.answer = answer
    backend.save(CONFIG_HANDLE, [b"config"])
    assert [request.method for request in script.asked] == ["HEAD", "PUT", "PUT"]


def test_a_configuration_that_is_not_accepted_is_a_usage_error() -> None:
    from holdfast.errors import UsageError

    bad = BackendOptions(environment={"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/sesame.json"})
    with pytest.raises(UsageError):
        open_backend("gs://bucket/a", options=bad)


def test_a_machine_without_a_role_has_no_credentials() -> None:
    asked = "Error performing PUT http://169.254.169.254/latest/api/token - HTTP error: kind: Connect"
    error = failure_of(GenericError(asked)).as_error("s3://bucket", "config", writing=False)
    assert type(error) is AccessDenied
    assert "no credentials were found" in str(error)


def test_a_certificate_that_is_not_accepted_is_not_asked_for_again() -> None:
    error = failure_of(GenericError("kind: Connect … InvalidCertificate(UnknownIssuer)"))
    assert not error.as_error("s3://bucket", "config", writing=False).transient
