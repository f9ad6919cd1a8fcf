import pytest

from holdfast.backends import urls
from holdfast.backends.urls import BucketLocation, RestLocation, SftpLocation
from holdfast.errors import UsageError


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("/srv/repo", "local"),
        ("./a:b", "local"),
        ("../a:b", "local"),
        ("repo", "local"),
        ("local:/srv/repo", "local"),
        ("s3:host/bucket", "s3"),
        ("S3://bucket", "s3"),
        ("rest:http://host/", "rest"),
        ("nonsense://x", "nonsense"),
        ("a", "local"),
    ],
)
def test_scheme(url: str, scheme: str) -> None:
    assert urls.scheme_of(url) == scheme


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://bucket", BucketLocation("bucket", "")),
        ("s3://bucket/a/b/", BucketLocation("bucket", "a/b")),
        ("s3://my.bucket.name/a", BucketLocation("my.bucket.name", "a")),
        ("s3:s3.amazonaws.com/bucket/a", BucketLocation("bucket", "a")),
        (
            "s3:s3.eu-central-1.amazonaws.com/bucket",
            BucketLocation("bucket", "", "https://s3.eu-central-1.amazonaws.com", "eu-central-1"),
        ),
        ("s3://s3.amazonaws.com/bucket/a", BucketLocation("bucket", "a")),
        ("s3:host.example/bucket//a//b", BucketLocation("bucket", "a/b", "https://host.example")),
        ("s3:http://127.0.0.1:9000/bucket/a", BucketLocation("bucket", "a", "http://127.0.0.1:9000")),
        ("s3:https://[::1]:9000/bucket", BucketLocation("bucket", "", "https://[::1]:9000")),
        ("s3://minio:9000/bucket/a", BucketLocation("bucket", "a", "https://minio:9000")),
    ],
)
def test_s3(url: str, expected: BucketLocation) -> None:
    assert urls.s3_location(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("gs://bucket/a/b", BucketLocation("bucket", "a/b")),
        ("gs:bucket:/a/b/", BucketLocation("bucket", "a/b")),
        ("gs:bucket:/", BucketLocation("bucket", "")),
        ("az://container/a", BucketLocation("container", "a")),
        ("azure:container:/a", BucketLocation("container", "a")),
    ],
)
def test_buckets(url: str, expected: BucketLocation) -> None:
    assert urls.bucket_location(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("rest:http://host:8000", RestLocation("http://host:8000/", "", "", "")),
        ("rest:https://host/a/b", RestLocation("https://host/a/b/", "", "", "")),
        ("rest:https://u:p%40ss@host/a/", RestLocation("https://host/a/", "", "u", "p@ss")),
        ("rest:http://[::1]:8000/", RestLocation("http://[::1]:8000/", "", "", "")),
        ("rest:http+unix:///run/rest.sock:/a/b/", RestLocation("http://localhost/a/b/", "/run/rest.sock", "", "")),
        ("rest:http+unix:///run/rest.sock", RestLocation("http://localhost/", "/run/rest.sock", "", "")),
    ],
)
def test_rest(url: str, expected: RestLocation) -> None:
    assert urls.rest_location(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sftp:user@host:/srv/repo", SftpLocation("user", "host", 0, "/srv/repo", "")),
        ("sftp:host:repo", SftpLocation("", "host", 0, "repo", "")),
        ("sftp:user@[::1]:/srv", SftpLocation("user", "::1", 0, "/srv", "")),
        ("sftp:user@domain@host:/srv", SftpLocation("user@domain", "host", 0, "/srv", "")),
        ("sftp://user@host:2222//srv/repo/", SftpLocation("user", "host", 2222, "/srv/repo", "")),
        ("sftp://host/repo", SftpLocation("", "host", 0, "repo", "")),
        ("sftp://user:secret@host//srv", SftpLocation("user", "host", 0, "/srv", "secret")),
        ("sftp://[::1]:22//", SftpLocation("", "::1", 22, "/", "")),
        ("sftp:host:", SftpLocation("", "host", 0, ".", "")),
    ],
)
def test_sftp(url: str, expected: SftpLocation) -> None:
    assert urls.sftp_location(url) == expected


@pytest.mark.parametrize(
    ("read", "url"),
    [
        (urls.s3_location, "s3:"),
        (urls.s3_location, "s3://"),
        (urls.s3_location, "s3:host"),
        (urls.s3_location, "s3:http://key:sesame@host/bucket"),
        (urls.s3_location, "s3://bucket/../other"),
        (urls.s3_location, "s3:http://host:port/bucket"),
        (urls.bucket_location, "gs:bucket"),
        (urls.bucket_location, "gs://"),
        (urls.bucket_location, "az://name:sesame@x/../b"),
        (urls.rest_location, "rest:ftp://host/"),
        (urls.rest_location, "rest:host:8000"),
        (urls.rest_location, "rest:http+unix:relative:/x"),
        (urls.rest_location, "rest:https://u:sesame@host:notaport/"),
        (urls.rest_location, "rest:https://u:ab/sesame@host/"),
        (urls.sftp_location, "sftp:host"),
        (urls.sftp_location, "sftp:-oProxyCommand=x:/srv"),
        (urls.sftp_location, "sftp://-oProxyCommand=x/srv"),
        (urls.sftp_location, "sftp:///srv"),
        (urls.local_path, "local:"),
        (urls.local_path, ""),
        (urls.local_path, "a\0b"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error_without_secrets(read: object, url: str) -> None:
    assert callable(read)
    with pytest.raises(UsageError) as caught:
        read(url)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rest:https://user:sesame@host/a", "rest:https://user:***@host/a"),
        ("rest:https://user:ses@ame@host/a", "rest:https://user:***@host/a"),
        ("sftp://user:sesame@host//a", "sftp://user:***@host//a"),
        ("rest:https://user@host/a", "rest:https://user@host/a"),
        ("rest:https://host:80/a@b", "rest:https://host:80/a@b"),
    ],
)
def test_secrets_are_not_shown(url: str, shown: str) -> None:
    assert urls.without_secrets(url) == shown
