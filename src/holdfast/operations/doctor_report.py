"""What `doctor` reports."""

from __future__ import annotations

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing `doctor` looked at. `level` is `ok`, `note`, `warning` or `error`; `hint` is the next step."""

    level: str
    code: str
    subject: str
    detail: str = ""
    hint: str = ""


class DoctorReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was looked at, errors included; `healthy` if there is no error."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return all(finding.level != "error" for finding in self.findings)
