"""What an error of obstore means. Its classes say little, so that its text has to be read."""

from __future__ import annotations

import re
from typing import NamedTuple

from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from holdfast.errors import AccessDenied, BackendError, BackendUnavailable, ObjectNotFound, OutOfSpace

NOT_PARTIAL = "NotPartial"
NOT_CONDITIONAL = frozenset({400, 501})

_STATUS = re.compile(r"status code: (\d{3})(?: ([A-Za-z' -]+))?")
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,60})</Code>")
_KIND = re.compile(r"kind: (Connect|Timeout|Request|Interrupted|Decode)\b")
_METADATA_HOSTS = ("169.254.169.254", "fd00:ec2::254", "metadata.google.internal", "169.254.170.2")
_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound"})
_FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "TooManyObjects"})
_CLOCK = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
_PASSING_STATUS = frozenset({408, 409, 425, 429})
_PASSING_CODES = frozenset({"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling"})
_LASTING_STATUS = frozenset({501, 505, 507})
_KINDS = {
    "Connect": "no connection could be made",
    "Timeout": "it did not answer in time",
    "Interrupted": "the connection was lost",
}


class Failure(NamedTuple):
    """What could be learnt from an error. A status of 0 means that there was no answer."""

    status: int
    phrase: str
    code: str
    kind: str
    missing: bool
    denied: bool
    no_credentials: bool
    untrusted: bool
    name: str

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later."""
        if self.status:
            passing = self.status in _PASSING_STATUS or self.code in _PASSING_CODES
            return passing or (self.status >= 500 and self.status not in _LASTING_STATUS)
        return bool(self.kind)

    @property
    def reason(self) -> str:
        """A clause for people; made here, because the original text may hold a signed URL."""
        if self.status:
            return " ".join(filter(None, (f"HTTP status {self.status}", self.phrase, self.code)))
        return _KINDS.get(self.kind, self.kind or self.name)

    def as_error(self, url: str, what: str, *, writing: bool) -> BackendError:
        """The error of ours that says the same.

        Args:
            url: the backend.
            what: the object.
            writing: whether "not found" can only mean that the bucket is not there.
        """
        if self.no_credentials:
            return AccessDenied(url=url, object=what, reason="no credentials were found")
        if self.missing:
            if writing or self.code in _NO_BUCKET:
                return self._without_bucket(url, what, writing)
            return ObjectNotFound(url=url, object=what)
        if self.status == 507 or self.code in _FULL:
            return OutOfSpace(url=url, object=what)
        if self.code in _CLOCK:
            return BackendError(url=url, object=what, reason="the clock of this machine is off")
        if self.code == "InvalidObjectState":
            return BackendError(url=url, object=what, reason="it lies in an archive class and must be thawed first")
        if self.untrusted:
            return BackendError(url=url, object=what, reason="its TLS certificate was not accepted")
        if self.denied:
            return AccessDenied(url=url, object=what, reason=self.reason)
        if self.transient:
            return BackendUnavailable(url=url, object=what, reason=self.reason)
        return BackendError(url=url, object=what, reason=self.reason)

    def _without_bucket(self, url: str, what: str, writing: bool) -> BackendError:
        if writing:
            return BackendError(url=url, object=what, reason="the bucket or container does not exist")
        return ObjectNotFound(url=url, object=what)


def failure_of(error: Exception) -> Failure:
    """Reads an error that obstore raised."""
    text = str(error)
    status = _STATUS.search(text)
    code = _CODE.search(text)
    kind = _KIND.search(text)
    number = int(status.group(1)) if status else 0
    return Failure(
        status=number,
        phrase=(status.group(2) or "").strip() if status else "",
        code=code.group(1) if code else "",
        kind=kind.group(1) if kind else "",
        missing=isinstance(error, FileNotFoundError) or number == 404,
        denied=isinstance(error, (PermissionDeniedError, UnauthenticatedError)) or number in (401, 403),
        no_credentials=any(host in text for host in _METADATA_HOSTS),
        untrusted="InvalidCertificate" in text or "certificate verify failed" in text,
        name=type(error).__name__,
    )
