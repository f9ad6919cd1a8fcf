"""Reading repository locations, in restic's spelling and as ordinary URLs."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from holdfast.errors import Phrase, UsageError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):", re.ASCII)
_PATH_STARTS = ("/", "./", "../", "~")
_AMAZON_HOST = re.compile(r"s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?", re.ASCII)
_AMAZON_DEFAULT_HOSTS = frozenset({"s3.amazonaws.com", "s3-external-1.amazonaws.com"})
_UNIX = "http+unix://"


class BucketLocation(NamedTuple):
    """A bucket or container, and the prefix of its objects without slashes at the ends.

    `endpoint` is empty for the provider's own; `region` is empty where the location does not tell it.
    """

    bucket: str
    prefix: str
    endpoint: str = ""
    region: str = ""


class RestLocation(NamedTuple):
    """A restic REST server: base URL ending in `/` and without credentials; `socket` for one on this machine."""

    base: str
    socket: str
    username: str
    password: str


class SftpLocation(NamedTuple):
    """A folder on another machine; a path without a leading slash starts at the home folder. Port 0 is the default."""

    user: str
    host: str
    port: int
    path: str
    password: str


def scheme_of(url: str) -> str:
    """The scheme of a location, in lower case; `local` for a path.

    COMPAT(restic): whatever has no colon, or starts as a path does, is a path.
    """
    if url.startswith(_PATH_STARTS):
        return "local"
    found = _SCHEME.match(url)
    return found.group(1).lower() if found else "local"


def local_path(url: str) -> str:
    """The path of `local:/path` or of a plain path."""
    path = url[len("local:") :] if scheme_of(url) == "local" and url.startswith("local:") else url
    if not path or "\0" in path:
        raise UsageError(detail="the repository location is empty")
    return path


def s3_location(url: str) -> BucketLocation:
    """Reads `s3:host/bucket/prefix`, `s3:http://host:port/bucket/prefix` and `s3://bucket/prefix`.

    COMPAT(restic): `s3://host/bucket/prefix` is taken for an endpoint where the first part can only be one, which is
    when it names a port or a host of Amazon.
    """
    rest = url.partition(":")[2]
    if rest.startswith("//"):
        first = rest[2:].partition("/")[0]
        if ":" not in first and not first.endswith(".amazonaws.com"):
            return _bucket(rest[2:], url)
        rest = rest[2:]
    if not rest.startswith(("http://", "https://")):
        rest = f"https://{rest}"
    parts = _split(rest, url)
    if parts.username is not None or parts.query or parts.fragment or not parts.hostname:
        raise _malformed(url, "an S3 location is s3:host/bucket/prefix; credentials belong in the environment")
    bucket, prefix, *_ = _bucket(parts.path.lstrip("/"), url)
    if parts.hostname in _AMAZON_DEFAULT_HOSTS:
        return BucketLocation(bucket, prefix)
    amazon = _AMAZON_HOST.fullmatch(parts.hostname)
    return BucketLocation(bucket, prefix, f"{parts.scheme}://{parts.netloc}", amazon.group(1) if amazon else "")


def bucket_location(url: str) -> BucketLocation:
    """Reads `gs://bucket/prefix` and `gs:bucket:/prefix`, and the same for other schemes without endpoints."""
    rest = url.partition(":")[2]
    if rest.startswith("//"):
        return _bucket(rest[2:], url)
    bucket, colon, prefix = rest.partition(":")
    if not colon:
        raise _malformed(url, "write the bucket and the path as bucket:/path")
    return _bucket(f"{bucket}/{prefix.lstrip('/')}", url)


def rest_location(url: str) -> RestLocation:
    """Reads `rest:http://user:password@host:port/path/` and `rest:http+unix:///socket:/path/`."""
    rest = url.partition(":")[2]
    if rest.startswith(_UNIX):
        socket, _, path = rest[len(_UNIX) :].partition(":")
        if not socket.startswith("/"):
            raise _malformed(url, "a socket is written as rest:http+unix:///path/to/socket:/path/")
        return RestLocation(f"http://localhost/{_with_slash(path.lstrip('/'))}", socket, "", "")
    parts = _split(rest, url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise _malformed(url, "a REST server is written as rest:https://host:port/path/")
    base = f"{parts.scheme}://{_host(parts)}/{_with_slash(parts.path.lstrip('/'))}"
    return RestLocation(base, "", unquote(parts.username or ""), unquote(parts.password or ""))


def sftp_location(url: str) -> SftpLocation:
    """Reads `sftp:user@host:/path` and `sftp://user@host:port//path`, where one slash less is relative to home."""
    rest = url.partition(":")[2]
    if rest.startswith("//"):
        parts = _split(url, url)
        if not parts.hostname or parts.query or parts.fragment:
            raise _malformed(url, "an SFTP location is sftp://user@host:port//path")
        path = unquote(parts.path[1:])
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return _sftp(url, SftpLocation(user, parts.hostname, parts.port or 0, path, password))
    login, colon, path = _past_brackets(rest)
    user, _, host = login.rpartition("@")
    if not colon:
        raise _malformed(url, "an SFTP location is sftp:user@host:/path")
    return _sftp(url, SftpLocation(user, host.strip("[]"), 0, path, ""))


def without_secrets(url: str) -> str:
    """The location with the password of its user information left out, for messages."""
    return re.sub(r"(//[^/@:]*):[^/]*@", r"\1:***@", url)


def _sftp(url: str, location: SftpLocation) -> SftpLocation:
    if not location.host or location.host.startswith("-") or "\0" in location.path:
        raise _malformed(url, "there is no host name in it")
    return location._replace(path=location.path.rstrip("/") or ("/" if location.path else "."))


def _past_brackets(text: str) -> tuple[str, str, str]:
    """Splits at the first colon that is not part of a bracketed IPv6 address."""
    start = text.find("]") + 1
    head, colon, tail = text[start:].partition(":")
    return text[:start] + head, colon, tail


def _bucket(path: str, url: str) -> BucketLocation:
    bucket, _, prefix = path.partition("/")
    segments = [segment for segment in prefix.split("/") if segment]
    if not bucket or "@" in bucket or any(segment in (".", "..") for segment in segments):
        raise _malformed(url, "it names no bucket, or the path in it is not plain")
    return BucketLocation(bucket, "/".join(segments))


def _split(text: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise _malformed(url, "its host or port is not one") from None
    return parts


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else quote(host, safe=".-_~")
    return f"{host}:{parts.port}" if parts.port else host


def _with_slash(path: str) -> str:
    return path if not path or path.endswith("/") else f"{path}/"


def _malformed(url: str, reason: str) -> UsageError:
    # A password with a slash in it is one of the mistakes that lead here: everything up to the last @ is hidden.
    shown = re.sub(r"(//[^/@:]*):.*@", r"\1:***@", url)
    return UsageError(
        detail=Phrase("the location {shown} cannot be read: {reason}", {"shown": shown, "reason": reason})
    )
